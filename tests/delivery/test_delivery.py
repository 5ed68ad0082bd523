"""Delivering a day: complete days only, each event once, whatever is killed, stopped or corrected in between."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cpa_core.destinations import DESTINATIONS, DestinationSpec
from cpa_core.errors import DayIncomplete, DestinationStopped, SettingsError
from cpa_core.models import Event, Receipt
from cpa_core.pipeline import Assistant, deliver_day, due_days
from cpa_core.pipeline.delivery import events as day_events
from cpa_core.settings import settings
from tests.servers.amplitude import AmplitudeServer
from tests.servers.loopback import Asked, Fault, Says
from tests.servers.posthog import PostHogServer
from tests.support.deliveries import (
    BECAUSE,
    CONTENT,
    DAY,
    SCRIPTED,
    START,
    Scripted,
    assistant,
    counts,
    ledger,
    store_day,
    to_amplitude,
    to_posthog,
)
from tests.support.lakes import far_environ

SEED_KEYS = {"conversation_id", "message_id", "content", "role", "explanation", "llm_judge_score", "Topic"}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted()
    monkeypatch.setitem(DESTINATIONS, "scripted", DestinationSpec("scripted", "", lambda given: made))
    return made


def test_a_day_is_delivered_to_posthog_with_receipts(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path)
    delivered = deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert (delivered.events, delivered.accepted, delivered.open) == (3, 3, 0)
    assert sorted(row["event"] for row in posthog.rows) == ["Conversation Judged", "Question", "Question"]
    assert [datetime.fromisoformat(r["timestamp"]) for r in posthog.rows if r["event"] == "Question"] == [
        START,
        START + timedelta(minutes=1),
    ]
    assert counts(tmp_path) == {"accepted": 3}
    assert {(row["http_status"], row["attempts"], row["sent_id"] == row["event_id"]) for row in ledger(tmp_path)} == {
        (200, 1, True)
    }
    assert due_days(assistant(tmp_path, **to_posthog(posthog))) == []


@pytest.mark.parametrize("vendor", ["posthog", "amplitude", "outbox"])
def test_nothing_is_sent_twice(tmp_path: Path, posthog: PostHogServer, amplitude: AmplitudeServer, vendor: str) -> None:
    store_day(tmp_path)
    environ = {"posthog": to_posthog(posthog), "amplitude": to_amplitude(amplitude), "outbox": {}}[vendor]
    deliver_day(assistant(tmp_path, **environ), DAY)
    asked = len(posthog.asked) + len(amplitude.asked)
    again = deliver_day(assistant(tmp_path, **environ), DAY)
    assert (again.sent, again.already) == (0, 3)
    assert len(posthog.asked) + len(amplitude.asked) == asked
    if vendor == "outbox":
        assert len((tmp_path / "outbox" / f"{DAY}.jsonl").read_text("utf-8").splitlines()) == 3


def test_the_default_privacy_sends_no_text(tmp_path: Path, posthog: PostHogServer, amplitude: AmplitudeServer) -> None:
    store_day(tmp_path)
    both = to_posthog(posthog) | to_amplitude(amplitude) | {"CPA_DESTINATIONS": "posthog,amplitude,outbox"}
    deliver_day(assistant(tmp_path, **both), DAY)
    sent = [row["properties"] for row in posthog.rows] + [row["event_properties"] for row in amplitude.rows]
    assert len(sent) == 6
    for properties in sent:
        assert not {"content", "quote", "explanation"} & properties.keys()
    outbox = (tmp_path / "outbox" / f"{DAY}.jsonl").read_text("utf-8")
    for text in (CONTENT, BECAUSE):
        assert text not in json.dumps([a.body for a in posthog.asked + amplitude.asked]) + outbox


def test_full_privacy_sends_the_keys_of_the_seed_tool(
    tmp_path: Path, posthog: PostHogServer, amplitude: AmplitudeServer
) -> None:
    store_day(tmp_path)
    both = to_posthog(posthog) | to_amplitude(amplitude) | {"CPA_DESTINATIONS": "posthog,amplitude"}
    deliver_day(assistant(tmp_path, CPA_PRIVACY="full", **both), DAY)
    questions = [row["properties"] for row in posthog.rows if row["event"] == "Question"]
    questions += [row["event_properties"] for row in amplitude.rows if row["event_type"] == "Question"]
    assert len(questions) == 4
    for properties in questions:
        assert properties.keys() >= SEED_KEYS
        assert (properties["content"], properties["explanation"]) == (CONTENT, BECAUSE)
        assert (properties["llm_judge_score"], properties["role"]) == (80.0, "user")


def test_an_incomplete_day_is_not_delivered(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path, judge="error")
    with pytest.raises(DayIncomplete, match="judge: error"):
        deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert not posthog.asked and not ledger(tmp_path)
    delivered = deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY, deliver_incomplete=True)
    assert delivered.accepted == 2


def test_a_missing_key_is_found_before_anything_is_sent_anywhere(tmp_path: Path) -> None:
    store_day(tmp_path)
    with pytest.raises(SettingsError, match="POSTHOG_API_KEY"):
        deliver_day(assistant(tmp_path, CPA_DESTINATIONS="outbox,posthog"), DAY)
    assert not (tmp_path / "outbox").exists()


def test_killed_between_sending_and_receipt_the_same_ids_are_sent_and_stored_once(
    tmp_path: Path, posthog: PostHogServer
) -> None:
    store_day(tmp_path)
    stored = threading.Event()

    def store_then_stall(asked: Asked) -> Fault | None:
        if asked.number == 1:
            posthog.answer(asked)
            stored.set()
            time.sleep(2)
        return None

    posthog.script = store_then_stall
    code = (
        "import os, datetime; from cpa_core.pipeline import Assistant, deliver_day; "
        "from cpa_core.settings import settings; "
        "deliver_day(Assistant.of(settings(dict(os.environ))), datetime.date(2026, 3, 4))"
    )
    environ = os.environ | {"CPA_HOME": str(tmp_path)} | far_environ(tmp_path) | to_posthog(posthog)
    with subprocess.Popen([sys.executable, "-c", code], env=environ) as child:
        assert stored.wait(60)
        child.send_signal(signal.SIGKILL)
    assert counts(tmp_path) == {"pending": 3}
    delivered = deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert delivered.accepted == 3
    assert counts(tmp_path) == {"accepted": 3}
    first, second = posthog.asked[0], posthog.asked[-1]
    assert [one["uuid"] for one in first.events] == [one["uuid"] for one in second.events]
    assert len(posthog.rows) == 3
    assert {row["attempts"] for row in ledger(tmp_path)} == {2}


def test_what_is_unknown_or_retryable_is_sent_again_and_what_is_settled_is_not(
    tmp_path: Path, scripted: Scripted
) -> None:
    store_day(tmp_path, messages=5)
    scripted.statuses = {"m0": "unknown", "m1": "retryable", "m2": "rejected", "m3": "none"}
    delivered = deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert (delivered.accepted, delivered.rejected, delivered.open) == (2, 1, 3)
    assert len(due_days(assistant(tmp_path, **SCRIPTED))) == 1
    scripted.statuses, scripted.sent = {}, []
    delivered = deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert [event.message_id for event in scripted.sent] == ["m0", "m1", "m3"]
    assert (delivered.accepted, delivered.open, delivered.already) == (3, 0, 3)
    assert due_days(assistant(tmp_path, **SCRIPTED)) == []


def test_when_a_destination_stops_its_answers_are_kept_and_no_event_is_blamed(
    tmp_path: Path, scripted: Scripted
) -> None:
    store_day(tmp_path, messages=6)
    scripted.stop_at = "m3"
    with pytest.raises(DestinationStopped, match="not with this key"):
        deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    found = {row["sent_timestamp"]: row for row in ledger(tmp_path) if row["event_name"] == "Question"}
    rows = [found.get(START + timedelta(minutes=n)) for n in range(6)]
    assert [row and row["status"] for row in rows] == ["accepted"] * 3 + ["retryable", None, None]
    assert rows[3] and "not with this key" in rows[3]["detail"]
    scripted.stop_at, scripted.sent = "nowhere", []
    assert deliver_day(assistant(tmp_path, **SCRIPTED), DAY).accepted == 4


def test_a_stop_leaves_an_unknown_row_as_it_was(tmp_path: Path, scripted: Scripted) -> None:
    store_day(tmp_path, messages=1)
    scripted.statuses, scripted.detail = {"m0": "unknown"}, "no answer"
    deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    before = ledger(tmp_path)
    scripted.stop_at = "m0"
    with pytest.raises(DestinationStopped):
        deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert ledger(tmp_path) == before


def test_a_real_401_stops_the_run_and_says_so_in_the_vendors_words(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path)
    environ = to_posthog(posthog, POSTHOG_API_KEY="phc_wrong") | {"CPA_DESTINATIONS": "posthog,outbox"}
    with pytest.raises(DestinationStopped, match="posthog: 401: The provided API token is not valid"):
        deliver_day(assistant(tmp_path, **environ), DAY)
    by_place = {(row["destination"], row["status"]) for row in ledger(tmp_path)}
    assert by_place == {("posthog", "retryable"), ("outbox", "accepted")}
    assert "phc_wrong" not in str(ledger(tmp_path))
    assert deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY).accepted == 3


def test_another_project_gets_the_events_of_its_own(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path)
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    posthog.key = "phc_second"
    second = to_posthog(posthog, POSTHOG_API_KEY="phc_second")
    assert deliver_day(assistant(tmp_path, **second), DAY).accepted == 3


def test_a_corrected_event_replaces_the_one_before_at_posthog(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path)
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    store_day(tmp_path, topic="Form")
    delivered = deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert (delivered.sent, delivered.already) == (2, 1)
    topics = [row["properties"]["Topic"] for row in posthog.rows if row["event"] == "Question"]
    assert topics == ["Form", "Form"]
    assert counts(tmp_path) == {"accepted": 5}


def test_a_renamed_event_is_accepted_with_a_warning_that_the_old_name_stays(
    tmp_path: Path, posthog: PostHogServer
) -> None:
    store_day(tmp_path, messages=1)
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    store_day(tmp_path, messages=1, name="Enquiry")
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    (renamed,) = [row for row in ledger(tmp_path) if row["event_name"] == "Enquiry"]
    assert renamed["status"] == "accepted_warning"
    assert "of another name or day, stays there" in renamed["detail"]


def test_a_correction_that_is_taken_back_is_sent_again_where_it_was_replaced(
    tmp_path: Path, posthog: PostHogServer
) -> None:
    for topic in ("Tax", "Form", "Tax"):
        store_day(tmp_path, messages=1, topic=topic)
        deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert [r["properties"]["Topic"] for r in posthog.rows if r["event"] == "Question"] == ["Tax"]
    assert deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY).sent == 0


def test_a_corrected_event_gets_an_id_of_its_own_at_amplitude(tmp_path: Path, amplitude: AmplitudeServer) -> None:
    store_day(tmp_path, messages=1)
    environ = to_amplitude(amplitude)
    deliver_day(assistant(tmp_path, **environ), DAY)
    store_day(tmp_path, messages=1, topic="Form")
    deliver_day(assistant(tmp_path, **environ), DAY)
    topics = [r["event_properties"]["Topic"] for r in amplitude.rows if r["event_type"] == "Question"]
    assert topics == ["Tax", "Form"]
    first, second = [row for row in ledger(tmp_path) if row["event_name"] == "Question"]
    assert first["event_id"] == second["event_id"] == first["sent_id"] != second["sent_id"]
    assert (first["status"], second["status"]) == ("accepted", "accepted_warning")
    assert second["detail"] == "corrected: the version sent before stays there"
    assert deliver_day(assistant(tmp_path, **environ), DAY).sent == 0


def test_the_id_of_a_correction_stays_when_it_has_to_be_sent_again(tmp_path: Path, scripted: Scripted) -> None:
    scripted.replaces = "never"
    ids = []
    for topic, status in (("Tax", "unknown"), ("Form", "unknown"), ("Form", "accepted"), ("Tax", "accepted")):
        store_day(tmp_path, messages=1, topic=topic)
        scripted.statuses = {"m0": status}
        deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
        ids.append([event.event_id for event in scripted.sent if event.message_id][-1])
    tax, form, form_again, tax_again = ids
    assert tax == tax_again and form == form_again and tax != form


def test_a_version_that_was_never_stored_needs_no_new_id(tmp_path: Path, scripted: Scripted) -> None:
    scripted.replaces = "never"
    store_day(tmp_path, messages=1)
    scripted.statuses = {"m0": "retryable"}
    deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    store_day(tmp_path, messages=1, topic="Form")
    scripted.statuses = {}
    deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert len({event.event_id for event in scripted.sent if event.message_id}) == 1


def test_a_detail_is_cut_to_300_characters(tmp_path: Path, scripted: Scripted) -> None:
    store_day(tmp_path)
    scripted.detail = "rule " * 200
    deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert {len(row["detail"]) for row in ledger(tmp_path)} == {300}


def test_progress_advances_once_an_event(tmp_path: Path, scripted: Scripted) -> None:
    store_day(tmp_path, messages=6)
    shown: list[int] = []

    @contextmanager
    def progress(stage: str, total: int) -> Iterator[Any]:
        shown.append(total)
        yield lambda: shown.append(1)

    given = settings({"CPA_HOME": str(tmp_path), **SCRIPTED})
    deliver_day(Assistant.of(given, progress=progress), DAY)
    assert shown == [7] + [1] * 7


def test_a_latency_of_posthog_loses_nothing(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path, messages=2_500)
    posthog.latency = 0.3
    assert deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY).accepted == 2_501
    assert len(posthog.rows) == 2_501
    assert max(len(asked.events) for asked in posthog.asked) == 1_000


def test_a_last_batch_that_fails_once_is_sent_again_and_nothing_is_lost(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path, messages=2_001)
    posthog.script = lambda asked: Says(503, {"error": "service_unavailable"}) if asked.number == 3 else None
    assert deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY).accepted == 2_002
    assert len(posthog.rows) == posthog.stored == 2_002


class Busy(Scripted):
    """A destination that notes how many calls it has at a time."""

    at_once = 4

    def __init__(self) -> None:
        super().__init__()
        self.guard = threading.Lock()
        self.inside = 0
        self.most: list[int] = []

    def send(self, events: Sequence[Event]) -> Iterator[Receipt]:
        """As the script says, after a while."""
        with self.guard:
            self.inside += 1
            self.most.append(self.inside)
        time.sleep(0.1)
        with self.guard:
            self.inside -= 1
        yield from super().send(events)


def test_the_first_batch_goes_alone_and_the_others_several_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Busy()
    monkeypatch.setitem(DESTINATIONS, "scripted", DestinationSpec("scripted", "", lambda given: place))
    store_day(tmp_path, messages=16)
    place.stop_at = "m1"
    with pytest.raises(DestinationStopped):
        deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert place.most == [1], "a wrong key costs one request"
    place.stop_at = "m9"
    with pytest.raises(DestinationStopped):
        deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert 1 < max(place.most) <= 4
    place.stop_at = "nowhere"
    deliver_day(assistant(tmp_path, **SCRIPTED), DAY)
    assert sorted(event.message_id or "" for event in place.sent) == sorted([*(f"m{n}" for n in range(16)), ""])
    assert counts(tmp_path) == {"accepted": 17}


def test_a_day_is_delivered_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of any size is in memory only by groups of conversations; together they are the day."""
    store_day(tmp_path, messages=3)
    with assistant(tmp_path).store.writing() as transaction:
        for table in ("raw_conversations", "messages", "tagged_conversations", "tagged_events", "judge_scores"):
            names = [row["column_name"] for row in transaction.rows(f"describe {table}")]
            other = {"conversation_id": "'c2'", "event_id": "event_id || '-2'"}
            chosen = ", ".join(f"{other.get(name, name)} as {name}" for name in names)
            transaction.execute(f"insert into {table} select {chosen} from {table}")
    monkeypatch.setattr(day_events, "MESSAGES", 1)
    given = assistant(tmp_path)
    with given.store.writing() as transaction:
        transaction.execute("update raw_conversations set message_count = 3")
    groups = list(day_events.events_of_day(given, DAY))
    assert [{event.conversation_id for event in group} for group in groups] == [{"c1"}, {"c2"}]
    assert deliver_day(given, DAY).accepted == 8
