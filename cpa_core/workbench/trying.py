"""Trying a schema: one conversation, picked or pasted, asked by the schema as edited, beside its stored labels."""

from threading import Lock

from starlette.responses import Response

from cpa_core import schema as schemas
from cpa_core.errors import InputError, SchemaError
from cpa_core.models import TAGGED_ROLES, Conversation, EventSchema
from cpa_core.pipeline.label.trial import (
    differing,
    pasted_conversation,
    quote_trial,
    stored_conversation,
    try_schema,
)
from cpa_core.pipeline.schema.current import schema_path
from cpa_core.schema.document import text_of
from cpa_core.store.database import Row
from cpa_core.tagging import Tagged
from cpa_core.workbench.visit import Visit

ONE_AT_A_TIME = Lock()
"""Trials of one process share the file of their answers."""


def form(visit: Visit) -> Response:
    """Show the form of a trial: the schema's text, and a conversation if the address names one."""
    return _shown(visit, _file_text(visit), conversation=visit.request.query_params.get("conversation", ""))


def try_it(visit: Visit) -> Response:
    """Quote the trial, or run it. Raises InputError, Stopped."""
    text = visit.form.raw("yaml") or _file_text(visit)
    wanted, pasted = visit.form.get("conversation"), visit.form.raw("pasted")
    if visit.form.get("action") not in ("price", "ask"):  # from the schema's page: nothing is picked yet
        return _shown(visit, text, wanted, pasted)
    try:
        schema, _ = schemas.check_text(text, "schema")
    except SchemaError as wrong:
        return _shown(visit, text, wanted, pasted, broken=str(wrong))
    talk = _conversation(visit, schema, wanted, pasted)
    if visit.form.get("action") == "price":
        return _shown(visit, text, wanted, pasted, quote=quote_trial(visit.assistant, talk, schema))
    with ONE_AT_A_TIME:
        found = try_schema(visit.assistant, talk, schema)
    return _shown(visit, text, wanted, pasted, found=found, messages=_compared(visit, schema, talk, found))


def _conversation(visit: Visit, schema: EventSchema, wanted: str, pasted: str) -> Conversation:
    if bool(wanted) == bool(pasted.strip()):
        raise InputError("name one conversation by its id, or paste one: one of the two")
    if pasted.strip():
        return pasted_conversation(visit.assistant, pasted)
    return stored_conversation(visit.assistant.store, schema, wanted)


def _compared(visit: Visit, schema: EventSchema, talk: Conversation, found: Tagged) -> list[Row]:
    """Each message with its new tags and the stored ones, and which types only one of the two has."""
    events = visit.rows("status/shown_events", conversation=talk.conversation_id)
    shown: list[Row] = []
    for message in talk.messages:
        stored = [event for event in events if event["position"] == message.position]
        tags = [tag for tag in found.tags if tag.position == message.position]
        came, gone = differing([tag.event_type for tag in tags], [event["event_type"] for event in stored])
        row = {"position": message.position, "role": message.role, "content": message.content}
        shown.append(
            row | {"tags": tags, "stored": stored, "came": came, "gone": gone, "asked": message.role in TAGGED_ROLES}
        )
    return shown


def _shown(
    visit: Visit, text: str, conversation: str = "", pasted: str = "", *, broken: str = "", **found: object
) -> Response:
    values = {"quote": None, "found": None, "messages": []} | found
    return visit.shown("try", "Try a schema", text=text, wanted=conversation, pasted=pasted, broken=broken, **values)


def _file_text(visit: Visit) -> str:
    path = schema_path(visit.assistant)
    return text_of(path) if path.exists() else ""
