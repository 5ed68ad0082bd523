"""The work of the commands on issues."""

from collections.abc import Sequence

from cpa_core.cli.display import existing
from cpa_core.cli.facts import Done
from cpa_core.cli.screen import say, show_table
from cpa_core.cli.topic_facts import IssueFacts, IssuesFacts
from cpa_core.errors import InputError
from cpa_core.insights.inbox import SET_ASIDE, FollowedIssue
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.reporting.inbox import (
    FixOutcome,
    IssueChange,
    fix_outcome,
    follow_issues,
    issue_days,
    issue_named,
    set_issue,
)
from cpa_core.settings import Settings

TITLES = ("issue", "cause", "state", "since", "harms", "share", "status", "owner", "id")


def listed(given: Settings, *, every: bool) -> Done:
    """Follow the issues, and list them."""
    existing(given)
    issues = follow_issues(Assistant.of(given))
    shown = [one for one in issues if every or one.status not in SET_ASIDE]
    if shown:
        show_table(TITLES, [_cells(one) for one in shown], left={0, 1, 2, 3, 6, 7, 8})
    else:
        say("no issue is established")
    if len(shown) < len(issues):
        say(f"and {len(issues) - len(shown)} set aside: cpa issues list --all")
    return Done(0, IssuesFacts(issues=issues))


def show(given: Settings, issue_id: str) -> Done:
    """Show one issue with its days and the outcome of its fix."""
    existing(given)
    assistant = Assistant.of(given)
    one = issue_named(assistant, issue_id)
    days, outcome = issue_days(assistant, one.issue_id), fix_outcome(assistant, one.issue_id)
    say(f"{one.issue_id}: {one.title} ({one.cause})", *_lines(one))
    show_table(
        ("day", "state", "harms", "of", "share"),
        [(str(d.day), d.state, f"{d.harmed:,}", f"{d.of_conversations:,}", _percent(d.share)) for d in days],
        left={0, 1},
    )
    if outcome:
        say(*_outcome(outcome))
    return Done(0, IssueFacts(issue=one, days=days, fix=outcome))


def change(given: Settings, issue_id: str, said: IssueChange) -> Done:
    """Keep what is said of an issue."""
    existing(given)
    if said == IssueChange():
        raise InputError("nothing to set: --status, --owner or --note")
    assistant = Assistant.of(given)
    one = set_issue(assistant, issue_id, said)
    say(f"{one.issue_id}: {one.title}", *_lines(one))
    return Done(0, IssueFacts(issue=one, days=(), fix=None))


def _lines(one: FollowedIssue) -> list[str]:
    state = f"{one.state} since {one.since}; first found on {one.first_found}, last on {one.last_found}"
    status = one.status + (f" on {one.fixed_on}" if one.status == "fixed" else "")
    again = f"; opened again on {one.reopened_on}, called fixed on {one.fixed_on}" if one.reopened_on else ""
    told = [f"owner: {one.owner}"] if one.owner else []
    return [f"state: {state}", f"status: {status}{again}", *told, *([f"note: {one.note}"] if one.note else [])]


def _outcome(found: FixOutcome) -> Sequence[str]:
    sides = (
        ("before", found.before, found.harmed_before, found.of_before, found.share_before),
        ("since", found.after, found.harmed_after, found.of_after, found.share_after),
    )
    lines = [
        f"{name} the fix, {first} to {last}: {harmed:,} of {of:,} ({_percent(share)})"
        for name, (first, last), harmed, of, share in sides
    ]
    return [*lines, f"the share is {found.verdict}" if found.verdict in ("lower", "higher") else found.verdict]


def _cells(one: FollowedIssue) -> tuple[str, ...]:
    return (
        one.title,
        one.cause,
        one.state,
        str(one.since),
        f"{one.harmed:,} of {one.of_conversations:,}",
        _percent(one.share),
        one.status + (f" {one.fixed_on}" if one.status == "fixed" else ""),
        one.owner,
        one.issue_id,
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
