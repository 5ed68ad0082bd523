"""The chat history of aider, a Markdown file: a heading begins each session, and marks begin the lines of each speaker.

Sources: https://aider.chat/docs/config/options.html (`--chat-history-file`, `.aider.chat.history.md`),
https://github.com/Aider-AI/aider (aider/io.py, `append_chat_history`: lines of the user begin with `#### `, those of
the program with `> `, and both end with two spaces; aider/utils.py, `split_chat_history_markdown`). Times have no zone.
"""

import json
import re
from collections.abc import Iterator
from itertools import groupby

from cpa_core.sources.contents import loaded
from cpa_core.sources.files import File

NAMES = re.compile(r"(?:^|/)[^/]*chat\.history\.md$", re.IGNORECASE)
"""Names of histories: `.aider.chat.history.md`, and those that `--chat-history-file` names alike."""

BEGIN = re.compile(r"# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*$")
ENDING = "  "
"""Every line that the user or the program has ends so: a heading or a quotation of the assistant's does not."""

ASKING = re.compile(r"/(?:ask|code|architect|context|help|chat-mode \w+)\s+(.*)", re.DOTALL)
"""Commands with words for the assistant behind them; any other is one to the program."""


def is_history(file: File) -> bool:
    """Whether a Markdown file begins as a history of aider's does."""
    if not file.name.lower().removesuffix(".gz").endswith(".md"):
        return False
    text = loaded(file.content)[:1024].decode("utf-8", "replace").lstrip("\ufeff \r\n")
    return BEGIN.match(text.split("\n", 1)[0]) is not None


def as_json(file: File) -> bytes:
    """A history as JSON: `[{"aider": true, "started": TIME, "messages": [{"role", "content"}, ...]}, ...]`."""
    lines = loaded(file.content).decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if begun := BEGIN.match(line):
            found.append((begun[1], []))
        elif found:
            found[-1][1].append(line)
    sessions = ({"aider": True, "started": began, "messages": list(_messages(said))} for began, said in found)
    return json.dumps(list(sessions)).encode()


def _begins(line: str) -> bool:
    return line.startswith(("#### ", "> "))


def _speaker(line: str, *, marked: bool) -> str:
    if not _begins(line) or (marked and not line.endswith(ENDING)):
        return "assistant"
    return "user" if line[0] == "#" else "system"


def _messages(lines: list[str]) -> Iterator[dict[str, str]]:
    """The messages of one session. Where some editor took the ends of lines away, their beginnings decide alone."""
    marked = any(_begins(line) and line.endswith(ENDING) for line in lines)
    for who, group in groupby(lines, key=lambda line: _speaker(line, marked=marked)):
        written = "\n".join(line if who == "assistant" else line.lstrip("#>").strip() for line in group).strip("\n")
        role, text = _of_user(written) if who == "user" else (who, written)
        if text.strip():
            yield {"role": role, "content": text}


def _of_user(text: str) -> tuple[str, str]:
    """The role and text of lines that a user typed: words for the assistant, or a command to the program."""
    if text == "<blank>":
        return "system", ""
    if asked := ASKING.fullmatch(text):
        return "user", asked[1]
    return ("system" if text.startswith(("/", "!")) else "user"), text
