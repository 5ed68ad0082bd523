"""Sessions of the coding agents OpenCode, Pi (also OpenClaw) and aider.

OpenCode: https://opencode.ai/docs/cli (`opencode export`). Parts of a message: https://github.com/anomalyco/opencode
(packages/opencode/src/session/message-v2.ts). Pi: https://github.com/badlogic/pi-mono
(packages/coding-agent/docs/session.md). Its entries are a tree. The branch to the last one is the conversation.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.coding_agents import ASIDE, CLAUDE_CODE
from cpa_core.sources.formats.form import Format, attempted, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.formats.traces import INNER
from cpa_core.sources.records import Reject, SourceRecord, moment
from cpa_core.sources.trees import Trees

MARKS = frozenset({"step-start", "step-finish", "snapshot", "patch", "agent", "subtask", "compaction", "retry"})
"""Types of OpenCode's parts in which nobody says anything."""
KEPT = ("type", "text", "url", "mime")


def _opencode(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A session as `opencode export` writes it. A session with a parent is the work of a subagent."""
    tree = talks.record(tree)
    about = object_at(tree, "info")
    if about.get("parentID"):
        yield Reject(place, INNER, "{}", loss=False)
        return
    head = talks.head(file, place, {**about, "began": object_at(about, "time").get("created")}, "id", start="began")
    listed = enumerate(map(object_at, list_at(tree, "messages")))
    yield from talks.talk(head, (made for n, one in listed for made in _message(file, f"{place}: messages.{n}", one)))


def _listed(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """The messages of a session, as the server lists them; of several sessions, each is a conversation."""
    sessions: dict[str | None, list[Made]] = {}
    for n, one in enumerate(map(object_at, tree)):
        own = fields.identity("sessionID", object_at(one, "info").get("sessionID"))
        sessions.setdefault(own, []).extend(_message(file, f"{place}: {n}", one))
    for session, made in sessions.items():
        yield from talks.talk(talks.Head(f"{place}: {session}", session), made)


def _message(file: File, place: str, message: dict[str, Any]) -> list[Made]:
    """The drafts of a message. The summary that the program puts in place of a long session is no speech."""
    about = object_at(message, "info")
    at = object_at(about, "time").get("created")
    said: list[dict[str, Any]] = []
    others: list[Made] = []
    is_summary = about.get("summary") is True or about.get("mode") == "compaction"
    for one in map(object_at, list_at(message, "parts")):
        kind = one.get("type")
        if kind == "tool":
            state = object_at(one, "state")
            call = {"tool": one.get("tool"), "input": state.get("input")}
            others += talks.silent(file, place, "tool_call", call, at)
            others += talks.silent(file, place, "tool", state.get("output") or state.get("error") or "", at)
        elif _is_put_in(one) or (is_summary and kind == "text"):
            others += talks.silent(file, place, "system", str(one.get("text") or ""), at)
        elif kind not in MARKS:
            said.append({key: one[key] for key in KEPT if one.get(key)})
    if said:
        turn = {"role": about.get("role"), "content": said, "timestamp": at, "message_id": about.get("id")}
        return [*turns.drafts_of(file, place, turn), *others]
    return others


def _is_put_in(part: dict[str, Any]) -> bool:
    """Whether the program put a text into the message of its user."""
    return part.get("synthetic") is True or part.get("ignored") is True


def _pi(file: File, records: Trees) -> Iterator[columns.Found]:
    """Sessions of Pi: each begins with a line of its own, and the branch to its last entry is what was said."""
    found: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = []
    for one in records:
        if isinstance(one, Reject):
            yield one
        elif isinstance(one[1], dict) and one[1].get("type") == "session":
            found.append((one[0], one[1], []))
        elif not found or not isinstance(one[1], dict):
            yield Reject(one[0], "no line of a session before it names it", raw(one[1]))
        else:
            found[-1][2].append(one[1])
    for place, session, entries in found:
        yield from attempted(file, (place, {**session, "entries": entries}), _branch)


def _branch(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    entries = {str(one.get("id")): one for one in tree["entries"] if fields.identity("id", one.get("id"))}
    parents = {key: str(one["parentId"]) if one.get("parentId") else None for key, one in entries.items()}
    last = next(reversed(entries), None)
    way = [entries[key] for key in talks.branch(last, parents)] if entries else tree["entries"]
    head = talks.head(file, place, tree, "id", start="timestamp")
    yield from talks.talk(head, (made for one in way for made in _entry(file, f"{place}: {one.get('id')}", one)))
    for one in tree["entries"]:
        if one.get("type") != "message":
            yield Reject(f"{place}: {one.get('id')}", ASIDE, "{}", loss=False)


def _entry(file: File, place: str, entry: dict[str, Any]) -> Iterable[Made]:
    message = object_at(entry, "message")
    if entry.get("type") != "message" or not message:
        return []
    role = PI_ROLES.get(str(message.get("role")), message.get("role"))
    if role in ("tool", "system"):
        return talks.silent(file, place, role, message.get("content") or message.get("output") or "")
    return turns.drafts_of(
        file,
        place,
        {"role": role, "content": message.get("content"), "timestamp": entry.get("timestamp"), "id": entry.get("id")},
    )


def _aider(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A session of aider's, as `cpa_core.sources.aider` makes it of a chat history."""
    tree = talks.record(tree)
    began, assumed = moment(tree.get("started"), file.zone)
    head = talks.Head(place, None, started_at=began, zone_assumed=assumed)
    return talks.talk(head, turns.drafts(file, f"{place}: messages", list_at(tree, "messages")))


PI_ROLES = {"toolResult": "tool", "bashExecution": "tool", "custom": "system", "branchSummary": "system"}
PI_ROLES |= {"compactionSummary": "system", "hookMessage": "system"}

ENTRIES = frozenset({"message", "model_change", "thinking_level_change", "compaction", "branch_summary", "custom"})
ENTRIES |= {"custom_message", "label", "session_info"}
"""Types of the entries of a session of Pi."""

OPENCODE = CLAUDE_CODE._replace(
    name="opencode",
    title="sessions of OpenCode",
    kind="conversation",
    signs=("info.id messages[].info.role messages[].parts[]",),
    read=each(_opencode),
    docs="https://opencode.ai/docs/cli",
    ids="id of the session",
    times="time.created of each message",
    silent="sessions of subagents (parentID), texts that the program put in (synthetic), reasoning, tools, snapshots, "
    "summaries",
)

OPENCODE_LIST = OPENCODE._replace(
    name="opencode_messages",
    title="messages of a session of OpenCode",
    signs=("[].info.sessionID [].info.role [].parts[]",),
    read=each(_listed),
    docs="https://opencode.ai/docs/server (GET /session/:id/message)",
    ids="sessionID of the messages",
)

PI: Format = CLAUDE_CODE._replace(
    name="pi",
    title="sessions of Pi and OpenClaw",
    kind="conversation",
    signs=("type=session version id cwd", f"type={'|'.join(sorted(ENTRIES))} id parentId timestamp !uuid"),
    read=_pi,
    docs="https://github.com/badlogic/pi-mono/blob/main/packages/coding-agent/docs/session.md",
    ids="id of the session's line",
    times="timestamp of each line",
    silent="branches that were left, thinking, tools and their results, summaries, changes of model",
)

AIDER: Format = CLAUDE_CODE._replace(
    name="aider",
    title="the chat history of aider",
    kind="conversation",
    signs=("aider started messages[].role",),
    read=each(_aider),
    docs="https://aider.chat/docs/config/options.html",
    ids="none: what was said",
    users="none",
    times="the beginning of the session, in the machine's zone (CPA_ASSUMED_ZONE)",
    speech="lines marked #### are the user's, lines without a mark the assistant's",
    silent="what the program wrote (marked >), commands to it",
)
