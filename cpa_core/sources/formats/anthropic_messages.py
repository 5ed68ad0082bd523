"""Requests of Anthropic's Messages API: a system prompt as text or blocks, and messages whose content is blocks.

Source: https://docs.anthropic.com/en/api/messages. A `tool_result` stands under role user and is no user's speech.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources.files import File
from cpa_core.sources.formats.form import each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation, listed
from cpa_core.sources.records import Reject, SourceRecord


def _request(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    given = tree.get("metadata") if isinstance(tree, dict) else None
    user = given.get("user_id") if isinstance(given, dict) else None
    named = {**tree, "user_id": user} if user and "user_id" not in tree else tree
    return conversation(file, place, named, listed(tree, "messages"), tree.get("system"))


ANTHROPIC = OPENAI._replace(
    name="anthropic",
    title="requests of Anthropic's Messages API",
    signs=(
        "messages[].role messages[].content system",
        "messages[].content[].type=tool_use|tool_result|thinking messages[].role",
    ),
    read=each(_request),
    docs="https://docs.anthropic.com/en/api/messages",
    users="user_id, user or metadata.user_id",
)
