"""ChatGPT's data export: `conversations.json`, or its shards, in which each conversation is a tree of messages.

The conversation is the branch that ends at `current_node`; regenerated and edited messages off it were replaced.
Sources: https://help.openai.com/en/articles/7260999-how-do-i-export-my-chatgpt-history-and-data,
https://github.com/mohamed-chs/convoviz/issues/49 (a report: shards without `children`: only `parent` is walked here).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord

THOUGHTS = frozenset({"thoughts", "reasoning_recap"})
CONTEXT = frozenset({"user_editable_context", "model_editable_context"})
TOOLS = frozenset({"execution_output", "tether_browsing_display", "tether_quote", "system_error", "computer_output"})


def _read(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    key = "conversation_id" if tree.get("conversation_id") else "id"
    about = talks.head(file, place, tree, key, start="create_time", title=tree.get("title"))
    return talks.talk(about, _messages(file, place, tree))


def _messages(file: File, place: str, tree: dict[str, Any]) -> Iterator[Made]:
    nodes = {key: node for key, node in object_at(tree, "mapping").items() if isinstance(node, dict)}
    parents = {key: node.get("parent") for key, node in nodes.items()}
    leaf = tree.get("current_node")
    if leaf not in nodes:
        times = {key: object_at(node, "message").get("create_time") for key, node in nodes.items()}
        leaf = talks.latest_leaf(parents, times)
    for key in talks.branch(leaf, parents):
        yield from _message(file, f"{place}: mapping.{key}", object_at(nodes[key], "message"))


def _message(file: File, place: str, message: dict[str, Any]) -> Iterable[Made]:
    content = object_at(message, "content")
    role = _role(message, str(content.get("content_type") or ""))
    hidden = object_at(message, "metadata").get("is_visually_hidden_from_conversation") is True
    at, own = message.get("create_time"), message.get("id")
    if role in ("user", "assistant") and not hidden:
        spoken = [part for part in list_at(content, "parts") if part not in ("", None)]
        parts = [_part(part) for part in spoken] or ([content["text"]] if content.get("text") else [])
        return talks.turn(file, place, role, parts, at, own)
    words = _words(content)
    return talks.silent(file, place, "system" if hidden and role in ("user", "assistant") else role, words, at)


def _role(message: dict[str, Any], kind: str) -> str:
    """Who a message is from: what goes to a tool, or comes from one, or is thought, is no speech."""
    author = str(object_at(message, "author").get("role") or "")
    if kind in THOUGHTS or message.get("channel") == "analysis":
        return "reasoning"
    if kind in CONTEXT:
        return "system"
    if author == "tool" or kind in TOOLS:
        return "tool"
    if author == "assistant" and message.get("recipient") not in (None, "all"):
        return "tool_call"
    return author or "system"


def _part(part: Any) -> Any:
    """A part of a message: a transcript of speech is text, other objects are attachments."""
    if isinstance(part, dict) and part.get("content_type") == "audio_transcription":
        return {"type": "text", "text": part.get("text") or ""}
    return part if isinstance(part, str) else {"type": "attachment", "attachment": part}


def _words(content: dict[str, Any]) -> str:
    """The text of a message that nobody said."""
    found = [part for part in list_at(content, "parts") if isinstance(part, str)]
    found += [str(one.get("content") or one.get("summary") or "") for one in list_at(content, "thoughts") if one]
    found += [content[key] for key in ("text", "content", "result") if isinstance(content.get(key), str)]
    return "\n".join(one for one in found if one)


CHATGPT = Format(
    name="chatgpt",
    title="ChatGPT's data export",
    kind="conversation",
    signs=(
        "mapping.*.message.author.role",
        "mapping.*.message.author.role current_node create_time",
        "mapping.*.parent current_node",
    ),
    read=each(_read),
    docs="https://help.openai.com/en/articles/7260999-how-do-i-export-my-chatgpt-history-and-data",
    ids="conversation_id, else id",
    users="none: the account stands in user.json",
    times="create_time of each message, else of the conversation",
    speech="user and assistant on the branch that ends at current_node",
    silent="other branches, hidden messages, thoughts, what goes to and comes from tools, images and files",
)
