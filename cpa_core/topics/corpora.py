"""The texts that topics are found in: four corpora, each a list of items."""

from datetime import date
from typing import Literal, NamedTuple

Corpus = Literal["intents", "requests", "uncovered", "misses"]
"""The corpora: users' intents by the judge, users' requests, messages without an event, reasons of missed criteria."""

CORPORA: dict[Corpus, str] = {
    "intents": "what users want, in the judge's words",
    "requests": "what users come for: the first messages of the user",
    "uncovered": "messages of the user without an event",
    "misses": "the judge's reasons for criteria that were missed",
}


class Item(NamedTuple):
    """One text of a corpus. `item_id` is made from its place and content: a text that changed is another item.

    `place` is its message, or the criterion that the judge's reason is about; empty for a whole conversation.
    """

    item_id: str
    day: date
    conversation_id: str
    text: str
    place: str = ""
