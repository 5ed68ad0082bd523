"""Explaining a file: the recognised format, the reason, and the first conversation as it would land.

Nothing is stored.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from cpa_core.errors import SourceError
from cpa_core.sources import columns
from cpa_core.sources.files import File
from cpa_core.sources.formats import FORMATS, hints, opened, own, prepared, read_together, recognition
from cpa_core.sources.formats.form import Format
from cpa_core.sources.records import Record, Reject
from cpa_core.sources.sessions import key_of_row
from cpa_core.sources.shapes import fits


class Recognised(NamedTuple):
    """The format recognised in a file.

    `sign` is the condition on its keys that decided; empty if a name or ending did. `route` is the place of the records
    in the file. `keys` are the paths that occur in the first of them; empty where they cannot be read.
    """

    holds: str
    form: Format
    route: str
    sign: str
    keys: Sequence[str]


class Explained(NamedTuple):
    """How a file would land.

    `messages` counts by role. `field` looks like the time, where it is missing. `first` is the first conversation.
    """

    form: Format
    notes: Sequence[str]
    conversations: int
    messages: Mapping[str, int]
    rejects: Sequence[Reject]
    untimed: bool
    field: str | None
    first: Sequence[Record]


def recognised(file: File) -> Recognised:
    """Return the format of a file, also of one whose records cannot be read. Raises SourceError if it has none."""
    ready, _ = prepared(file)
    chosen = recognition.choice(ready, FORMATS)
    try:
        sign, keys = "" if file.form else _sign(ready, chosen), hints.keys(ready, chosen)
    except SourceError:
        sign, keys = "", []
    route = "".join(step if step == "[]" else f".{step}" for step in chosen.route).lstrip(".")
    return Recognised(chosen.holds, chosen.form, route, sign, keys)


def explained(file: File, midnight: datetime) -> Explained:
    """How a file would land, as the only one in an empty home. `midnight` serves messages without times.

    Raises SourceError where the file cannot be read.
    """
    ready, notes = prepared(file)
    chosen = recognition.choice(ready, FORMATS)
    batch = read_together([opened(file, midnight)])[0]
    records = sorted(columns.rows(batch.records, Record), key=lambda one: one.ordinal)
    first = [one for one in records if one.conversation_id == records[0].conversation_id]
    if chosen.envelope:
        notes = (*notes, f"its records stand in the field {chosen.envelope} of lines of a log or messages of a queue")
    notes = (*notes, *_conversations(ready, chosen, records))
    untimed = any(one.time_assumed for one in records)
    return Explained(
        form=chosen.form,
        notes=notes,
        conversations=len({one.conversation_id for one in records}),
        messages=dict(Counter(one.role for one in records).most_common()),
        rejects=batch.rejects,
        untimed=untimed,
        field=hints.time_field(ready, chosen) if untimed else None,
        first=sorted(first, key=lambda one: (one.sent_at, one.ordinal)),
    )


def _conversations(file: File, chosen: recognition.Choice, records: Sequence[Record]) -> Iterator[str]:
    """A note on what names the conversations of rows, where that is not `conversation_id`."""
    if chosen.form.name not in own.OF_ROWS or not records:
        return
    trees = [tree for tree in map(file.mapped, hints.records(file, chosen)) if isinstance(tree, dict)]
    keys = {key_of_row(tree, sessions=file.sessions.of_rows) for tree in trees} - {"conversation_id", "user_id"}
    named = [f"{', '.join(sorted(keys))} names its conversations"] if keys else []
    by_user = sum(one.by_user for one in records)
    if by_user:
        named.append(f"{by_user:,} of its messages name no conversation or session: those of a user are one")
    yield from [f"{file.name}: {'; '.join(named)}"] if named else []


def _sign(file: File, chosen: recognition.Choice) -> str:
    """The condition that the first record meets with most of its keys."""
    trees = islice(chosen.records(file), 1)
    met = [(fits(one[1], sign), sign) for one in trees if not isinstance(one, Reject) for sign in chosen.form.signs]
    return max(met, default=(0, ""))[1] if any(weight for weight, _ in met) else ""
