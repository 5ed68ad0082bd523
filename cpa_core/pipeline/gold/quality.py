"""The quality of a home's labels, over all its days or some of them, and the older gold that still counts."""

from collections.abc import Sequence

from cpa_core import insights
from cpa_core.errors import NotFound
from cpa_core.gold.quality import trust
from cpa_core.gold.reviews import definition_of
from cpa_core.gold.trust import Trust
from cpa_core.insights import UNKNOWN, Scope
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import GoldUse, SameMeaning, append_meaning, append_use, merge_gold
from cpa_core.pipeline.schema.current import current_schema
from cpa_core.store import Store
from cpa_core.store.database import Row


def trust_of(assistant: Assistant, scope: Scope | None = None) -> tuple[Trust, ...]:
    """Return the trust in each label on these days (null means all); empty without gold. Raises StoreBusy."""
    merge_gold(assistant)
    asked = scope or (insights.whole(assistant.store) if assistant.store.exists() else None)
    if asked is None:
        return ()
    with insights.selected(assistant.store, asked) as of:
        return trust(of)


def record_use(assistant: Assistant, purpose: str, labels: Sequence[Trust]) -> None:
    """Record a use of the measuring part and its purpose: repeated measuring overfits to it.

    Raises LedgerNotWritten.
    """
    labelled = max((one.labelled for one in labels), default=0)
    if labelled:
        count = sum(one.labelled > 0 for one in labels)
        now = assistant.now()
        append_use(
            assistant, GoldUse(used_at=now, purpose=purpose, part="measure", conversations=labelled, labels=count)
        )


def gold_counts(store: Store) -> list[Row]:
    """The reviews by queue and part: how many, by how many people, of how many conversations, and the last time."""
    with store.reading() as view:
        return view.answer("gold/counts")


def quality_rows(labels: Sequence[Trust]) -> list[Row]:
    """The trust of each label as a row of plain values, for files and tables: no words of messages are in it."""
    return [_quality_row(one) for one in labels]


def _quality_row(one: Trust) -> Row:
    found = one.agreement
    row: Row = {"kind": one.kind, "name": one.name, "role": one.role, "key": one.key, "trust": one.grade}
    row |= {"labelled": one.labelled, "positives": found.positives, "lacking": one.lacking, "disputed": one.disputed}
    row |= {"judge_cannot_tell": one.cannot_tell[0], "people_cannot_tell": one.cannot_tell[1]}
    figures = {name: getattr(found, name) for name in ("kappa", "precision", "recall", "false_positives", "prevalence")}
    row |= {"doubted": one.doubted}
    figures |= {"messages_by_doubt": one.by_doubt}
    figures |= {"positive_agreement": found.positive_agreement, "people_alpha": one.people.alpha}
    rates = (("conversations", one.of_conversations), ("messages", one.of_messages))
    for unit, rate in rates:
        row |= {f"{unit}_tagged": rate.tagged.share if rate else None}
        figures |= {
            f"{unit}_corrected": rate.corrected if rate else UNKNOWN,
            f"{unit}_gold": rate.gold if rate else UNKNOWN,
        }
        row |= {f"{unit}_basis": rate.basis if rate else None, f"{unit}_valid_for": rate.valid_for if rate else None}
    for name, figure in figures.items():
        row |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return row


def same_meaning(assistant: Assistant, label: str, said_by: str) -> int:
    """Record that a type's newest definition means the same as the earlier ones. Return their number.

    Raises NotFound without any.
    """
    schema, _ = current_schema(assistant)
    merge_gold(assistant)
    kind = next((one for one in schema.event_types if label in (one.name, one.key)), None)
    if kind is None:
        raise NotFound(f"{label!r} is no event type of the schema")
    now = definition_of(kind)
    with assistant.store.reading() as view:
        rows = view.answer("gold/definitions_of_label", key=kind.key)
    older = sorted({row["definition"] for row in rows} - {now})
    if not older:
        raise NotFound(f"{label}: no gold of an earlier definition")
    for one in older:
        said = SameMeaning(key=kind.key, older=one, newer=now, said_by=said_by, said_at=assistant.now())
        append_meaning(assistant, said)
    merge_gold(assistant)
    return len(older)
