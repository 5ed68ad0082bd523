"""Sessions of Gemini CLI: one file of JSON each, and, in newer versions, lines of it.

Source: https://github.com/google-gemini/gemini-cli (packages/core/src/services/chatRecordingService.ts). A line that
repeats an id replaces the message, `$set` changes what the session says of itself, `$rewindTo` takes messages back.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.form import Format, attempted
from cpa_core.sources.formats.talks import Made, list_at
from cpa_core.sources.records import Reject
from cpa_core.sources.trees import Trees

ROLES = {"user": "user", "gemini": "assistant"}
SUBAGENT = "a session of a subagent: neither said nor read by a person"
HEADLESS = "no line before it names the session"


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    """The sessions of a file, in order; a record that names one begins it."""
    session: dict[str, Any] | None = None
    place = ""
    for one in records:
        if isinstance(one, Reject):
            yield one
        elif not isinstance(one[1], dict) or (session is None and "sessionId" not in one[1]):
            yield Reject(one[0], HEADLESS, raw(one[1]))
        elif "projectHash" in one[1]:
            yield from _finished(file, place, session)
            place, session = one[0], {**one[1], "said": _by_id(one[1])}
        elif session is not None:
            session = _with(session, one[1])
    yield from _finished(file, place, session)


def _by_id(tree: dict[str, Any]) -> dict[str, Any]:
    found = [one for one in list_at(tree, "messages") if isinstance(one, dict)]
    return {str(one.get("id", n)): one for n, one in enumerate(found)}


def _with(session: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    """A session after one more line."""
    said: dict[str, Any] = session["said"]
    if "$rewindTo" in line:
        kept = list(said).index(str(line["$rewindTo"])) if str(line["$rewindTo"]) in said else 0
        return {**session, "said": dict(list(said.items())[:kept])}
    if isinstance(line.get("$set"), dict):
        changed = line["$set"]
        return {**session, **changed, "said": _by_id(changed) if list_at(changed, "messages") else said}
    said[str(line.get("id"))] = line
    return session


def _finished(file: File, place: str, session: dict[str, Any] | None) -> Iterator[columns.Found]:
    if session is not None and session.get("kind") == "subagent":
        yield Reject(place, SUBAGENT, "{}", loss=False)
    elif session is not None:
        yield from attempted(file, (place, session), _session)


def _session(file: File, place: str, tree: dict[str, Any]) -> Iterator[columns.Found]:
    about = talks.head(file, place, tree, "sessionId", start="startTime", summary=tree.get("summary"))
    made = (one for key, message in tree["said"].items() for one in _message(file, f"{place}: {key[:40]}", message))
    return talks.talk(about, made)


def _message(file: File, place: str, tree: dict[str, Any]) -> Iterator[Made]:
    """A message: what was typed rather than what a file that it names was replaced by."""
    kind = str(tree.get("type"))
    content = tree.get("displayContent") or tree.get("content")
    at, role = tree.get("timestamp"), ROLES.get(kind)
    if role is None:  # notes, warnings and errors of the program
        yield from talks.silent(file, place, "system", content, at) if content else ()
        return
    for thought in list_at(tree, "thoughts"):
        words = (thought.get("subject"), thought.get("description")) if isinstance(thought, dict) else (thought,)
        yield from talks.silent(file, place, "reasoning", "\n".join(str(word) for word in words if word), at)
    for call in list_at(tree, "toolCalls"):
        yield from talks.silent(file, place, "tool_call", call, at)
    if content not in (None, "", []):
        own = fields.identity("id", tree.get("id"))
        yield from turns.drafts_of(file, place, {"role": role, "content": content, "timestamp": at, "id": own})


GEMINI_CLI = Format(
    name="gemini_cli",
    title="sessions of Gemini CLI",
    kind="conversation",
    signs=(
        "sessionId projectHash startTime lastUpdated",
        "id timestamp type=gemini content",
        "sessionId projectHash messages[].type=user|gemini messages[].content startTime",
    ),
    read=_read,
    docs="https://github.com/google-gemini/gemini-cli",
    ids="sessionId",
    users="none",
    times="timestamp of each message",
    speech="content of user (as it was typed) and gemini",
    silent="thoughts, calls of tools, notes and errors of the program, sessions of subagents, messages taken back",
)
