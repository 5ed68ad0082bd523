"""Chats of GitHub Copilot in VS Code: what "Chat: Export Chat" writes, and the files under `chatSessions`.

Sources: https://github.com/microsoft/vscode (src/vs/workbench/contrib/chat/common/model/chatModel.ts, and
objectMutationLog.ts: newer sessions are lines, the first the whole, each other one sets, adds or deletes something).
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, attempted
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject
from cpa_core.sources.trees import Trees

INITIAL, SET, PUSH, DELETE = range(4)
"""Kinds of lines of a session."""

HEADLESS = "no line before it holds the session"


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    """The sessions of a file, each from its object or from its lines."""
    place, session = "", None
    for one in records:
        if isinstance(one, Reject):
            yield one
        elif not isinstance(one[1], dict) or (session is None and "k" in one[1]):
            yield Reject(one[0], HEADLESS, raw(one[1]))
        elif session is not None and "k" in one[1]:
            _change(session, one[1])
        else:
            yield from attempted(file, (place, session), _session) if session is not None else ()
            place, session = one[0], object_at(one[1], "v") or one[1]
    if session is not None:
        yield from attempted(file, (place, session), _session)


def _change(session: dict[str, Any], line: dict[str, Any]) -> None:
    """Change a session as one line of it says; a path that leads nowhere changes nothing."""
    *way, last = line["k"] if isinstance(line["k"], list) and line["k"] else [None]
    at: Any = session
    for step in way:
        at = _at(at, step)
    if line.get("kind") == PUSH and isinstance(held := _at(at, last), list):
        if type(line.get("i")) is int:
            del held[line["i"] :]
        held += list_at(line, "v")
    elif line.get("kind") in (SET, DELETE, PUSH) and (isinstance(at, dict) or _at(at, last) is not None):
        at[last] = line.get("v")


def _at(tree: Any, step: Any) -> Any:
    if isinstance(tree, list):
        return tree[step] if type(step) is int and 0 <= step < len(tree) else None
    return tree.get(step) if isinstance(tree, dict) else None


def _session(file: File, place: str, tree: dict[str, Any]) -> Iterator[columns.Found]:
    about = talks.head(file, place, tree, "sessionId", start="creationDate", title=tree.get("customTitle"))
    asked = [one for one in list_at(tree, "requests") if isinstance(one, dict)]
    return talks.talk(about, (made for n, one in enumerate(asked) for made in _request(file, f"{place}: {n}", one)))


def _request(file: File, place: str, tree: dict[str, Any]) -> Iterator[Made]:
    """The user's words and the answer. A reference stands within its sentence; tools and thoughts are rows apart."""
    message, at = tree.get("message"), tree.get("timestamp")
    typed = message if isinstance(message, str) else object_at(tree, "message").get("text")
    yield from talks.said(file, f"{place}: message", "user", typed, at, tree.get("requestId"))
    shown: list[str] = []
    within = False
    for part in (one if isinstance(one, dict) else {"value": one} for one in list_at(tree, "response")):
        kind = part.get("kind")
        if kind == "thinking":
            yield from talks.silent(file, place, "reasoning", _text(part.get("value")), at)
        elif kind in ("toolInvocationSerialized", "toolInvocation"):
            yield from talks.silent(file, place, "tool_call", part, at)
        elif text := _shown(part):
            inline = kind == "inlineReference"
            shown[-1:] = [shown[-1] + text] if shown and (inline or within) else [*shown[-1:], text]
            within = inline
    yield from talks.said(file, f"{place}: response", "assistant", "\n".join(shown), at, tree.get("responseId"))


def _shown(part: dict[str, Any]) -> str:
    """The text of a piece of an answer: its Markdown, or the name of a file that a sentence refers to."""
    kind = part.get("kind")
    if kind == "inlineReference":
        return _text(part.get("name") or object_at(part, "inlineReference").get("name"))
    return _text(part.get("content") if kind == "markdownContent" else part.get("value")) if kind in MARKDOWN else ""


MARKDOWN = (None, "markdownContent")


def _text(value: Any) -> str:
    found = value.get("value") if isinstance(value, dict) else value
    listed = found if isinstance(found, list) else [found]
    return "\n".join(one for one in listed if isinstance(one, str))


COPILOT_CHAT = Format(
    name="copilot_chat",
    title="chats of GitHub Copilot in VS Code",
    kind="conversation",
    signs=(
        "requests[].message.text requests[].response[] responderUsername",
        "requests[].message requests[].response sessionId creationDate",
        "kind v.sessionId v.requests v.creationDate",
    ),
    read=_read,
    docs="https://github.com/microsoft/vscode/blob/main/src/vs/workbench/contrib/chat/common/model/chatModel.ts",
    ids="sessionId; an export by hand has none: what was said",
    users="none",
    times="timestamp of each request, also for its answer",
    speech="what the user typed, and the text of the answer",
    silent="thoughts, tools, edits, what the program added to the request",
)
