"""A file of some format, read in an empty home: conversations with what was said, in order."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from cpa_core.sources import File, Record, Reject, as_records, read

AT = "2026-03-02T09:00:00Z"
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
SPOKEN = ("user", "assistant")
Said = list[tuple[str, str]]


def read_file(content: Any, name: str = "a.json", **how: Any) -> tuple[list[Record], list[Reject]]:
    """Records and rejects of a file: its bytes, its text, or the value that its JSON holds."""
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    found = read(File(name, text.encode() if isinstance(text, str) else text, **how), MIDNIGHT)
    return as_records(found), found.rejects


def lines(*records: Any) -> str:
    """JSON Lines."""
    return "".join(json.dumps(one) + "\n" for one in records)


def said(content: Any, name: str = "a.json", lost: int = 0, **how: Any) -> dict[str, Said]:
    """What users and assistants said, by conversation, in the order of time and file; so many records were lost."""
    records, rejects = read_file(content, name, **how)
    assert len([one for one in rejects if one.loss]) == lost, [one.reason for one in rejects]
    found: defaultdict[str, Said] = defaultdict(list)
    for one in sorted(records, key=lambda r: (r.sent_at, r.ordinal)):
        if one.role in SPOKEN:
            found[one.conversation_id].append((one.role, one.content))
    return dict(found)


def told(content: Any, name: str = "a.json", lost: int = 0, **how: Any) -> list[Said]:
    """The same without ids."""
    return list(said(content, name, lost, **how).values())


def roles(content: Any, name: str = "a.json", **how: Any) -> list[str]:
    """The roles of all messages, in the order of the file."""
    return [one.role for one in sorted(read_file(content, name, **how)[0], key=lambda r: r.ordinal)]


BOTH: Said = [("user", "hi"), ("assistant", "ho")]
FOUR: Said = [*BOTH, ("user", "and?"), ("assistant", "so")]


def message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    """A message of a chat."""
    return {"role": role, "content": content, **more}


HISTORY = [message(role, text) for role, text in FOUR]
