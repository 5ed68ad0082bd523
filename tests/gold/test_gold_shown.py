"""Where labels by people show: beside the rates of the report, in an export, and nowhere without them."""

import csv
import re
from datetime import timedelta
from pathlib import Path

import pytest

from cpa_core.errors import SettingsError
from cpa_core.gold.correcting import GoldUnit, corrected_rate
from cpa_core.gold.reviews import part_of
from cpa_core.insights.statistics import share, unit_sums
from cpa_core.pipeline import DayRange, deliver_day, export_sums, reconciled, scope_of, write_report
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.gold.quality import trust_of
from cpa_core.selection import load
from tests.support.labelled import ANSWER, ASKING, FIRST, THANKS, LabelledHome, labelled_home, talks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> LabelledHome:
    """120 talks of which 70 were drawn and read."""
    made = labelled_home(tmp_path_factory.mktemp("gold"), talks(120))
    draw = draw_gold(made.assistant, WantedDraw(way="random", size=70))
    made.read([int(item.conversation_id[1:]) for item in draw.items], draw_id=draw.draw_id)
    return made


def measured(home: LabelledHome) -> list[int]:
    """The talks that were read and measure."""
    rows = home.home.rows("select distinct conversation_id from gold_labels order by conversation_id")
    return [int(row["conversation_id"][1:]) for row in rows if part_of(row["conversation_id"]) == "measure"]


def counted(home: LabelledHome, number: int) -> tuple[int, int, int]:
    """The user's messages of a talk: those that ask, those tagged so, all."""
    of = [(truth, tagged) for role, truth, tagged in home.talks[number].messages if role == "user"]
    return sum(ASKING in truth for truth, _ in of), sum(ASKING in tagged for _, tagged in of), len(of)


def test_a_corrected_rate_is_that_of_the_talks_themselves(home: LabelledHome) -> None:
    found = next(one for one in trust_of(home.assistant) if one.name == ASKING)
    everyone = [counted(home, n) for n in range(len(home.talks))]
    share = sum(tagged for _, tagged, _ in everyone) / sum(of for _, _, of in everyone)
    by_user: dict[str | None, list[int]] = {}
    read = measured(home)
    for n in read:
        sums = by_user.setdefault(home.talks[n].user, [0, 0, 0])
        by_user[home.talks[n].user] = [a + b for a, b in zip(sums, counted(home, n), strict=True)]
    weight = 120 / len(read)
    units = [GoldUnit(y * weight, m * weight, f * weight, m * weight) for y, f, m in by_user.values()]
    again = corrected_rate(units, share, sampled=len(read) / 120)
    assert again is not None and found.of_messages is not None
    assert found.of_messages.tagged.share == pytest.approx(share)
    assert found.of_messages.corrected.value == pytest.approx(again.value)
    assert found.of_messages.corrected.high == pytest.approx(again.high)
    assert (found.labelled, found.agreement.units) == (len(read), len(by_user))


def test_the_report_shows_the_corrected_rate_beside_the_tagged_one_with_the_gold_behind_a_click(
    home: LabelledHome,
) -> None:
    span = DayRange(changes=((FIRST + timedelta(days=5), "another prompt"),))
    page = write_report(home.assistant, span).path.read_text("utf-8")
    found = next(one for one in trust_of(home.assistant) if one.name == ASKING)
    assert "Labels checked by people" in page and "nobody has checked" not in page
    value = found.of_conversations.corrected.value
    assert value is not None and f"corrected {100 * value:.0f}%" in page
    assert re.search(rf'data-drill="gold:0"[^>]*>{found.labelled}<', page)
    assert re.search(r"corrected: (.\d|each side)", page)  # the declared change, on corrected rates


def test_an_export_holds_the_trust_of_each_label_and_no_words(home: LabelledHome, tmp_path: Path) -> None:
    written = export_sums(home.assistant, tmp_path, "csv", scope_of(home.assistant, None, None))
    (path,) = [one.path for one in written if one.path.stem == "label_quality"]
    rows = {row["name"]: row for row in csv.DictReader(path.read_text("utf-8").splitlines())}
    assert {ASKING, "P1", "D1"} <= rows.keys()
    assert float(rows[ASKING]["kappa"]) > 0 and rows[ASKING]["messages_basis"] == "sample"
    assert "Asking at" not in path.read_text()


def test_without_gold_nothing_is_shown_but_that_nobody_has_checked(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(4))
    assert trust_of(home.assistant) == ()
    page = write_report(home.assistant).path.read_text("utf-8")
    assert "nobody has checked its labels yet" in page
    assert "Labels checked by people" not in page and "checked by people</th>" not in page
    names = {
        one.path.stem
        for one in export_sums(home.assistant, tmp_path / "out", "csv", scope_of(home.assistant, None, None))
    }
    assert "label_quality" not in names


def test_labels_that_people_contradict_reach_no_destination_and_are_counted(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(40, days=1))
    for talk in home.talks:
        talk.messages = [(role, truth, {THANKS} if role == "user" else tagged) for role, truth, tagged in talk.messages]
    home.store()
    home.read(range(40))
    home.home.environ["CPA_LEAST_KAPPA"] = "0.4"
    before = len(home.home.rows("select * from tagged_events where event_type = 'Thanks'"))
    done = deliver_day(home.assistant, FIRST, deliver_incomplete=True)
    assert (done.left_out, done.stale) == (before, 0)
    names = {row["event_name"] for row in home.home.rows("select distinct event_name from upload_receipts")}
    assert names == {ANSWER, "Conversation Judged"}
    (line,) = reconciled(home.assistant, [FIRST])
    assert (line.left_out, line.difference) == (before, 0)
    # what was decided stays counted when the setting goes; the next delivery sends the rest
    del home.home.environ["CPA_LEAST_KAPPA"]
    assert reconciled(home.assistant, [FIRST])[0].difference == 0
    assert deliver_day(home.assistant, FIRST, deliver_incomplete=True).accepted == before
    assert reconciled(home.assistant, [FIRST])[0].left_out == 0


def test_no_file_says_which_labels_are_untrusted(tmp_path: Path) -> None:
    path = tmp_path / "delivery.yml"
    path.write_text("posthog: {untrusted: [[Asking, user]]}")
    with pytest.raises(SettingsError, match="untrusted"):
        load(path)


def test_the_interval_of_a_tagged_rate_counts_users_and_not_rows(home: LabelledHome) -> None:
    found = next(one for one in trust_of(home.assistant) if one.name == ASKING)
    messages: dict[str, tuple[int, int]] = {}
    talks: dict[str, tuple[int, int]] = {}
    for n, talk in enumerate(home.talks):
        unit = talk.user or f"talk {n}"
        _, tagged, of = counted(home, n)
        hits, trials = messages.get(unit, (0, 0))
        messages[unit] = (hits + tagged, trials + of)
        hits, trials = talks.get(unit, (0, 0))
        talks[unit] = (hits + (tagged > 0), trials + 1)
    assert found.of_messages is not None
    for shown, by_unit in ((found.of_messages, messages), (found.of_conversations, talks)):
        again = share(unit_sums(by_unit.values()))
        assert shown.tagged.units == pytest.approx(again.units)
        assert (shown.tagged.low, shown.tagged.high) == pytest.approx((again.low, again.high))
        assert shown.tagged.units < shown.tagged.of
