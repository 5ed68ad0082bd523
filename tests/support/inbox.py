"""Issues that are put into a home's inbox as rows, as if they had been followed for two days."""

from datetime import date, timedelta

from cpa_core.pipeline import Assistant

ISSUE = "3f2a90bc11de"


def put_issue(made: Assistant, title: str = "Insults the user.", issue_id: str = ISSUE, cause: str = "event") -> str:
    """Add an issue that was new yesterday and grows today, and return its id."""
    first = date(2026, 3, 1)
    issue = {"issue_id": issue_id, "cause": cause, "title": title, "event_keys": [], "words": title}
    issue |= {"first_found": first, "owner": "", "note": "", "status": "open"}
    day = {"issue_id": issue_id, "since": first, "told_on": first, "last_found": first, "share_there": 0.1}
    day |= {"harmed": 10, "of_conversations": 100, "share": 0.1, "low": 0.05, "high": 0.15, "units": 50.0}
    days = [day | {"day": first + timedelta(days=nth), "state": state} for nth, state in enumerate(("new", "growing"))]
    with made.store.writing() as tables:
        tables.insert("issues", [issue])
        tables.insert("issue_days", days)
    return issue_id
