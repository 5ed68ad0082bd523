"""The life of an issue: each state on its day, beyond chance, and what people say of it kept."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from cpa_core.cli import main
from cpa_core.errors import InputError, NotFound
from cpa_core.insights import UNKNOWN, DaySpan, Issue, IssueStanding
from cpa_core.insights.following import (
    chance_of_less,
    chance_of_more,
    first_standing,
    is_back_after_fix,
    next_standing,
    spans_of,
)
from cpa_core.insights.inbox import FollowedIssue
from cpa_core.insights.issues import Cause
from cpa_core.insights.statistics import UnitSums, rate, unit_sums
from cpa_core.pipeline import Assistant, write_report
from cpa_core.pipeline.reporting.inbox import (
    IssueChange,
    enters_inbox,
    fix_outcome,
    follow_issues,
    issue_days,
    issue_named,
    issues_now,
    set_issue,
)
from cpa_core.settings import settings
from tests.support.homes import Home
from tests.support.planted_issues import FIRST, INSULT, PlantedDays, add_day, begin, days_from

pytestmark = pytest.mark.slow

EACH = 100
"""Conversations of a day in these counts, each of a user of its own."""


def counted(shares: list[float], span: DaySpan) -> UnitSums:
    """The sums of a span of days with these shares, from FIRST on."""
    days = [share for nth, share in enumerate(shares) if span.first <= FIRST + timedelta(days=nth) <= span.last]
    hits = sum(round(share * EACH) for share in days)
    return unit_sums([(1, 1)] * hits + [(0, 1)] * (len(days) * EACH - hits))


def lived(shares: list[float], fixed: int | None = None) -> Iterator[tuple[IssueStanding, bool]]:
    """How an issue stands on each day, from the first that has it; and whether it is back after a fix."""
    fixed_on = None if fixed is None else FIRST + timedelta(days=fixed)
    standing: IssueStanding | None = None
    for nth, share in enumerate(shares):
        day = FIRST + timedelta(days=nth)
        if standing is None:
            standing = first_standing(day, is_first_day=False) if share else None
        else:
            sums = {span: counted(shares, span) for span in spans_of(standing, day, fixed_on)}
            standing = next_standing(standing, day, sums, is_found=share > 0)
            if fixed_on and is_back_after_fix(standing, day, sums, fixed_on):
                yield standing, True
                continue
        if standing:
            yield standing, False


def states(shares: list[float]) -> list[str]:
    """The states of `lived`."""
    return [standing.state for standing, _ in lived(shares)]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.2] * 10, ["new"] * 7 + ["steady"] * 3),
        ([0.2] * 10 + [0.0] * 3, ["new"] * 7 + ["steady"] * 3 + ["gone"] * 3),
        ([0.2] * 4 + [0.0] * 2 + [0.2] * 9, ["new"] * 4 + ["gone"] * 2 + ["come back"] * 7 + ["steady"] * 2),
        ([0.2] * 3 + [0.04] * 3, ["new"] * 3 + ["gone"] * 3),  # a residue of a fifth
        ([0.2] * 3 + [0.09] * 4, ["new"] * 7),  # less than half, but no quarter: not gone
        ([0.2] * 5 + [0.0] * 2 + [0.02] * 4, ["new"] * 5 + ["gone"] * 6),  # a residue does not bring it back
        ([0.03] * 3 + [0.0] * 2, ["new"] * 5),  # too few to tell
    ],
)
def test_each_state_is_told_on_its_day(shares: list[float], expected: list[str]) -> None:
    assert states(shares) == expected


def test_growing_and_shrinking_compare_two_weeks_of_the_same_spell() -> None:
    assert states([0.1] * 14 + [0.3] * 7)[-1] == "growing" and states([0.1] * 14 + [0.3] * 14)[-1] == "steady"
    assert states([0.3] * 14 + [0.1] * 7)[-1] == "shrinking"
    assert "growing" not in states([0.1] * 7 + [0.3] * 6)  # still new


@pytest.mark.parametrize(
    ("shares", "fixed", "back_on"),
    [
        ([0.2] * 5 + [0.0] * 3 + [0.2] * 2, 5, [8]),  # gone, then back
        ([0.2] * 5 + [0.2] * 3, 5, [6, 7]),  # never gone: the day of the fix itself does not count
        ([0.2] * 5 + [0.0] * 6, 5, []),
        ([0.2] * 5 + [0.05] * 6, 5, []),  # a quarter at most
        ([0.2] * 5 + [0.0] * 3 + [0.01] * 3, 5, []),
    ],
)
def test_a_fixed_issue_is_back_beyond_chance_only(shares: list[float], fixed: int, back_on: list[int]) -> None:
    assert [nth for nth, (_, is_back) in enumerate(lived(shares, fixed)) if is_back] == back_on


def test_an_issue_that_is_no_longer_found_for_four_weeks_is_gone() -> None:
    shares = [0.02] * 40
    before = replace(first_standing(FIRST, is_first_day=False), state="steady")
    for nth in range(1, 40):
        day = FIRST + timedelta(days=nth)
        sums = {span: counted(shares, span) for span in spans_of(before, day)}
        before = next_standing(before, day, sums, is_found=False)
        assert (before.state == "gone") is (nth >= 28)


def test_one_heavy_user_neither_makes_nor_ends_an_issue() -> None:
    usual = unit_sums([(1, 1)] * 20 + [(0, 1)] * 80)
    one = unit_sums([(50, 50), *[(0, 1)] * 50])
    assert chance_of_more(unit_sums([(1, 1)] * 50 + [(0, 1)] * 50), usual) < 0.001 < chance_of_more(one, usual)
    assert (
        chance_of_less(unit_sums([(0, 100), (0, 1)]), usual) > 0.001 > chance_of_less(unit_sums([(0, 1)] * 99), usual)
    )
    assert chance_of_more(unit_sums([]), usual) == chance_of_less(usual, unit_sums([])) == 1


SMALL = PlantedDays(conversations=100, users=1_000)
DAYS = days_from(FIRST, 6)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[date, FollowedIssue]]:
    """Two days without the issue, then one with it, one without (called fixed), and one with it; and the inboxes."""
    home = Home(tmp_path_factory.mktemp("issues"))
    made, random = begin(home), Random(2)
    inboxes: dict[date, FollowedIssue] = {}
    for day, share in zip(DAYS, (0, 0, 0.3, 0, 0, 0.3), strict=True):
        add_day(made, day, SMALL, random, {"dealbreaker": share})
        if day == DAYS[0]:
            continue
        issues = [one for one in follow_issues(made) if one.cause == "dealbreaker"]
        assert len(issues) == (day >= DAYS[2])
        inboxes.update((day, one) for one in issues)
        if day == DAYS[3]:
            set_issue(made, issues[0].issue_id[:6], IssueChange(status="fixed", fixed_on=day, owner="ana"))
    return home, inboxes


def test_an_issue_is_new_gone_fixed_back_and_open_again(life: tuple[Home, dict[date, FollowedIssue]]) -> None:
    found = [(one.title, one.state, one.status, one.owner) for one in life[1].values()]
    assert found == [
        (INSULT, "new", "open", ""),
        (INSULT, "gone", "open", ""),
        (INSULT, "gone", "fixed", "ana"),
        (INSULT, "come back", "open", "ana"),
    ]
    last = life[1][DAYS[5]]
    assert (last.first_found, last.since, last.reopened_on) == (DAYS[2], DAYS[5], DAYS[5])
    assert 0.05 < (last.share or 0) < 0.15 and last.of_conversations == 600


def test_each_spell_is_news_once_and_what_is_set_aside_is_none(life: tuple[Home, dict[date, FollowedIssue]]) -> None:
    news = [(one.news(), one.spell()) for one in life[1].values() if one.news()]
    again = f"issue is there again, called fixed on {DAYS[3]}"
    assert news == [("new issue", str(DAYS[2])), (again, str(DAYS[5]))]
    last = life[1][DAYS[5]]
    for status in ("accepted", "not an issue"):
        assert last.model_copy(update={"status": status}).news() is None
    assert last.model_copy(update={"day": last.day + timedelta(days=7)}).news() is None


def test_days_that_are_followed_again_give_the_same_inbox(life: tuple[Home, dict[date, FollowedIssue]]) -> None:
    made = life[0].assistant()
    before = issues_now(made)
    assert follow_issues(made) == before
    with made.store.writing() as tables:
        tables.execute("update issue_followings set scored = scored + 1 where day = $day", day=DAYS[2])
    assert follow_issues(made) == before
    days = issue_days(made, life[1][DAYS[5]].issue_id)
    assert [(one.day, one.state) for one in days] == [
        (DAYS[2], "new"),
        (DAYS[3], "gone"),
        (DAYS[4], "gone"),
        (DAYS[5], "come back"),
    ]


def test_a_fix_is_compared_before_and_after_here_and_in_the_report(
    life: tuple[Home, dict[date, FollowedIssue]], tmp_path: Path
) -> None:
    made, issue = life[0].assistant(), life[1][DAYS[5]]
    found = fix_outcome(made, issue.issue_id)
    assert found is not None and (found.of_before, found.of_after, found.verdict) == (300, 300, "no clear difference")
    assert found.before[1] == DAYS[2] and found.after == (DAYS[3], DAYS[5])
    page = tmp_path / "report.html"
    write_report(made, out=page)
    text = page.read_text("utf-8")
    assert f"fixed: {INSULT}" in text and "inbox-table" in text and "come back" in text


def test_the_commands_list_show_and_set(
    life: tuple[Home, dict[date, FollowedIssue]], capsys: pytest.CaptureFixture[str]
) -> None:
    home, name = str(life[0].folder / "home"), life[1][DAYS[5]].issue_id
    assert main(["issues", "list", "--home", home], {}) == 0
    assert name in (shown := capsys.readouterr().out) and "come back" in shown
    assert main(["issues", "show", name[:5], "--home", home], {}) == 0
    assert f"opened again on {DAYS[5]}" in (shown := capsys.readouterr().out) and "no clear difference" in shown
    assert main(["issues", "set", name, "--status", "accepted", "--note", "known", "--home", home], {}) == 0
    assert "status: accepted" in capsys.readouterr().out
    assert main(["issues", "list", "--home", home], {}) == 0
    assert name not in (shown := capsys.readouterr().out).partition("set aside")[0] and "--all" in shown
    assert main(["issues", "list", "--json", "--home", home], {}) == 0
    kept = {one["issue_id"]: one for one in json.loads(capsys.readouterr().out)["issues"]}[name]
    assert (kept["status"], kept["note"], kept["owner"], kept["fixed_on"]) == ("accepted", "known", "ana", None)
    assert main(["issues", "set", name, "--home", home], {}) == 2


@pytest.mark.parametrize(
    ("issue", "change", "error"),
    [
        ("nothing", IssueChange(owner="ana"), NotFound),
        ("", IssueChange(owner="ana"), NotFound),
        ("own", IssueChange(status="fixed"), InputError),
        ("own", IssueChange(status="open", fixed_on=FIRST), InputError),
        ("own", IssueChange(fixed_on=FIRST), InputError),
        ("own", IssueChange(status="fixed", fixed_on=date.min), InputError),  # no day is 28 days before it
        ("own", IssueChange(status="fixed", fixed_on=date.max), InputError),
    ],
)
def test_a_change_needs_an_issue_and_a_fix_its_day(
    life: tuple[Home, dict[date, FollowedIssue]], issue: str, change: IssueChange, error: type[Exception]
) -> None:
    made, name = life[0].assistant(), life[1][DAYS[5]].issue_id
    before = issue_named(made, name)
    with pytest.raises(error):
        set_issue(made, name if issue == "own" else issue, change)
    assert issue_named(made, name) == before


@pytest.mark.parametrize(
    ("cause", "keys", "q_value", "enters"),
    [
        ("path", ("Closing",), 0.001, True),
        ("path", ("Closing",), 0.02, False),  # each day looks again: chance must not fill the inbox
        ("path", ("Asking", "Refusal"), 0.001, False),  # a longer way to a path that is in it
        ("path", ("Refusal", "Asking"), 0.001, True),
        ("event", ("Refusal",), 0.001, True),
        ("dealbreaker", (), None, True),
    ],
)
def test_a_cause_enters_the_inbox_once_and_surely(
    cause: Cause, keys: tuple[str, ...], q_value: float | None, enters: bool
) -> None:
    there = [{"cause": "path", "event_keys": ["Refusal"]}, {"cause": "event", "event_keys": ["Closing"]}]
    nothing = rate(0, 0)
    issue = Issue("i", cause, (), "", "", nothing, UNKNOWN, UNKNOWN, UNKNOWN, q_value)
    assert enters_inbox(issue, keys, there) is enters


def test_an_empty_home_has_no_issues_and_writes_none(tmp_path: Path) -> None:
    made = Assistant.of(settings({"CPA_HOME": str(tmp_path / "home")}))
    with pytest.raises(NotFound):
        issue_named(made, "a")
    assert follow_issues(made) == issues_now(made) == () and not made.store.exists()
