"""Workbooks of Excel, as the table of their sheets.

Read by python-calamine (the extra `excel`): it is maintained, MIT, and reads .xlsx, .xlsb, .xls and .ods without
running formulas or macros. Source: https://pypi.org/project/python-calamine/.
"""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from cpa_core.errors import SourceError
from cpa_core.sources import headers
from cpa_core.sources.contents import stream
from cpa_core.sources.files import File

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
NEEDED = "Excel files need the extra: pip install 'conversational-product-analytics[excel]', or save it as CSV"


class Sheet(NamedTuple):
    """The cells of a sheet, from the row of its header on."""

    name: str
    rows: list[list[str]]


def as_csv(file: File) -> tuple[bytes, tuple[str, ...]]:
    """The table of a workbook as CSV in UTF-8, its times in ISO 8601, and what a person should know of other sheets.

    It is the first sheet whose columns are those of messages, else the first with two columns and two rows or more;
    sheets with the same header continue it. Raises SourceError where the file is no workbook, or the library that
    reads them is not installed.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise SourceError(f"{file.name}: {NEEDED}") from None
    try:
        with CalamineWorkbook.from_filelike(stream(file.content)) as book:
            sheets = [Sheet(name, _cells(book.get_sheet_by_name(name))) for name in book.sheet_names]
    except (CalamineError, OSError, ValueError):
        raise SourceError(f"{file.name}: not a workbook, damaged, or locked by a password") from None
    found = [one for one in sheets if _is_table(one.rows)]
    at = {one.name: headers.row_of(file, one.rows) for one in found}
    chosen = next((one for one in found if headers.is_ours(file, one.rows[at[one.name]])), next(iter(found), None))
    if chosen is None:
        return b"", ()
    header = chosen.rows[at[chosen.name]]
    others = [one for one in found if one is not chosen]
    more = [one for one in others if one.rows[at[one.name]] == header]
    rows = [*chosen.rows, *(row for one in more for row in one.rows[at[one.name] + 1 :])]
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(rows)
    left = [one.name for one in others if one not in more]
    notes = (f"{file.name}: read is the sheet {chosen.name}, not {', '.join(left)}",) if left else ()
    return written.getvalue().encode("utf-8", "replace"), notes


def _is_table(rows: Sequence[Sequence[Any]]) -> bool:
    return len(rows) > 1 and len(rows[0]) > 1


def _cells(sheet: Any) -> list[list[str]]:
    """The cells of a sheet as text. A cell that is merged downwards is repeated in each row that it covers."""
    rows = [[_cell(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or () if rows else ():
        for row in rows[top + 1 : bottom + 1] if left == right else ():
            row[left] = rows[top][left]
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if not isinstance(value, timedelta) else str(value.total_seconds())
