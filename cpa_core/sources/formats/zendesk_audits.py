"""Audits of Zendesk's tickets: each is one change of a ticket, and those that add a comment are what was said.

Sources: https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/,
https://developer.zendesk.com/documentation/ticketing/reference-guides/ticket-audit-events-reference (Comment,
VoiceComment, CommentPrivacyChange, Create and Change). The requester is a value that an event sets.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import columns
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats.form import attempted
from cpa_core.sources.formats.helpdesks import ZENDESK, ticket
from cpa_core.sources.formats.talks import list_at, object_at
from cpa_core.sources.records import Reject
from cpa_core.sources.trees import Trees

COMMENTS = ("Comment", "VoiceComment")
PEOPLE = ("requester_id", "assignee_id")
"""Fields of a ticket whose values say who its authors are."""

Tree = dict[str, Any]


def _audits(file: File, records: Trees) -> Iterator[columns.Found]:
    """The tickets of a file: audits of one stand in pages or rows, perhaps among those of others."""
    tickets: dict[Any, list[Tree]] = {}
    users: list[Any] = []
    places: dict[Any, str] = {}
    for one in records:
        if isinstance(one, Reject):
            yield one
            continue
        place, tree = one
        users += list_at(tree, "users")
        for audit in map(object_at, list_at(tree, "audits") or [tree]):
            number = audit.get("ticket_id")
            if type(number) not in (int, str):
                yield Reject(place, "ticket_id: missing", raw(audit))
                continue
            tickets.setdefault(number, []).append(audit)
            places.setdefault(number, place)
    for number, audits in tickets.items():
        yield from attempted(file, (places[number], {**_ticket(number, audits), "users": users}), ticket)


def _ticket(number: Any, audits: list[Tree]) -> Tree:
    """A ticket with its comments, as the API of comments has them."""
    audits.sort(key=lambda one: str(one.get("created_at") or ""))  # one form of time: ISO 8601 in UTC
    events = [(audit, event) for audit in audits for event in map(object_at, list_at(audit, "events"))]
    people = {
        str(event.get("field_name")): _number(event.get("value"))
        for _, event in events
        if event.get("field_name") in PEOPLE and event.get("value")
    }
    return {"ticket": {"id": number, **people}, "comments": list(_comments(events))}


def _comments(events: Iterable[tuple[Tree, Tree]]) -> Iterator[Tree]:
    events = list(events)
    shown = {
        event.get("comment_id"): event.get("public")
        for _, event in events
        if event.get("type") == "CommentPrivacyChange"
    }
    for audit, event in events:
        if event.get("type") in COMMENTS:
            about = {key: audit.get(key) for key in ("author_id", "created_at")}
            yield {**about, **event, "public": shown.get(event.get("id"), event.get("public"))}


def _number(value: Any) -> Any:
    """An id as authors have it: events write it as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


AUDITS = ZENDESK._replace(
    name="zendesk_audits",
    title="audits of Zendesk tickets",
    signs=(
        "audits[].ticket_id audits[].author_id audits[].events[].type audits[].events[].id",
        "ticket_id author_id events[].type events[].id !audits",
    ),
    read=_audits,
    docs="https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/",
    ids="ticket_id",
    users="the requester_id that an event sets",
    times="created_at of the audit",
    silent="private comments, also those made private later; every other event",
)
