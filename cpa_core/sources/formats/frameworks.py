"""Histories of conversations in frameworks of agents: Google's ADK, Pydantic AI and Chainlit.

Sources: https://google.github.io/adk-docs/events (`author` is `user` or an agent; `partial` marks a piece of a stream),
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/projects.locations.reasoningEngines.sessions
(sessions of Agent Engine), https://ai.pydantic.dev/message-history (`all_messages_json`) and
https://ai.pydantic.dev/api/messages (kinds of parts), https://docs.chainlit.io/data-layers/overview (threads, steps).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord


def _adk(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A session: its events, of which each has the parts that Gemini's messages have."""
    tree = talks.record(tree)
    own = "userId" if tree.get("userId") else "user_id"
    about = talks.head(file, place, tree, "id", own)
    made = (one for n, item in enumerate(list_at(tree, "events")) for one in _event(file, f"{place}: events.{n}", item))
    return talks.talk(about, made)


def _event(file: File, place: str, item: Any) -> Iterable[Made]:
    """An event. Results of tools are the agent's, though their content has the role of the user."""
    item = object_at(item)
    parts = list_at(item, "content", "parts")
    if item.get("partial") is True or not parts:
        return []
    role = "user" if item.get("author") == "user" else "assistant"
    about = {"timestamp": item.get("timestamp"), "id": item.get("id")}
    return turns.drafts_of(file, place, {"role": role, "content": parts, **about})


PART_ROLES = {
    "system-prompt": "system",
    "user-prompt": "user",
    "text": "assistant",
    "thinking": "reasoning",
    "tool-call": "tool_call",
    "builtin-tool-call": "tool_call",
    "tool-return": "tool",
    "builtin-tool-return": "tool",
    "retry-prompt": "tool",
}
"""Our role for each kind of a part; what no part of these kinds has is an attachment."""


def _pydantic(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """The history of an agent: a list of requests and responses, alone or under `messages`."""
    if isinstance(tree, list):
        about, listed = talks.Head(place, None), tree
    else:
        tree = talks.record(tree)
        key = next((key for key in ("conversation_id", "session_id", "thread_id", "id") if tree.get(key)), "id")
        about, listed = talks.head(file, place, tree, key, "user_id"), list_at(tree, "messages")
    made = (
        one
        for n, message in enumerate(map(object_at, listed))
        for k, part in enumerate(map(object_at, list_at(message, "parts")))
        for one in _part(file, f"{place}: {n}.parts.{k}", part, part.get("timestamp") or message.get("timestamp"))
    )
    return talks.talk(about, made)


def _part(file: File, place: str, part: dict[str, Any], at: Any) -> Iterator[Made]:
    role, content = PART_ROLES.get(str(part.get("part_kind")), "attachment"), part.get("content")
    if role in ("user", "assistant") and isinstance(content, list):  # words among pictures and files
        texts = [one for one in content if isinstance(one, str)]
        yield from talks.said(file, place, role, "\n".join(texts), at)
        for one in content:
            if not isinstance(one, str):
                yield from talks.silent(file, place, "attachment", one, at)
    elif role in ("user", "assistant"):
        yield from talks.said(file, place, role, content, at)
    else:
        yield from talks.silent(file, place, role, content if isinstance(content, str) else part, at)


STEPS = {"user_message": "user", "assistant_message": "assistant"}
"""Steps of Chainlit in which somebody speaks; any other is work behind an answer."""


def _chainlit(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    user = "userIdentifier" if tree.get("userIdentifier") else "userId"
    about = talks.head(file, place, tree, "id", user, "createdAt", title=tree.get("name"))
    made = (one for n, item in enumerate(list_at(tree, "steps")) for one in _step(file, f"{place}: steps.{n}", item))
    return talks.talk(about, made)


def _step(file: File, place: str, item: Any) -> Iterable[Made]:
    item = object_at(item)
    role, at = STEPS.get(str(item.get("type"))), item.get("createdAt") or item.get("start")
    if role is None:
        return talks.silent(file, place, "tool", item.get("output") or "", at)
    return talks.said(file, place, role, item.get("output") or item.get("input"), at, item.get("id"))


ADK = Format(
    name="google_adk",
    title="sessions of Google's Agent Development Kit",
    kind="conversation",
    signs=("events[].author events[].content.parts[]", "id events[].author events[].content.parts[]"),
    read=each(_adk),
    docs="https://google.github.io/adk-docs/sessions/session/",
    ids="id of the session",
    users="userId",
    times="timestamp of each event",
    speech="text parts: of the author user as user, of any agent as assistant",
    silent="pieces of streams (partial), thoughts, function calls and their responses",
)

PYDANTIC_AI = ADK._replace(
    name="pydantic_ai",
    title="message histories of Pydantic AI",
    signs=(
        "[].kind=request|response [].parts[].part_kind",
        "messages[].kind=request|response messages[].parts[].part_kind",
    ),
    read=each(_pydantic),
    docs="https://ai.pydantic.dev/message-history/",
    ids="conversation_id, session_id, thread_id or id beside the messages; else what was said",
    users="user_id beside the messages",
    times="timestamp of each part, else of its message",
    speech="parts of the kinds user-prompt and text",
    silent="system prompts, instructions, thinking, calls and returns of tools, prompts to try again, files",
)

CHAINLIT = ADK._replace(
    name="chainlit",
    title="threads of Chainlit",
    signs=("id steps[].type=user_message|assistant_message steps[].output",),
    read=each(_chainlit),
    docs="https://docs.chainlit.io/data-layers/overview",
    ids="id of the thread",
    users="userIdentifier or userId",
    times="createdAt of each step",
    speech="output of the steps user_message and assistant_message",
    silent="runs, tools, calls of models and every other step",
)
