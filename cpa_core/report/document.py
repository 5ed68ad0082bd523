"""The contents of a report before rendering: headlines, sections of charts and tables, drill-downs, conversations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cpa_core.suggesting import Evidence, Suggestion

MOST_EXAMPLES = 20
"""Conversations behind one number."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    `of` stands below the text, small. `share`, 0 to 1, draws a bar, with `low` and `high` as its interval. `sort` is
    the sort key of the column if it is not the text. `quotes` names the drill-down whose quotes are shown, `issue` the
    issue whose suggestion is.
    """

    text: str
    of: str = ""
    drill: str | None = None
    share: float | None = None
    low: float | None = None
    high: float | None = None
    sort: float | str | None = None
    pill: str = ""
    is_few: bool = False
    is_bad: bool = False
    note: str = ""
    quotes: str | None = None
    issue: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    kind: Literal["text", "number"] = "text"


@dataclass(frozen=True)
class Table:
    """A table. The first cell of each row names the row; `filters` gives it a search field."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    filters: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart as a Vega-Lite specification with its data, and the same as a table."""

    name: str
    title: str
    caption: str
    spec: Mapping[str, Any]
    table: Table
    is_wide: bool = False


@dataclass(frozen=True)
class Headline:
    """One figure at the head of the report.

    `trend` is the change in words, `is_better` its colour, null if neutral. `daily` draws a line.
    """

    name: str
    value: str
    unit: str = ""
    of: str = ""
    trend: str = ""
    is_better: bool | None = None
    is_few: bool = False
    drill: str | None = None
    daily: Sequence[float | None] = ()


@dataclass(frozen=True)
class Section:
    """A part of the report; `short` is its title where there is little room."""

    name: str
    short: str
    title: str
    lead: str
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    is_tables_first: bool = False


@dataclass(frozen=True)
class Drill:
    """The conversations behind a number: their count, and at most 20 as examples, by place in the document.

    `focus` are the keys of the events whose quotes are highlighted; `quotes` are some of these.
    """

    title: str
    total: int
    examples: Sequence[int]
    focus: Sequence[str] = ()
    quotes: Sequence[str] = ()


@dataclass(frozen=True)
class Document:
    """A whole report. `figures` are its raw numbers, `conversations` its examples, as the page's script reads them.

    `evidence` is the part of its issues that a model may see; `suggestions`, by issue, are a model's replies to it.
    `new_issues` are the names, by issue, of issues that earlier days did not have.
    """

    title: str
    span: str
    summary: str
    banner: str
    about: Sequence[str]
    headlines: Sequence[Headline]
    sections: Sequence[Section]
    drills: Mapping[str, Drill]
    conversations: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Any]
    event_types: Sequence[tuple[str, str]]
    properties: Sequence[str]
    made_at: str
    evidence: Sequence[Evidence] = ()
    suggestions: Mapping[str, Suggestion] = field(default_factory=dict)
    new_issues: Mapping[str, str] = field(default_factory=dict)
