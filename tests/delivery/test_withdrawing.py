"""What was delivered and is no longer true: listed, and withdrawn when that is asked, once."""

from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.destinations import DESTINATIONS, DestinationSpec
from cpa_core.errors import DestinationStopped
from cpa_core.models import WITHDRAWN_EVENT
from cpa_core.pipeline import days_to_correct, deliver_day, reconciled
from tests.servers.amplitude import AmplitudeServer
from tests.servers.posthog import PostHogServer
from tests.support.deliveries import DAY, SCRIPTED, Scripted, assistant, ledger, store_day, to_amplitude, to_posthog


def stale(home: Path) -> int:
    return sum(one.stale for one in reconciled(assistant(home), [DAY]))


def test_an_event_that_is_no_more_is_marked_in_its_place_at_posthog(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path, messages=2)
    given = assistant(tmp_path, **to_posthog(posthog))
    deliver_day(given, DAY)
    store_day(tmp_path, messages=1)
    assert deliver_day(given, DAY).stale == 1 and days_to_correct(given) == [DAY]
    corrected = deliver_day(given, DAY, correct=True)
    assert (corrected.withdrawn, corrected.stale, corrected.open) == (1, 0, 0)
    assert len(posthog.rows) == 3, "it is replaced, not added to"
    (marked,) = [row["properties"] for row in posthog.rows if row["properties"].get("withdrawn")]
    assert (marked["withdrawn_event"], marked["message_id"]) == ("Question", "m1")
    assert "Topic" not in marked
    asked = len(posthog.asked)
    assert deliver_day(given, DAY, correct=True).sent == 0 and len(posthog.asked) == asked
    assert days_to_correct(given) == []


def test_each_version_that_stays_at_amplitude_is_withdrawn_by_an_event_of_its_own(
    tmp_path: Path, amplitude: AmplitudeServer
) -> None:
    given = assistant(tmp_path, **to_amplitude(amplitude))
    for topic in ("Tax", "Form"):
        store_day(tmp_path, messages=1, topic=topic)
        deliver_day(given, DAY)
    old = next(row["sent_id"] for row in ledger(tmp_path) if row["event_name"] == "Question")
    assert stale(tmp_path) == 1
    assert deliver_day(given, DAY, correct=True).withdrawn == 1
    (found,) = [row for row in amplitude.rows if row["event_type"] == WITHDRAWN_EVENT]
    assert found["event_properties"]["withdrawn_id"] == old and found["user_id"] == "u1"
    assert found["insert_id"] not in {row["insert_id"] for row in amplitude.rows if row is not found}
    assert stale(tmp_path) == 0
    assert deliver_day(given, DAY, correct=True).sent == 0


@pytest.mark.parametrize("vendor", ["posthog", "amplitude"])
def test_an_event_that_was_withdrawn_and_is_true_again_is_sent_again(
    tmp_path: Path, posthog: PostHogServer, amplitude: AmplitudeServer, vendor: str
) -> None:
    given = assistant(tmp_path, **{"posthog": to_posthog(posthog), "amplitude": to_amplitude(amplitude)}[vendor])
    for messages in (2, 1, 2):
        store_day(tmp_path, messages=messages)
        delivered = deliver_day(given, DAY, correct=True)
    assert delivered.stale == 0
    if vendor == "posthog":
        assert not [row for row in posthog.rows if row["properties"].get("withdrawn")] and len(posthog.rows) == 3
    else:
        found = [row for row in amplitude.rows if row["event_properties"].get("message_id") == "m1"]
        assert [row["event_type"] for row in found] == ["Question", WITHDRAWN_EVENT, "Question"]
        assert len({row["insert_id"] for row in found}) == 3
    assert deliver_day(given, DAY, correct=True).sent == 0
    store_day(tmp_path, messages=1)
    assert deliver_day(given, DAY, correct=True).withdrawn > 0
    assert stale(tmp_path) == 0


def test_a_name_from_before_is_withdrawn_and_the_new_one_stays(tmp_path: Path, posthog: PostHogServer) -> None:
    given = assistant(tmp_path, **to_posthog(posthog))
    for name in ("Question", "Enquiry"):
        store_day(tmp_path, messages=1, name=name)
        deliver_day(given, DAY)
    assert stale(tmp_path) == 1
    deliver_day(given, DAY, correct=True)
    shown = {row["event"]: row["properties"].get("withdrawn", False) for row in posthog.rows}
    assert shown == {"Question": True, "Enquiry": False, "Conversation Judged": False}
    assert deliver_day(given, DAY, correct=True).sent == 0 and stale(tmp_path) == 0


def test_a_withdrawal_that_was_not_accepted_is_sent_again_under_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Scripted()
    place.replaces = "never"
    monkeypatch.setitem(DESTINATIONS, "scripted", DestinationSpec("scripted", "", lambda given: place))
    given = assistant(tmp_path, **SCRIPTED)
    store_day(tmp_path, messages=2)
    deliver_day(given, DAY)
    store_day(tmp_path, messages=1)
    place.statuses, place.sent = {"m1": "unknown"}, []
    assert deliver_day(given, DAY, correct=True).open == 1
    place.stop_at = "m1"
    with pytest.raises(DestinationStopped):
        deliver_day(given, DAY, correct=True)
    place.stop_at, place.statuses = "nowhere", {}
    assert deliver_day(given, DAY, correct=True).withdrawn == 1
    withdrawals = [event for event in place.sent if event.message_id == "m1"]
    assert len(withdrawals) == 2 and len({event.event_id for event in withdrawals}) == 1


def test_the_command_corrects_and_status_says_what_is_stale(
    tmp_path: Path, posthog: PostHogServer, capsys: pytest.CaptureFixture[str]
) -> None:
    store_day(tmp_path, messages=2)
    environ = {"CPA_HOME": str(tmp_path), **to_posthog(posthog)}
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    with assistant(tmp_path).store.writing() as transaction:
        transaction.execute("delete from tagged_events where message_id = 'm1'")
    assert main(["status"], environ) == 0
    assert "stale 1: cpa run --correct" in capsys.readouterr().out
    assert main(["run", "--dry-run", "--correct"], environ) == 0
    assert "1 more there are no longer true: cpa run --correct" in capsys.readouterr().out
