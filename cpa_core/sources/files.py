"""One file to be cut into records: its name, its bytes, and what its words are called here."""

from collections.abc import Iterable, Mapping, MutableMapping, MutableSet, Sequence
from datetime import UTC, tzinfo
from typing import Any, NamedTuple, Protocol

from cpa_core.sources import mapping, roles
from cpa_core.sources.contents import Content
from cpa_core.sources.times import Order


class Owning(Protocol):
    """The users of sessions: see `owners`."""

    def others(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The conversations of those users who are not the first of their session."""


class Sessions(NamedTuple):
    """Where `session_id` and the like name the conversation: beside lists of messages, and in rows.

    They do not in a home that landed such files before they were read. `owners` are the users whom the home knows.
    """

    of_lists: bool = True
    of_rows: bool = True
    owners: Owning | None = None


class File(NamedTuple):
    """One file. `names` has the path at which each word of ours stands (`role` -> `sender`): see `mapping`.

    `form` is the format where a person named it, `zone` that of times that are written without one. `roles` has our
    role for each word that a person named, `times` the order of day and month in 03/02/2026. `matched` takes in the
    words of `names` that were found. `sessions` says how `session_id` and the like are read. `continues`: it continues
    rows that were read before, so it may contain no usable row. `turns` takes in the messages that were read, for later
    records repeat them.
    """

    name: str
    content: Content
    names: Mapping[str, str] = {}
    form: str | None = None
    zone: tzinfo = UTC
    roles: Mapping[str, str] = {}
    times: Order | None = None
    matched: MutableSet[str] | None = None
    sessions: Sessions = Sessions()
    continues: bool = False
    turns: MutableMapping[bytes, Any] | None = None

    def ours(self, key: str) -> str:
        """Return our word for a column or key."""
        word = mapping.column(key, self.names)
        if word in self.names:
            self._found().add(word)
        return word

    def is_plain(self, keys: Iterable[str]) -> bool:
        """Whether every word that is named is just one of these keys."""
        return set(self.names.values()) <= set(keys)

    def role(self, word: str) -> str:
        """Our role for a word of this file. Reading applies it to every message at the end, whatever the format."""
        return roles.ours(word, self.roles)

    def mapped(self, tree: Any) -> Any:
        """A record or row with our words where a person named them; anything else as it is."""
        return mapping.mapped(tree, self.names, self._found()) if self.names else tree

    def message(self, tree: Any) -> Any:
        """The same for one message inside a record: words of a whole conversation say nothing of it."""
        return mapping.message(tree, self.names, self._found()) if self.names else tree

    def translated(self, tree: Any) -> Any:
        """The same as `mapped`."""
        return self.mapped(tree)

    def _found(self) -> MutableSet[str]:
        return set() if self.matched is None else self.matched
