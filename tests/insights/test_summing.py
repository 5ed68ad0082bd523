"""The sums of days: a range is their sum, a day that is summed again is replaced, and files hold the same."""

import json
import shlex
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from cpa_core import insights
from cpa_core.cli import main
from cpa_core.insights import Scope, selected
from cpa_core.insights.sums import QUESTIONS, sums
from cpa_core.pipeline import Assistant, Summed, sum_day, sum_days
from cpa_core.settings import settings
from tests.support.awkward import fill

pytestmark = pytest.mark.slow

FIRST, LAST = date(2026, 3, 18), date(2026, 3, 21)


@pytest.fixture
def home(tmp_path: Path) -> Assistant:
    """A home with awkward rows."""
    assistant = Assistant.of(settings({"CPA_HOME": str(tmp_path / "home")}))
    fill(assistant.store, 200)
    return assistant


def test_a_range_is_the_sum_of_its_days(home: Assistant) -> None:
    for n in range((LAST - FIRST).days + 1):
        sum_day(home.store, FIRST + timedelta(days=n))
    with selected(home.store, Scope(FIRST, LAST)) as of:
        whole, kept = sums(of), {name: of.view.rows(f"select * from {name}") for name in QUESTIONS}
        figures = insights.overview(of)
        bands = {band.score_from: band.conversations for band in insights.scores(of)}
        events = {row.kind: row.events for row in insights.events(of)}
    for name, table in whole.items():
        assert ordered(table.to_pylist()) == ordered(kept[name])
    for name in ("conversations", "messages", "events", "tagged", "judged", "scored"):
        assert sum(row[name] for row in kept["insight_days"]) == getattr(figures, name)
    for band, conversations in bands.items():
        assert sum(r["conversations"] for r in kept["insight_scores"] if r["score_from"] == band) == conversations
    for kind, count in events.items():
        own = [
            row["events"]
            for row in kept["insight_events"]
            if (row["role"], row["event_type"]) == (kind.role, kind.event_type)
        ]
        assert sum(own) == count


def ordered(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as they compare, whatever their order and that of their additions."""
    rounded = [
        {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()} for row in rows
    ]
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in rounded)


def test_a_day_that_is_summed_again_is_replaced(home: Assistant) -> None:
    first = sum_day(home.store, FIRST)
    assert first == sum_day(home.store, FIRST)
    with home.store.reading() as view:
        assert [row["conversations"] for row in view.rows("select * from insight_days")] == [first.conversations]
    with home.store.writing() as transaction:
        transaction.execute("delete from raw_conversations where day = $day", day=FIRST)
    assert sum_day(home.store, FIRST).conversations == 0
    with home.store.reading() as view:
        assert not any(view.rows(f"select * from {name} where day = $day", day=FIRST) for name in QUESTIONS)


DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 2)]
"""The days of the home, and one on which nothing landed."""


def stored(home: Assistant) -> dict[str, list[str]]:
    with home.store.reading() as view:
        return {name: ordered(view.rows(f"select * from {name}")) for name in QUESTIONS}


def test_days_that_are_summed_together_come_to_the_same_as_each_alone(home: Assistant) -> None:
    alone = [(day, sum_day(home.store, day)) for day in DAYS]
    kept = stored(home)
    assert list(sum_days(home.store, DAYS[::-1])) == alone and stored(home) == kept
    for day, found in alone:
        with selected(home.store, Scope(day, day)) as of:
            asked = insights.overview(of)
        for name in ("conversations", "users", "messages", "events", "scored"):
            assert getattr(found, name) == getattr(asked, name)
        assert (found.mean_score, found.share_bad) == pytest.approx((asked.score.mean, asked.bad.share))
    assert sum(found.scored for _, found in alone) > 0


def test_a_day_that_a_run_is_at_work_on_is_summed_when_it_lets_go(home: Assistant) -> None:
    with home.store.day_lock(DAYS[1]):
        found: Iterator[tuple[date, Summed]] = sum_days(home.store, DAYS)
        assert next(found)[0] == DAYS[0]
        assert [row for row in stored(home)["insight_days"] if str(DAYS[2]) in row]
        assert not [row for row in stored(home)["insight_days"] if str(DAYS[1]) in row]
    assert [day for day, _ in found] == DAYS[1:]
    assert [row for row in stored(home)["insight_days"] if str(DAYS[1]) in row]


def test_an_export_holds_every_day_and_no_words(home: Assistant, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home.settings.home / "out"
    given = {"CPA_HOME": str(home.settings.home)}
    for form in ("parquet", "csv"):
        assert main(shlex.split(f"export --out {folder} --format {form} --from {FIRST} --to {LAST}"), given) == 0
    with selected(home.store, Scope(FIRST, LAST)) as of:
        wanted = sums(of)
    assert len(capsys.readouterr().out.splitlines()) == 2 * len(wanted)
    for name, table in wanted.items():
        path = folder / f"{name.removeprefix('insight_')}.parquet"
        assert pyarrow.parquet.read_table(path).to_pylist() == table.to_pylist()
        assert pyarrow.csv.read_csv(path.with_suffix(".csv")).num_rows == table.num_rows
        assert b"words " not in path.with_suffix(".csv").read_bytes()


def test_an_export_of_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--out", str(tmp_path / "out")], {"CPA_HOME": str(tmp_path / "none")}) == 2
    assert "no store" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
