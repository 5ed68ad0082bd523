"""The inbox of issues as it was followed last: the state of each, and people's changes of it."""

from datetime import date
from typing import Literal

from cpa_core.insights.following import Life
from cpa_core.models import Value
from cpa_core.store.database import Transaction

IssueStatus = Literal["open", "accepted", "fixed", "not an issue"]
SET_ASIDE: frozenset[IssueStatus] = frozenset({"accepted", "not an issue"})
"""Statuses of issues that cause no alert."""
ALERTED_FOR = 7
"""Days for which a new or returned issue stays in the alerts."""


class FollowedIssue(Value):
    """One issue of the inbox on `day`, the last on which it was followed.

    `since` is the first day of its spell, present or gone. `told_on` is the day that reported it, null if it is older
    than the following. `harmed` of the `of_conversations` of the last seven days end badly with it, beyond the rate
    without it at equal length. For a path they end there; for a dealbreaker they hit it. `reopened_on`: the day on
    which it came back although it was marked fixed.
    """

    issue_id: str
    cause: str
    title: str
    state: Life
    day: date
    since: date
    told_on: date | None
    first_found: date
    last_found: date
    harmed: int
    of_conversations: int
    share: float | None
    low: float | None
    high: float | None
    owner: str = ""
    note: str = ""
    status: IssueStatus = "open"
    fixed_on: date | None = None
    reopened_on: date | None = None

    def news(self) -> str | None:
        """Return an alert's text about it: new, back or not fixed, and not set aside; null if there is no alert."""
        if self.status in SET_ASIDE or self.state == "gone":
            return None
        if self.reopened_on and (self.day - self.reopened_on).days < ALERTED_FOR:
            return f"issue is there again, called fixed on {self.fixed_on}"
        if self.told_on is None or (self.day - self.told_on).days >= ALERTED_FOR:
            return None
        return "issue came back" if self.told_on != self.first_found else "new issue"

    def spell(self) -> str:
        """Return the day that identifies its spell: each spell causes one alert."""
        return str(max(filter(None, (self.reopened_on, self.told_on)), default=self.since))


def inbox(view: Transaction) -> tuple[FollowedIssue, ...]:
    """The inbox, in a view of the store that is open."""
    rows = view.answer("issues/inbox")
    return tuple(
        FollowedIssue(
            **{name: row[name] for name in FollowedIssue.model_fields if row[name] is not None}
            | {name: row[name] for name in ("told_on", "share", "low", "high")}
        )
        for row in rows
    )
