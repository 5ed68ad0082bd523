"""Messages of the Vercel AI SDK as applications store them: parts in version 5, `content` beside `parts` in version 4.
Mastra keeps the parts in `content`, and the user as `resourceId`.

Sources: https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message,
https://ai-sdk.dev/docs/ai-sdk-ui/chatbot-message-persistence,
https://github.com/mastra-ai/mastra (packages/core/src/agent/message-list).
The SDK gives messages no time; applications put it in
`metadata.createdAt` (version 5) or `createdAt` (version 4).
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import message_lists, talks, turns
from cpa_core.sources.formats.form import each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation, listed
from cpa_core.sources.formats.talks import list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord

TIMES = ("timestamp", "createdAt", "created_at")


def _read(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    own = {"chatId": "conversation_id", "userId": "user_id", "createdAt": "timestamp", "created_at": "timestamp"}
    named = {own[key]: value for key, value in tree.items() if key in own}
    rest = {key: value for key, value in tree.items() if key not in own}
    return conversation(file, place, {**named, **rest}, [_timed(one) for one in listed(tree, "messages")])


def _timed(message: Any) -> Any:
    """A message with its time where every message has it. Metadata that held nothing else are left out."""
    if not isinstance(message, dict):
        return message
    about = object_at(message, "metadata")
    at = next((place[key] for place in (message, about) for key in TIMES if place.get(key) is not None), None)
    left = {key: value for key, value in message.items() if key not in TIMES}
    if isinstance(left.get("content"), str) and any(
        object_at(one).get("type") == "text" for one in list_at(left, "parts")
    ):
        del left["content"]  # version 4 repeats the text beside the parts
    if len(about) == 1 and at is not None and next(iter(about)) in TIMES:
        del left["metadata"]
    return left if at is None else {**left, "timestamp": at}


def _list(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """The messages of one chat, as the SDK's guide saves them: a list."""
    return message_lists.bare(file, place, [_timed(one) for one in tree])


CHATS = ("chatId", "chat_id", "threadId", "thread_id", "conversationId")


OWNERS = ("userId", "user_id", "resourceId")


def _row(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """A message in a row of its own, which names its chat, as the SDK's templates keep it in their database."""
    tree = talks.record(tree)
    key = next((key for key in CHATS if tree.get(key)), CHATS[0])
    chat = fields.needed(key, tree.get(key))
    user = fields.identity("userId", next((tree[word] for word in OWNERS if tree.get(word)), None))
    if "parts" in (content := object_at(tree, "content")):
        tree = {**tree, "parts": content["parts"]}
    kept = {word: tree[word] for word in ("id", "role", "parts", "metadata", *TIMES) if word in tree}
    yield from talks.in_conversation(turns.drafts_of(file, place, _timed(kept)), chat, user)


UI_MESSAGES = OPENAI._replace(
    name="ai_sdk",
    title="messages of the Vercel AI SDK",
    signs=(
        "messages[].role messages[].parts[].type",
        "messages[].role messages[].content messages[].createdAt",
        "messages[].role messages[].content messages[].parts[].type",
    ),
    read=each(_read),
    docs="https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message",
    ids="id of the chat",
    times="metadata.createdAt or createdAt of each message, where the application keeps it",
    speech="text parts of user and assistant",
    silent="reasoning, tool and data parts, marks of steps, files",
)

UI_ROWS = UI_MESSAGES._replace(
    name="ai_sdk_rows",
    title="messages of the Vercel AI SDK, one a record",
    kind="message",
    signs=tuple(f"{key} role {parts}[].type" for key in CHATS for parts in ("parts", "content.parts")),
    read=each(_row),
    docs="https://ai-sdk.dev/docs/ai-sdk-ui/chatbot-message-persistence",
    ids="chatId, threadId or conversationId",
    users="userId, user_id or resourceId",
    times="createdAt",
)

UI_LISTS = UI_MESSAGES._replace(
    name="ai_sdk_list",
    title="the messages of one chat of the Vercel AI SDK",
    signs=(" ".join(("[].id [].role [].parts[].type", *(f"![].{key}" for key in CHATS))),),
    read=each(_list),
    docs="https://ai-sdk.dev/docs/ai-sdk-ui/chatbot-message-persistence",
    ids="none: what was said",
    users="none",
)
