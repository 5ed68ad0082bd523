"""A store copied to another engine, table by table, each compared by the number and the hash of its rows."""

from collections.abc import Callable
from typing import NamedTuple

from cpa_core.errors import SettingsError, StoreNotWritten
from cpa_core.store.answers import merge
from cpa_core.store.archive import IN_STEP
from cpa_core.store.database import Store
from cpa_core.store.transaction import Transaction, question_sql

AT_ONCE = 50_000
"""Rows that are in memory at once."""
LEDGERS = ("answers", "batches", "upload_receipts", "deletion_receipts")
OWN = ("migrations", "tombstones", "forgetting_journal")
"""Tables that belong to each store and are not copied. A home's tombstones are a file, and are copied before."""
MARK = "copied_from"
"""The fixed setting of a store that is being copied into: the id of the home that its rows come from."""


class CopiedTable(NamedTuple):
    """A table, its rows, and the hash of them all, equal on both sides; `was_there`: an earlier copy had brought it."""

    table: str
    rows: int
    content: str
    was_there: bool


class Content(NamedTuple):
    """How many rows a table has, and a hash of them in any order."""

    rows: int
    content: str


def copy_store(source: Store, target: Store, told: Callable[[str], None] = lambda table: None) -> list[CopiedTable]:
    """Copy every table of a store into another one, and compare it there. Answers, batches and receipts come along.

    A killed copy can be continued: equal tables stay. The source is not written meanwhile where it is a file, and is
    one snapshot where it is not. `told` is called with the name of each table. Raises SettingsError where the target
    holds another home's rows, StoreNotWritten where a copied table differs.
    """
    merge(source)
    with source.reading() as view:
        own = _expect_own(view, target)
        names = sorted({row["name"] for row in view.answer("store/tables")} | set(LEDGERS))
        copied = []
        for name in [one for one in names if one not in OWN]:
            told(name)
            copied.append(_copied(view, target, name))
    with target.writing() as tables:
        tables.execute("delete from settings_fixed where name = $name and value = $own", name=MARK, own=own)
        if target.is_file:  # the home's files of answers are written from the table, at the next run
            tables.execute("delete from settings_fixed where name = $name", name=IN_STEP)
    return copied


def _expect_own(view: Transaction, target: Store) -> str:
    """The id of the home whose rows are copied, which the target is marked with. Raises SettingsError."""
    own = str(view.rows("select id from home")[0]["id"])
    with target.writing() as tables:
        marks = [row["value"] for row in tables.rows("select value from settings_fixed where name = $name", name=MARK)]
        there = tables.rows("select (select count(*) from landed_files) as files, (select min(id) from home) as id")[0]
        if marks not in ([], [own]) or (there["files"] and not marks and there["id"] != own):
            raise SettingsError("the target holds the rows of another home: name an empty store")
        if there["files"] and not marks:
            raise SettingsError("the target holds rows of this home already: name an empty store, or move it away")
        if not marks:
            tables.insert("settings_fixed", [{"name": MARK, "value": own}])
    return own


def _copied(view: Transaction, target: Store, name: str) -> CopiedTable:
    columns = [row["column_name"] for row in view.rows(f"describe {name}")]
    wanted = _content(view, name, columns)
    if name == "settings_fixed":
        return _copied_settings(view, target, wanted)
    with target.reading() as other:
        was_there = _content(other, name, columns) == wanted
    if not was_there:
        with target.writing() as tables:
            tables.execute(f"delete from {name}")
            for rows in view.batches(f"select * from {name}", AT_ONCE):
                tables.insert_arrow(name, rows)
        with target.reading() as other:
            if _content(other, name, columns) != wanted:
                raise StoreNotWritten(f"the copy of {name} differs from the original: nothing of the original changed")
    return CopiedTable(name, wanted.rows, wanted.content, was_there)


def _copied_settings(view: Transaction, target: Store, wanted: Content) -> CopiedTable:
    """The fixed settings, beside the mark of the copy that is under way."""
    with target.writing() as tables:
        tables.execute("delete from settings_fixed where name <> $name", name=MARK)
        tables.insert("settings_fixed", view.rows("select * from settings_fixed where name <> $name", name=MARK))
    return CopiedTable("settings_fixed", wanted.rows, wanted.content, False)


def contents_of(store: Store) -> dict[str, Content]:
    """The content of every table that a copy brings along."""
    with store.reading() as view:
        names = sorted({row["name"] for row in view.answer("store/tables")} | set(LEDGERS))
        described = {name: [row["column_name"] for row in view.rows(f"describe {name}")] for name in names}
        return {name: _content(view, name, columns) for name, columns in described.items() if name not in OWN}


def _content(view: Transaction, table: str, columns: list[str]) -> Content:
    names = ", ".join(f'"{name}"' for name in sorted(columns))
    sql = question_sql("store/content_of_columns").replace("$columns", names).replace("$table", table)
    return Content(**view.rows(sql)[0])
