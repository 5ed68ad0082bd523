"""One file to be cut into records: its name, its bytes, and what its words are called here."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

from cpa_core.sources import roles
from cpa_core.sources.times import Order


class File(NamedTuple):
    """One file. `names` gives our word for each of its own that differs (`sender` -> `role`).

    `form` is the format where a person named it, `zone` that of times that are written without one. `roles` has our
    role for each word that a person named, `times` the order of day and month in 03/02/2026.
    """

    name: str
    content: bytes
    names: Mapping[str, str] = {}
    form: str | None = None
    zone: tzinfo = UTC
    roles: Mapping[str, str] = {}
    times: Order | None = None

    def ours(self, word: str) -> str:
        """What a column or key is called here."""
        return self.names.get(word, word)

    def role(self, word: str) -> str:
        """Our role for a word of this file. Reading applies it to every message at the end, whatever the format."""
        return roles.ours(word, self.roles)

    def translated(self, tree: Any) -> Any:
        """An object with our words for its keys; anything else as it is."""
        if not self.names or type(tree) is not dict:  # an object with a repeating key is refused as it is
            return tree
        return {self.ours(key): value for key, value in tree.items()}
