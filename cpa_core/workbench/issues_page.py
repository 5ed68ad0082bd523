"""The inbox of issues: the list, one issue with its days and its fix, and a person's change of it."""

from collections.abc import Mapping
from datetime import date
from typing import get_args

from starlette.responses import Response

from cpa_core.errors import InputError
from cpa_core.insights.inbox import SET_ASIDE, FollowedIssue, IssueStatus
from cpa_core.pipeline.reporting.inbox import (
    IssueChange,
    fix_outcome,
    follow_issues,
    issue_days,
    issue_named,
    issues_now,
    set_issue,
)
from cpa_core.store.database import Row
from cpa_core.workbench.forms import SentForm
from cpa_core.workbench.visit import MOST_NAME, Visit, to

STATUSES: tuple[IssueStatus, ...] = get_args(IssueStatus)
FIELDS = ("owner", "note", "status", "fixed_on")
MOST_NOTE = 2_000


def inbox_page(visit: Visit) -> Response:
    """Show the issues as they were followed last; those that are set aside only if the address asks for all."""
    issues = issues_now(visit.assistant)
    every = "all" in visit.request.query_params
    shown = [one for one in issues if every or one.status not in SET_ASIDE]
    about = {"issues": shown, "hidden": len(issues) - len(shown), "every": every}
    return visit.shown("issues", "Issues", day=max((one.day for one in issues), default=None), **about)


def follow(visit: Visit) -> Response:
    """Follow the issues on the days that are new."""
    follow_issues(visit.assistant)
    return to("/issues")


def issue_page(visit: Visit) -> Response:
    """Show one issue with its days and the outcome of its fix. Raises NotFound, InputError."""
    one = issue_named(visit.assistant, visit.request.path_params["issue"])
    return visit.shown(
        "issue",
        one.title,
        issue=one,
        given=_values(one),
        statuses=STATUSES,
        days=issue_days(visit.assistant, one.issue_id),
        outcome=fix_outcome(visit.assistant, one.issue_id),
        most_name=MOST_NAME,
        most_note=MOST_NOTE,
        type=_event_type(visit, one),
    )


def change_issue(visit: Visit) -> Response:
    """Store the fields that the person changed; fields that stayed as shown are left to others.

    Raises InputError where somebody else changed the same field meanwhile, NotFound.
    """
    one = issue_named(visit.assistant, visit.request.path_params["issue"])
    said = _said(visit.form)
    changed = _changed(said, _values(one), {name: visit.form.raw(f"was {name}") for name in FIELDS})
    if changed:
        set_issue(visit.assistant, one.issue_id, _change(said, changed))
    return to(f"/issues/{one.issue_id}")


def _values(one: FollowedIssue) -> Row:
    """The fields of a form, as text."""
    return {"owner": one.owner, "note": one.note, "status": one.status, "fixed_on": str(one.fixed_on or "")}


def _said(form: SentForm) -> dict[str, str]:
    """The fields of a form, checked. Raises InputError."""
    owner, note, status = form.get("owner"), form.raw("note").strip(), form.get("status")
    if len(owner) > MOST_NAME or (owner and not owner.isprintable()):
        raise InputError(f"owner: a name has at most {MOST_NAME} characters")
    if len(note) > MOST_NOTE:
        raise InputError(f"note: at most {MOST_NOTE} characters")
    if status not in STATUSES:
        raise InputError(f"status: one of {', '.join(STATUSES)}")
    day = form.day("fixed_on")
    if status == "fixed" and day is None:
        raise InputError("fixed: name the first day with the fix")
    return {"owner": owner, "note": note, "status": status, "fixed_on": str(day) if day and status == "fixed" else ""}


def _changed(said: Mapping[str, str], now: Mapping[str, str], was: Mapping[str, str]) -> set[str]:
    """The fields that differ from what the form showed. Raises InputError where one of them differs by now."""
    changed = {name for name in FIELDS if said[name] != was[name].strip()}
    if lost := [name for name in FIELDS if name in changed and now[name] not in (was[name].strip(), said[name])]:
        raise InputError(f"{', '.join(lost)}: changed meanwhile by somebody else: nothing is saved; look at it first")
    return {name for name in changed if now[name] != said[name]}


def _change(said: Mapping[str, str], changed: set[str]) -> IssueChange:
    is_status = bool(changed & {"status", "fixed_on"})
    return IssueChange.model_validate(
        {
            "owner": said["owner"] if "owner" in changed else None,
            "note": said["note"] if "note" in changed else None,
            "status": said["status"] if is_status else None,
            "fixed_on": date.fromisoformat(said["fixed_on"]) if is_status and said["fixed_on"] else None,
        }
    )


def _event_type(visit: Visit, one: FollowedIssue) -> str | None:
    """The event type of an issue, to search its conversations by; null for another cause, or a type that is gone."""
    schema = visit.desk.schema() if one.cause == "event" else None
    return one.title if schema and any(kind.name == one.title for kind in schema.event_types) else None
