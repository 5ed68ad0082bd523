"""Writing the report: one HTML file of everything that was tagged and judged."""

from datetime import date
from pathlib import Path

from cpa_core import insights
from cpa_core.errors import NotFound
from cpa_core.models import Value
from cpa_core.pipeline.context import Assistant
from cpa_core.redaction import redactor
from cpa_core.report import Document, Wanted, compose, render

NAME = "report.html"


class Reported(Value):
    """The report that was written: its place, its bytes, and what is in it."""

    path: Path
    size: int
    first: date
    last: date
    conversations: int
    examples: int
    drill_downs: int
    summary: str


def write_report(
    assistant: Assistant, first: date | None = None, last: date | None = None, out: Path | None = None
) -> Reported:
    """Write the report on the days from `first` to `last`, all where none is named. Raises NotFound without any.

    Message text is in it as the privacy allows: by default quotes alone, redacted.
    """
    scope = scope_of(assistant, first, last)
    wanted = Wanted(assistant.settings.report_privacy, redactor(assistant.settings.environ), assistant.now())
    with insights.selected(assistant.store, scope) as of:
        document = compose(of, wanted)
    path = out or assistant.settings.home / NAME
    size = _written(path, render(document))
    return _reported(path, size, scope, document)


def scope_of(assistant: Assistant, first: date | None, last: date | None) -> insights.Scope:
    """The days that are reported on. Raises NotFound where no conversation began on them."""
    whole = insights.whole(assistant.store)
    if whole is None:
        raise NotFound(f"{assistant.settings.home}: no conversation yet; cpa run SOURCE --schema FILE")
    scope = insights.Scope(first or whole.first, last or whole.last)
    if scope.first > scope.last or scope.first > whole.last or scope.last < whole.first:
        raise NotFound(f"{scope.first} to {scope.last}: no conversation; days here: {whole.first} to {whole.last}")
    return scope


def _written(path: Path, page: str) -> int:
    """Write beside and move, so that nobody opens half a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    content = page.encode("utf-8")
    beside.write_bytes(content)
    beside.replace(path)
    return len(content)


def _reported(path: Path, size: int, scope: insights.Scope, document: Document) -> Reported:
    return Reported(
        path=path,
        size=size,
        first=scope.first,
        last=scope.last,
        conversations=document.figures["overview"]["conversations"],
        examples=len(document.conversations),
        drill_downs=len(document.drills),
        summary=document.summary,
    )
