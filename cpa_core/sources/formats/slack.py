"""A day of a Slack channel, as a workspace's export has it: a list of messages, of which a thread is a conversation.

Source: https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports, https://docs.slack.dev/messaging.
Times are `ts`, seconds with microseconds; a message outside any thread is a conversation of its own.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import list_at
from cpa_core.sources.records import Reject

SPOKEN = frozenset({"None", "", "bot_message", "thread_broadcast", "file_share", "me_message"})
"""Subtypes of messages that somebody wrote; every other one is a notice."""


def _message(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    tree = talks.record(tree)
    if str(tree.get("subtype")) not in SPOKEN or tree.get("hidden") is True:
        yield Reject(place, "a notice: no message", "{}", loss=False)
        return
    thread = fields.needed("ts", tree.get("thread_ts") or tree.get("ts"))
    bot = tree.get("subtype") == "bot_message" or bool(tree.get("bot_id"))
    user = None if bot else fields.identity("user", tree.get("user"))
    text = tree.get("text") or "\n".join(str(one["text"]) for one in list_at(tree, "attachments") if _has_text(one))
    text = text or _words_of(tree.get("blocks"))
    text = _unescaped(text) if isinstance(text, str) else text
    at = tree.get("ts")
    made = talks.said(file, place, "assistant" if bot else "user", text, at, at)
    yield from talks.in_conversation(made, thread, user)
    for shared in list_at(tree, "files"):
        yield from talks.in_conversation(talks.silent(file, place, "attachment", shared, at), thread)


def _unescaped(text: str) -> str:
    """Text with the three characters that Slack escapes (https://docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


INLINE = frozenset({"text", "link", "emoji", "user", "usergroup", "channel", "broadcast", "date"})
"""Elements of rich text that stand on one line."""
CONTROLS = frozenset({"actions", "button", "image", "input", "video", "file"})


def _words_of(block: Any) -> str:
    """The words of a block, or of a list of blocks; those of buttons and fields to fill in are not said.

    Source: https://docs.slack.dev/reference/block-kit/blocks.
    """
    if isinstance(block, list):
        inline = all(isinstance(one, dict) and one.get("type") in INLINE for one in block)
        return ("" if inline else "\n").join(filter(None, map(_words_of, block)))
    if not isinstance(block, dict) or block.get("type") in CONTROLS:
        return ""
    text = block.get("text")
    own = text if isinstance(text, str) else _words_of(text)
    return "\n".join(filter(None, (own, _words_of(block.get("fields")), _words_of(block.get("elements")))))


def _has_text(attachment: Any) -> bool:
    return isinstance(attachment, dict) and isinstance(attachment.get("text"), str)


SLACK = Format(
    name="slack",
    title="messages of a Slack export",
    kind="message",
    signs=(
        "ts type=message",
        "ts type=message text user",
        "ts type=message text bot_id",
        "ts type=message text thread_ts",
    ),
    read=each(_message),
    docs="https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports",
    ids="thread_ts, else ts",
    users="user",
    times="ts",
    speech="messages of people (user) and of apps (assistant)",
    silent="notices such as joins, files",
)
