"""Sessions of Goose: its export as JSON, and the lines that it wrote until September 2025.

Sources: https://github.com/block/goose (crates/goose/src/conversation/message.rs and src/session/legacy.rs),
https://block.github.io/goose/docs/guides/goose-cli-commands (`goose session export --format json`). The first line of a
file is about the session, and the others are its messages.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cpa_core.sources import columns
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.coding_agents import CLAUDE_CODE
from cpa_core.sources.formats.form import Format, attempted, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.formats.traces import INNER
from cpa_core.sources.records import Reject, SourceRecord
from cpa_core.sources.trees import Trees

SPOKEN = frozenset({"text", "image"})
"""Types of content that stand in what somebody says."""

ROLES: Mapping[str, str] = {"toolRequest": "tool_call", "frontendToolRequest": "tool_call", "toolResponse": "tool"}
ROLES = {**ROLES, "thinking": "reasoning", "redactedThinking": "reasoning"}
"""Our role for each type of content that nobody says; for any other, `system`."""

UNSHOWN = frozenset({"redactedThinking"})
INSIDE = ("sub_agent", "hidden")
"""Types of sessions that no person talks in."""


def _session(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    if tree.get("session_type") in INSIDE:
        yield Reject(place, INNER, "{}", loss=False)
        return
    about = talks.head(file, place, tree, "id", start="created_at", title=tree.get("name") or tree.get("description"))
    listed = enumerate(list_at(tree, "conversation"))
    yield from talks.talk(about, (made for n, one in listed for made in _message(file, f"{place}: {n}", one)))


def _message(file: File, place: str, message: Any) -> Iterator[Made]:
    """Yield the drafts of a message. A message that is hidden from the user is no speech."""
    message = object_at(message)
    role, at = str(message.get("role") or ""), message.get("created")
    parts = list(map(object_at, list_at(message, "content")))
    if object_at(message, "metadata").get("userVisible") is False:
        for one in parts:
            yield from talks.silent(file, place, "system", one.get("text") or one, at)
        return
    said = [one for one in parts if one.get("type") in SPOKEN]
    if said:
        about = {"timestamp": at, "message_id": message.get("id")}
        yield from turns.drafts_of(file, place, {"role": role, "content": said, **about})
    for one in parts:
        kind = str(one.get("type"))
        if kind not in SPOKEN | UNSHOWN:
            yield from talks.silent(file, place, ROLES.get(kind, "system"), one.get("thinking") or one, at)


def _lines(file: File, records: Trees) -> Iterator[columns.Found]:
    """The sessions of a file: each begins with a line about itself, and the lines after it are its messages."""
    found: list[tuple[str, dict[str, Any]]] = []
    for one in records:
        if isinstance(one, Reject):
            yield one
            continue
        place, tree = one
        if isinstance(tree, dict) and "role" not in tree:
            found.append((place, {**tree, "conversation": []}))
            continue
        if not found:
            found.append((place, {"conversation": []}))
        found[-1][1]["conversation"].append(tree)
    for begun in found:
        yield from attempted(file, begun, _session)


GOOSE = CLAUDE_CODE._replace(
    name="goose",
    title="sessions of Goose",
    kind="conversation",
    signs=("working_dir conversation[].role conversation[].created conversation[].content[].type",),
    read=each(_session),
    docs="https://github.com/block/goose/blob/main/crates/goose/src/conversation/message.rs",
    ids="id of the session",
    times="created of each message",
    silent="sessions of subagents, messages that the user is not shown, thinking, tools and their results, notices",
)

GOOSE_LINES: Format = GOOSE._replace(
    name="goose_lines",
    title="sessions of Goose, a message a line",
    signs=(
        "role created content[].type metadata.userVisible",
        "working_dir message_count",
    ),
    read=_lines,
    ids="none: what was said",
)
