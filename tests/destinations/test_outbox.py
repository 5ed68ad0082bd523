"""The outbox: a line an event, added when it is new, replaced when it is corrected, whole after a kill."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

from cpa_core.destinations.outbox import Outbox
from cpa_core.models import Event, event_id

DAY = date(2026, 3, 4)


def event(key: str, topic: str = "Tax") -> Event:
    return Event(
        event_id=event_id("c1", key, "Question|user"),
        name="Question",
        distinct_id="u1",
        conversation_id="c1",
        message_id=key,
        day=DAY,
        sent_at=datetime(2026, 3, 4, 9, tzinfo=UTC),
        payload={"message_id": key, "Topic": topic},
    )


def held(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / f"{DAY}.jsonl").read_text("utf-8").splitlines()
    return [(one["message_id"], one["Topic"]) for one in (json.loads(line)["properties"] for line in lines)]


def test_new_events_are_added_and_corrected_ones_replace_their_line(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.send([event("m1"), event("m2")])
    outbox.send([event("m3")])
    receipts = outbox.send([event("m2", topic="Form"), event("m4")])
    assert [receipt.status for receipt in receipts] == ["accepted"] * 2
    assert held(outbox.folder) == [("m1", "Tax"), ("m2", "Form"), ("m3", "Tax"), ("m4", "Tax")]
    Outbox(outbox.folder).send([event("m1")])
    assert len(held(outbox.folder)) == 4


def test_a_line_that_a_kill_cut_short_is_gone_when_its_event_comes_again(tmp_path: Path) -> None:
    Outbox(tmp_path).send([event("m1"), event("m2")])
    path = tmp_path / f"{DAY}.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    Outbox(tmp_path).send([event("m2"), event("m3")])
    assert [key for key, _ in held(tmp_path)] == ["m1", "m2", "m3"]
