"""Small tables and plots as the UI shows them: Markdown, and drawings as SVG inside it."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import dagster as dg

from cpa_core.store.database import Row

SHOWN = 50
"""Lines of a list, and rows of a table, where nobody reads on."""

BAR, LABELS, NUMBERS, LINE = 220, 190, 60, 22
"""Widths of the longest bar, of the names and of the figures, and the height of a line, in pixels."""

COLOUR = "#4f43dd"


def listed(values: Any) -> dg.MetadataValue[Any]:
    """A list, cut where nobody reads on."""
    lines = [f"- {value}" for value in list(values)[:SHOWN]]
    rest = len(values) - SHOWN
    return dg.MetadataValue.md("\n".join(lines + ([f"- … and {rest} more"] if rest > 0 else [])) or "none")


def table(name: str, rows: Sequence[Row]) -> dict[str, dg.MetadataValue[Any]]:
    """A table under its name; nothing at all without rows."""
    records = [dg.TableRecord({key: str(value) for key, value in row.items()}) for row in rows[:SHOWN]]
    return {name: dg.MetadataValue.table(records=records)} if records else {}


def bars(lengths: Mapping[str, int]) -> dg.MetadataValue[Any]:
    """A bar for each name, with its figure, drawn; "none" without any."""
    if not any(lengths.values()):
        return dg.MetadataValue.md("none")
    most = max(lengths.values())
    drawn = "".join(_bar(n, name, of, most) for n, (name, of) in enumerate(lengths.items()))
    size = f'width="{LABELS + BAR + NUMBERS}" height="{LINE * len(lengths)}"'
    font = 'font-family="sans-serif" font-size="12"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{drawn}</svg>'
    words = ", ".join(f"{name} {of}" for name, of in lengths.items()).replace("]", ")").replace("[", "(")
    return dg.MetadataValue.md(f"![{words}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def _bar(line: int, name: str, length: int, most: int) -> str:
    y, width = line * LINE, round(BAR * length / most)
    shown = name if len(name) <= 28 else f"{name[:27]}…"
    return (
        f'<text x="{LABELS - 8}" y="{y + 15}" text-anchor="end" fill="#888">{escape(shown)}</text>'
        f'<rect x="{LABELS}" y="{y + 3}" width="{width}" height="{LINE - 6}" fill="{COLOUR}"/>'
        f'<text x="{LABELS + width + 6}" y="{y + 15}" fill="#888">{length}</text>'
    )
