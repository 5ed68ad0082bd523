"""A file's review of one message or conversation, before it is checked against the schema and the conversations."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cpa_core.errors import InputError
from cpa_core.gold.reviews import Labelled
from cpa_core.models import Value


class RawReview(Value):
    """One review as a file has it. A field that the file lacks is null. `place` locates the review: `file: row 7`."""

    place: str
    conversation_id: str
    message_id: str | None = None
    labelled: tuple[Labelled, ...] = ()
    verdicts: Mapping[str, str] = {}
    reviewer: str | None = None
    reviewed_at: datetime | None = None
    seconds: float | None = None
    queue: str | None = None
    draw_id: str | None = None
    chance: float | None = None
    blind: bool = True
    note: str = ""
    schema_version: str | None = None
    said: str = ""


def list_of(text: str, name: str, rule: str) -> list[Any]:
    """Return the list that a file of JSON holds. Raises InputError with the file, and the rule where it is no list."""
    try:
        found = json.loads(text)
    except ValueError as wrong:
        raise InputError(f"{name}: not JSON: {wrong}") from None
    if not isinstance(found, list):
        raise InputError(f"{name}: {rule}")
    return found
