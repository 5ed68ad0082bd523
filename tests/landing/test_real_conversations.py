"""Landing real conversations: the messy ones beside this file, and larger ones where the shared data are."""

import csv
import gzip
import io
import itertools
import json
from datetime import date
from pathlib import Path

import pytest

from cpa_core.sources import parse
from tests.support.homes import Home

SHARED = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(__file__).parents[1] / "data"
DAY = date(2026, 3, 4)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("dataset", ["messy_mini", "messy_mini_pypi"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_real_messy_conversations_land_in_order(home: Home, dataset: str, form: str) -> None:
    expected = json.loads((DATA / dataset / "expected.json").read_text("utf-8"))
    content = (DATA / dataset / f"conversations.{form}").read_bytes()
    home.write(f"x.{form}", content)
    landed = home.land()
    assert (landed.records, landed.lost) == (expected["csv"]["messages"], 0)
    (counts,) = home.rows("select count(*) as n from landed_conversations")
    assert counts["n"] == expected["csv"]["conversations"]
    records, _ = parse(f"x.{form}", content, None)
    for conversation_id in expected["must_keep_order"]:
        in_file = [r.content for r in records if r.conversation_id == conversation_id]
        assert home.contents(conversation_id) == in_file


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("dataset", ["star_booking", "annomi", "mathdial", "multidogo_finance"])
def test_csv_and_json_of_real_data_hold_the_same_conversations(tmp_path: Path, dataset: str) -> None:
    hashes = []
    for form in ("csv", "json"):
        home = Home(tmp_path / form)
        home.write(f"x.{form}", (SHARED / dataset / f"conversations.{form}").read_bytes())
        assert home.land(DAY).lost == 0  # mathdial has no times
        rows = home.rows("select conversation_id, role, content, sent_at from landed_messages order by all")
        hashes.append(rows)
    assert hashes[0] == hashes[1] and len(hashes[0]) > 900


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("example", ["therapist", "tax_advisor"])
def test_the_seed_examples_land_with_a_day(home: Home, example: str) -> None:
    home.write("x.json", (SHARED / "seed_examples" / example / "example_data.json").read_bytes())
    landed = home.land(DAY)
    assert (landed.records, landed.lost, landed.days) == ({"therapist": 92, "tax_advisor": 91}[example], 0, (DAY,))


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
def test_many_real_messages_land_without_loss(home: Home) -> None:
    with gzip.open(SHARED / "scale" / "permissive.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(itertools.islice(csv.reader(file), 30_001))
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    home.write("x.csv", text.getvalue())
    landed = home.land(DAY)
    assert (landed.rejected, landed.records) == (0, 30_000)
    assert home.rows("select count(*) as n from landed_messages where superseded_at is null") == [{"n": 30_000}]
