"""Answers in plain lines, which servers without JSON support return to a prompt that asks for lines."""

import re
from typing import Any

BAR = "|"
ROW = re.compile(r"(?:[-*•]\s+)?((?:m\s*=?\s*)?\d+(?:[.:)]?\s+\S|\s*\|).*)", re.IGNORECASE)
"""The number of a message, and words or a bar after it; before it a mark of a list."""
CELLS = re.compile(r"\|\s*(\d+)\s*\|(.*?)\|?\s*")
"""A row of a Markdown table, whose first cell is the number."""
HEADING = re.compile(r"m\s+quote\s*\||\|\s*m\s*\||\|?[\s:|-]*-[\s:|-]*", re.IGNORECASE)
"""The names of the columns, and the rule below them."""
FENCE = re.compile(r"\s*(?:```|~~~)\s*\w*\s*")
NOTHING = re.compile(r"(?:m\s*=?\s*)?\d+[.:)]?\s+[\s.()\[\]–—-]*(?:none|nothing|no events?)?[\s.()\[\]–—-]*", re.I)


def takes_lines(schema: dict[str, Any]) -> bool:
    """Whether a value of this schema is a list of texts."""
    return schema.get("type") == "array" and schema.get("items", {}).get("type") == "string"


def rows_of(text: str) -> str | None:
    """The rows of an answer that consists of rows, without the fence, headings and sentences around them; else null.

    A sentence may stand before the rows, or after them and an empty line or the end of a fence. Such a sentence has no
    bar, so no part of a row is lost.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    found = [_row(line) for line in lines]
    places = [n for n, row in enumerate(found) if row]
    if not places:
        return None
    first, last = places[0], places[-1]
    rows = [
        row for row, line in zip(found[first : last + 1], lines[first : last + 1], strict=True) if row or line.strip()
    ]
    after = lines[last + 1 :]
    is_parted = not after or not after[0].strip() or FENCE.fullmatch(after[0]) is not None
    around = [line for line in (*lines[:first], *after) if HEADING.match(line.strip()) is None]
    kept = [row for row in rows if row]
    if len(kept) < len(rows) or not is_parted or any(BAR in line for line in around):
        return None
    is_whole = all(row.count(BAR) > 1 or NOTHING.fullmatch(row) for row in kept)
    return "\n".join(kept) if is_whole and any(BAR in row for row in kept) else None


def rows_by_number(value: dict[str, Any]) -> list[str] | None:
    """Return the rows of an object that maps message numbers to rows; null for any other object."""
    found: list[str] = []
    for number, said in value.items():
        lines = said if isinstance(said, list) else [said]
        if not number.strip().isdecimal() or not all(line is None or isinstance(line, str) for line in lines):
            return None
        found += [_numbered(number.strip(), line or "none") for line in lines or ["none"]]
    return found or None


def _row(line: str) -> str | None:
    cells = CELLS.fullmatch(line.strip())
    if cells:
        return f"{cells[1]} {cells[2].strip()}"
    row = ROW.fullmatch(line.strip())
    return row[1] if row else None


def _numbered(number: str, line: str) -> str:
    return line if re.match(rf"\s*(?:m\s*=?\s*)?{number}(?:[.:)]?\s|\s*\|)", line) else f"{number} {line}"
