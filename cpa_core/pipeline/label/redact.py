"""Optional redaction before the model: the redacted text for a provider, and the original text for its answers."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

from cpa_core.models import Conversation, EventSchema, Hidden, Message, Tag, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.prompts import Prompt, Task, prompt_id
from cpa_core.redaction import Pseudonyms, names_of, redactor
from cpa_core.settings import Settings
from cpa_core.store import Store
from cpa_core.store.database import Row
from cpa_core.tagging import Tagged

Result = TypeVar("Result", bound=Value)


def asked_by(settings: Settings, task: Task, schema: EventSchema) -> str:
    """The prompt's id, and that its messages are redacted: answers about the others are not comparable."""
    prompts: tuple[Prompt, ...] = ("judge", "judge_intent") if task == "judge" and schema.intents else (task,)
    return prompt_id(*prompts) + ("-redacted" if settings.redact_before_model else "")


def answered_more(settings: Settings, task: Task, schema: EventSchema) -> frozenset[str]:
    """The prompts whose answers hold more than this schema asks for: they stay when it asks for less."""
    more = schema.model_copy(update={"intents": True})
    return frozenset({asked_by(settings, task, more)} if task == "judge" and not schema.intents else ())


def as_sent(assistant: Assistant, conversations: Sequence[Conversation]) -> list[Conversation]:
    """The conversations as a model may see them. Raises SettingsError for a redactor that cannot be found."""
    if not assistant.settings.redact_before_model:
        return list(conversations)
    names = _names(assistant.store, conversations)
    finds = redactor(assistant.settings)
    return [redacted(one, Pseudonyms(finds, _texts(one), names.get(one.conversation_id, ()))) for one in conversations]


def _texts(conversation: Conversation) -> list[str]:
    return [*(m.content for m in conversation.messages), *(value for _, value in conversation.context)]


def _names(store: Store, conversations: Sequence[Conversation]) -> Mapping[str, list[str]]:
    asked = json.dumps([one.conversation_id for one in conversations])
    with store.reading() as view:
        days = {one.day for one in conversations}
        rows = [
            row for day in sorted(days) for row in view.answer("delivery/metadata_of_day", day=day, conversations=asked)
        ]
    return names_known(rows)


def names_known(rows: Sequence[Row]) -> Mapping[str, list[str]]:
    """Names of people by conversation, from its metadata, its messages' metadata, and a user id that is a name."""
    names: dict[str, list[str]] = {}
    for row in rows:
        metadata = json.loads(row["metadata"]) if row["metadata"] else {}
        found = names_of(metadata) if isinstance(metadata, dict) else []
        user = row["user_id"] or ""
        found += [user] if " " in user.strip() and not any(c.isdigit() for c in user) else []
        names.setdefault(row["conversation_id"], []).extend(found)
    return names


def redacted(conversation: Conversation, hide: Pseudonyms) -> Conversation:
    """The conversation with placeholders, which remember what they hide."""
    messages = tuple(_hidden(message, hide) for message in conversation.messages)
    context = tuple((name, _replaced(value, hide)[0]) for name, value in conversation.context)
    return conversation.model_copy(update={"messages": messages, "context": context})


def _hidden(message: Message, hide: Pseudonyms) -> Message:
    content, hidden = _replaced(message.content, hide)
    return message.model_copy(update={"content": content, "hidden": hidden})


def _replaced(text: str, hide: Pseudonyms) -> tuple[str, tuple[Hidden, ...]]:
    parts: list[str] = []
    hidden: list[Hidden] = []
    at = length = 0
    for span, placeholder in hide.placed(text):
        start = length + span.start - at
        hidden.append(Hidden(start=start, end=start + len(placeholder), said=text[span.start : span.end]))
        parts += [text[at : span.start], placeholder]
        at, length = span.end, start + len(placeholder)
    return "".join([*parts, text[at:]]), tuple(hidden)


def restored(conversation: Conversation, result: Result) -> Result:
    """Return the result with quotes in the original words and places. A judge's quotes have no place, and stay."""
    messages = {message.position: message for message in conversation.messages if message.hidden}
    if not messages or not isinstance(result, Tagged):
        return result
    tags = [_restored(tag, messages[tag.position]) if tag.position in messages else tag for tag in result.tags]
    return result.model_copy(update={"tags": tuple(tags)})


def _restored(tag: Tag, message: Message) -> Tag:
    """A placeholder that a quote touches counts whole."""
    if tag.quote_start is None or tag.quote_end is None:
        return tag
    words = said(message)
    start, end = _place(message, tag.quote_start, last=False), _place(message, tag.quote_end, last=True)
    return tag.model_copy(update={"quote": words[start:end], "quote_start": start, "quote_end": end})


def said(message: Message) -> str:
    """The message without its placeholders."""
    parts: list[str] = []
    at = 0
    for one in message.hidden:
        parts += [message.content[at : one.start], one.said]
        at = one.end
    return "".join([*parts, message.content[at:]])


def _place(message: Message, at: int, *, last: bool) -> int:
    """Return the original place of a place in the content; within a placeholder, the first or last of its span."""
    shift = 0
    for one in message.hidden:
        if at <= one.start:
            break
        if at < one.end:
            return one.start + shift + (len(one.said) if last else 0)
        shift += len(one.said) - (one.end - one.start)
    return at + shift
