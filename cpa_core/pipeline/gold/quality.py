"""How good the labels of a home are, over all its days or some of them; and which older gold still counts."""

from cpa_core import insights
from cpa_core.errors import NotFound
from cpa_core.gold.reviews import definition_of
from cpa_core.gold.trust import Trust, trust
from cpa_core.insights import Scope
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import SameMeaning, append_meaning, merge_gold
from cpa_core.pipeline.schema.current import current_schema


def trust_of(assistant: Assistant, scope: Scope | None = None) -> tuple[Trust, ...]:
    """How far each label can be trusted on these days, all where null; empty without gold. Raises StoreBusy."""
    merge_gold(assistant)
    asked = scope or (insights.whole(assistant.store) if assistant.store.exists() else None)
    if asked is None:
        return ()
    with insights.selected(assistant.store, asked) as of:
        return trust(of)


def same_meaning(assistant: Assistant, label: str, said_by: str) -> int:
    """Keep that a type's newest definition means what the earlier ones did: how many. Raises NotFound without any."""
    schema, _ = current_schema(assistant)
    merge_gold(assistant)
    kind = next((one for one in schema.event_types if label in (one.name, one.key)), None)
    if kind is None:
        raise NotFound(f"{label!r} is no event type of the schema")
    now = definition_of(kind)
    with assistant.store.reading() as view:
        rows = view.rows("select distinct definition from gold_labels where key = $key", key=kind.key)
    older = sorted({row["definition"] for row in rows} - {now})
    if not older:
        raise NotFound(f"{label}: no gold of an earlier definition")
    for one in older:
        said = SameMeaning(key=kind.key, older=one, newer=now, said_by=said_by, said_at=assistant.now())
        append_meaning(assistant, said)
    merge_gold(assistant)
    return len(older)
