"""The prompts: one Markdown file a task, a static part and a part per conversation, divided by a line of `===`."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files
from string import Template
from typing import Literal

from cpa_core.models import Message

Task = Literal["tag", "judge", "propose", "consolidate", "suggest"]


@cache
def words(task: Task) -> str:
    """The file of a task as it stands."""
    return files(__package__).joinpath(f"{task}.md").read_text("utf-8")


def prompt_id(task: Task) -> str:
    """Twelve hex digits of a hash of the prompt's words, stored with every answer."""
    return hashlib.sha256(words(task).encode()).hexdigest()[:12]


def render(task: Task, static: dict[str, str], dynamic: dict[str, str]) -> tuple[str, str]:
    """The system and the user text. Each part must be given exactly its names, else ValueError."""
    return _static(task, tuple(static.items())), _fill(task, 1, dynamic)


@lru_cache(maxsize=32)
def _static(task: Task, names: tuple[tuple[str, str], ...]) -> str:
    """The same for all conversations of a day, and long: written once."""
    return _fill(task, 0, dict(names))


def _fill(task: Task, part: int, names: dict[str, str]) -> str:
    template, wanted = _templates(task)[part]
    if wanted != set(names):
        raise ValueError(f"prompt {task}: names {sorted(names)} given, {sorted(wanted)} wanted")
    return template.substitute(names)


@cache
def _templates(task: Task) -> list[tuple[Template, set[str]]]:
    parts = [Template(part.strip()) for part in words(task).split("\n===\n")]
    return [(part, set(part.get_identifiers())) for part in parts]


def transcript(messages: Iterable[Message]) -> str:
    """One JSON object a line. `<` and line separators are escaped, so no message can end its fence or line."""
    return "\n".join(line(m.position, m.role, m.content) for m in messages)


def line(position: int, role: str, text: str) -> str:
    """One message as the model reads it."""
    written = json.dumps({"m": position, "role": role, "text": text}, ensure_ascii=False)
    for character in ("<", "\u0085", "\u2028", "\u2029"):
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written
