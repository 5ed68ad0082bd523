"""Workbooks of Excel, as the table of their first sheet that has one.

Read by python-calamine (the extra `excel`): it is maintained, MIT, and reads .xlsx, .xlsb, .xls and .ods without
running formulas or macros. Source: https://pypi.org/project/python-calamine/.
"""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from cpa_core.errors import SourceError
from cpa_core.sources.contents import Content, stream

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
NEEDED = "Excel files need the extra: pip install 'conversational-product-analytics[excel]', or save it as CSV"


def as_csv(name: str, content: Content) -> bytes:
    """The first sheet with two columns and two rows or more, as CSV in UTF-8; times in ISO 8601.

    Raises SourceError where the file is no workbook, or the library that reads them is not installed.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise SourceError(f"{name}: {NEEDED}") from None
    try:
        with CalamineWorkbook.from_filelike(stream(content)) as book:
            sheets = (book.get_sheet_by_name(sheet).to_python(skip_empty_area=False) for sheet in book.sheet_names)
            rows = next((rows for rows in sheets if _is_table(rows)), [])
    except (CalamineError, OSError, ValueError):
        raise SourceError(f"{name}: not a workbook, damaged, or locked by a password") from None
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue().encode("utf-8", "replace")


def _is_table(rows: Sequence[Sequence[Any]]) -> bool:
    return len(rows) > 1 and len(rows[0]) > 1


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if not isinstance(value, timedelta) else str(value.total_seconds())
