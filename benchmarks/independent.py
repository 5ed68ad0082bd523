"""What is in a transcript, read by nothing of ours: the words of every message, and how many lines are none."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """Messages as (conversation id, message id or nothing, text); `bad` counts records that are not messages."""

    messages: list[tuple[str, str, str]]
    bad: int


def csv_rows(text: str) -> Iterator[list[str] | None]:
    """The rows of RFC 4180, character by character; None for one with a quote out of place, and then the next line."""
    at, size = 0, len(text)
    while at < size:
        row, at = _row(text, at)
        if row != [""]:
            yield row


def _row(text: str, at: int) -> tuple[list[str] | None, int]:
    fields: list[str] = []
    while True:
        if text[at : at + 1] == '"':
            end = at + 1
            while (end := text.find('"', end)) != -1 and text[end : end + 2] == '""':
                end += 2
            if end == -1:
                return None, len(text)
            field, at = text[at + 1 : end].replace('""', '"'), end + 1
            if text[at : at + 1] not in ("", ",", "\r", "\n"):
                return None, _after_line(text, at)
        else:
            end = min((n for mark in ",\r\n" if (n := text.find(mark, at)) != -1), default=len(text))
            field, at = text[at:end], end
        fields.append(field)
        if text[at : at + 1] == ",":
            at += 1
            continue
        return fields, _after_line(text, at)


def _after_line(text: str, at: int) -> int:
    end = min((n for mark in "\r\n" if (n := text.find(mark, at)) != -1), default=len(text))
    return end + (2 if text[end : end + 2] == "\r\n" else 1)


def of_csv(text: str) -> Seen | None:
    """A CSV by its header; None where there is none."""
    header, *rows = csv_rows(text) if text else [None]
    if header is None or not {"role", "content", "conversation_id"} <= {name.strip() for name in header}:
        return None
    names = [name.strip() for name in header]
    good = [dict(zip(names, row, strict=True)) for row in rows if row is not None and len(row) == len(names)]
    return _seen(good, len(rows) - len(good))


def of_lines(text: str) -> Seen | None:
    """A message or a conversation on each line."""
    found: list[Any] = []
    bad = 0
    for line in text.split("\n"):
        if line.strip():
            try:
                tree = json.loads(line)
            except (ValueError, RecursionError):
                bad += 1
                continue
            name = tree.get("id", tree.get("conversation_id")) if isinstance(tree, dict) else None
            listed = tree.get("messages") if isinstance(tree, dict) else None
            found += [_named(name, one) for one in listed] if isinstance(listed, list) else [tree]
    return _seen(found, bad)


def of_map(text: str) -> Seen | None:
    """Conversations by id; None where it is not JSON."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, dict):
        return None
    each = [(name, one.get("messages")) for name, one in tree.items() if isinstance(one, dict)]
    found = [_named(name, message) for name, messages in each if isinstance(messages, list) for message in messages]
    return _seen(found, len(tree) - len(each))


def of_list(text: str) -> Seen | None:
    """A list of conversations; None where it is not JSON."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, list):
        return None
    each = [one for one in tree if isinstance(one, dict) and isinstance(one.get("messages"), list)]
    found = [_named(one.get("id"), message) for one in each for message in one["messages"]]
    return _seen(found, len(tree) - len(each))


def _named(name: Any, message: Any) -> Any:
    return {**message, "conversation_id": str(name)} if isinstance(message, dict) else message


def _seen(found: list[Any], bad: int) -> Seen:
    """Records as messages; of several under one id of one conversation, the first."""
    messages: dict[Any, tuple[str, str, str]] = {}
    for n, one in enumerate(found):
        text = one.get("content") if isinstance(one, dict) else None
        if not isinstance(text, str):
            bad += 1
            continue
        conversation, given = str(one.get("conversation_id", "")), str(one.get("message_id") or "")
        messages.setdefault((conversation, given) if given.strip() else n, (conversation, given, text))
    return Seen(list(messages.values()), bad)


READERS: dict[str, Callable[[str], Seen | None]] = {
    "a.csv": of_csv,
    "a.csv.gz": of_csv,
    "a.jsonl": of_lines,
    "chats.jsonl": of_lines,
    "a.json": of_map,
    "chats.json": of_list,
}
