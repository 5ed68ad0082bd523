"""Handles: what conversations and users are called where nothing can be removed, such as in Dagster's event log.

A handle is a hash of the home's own id and the conversation's. `cpa show HANDLE` and the workbench find a conversation
by it, as long as the home holds it: after `cpa forget` a handle names nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.run import home_id
from cpa_core.store.database import Row

MARK = "h-"
"""The prefix of a handle."""
DIGITS = 12
LEAST = 4
"""Shorter ids are not looked for in a text: a number is in many."""


def handle_of(home: str, name: str) -> str:
    """The handle of a conversation or user in a home."""
    return MARK + hashlib.sha256(f"{home}/{name}".encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def handles(assistant: Assistant, names: Iterable[str]) -> list[str]:
    """The handles of these, in their order."""
    home = home_id(assistant) or ""
    return [handle_of(home, name) for name in names]


def with_handles(assistant: Assistant, rows: Sequence[Row]) -> list[Row]:
    """The rows, with handles for the values of `conversation_id`."""
    home = home_id(assistant) or ""
    return [
        {key: handle_of(home, str(value)) if key == "conversation_id" else value for key, value in row.items()}
        for row in rows
    ]


def without_names(assistant: Assistant, text: str) -> str:
    """The text with handles for every id of a conversation or user, of at least `LEAST` characters, that is in it."""
    if not text or not assistant.store.exists():
        return text
    with assistant.store.reading() as view:
        rows = view.answer("status/names_in_text", text=text, least=LEAST)
    home = home_id(assistant) or ""
    for name in sorted((row["name"] for row in rows), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", handle_of(home, name), text)
    return text
