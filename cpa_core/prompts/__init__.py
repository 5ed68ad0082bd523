"""The prompts: one Markdown file a task, a static part and a part per conversation, divided by a line of `===`."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from string import Template
from typing import Literal

from cpa_core.models import Message

Task = Literal["tag", "judge", "propose", "consolidate", "suggest", "promote", "describe"]

Prompt = Task | Literal["propose_more", "judge_intent", "tell_apart"]
"""A file of words. A task may have several: later batches of a proposal, the judge's intents, the check of names."""


@cache
def words(task: Prompt) -> str:
    """The file of a task as it stands."""
    return files(__package__).joinpath(f"{task}.md").read_text("utf-8")


def prompt_id(*prompts: Prompt) -> str:
    """Return twelve hex digits of a hash of the prompts' words. Several prompts that are asked as one have one id.

    Every answer is stored with this id.
    """
    return hashlib.sha256("".join(map(words, prompts)).encode()).hexdigest()[:12]


def render(task: Prompt, static: dict[str, str], dynamic: dict[str, str]) -> tuple[str, str]:
    """The system and the user text. Raises ValueError unless each part is given exactly its names."""
    return _static(task, tuple(static.items())), _fill(task, 1, dynamic)


@lru_cache(maxsize=32)
def _static(task: Prompt, names: tuple[tuple[str, str], ...]) -> str:
    """Return the system text. It is long and the same for all conversations of a day, so it is cached."""
    return _fill(task, 0, dict(names))


def _fill(task: Prompt, part: int, names: dict[str, str]) -> str:
    template, wanted = _templates(task)[part]
    if wanted != set(names):
        raise ValueError(f"prompt {task}: names {sorted(names)} given, {sorted(wanted)} wanted")
    return template.substitute(names)


@cache
def _templates(task: Prompt) -> list[tuple[Template, set[str]]]:
    parts = [Template(part.strip()) for part in words(task).split("\n===\n")]
    return [(part, set(part.get_identifiers())) for part in parts]


ESCAPED = re.compile("[\\\\<\x00-\x1f\x7f\x85\u2028\u2029]")
"""Characters that could end a line or a fence, and the backslash that escapes them."""
SPOKEN = re.compile(r"(\d+) ([^:]*): (.*)")
RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def transcript(messages: Iterable[Message]) -> str:
    """One line a message.

    Characters that could end a line or a fence are escaped, so no message can pose as another.
    """
    return "\n".join(line(m.position, m.role, m.content) for m in messages)


def line(position: int, role: str, text: str) -> str:
    """One message as the model reads it: `12 user: text`, escaped as in JSON."""
    return f"{position} {escaped(role).replace(':', chr(92) + 'u003a')}: {escaped(text)}"


def json_line(row: Mapping[str, object]) -> str:
    """Return a JSON object on one line; `<` and separators of lines are escaped, so that its texts end no fence."""
    written = json.dumps(row, ensure_ascii=False)
    return re.sub("[<\u0085\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", written)


def escaped(text: str) -> str:
    """Return the text on one line and without `<`: characters that would break the line are escaped as in JSON."""
    return ESCAPED.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return "\\u003c" if character == "<" else json.dumps(character)[1:-1]


def spoken(row: str) -> tuple[int, str, str] | None:
    """Position, role and text of a line of a transcript; null for any other line."""
    found = SPOKEN.fullmatch(row)
    return (int(found[1]), _plain(found[2]), _plain(found[3])) if found else None


def _plain(text: str) -> str:
    said: str = json.loads('"' + text.replace('"', '\\"') + '"')
    return said


def known(context: Iterable[tuple[str, str]]) -> str:
    """Return a conversation's context beside its messages, in a fence of its own; empty if there is none."""
    rows = "\n".join(f"{escaped(name)}: {escaped(value)}" for name, value in context)
    return f"<context>\n{rows}\n</context>\n" if rows else ""


def ranges(positions: Iterable[int]) -> str:
    """Numbers in ascending order, runs as ranges: `0-12, 14`."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][-1] + 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return ", ".join(f"{run[0]}-{run[-1]}" if run[1:] else str(run[0]) for run in runs)


def numbers(text: str) -> list[int]:
    """The numbers that `ranges` has written."""
    found = [(int(one[1]), int(one[2] or one[1])) for one in RANGE.finditer(text)]
    return [position for first, last in found for position in range(first, last + 1)]
