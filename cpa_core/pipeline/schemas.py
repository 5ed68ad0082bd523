"""The event schema in force: the file that people edit, recorded by version, and proposals for it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cpa_core import schema as schemas
from cpa_core.errors import CpaError, SettingsError, SourceError
from cpa_core.llm import About, Engine
from cpa_core.models import Conversation, EventSchema, Message
from cpa_core.pipeline.context import Assistant
from cpa_core.pipeline.redacting import as_sent
from cpa_core.pipeline.spending import limiter, reserve, tariff
from cpa_core.proposing import propose, question, sample
from cpa_core.sources import Record, as_records, read
from cpa_core.store import AnswerBook

ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for times that a sample does not need."""


@dataclass(frozen=True)
class Proposal:
    """A proposed schema, from how many of how many conversations, by which model."""

    schema: EventSchema
    sampled: int
    conversations: int
    model: str


def schema_path(assistant: Assistant) -> Path:
    """The file of the schema: the one named, else `schema.yml` in the home."""
    return assistant.settings.schema_path or assistant.settings.home / "schema.yml"


def read_schema(assistant: Assistant) -> tuple[EventSchema, list[str]]:
    """The schema in the file and its warnings. Raises SchemaError, SettingsError when none is named."""
    path = schema_path(assistant)
    if assistant.settings.schema_path is None and not path.exists():
        raise SettingsError(
            "no event schema is named: --schema FILE or CPA_SCHEMA; "
            "to have one proposed: cpa schema propose SOURCE --out schema.yml"
        )
    return schemas.load(path)


def current_schema(assistant: Assistant) -> tuple[EventSchema, list[str]]:
    """The schema in the file and its warnings; a new version is recorded. Raises SchemaError, SettingsError."""
    path = schema_path(assistant)
    found, warnings = read_schema(assistant)
    with assistant.store.reading() as view:
        known = view.rows("select version from event_schemas where version = $version", version=found.version)
    if not known:
        row = {
            "version": found.version,
            "yaml": path.read_text("utf-8"),
            "created_at": assistant.now(),
            "origin": str(path),
        }
        with assistant.store.writing() as transaction:
            transaction.insert("event_schemas", [row])
    return found, warnings


def ensure_schema(assistant: Assistant) -> tuple[EventSchema, list[str]]:
    """The current schema; where there is no file yet, the first proposal becomes it, with a warning to edit it."""
    path = schema_path(assistant)
    if path.exists():
        return current_schema(assistant)
    proposal = propose_schema(assistant, stored_conversations(assistant))
    write_proposal(proposal, path)
    found, warnings = current_schema(assistant)
    return found, [f"{path}: proposed by {proposal.model} and in use as it is: a person should edit it", *warnings]


def propose_schema(assistant: Assistant, conversations: Sequence[Conversation], seed: int = 0) -> Proposal:
    """Propose from a seeded sample. Raises SourceError without conversations, CpaError when no answer is valid."""
    chosen = as_sent(assistant, sample(conversations, seed))
    if not chosen:
        raise SourceError(f"{assistant.settings.source or assistant.settings.home}: no conversations to propose from")
    model = assistant.model("propose")
    with (
        closing(AnswerBook(assistant.store, f"{assistant.run_id}-propose")) as book,
        assistant.progress("propose", 1) as advance,
    ):
        book.preload([question(chosen, model).hash], [])
        own = tariff(assistant, "propose", model)
        limits = limiter(assistant, model)
        engine = Engine(assistant.provider_of(model), book, limits, own.price, reserve(assistant, own.at_once()))
        about = About(day="", conversation_id="")
        found, reply = propose(chosen, model, lambda request, check: engine.ask(request, check, about))
        advance()
    if found is None:
        raise CpaError(f"{model}: no valid schema was proposed: {reply.outcome}: {reply.detail}")
    return Proposal(schema=found, sampled=len(chosen), conversations=len(conversations), model=str(model))


def write_proposal(proposal: Proposal, path: Path) -> Path:
    """Write a proposal where no file is; beside it, as `.proposed.yml`, where one is. The path written."""
    head = (
        f"# Proposed by {proposal.model} from {proposal.sampled} of {proposal.conversations} conversations.\n"
        "# Edit it: names, definitions, choices and goals decide what is seen.\n"
    )
    target = path if not path.exists() else path.with_suffix(".proposed.yml")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".tmp")
    fresh.write_text(head + schemas.dump(proposal.schema), "utf-8")
    fresh.replace(target)
    return target


def source_conversations(assistant: Assistant) -> list[Conversation]:
    """The conversations of the source as it is, without landing them."""
    records: list[Record] = []
    for found in assistant.listing().objects:
        records += as_records(read(assistant.file(found.uri, found.read()), ANY_TIME))
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.conversation_id, []).append(record)
    return [_of_records(key, sorted(group, key=lambda r: (r.sent_at, r.ordinal))) for key, group in groups.items()]


def stored_conversations(assistant: Assistant) -> list[Conversation]:
    """Every conversation that has landed."""
    with assistant.store.reading() as view:
        rows = view.answer("landed_transcripts")
    groups: dict[str, list[Message]] = {}
    for row in rows:
        of_one = groups.setdefault(row["conversation_id"], [])
        fields = {name: row[name] for name in ("message_id", "role", "content", "sent_at")}
        of_one.append(Message(position=len(of_one), **fields))
    return [_conversation(key, messages) for key, messages in groups.items()]


def _of_records(conversation_id: str, records: Sequence[Record]) -> Conversation:
    messages = [
        Message(message_id=r.message_id, position=n, role=r.role, content=r.content, sent_at=r.sent_at)
        for n, r in enumerate(records)
    ]
    return _conversation(conversation_id, messages)


def _conversation(conversation_id: str, messages: Sequence[Message]) -> Conversation:
    return Conversation(
        conversation_id=conversation_id,
        user_id=None,
        day=messages[0].sent_at.date(),
        content_hash="",
        messages=tuple(messages),
    )
