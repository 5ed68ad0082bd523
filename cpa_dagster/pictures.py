"""Small tables and plots as the UI shows them: Markdown, and drawings as SVG inside it."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import dagster as dg

from cpa_core.pipeline import Assistant
from cpa_core.pipeline.handles import handles
from cpa_core.store.database import Row

SHOWN = 50
"""The most lines of a list and rows of a table: nobody reads more."""

BAR, LABELS, LINE = 160, 170, 16
"""Widths of the longest bar and of the labels, and the height of a line, in pixels."""

LABEL = 22
"""Characters of a name beside its bar."""

MARKDOWN = frozenset(r"\`*_{}[]<>()#+-.!|~&")
"""Characters that mean something in Markdown."""

INLINE = 1_000
"""Characters of Markdown above which Dagster's UI shows a link instead of the text."""


def listed(values: Any) -> dg.MetadataValue[Any]:
    """Return a list, cut after SHOWN lines."""
    lines = [f"- {value}" for value in list(values)[:SHOWN]]
    rest = len(values) - SHOWN
    return dg.MetadataValue.md("\n".join(lines + ([f"- … and {rest} more"] if rest > 0 else [])) or "none")


def table(name: str, rows: Sequence[Row]) -> dict[str, dg.MetadataValue[Any]]:
    """Return a table under its name; empty without rows."""
    records = [
        dg.TableRecord({key: "" if value is None else str(value) for key, value in row.items()}) for row in rows[:SHOWN]
    ]
    return {name: dg.MetadataValue.table(records=records)} if records else {}


def in_workbench(assistant: Assistant, conversations: Iterable[str]) -> dict[str, dg.MetadataValue[Any]]:
    """Return links to conversations in the workbench; empty if its address is not set."""
    links = {one: assistant.settings.conversation_link(one) for one in handles(assistant, conversations)}
    shown = [f"[{_literal(one)}](<{link}>)" for one, link in links.items() if link]
    return {"in the workbench": listed(shown)} if shown else {}


def _literal(text: str) -> str:
    """Return the text escaped so that Markdown shows it as it is."""
    return "".join(f"\\{one}" if one in MARKDOWN else one for one in text if one.isprintable())


def bars(lengths: Mapping[str, int]) -> dg.MetadataValue[Any]:
    """Return a drawing with a bar and a figure for each name; the last ones are left out if there are too many."""
    if not any(lengths.values()):
        return dg.MetadataValue.md("none")
    drawings = (_drawn(list(lengths.items())[:count], len(lengths) - count) for count in range(len(lengths), 0, -1))
    return dg.MetadataValue.md(next((md for md in drawings if len(md) < INLINE), "too long to be drawn"))


def _drawn(lines: Sequence[tuple[str, int]], left_out: int) -> str:
    most = max(length for _, length in lines) or 1
    shown = [f"{name if len(name) <= LABEL else name[: LABEL - 1] + '…'} {length}" for name, length in lines]
    shown += [f"and {left_out} more"] if left_out else []
    texts = "".join(f'<text y="{n * LINE + 12}">{escape(label, quote=False)}</text>' for n, label in enumerate(shown))
    strokes = "".join(f"M{LABELS} {n * LINE + 8}h{round(BAR * of / most)}" for n, (_, of) in enumerate(lines))
    size = f'width="{LABELS + BAR}" height="{LINE * len(shown)}" font-family="sans-serif" font-size="12" fill="#888"'
    path = f'<path stroke="#4f43dd" stroke-width="10" d="{strokes}"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{texts}{path}</svg>'
    return f"![bars](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
