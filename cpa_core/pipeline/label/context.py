"""What a schema wants shown of a conversation's metadata: the task, the plan, whatever its `context` names."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from cpa_core.models import Conversation, EventSchema
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store.database import Row


def with_context(
    assistant: Assistant, schema: EventSchema, conversations: Sequence[Conversation]
) -> list[Conversation]:
    """The conversations of one day with what the schema names of their metadata, in the schema's order.

    A conversation's own metadata counts, else that of its first message that has the name; the rest is left out.
    """
    if not schema.context or not conversations:
        return list(conversations)
    asked = json.dumps([one.conversation_id for one in conversations])
    with assistant.store.reading() as view:
        rows = view.answer("label/context_of_day", day=conversations[0].day, conversations=asked)
    known = {row["conversation_id"]: tuple(_pairs(row, schema.context)) for row in rows}
    return [one.model_copy(update={"context": known.get(one.conversation_id, ())}) for one in conversations]


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
