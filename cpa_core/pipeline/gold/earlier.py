"""The labels of conversations that people labelled, kept when another model, prompt or schema replaces them."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from cpa_core.gold.changing import AgreementChange, SaidLabels, agreement_changes, last_replaced
from cpa_core.gold.people import know_gold, schema_in_force
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import gold_folder, merge_gold
from cpa_core.pipeline.label.shares import DayShares
from cpa_core.schema import parse
from cpa_core.settings import Settings
from cpa_core.store.database import Row, Transaction, as_json
from cpa_core.store.ledgers import append_lines, lines_after

FILE = "replaced.jsonl"


def keep_replaced(assistant: Assistant, days: Sequence[DayShares]) -> None:
    """Append the present labels of labelled conversations that new ones by another tagger are about to replace.

    Call it before the new labels are written. Nothing is written in a home without labels by people. Raises
    LedgerNotWritten, StoreBusy, StoreNotWritten.
    """
    shares = [share for one in days for share in one.asked if share.ids]
    if not shares or not gold_folder(assistant.settings).exists():
        return
    merge_gold(assistant)
    new = {(share.task, one): share.asking.origin for share in shares for one in share.ids}
    with assistant.store.reading() as view:
        said = said_labels(view, sorted({one for _, one in new}))
    kept: list[SaidLabels] = []
    for one in said:
        origin = new.get((one.task, one.conversation_id))
        if origin and one.tagger != (origin.schema.version, origin.prompt_id, origin.model):
            kept.append(one.model_copy(update={"replaced_at": assistant.now()}))
    if kept:
        append_lines(_path(assistant.settings), [one.model_dump_json() for one in kept])


def changes_of_agreement(assistant: Assistant) -> tuple[AgreementChange, ...]:
    """Return how far labels agree with people's before and after the last change of tagger; empty without a change.

    Raises StoreBusy.
    """
    earlier = list(_replaced(assistant.settings))
    if not earlier:
        return ()
    merge_gold(assistant)
    with assistant.store.reading() as view:
        schema = schema_in_force(view)
        if schema is None:
            return ()
        know_gold(view, schema)
        return agreement_changes(view.answer("gold/measured_items"), last_replaced(earlier, said_labels(view)))


def said_labels(view: Transaction, conversations: Sequence[str] | None = None) -> list[SaidLabels]:
    """Return the present labels of labelled conversations, all or these, by the tagger and by the judge."""
    ids = None if conversations is None else as_json(conversations)
    rows = view.answer("gold/said_of_labelled", ids=ids)
    names = _Names(view) if rows else None
    by_place = groupby(rows, key=lambda row: (row["task"], row["conversation_id"]))
    return [names.said(list(of)) for _, of in by_place if names]


class _Names:
    """The keys of labels by the recorded schemas, which survive renames."""

    def __init__(self, view: Transaction) -> None:
        self._asked: dict[tuple[str, str], tuple[str, ...]] = {}
        self._keys: dict[tuple[str, str | None, str], str] = {}
        for row in view.answer("schema/versions"):
            version, (schema, _) = row["version"], parse(row["yaml"], f"schema {row['version']}")
            words = schema.criteria.goals() | schema.criteria.dealbreakers_by_id()
            self._asked["tag", version] = tuple(kind.key for kind in schema.event_types)
            self._asked["judge", version] = tuple(words.values())
            self._keys |= {(version, kind.role, kind.name): kind.key for kind in schema.event_types}
            self._keys |= {(version, None, criterion): said for criterion, said in words.items()}

    def said(self, rows: Sequence[Row]) -> SaidLabels:
        """The labels of one conversation, from its rows of one task."""
        said: dict[str, set[str]] = {}
        for row in rows:
            key = self._keys.get((row["made_by"], row["role"], row["label"]))
            if key and row["said"]:
                said.setdefault(key, set()).add(row["said"])
        names = ("task", "schema_version", "prompt_id", "model", "conversation_id", "content_hash")
        return SaidLabels(
            **{name: rows[0][name] or "" for name in names},
            asked=self._asked.get((rows[0]["task"], rows[0]["schema_version"]), ()),
            said={key: tuple(sorted(of)) for key, of in said.items()},
        )


def _path(settings: Settings) -> Path:
    return gold_folder(settings) / FILE


def _replaced(settings: Settings) -> Iterable[SaidLabels]:
    """The labels kept, in the order in which they were replaced. A line that cannot be read is left out."""
    path = _path(settings)
    for line, _ in lines_after(path, 0) if path.exists() else ():
        try:
            yield SaidLabels.model_validate_json(line)
        except ValidationError:
            continue
