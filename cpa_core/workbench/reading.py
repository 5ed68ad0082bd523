"""Reading: conversations by filters, and one conversation with the model's labels."""

import json

from starlette.responses import Response

from cpa_core.errors import NotFound
from cpa_core.store.database import Row
from cpa_core.workbench.highlights import pieces
from cpa_core.workbench.pages import address_of
from cpa_core.workbench.visit import Visit, to

PAGE = 50
FILTERS = ("first", "last", "user", "type", "property", "value", "least", "most", "words")


def search(visit: Visit) -> Response:
    """Show the conversations that match the form. Words are sent in a form, so that none appears in an address."""
    form = visit.form
    skip = int(form.number("skip", 0, 1e9) or 0)
    found = visit.rows(
        "workbench/conversations",
        first=form.day("first"),
        last=form.day("last"),
        user=form.get("user") or None,
        type=form.get("type") or None,
        property=form.get("property") or None,
        value=form.get("value") or None,
        least=form.number("least", 0, 100),
        most=form.number("most", 0, 100),
        words=form.get("words") or None,
        size=PAGE,
        skip=skip,
    )
    return visit.shown(
        "read",
        "Conversations",
        rows=[row | {"address": address_of(row["conversation_id"])} for row in found],
        total=found[0]["found"] if found else 0,
        skip=skip,
        size=PAGE,
        given={name: form.get(name) for name in FILTERS},
        types=[kind.name for kind in visit.schema().event_types],
    )


def conversation(visit: Visit) -> Response:
    """One conversation, with quotes, reasons and verdicts. Raises NotFound."""
    wanted = visit.request.path_params["conversation"]
    messages = visit.rows("status/shown_messages", conversation=wanted)
    if not messages and len(named := visit.rows("status/conversations_named", name=wanted, most=2)) == 1:
        wanted = named[0]["conversation_id"]
        messages = visit.rows("status/shown_messages", conversation=wanted)
    if not messages:
        raise NotFound("there is no conversation with this id in any built day")
    events = visit.rows("status/shown_events", conversation=wanted)
    judgments = visit.rows("status/shown_judgment", conversation=wanted)
    return visit.shown(
        "conversation",
        f"Conversation {wanted}",
        conversation=wanted,
        messages=with_events(messages, events),
        judgment=_judgment(judgments[0]) if judgments else None,
        made=_first(visit.rows("workbench/made", conversation=wanted)),
        reported=visit.desk.reported(wanted),
    )


def with_events(messages: list[Row], events: list[Row]) -> list[Row]:
    """Messages with their events, and their text cut at the quotes."""
    shown: list[Row] = []
    for row in messages:
        own = [event | {"values": json.loads(event["properties"])} for event in events]
        own = [event for event in own if event["position"] == row["position"]]
        shown.append(row | {"events": own, "pieces": pieces(row["content"], own)})
    return shown


def _judgment(row: Row) -> Row:
    verdicts, hits = json.loads(row["verdicts"]), json.loads(row["dealbreakers"])
    return row | {"verdicts": verdicts, "dealbreakers": {name: one for name, one in hits.items() if one["hit"]}}


def _first(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def report(visit: Visit) -> Response:
    """Add a conversation, or one of its messages, to the queue of reported items."""
    wanted, message = visit.form.get("conversation"), visit.form.get("message_id") or None
    messages = visit.rows("status/shown_messages", conversation=wanted)
    place = next((row["position"] for row in messages if row["message_id"] == message), None)
    if not messages or (message is not None and place is None):
        raise NotFound("there is no conversation or message with this id in any built day")
    visit.desk.report(wanted, message, messages[0]["day"], visit.schema().version)
    return to(address_of(wanted, place))
