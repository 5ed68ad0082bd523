"""A format: the signs by which it is recognised, the kind of its records, and their reader."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.records import Reject, SourceRecord, moment
from cpa_core.sources.trees import Placed, Trees

Kind = Literal["conversation", "call", "message", "none"]
"""The kind of a record: a whole conversation, a call of a model that may repeat earlier messages, or one message.

`none`: the file holds no conversation.
"""

Found: TypeAlias = Iterator[columns.Found]
Reader: TypeAlias = Callable[[File, Trees], Found]


NAMED = ("conversation_id", "user_id", "timestamp")
"""Words of a record by which a person overrides what its format has."""


def _named(file: File, tree: Any, record: SourceRecord) -> SourceRecord:
    """A record with the conversation, user and start that a person named, whatever its format has for them."""
    given = {word: tree[word] for word in NAMED if word in file.names and word in tree}
    changes: dict[str, Any] = {word: fields.identity(word, given[word]) for word in given if word != "timestamp"}
    if "timestamp" in given:
        changes["started_at"], changes["zone_assumed"] = moment(given["timestamp"], file.zone)
    return record._replace(**{word: value for word, value in changes.items() if value is not None})


NOT_OF_THE_FORM = (TypeError, AttributeError, KeyError, IndexError)


class Format(NamedTuple):
    """One format. `signs` are conditions on the keys of a record (see `shapes`); the one with most decides.

    `ids`, `users`, `times`, `speech` and `silent` say for people where each comes from, and what is no speech.
    `docs` is the page that the format was built from. `texts` are the columns of a table that hold words of a message:
    JSON in them is what somebody wrote.
    """

    name: str
    title: str
    kind: Kind
    signs: tuple[str, ...]
    read: Reader
    docs: str
    ids: str = ""
    users: str = ""
    times: str = ""
    speech: str = ""
    silent: str = ""
    texts: frozenset[str] = frozenset()


def each(make: Callable[[File, str, Any], Iterable[columns.Found]]) -> Reader:
    """A reader of records that stand for themselves, out of one that reads a single record.

    A record that is not of the form (ValueError) is a reject with the reason. So is one in which an object stands for a
    list, or the like: it must stop no other.
    """

    def read(file: File, records: Iterable[Placed | Reject]) -> Found:
        for one in records:
            if isinstance(one, Reject):
                yield one
                continue
            place, tree = one
            try:
                for found in make(file, place, tree):
                    yield _named(file, tree, found) if file.names and isinstance(found, SourceRecord) else found
            except ValueError as error:
                yield Reject(place, str(error), raw(tree))
            except NOT_OF_THE_FORM as error:
                yield Reject(place, f"not of this form ({type(error).__name__})", raw(tree))

    return read


def attempted(file: File, placed: Placed, make: Callable[[File, str, Any], Iterable[columns.Found]]) -> Found:
    """The values read from one record, or a reject with the rule that it breaks: see `each`."""
    return each(make)(file, [placed])
