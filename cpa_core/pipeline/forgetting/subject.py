"""Whom or what a home is to forget: the ids and texts of it, and whether a text or a record mentions it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cpa_core.pipeline.forgetting.tombstones import Kind
from cpa_core.store.database import Row, Transaction, as_json

LEAST = 12
"""Shorter texts are what many people say: they do not show whose a record is."""
LEAST_ID = 6
"""Shorter ids tell whose a record is only in a field that is known to hold them."""
WORDS = re.compile(r"[^\s\"',;:(){}\[\]<>/|]+")


@dataclass(frozen=True)
class Forgotten:
    """The users and conversations to forget, with what the database says of them while it still does.

    `ids` are those of the users, the conversations and their events. `texts` are messages and quotes of at least
    `LEAST` characters. `stones` become tombstones.
    """

    users: tuple[str, ...]
    conversations: tuple[str, ...]
    ids: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    stones: tuple[tuple[Kind, str], ...] = ()

    def names(self, text: str) -> bool:
        """Whether a string of a record is one of the ids, or one of the ids stands in it as a word.

        Ids of fewer than `LEAST_ID` characters do not count: a number is in many records.
        """
        told = {one for one in self.ids if len(one) >= LEAST_ID}
        return bool(told.intersection(strings_in(text)) or told.intersection(WORDS.findall(text)))

    def mentions(self, text: str | None) -> bool:
        """Whether a text names one of the ids, says one of the texts, or quotes it.

        For records that say of no conversation that they are about it: of others, `names` alone decides.
        """
        return bool(text) and (self.names(text or "") or any(self._says(leaf) for leaf in strings_in(text or "")))

    def _says(self, leaf: str) -> bool:
        if len(leaf) < LEAST:
            return False
        return any(said in leaf or leaf in said for said in self.texts)


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
    """Everything that the database knows of these users and conversations. A user's conversations go as a whole."""
    found = view.answer("forgetting/conversations_of", users=as_json(users), conversations=as_json(conversations))
    names = tuple(sorted({*conversations, *(row["conversation_id"] for row in found)}))
    rows = view.answer("forgetting/words_of", ids=as_json(names))
    events = {row["id"] for row in rows if row["id"]}
    texts = {row["words"].strip() for row in rows if row["words"]}
    said = tuple(sorted(text for text in texts if len(text) >= LEAST))
    known = Forgotten(users, names, frozenset({*users, *names, *events}), said)
    return Forgotten(users, names, known.ids, said, tuple(_stones(view, known)))


def _stones(view: Transaction, subject: Forgotten) -> Iterator[tuple[Kind, str]]:
    """What must not land again."""
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
    for row in view.answer("forgetting/messages_by_user", ids=ids):
        yield "message", message_key(row)
    for row in rejects_of(view, subject):
        yield "reject", row["raw"] or row["place"]
    for uri in objects_of(view, subject):
        yield "object", uri


def message_key(row: Row) -> str:
    """What a message is known by where only its user is given."""
    return f"{row['user_id']} {row['sent_at'].timestamp():.6f} {row['content']}"


def rejects_of(view: Transaction, subject: Forgotten) -> list[Row]:
    """The rejected records that mention the subject."""
    rows = view.rows("select uri, place, reason, raw from rejected_records")
    return [row for row in rows if any(subject.mentions(row[name]) for name in ("raw", "place", "reason"))]


def objects_of(view: Transaction, subject: Forgotten) -> list[str]:
    """The objects of the source that are named by an id and hold nothing of anybody else."""
    rows = view.answer("forgetting/objects_of_them_alone", ids=as_json(subject.conversations))
    return [row["uri"] for row in rows if subject.ids & set(names_of_object(row["uri"]))]


def names_of_object(uri: str) -> tuple[str, str]:
    """What an object may be named by: the last part of its address, with and without what follows the first point."""
    name = re.split(r"[/#]", uri)[-1]
    return name, name.partition(".")[0]
