"""Proposals for the event schema: from which conversations, by which questions, and where they are written."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cpa_core import schema as schemas
from cpa_core.errors import CpaError, SourceError, Stopped
from cpa_core.llm import Ask, Reply, Request
from cpa_core.models import TAGGED_ROLES, Conversation, EventSchema, Message, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.budget import tariff
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.pipeline.label.one_off import inquiry
from cpa_core.pipeline.label.redact import as_sent
from cpa_core.pipeline.landing.roles import roles_warning, untagged_roles
from cpa_core.pipeline.schema.current import current_schema, record_version, schema_path
from cpa_core.proposing import (
    SAMPLE_CONVERSATIONS,
    Counted,
    Made,
    Sample,
    completed,
    counted,
    drafting_questions,
    full_schema,
    propose,
    sample,
    written,
)
from cpa_core.sources import Record, as_records, opened, read_together
from cpa_core.store import Store
from cpa_core.tagging import Tagged, first_requests, tag_conversation

ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for times that a sample does not need."""


@dataclass(frozen=True)
class Proposal:
    """A proposed schema, its sample, the counts of its types there, and the model.

    `base` is the text of the file that it only adds to, empty where there is none. `joined` says which types of the
    model's answer were joined with others or left out.
    """

    schema: EventSchema
    sample: Sample
    counted: Counted
    model: str
    base: str = ""
    joined: tuple[str, ...] = ()

    @property
    def head(self) -> list[str]:
        """Return the lines of the proposal's head."""
        shown = self.sample.conversations
        days = len({one.day for one in shown})
        span = f"{days} days" if days > 1 else "1 day"
        lines = [
            f"Proposed by {self.model} from {len(shown)} of {self.sample.of} conversations of {span}.",
            "Edit it: names, definitions, choices and goals decide which events are found.",
            self.counted.said,
        ]
        lines += (
            [f"Left out, for a message asked for it: {', '.join(self.counted.planted)}"] if self.counted.planted else []
        )
        lines += [f"Joined: {one}" for one in self.joined]
        return [*lines, f"The sample (seed {self.sample.seed}), by id:"]

    @property
    def text(self) -> str:
        """The file."""
        ids = [one.conversation_id for one in self.sample.conversations]
        if self.base:
            return completed(self.base, self.schema, self.head, self.counted, ids)
        return written(self.schema, self.head, self.counted, ids)


def ensure_schema(assistant: Assistant) -> tuple[EventSchema, list[str]]:
    """The current schema and its warnings. Where no file is named and none is in the home yet, one is proposed.

    That proposal waits for a person: its events go to the outbox only until it is accepted. It is recorded as a
    proposal before its file is written, so that a kill in between accepts nothing. Raises SchemaError for a named file
    that is absent, CpaError when no answer is valid.
    """
    path = schema_path(assistant)
    if assistant.settings.schema_path or path.exists():
        return current_schema(assistant)
    with assistant.store.proposal_lock():
        if not path.exists():
            proposal = propose_schema(assistant, stored_conversations(assistant.store))
            version = schemas.parse(proposal.text, str(path))[0].version
            record_version(assistant, version, proposal.text, f"proposed by {proposal.model}", proposed=True)
            write_proposal(proposal, path)
    return current_schema(assistant)


def propose_schema(
    assistant: Assistant,
    conversations: Sequence[Conversation],
    seed: int = 0,
    size: int = SAMPLE_CONVERSATIONS,
    base: EventSchema | None = None,
    about: str = "",
) -> Proposal:
    """Propose a schema from a seeded sample, and tag the sample to count each type.

    With a `base`, only additions to it. `about` describes the team's product and its use of the counts. Raises
    SourceError without conversations or without a message whose role is tagged, CpaError when no answer is valid.
    """
    chosen = sample(conversations, seed, size)
    shown = chosen.model_copy(update={"batches": tuple(tuple(as_sent(assistant, one)) for one in chosen.batches)})
    _ensure_taggable(assistant, shown)
    model = assistant.model("propose")
    found, reply, joined = _asked(assistant, shown, base, about)
    if found is None:
        raise CpaError(f"{model}: no valid schema was proposed: {reply.outcome}: {reply.detail}")
    counts = counted(found, *_tagged(assistant, shown, found))
    return Proposal(schema=counts.schema, sample=shown, counted=counts, model=str(model), joined=joined)


def _ensure_taggable(assistant: Assistant, shown: Sample) -> None:
    """Refuse a sample without a message of a user or of the assistant: no event could be proposed from it."""
    place = assistant.settings.source or assistant.settings.home
    if not shown.conversations:
        raise SourceError(f"{place}: no conversations to propose from")
    if not any(one.role in TAGGED_ROLES for each in shown.conversations for one in each.messages):
        why = roles_warning(untagged_roles(assistant, shown.conversations)) or "no role in it is tagged"
        raise SourceError(f"{place}: no message of a user or of the assistant to propose from: {why}")


class ProposalQuote(Value):
    """The quote of a proposal: `proposing` questions, then `counting` ones, which tag the sample by the proposal.

    `cost` is in US dollars at list price, null where a price is unknown.
    """

    proposing: int
    counting: int
    conversations: int
    cost: float | None


def quote_proposal(
    assistant: Assistant, conversations: Sequence[Conversation], seed: int, size: int, base: EventSchema | None = None
) -> ProposalQuote:
    """Return the questions of `propose_schema` and their approximate cost.

    The catalogue is not known yet, so a full one is assumed.

    Raises SettingsError without a model, SourceError where `propose_schema` does.
    """
    shown = sample(conversations, seed, size)
    _ensure_taggable(assistant, shown)
    asking, counting = assistant.model("propose"), assistant.model("tag")
    catalogue = base or full_schema()
    drafts = drafting_questions(shown, catalogue, asking)
    counts = [one for c in shown.conversations for one in first_requests(c, catalogue, counting)]
    costs = [
        tariff(assistant, task, model).at_once().cost(questions)
        for task, model, questions in (("propose", asking, drafts), ("tag", counting, counts))
    ]
    known = [cost for cost in costs if cost is not None]
    return ProposalQuote(
        proposing=len(drafts),
        counting=len(counts),
        conversations=len(shown.conversations),
        cost=sum(known) if len(known) == len(costs) else None,
    )


def _asked(assistant: Assistant, shown: Sample, base: EventSchema | None, about: str) -> Made:
    model = assistant.model("propose")
    calls = len(shown.batches) + 1
    with inquiry(assistant, "propose") as made, assistant.progress("propose", calls) as advance:

        def proposed(ask: Ask) -> Made:
            def told(request: Request, check: Callable[[str], None]) -> Reply:
                reply = ask(request, check)
                advance()
                return reply

            return propose(shown, base, model, told, about)

        return made.settled(proposed, lambda ended: ended.schema is not None)


def _tagged(
    assistant: Assistant, shown: Sample, schema: EventSchema
) -> tuple[list[tuple[Conversation, Tagged]], Counter[str]]:
    """Return the sample tagged by the schema, and the number of untagged conversations by reason.

    If the proposal is accepted unchanged, these answers are reused. A stop of the counting keeps the proposal.
    """
    model = assistant.model("tag")
    conversations = shown.conversations
    found: list[tuple[Conversation, Tagged]] = []
    failed: Counter[str] = Counter()
    with inquiry(assistant, "tag") as made, assistant.progress("count", len(conversations)) as advance:

        def tag(one: Conversation) -> Tagged:
            work = partial(tag_conversation, one, schema, model)
            return made.settled(work, lambda ended: ended.outcome == "ok", one.conversation_id)

        threads = assistant.settings.concurrency
        with closing(in_order_of_end(tag, conversations, threads, cut_short=made.cut_short)) as ends:
            for one, end in ends:
                if isinstance(end, Stopped):
                    failed[f"stopped: {end}"] += len(conversations) - len(found) - failed.total()
                    break
                found += [(one, end)] if end.outcome == "ok" else []
                failed.update([] if end.outcome == "ok" else [_reason(end)])
                advance()
    return found, failed


def _reason(end: Tagged) -> str:
    """Why a conversation was not counted, in the words of many: without the places in its answer."""
    return f"{end.outcome}: {end.detail}" if end.outcome == "error" else end.outcome


def write_proposal(proposal: Proposal, path: Path) -> Path:
    """Write a proposal where no file is; beside it, as `.proposed.yml`, where one is. The path written."""
    return write_proposed(proposal.text, path)


def write_proposed(text: str, path: Path) -> Path:
    """Write the text of a proposed schema, as `write_proposal` does. The path written."""
    target = path if not path.exists() else path.with_suffix(".proposed.yml")
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, text)
    return target


def accept_proposal(proposed: Path, path: Path) -> Path | None:
    """Accept a proposal unchanged, comments included.

    The earlier schema is kept beside it under its version; return that path.

    Raises SchemaError where the proposal is no schema.
    """
    schemas.load(proposed)
    before = path.with_suffix(f".{schemas.load(path)[0].version}.yml") if path.exists() else None
    if before:
        _write(before, path.read_text("utf-8"))
    _write(path, proposed.read_text("utf-8"))
    return before


def _write(target: Path, text: str) -> None:
    fresh = target.with_suffix(".tmp")
    fresh.write_text(text, "utf-8")
    fresh.replace(target)


def source_conversations(assistant: Assistant) -> list[Conversation]:
    """The conversations of the source as it is, without landing them."""
    files = [opened(assistant.file(o.uri, o.read()), ANY_TIME, o.day) for o in assistant.listing().objects]
    records = [record for batch in read_together(files) for record in as_records(batch)]
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.conversation_id, []).append(record)
    return [_of_records(key, sorted(group, key=lambda r: (r.sent_at, r.ordinal))) for key, group in groups.items()]


def stored_conversations(store: Store) -> list[Conversation]:
    """Every conversation that has landed."""
    return _stored(store, "landing/landed_transcripts")


def uncovered_conversations(store: Store) -> list[Conversation]:
    """Return tagged conversations with only their messages without an event; conversations without any are left out."""
    return _stored(store, "landing/uncovered_transcripts")


def _stored(store: Store, question: str) -> list[Conversation]:
    with store.reading() as view:
        rows = view.answer(question)
    groups: dict[str, list[Message]] = {}
    users: dict[str, str | None] = {}
    for row in rows:
        of_one = groups.setdefault(row["conversation_id"], [])
        users.setdefault(row["conversation_id"], row["user_id"])
        fields = {name: row[name] for name in ("message_id", "role", "content", "sent_at")}
        of_one.append(Message(position=len(of_one), **fields))
    return [_conversation(key, users[key], messages) for key, messages in groups.items()]


def _of_records(conversation_id: str, records: Sequence[Record]) -> Conversation:
    messages = [
        Message(message_id=r.message_id, position=n, role=r.role, content=r.content, sent_at=r.sent_at)
        for n, r in enumerate(records)
    ]
    return _conversation(conversation_id, records[0].user_id, messages)


def _conversation(conversation_id: str, user_id: str | None, messages: Sequence[Message]) -> Conversation:
    return Conversation(
        conversation_id=conversation_id,
        user_id=user_id,
        day=messages[0].sent_at.date(),
        content_hash="",
        messages=tuple(messages),
    )
