"""Conversations of Google's: Dialogflow CX, CX Agent Studio, and the transcripts of CX Insights and Agent Assist.

Sources: https://docs.cloud.google.com/dialogflow/cx/docs/reference/rest/v3beta1/projects.locations.agents.conversations,
https://docs.cloud.google.com/dialogflow/cx/docs/concept/export-bq,
https://docs.cloud.google.com/gemini-enterprise-cx/cx-agent-studio/reference/rest/v1beta/Message,
https://docs.cloud.google.com/gemini-enterprise-cx/insights/conversation-data-format. The REST API names its fields in
camel case, and Python's client, which prints the same messages, in snake case.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import columns, fields, markup
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord
from cpa_core.sources.trees import unfolded

_SNAKE = re.compile(r"_([a-z0-9])")


def in_camel_case(tree: Any) -> Any:
    """A value with all keys of its objects in camel case."""
    if isinstance(tree, list):
        return [in_camel_case(one) for one in tree]
    if not isinstance(tree, dict):
        return tree
    return {_SNAKE.sub(lambda found: found[1].upper(), key): in_camel_case(one) for key, one in tree.items()}


def _head(file: File, place: str, tree: dict[str, Any]) -> talks.Head:
    """The head of a conversation; its id is the last part of its name."""
    about = talks.head(file, place, tree, "name", start="startTime")
    return about._replace(conversation_id=about.conversation_id and about.conversation_id.rsplit("/", 1)[-1])


def _dialogflow(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = in_camel_case(talks.record(tree))
    about = _head(file, place, tree)
    listed = [one for one in list_at(tree, "interactions") if isinstance(one, dict)]
    listed.sort(key=lambda one: str(one.get("createTime") or ""))  # one form of time: RFC 3339 in UTC
    made = (one for n, both in enumerate(listed) for one in _interaction(file, f"{place}: interactions.{n}", both))
    return talks.talk(about, made)


def _interaction(file: File, place: str, both: dict[str, Any]) -> Iterator[Made]:
    """Both sides of an interaction: what was asked, or transcribed, and the texts of the answer."""
    result, at = object_at(both, "response", "queryResult"), both.get("createTime")
    query = object_at(both, "request", "queryInput")
    asked = both.get("requestUtterances") or object_at(query, "text").get("text")
    asked = asked or result.get("text") or result.get("transcript")
    yield from talks.said(file, f"{place}.request", "user", asked, at)
    texts = [text for one in list_at(result, "responseMessages") for text in _shown(one)]
    answered = both.get("responseUtterances") or "\n".join(text for text in texts if isinstance(text, str))
    yield from talks.said(file, f"{place}.response", "assistant", answered, at)


def _shown(message: Any) -> list[Any]:
    """The texts of one response message: shown, or spoken, then without the marks of SSML."""
    spoken = object_at(message, "outputAudioText")
    ssml = spoken.get("ssml")
    said = spoken.get("text") or (markup.words(ssml) if isinstance(ssml, str) else None)
    return [*list_at(message, "text", "text"), *([said] if said else [])]


def _dialogflow_turn(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """One turn of the interaction log, as Dialogflow CX writes it to BigQuery: both sides of it."""
    tree = talks.record(tree)
    name = fields.needed("conversation_name", tree.get("conversation_name"))
    both = in_camel_case({key: unfolded(tree.get(key)) for key in ("request", "response")})
    made = _interaction(file, place, {**both, "createTime": tree.get("request_time")})
    yield from talks.in_conversation(made, name.rsplit("/", 1)[-1])


def _studio(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A conversation of CX Agent Studio: turns, each with the messages of user and agents."""
    tree = in_camel_case(talks.record(tree))
    listed = [one for turn in list_at(tree, "turns") for one in list_at(turn, "messages")] or list_at(tree, "messages")
    made = (one for n, item in enumerate(listed) for one in _chunks(file, f"{place}: messages.{n}", object_at(item)))
    return talks.talk(_head(file, place, tree), made)


CHUNKS = {"toolCall": "tool_call", "toolResponse": "tool", "payload": "attachment", "image": "attachment"}
CHUNKS |= {"blob": "attachment"}
"""Our role for a chunk in which nobody speaks; those about variables and transfers are left out."""


def _chunks(file: File, place: str, item: dict[str, Any]) -> Iterator[Made]:
    """One message. Its role is `user`, or `agent` or the agent's own name."""
    at, chunks = item.get("eventTime"), list(map(object_at, list_at(item, "chunks")))
    texts = [text for one in chunks if isinstance(text := one.get("text") or one.get("transcript"), str)]
    role = "user" if str(item.get("role")).lower() == "user" else "assistant"
    yield from talks.said(file, place, role, "\n".join(texts), at)
    for one in chunks:
        for key in one.keys() & CHUNKS.keys():
            yield from talks.silent(file, place, CHUNKS[key], one[key], at)


def _insights(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A transcript as CX Insights and Agent Assist take it."""
    tree = talks.record(tree)
    listed = list(map(object_at, list_at(tree, "entries")))
    users = (one.get("user_id") for one in listed if ENTRY_ROLES.get(str(one.get("role")).upper()) == "user")
    about = talks.Head(place, None, fields.identity("user_id", next((one for one in users if one is not None), None)))
    return talks.talk(about, (one for n, item in enumerate(listed) for one in _entry(file, f"{place}: {n}", item)))


ENTRY_ROLES = {"CUSTOMER": "user", "END_USER": "user", "AGENT": "agent", "HUMAN_AGENT": "agent"}
ENTRY_ROLES |= {"AUTOMATED_AGENT": "bot"}
FIRST = 10**14
"""Microseconds since 1970 are more; a smaller number counts from the beginning of the conversation."""


def _entry(file: File, place: str, item: dict[str, Any]) -> Iterable[Made]:
    written, given = str(item.get("role") or "unknown"), str(item.get("start_timestamp_usec"))
    at = int(given) if given.isdecimal() and int(given) >= FIRST else None
    return talks.said(file, place, ENTRY_ROLES.get(written.upper(), written.lower()), item.get("text"), at)


IN_EITHER_CASE = (("requestUtterances", "createTime"), ("request_utterances", "create_time"))


DIALOGFLOW = Format(
    name="dialogflow_cx",
    title="conversations of Dialogflow CX",
    kind="conversation",
    signs=(
        "interactions[].request interactions[].response",
        "name startTime interactions[].request interactions[].response.queryResult",
        "name start_time interactions[].request interactions[].response.query_result",
        *(f"name interactions[].{asked} interactions[].{at}" for asked, at in IN_EITHER_CASE),
    ),
    read=each(_dialogflow),
    docs="https://docs.cloud.google.com/dialogflow/cx/docs/reference/rest/v3beta1/projects.locations.agents.conversations",
    ids="the last part of name",
    users="none",
    times="createTime of each interaction, else startTime",
    speech="requestUtterances or the query's text; responseUtterances or the texts of responseMessages",
    silent="payloads, parameters, intents",
)

DIALOGFLOW_LOG = DIALOGFLOW._replace(
    name="dialogflow_log",
    title="the interaction log of Dialogflow CX in BigQuery",
    kind="message",
    signs=("conversation_name turn_position request response",),
    read=each(_dialogflow_turn),
    docs="https://docs.cloud.google.com/dialogflow/cx/docs/concept/export-bq",
    ids="the last part of conversation_name",
    times="request_time",
)

STUDIO = DIALOGFLOW._replace(
    name="cx_agent_studio",
    title="conversations of Google's CX Agent Studio",
    signs=("turns[].messages[].role turns[].messages[].chunks[]", "name turns[].messages[].chunks[]"),
    read=each(_studio),
    docs="https://docs.cloud.google.com/gemini-enterprise-cx/cx-agent-studio/reference/rest/v1beta/Message",
    times="eventTime of each message, else startTime",
    speech="text and transcript of the messages of user and agents",
    silent="tool calls and their results, payloads, pictures, variables",
)

INSIGHTS = DIALOGFLOW._replace(
    name="cx_insights",
    title="transcripts of Google's CX Insights and Agent Assist",
    signs=("entries[].text entries[].role entries[].start_timestamp_usec",),
    read=each(_insights),
    docs="https://docs.cloud.google.com/gemini-enterprise-cx/insights/conversation-data-format",
    ids="none: what was said",
    users="user_id of the customer",
    times="start_timestamp_usec of each entry, if it counts from 1970",
    speech="text: CUSTOMER and END_USER are the user, AGENT the agent, AUTOMATED_AGENT the bot",
    silent="entries of other roles",
)
