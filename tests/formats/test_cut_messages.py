"""Messages that stand as JSON in a text, which the sender cut at its limit: a reject, and never somebody's words."""

import json
from typing import Any

import pytest

from cpa_core.errors import SourceError
from tests.formats.reading import read_file

PARTS = [
    {"role": "user", "parts": [{"type": "text", "content": "Where is my parcel?"}]},
    {"role": "assistant", "parts": [{"type": "text", "content": "On its way."}]},
]
PLAIN = [{"role": "user", "content": "Where is my parcel?"}, {"role": "assistant", "content": "On its way."}]


def span(text: str) -> dict[str, Any]:
    words = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "c1", "gen_ai.input.messages": text}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in words.items()]
    times = {"startTimeUnixNano": "1772442000000000000", "endTimeUnixNano": "1772442001000000000"}
    found = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "chat", **times, "attributes": attributes}
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "x"}, "spans": [found]}]}]}


def observation(text: str) -> dict[str, Any]:
    about = {"id": "o1", "traceId": "t1", "type": "GENERATION", "name": "n", "sessionId": "s", "model": "m"}
    return {**about, "startTime": "2026-03-02T10:00:00Z", "input": text, "output": "ok"}


FORMS = {"otlp": (span, PARTS), "langfuse": (observation, PLAIN)}


@pytest.mark.parametrize("form", FORMS)
def test_messages_whose_json_is_cut_are_a_reject_and_nobodys_words(form: str) -> None:
    made, said = FORMS[form]
    whole = json.dumps(said)
    found, rejects = read_file(json.dumps(made(whole)), "a.json")
    assert ("user", "Where is my parcel?") in {(one.role, one.content) for one in found} and not rejects
    for length in range(whole.index(":") + 1, len(whole)):
        with pytest.raises(SourceError, match="cut off"):
            read_file(json.dumps(made(whole[:length])), "a.json")


@pytest.mark.parametrize("text", ['{"colour": "red"', "[ok] {yes}", '"role": a word', "{name}, where is it?"])
def test_words_that_only_look_like_json_stay_words(text: str) -> None:
    found, rejects = read_file(json.dumps(observation(text)), "a.json")
    assert (found[0].role, found[0].content, rejects) == ("user", text, [])
