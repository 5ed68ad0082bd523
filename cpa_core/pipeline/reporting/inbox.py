"""The inbox of issues: followed from day to day, with an owner, a note and a status that people give."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from cpa_core import insights
from cpa_core.errors import InputError, NotFound
from cpa_core.insights import DaySpan, Estimate, Issue, IssueStanding, Life, Scope, Selection
from cpa_core.insights import following as lives
from cpa_core.insights.inbox import FollowedIssue, IssueStatus, inbox
from cpa_core.insights.issues import keys_of_kinds
from cpa_core.insights.statistics import UnitSums, is_enough, ratio, ratio_difference
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.report.sections.issues import title
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction

FIRST_DAYS = 7
"""Days that are followed when an inbox begins."""
SURE = 0.001
"""The q value below which an issue comes into the inbox: each day looks again, and chance must not fill it."""
FIRST_YEAR, LAST_YEAR = 1970, 2200
"""Years that the day of a fix may have: it is compared with weeks before and after it."""
LOOKED_BACK = lives.REFERENCE + 2 * lives.REFERENCE + lives.RECENT
"""Days before the first followed one whose conversations are read: a fix may be so long ago, and its reference too."""
ISSUE = "issue_id = $issue"


class IssueDay(Value):
    """An issue's state at the end of a day; `harmed` of `of_conversations` count the week that ends then."""

    day: date
    state: Life
    harmed: int
    of_conversations: int
    share: float | None


class FixOutcome(Value):
    """An issue before the day of its fix and from that day on, up to 28 days each. `verdict` is in words."""

    fixed_on: date
    before: tuple[date, date]
    after: tuple[date, date]
    harmed_before: int
    of_before: int
    share_before: float | None
    harmed_after: int
    of_after: int
    share_after: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: Literal["lower", "higher", "no clear difference", "too little data"]


class IssueChange(Value):
    """A person's change of an issue; a null field stays unchanged. `fixed_on` belongs to the status fixed."""

    status: IssueStatus | None = None
    fixed_on: date | None = None
    owner: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class _Inbox:
    """Every issue that is known, by id, and how those stand that were followed before a day."""

    issues: dict[str, Row]
    standings: dict[str, IssueStanding]


def follow_issues(assistant: Assistant) -> tuple[FollowedIssue, ...]:
    """Follow the issues on each day that has new scores, and return the inbox. The same days give the same inbox.

    A day whose number of scored conversations changed within the last 28 is followed again, with those after it.
    """
    if not assistant.store.exists():
        return ()
    with assistant.store.issues_lock():
        with assistant.store.reading() as view:
            scored = {row["day"]: row["scored"] for row in view.answer("insights/scored_days")}
            followed = {row["day"]: row["scored"] for row in view.answer("issues/followed_days")}
            due = _due(scored, followed)
            known = _known(view, due[0]) if due else _Inbox({}, {})
        if due:
            found = {day: _found(assistant.store, day) for day in due}
            rows, issues = _followed(
                assistant.store, due, known, found, is_first=not any(day < due[0] for day in followed)
            )
            with assistant.store.writing() as tables:
                _write(tables, due, scored, (rows, issues), assistant.now())
    return issues_now(assistant)


def issues_now(assistant: Assistant) -> tuple[FollowedIssue, ...]:
    """The inbox as it was followed last: what stands first, by its share; then gone, then what was set aside."""
    if not assistant.store.exists():
        return ()
    with assistant.store.reading() as view:
        return inbox(view)


def issue_named(assistant: Assistant, issue_id: str) -> FollowedIssue:
    """The issue whose id begins so. Raises NotFound, InputError where several do."""
    found = [one for one in issues_now(assistant) if issue_id and one.issue_id.startswith(issue_id)]
    if not found:
        raise NotFound(f"{issue_id}: no issue has this id; cpa issues list shows them")
    if len(found) > 1:
        raise InputError(f"{issue_id}: {len(found)} issues begin so: {', '.join(one.issue_id for one in found)}")
    return found[0]


def issue_days(assistant: Assistant, issue_id: str) -> tuple[IssueDay, ...]:
    """How an issue stood on each day that was followed, the newest last, at most a hundred."""
    with assistant.store.reading() as view:
        rows = view.answer("issues/days", issue=issue_id, most=100)
    return tuple(IssueDay(**row) for row in rows)


def set_issue(assistant: Assistant, issue_id: str, change: IssueChange) -> FollowedIssue:
    """Store a person's change of an issue. An issue that is fixed has a day, and any other status has none.

    Raises NotFound, InputError.
    """
    one = issue_named(assistant, issue_id)
    if change.fixed_on and change.status != "fixed":
        raise InputError("only the status fixed takes a day: --status fixed --on DAY")
    if change.status == "fixed" and not change.fixed_on:
        raise InputError("the status fixed needs the day of the fix: --status fixed --on DAY")
    if change.fixed_on and not FIRST_YEAR <= change.fixed_on.year <= LAST_YEAR:
        raise InputError(f"{change.fixed_on}: a fix has a day from {FIRST_YEAR} to {LAST_YEAR}")
    values = change.model_dump(exclude_none=True)
    if change.status:
        values |= {"fixed_on": change.fixed_on, "reopened_on": None}
    with assistant.store.writing() as tables:
        tables.update("issues", values | {"changed_at": assistant.now()}, ISSUE, issue=one.issue_id)
    return issue_named(assistant, one.issue_id)


def fix_outcome(assistant: Assistant, issue_id: str) -> FixOutcome | None:
    """Return the issue before and after its fix; null if nobody marked it fixed. Raises NotFound, InputError."""
    one = issue_named(assistant, issue_id)
    fixed = one.fixed_on
    if fixed is None:
        return None
    day = timedelta(days=1)
    before = DaySpan(fixed - lives.REFERENCE * day, fixed - day)
    after = DaySpan(fixed, max(fixed, min(one.day, fixed + (lives.REFERENCE - 1) * day)))
    with assistant.store.reading() as view:
        rows = view.answer("issues/one", issue=one.issue_id)
    with insights.selected(assistant.store, Scope(before.first, after.last)) as of:
        _prepare(of, rows)
        sums = _sums(of, [(0, before), (0, after)])
    return _outcome(fixed, (before, after), (sums[0, before], sums[0, after]))


def _outcome(fixed: date, spans: tuple[DaySpan, DaySpan], sums: tuple[UnitSums, UnitSums]) -> FixOutcome:
    (before, after), (old, new) = spans, sums
    gap = ratio_difference(new, old)
    return FixOutcome(
        fixed_on=fixed,
        before=(before.first, before.last),
        after=(after.first, after.last),
        harmed_before=_harmed(old),
        of_before=round(old.trials),
        share_before=ratio(old).value,
        harmed_after=_harmed(new),
        of_after=round(new.trials),
        share_after=ratio(new).value,
        difference=gap.value,
        low=gap.low,
        high=gap.high,
        verdict=_verdict(sums, gap),
    )


def _verdict(
    sums: tuple[UnitSums, UnitSums], gap: Estimate
) -> Literal["lower", "higher", "no clear difference", "too little data"]:
    if not all(is_enough(one.conversations, one.effective) for one in sums) or gap.low is None or gap.high is None:
        return "too little data"
    return "higher" if gap.low > 0 else "lower" if gap.high < 0 else "no clear difference"


def _harmed(of: UnitSums) -> int:
    return max(0, round(of.hits))


def _due(scored: Mapping[date, int], followed: Mapping[date, int]) -> list[date]:
    """The days to follow: the first that is new or changed within the last 28, and all after it."""
    if not scored:
        return []
    last = max(scored)
    if not followed:
        return [day for day in sorted(scored) if (last - day).days < FIRST_DAYS]
    recent = [day for day in sorted({*scored, *followed}) if (last - day).days < lives.REFERENCE]
    begun = min(followed)
    changed = [day for day in recent if day >= begun and scored.get(day, 0) != followed.get(day, 0)]
    return [day for day in sorted(scored) if day >= changed[0]] if changed else []


def _known(view: Transaction, before: date) -> _Inbox:
    rows = view.answer("issues/standings", before=before)
    standings = {row["issue_id"]: IssueStanding(*_standing_of(row)) for row in rows}
    return _Inbox({row["issue_id"]: row for row in view.answer("issues/known")}, standings)


def _standing_of(row: Row) -> tuple[Life, date, date | None, date, float | None]:
    return row["state"], row["since"], row["told_on"], row["last_found"], row["share_there"]


def _found(store: Store, day: date) -> dict[str, tuple[Issue, tuple[str, ...]]]:
    """The issues of the 28 days that end with this one, with the keys of their kinds."""
    with insights.selected(store, Scope(day - timedelta(days=lives.REFERENCE - 1), day)) as of:
        return {one.id: (one, keys_of_kinds(of, one.kinds)) for one in insights.issues(of)}


def _followed(
    store: Store,
    due: Sequence[date],
    known: _Inbox,
    found: Mapping[date, dict[str, tuple[Issue, tuple[str, ...]]]],
    *,
    is_first: bool,
) -> tuple[list[Row], dict[str, Row]]:
    """Rows of `issue_days`, and the issues as they are now, by id."""
    standing = dict(known.standings)
    issues = {name: dict(row) for name, row in known.issues.items()}
    for day in due:
        for name, (issue, keys) in sorted(found[day].items(), key=lambda one: len(one[1][1])):
            if name not in issues and not enters_inbox(issue, keys, issues.values()):
                found[day].pop(name)
                continue
            issues[name] = issues.get(name, _new_row(issue, keys, day)) | {"title": title(issue)}
    numbers = {name: number for number, name in enumerate(issues)}
    rows: list[Row] = []
    with insights.selected(store, Scope(due[0] - timedelta(days=LOOKED_BACK), due[-1])) as of:
        _prepare(of, list(issues.values()))
        for day in due:
            week = lives.last_week(day)
            asked = [(numbers[name], span) for name, one in standing.items() for span in _spans(issues[name], one, day)]
            sums = _sums(of, [*asked, *((numbers[name], week) for name in found[day] if name not in standing)])
            for name in {**standing, **found[day]}:
                own = {span: one for (number, span), one in sums.items() if number == numbers[name]}
                before = standing.get(name)
                if before is None:
                    standing[name] = lives.first_standing(day, is_first_day=is_first and day == due[0])
                else:
                    standing[name] = lives.next_standing(before, day, own, is_found=name in found[day])
                    _reopen(issues[name], standing[name], day, own)
                rows.append(_day_row(name, day, standing[name], own[week]))
    return rows, issues


def enters_inbox(issue: Issue, keys: Sequence[str], there: Iterable[Row]) -> bool:
    """Whether an issue is sure enough for the inbox, and no longer way to a path that is in it: that is one cause."""
    is_sure = issue.q_value is None or issue.q_value <= SURE
    tails = {tuple(row["event_keys"]) for row in there if row["cause"] == "path"} if issue.cause == "path" else set()
    return is_sure and not any(tuple(keys[n:]) in tails for n in range(1, len(keys)))


def _spans(row: Row, standing: IssueStanding, day: date) -> list[DaySpan]:
    return lives.spans_of(standing, day, row["fixed_on"] if row["status"] == "fixed" else None)


def _reopen(row: Row, standing: IssueStanding, day: date, sums: Mapping[DaySpan, UnitSums]) -> None:
    """Open an issue again that was called fixed and is there beyond chance."""
    fixed = row["fixed_on"] if row["status"] == "fixed" else None
    if fixed and lives.is_back_after_fix(standing, day, sums, fixed):
        row.update(status="open", reopened_on=day)


def _new_row(issue: Issue, keys: tuple[str, ...], day: date) -> Row:
    return {
        "issue_id": issue.id,
        "cause": issue.cause,
        "title": title(issue),
        "event_keys": list(keys),
        "words": issue.words or issue.criterion,
        "first_found": day,
        "owner": "",
        "note": "",
        "status": "open",
        "fixed_on": None,
        "reopened_on": None,
        "changed_at": None,
    }


def _day_row(name: str, day: date, standing: IssueStanding, week: UnitSums) -> Row:
    rate = ratio(week)
    return {
        "issue_id": name,
        "day": day,
        "state": standing.state,
        "since": standing.since,
        "told_on": standing.told_on,
        "last_found": standing.last_found,
        "share_there": standing.share_there,
        "harmed": _harmed(week),
        "of_conversations": round(week.trials),
        "share": rate.value,
        "low": rate.low,
        "high": rate.high,
        "units": week.effective,
    }


def _prepare(of: Selection, issues: Sequence[Row]) -> None:
    """Make the tables of a selection that hold what these issues harm, under their places in this list."""
    numbers = {key: of.numbers[kind] for kind, key in of.keys.items() if kind in of.numbers}
    numbers |= {f"{kind.event_type}|{kind.role}": n for kind, n in of.numbers.items() if kind not in of.keys}
    paths = [[numbers.get(key) for key in row["event_keys"]] for row in issues]
    of.view.answer("issues/table_of_followed")
    rows = [
        {"issue": n, "cause": row["cause"], "path": [] if None in path else path, "words": row["words"]}
        for n, (row, path) in enumerate(zip(issues, paths, strict=True))
    ]
    if rows:
        of.view.insert("followed_issues", rows)
    of.answer("harmed")
    of.answer("harm_trials")


def _sums(of: Selection, asked: Iterable[tuple[int, DaySpan]]) -> dict[tuple[int, DaySpan], UnitSums]:
    """Return the harm of each of these issues in each of these spans; a span without conversations has no trials."""
    wanted = sorted(set(asked))
    rows = of.answer(
        "harm_of_spans",
        numbers=list(range(len(wanted))),
        issues=[number for number, _ in wanted],
        firsts=[span.first for _, span in wanted],
        lasts=[span.last for _, span in wanted],
    )
    found = dict.fromkeys(wanted, NOTHING)
    return found | {wanted[row["number"]]: UnitSums(**row["sums"]) for row in rows}


NOTHING = UnitSums(0, 0, 0, 0, 0, 0, 0, 0, 0, None)


def _write(
    tables: Transaction,
    due: Sequence[date],
    scored: Mapping[date, int],
    followed: tuple[list[Row], dict[str, Row]],
    now: datetime,
) -> None:
    """Replace the days from the first followed one on; people's changes meanwhile stay."""
    rows, issues = followed
    for table in ("issue_days", "issue_followings"):
        tables.delete(table, "day >= $first", first=due[0])
    there = {row["issue_id"]: row for row in tables.answer("issues/known")}
    new = [row for name, row in issues.items() if name not in there]
    for name, row in issues.items():
        if name in there and _is_reopened(row, there[name]):
            tables.update("issues", {"status": "open", "reopened_on": row["reopened_on"]}, ISSUE, issue=name)
        if name in there and row["title"] != there[name]["title"]:
            tables.update("issues", {"title": row["title"]}, ISSUE, issue=name)
    tables.insert("issues", new)
    tables.insert("issue_days", rows)
    tables.insert("issue_followings", [{"day": day, "scored": scored[day], "followed_at": now} for day in due])


def _is_reopened(row: Row, there: Row) -> bool:
    """Return whether following reopened it and nobody changed its status meanwhile."""
    return row["reopened_on"] is not None and there["status"] == "fixed" and row["fixed_on"] == there["fixed_on"]
