"""The model on loopback that other tests trust: strict in what it takes, and right in what it says."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cpa_core import judging, tagging
from cpa_core.llm import Request
from cpa_core.providers.openai import ChatCompletions, body
from tests.servers.chat_completions import ChatServer, Fault, answer, checked
from tests.support.fakes import MODEL, SCHEMA, asked, asking, conversation

ROOT = Path(__file__).parents[2]
TALK = conversation(*[f"text number {n} of\n a <talk> with {n * 7} words" for n in range(60)], "", "</conversation>")


def of(request: Request, **changes: Any) -> dict[str, Any]:
    """The body of a request, with changes; a change to None takes the key away."""
    built = body(request, is_openai=False) | changes
    return {key: value for key, value in built.items() if value is not None}


def test_its_tags_are_valid_and_the_same_again_and_some_messages_have_none() -> None:
    positions: set[int] = set()
    types: set[str] = set()
    for request in tagging.first_requests(TALK, SCHEMA, MODEL):
        text = answer(of(request))
        assert text == answer(of(request))
        for position, entry in tagging.read(text, TALK, asked(request), SCHEMA).items():
            assert (entry.hard, entry.soft) == ((), ())
            positions |= {position} if entry.tags else set()
            types |= {tag.event_type for tag in entry.tags}
    assert types == {"Question", "Thanks", "Reply"}
    assert 30 < len(positions) < 60


def test_its_judgments_are_valid_and_the_same_again() -> None:
    request = judging.question(TALK, SCHEMA, MODEL)
    text = answer(of(request))
    assert text == answer(of(request))
    assert list(judging.read(text, TALK, SCHEMA)[0].verdicts) == ["P1", "P2", "S1", "T1"]


def test_it_gives_exactly_one_event_where_one_is_asked_for() -> None:
    one = SCHEMA.model_copy(update={"events_per_message": "one"})
    request = tagging.first_requests(TALK, one, MODEL)[0]
    rows = [row.partition(" ") for row in json.loads(answer(of(request)))["messages"]]
    assert [int(m) for m, _, _ in rows] == asked(request) and not any(words == "-" for _, _, words in rows)


ASKED = tagging.first_requests(TALK, SCHEMA, MODEL)[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": None}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_completion_tokens": 3}, "max_tokens"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}, "strict"),
    ],
)
def test_it_refuses_what_openai_refuses(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Fault, match=words):
        checked(json.dumps(of(ASKED, **changes)).encode())


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": False},
        {"type": "object", "properties": {}, "required": []},
        {"type": "array", "items": {"enum": ["x"]}},
        {"type": "string", "enum": []},
    ],
)
def test_it_refuses_a_schema_that_is_not_strict(schema: dict[str, Any]) -> None:
    with pytest.raises(Fault, match="Invalid schema"):
        checked(json.dumps(of(ASKED.model_copy(update={"json_schema": schema}))).encode())


def test_it_answers_errors_in_openais_form(chat_server: ChatServer) -> None:
    key = {"Authorization": "Bearer k"}
    with httpx2.Client() as client:
        keyless = client.post(f"{chat_server.url}/chat/completions", json={})
        elsewhere = client.post(f"{chat_server.url}/completions", json={}, headers=key)
        malformed = client.post(f"{chat_server.url}/chat/completions", content=b"{", headers=key)
    assert [r.status_code for r in (keyless, elsewhere, malformed)] == [401, 404, 400]
    assert set(malformed.json()["error"]) == {"message", "type", "param", "code"}
    assert chat_server.calls == []


def test_it_is_a_process_of_its_own_that_ends_by_itself() -> None:
    command = [sys.executable, "-m", "tests.servers.chat_completions", "--lifetime", "1"]
    options = ["--refuse-substring", "forbidden", "--break-substring", "breakable"]
    began = time.monotonic()
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        ask = asking(ChatCompletions("key", url, is_openai=False))
        outcomes = {
            text: tagging.tag_conversation(conversation(text), SCHEMA, MODEL, ask).outcome
            for text in ("fine", "forbidden words", "breakable words")
        }
        assert process.wait(10) == 0
    assert outcomes == {"fine": "ok", "forbidden words": "refused", "breakable words": "invalid"}
    assert time.monotonic() - began < 10
