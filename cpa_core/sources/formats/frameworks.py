"""Histories of conversations in frameworks of agents: Google's ADK, Pydantic AI, Chainlit, AutoGen, Semantic Kernel and
LlamaIndex.

Sources: https://google.github.io/adk-docs/events (`author` is `user` or an agent; `partial` marks a piece of a stream),
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/projects.locations.reasoningEngines.sessions
(sessions of Agent Engine), https://ai.pydantic.dev/message-history (`all_messages_json`) and
https://ai.pydantic.dev/api/messages (kinds of parts), https://docs.chainlit.io/data-layers/overview (threads, steps),
https://microsoft.github.io/autogen/stable/reference/python/autogen_agentchat.messages.html,
https://learn.microsoft.com/semantic-kernel/concepts/ai-services/chat-completion/chat-history (the same history has
other keys in .NET and in Python), and
https://developers.llamaindex.ai/python/framework-api-reference/storage/chat_store/simple (a list of messages by a key).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.openai_chat import several
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


AUTOGEN_TEXTS = (
    "TextMessage",
    "MultiModalMessage",
    "StopMessage",
    "StructuredMessage",
    "UserMessage",
    "AssistantMessage",
)
"""Types of messages in which somebody speaks; the last two stand in the state of one agent."""
AUTOGEN_ROLES = {"ThoughtEvent": "reasoning", "ToolCallRequestEvent": "tool_call", "SystemMessage": "system"}
AUTOGEN_ROLES |= {"HandoffMessage": "system"}
"""Our role for other types; any else is an event inside an agent, or the result of a tool."""
AUTOGEN_SIGN = "TextMessage|MultiModalMessage|StopMessage|HandoffMessage|ToolCallSummaryMessage"
"""The types by which a list of such messages is recognised."""
AUTOGEN_USERS = ("user", "user_proxy", "human")
"""Sources of what a person says: the name of the agent that stands for him."""


def _autogen(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """The messages of a team or an agent: a list, alone or under `messages`, as the result of a task has it.

    The state of a team has them in that of its manager, the state of an agent in its context.
    """
    return _history(file, place, tree if isinstance(tree, list) else _kept(talks.record(tree)), _message)


def _history(
    file: File, place: str, listed: list[Any], read: Callable[[File, str, dict[str, Any]], Iterable[Made]]
) -> Iterator[SourceRecord | Reject]:
    """The conversation of a list of messages. Raises ValueError where they name different ones."""
    if key := several(listed):
        raise ValueError(f"its messages name different conversations: say --map conversation_id={key}")
    made = (one for n, item in enumerate(map(object_at, listed)) for one in read(file, f"{place}: {n}", item))
    return talks.talk(talks.Head(place, None), made)


def _kept(tree: dict[str, Any]) -> list[Any]:
    threads = (list_at(one, "message_thread") for one in object_at(tree, "agent_states").values())
    return next(filter(None, threads), list_at(tree, "messages") or list_at(tree, "llm_context", "messages"))


def _message(file: File, place: str, item: dict[str, Any]) -> Iterable[Made]:
    at, content = item.get("created_at"), item.get("content")
    kind = str(item.get("type")).partition("[")[0]
    calls = kind == "AssistantMessage" and isinstance(content, list)
    if kind not in AUTOGEN_TEXTS or calls:
        return talks.silent(file, place, "tool_call" if calls else AUTOGEN_ROLES.get(kind, "tool"), content or "", at)
    role = "user" if item.get("source") in AUTOGEN_USERS else "assistant"
    if isinstance(content, dict):
        return talks.silent(file, place, role, content, at)
    parts = content if isinstance(content, list) else [content]
    texts = [one for one in parts if isinstance(one, str)]
    others = [one for one in parts if isinstance(one, dict)]
    said = talks.said(file, place, role, "\n".join(texts), at, item.get("id"))
    return [*said, *(made for one in others for made in talks.silent(file, place, "attachment", one, at))]


KERNEL_ROLES = {"function_call": "tool_call", "function_result": "tool", "reasoning": "reasoning"}
KERNEL_ROLES |= {"FunctionCallContent": "tool_call", "FunctionResultContent": "tool", "ReasoningContent": "reasoning"}
"""Our role for each kind of item that is no text; any other is an attachment."""


def _kernel(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A chat history of Semantic Kernel: of Python under `messages`, of .NET a list whose keys begin with capitals."""
    listed = tree if isinstance(tree, list) else list_at(talks.record(tree), "messages")
    return _history(file, place, listed, _content)


def _content(file: File, place: str, message: dict[str, Any]) -> Iterator[Made]:
    given = message.get("role", message.get("Role"))
    role = str((given.get("label") or given.get("Label")) if isinstance(given, dict) else given or "")
    said: list[str] = []
    for item in map(object_at, list_at(message, "items") or list_at(message, "Items")):
        text = item.get("text", item.get("Text"))
        kind = str(item.get("content_type") or item.get("$type"))
        if kind in ("text", "TextContent") and isinstance(text, str):
            said.append(text)
        else:
            yield from talks.silent(file, place, KERNEL_ROLES.get(kind, "attachment"), text or item)
    yield from turns.drafts_of(file, place, {"role": role, "content": "\n".join(said)}) if said else ()


def _chat_store(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """Every conversation of a chat store, by its key."""
    tree = talks.record(tree)
    for key, messages in object_at(object_at(tree, "chat_store") or tree, "store").items():
        if not isinstance(messages, list):
            yield Reject(f"{place}: store.{key}", "a list of messages is needed", raw(messages))
        else:
            about = talks.Head(f"{place}: store.{key}", key)
            yield from talks.talk(about, turns.drafts(file, f"{place}: store.{key}", messages))


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

AUTOGEN = ADK._replace(
    name="autogen",
    title="messages of AutoGen's agents",
    signs=(
        f"[].source [].type={AUTOGEN_SIGN} [].content",
        f"messages[].source messages[].type={AUTOGEN_SIGN} messages[].content",
        "type=TeamState agent_states",
        "type=AssistantAgentState llm_context.messages[].source",
    ),
    read=each(_autogen),
    docs="https://microsoft.github.io/autogen/stable/reference/python/autogen_agentchat.messages.html",
    ids="none: what was said",
    users="none",
    times="created_at of each message",
    speech="messages between agents: of the source user, user_proxy or human as user, of any other as assistant",
    silent="events: calls of tools and their results, thoughts; handoffs, pictures",
)

SEMANTIC_KERNEL = AUTOGEN._replace(
    name="semantic_kernel",
    title="chat histories of Semantic Kernel",
    signs=(
        "messages[].role messages[].items[].content_type",
        "[].role [].items[].content_type",
        "[].Role.Label [].Items[].$type",
        "[].role.label [].items[].$type",
    ),
    read=each(_kernel),
    docs="https://learn.microsoft.com/semantic-kernel/concepts/ai-services/chat-completion/chat-history",
    times="none",
    speech="items that are text",
    silent="system prompts, calls of functions and their results, reasoning, pictures and files",
)

CHAT_STORE = AUTOGEN._replace(
    name="llamaindex_store",
    title="LlamaIndex's SimpleChatStore",
    signs=("store class_name=SimpleChatStore", "chat_store.store chat_store.class_name=SimpleChatStore"),
    read=each(_chat_store),
    docs="https://developers.llamaindex.ai/python/framework-api-reference/storage/chat_store/simple",
    ids="the key of each list of messages",
    times="timestamp of each message, where it has one",
    speech="text of the roles user and assistant",
    silent="system prompts, calls of tools and their results, pictures",
)
