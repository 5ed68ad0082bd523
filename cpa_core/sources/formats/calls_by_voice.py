"""Calls with their transcripts: of the voice agents Vapi, Retell and ElevenLabs, and of Genesys Cloud.

Sources: https://docs.vapi.ai/api-reference/calls/get (messages with `time` in milliseconds),
https://docs.retellai.com/api-references/get-call (transcript_object; words bear offsets in seconds),
https://elevenlabs.io/docs/api-reference/conversations/get (transcript; time_in_call_secs, start_time_unix_secs),
https://developer.genesys.cloud/analyticsdatamanagement/speechtextanalytics/transcript-url (phrases, startTimeMs).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord, whole

ROLES = {
    "bot": "assistant",
    "agent": "assistant",
    "assistant": "assistant",
    "user": "user",
    "system": "system",
    "tool_calls": "tool_call",
    "tool_call_invocation": "tool_call",
    "tool_call_result": "tool",
}


def _vapi(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    start = "startedAt" if tree.get("startedAt") else "createdAt"
    about = talks.head(file, place, tree, "id", "customerId", start)
    if about.conversation_id is None:  # a report at the end of a call names the call beside what was said
        about = about._replace(conversation_id=fields.identity("call.id", object_at(tree, "call").get("id")))
    artifact = object_at(tree, "artifact")
    if listed := list_at(tree, "messages") or list_at(artifact, "messages"):
        made = (one for n, turn in enumerate(listed) for one in _vapi_turn(file, f"{place}: messages.{n}", turn))
        return talks.talk(about, made)
    listed = list_at(tree, OF_OPENAI) or list_at(artifact, OF_OPENAI)
    return talks.talk(about, turns.drafts(file, f"{place}: {OF_OPENAI}", listed))


OF_OPENAI = "messagesOpenAIFormatted"
"""The same messages once more, as OpenAI writes them and without times: read where the others are left out."""


def _vapi_turn(file: File, place: str, turn: Any) -> Iterable[Made]:
    if not isinstance(turn, dict):
        return talks.said(file, place, "user", turn)
    role, at = str(turn.get("role") or ""), turn.get("time")
    ours = ROLES.get(role, role)
    if ours in ("tool_call", "tool"):
        return talks.silent(file, place, ours, turn.get("toolCalls") or turn.get("result") or "", at)
    return talks.said(file, place, ours, turn.get("message"), at)


def _retell(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    key = "call_id" if tree.get("call_id") else "chat_id"
    about = talks.head(file, place, tree, key, start="start_timestamp")
    listed = max((list_at(tree, key) for key in TRANSCRIPTS), key=_turns)  # of equals the first, with the tools
    began = tree.get("start_timestamp")
    made = (one for n, turn in enumerate(listed) for one in _retell_turn(file, f"{place}: transcript.{n}", turn, began))
    user = fields.identity("user_id", object_at(tree, "metadata").get("user_id"))
    return talks.talk(about._replace(user_id=user), made)


TRANSCRIPTS = ("transcript_with_tool_calls", "message_with_tool_calls", "transcript_object")
"""Where Retell keeps what was said in a call, and in a chat (https://docs.retellai.com/api-references/get-chat)."""


def _turns(listed: list[Any]) -> int:
    """How many of these somebody said."""
    return sum(1 for one in listed if isinstance(one, dict) and one.get("role") in ("agent", "user"))


def _retell_turn(file: File, place: str, turn: Any, began: Any) -> Iterable[Made]:
    """A turn of the transcript; its time is the start of the call and the offset of its first word, where it has one.

    Any other turn has the time of the one before it.
    """
    if not isinstance(turn, dict):
        return talks.said(file, place, "user", turn)
    role = ROLES.get(str(turn.get("role") or ""), str(turn.get("role") or ""))
    if role in ("tool_call", "tool"):
        return talks.silent(file, place, role, turn.get("content") or turn.get("arguments") or "")
    first = next((word for word in list_at(turn, "words") if isinstance(word, dict)), {})
    offset = first.get("start")
    at = began + int(offset * 1000) if isinstance(began, int) and isinstance(offset, int | float) else None
    return talks.said(file, place, role, turn.get("content"), at or turn.get("created_timestamp"))


def _elevenlabs(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    began = object_at(tree, "metadata").get("start_time_unix_secs")
    about = talks.head(file, place, {**tree, "began": began}, "conversation_id", "user_id", "began")
    made = (
        one
        for n, turn in enumerate(list_at(tree, "transcript"))
        for one in _elevenlabs_turn(file, f"{place}: transcript.{n}", turn, began)
    )
    return talks.talk(about, made)


def _elevenlabs_turn(file: File, place: str, turn: Any, began: Any) -> Iterator[Made]:
    """Yield the speech of a turn and its tool calls. Its time is the start of the call plus its own offset."""
    if not isinstance(turn, dict):
        yield from talks.said(file, place, "user", turn)
        return
    offset = turn.get("time_in_call_secs")
    at = began + offset if isinstance(began, int) and isinstance(offset, int | float) else None
    role = str(turn.get("role") or "")
    yield from talks.said(file, place, ROLES.get(role, role), turn.get("message"), at)
    for key, ours in (("tool_calls", "tool_call"), ("tool_results", "tool")):
        for one in list_at(turn, key):
            yield from talks.silent(file, place, ours, one, at)


PURPOSES = {
    **dict.fromkeys(("external", "customer"), "user"),
    **dict.fromkeys(("internal", "agent", "user"), "agent"),
    **dict.fromkeys(("bot", "botflow", "ivr", "workflow", "acd"), "bot"),
}
"""Our role for each purpose of a participant at Genesys."""

FIRST_EPOCH = 10**11
"""Milliseconds since 1970 are more; a smaller number counts from the beginning of the transcript."""


def _genesys(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A transcript of Genesys Cloud: its phrases, of all its parts, in the order of time."""
    tree = talks.record(tree)
    began = tree.get("startTime") or tree.get("conversationStartTime")
    about = talks.head(file, place, {**tree, "began": began}, "conversationId", start="began")
    found = [
        (_phrase_time(phrase, object_at(part).get("startTime") or began), f"{place}: transcripts.{n}.{k}", phrase)
        for n, part in enumerate(list_at(tree, "transcripts"))
        for k, phrase in enumerate(list_at(part, "phrases"))
    ]
    found.sort(key=lambda one: one[0] or 0)
    return talks.talk(about, (made for at, where, phrase in found for made in _phrase(file, where, phrase, at)))


def _phrase_time(phrase: Any, began: Any) -> int | None:
    at = object_at(phrase).get("startTimeMs")
    if not isinstance(at, int) or isinstance(at, bool):
        return None
    return at if at >= FIRST_EPOCH else began + at if isinstance(began, int) else None


def _phrase(file: File, place: str, phrase: Any, at: int | None) -> Iterable[Made]:
    phrase = object_at(phrase)
    purpose = str(phrase.get("participantPurpose") or "")
    role = PURPOSES.get(purpose.lower(), whole(purpose) or "unknown")
    return talks.said(file, place, role, phrase.get("decoratedText") or phrase.get("text"), at)


VAPI = Format(
    name="vapi",
    title="calls of Vapi",
    kind="conversation",
    signs=(
        "messages[].role messages[].message",
        "messages[].role messages[].message messages[].secondsFromStart",
        "artifact.messages[].role artifact.messages[].message",
        "messagesOpenAIFormatted[].role messagesOpenAIFormatted[].content !messages[].role",
        "artifact.messagesOpenAIFormatted[].role artifact.messagesOpenAIFormatted[].content !artifact.messages[].role",
    ),
    read=each(_vapi),
    docs="https://docs.vapi.ai/api-reference/calls/get",
    ids="id",
    users="customerId; a telephone number is never taken for an id",
    times="time of each message in milliseconds, else startedAt or createdAt",
    speech="message of the roles user and bot; else what messagesOpenAIFormatted has of user and assistant",
    silent="the system prompt, tool calls and results",
)

RETELL = Format(
    name="retell",
    title="calls and chats of Retell",
    kind="conversation",
    signs=(
        "call_id transcript_object[]",
        "call_id transcript_object[].role transcript_object[].content",
        "call_id transcript_with_tool_calls[].role",
        "chat_id message_with_tool_calls[].role message_with_tool_calls[].content",
    ),
    read=each(_retell),
    docs="https://docs.retellai.com/api-references/get-call",
    ids="call_id or chat_id",
    users="user_id of the metadata; a telephone number is never taken for an id",
    times="start_timestamp and the offset of a turn's first word; created_timestamp of a chat's messages",
    speech="content of the turns of user and agent",
    silent="tool calls and results",
)

ELEVENLABS = Format(
    name="elevenlabs",
    title="conversations of ElevenLabs' agents",
    kind="conversation",
    signs=(
        "conversation_id transcript[].role transcript[].message",
        "agent_id conversation_id transcript[].role transcript[].time_in_call_secs",
    ),
    read=each(_elevenlabs),
    docs="https://elevenlabs.io/docs/api-reference/conversations/get",
    ids="conversation_id",
    users="user_id",
    times="metadata.start_time_unix_secs and time_in_call_secs of each turn",
    speech="message of the turns of user and agent",
    silent="tool calls and results",
)

GENESYS = Format(
    name="genesys",
    title="transcripts of Genesys Cloud",
    kind="conversation",
    signs=(
        "transcripts[].phrases[].text transcripts[].phrases[].participantPurpose",
        "conversationId transcripts[].phrases[].text transcripts[].phrases[].participantPurpose",
        "conversationId communicationId transcripts[].phrases[]",
    ),
    read=each(_genesys),
    docs="https://developer.genesys.cloud/analyticsdatamanagement/speechtextanalytics/transcript-url",
    ids="conversationId",
    users="none: a participant is one contact",
    times="startTimeMs of each phrase",
    speech="decoratedText, else text: external (customer) is the user, internal (agent) the agent, bot and ivr the bot",
    silent="analytics, words and alternatives beside a phrase",
)
