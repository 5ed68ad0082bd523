"""JSON in a text that does not reach its end: senders cut what is longer than their limit.

Limits: OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT of https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/,
32 KB a row at https://learn.microsoft.com/azure/api-management/api-management-howto-llm-logs,
16 KB a line at https://docs.docker.com/engine/logging/drivers/json-file/.
"""

import re

PREFIX = 300
"""So many characters a program that writes logs puts before the JSON of a line, such as its time and level."""
BEGUN = re.compile(r"\{\s*\"")
LINE = "a line of the log whose JSON is cut off or damaged"
MESSAGES = (
    "messages whose JSON is cut off or damaged: nobody said that; raise the length limit of the sender's attributes"
)

SPEECH = "role|content|contents|parts|messages|message|choices|candidates|system_instruction|systemInstruction"
"""Keys of messages, and of what holds them in the requests and answers of vendors."""
FIRST = f"{SPEECH}|type|text|id|object|model|created|prompt|input|output|instructions|system|temperature|max_tokens"
FIRST += "|stream|tools|usage|anthropic_version|generationConfig|modelVersion|responseId|inputText|results|lc|kwargs"
FIRST += "|inputs|question|query|chat_history|generations|answer|outputs|request|response"
"""Keys with which a message, a request or an answer may begin."""

QUOTE = r"\\*[\"']"
OPENED = re.compile(rf"\s*{QUOTE}?\s*(?:\[\s*)*\{{\s*{QUOTE}")
FIRST_KEY = re.compile(rf"(\w*)(?:\Z|{QUOTE}\s*(?:\Z|:))")
ANY_KEY = re.compile(rf"{QUOTE}(?:{SPEECH}){QUOTE}\s*:")
FIRST_KEYS = tuple(FIRST.split("|"))


def begins_record(text: str) -> bool:
    """Whether JSON begins in a line of a log, be it behind its time and level."""
    return BEGUN.search(text, 0, PREFIX) is not None


def begins_messages(text: str) -> bool:
    """Whether a text begins as the JSON of messages does, or of a request or answer that holds them.

    The text is known to be no whole JSON. It may be cut anywhere behind the first quote, and may be JSON in JSON.
    """
    opened = OPENED.match(text)
    if opened is None:
        return False
    first = FIRST_KEY.match(text, opened.end())
    if first is None:
        return False
    if first.end() == len(text):
        return any(one.startswith(first[1]) for one in FIRST_KEYS)
    return first[1] in FIRST_KEYS or ANY_KEY.search(text) is not None
