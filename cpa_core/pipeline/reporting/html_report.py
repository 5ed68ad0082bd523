"""Writing the report: one HTML file of everything that was tagged and judged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from cpa_core import insights
from cpa_core.errors import InputError, NotFound
from cpa_core.insights.inbox import FollowedIssue
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import merge_gold
from cpa_core.pipeline.gold.probing import kept_probes
from cpa_core.pipeline.reporting.inbox import follow_issues
from cpa_core.pipeline.reporting.published import publish
from cpa_core.pipeline.reporting.suggestions import suggestions
from cpa_core.redaction import redactor
from cpa_core.report import Declared, Document, Wanted, compose, render, scopes_compared

NAME = "report.html"


class Reported(Value):
    """A written report: its place, its size in bytes, and its contents. Headlines are name, figure and base.

    `link` opens it in a browser elsewhere, where CPA_REPORTS names a bucket. `scores`: conversations by tens of the
    score. `new_issues`: id and name of issues that earlier days did not have.
    """

    path: Path
    link: str | None = None
    size: int
    first: date
    last: date
    conversations: int
    examples: int
    drill_downs: int
    issues: int
    new_issues: tuple[tuple[str, str], ...]
    suggestions: int
    summary: str
    headlines: tuple[tuple[str, str, str], ...]
    scores: dict[str, int]


class DayRange(Value):
    """The days of a report, from `first` to `last`; null is the home's first or last.

    `compare` are the days to compare with; null means as many days before, or the earlier half with the later.
    `changes` are changes to mark: the day, and a name. `suggest`: ask a model for a change to each issue.
    """

    first: date | None = None
    last: date | None = None
    compare: tuple[date, date] | None = None
    changes: tuple[tuple[date, str], ...] = ()
    suggest: bool = False


def write_report(assistant: Assistant, span: DayRange | None = None, out: Path | None = None) -> Reported:
    """Write the report to `out`, or into the home, and into the bucket of CPA_REPORTS where one is named.

    Raises NotFound without a conversation on its days, InputError, SourceError where the bucket does not take it. The
    privacy setting controls its message text: by default redacted quotes only.
    """
    span = span or DayRange()
    scope = scope_of(assistant, span.first, span.last)
    whole = insights.whole(assistant.store) or scope
    if span.compare:
        scope_of(assistant, *span.compare)
    for day, label in span.changes:
        if not scope.first < day <= scope.last:
            raise InputError(f"change {label!r}: {day} must lie after {scope.first}, up to {scope.last}")
    followed = follow_issues(assistant)
    wanted = Wanted(
        scope=scope,
        privacy=assistant.settings.report_privacy,
        redactor=redactor(assistant.settings),
        now=assistant.now(),
        compare=scopes_compared(scope, whole, span.compare),
        changes=tuple(Declared(day, label) for day, label in sorted({*span.changes, *_fixes(followed, scope)})),
        link=assistant.settings.conversation_link,
        probed=kept_probes(assistant),
    )
    merge_gold(assistant)
    document = compose(assistant.store, wanted)
    if span.suggest:
        document = replace(document, suggestions=suggestions(assistant, document.evidence))
    path = out or assistant.settings.home / NAME
    size = _written(path, render(document))
    return _reported(path, size, scope, document).model_copy(update={"link": publish(assistant, path)})


def _fixes(followed: Sequence[FollowedIssue], scope: insights.Scope) -> list[tuple[date, str]]:
    """The fixes of issues within the days of a report: each is a change whose before and after it shows."""
    fixed = [(one.fixed_on, f"fixed: {one.title}") for one in followed if one.fixed_on]
    return [(day, label) for day, label in fixed if scope.first < day <= scope.last]


def scope_of(assistant: Assistant, first: date | None, last: date | None) -> insights.Scope:
    """The days that are reported on. Raises NotFound where no conversation began on them."""
    whole = insights.whole(assistant.store) if assistant.store.exists() else None
    if whole is None:
        raise NotFound(f"{assistant.settings.home}: no conversation yet; cpa run SOURCE --schema FILE")
    scope = insights.Scope(first or whole.first, last or whole.last)
    if scope.first > scope.last or scope.first > whole.last or scope.last < whole.first:
        raise NotFound(f"{scope.first} to {scope.last}: no conversation; days here: {whole.first} to {whole.last}")
    return scope


def _written(path: Path, page: str) -> int:
    """Write a temporary file and move it, so that nobody opens half a report.

    Raises InputError if the path is a folder.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the file to write: {path / NAME}")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    content = page.encode("utf-8", "replace")
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
        issues=len(document.evidence),
        new_issues=tuple(document.new_issues.items()),
        suggestions=len(document.suggestions),
        summary=document.summary,
        scores={f"{one['score_from']}–{one['score_to']}": one["conversations"] for one in document.figures["scores"]},
        headlines=tuple((one.name, f"{one.value} {one.unit}".strip(), one.of) for one in document.headlines),
    )
