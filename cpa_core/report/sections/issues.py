"""Issues with their frequency and harm, the most urgent first, and candidates for which the data is too small."""

from collections.abc import Sequence

from cpa_core.insights import MUCH, Effect, Issue
from cpa_core.insights.inbox import SET_ASIDE, FollowedIssue
from cpa_core.report import words
from cpa_core.report.behind import judged_key
from cpa_core.report.cells import change_cell, number_cell, share_cell
from cpa_core.report.document import Cell, Column, Section, Table
from cpa_core.report.sections.asked import Asked

CANDIDATES = 8
"""Kinds of event that are shown though nothing about them is established."""

ARROW = " → "
WRONG = {
    "event": "conversations with it end badly more often",
    "path": "more conversations break off after it",
    "dealbreaker": "a dealbreaker was hit",
}


def issues(asked: Asked) -> Section:
    """The section."""
    found = _followed(asked)
    tables = [_table(asked, found)] if found else []
    if not any(issue.cause == "event" for issue in asked.issues):
        tables.append(_candidates(asked))
    followed = [one for one in asked.inbox if one.status not in SET_ASIDE]
    if followed:
        tables.append(_inbox(followed))
    return Section(
        name="issues",
        short="Issues",
        title="What goes wrong",
        lead="Ranked by cost: how often it happens, times how much worse such conversations are, beyond chance.",
        tables=tables,
        notes=[] if found else ["No issue is established in these days: nothing goes with bad ends beyond chance."],
        is_tables_first=True,
    )


def _followed(asked: Asked) -> list[Issue]:
    """The issues with their state from the comparison, and those that are gone."""
    if asked.compared is None:
        return list(asked.issues)
    states = {issue.id: issue for issue in asked.compared.issues}
    known = {issue.id for issue in asked.issues}
    found = [
        Issue(**{**issue.__dict__, "state": states[issue.id].state}) if issue.id in states else issue
        for issue in asked.issues
    ]
    return found + [issue for issue in asked.compared.issues if issue.state == "gone" and issue.id not in known]


def _table(asked: Asked, found: list[Issue]) -> Table:
    columns = [
        Column("what"),
        Column("how often"),
        Column("how bad", "number"),
        Column("what it costs", "number"),
        Column("lately"),
    ]
    caption = "Established issues, the most costly first"
    return Table(
        "issues-table",
        caption,
        columns,
        [_row(asked, n, one) for n, one in enumerate(found, 1)],
        filters=len(found) > 8,
    )


def _row(asked: Asked, rank: int, issue: Issue) -> list[Cell]:
    return [
        Cell(
            f"{rank}. {title(issue)}",
            of=WRONG[issue.cause] + _of_one(issue),
            sort=rank,
            quotes=drill_of(asked, issue),
            issue=issue.id,
        ),
        share_cell(issue.met, drill_of(asked, issue), is_bad=True),
        Cell("always") if issue.cause == "dealbreaker" else change_cell(issue.badness, " points", 100),
        _cost(issue),
        Cell(issue.state, pill=issue.state) if issue.state else Cell(words.UNKNOWN),
    ]


def _of_one(issue: Issue) -> str:
    """Return a note if one unit accounts for much of an issue: it may be a test account or a script."""
    if issue.most <= MUCH or issue.met.basis is None:
        return ""
    return f"; one {issue.met.basis.unit} makes {words.percent(issue.most)} of it"


def _inbox(followed: Sequence[FollowedIssue]) -> Table:
    """The issues as they are followed from day to day, whatever days the report is about."""
    columns = [
        Column("what"),
        Column("state"),
        Column("harms, last 7 days", "number"),
        Column("status"),
        Column("owner"),
    ]
    caption = f"Followed from day to day, up to {words.day(max(one.day for one in followed))}"
    return Table("inbox-table", caption, columns, [_inbox_row(one) for one in followed], filters=len(followed) > 8)


def _inbox_row(one: FollowedIssue) -> list[Cell]:
    count = f"{words.count(one.harmed)} of {words.count(one.of_conversations)}"
    status = f"{one.status} on {words.day(one.fixed_on)}" if one.status == "fixed" and one.fixed_on else one.status
    again = f"back after its fix, since {words.day(one.reopened_on)}" if one.reopened_on else ""
    return [
        Cell(one.title, of=f"cpa issues show {one.issue_id}"),
        Cell(one.state, of=f"since {words.day(one.since)}", pill=one.state.replace(" ", "-")),
        Cell(words.percent(one.share), of=count, sort=one.share),
        Cell(status, of=again),
        Cell(one.owner or words.UNKNOWN),
    ]


def title(issue: Issue) -> str:
    """Return the title of an issue."""
    if issue.cause == "dealbreaker":
        return issue.words or issue.criterion
    return ARROW.join(kind.event_type for kind in issue.kinds)


def drill_of(asked: Asked, issue: Issue) -> str | None:
    """The key of the conversations behind an issue."""
    behind = asked.behind
    if issue.cause == "dealbreaker":
        return behind.has(judged_key(issue.criterion, issue.words, "hit"))
    if any(kind not in behind.numbers for kind in issue.kinds):
        return None
    return behind.has(behind.path("scored-event" if issue.cause == "event" else "ended", issue.kinds))


def _cost(issue: Issue) -> Cell:
    impact = issue.impact
    if impact.value is None or impact.low is None or impact.high is None:
        return Cell(words.UNKNOWN)
    span = f"{words.count(round(impact.low))}–{words.count(round(impact.high))}"
    unit = (
        "ended there" if issue.cause == "path" else "bad conversations" if issue.cause == "event" else "conversations"
    )
    return Cell(words.count(round(impact.value)), of=f"{unit} · 95%: {span}", sort=impact.low)


def _candidates(asked: Asked) -> Table:
    """Events that are more often in bad conversations here, and dealbreakers that were hit, though it may be chance."""
    worse = [one for one in asked.effects if not one.is_finding and (one.difference.value or 0) > 0][:CANDIDATES]
    established = {issue.criterion for issue in asked.issues if issue.cause == "dealbreaker"}
    hit = [one for one in asked.dealbreakers if one.hit.count and one.criterion not in established]
    rows = [
        [
            Cell(one.words or one.criterion, of="dealbreaker"),
            share_cell(one.hit, asked.behind.has(judged_key(one.criterion, one.words, "hit")), is_bad=True),
            Cell("always bad"),
        ]
        for one in hit
    ]
    rows += [_candidate(asked, one) for one in worse]
    columns = [Column("what"), Column("how often"), Column("bad with it, and without", "number")]
    caption = "Candidates: seen in bad conversations, but too few or too mixed to tell from chance"
    return Table("candidates-table", caption, columns, rows)


def _candidate(asked: Asked, one: Effect) -> list[Cell]:
    key = asked.behind.has(f"scored-event:{asked.behind.numbers[one.kind]}")
    both = f"{words.percent(one.bad_with.share)} and {words.percent(one.bad_without.share)}"
    return [
        Cell(one.kind.event_type, of=one.kind.role, quotes=key),
        number_cell(one.bad_with.of, key),
        Cell(both, of=f"{words.rate_of(one.bad_with)}", sort=one.difference.value, is_few=not one.is_enough),
    ]
