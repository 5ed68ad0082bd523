"""The texts of a corpus: read from the store, and as a model may see them."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from cpa_core.models import Conversation, Message
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.label.redact import as_sent
from cpa_core.store.database import Row, Transaction
from cpa_core.topics import Corpus, Item

ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the time of a text, which no model is shown."""


def items_of(view: Transaction, corpus: Corpus) -> tuple[Item, ...]:
    """The texts of a corpus as they are now, in the order of days and conversations."""
    return tuple(_item(corpus, row) for row in view.answer(f"topics/{corpus}"))


def _item(corpus: Corpus, row: Row) -> Item:
    parts = (corpus, row["conversation_id"], row["place"], row["text"])
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    return Item(name, row["day"], row["conversation_id"], row["text"], row["place"])


def sent_texts(assistant: Assistant, items: Sequence[Item], most: int) -> list[str]:
    """The first so many characters of each text, redacted if the settings say so. Raises SettingsError."""
    if not assistant.settings.redact_before_model:
        return [one.text[:most] for one in items]
    return [one.messages[0].content for one in as_sent(assistant, [_talk_of(one, most) for one in items])]


def _talk_of(item: Item, most: int) -> Conversation:
    """A text as a conversation of one message, so that it is redacted as any other."""
    message = Message(message_id="0", position=0, role="user", content=item.text[:most], sent_at=ANY_TIME)
    return Conversation(
        conversation_id=item.conversation_id, user_id=None, day=item.day, content_hash="", messages=(message,)
    )
