"""Probes: the same conversations asked again show the effect of a new model, prompt or schema, and of chance."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from cpa_core.errors import NotFound, Stopped
from cpa_core.gold.people import unit_of
from cpa_core.gold.probing import (
    Anchor,
    InstrumentShift,
    LabelFlips,
    Order,
    ProbedLabels,
    drawn_again,
    drawn_anchors,
    followed,
    instrument_shifts,
    label_flips,
    latest_before,
    told,
    turned,
)
from cpa_core.insights import Rate
from cpa_core.judging import Judged
from cpa_core.models import Conversation, EventSchema, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.pipeline.gold.ledger import gold_folder
from cpa_core.pipeline.label.one_off import inquiry
from cpa_core.pipeline.label.questions import conversations_asked
from cpa_core.pipeline.label.quote import QuoteLine, quote_line
from cpa_core.pipeline.label.redact import asked_by
from cpa_core.pipeline.label.tasks import JUDGE, TAG, Result, Work
from cpa_core.pipeline.schema.current import current_schema
from cpa_core.settings import Settings
from cpa_core.store.ledgers import append_lines, lines_after


@dataclass(frozen=True)
class Probe:
    """The plan of a probe: the anchors, and those asked in another order, by the schema in force.

    `drawn` are new anchors, which are stored once this probe asks them.
    """

    schema: EventSchema
    anchors: tuple[Conversation, ...]
    again: tuple[Conversation, ...]
    drawn: tuple[Anchor, ...]

    def orders(self, work: Work) -> tuple[tuple[Order, EventSchema, tuple[Conversation, ...]], ...]:
        """Return the orders of a task's question, each with its schema and its conversations."""
        known = {one.conversation_id for one in self.anchors}
        own = (*self.anchors, *(one for one in self.again if one.conversation_id not in known))
        both: tuple[tuple[Order, EventSchema, tuple[Conversation, ...]], ...] = (
            ("own", self.schema, own),
            ("turned", turned(self.schema), self.again),
        )
        return both if work is not JUDGE else (*both, ("told", self.schema, tuple(map(told, self.again))))


class ProbeQuote(Value):
    """The quote of a probe. `cost` is in US dollars at list price, null if unknown."""

    anchors: int
    again: int
    lines: tuple[QuoteLine, ...]

    @property
    def cost(self) -> float | None:
        """US dollars of all lines, null when any is unknown."""
        known = [line.cost for line in self.lines if line.cost is not None]
        return sum(known) if len(known) == len(self.lines) else None


@dataclass(frozen=True)
class ProbeResult:
    """The result of a probe.

    `shifts` is empty until another tagger has been probed before; `since` is that tagger's model.

    `unanswered` counts questions without a usable answer. `followed` is the share of verdicts against the assistant
    that a message in the conversation turned.
    """

    shifts: tuple[InstrumentShift, ...]
    flips: tuple[LabelFlips, ...]
    since: str | None
    unanswered: int
    followed: Rate


def planned_probe(assistant: Assistant, size: int, again: float) -> Probe:
    """Return the conversations to ask; nothing is stored yet. The anchors are those of the home's first probe.

    Raises NotFound, SchemaError.
    """
    schema, _ = current_schema(assistant)
    with assistant.store.reading() as view:
        frame = [(row["day"], row["conversation_id"]) for row in view.answer("gold/probe_frame")]
    if not frame:
        raise NotFound(f"{assistant.settings.home}: no conversation is tagged and judged yet: cpa run")
    kept = tuple(_kept(assistant, "anchors", Anchor))
    drawn = () if kept else tuple(drawn_anchors(frame, size, assistant.now()))
    return Probe(
        schema=schema,
        anchors=tuple(_conversations(assistant, schema, [(one.day, one.conversation_id) for one in kept or drawn])),
        again=tuple(_conversations(assistant, schema, drawn_again(frame, again))) if again else (),
        drawn=drawn,
    )


def quote_probe(assistant: Assistant, probe: Probe) -> ProbeQuote:
    """Return the questions and the cost of a probe, before anything is asked. Raises SettingsError."""
    lines = []
    for work in (TAG, JUDGE):
        model = assistant.model(work.task)
        asked = [
            request
            for _, schema, conversations in probe.orders(work)
            for one in conversations
            for request in work.first(one, schema, model, None)
        ]
        lines.append(quote_line(assistant, work.task, model.provider, model.model, asked)[0])
    return ProbeQuote(anchors=len(probe.anchors), again=len(probe.again), lines=tuple(lines))


def run_probe(assistant: Assistant, probe: Probe) -> ProbeResult:
    """Ask within the budget, store the labels, and compare them. Raises Stopped; answers so far are kept.

    The labels go to a file of the home alone: no table, no event and no figure of a day changes.
    """
    _keep(assistant, "anchors", probe.drawn)
    earlier = kept_probes(assistant)
    probed: list[ProbedLabels] = []
    try:
        for work in (TAG, JUDGE):
            _ask(assistant, probe, work, probed)
    finally:
        _keep(assistant, "probes", probed)
    own = [one for one in probed if one.order == "own"]
    before = latest_before(earlier, own)
    asked = sum(len(conversations) for work in (TAG, JUDGE) for _, _, conversations in probe.orders(work))
    return ProbeResult(
        shifts=tuple(instrument_shifts(before, own)),
        flips=tuple(label_flips(own, [one for one in probed if one.order == "turned"])),
        since=max(before, key=lambda one: one.probed_at).model if before else None,
        unanswered=asked - len(probed),
        followed=followed(own, [one for one in probed if one.order == "told"]),
    )


def kept_probes(assistant: Assistant) -> tuple[ProbedLabels, ...]:
    """The labels of all probes of the home so far."""
    return tuple(_kept(assistant, "probes", ProbedLabels))


def _ask(assistant: Assistant, probe: Probe, work: Work, probed: list[ProbedLabels]) -> None:
    """Ask one task's questions and add its labels."""
    model = assistant.model(work.task)
    asked = [(order, schema, one) for order, schema, of in probe.orders(work) for one in of]
    with inquiry(assistant, work.task) as made, assistant.progress(f"probe {work.task}", len(asked)) as advance:

        def answered(one: tuple[Order, EventSchema, Conversation]) -> Result:
            _, schema, conversation = one
            return made.settled(
                lambda ask: work.ask(conversation, schema, model, ask, None),
                lambda ended: ended.outcome == "ok",
                conversation.conversation_id,
            )

        ends = in_order_of_end(answered, asked, assistant.settings.concurrency, cut_short=made.cut_short)
        with closing(ends):
            for (order, schema, conversation), end in ends:
                if isinstance(end, Stopped):
                    raise end
                if end.outcome == "ok":
                    probed.append(_labels(assistant, work, probe.schema, (order, schema, conversation), end))
                advance()


def _labels(
    assistant: Assistant,
    work: Work,
    in_force: EventSchema,
    asked: tuple[Order, EventSchema, Conversation],
    result: Result,
) -> ProbedLabels:
    order, schema, conversation = asked
    items, said = _verdicts(schema, result) if isinstance(result, Judged) else _tags(schema, conversation, result)
    return ProbedLabels(
        probed_at=assistant.now(),
        task="judge" if work is JUDGE else "tag",
        schema_version=in_force.version,
        prompt_id=asked_by(assistant.settings, work.task, in_force),
        model=str(assistant.model(work.task)),
        order=order,
        unit=unit_of({"user_id": conversation.user_id, "conversation_id": conversation.conversation_id}),
        conversation_id=conversation.conversation_id,
        content_hash=conversation.content_hash,
        items=items,
        said=said,
    )


Kept = TypeVar("Kept", bound=Value)
Said = tuple[dict[str, int], dict[str, tuple[str, ...]]]


def _tags(schema: EventSchema, conversation: Conversation, result: Result) -> Said:
    ids = {message.position: message.message_id for message in conversation.messages}
    items = {
        kind.key: sum(message.role == kind.role for message in conversation.messages) for kind in schema.event_types
    }
    said: dict[str, set[str]] = {}
    for tag in getattr(result, "tags", ()):
        if kind := schema.find(tag.event_type, tag.role):
            said.setdefault(kind.key, set()).add(ids[tag.position])
    return items, {key: tuple(sorted(found)) for key, found in said.items()}


def _verdicts(schema: EventSchema, result: Judged) -> Said:
    goals, breakers = schema.criteria.goals(), schema.criteria.dealbreakers_by_id()
    if result.judgment is None:
        return {}, {}
    said = {goals[key]: (found.verdict,) for key, found in result.judgment.verdicts.items() if key in goals}
    hits = {
        breakers[key]: ("hit" if found.hit else "not hit",)
        for key, found in result.judgment.dealbreakers.items()
        if key in breakers
    }
    return dict.fromkeys([*said, *hits], 1), {**said, **hits}


def _conversations(
    assistant: Assistant, schema: EventSchema, wanted: Sequence[tuple[date, str]]
) -> Iterator[Conversation]:
    for day, of_day in groupby(sorted(wanted), key=lambda one: one[0]):
        for chunk in conversations_asked(assistant, day, schema, [one for _, one in of_day]):
            yield from chunk


def _path(settings: Settings, name: str) -> Path:
    return gold_folder(settings) / f"{name}.jsonl"


def _keep(assistant: Assistant, name: str, values: Sequence[Value]) -> None:
    if values:
        append_lines(_path(assistant.settings, name), [one.model_dump_json() for one in values])


def _kept(assistant: Assistant, name: str, kind: type[Kept]) -> Iterator[Kept]:
    path = _path(assistant.settings, name)
    return (kind.model_validate_json(line) for line, _ in lines_after(path, 0)) if path.exists() else iter(())
