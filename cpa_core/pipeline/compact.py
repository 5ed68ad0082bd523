"""Compacting a home: freeing unused space of its database and its files of answers."""

from cpa_core.errors import NotFound, SettingsError
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store.answers import merge_answer_files
from cpa_core.store.compaction import compact_database


class Compacted(Value):
    """Bytes and files before and after; `tables` and `rows` were copied and compared."""

    database_before: int
    database: int
    tables: int
    rows: int
    answers_before: int
    answers: int
    answer_files_before: int
    answer_files: int

    @property
    def given_back(self) -> int:
        """Bytes that the disk has again."""
        return self.database_before - self.database + self.answers_before - self.answers


def compact_home(assistant: Assistant, wait: float | None = None) -> Compacted:
    """Give back free room within the database and between small files of answers. No row and no answer is removed.

    Raises SettingsError for a store beyond the home, NotFound where nothing was stored yet, StoreBusy after `wait`
    seconds, StoreNotWritten, AnswersNotKept.
    """
    store = assistant.store
    if not store.is_file:
        raise SettingsError(
            "cpa compact works on the files of one home; a shared store (CPA_STORE) has cpa store upkeep"
        )
    if not store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    merged = merge_answer_files(store)
    made = compact_database(store, wait)
    return Compacted(
        database_before=made.before,
        database=made.after,
        tables=made.tables,
        rows=made.rows,
        answers_before=merged.before,
        answers=merged.after,
        answer_files_before=merged.files_before,
        answer_files=merged.files,
    )
