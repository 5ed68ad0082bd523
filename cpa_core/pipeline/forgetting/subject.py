"""The subject to forget: its ids and texts, and the tests whether a text or a record mentions it."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from cpa_core.events import hashed_identity
from cpa_core.pipeline.forgetting.tombstones import Kind
from cpa_core.store.database import Row, Transaction, as_json

LEAST = 12
"""Shorter texts are common to many people: they do not identify a record's owner."""
LEAST_ID = 6
"""Shorter ids identify a record's owner only in a field for ids."""
WORDS = re.compile(r"[^\s\"',;:(){}\[\]<>/|]+")


@dataclass(frozen=True)
class Forgotten:
    """The users and conversations to forget, with their data in the database, read before it is removed.

    `ids` are those of the users, the conversations and their events. `texts` are messages and quotes of at least
    `LEAST` characters. `stones` become tombstones. `before`: what names no conversation goes when it is older.
    """

    users: tuple[str, ...]
    conversations: tuple[str, ...]
    ids: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    stones: tuple[tuple[Kind, str], ...] = ()
    before: datetime | None = None

    @cached_property
    def known_conversations(self) -> frozenset[str]:
        """The conversations, also as events name one whose id contains words, to look one up."""
        return frozenset(with_hashed(self.conversations))

    @cached_property
    def known_users(self) -> frozenset[str]:
        """The users, also as events name one whose id contains words, to look one up."""
        return frozenset(with_hashed(self.users))

    @cached_property
    def _long_ids(self) -> frozenset[str]:
        return frozenset(one for one in self.ids if len(one) >= LEAST_ID)

    def names(self, text: str) -> bool:
        """Return whether a string of a record is one of the ids, or contains one as a word.

        Ids of fewer than `LEAST_ID` characters do not count: a number is in many records.
        """
        told = self._long_ids
        return any(one in told for one in strings_in(text)) or any(one in told for one in WORDS.findall(text))

    def mentions(self, text: str | None) -> bool:
        """Return whether a text contains one of the ids or one of the texts, or quotes one.

        It is for records without a conversation id; for others, `names` alone decides.
        """
        return bool(text) and (self.names(text or "") or any(self._says(leaf) for leaf in strings_in(text or "")))

    def _says(self, leaf: str) -> bool:
        if len(leaf) < LEAST:
            return False
        return any(said in leaf or leaf in said for said in self.texts)


def with_hashed(names: Iterable[str]) -> Iterator[str]:
    """Yield ids, each also as it leaves with an event where it contains words of a message."""
    for name in names:
        yield name
        yield hashed_identity(name)


def strings_in(text: str) -> Iterator[str]:
    """The text itself, its parts between `: `, and every string of it where it is JSON."""
    yield text
    yield from text.split(": ")
    try:
        yield from _leaves(json.loads(text))
    except (ValueError, RecursionError):
        return


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)


def subject_of(view: Transaction, users: tuple[str, ...], conversations: tuple[str, ...]) -> Forgotten:
    """Return all data of these users and conversations in the database.

    A user's conversations are included as a whole.
    """
    asked = {"users": as_json(with_hashed(users)), "conversations": as_json(with_hashed(conversations))}
    found = {*conversations, *(row["conversation_id"] for row in view.answer("forgetting/conversations_of", **asked))}
    names = tuple(sorted(found - {hashed_identity(name) for name in found}))
    rows = view.answer("forgetting/words_of", ids=as_json(with_hashed(names)))
    events = {row["id"] for row in rows if row["id"]}
    texts = {row["words"].strip() for row in rows if row["words"]}
    said = tuple(sorted(text for text in texts if len(text) >= LEAST))
    known = Forgotten(users, names, frozenset({*users, *names, *events}), said)
    return Forgotten(users, names, known.ids, said, tuple(_stones(view, known)))


def _stones(view: Transaction, subject: Forgotten) -> Iterator[tuple[Kind, str]]:
    """Yield the kinds and texts that must not land again."""
    ids = as_json(subject.conversations)
    made = view.answer("forgetting/made_conversations", ids=ids)
    for row in made:
        yield "beginning", f"{row['basis']} {row['link']}"
    own_name = {row["conversation_id"] for row in made}
    for user in subject.users:
        yield "user", user
    for name in subject.conversations:
        if name not in own_name:
            yield "conversation", name
    for row in view.answer("forgetting/traces_of", ids=ids):
        yield "conversation", row["trace_id"]  # alone, it would land as a conversation of its own
    for row in view.answer("forgetting/messages_by_user", ids=ids):
        yield "message", message_key(row)
    for row in rejects_of(view, subject):
        yield "reject", row["raw"] or row["place"]
    for uri in objects_of(view, subject):
        yield "object", uri


def message_key(row: Row) -> str:
    """Return the key of a message that has a user but no conversation id."""
    return f"{row['user_id']} {row['sent_at'].timestamp():.6f} {row['content']}"


def rejects_of(view: Transaction, subject: Forgotten) -> list[Row]:
    """The rejected records that mention the subject."""
    rows = view.answer("forgetting/rejects")
    return [row for row in rows if any(subject.mentions(row[name]) for name in ("raw", "place", "reason"))]


def objects_of(view: Transaction, subject: Forgotten) -> list[str]:
    """Return the source's objects that are named by an id and contain nobody else's data."""
    rows = view.answer("forgetting/objects_of_them_alone", ids=as_json(subject.conversations))
    return [row["uri"] for row in rows if subject.ids & set(names_of_object(row["uri"]))]


def names_of_object(uri: str) -> tuple[str, str]:
    """Return the possible names of an object: the last part of its address, with and without its extensions."""
    name = re.split(r"[/#]", uri)[-1]
    return name, name.partition(".")[0]
