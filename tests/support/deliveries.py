"""A day as the stages before delivery leave it, destinations to send it to, and what the ledger then says."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cpa_core.errors import DestinationStopped
from cpa_core.models import Event, Receipt, Replaces, event_id
from cpa_core.pipeline import Assistant
from cpa_core.schema import dump
from cpa_core.settings import settings
from cpa_core.store.database import Row
from tests.servers.amplitude import AmplitudeServer
from tests.servers.posthog import PostHogServer
from tests.support.fakes import QUESTION, SCHEMA

DAY = date(2026, 3, 4)
START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
KNOWN = SCHEMA.model_copy(update={"event_types": (QUESTION, QUESTION.model_copy(update={"name": "Enquiry"}))})
CONTENT = "Can I deduct my home office?"
BECAUSE = "The user asks about a deduction."


SCRIPTED = {"CPA_DESTINATIONS": "scripted"}


def assistant(home: Path, **environ: str) -> Assistant:
    return Assistant.of(settings({"CPA_HOME": str(home), **environ}))


def to_posthog(server: PostHogServer, **environ: str) -> dict[str, str]:
    return {"CPA_DESTINATIONS": "posthog", "POSTHOG_API_KEY": "phc_test", "POSTHOG_HOST": server.url, **environ}


def to_amplitude(server: AmplitudeServer, **environ: str) -> dict[str, str]:
    given = {"CPA_DESTINATIONS": "amplitude", "AMPLITUDE_API_KEY": "amp_test", "AMPLITUDE_URL": server.url}
    return given | environ


def store_day(home: Path, messages: int = 2, topic: str = "Tax", name: str = "Question", judge: str = "ok") -> None:
    """A day with one conversation, tagged and judged, as the stages before leave it; replaces the day."""
    one = {"day": DAY, "conversation_id": "c1"}
    done = {**one, "content_hash": "h", "schema_version": KNOWN.version, "prompt_id": "p", "model": "m"}
    sent = [START + timedelta(minutes=n) for n in range(messages)]
    said = [
        {**one, "message_id": f"m{n}", "position": n, "role": "user", "content": CONTENT, "sent_at": at}
        for n, at in enumerate(sent)
    ]
    tags = [
        {key: row[key] for key in ("day", "conversation_id", "message_id", "position", "role")}
        | {"event_id": event_id("c1", str(row["message_id"]), "Question|user"), "event_type": name}
        | {"properties": json.dumps({"Topic": topic}), "quote": CONTENT, "because": BECAUSE}
        | {"schema_version": KNOWN.version, "model": "m"}
        for row in said
    ]
    score = {**done, "score": 80.0, "because": BECAUSE, "verdicts": "{}", "dealbreakers": "{}", "outcome": judge}
    conversation = {**one, "user_id": "u1", "started_at": sent[0], "ended_at": sent[-1], "content_hash": "h"}
    with assistant(home).store.writing() as transaction:
        transaction.insert_day("days", DAY, [{"day": DAY, "generation": 1, "built_generation": 1, "reason": "landed"}])
        transaction.insert_day("raw_conversations", DAY, [conversation])
        transaction.insert_day("messages", DAY, said)
        transaction.insert_day("tagged_conversations", DAY, [{**done, "outcome": "ok"}])
        transaction.insert_day("tagged_events", DAY, tags)
        transaction.insert_day("judge_scores", DAY, [score])
        transaction.execute("delete from event_schemas")
        transaction.insert("event_schemas", [{"version": KNOWN.version, "yaml": dump(KNOWN), "origin": "schema.yml"}])


def ledger(home: Path) -> list[Row]:
    with assistant(home).store.reading() as view:
        return view.rows("select * from upload_receipts order by sent_timestamp, event_name, receipted_at")


def counts(home: Path) -> dict[str, int]:
    found = [row["status"] for row in ledger(home)]
    return {status: found.count(status) for status in sorted(set(found))}


class Scripted:
    """A destination that gives these receipts by message, and remembers what came."""

    project = "p"
    replaces: Replaces = "always"
    batch = 2
    at_once = 1

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses
        self.sent: list[Event] = []
        self.stop_at = "nowhere"
        self.detail = ""

    def send(self, events: Sequence[Event]) -> Iterator[Receipt]:
        """What the script says; nothing for a message of status `none`."""
        for event in events:
            if event.message_id == self.stop_at:
                raise DestinationStopped("scripted: 401: not with this key")
            self.sent.append(event)
            status = self.statuses.get(event.message_id or "judged", "accepted")
            if status != "none":
                fields = {"event_id": event.event_id, "payload_hash": event.payload_hash, "status": status}
                yield Receipt.model_validate(fields | {"detail": self.detail})
