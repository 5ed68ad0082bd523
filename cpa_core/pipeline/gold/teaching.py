"""Lessons of people's labels: the confusions of the teaching part, and schema examples that leak the measuring part."""

from collections.abc import Sequence
from pathlib import Path

from cpa_core import insights
from cpa_core.gold.people import know_gold, schema_in_force
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import GoldUse, append_use, merge_gold
from cpa_core.schema import Finding
from cpa_core.schema.document import located, text_of
from cpa_core.store.database import Row

SHOWN = 3
"""Messages that are shown of a confusion."""


class Mistake(Value):
    """A message on which people and the tagger differ, with the reviewer's quote, else the tagger's, and notes."""

    conversation_id: str
    position: int
    quote: str | None
    note: str


class LabelConfusion(Value):
    """One confusion of the teaching part: a label that was missed, or given wrongly, and the label in its place."""

    label: str
    is_missed: bool
    instead: str
    messages: int
    examples: tuple[Mistake, ...]


def gold_errors(assistant: Assistant) -> list[LabelConfusion]:
    """The confusions of the teaching part, the most frequent first; empty without gold of it. The use is recorded."""
    merge_gold(assistant)
    whole = insights.whole(assistant.store)
    if whole is None:
        return []
    with insights.selected(assistant.store, whole) as of:
        found = schema_in_force(of.view)
        if found is None:
            return []
        know_gold(of.view, found)
        rows = of.view.answer("gold/errors")
    talks = len({row["conversation_id"] for row in rows})
    use = GoldUse(used_at=assistant.now(), purpose="errors", part="teach", conversations=talks, labels=len(rows))
    append_use(assistant, use)
    return confusions_of(rows)


def confusions_of(rows: Sequence[Row]) -> list[LabelConfusion]:
    """The confusions in rows of `gold/errors`, the most frequent first."""
    groups: dict[tuple[str, bool, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["name"], row["present"], row["instead"]), []).append(row)
    return sorted(
        (_confusion(*at, of_kind) for at, of_kind in groups.items()), key=lambda one: (-one.messages, one.label)
    )


def _confusion(label: str, is_missed: bool, instead: str, rows: Sequence[Row]) -> LabelConfusion:
    names = ("conversation_id", "position", "quote", "note")
    shown = sorted(rows, key=lambda row: not row["note"])[:SHOWN]
    examples = tuple(Mistake(**{name: row[name] for name in names}) for row in shown)
    return LabelConfusion(label=label, is_missed=is_missed, instead=instead, messages=len(rows), examples=examples)


def measured_examples(assistant: Assistant, path: Path) -> list[Finding]:
    """Return the examples of a schema's file that quote a labelled message of the measuring part, as errors by line.

    A model that is shown such an example is measured on its own answers. Empty where the home has no gold.
    """
    if not assistant.store.exists():
        return []
    merge_gold(assistant)
    with assistant.store.reading() as view:
        rows = view.answer("gold/measured_texts")
    said = [_folded(row["content"]) for row in rows]
    found, _, lines = located(text_of(path), str(path))
    reason = "these words are of a conversation by which labels are measured; take an example of the teaching part"
    return [
        Finding(level="error", line=lines.get(key, 1), key=key, reason=reason)
        for n, kind in enumerate(found.event_types)
        for key, examples in (
            (f"event_types.{n}.examples", kind.examples),
            (f"event_types.{n}.not", kind.counterexamples),
        )
        for one in examples
        if _folded(one) and any(_folded(one) in text for text in said)
    ]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
