"""Rows of a table saved as JSON: where the keys of a format stand in JSON that is the text of others, it is opened."""

import json
from typing import Any

import pytest

from tests.formats.reading import AT, BOTH, HISTORY, lines, said, told

CHAT = {"id": "x", "timestamp": AT, "messages": HISTORY[:2]}
GEMINI = [{"role": role, "parts": [{"text": text}]} for role, text in (("user", "hi"), ("model", "ho"))]
ROWS: dict[str, dict[str, Any]] = {
    "openai": CHAT,
    "gemini": {"id": "x", "timestamp": AT, "contents": GEMINI},
    "chat_dataset": {"conversation_hash": "x", "timestamp": AT, "conversation": HISTORY[:2]},
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_column_of_json_is_read_as_what_it_says(row: dict[str, Any]) -> None:
    texts = {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()}
    for file in (lines(texts), json.dumps([texts]), json.dumps({"data": [texts]})):
        assert said(file) == {"x": BOTH}


def test_an_answer_of_parts_in_open_webui_says_nothing_of_its_reasoning() -> None:
    hidden = '<details type="reasoning" done="true">\n<summary>Thought</summary>\n> hmm\n</details>\nho'
    parts = [{"type": "text", "text": hidden}]
    listed = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": parts}]
    chat = {"id": "w", "user_id": "u", "title": "t", "created_at": 1772442000, "chat": {"messages": listed}}
    assert told([chat]) == [BOTH]
