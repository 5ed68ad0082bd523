"""One setting: its name in the environment, its meaning, and the reader of its text."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cpa_core.errors import SettingsError

ROLES = ("user", "assistant", "system", "tool", "tool_call", "reasoning", "attachment", "other")
"""The roles that `--roles` can assign to a word; `other` is kept as it is, and nobody tags it."""
MAPPED = (
    *("conversation_id", "user_id", "role", "content", "timestamp", "message_id", "messages", "input", "output"),
    *("id", "user", "system", "conversations", "contents", "from", "value", "parts", "metadata", "inputs", "outputs"),
    *("sessionId", "traceId", "userId", "startTime", "endTime", "session_id", "trace_id", "thread_id"),
)
"""The names that `--map` accepts: our words, and the keys under which formats keep ids, times and speech."""
RUN_ON = re.compile(rf"[|;&\s]\s*({'|'.join(MAPPED)})\s*=")
"""A further pair within the path of another, behind another separator than the comma."""
LEAST_MEGABYTES = 200
"""Below this DuckDB cannot attach a store and sort at once."""
YES, NO = ("yes", "true", "1"), ("no", "false", "0")


class Reader(NamedTuple):
    """How a text becomes a value. `kind` completes "it must be ..."; `read` raises ValueError for any other text.

    `write` returns a text that `read` turns into the same value; null where `shown` does.
    """

    kind: str
    read: Callable[[str], Any]
    choices: tuple[str, ...] = ()
    write: Callable[[Any], str] | None = None


class Setting(NamedTuple):
    """The facts about a setting that its field's type and default do not give.

    `help` is one sentence, and stands in `--help` too; `more` continues it where there is room. `also` are names that
    are read where `name` is unset. `example` is what `.env.example` shows where the default shows nothing useful.
    `reader` is null if the field's type has a reader. `default` says the default in words, where several fields have
    the name and their defaults differ.
    """

    name: str
    group: str
    help: str
    more: str = ""
    reader: Reader | None = None
    also: tuple[str, ...] = ()
    example: str = ""
    flag: str = ""
    default: str = ""


class Because(ValueError):
    """Why a text cannot be read, in words for the person who wrote it."""


def text_of(setting: Setting, texts: Mapping[str, str]) -> tuple[str, str]:
    """The name that is set, and its text; the text is empty where none is."""
    for name in (setting.name, *setting.also):
        if text := texts.get(name, "").strip():
            return name, text
    return setting.name, ""


def value_of(name: str, text: str, reader: Reader) -> Any:
    """The value of a text. Raises SettingsError, which names the setting, its text and what it must be."""
    try:
        return reader.read(text)
    except ValueError as error:
        reason = f"; {error}" if isinstance(error, Because) and str(error) else ""
        raise SettingsError(f"{name} is {text!r}: it must be {reader.kind}{reason}") from None


def meant(word: str, known: Sequence[str]) -> str:
    """`did you mean X?` where a known word is close, else nothing."""
    near = get_close_matches(word.lower(), [one.lower() for one in known], 1)
    return next((f"did you mean {one}?" for one in known if [one.lower()] == near), "")


def reader_of(annotation: Any, setting: Setting) -> Reader:
    """The reader that a setting names, else that of its field's type."""
    if setting.reader:
        return setting.reader
    is_union = get_origin(annotation) in (Union, UnionType)
    (kind,) = (one for one in get_args(annotation) if one is not NoneType) if is_union else (annotation,)
    return one_of(*get_args(kind)) if get_origin(kind) is Literal else BY_TYPE[kind]


def one_of(*choices: str) -> Reader:
    """One word of a closed set."""

    def read(text: str) -> str:
        if text not in choices:
            raise Because(meant(text, choices))
        return text

    kind = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return Reader(kind, read, choices)


def count(least: int = 1, most: int | None = None) -> Reader:
    """A whole number within bounds, both inclusive."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            raise ValueError
        return int(text)

    return Reader(f"a whole number of at least {least}{'' if most is None else f' and at most {most}'}", read)


def amount(unit: str) -> Reader:
    """A finite number above 0; a dollar sign before it is allowed."""

    def read(text: str) -> float:
        number = float(text.removeprefix("$"))
        if not 0.0 < number < float("inf"):
            raise ValueError
        return number

    return Reader(f"a number of {unit} above 0", read)


def _switch(text: str) -> bool:
    if text.lower() not in YES + NO:
        raise ValueError
    return text.lower() in YES


def _share(text: str) -> float:
    share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0.0 <= share <= 1.0:
        raise ValueError
    return share


def _size(text: str) -> str:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(MB|GB|MiB|GiB)", text, re.IGNORECASE)
    if not found:
        raise ValueError
    if float(found[1]) * (1000 if found[2][0] in "gG" else 1) < LEAST_MEGABYTES:
        raise Because(f"DuckDB needs at least {LEAST_MEGABYTES}MB")
    return f"{found[1]}{found[2]}"


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except ZoneInfoNotFoundError as error:
        raise ValueError from error
    return text


def _bucket(text: str) -> str:
    scheme, _, place = text.partition("://")
    if scheme != "s3" or not place.partition("/")[0]:
        raise ValueError
    return text


def _words(text: str) -> tuple[str, ...]:
    if ";" in text:
        raise Because("separate them by commas, not by ;")
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _regions(text: str) -> tuple[str, ...]:
    found = _words(text.upper())
    for one in found:
        if not re.fullmatch("[A-Z]{2}", one):
            raise Because(f"{one!r} is no country's two letters")
    return found


def _web(text: str) -> str:
    scheme, _, place = text.partition("://")
    if scheme not in ("http", "https") or not place.strip("/"):
        raise ValueError
    return text


def _pairs(text: str) -> dict[str, str]:
    """`role=sender,content=message.text`: where each of our words stands."""
    pairs = [(word.strip(), path.strip()) for word, _, path in (pair.partition("=") for pair in _words(text))]
    if not all(map(all, pairs)):
        raise ValueError
    for word, _ in pairs:
        if word not in MAPPED:
            raise Because(f"{word!r} is no word of ours; {meant(word, MAPPED)}".removesuffix("; "))
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Because("a word is named twice")
    for word, path in pairs:
        if ran_on := RUN_ON.search(path):
            raise Because(f"{word}={path!r} holds a second pair, {ran_on[1]}=...: separate pairs by commas")
    return found


def _roles(text: str) -> dict[str, str]:
    """`user=customer|guest,assistant=agent`: our role for each word, letter case aside."""
    named: dict[str, str] = {}
    for pair in _words(text):
        role, _, words = (part.strip() for part in pair.partition("="))
        if role not in ROLES:
            raise Because(f"{role!r} is none of {', '.join(ROLES)}; {meant(role, ROLES)}".removesuffix("; "))
        for word in _words_of(role, words):
            if named.setdefault(word, role) != role:
                raise Because(f"{word!r} is both {named[word]} and {role}")
    if not named:
        raise ValueError
    return named


def _words_of(role: str, text: str) -> list[str]:
    """The words of one role, as they are looked up. Raises Because for none, and for another pair's separator."""
    found = [one.strip().lower().replace(" ", "_").replace("-", "_") for one in text.split("|")]
    if not all(found):
        raise Because(f"{role} has no word: {role}=customer, or {role}=customer|guest for two")
    for word in found:
        if "=" in word:
            raise Because(f"{word!r} is not a name of a role: separate roles by commas, and the names of one role by |")
    return found


def _roles_text(named: Mapping[str, str]) -> str:
    """Return the text of `_roles` for these words: `user=customer|guest,assistant=agent`."""
    words: dict[str, list[str]] = {}
    for word, role in named.items():
        words.setdefault(role, []).append(word)
    return ",".join(f"{role}={'|'.join(found)}" for role, found in words.items())


def _order(text: str) -> str:
    if text.lower() not in ("dmy", "mdy"):
        raise ValueError
    return text.lower()


SHARE = Reader("a share, as in 0.01 or 1%", _share)
SIZE = Reader("a size, as in 500MB or 2GB", _size)
TIMEZONE = Reader("a time zone, as in Europe/Paris", _timezone)
BUCKET = Reader("a bucket and a prefix, as in s3://bucket/reports/", _bucket)
WORDS = Reader("words, separated by commas", _words)
REGIONS = Reader("countries of two letters, as in US,DE", _regions)
WEB = Reader("an address, as in https://example.com", _web)
PAIRS = Reader("pairs, as in role=sender,content=message.text", _pairs)
SPEAKERS = Reader("pairs, as in user=customer|guest,assistant=agent", _roles, write=_roles_text)
TIMES = Reader("dmy (day first) or mdy (month first)", _order, ("dmy", "mdy"))
BY_TYPE: dict[Any, Reader] = {
    str: Reader("text", str),
    Path: Reader("a path", Path),
    bool: Reader("yes or no", _switch, ("yes", "no")),
    date: Reader("a day, as in 2026-11-22", date.fromisoformat),
}
"""The reader of a field's text, by type, if its setting names none."""


def shown(value: Any) -> str:
    """A value as a person writes it in the environment; unset is empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ",".join(f"{word}={other}" for word, other in value.items())
    if isinstance(value, tuple | list):
        return ",".join(value)
    return "" if value is None else str(value)
