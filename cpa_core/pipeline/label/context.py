"""The context of conversations: the metadata that a schema names for the prompts, such as the task or the plan."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from cpa_core import schema as schemas
from cpa_core.models import Conversation, EventSchema, digest
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction

Pairs = tuple[tuple[str, str], ...]
"""Names and values."""


def with_context(store: Store, schema: EventSchema, conversations: Sequence[Conversation]) -> list[Conversation]:
    """Return the conversations of one day with the metadata that the schema names, in its order.

    A conversation's own metadata counts, else that of its first message that has the name; the rest is left out.
    """
    if not schema.context or not conversations:
        return list(conversations)
    with store.reading() as view:
        known = contexts(view, conversations[0].day, [one.conversation_id for one in conversations], schema.context)
    return [_shown(one, known.get(one.conversation_id, ())) for one in conversations]


def _shown(conversation: Conversation, pairs: Pairs) -> Conversation:
    return conversation.model_copy(update={"context": pairs, "context_hash": digest(pairs)})


def contexts(view: Transaction, day: date, ids: Sequence[str], names: Sequence[str]) -> dict[str, Pairs]:
    """Return the values of these names in the conversations' metadata, by conversation."""
    rows = view.answer("label/context_of_day", day=day, conversations=json.dumps(list(ids)))
    return {row["conversation_id"]: tuple(_pairs(row, names)) for row in rows}


def outdate(transaction: Transaction, day: date) -> bool:
    """Make the labels of a built day old that were made from another context than there is now: whether there are any.

    They are then as those of a conversation whose words changed. Only names that the schema of the label shows count.
    """
    by_version: defaultdict[str, list[Row]] = defaultdict(list)
    for row in transaction.answer("build/contexts_of_labels", day=day):
        by_version[row["schema_version"]].append(row)
    changed: set[tuple[str, str]] = set()
    for rows in by_version.values():
        names = schemas.parse(rows[0]["yaml"], rows[0]["origin"])[0].context
        known = contexts(transaction, day, [row["conversation_id"] for row in rows], names)
        now = {key: digest(pairs) for key, pairs in known.items()}
        changed |= {
            (row["made"], row["conversation_id"]) for row in rows if now[row["conversation_id"]] != row["context_hash"]
        }
    for table in ("tagged_conversations", "judge_scores"):
        ids = [key for made, key in sorted(changed) if made == table]
        if ids:
            transaction.answer(f"label/unread_{table}", day=day, ids=ids)
    return bool(changed)


def _pairs(row: Row, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    trees = [json.loads(text) for text in (row["own"], *(row["of_messages"] or ())) if text]
    for name in names:
        found = next(
            (tree[name] for tree in trees if isinstance(tree, dict) and tree.get(name) not in (None, "")), None
        )
        if found is not None:
            yield name, _written(found)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
