"""The mistakes measured in the tool that this one surpasses, continued: what is read, asked and answered."""

import csv
import io
import json
import re
import threading
import time
from collections import deque
from pathlib import Path

import pytest

from cpa_core.llm import MAX_FAILURES
from cpa_core.models import EventType, Property
from cpa_core.schema import dump, load
from tests.servers.brain import lines, number, tokens
from tests.servers.caches import LEAST
from tests.servers.chat_completions import Broken, Changed, ChatServer, Hang, Status
from tests.servers.messages import MessagesServer
from tests.servers.posthog import PostHogServer
from tests.servers.scripted import Scripted
from tests.support.commands import (
    ONE_EACH,
    Body,
    about,
    by_message,
    chat,
    chats,
    cpa,
    ended,
    is_tagging,
    opened,
    payloads,
    scripted,
    started,
)
from tests.support.fakes import QUESTION, in_objects
from tests.support.homes import Home, turn

SEED = Path(__file__).parents[3] / "shared" / "data" / "seed_examples"
Captured = pytest.CaptureFixture[str]


def as_csv(*rows: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([["conversation_id", "role", "content", "timestamp", "message_id"], *rows])
    return text.getvalue()


def shown(server: ChatServer) -> dict[str, list[tuple[str, str]]]:
    """Role and text of each conversation's lines as the model was shown them, by the first text."""
    texts = [[(line.role, line.text) for line in lines(body["messages"][-1]["content"])] for body in server.bodies]
    return {of_one[0][1]: of_one for of_one in texts}


def test_line_10_roles_blanks_order_and_empty_words_are_as_they_were_written(
    home: Home, chat_server: ChatServer, posthog: PostHogServer, capsys: Captured
) -> None:
    """A role it did not know stopped it, blank ids went in silence, order was the file's, empty words became NaN."""
    at_ = "2026-03-04T09:00:0{}Z".format
    messages = [turn("Be kind.", at_(0), "system"), turn("None", at_(1), "User"), turn("", at_(2), " Assistant ")]
    messages += [turn("null", at_(3)), {**turn("x", at_(4)), "content": None}]
    home.write("a.json", {"words": [{**message, "message_id": n} for n, message in enumerate(messages)]})
    late, early = ["c2", "assistant", "second", at_(9), "2"], ["c2", "user", "first", at_(1), "1"]
    home.write("b.csv", as_csv(late, early, [" ", "user", "lost", at_(2), "3"]))
    assert cpa(home, "run") == 1, "a message was lost, which is no success"
    assert "rejected: " in (out := capsys.readouterr().out) and "b.csv: line 4: conversation_id: blank" in out
    seen = shown(chat_server)
    assert seen["first"] == [("user", "first"), ("assistant", "second")]
    assert seen["Be kind."][1:] == [("user", "None"), ("assistant", ""), ("user", "null"), ("user", "")]
    stored = {key: (one["role"], one["content"]) for key, one in by_message(posthog).items()}
    words = {"1": ("user", "None"), "2": ("assistant", ""), "3": ("user", "null"), "4": ("user", "")}
    assert stored == {("words", key): said for key, said in words.items()} | {
        ("c2", "1"): ("user", "first"),
        ("c2", "2"): ("assistant", "second"),
    }


SMALL_TALK = (
    EventType(
        name="Small Talk",
        definition="The user chats.",
        role="user",
        properties=(Property(name="Mood", definition="The user's mood.", choices=("Good", "Bad")),),
    ),
    EventType(
        name="Small Talk",
        definition="The assistant chats back.",
        role="assistant",
        properties=(Property(name="Tone", definition="The assistant's tone.", choices=("Warm", "Cold")),),
    ),
)


def foreign_mood(tree: Body) -> None:
    in_objects(tree, ONE_EACH.model_copy(update={"event_types": SMALL_TALK}))
    for entry in tree["messages"]:
        for event in entry["events"]:
            event["properties"] = [{"name": "Mood", "value": "Good"}, {"name": "Tone", "value": "Cold"}]


def test_line_11_two_types_of_one_name_stay_apart_by_their_role(
    home: Home, chat_server: ChatServer, posthog: PostHogServer
) -> None:
    """A type of the user and one of the assistant that share a name were one: definitions and properties mixed."""
    schema = ONE_EACH.model_copy(update={"event_types": SMALL_TALK})
    Path(home.environ["CPA_SCHEMA"]).write_text(dump(schema), "utf-8")
    home.write("a.json", json.dumps(chat("plain", 4) | chat("mixed", 4)))
    scripted(
        chat_server, lambda body, nth: Changed(foreign_mood) if is_tagging(body) and about(body, "mixed") else None
    )
    assert cpa(home, "run") == 0
    system = next(body["messages"][0]["content"] for body in chat_server.bodies if is_tagging(body))
    of_user, of_assistant = system.split("Event types of role user:\n")[1].split("Event types of role assistant:\n")
    assert "The user chats." in of_user and "Mood" in of_user and "Tone" not in of_user
    assert "The assistant chats back." in of_assistant and "Tone" in of_assistant and "Mood" not in of_assistant
    stored = by_message(posthog).values()
    assert len(stored) == 8
    assert all(("Mood" in one, "Tone" in one) == (one["role"] == "user", one["role"] != "user") for one in stored)
    assert len({row["uuid"] for row in posthog.rows}) == 10


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-mini", "o3-mini", "o4-mini", "gpt-4.1", "gpt-4o", "gpt-99-nobody"])
def test_line_12_openai_models_get_no_parameter_that_they_refuse(
    home: Home, chat_server: ChatServer, posthog: PostHogServer, model: str
) -> None:
    """A temperature went to models that refuse it: sixty lines of errors, no event, status 0."""
    refused = {"temperature", "top_p", "max_tokens", "presence_penalty", "frequency_penalty", "logprobs", "seed"}
    refuse = Status(400, code="unsupported_parameter", message="Unsupported parameter: not with this model.")
    scripted(chat_server, lambda body, nth: refuse if refused & set(body) else None)
    home.environ |= {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": chat_server.url}
    home.write("a.json", json.dumps(chat("c1")))
    assert cpa(home, f"run --model openai:{model}") == 0
    assert {body["model"] for body in chat_server.bodies} == {model}
    assert len(posthog.rows) == 3


@pytest.mark.parametrize("model", ["claude-haiku-5-5", "claude-sonnet-5", "claude-haiku-4-5", "claude-99-nobody"])
def test_line_12_claude_models_get_no_parameter_that_they_refuse(
    home: Home, posthog: PostHogServer, model: str
) -> None:
    """The same with today's Claude."""
    home.write("a.json", json.dumps(chat("c1")))
    with MessagesServer() as claude:  # it refuses temperature, top_p, top_k and everything unknown
        home.environ |= {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": claude.url}
        assert cpa(home, f"run --model anthropic:{model}") == 0
    assert (claude.faults, len(claude.bodies), len(posthog.rows)) == ([], 2, 3)


def test_line_13_the_json_schema_does_not_grow_with_the_conversation(
    home: Home, chat_server: ChatServer, posthog: PostHogServer
) -> None:
    """It had a key for each message: vendors refused it from the 118th on, and no prompt was ever cached."""
    home.write("a.json", json.dumps(chat("short") | chat("long", messages=240)))
    assert cpa(home, "run") == 0
    assert len(by_message(posthog)) == 242
    schemas = {json.dumps(body["response_format"]) for body in chat_server.bodies}
    systems = {body["messages"][0]["content"] for body in chat_server.bodies}
    assert (len(schemas), len(systems)) == (2, 2), "one to tag, one to judge"
    assert max(json.dumps(body["response_format"]).count('"properties"') for body in chat_server.bodies) < 10


class RateLimit:
    """A model's server that takes so many requests a second, and each only when it has come a few times."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.refused = 0
        self.taken: deque[float] = deque()
        self.guard = threading.Lock()

    def __call__(self, body: Body, nth: int) -> Status | None:
        with self.guard:
            now = time.monotonic()
            while self.taken and self.taken[0] < now - 1:
                self.taken.popleft()
            if nth <= MAX_FAILURES or len(self.taken) >= self.most:
                self.refused += 1
                return Status(429, {"Retry-After": "0.2"}, "rate_limit_exceeded")
            self.taken.append(now)
            return None


def test_line_14_a_rate_limit_loses_nothing(home: Home, chat_server: ChatServer, posthog: PostHogServer) -> None:
    """A limit of sixty a minute lost a fifth of the events, at status 0."""
    limit = RateLimit(4)
    scripted(chat_server, limit)
    home.write("a.json", chats(8))
    assert cpa(home, "run") == 0
    assert limit.refused >= 16 * MAX_FAILURES
    assert len(posthog.rows) == 24


def test_line_14_a_provider_that_hangs_is_given_up_in_bounded_time_and_calls(
    home: Home, chat_server: ChatServer, posthog: PostHogServer, capsys: Captured
) -> None:
    """One conversation of four messages took twelve minutes and twelve calls, for nothing, at status 0."""
    home.environ |= {"CPA_TIMEOUT": "0.3", "CPA_CONCURRENCY": "4"}
    scripted(chat_server, lambda body, nth: Hang(30))
    home.write("a.json", json.dumps(chat("c1", messages=4)))
    began = time.monotonic()
    assert cpa(home, "run") == 1
    assert len(chat_server.calls) == 4, "two to tag and two to judge"
    home.write("b.json", chats(30))
    assert cpa(home, "run") == 1
    assert re.search(r"no answer in 1[12] calls in a row, the last one: no connection: ", capsys.readouterr().err)
    assert len(chat_server.calls) <= 4 + 12 + 4
    assert time.monotonic() - began < 30
    home.environ["CPA_TIMEOUT"] = "120"
    scripted(chat_server, lambda body, nth: None)
    assert cpa(home, "run") == 0
    assert len(posthog.rows) == 5 + 90


def disturbed(body: Body, nth: int) -> Scripted | None:
    """20 % 500s, 20 % 429s, 10 % malformed answers, the same ones in every run of this test."""
    drawn = number("disturbed", body["messages"][-1]["content"], str(nth)) % 10
    busy = Status(429, {"Retry-After": "0.05"}, "rate_limit_exceeded")
    said: dict[int, Scripted] = {0: Status(500), 1: Status(500), 2: busy, 3: busy, 4: Broken()}
    return said.get(drawn)


def test_line_15_a_mix_of_errors_limits_and_malformed_answers_loses_nothing(
    home: Home, chat_server: ChatServer, posthog: PostHogServer, capsys: Captured
) -> None:
    """This very mix lost 45 % of the events, in part at status 0."""
    scripted(chat_server, disturbed)
    home.environ["CPA_CONCURRENCY"] = "16"
    home.write("a.json", chats(40))
    statuses = [cpa(home, "run")]
    if statuses == [1]:  # one in two hundred questions is unlucky three times: said, and asked again by the next run
        assert "tried again on the next run" in capsys.readouterr().out
        statuses.append(cpa(home, "run"))
    assert statuses[-1] == 0
    assert len(chat_server.calls) > 1.5 * 80
    assert (len(by_message(posthog)), len(posthog.rows), posthog.stored) == (80, 120, 120)


def wrong_value(tree: Body) -> None:
    in_objects(tree, ONE_EACH)
    for event in (event for entry in tree["messages"] for event in entry["events"]):
        for pair in event["properties"]:
            if pair["name"] == "Topic":
                pair["value"] = "Everything"


def wrong_reason(tree: Body) -> None:
    if "messages" in tree:
        in_objects(tree, ONE_EACH)
    for found in [*tree.get("goals", []), *(e for entry in tree.get("messages", []) for e in entry["events"])]:
        found["because"] = {"reason": 17}


def no_value(tree: Body) -> None:
    in_objects(tree, ONE_EACH)
    for event in (event for entry in tree["messages"] for event in entry["events"]):
        for pair in event["properties"]:
            pair["value"] = "Not applicable"


def test_line_16_only_values_of_the_choices_and_reasons_of_words_are_delivered(
    home: Home, chat_server: ChatServer, posthog: PostHogServer, capsys: Captured
) -> None:
    """Values outside the choices and reasons that are no text went out as they came; "none" could not be said."""
    home.write("a.json", json.dumps({k: v for n in ("value", "reason", "none", "bad") for k, v in chat(n).items()}))

    def script(body: Body, nth: int) -> Changed | None:
        if is_tagging(body) and about(body, "none-0"):
            return Changed(no_value)
        if about(body, "reason-0") or about(body, "bad-0"):
            return Changed(wrong_reason) if nth == 1 or about(body, "bad-0") else None
        return Changed(wrong_value) if is_tagging(body) and about(body, "value-0") and nth == 1 else None

    scripted(chat_server, script)
    assert cpa(home, "run") == 1
    assert posthog.rows == [], "the day waits for what may still come right"
    assert cpa(home, "run --deliver-incomplete --day 2026-03-04") == 1
    out = capsys.readouterr().out
    assert "failed: 2026-03-04 tag bad: invalid: m 0, 1: events.0.quote and because: text is needed" in out
    stored = [one for one in payloads(posthog) if "message_id" in one]
    assert {one["conversation_id"] for one in stored} == {"value", "reason", "none"}
    assert all(one["Topic"] in (*QUESTION.properties[0].choices, "not applicable") for one in stored if "Topic" in one)
    assert {one["Topic"] for one in stored if one["conversation_id"] == "none" and "Topic" in one} == {"not applicable"}
    assert all(isinstance(one["explanation"], str) for one in payloads(posthog))


CHOICES = ["Monthly", "Yearly", "Weekly", "Daily", "Hourly", "Never", "Always", "Often", "Rarely", "Twice"]


def task(body: Body) -> str:
    return str(body["response_format"]["json_schema"]["name"])


def many_choices(tree: Body) -> None:
    tree["event_types"][0]["properties"] = [{"name": "Rhythm", "definition": "How often.", "choices": CHOICES}]


def test_line_17_a_proposal_sees_the_whole_file_and_is_the_same_each_time(home: Home, chat_server: ChatServer) -> None:
    """Only the first forty conversations counted, and choices came in another order with every run."""
    home.write("a.json", chats(200))
    scripted(chat_server, lambda body, nth: Changed(many_choices) if task(body) == "propose" else None)
    for seed in ("1", "2"):
        line = f"schema propose --out {seed}.yml --home home-{seed} --model compatible:test-model"
        status, out = ended(started(home, line, PYTHONHASHSEED=seed))
        assert status == 0, out
    first, second = (body for body in chat_server.bodies if task(body) == "propose")
    assert first == second
    seen = [n for n in range(200) if about(first, f"c{n:03}-0 ")]
    assert all(sum(n // 50 == quarter for n in seen) >= 8 for quarter in range(4))
    assert (home.folder / "1.yml").read_bytes() == (home.folder / "2.yml").read_bytes()
    proposed, _ = load(home.folder / "1.yml")
    assert list(proposed.event_types[0].properties[0].choices) == [*CHOICES, "Other"]


@pytest.mark.skipif(not SEED.exists(), reason="the other tool's examples are not here")
@pytest.mark.parametrize(
    ("example", "conversations", "theirs"), [("therapist", 10, 73_828), ("tax_advisor", 13, 102_339)]
)
def test_the_head_of_the_table_few_calls_and_few_tokens(
    tmp_path: Path, chat_server: ChatServer, posthog: PostHogServer, example: str, conversations: int, theirs: int
) -> None:
    """There: 3.1 and 4.5 calls a conversation, 9.8 prompt tokens for a token of text, nothing cached."""
    folder = SEED / example
    home = opened(Home(tmp_path), chat_server, posthog, CPA_SCHEMA=str(folder / "schema.yml"))
    assert cpa(home, f"run {folder / 'example_data.json'} --day 2026-03-02 --concurrency 1") == 0
    told = json.loads((folder / "example_data.json").read_text("utf-8"))
    text = sum(tokens(message["content"]) for one in told.values() for message in one["messages"])
    fresh = whole = 0
    known: set[str] = set()
    for body in chat_server.bodies:
        static = json.dumps(body["response_format"]["json_schema"]["schema"]) + body["messages"][0]["content"]
        asked = tokens(body["messages"][1]["content"])
        whole += tokens(static) + asked
        fresh += asked + (0 if static in known else tokens(static))
        if tokens(static) >= LEAST:
            known.add(static)
    figures = f"{len(chat_server.calls)} calls, {whole} prompt tokens, {fresh} of them uncached, {text} of text"
    print(f"{example}: {figures}: {fresh / text:.2f} uncached for each")
    assert len(chat_server.calls) <= 2 * conversations, figures
    assert fresh <= 4 * text, figures
    assert whole < theirs, figures
