"""Transcripts of bot builders: Rasa, Copilot Studio, Typebot.

Sources: https://rasa.com/docs/rasa/tracker-stores, https://rasa.com/docs/reference/integrations/event-brokers (events),
https://learn.microsoft.com/en-us/microsoft-copilot-studio/analytics-transcripts-powerapps (activities; from.role 1 is
the user, 0 the bot), https://learn.microsoft.com/en-us/microsoft-copilot-studio/analytics-sessions (the table),
https://github.com/baptisteArno/typebot.io (getResultTranscript: role, type and text of each message).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord
from cpa_core.sources.trees import unfolded

RASA_ROLES = {"user": "user", "bot": "assistant", "agent": "agent"}
ACTIVITY_ROLES = {"1": "user", "0": "assistant", "user": "user", "bot": "assistant"}


def _rasa(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A tracker; or trackers by their sender, which are as many conversations."""
    tree = talks.record(tree)
    if isinstance(tree.get("events"), list):
        yield from _tracker(file, place, tree)
        return
    for sender, one in tree.items():
        try:
            yield from _tracker(file, sender, {"sender_id": sender, **talks.record(one)})
        except ValueError as error:
            yield Reject(sender, str(error), raw(one))


def _tracker(file: File, place: str, tree: dict[str, Any]) -> Iterator[SourceRecord | Reject]:
    about = talks.head(file, place, tree, "sender_id")
    made = (
        one
        for n, event in enumerate(_as_shown(list_at(tree, "events")))
        for one in _rasa_event(file, f"{place}: events.{n}", event)
    )
    return talks.talk(about, made)


def _as_shown(events: list[Any]) -> Iterator[Any]:
    """The events, with what stands on a button for the payload that pressing it sends."""
    titles: dict[str, str] = {}
    for event in events:
        buttons = object_at(event, "data").get("buttons") or object_at(event, "data").get("quick_replies")
        for one in buttons if isinstance(buttons, list) else ():
            if isinstance(one, dict) and isinstance(one.get("payload"), str) and isinstance(one.get("title"), str):
                titles[one["payload"]] = one["title"]
        pressed = titles.get(str(object_at(event).get("text"))) if object_at(event).get("event") == "user" else None
        yield {**event, "text": pressed} if pressed else event


def _rasa_event(file: File, place: str, event: Any) -> Iterable[Made]:
    role = RASA_ROLES.get(str(object_at(event).get("event")))
    if role is None:
        return []
    return talks.said(file, place, role, event.get("text"), event.get("timestamp"), event.get("message_id"))


def _rasa_row(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """One event of a tracker, as an event broker sends it or a tracker store's table keeps it (column `data`)."""
    tree = talks.record(tree)
    held = unfolded(tree.get("data"))
    event = {**tree, **held} if isinstance(held, dict) else tree
    conversation_id = fields.needed("sender_id", tree.get("sender_id") or event.get("sender_id"))
    made = list(_rasa_event(file, place, event))
    if not made:
        yield Reject(place, "an event in which nobody speaks", "{}", loss=False)
    yield from talks.in_conversation(made, conversation_id)


def _typebot(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """The transcript of one result of Typebot's."""
    tree = talks.record(tree)
    own = "resultId" if tree.get("resultId") else "id"
    about = talks.head(file, place, tree, own, start="createdAt")
    listed = enumerate(map(object_at, list_at(tree, "transcript")))
    return talks.talk(
        about, (made for n, one in listed for made in _typebot_turn(file, f"{place}: transcript.{n}", one))
    )


def _typebot_turn(file: File, place: str, item: dict[str, Any]) -> Iterator[Made]:
    role = {"bot": "assistant", "user": "user"}.get(str(item.get("role")), "unknown")
    yield from talks.said(file, place, role, item.get("text"))
    for kind in ("image", "video", "audio"):
        if item.get(kind):
            yield from talks.silent(file, place, "attachment", {kind: item[kind]})


def _copilot(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A transcript's activities; in Dataverse's table they stand in the column `content`, as JSON."""
    tree = talks.record(tree)
    held = unfolded(tree.get("content"))
    activities = list_at(tree, "activities") or list_at(held, "activities")
    names = ("conversationtranscriptid", "conversationId", "conversationid", "id", "name")
    named = next((tree[name] for name in names if tree.get(name)), None)
    inside = (object_at(one, "conversation").get("id") for one in activities)
    users = (object_at(one, "from").get("id") for one in activities if _activity_role(one) == "user")
    about = talks.Head(
        place,
        fields.identity("id", named or next((one for one in inside if one), None)),
        fields.identity("from.id", next((one for one in users if one), None)),
    )
    made = (one for n, act in enumerate(activities) for one in _activity(file, f"{place}: activities.{n}", act))
    return talks.talk(about, made)


def _copilot_session(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A row of the sessions that Copilot Studio itself lets one download: the whole transcript is one text."""
    tree = talks.record(tree)
    number = tree.get("SessionId") or tree.get("SessionID")
    about = talks.head(file, place, {**tree, "id": number}, "id", start="StartDateTime")
    written = tree.get("ChatTranscript") or ""
    if not isinstance(written, str):
        raise ValueError(f"ChatTranscript: text is needed, this is a {fields.kind(written)}")
    pieces = SAYS.split(written)
    if written and len(pieces) < 3:
        raise ValueError('ChatTranscript: neither "User says:" nor "Bot says:" stands in it')
    said = zip(pieces[1::2], pieces[2::2], strict=True)
    return talks.talk(
        about,
        (
            one
            for n, (who, text) in enumerate(said)
            for one in talks.said(file, f"{place}: ChatTranscript.{n}", SAYERS[who], text.strip().removesuffix(";"))
        ),
    )


SAYS = re.compile(r"(?:^|;)\s*(User|Bot) says: ?")
SAYERS = {"User": "user", "Bot": "assistant"}


def _activity_role(activity: Any) -> str | None:
    role = object_at(activity, "from").get("role")
    return ACTIVITY_ROLES.get(str(role).lower()) if role is not None else None


def _activity(file: File, place: str, activity: Any) -> Iterator[Made]:
    if object_at(activity).get("type") != "message":
        return
    at, role = activity.get("timestamp"), _activity_role(activity) or str(object_at(activity, "from").get("role") or "")
    yield from talks.said(file, place, role, activity.get("text"), at, activity.get("id"))
    for attached in list_at(activity, "attachments"):
        yield from talks.silent(file, place, "attachment", attached, at)


RASA = Format(
    name="rasa",
    title="Rasa's trackers",
    kind="conversation",
    signs=(
        "sender_id events[].event",
        "sender_id events[].event events[].timestamp slots",
        "*.events[].event=user|bot *.events[].timestamp",
    ),
    read=each(_rasa),
    docs="https://rasa.com/docs/rasa/tracker-stores",
    ids="sender_id, or the key under which a tracker stands",
    users="none: sender_id is the conversation",
    times="timestamp of each event",
    speech="text of the events user and bot",
    silent="actions, slots, sessions and every other event",
)

RASA_EVENTS = RASA._replace(
    name="rasa_events",
    title="events of Rasa, one a record",
    kind="message",
    signs=(
        "sender_id event timestamp !events !role !messages",
        "sender_id data.event data.timestamp",
        "sender_id type_name data",
    ),
    read=each(_rasa_row),
    docs="https://rasa.com/docs/reference/integrations/event-brokers",
)

TYPEBOT = Format(
    name="typebot",
    title="transcripts of Typebot's results",
    kind="conversation",
    signs=("transcript[].role=bot|user transcript[].type=text|image|video|audio !conversation_id !call_id",),
    read=each(_typebot),
    docs="https://docs.typebot.com/api-reference/results (getResultTranscript)",
    ids="resultId or id beside the transcript, else what was said",
    users="none",
    times="createdAt beside the transcript; the API gives none",
    speech="text of bot and user",
    silent="pictures, videos and sound",
)

COPILOT = Format(
    name="copilot_studio",
    title="transcripts of Copilot Studio",
    kind="conversation",
    signs=(
        "activities[].type activities[].from",
        "activities[].type activities[].from.role activities[].timestamp",
        "content.activities[].type",
        "conversationtranscriptid content.activities[].type",
    ),
    read=each(_copilot),
    docs="https://learn.microsoft.com/en-us/microsoft-copilot-studio/analytics-transcripts-powerapps",
    ids="conversationtranscriptid or the conversation that an activity names; else what was said",
    users="from.id of the user",
    times="timestamp of each activity",
    speech="text of activities of type message: from.role 1 is the user, 0 the bot",
    silent="traces, events, attachments and cards",
)

COPILOT_SESSIONS = COPILOT._replace(
    name="copilot_sessions",
    title="sessions downloaded from Copilot Studio",
    signs=("ChatTranscript StartDateTime !role !activities",),
    read=each(_copilot_session),
    docs="https://learn.microsoft.com/en-us/microsoft-copilot-studio/analytics-sessions",
    ids="SessionId",
    users="none",
    times="StartDateTime of the session",
    speech='ChatTranscript, cut where "User says:" and "Bot says:" stand; Copilot Studio keeps 512 characters of '
    "each answer there, and all of them in the transcripts of Power Apps",
    silent="the options that are shown, and the outcome",
    texts=frozenset({"ChatTranscript"}),
)
