"""The product's own forms: the seed tool's map of conversations, rows with our words, and tables of them.

Source: docs/start/own-data.md.
"""

from collections.abc import Callable, Iterator
from typing import Any

from cpa_core.sources import columns, conversations, fields, tables
from cpa_core.sources.files import File
from cpa_core.sources.formats import turns
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.openai_chat import conversation
from cpa_core.sources.records import Reject
from cpa_core.sources.samples import Layout

PAGE = "docs/start/own-data.md"


def _map(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    if not isinstance(tree, dict):
        raise ValueError("an object of conversations by id is needed")
    for conversation_id, one in tree.items():
        yield from conversations.conversation(file, conversation_id, one)


def _lists(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """The conversations whose messages stand under their ids. Raises ValueError for a key that may be no id."""
    words = [key for key, messages in tree.items() if isinstance(messages, list) and not any(map(str.isdigit, key))]
    if words:
        raise ValueError(
            f"a list of messages stands under {words[0][:40]}: if that is no id of a conversation, say "
            f"--map messages={words[0][:40]} --format openai"
        )
    for conversation_id, messages in tree.items():
        where = f"{place}.{conversation_id}"
        if isinstance(messages, list):
            yield from conversation(file, where, {"id": conversation_id}, messages)
        else:
            yield Reject(
                where, f"a list of messages is needed, this is a {fields.kind(messages)}", conversations.raw(messages)
            )


def _row(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    yield from conversations.one_line(file, place, tree, turns.drafts_of)


def _lines(file: File) -> Iterator[columns.Found]:
    return conversations.from_lines(file, turns.drafts_of)


MAP = Format(
    name="json",
    title="conversations by id",
    kind="conversation",
    signs=("*.messages !timestamp !message",),
    read=each(_map),
    docs=PAGE,
    ids="the key",
    users="user_id",
    times="timestamp of each message",
    speech="messages of role user and assistant",
    silent="messages of other roles",
)
LISTS = MAP._replace(
    name="json_lists",
    title="lists of messages by the conversation's id",
    signs=("*.[].role *.[].content !*.[].role.S",),
    read=each(_lists),
)
ROWS = MAP._replace(
    name="jsonl",
    title="messages with the product's own words, as JSON Lines or a list",
    kind="message",
    signs=("role content conversation_id", "role content user_id", "conversation_id messages[] !messages[].role"),
    read=each(_row),
    ids="conversation_id, else session_id, thread_id, chat_id and the like, else user_id",
)
TABLES = tuple(
    ROWS._replace(name=name, title=title, signs=(), ids=f"column {ROWS.ids}")
    for name, title in (("csv", "a table"), ("tsv", "a table with tabs"), ("parquet", "a table of Parquet"))
)

OF_ROWS = frozenset({ROWS.name, *(form.name for form in TABLES)})
"""The formats of rows with our words."""

WHOLE: dict[str, tuple[Layout, Callable[[File], Iterator[columns.Found]]]] = {
    "json": ("values", conversations.from_map),
    "jsonl": ("lines", _lines),
    "csv": ("lines", tables.from_csv),
    "tsv": ("lines", tables.from_tsv),
    "parquet": ("lines", tables.from_parquet),
}
"""Forms whose files are read whole, by the column, where their records stand at the top in this layout."""
