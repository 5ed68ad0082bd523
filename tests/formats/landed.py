"""What lands of a file: who said what, in which conversation; and what was rejected."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cpa_core.sources import Record, Reject, parse

SPEECH = ("user", "assistant")


class Landed(NamedTuple):
    """The records and rejects of one file."""

    records: list[Record]
    rejects: list[Reject]

    @property
    def speech(self) -> dict[str, list[tuple[str, str]]]:
        """Role and text of what users and assistants said, by conversation, in order."""
        found: dict[str, list[tuple[str, str]]] = {}
        for one in sorted(self.records, key=lambda record: (record.sent_at, record.ordinal)):
            if one.role in SPEECH:
                found.setdefault(one.conversation_id, []).append((one.role, one.content))
        return found

    @property
    def only(self) -> list[tuple[str, str]]:
        """The speech of the only conversation."""
        (found,) = self.speech.values()
        return found

    @property
    def roles(self) -> list[str]:
        """The roles of rows that are no speech."""
        return sorted(one.role for one in self.records if one.role not in SPEECH)

    @property
    def times(self) -> list[str]:
        """The times of what was said."""
        return [f"{one.sent_at:%Y-%m-%dT%H:%M:%S}" for one in self.records if one.role in SPEECH]

    @property
    def losses(self) -> list[str]:
        """The reasons of rejects that lose something."""
        return [one.reason for one in self.rejects if one.loss]


def landed(*trees: Any, lines: bool = False, midnight: datetime | None = None) -> Landed:
    """What is read of one JSON file: of one value, or of a line for each."""
    assert lines or len(trees) == 1
    words = "\n".join(json.dumps(tree, ensure_ascii=False) for tree in trees)
    return Landed(*parse("export.jsonl" if lines else "export.json", words.encode(), midnight))


def turns(*texts: str) -> list[tuple[str, str]]:
    """Texts that user and assistant said by turns."""
    return [(SPEECH[n % 2], text) for n, text in enumerate(texts)]


def without(tree: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """An object without these keys."""
    return {key: value for key, value in tree.items() if key not in keys}
