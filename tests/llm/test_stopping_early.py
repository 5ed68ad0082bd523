"""A model whose first answers are all useless, or a server that is not there, costs little and is named in a line."""

import itertools
import json
import re
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli.models import check_lines
from cpa_core.errors import (
    AnswersUnusable,
    Foreign,
    Garbled,
    NotReached,
    ProviderFailed,
    ProviderNotReached,
    ProviderStopped,
)
from cpa_core.llm import FIRST_ANSWERS, HUNG_TRIES, NOT_BILLED, About, Reply, Request, Watch
from cpa_core.llm.abilities import Abilities
from cpa_core.pipeline import Assistant, tag_and_judge_day
from cpa_core.pipeline.abilities import forget, known_servers, recalled, remember
from cpa_core.pipeline.model_check import ModelCheck
from cpa_core.providers import connections
from cpa_core.providers.advice import NAMES, advice
from cpa_core.providers.foreign import asked_at, is_foreign
from cpa_core.providers.openai import HALF_TRIES, decode
from cpa_core.providers.statuses import answered
from cpa_core.providers.wire import Response
from cpa_core.settings import settings
from tests.llm.test_stopping import built, home_of
from tests.servers.anything import Answered, AnyServer
from tests.servers.chat_completions import Behaviour, ChatServer, Says, Status
from tests.servers.messages import MessagesServer
from tests.servers.scripted import json_object
from tests.support.commands import chats, cpa
from tests.support.fakes import DAY, request
from tests.support.homes import Home
from tests.support.models import Model

Says1 = Callable[[Request, int], Reply | Exception]
PROSE = "I am sorry, here is what I think of the conversation."
GOOD = Reply(outcome="ok", text="{}")
CUT_OFF = Reply(outcome="truncated", detail="the answer reached its length limit")
TOO_LONG = "status 400: more tokens than the server takes at once"
USELESS: dict[str, Says1] = {
    "prose": lambda asked, n: Reply(outcome="ok", text=PROSE),
    "other prose each time": lambda asked, n: Reply(outcome="ok", text=f"{PROSE} {n}"),
    "an empty object": lambda asked, n: Reply(outcome="ok", text="{}"),
    "nothing": lambda asked, n: Reply(outcome="invalid", detail="answer: empty"),
    "now this, now that": lambda asked, n: Reply(outcome="ok", text=("{}", "[]", PROSE, '{"messages": 3}')[n % 4]),
    "no choices": lambda asked, n: Garbled("the response has no choices", tries=HALF_TRIES),
    "a bad request": lambda asked, n: Reply(outcome="error", detail="status 400: unknown_parameter"),
    "a form that is not taken": lambda asked, n: Reply(outcome="invalid", detail="not so", again=n % 3 < 2),
    "cut off": lambda asked, n: CUT_OFF,
    "too long": lambda asked, n: Reply(outcome="truncated", detail=TOO_LONG, usage=NOT_BILLED),
}
MIXES = list(itertools.combinations(("prose", "no choices", "cut off", "status 503"), 2))
MOST_CALLS = 30


def mixed(*kinds: str) -> Says1:
    """These in turn."""
    said = USELESS | {"status 503": lambda asked, n: ProviderFailed("status 503")}
    return lambda asked, n: said[kinds[n % len(kinds)]](asked, n // len(kinds))


class Useless(Model):
    """A model that says something useless to every question."""

    def __init__(self, useless: Says1) -> None:
        super().__init__()
        self.useless = useless
        self.numbers = itertools.count()

    def call(self, request: Request) -> Reply:
        """It."""
        self.requests.append(request)
        said = self.useless(request, next(self.numbers))
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with 100 conversations, of which nothing was asked."""
    home = home_of(tmp_path_factory.mktemp("hundred"), 100)
    built(home, Model())
    return home


def asked(home: Home, model: Model) -> Assistant:
    """The home with this model."""
    return home.assistant(provider=lambda name: model)


@pytest.mark.parametrize(
    "useless",
    [*USELESS.values(), *(mixed(*kinds) for kinds in MIXES), mixed("prose", "cut off", "a bad request", "status 503")],
    ids=[*USELESS, *map(" and ".join, MIXES), "all"],
)
def test_first_answers_that_are_all_useless_stop_the_run_and_blame_no_conversation(
    hundred: Home, useless: Says1
) -> None:
    model = Useless(useless)
    with pytest.raises(AnswersUnusable, match=r"are all unusable: .*CPA_") as stopped:
        tag_and_judge_day(asked(hundred, model), DAY)
    assert FIRST_ANSWERS <= len(model.requests) <= MOST_CALLS
    assert len(str(stopped.value).splitlines()) == 1 and PROSE not in str(stopped.value)
    assert hundred.rows("select * from failures") == hundred.rows("select * from tagged_conversations") == []


@pytest.mark.parametrize("tries", [1, HUNG_TRIES])
def test_a_server_that_answers_nobody_is_given_up_as_soon(hundred: Home, tries: int) -> None:
    model = Useless(lambda asked, n: ProviderFailed("status 500", tries=tries))
    with pytest.raises(ProviderStopped, match=r"no answer in .* calls in a row, the last one: status 500"):
        tag_and_judge_day(asked(hundred, model), DAY)
    assert len(model.requests) <= MOST_CALLS
    assert hundred.rows("select * from failures") == []


def test_questions_that_used_up_their_tries_before_the_silence_was_noticed_are_not_blamed(tmp_path: Path) -> None:
    home = home_of(tmp_path, 20)
    built(home, Model())
    model = Useless(lambda asked, n: GOOD if n == 0 else ProviderFailed("status 500", tries=HUNG_TRIES))
    with pytest.raises(ProviderStopped, match="no answer in"):
        tag_and_judge_day(asked(home, model), DAY)
    assert home.rows("select outcome from answers where outcome = 'error'")
    assert home.rows("select reason from failures where reason = 'error'") == []


@pytest.mark.parametrize("kind", [*USELESS, "status 503"])
def test_one_answer_of_use_among_the_first_is_enough(kind: str) -> None:
    watch, useless = Watch("m"), mixed(kind)
    for n in range(200):
        subject = About(day=str(DAY), conversation_id=f"c{n}")
        noted(watch, useless(request(), n) if n != FIRST_ANSWERS - 1 else GOOD, subject)


def test_many_calls_at_once_may_be_cut_off_when_they_are_first_asked() -> None:
    watch = Watch("m")
    for n in range(64):
        noted(watch, CUT_OFF, About(day=str(DAY), conversation_id=f"c{n}"))
    with pytest.raises(AnswersUnusable, match="the first"):
        for n in range(54):
            noted(watch, CUT_OFF, About(day=str(DAY), conversation_id=f"c{n}"))


def noted(watch: Watch, said: Reply | Exception, about: About) -> None:
    """As an engine notes it, once a text is found to be of no use."""
    if isinstance(said, Reply):
        is_useless = said.outcome == "ok" and said is not GOOD
        watch.note(request(), said.model_copy(update={"outcome": "invalid"}) if is_useless else said, about)
    else:
        watch.garbled("tag", said) if isinstance(said, Garbled) else watch.failed("tag", str(said))


def test_what_a_run_saw_is_said_by_kind_with_its_count_and_asked_once_the_setting_is_mended(tmp_path: Path) -> None:
    home = home_of(tmp_path, 30)
    with pytest.raises(AnswersUnusable) as stopped:
        tag_and_judge_day(built(home, Useless(mixed("prose", "prose", "a bad request"))), DAY)
    seen = re.search(
        r"the first (\d+) answers are all unusable: invalid: answer: not JSON \((\d+) of \1\); "
        r"error: status …: unknown_parameter \((\d+) of \1\): try CPA_COMPATIBLE_STRUCTURED",
        str(stopped.value).replace("status 400", "status …"),
    )
    assert seen and int(seen[2]) + int(seen[3]) == int(seen[1])
    mended = Model()
    tagged, judged = tag_and_judge_day(built(home, mended), DAY)
    assert (tagged.done, judged.done, len(mended.requests)) == (30, 30, 60)


def test_answers_cut_off_with_all_the_room_there_is_have_other_advice(hundred: Home) -> None:
    with pytest.raises(AnswersUnusable, match=r"truncated: .*: try another model \(CPA_MODEL\) or,.* longer context"):
        tag_and_judge_day(asked(hundred, Useless(USELESS["cut off"])), DAY)


def test_one_answer_of_use_among_the_first_and_the_run_goes_on(tmp_path: Path) -> None:
    model = Model(lambda asked: None if "c003-0" in asked.user else Reply(outcome="ok", text=PROSE))
    home = home_of(tmp_path, 30, CPA_CONCURRENCY="2")
    tagged, judged = tag_and_judge_day(built(home, model), DAY)
    assert (tagged.done, judged.done, tagged.failures, judged.failures) == (1, 1, 29, 29)
    assert len(home.rows("select * from failures")) == 58


@pytest.mark.parametrize(("unable", "setting"), [("judge", "CPA_JUDGE_MODEL"), ("tag", "CPA_MODEL")])
def test_a_model_that_is_good_at_one_task_and_useless_at_another_is_stopped_for_that_one(
    tmp_path: Path, unable: str, setting: str
) -> None:
    model = Model(lambda asked: Reply(outcome="ok", text=PROSE) if asked.task == unable else None)
    home = home_of(tmp_path, 60, CPA_CONCURRENCY="4")
    with pytest.raises(
        AnswersUnusable, match=rf"answers to the task {unable} are all unusable: .*{setting}"
    ) as stopped:
        tag_and_judge_day(built(home, model), DAY)
    assert stopped.value.task == unable
    assert FIRST_ANSWERS <= model.tasks().count(unable) <= MOST_CALLS
    assert home.rows("select * from failures") == []
    mended = Model()
    tag_and_judge_day(built(home, mended), DAY)
    for table in ("tagged_conversations", "judge_scores"):
        assert len(home.rows(f"select * from {table} where outcome = 'ok'")) == 60
    assert len(mended.requests) == 120 - sum(task != unable for task in model.tasks()), (
        "good answers are not paid twice"
    )


def test_refused_and_filtered_answers_are_no_evidence_against_a_model(tmp_path: Path) -> None:
    model = Model(lambda asked: Reply(outcome="filtered", detail="the provider's content filter"))
    tagged, _ = tag_and_judge_day(built(home_of(tmp_path, 30), model), DAY)
    assert tagged.final_failures == 30


def test_the_advice_names_what_has_not_been_tried(tmp_path: Path) -> None:
    words = {}
    for now in ("", "strict", "json_object", "prompt"):
        (tmp_path / f"is-{now}").mkdir()
        home = home_of(tmp_path / f"is-{now}", 30, CPA_COMPATIBLE_STRUCTURED=now)
        with pytest.raises(AnswersUnusable) as stopped:
            tag_and_judge_day(built(home, Useless(USELESS["prose"])), DAY)
        words[now] = str(stopped.value).rpartition(": ")[2]
    assert words[""].replace("auto", "strict") == words["strict"]
    assert "json_object or prompt" in words["strict"]
    assert "CPA_COMPATIBLE_STRUCTURED=prompt " in words["json_object"] and "CPA_MODEL" in words["prompt"]


def served(home: Home, url: str) -> Home:
    """The home with a model there."""
    home.environ["CPA_COMPATIBLE_URL"] = url
    return home


def test_the_command_says_in_one_line_what_was_seen_and_which_setting_to_try(
    tmp_path: Path, chat_server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    chat_server.behaviour = Behaviour(lambda body, nth: Says(PROSE))
    home = served(home_of(tmp_path, 30), chat_server.url)
    assert cpa(home, "run") == 1
    shown = capsys.readouterr()
    (error,) = shown.err.splitlines()
    assert error.startswith("error: compatible:test-model: the first ") and "CPA_COMPATIBLE_STRUCTURED" in error
    assert "failed: " not in shown.out and len(chat_server.calls) <= MOST_CALLS
    chat_server.behaviour = Behaviour()
    chat_server.calls.clear()
    assert cpa(home, "run") == 0
    assert len(chat_server.calls) == 60


ELSEWHERE: dict[str, Response] = {
    "a page": Response(200, {}, b"<!DOCTYPE html><html>Sign in</html>"),
    "Ollama": Response(200, {}, b'{"model": "m", "message": {"role": "assistant", "content": "{}"}, "done": true}'),
    "Ollama generate": Response(200, {}, b'{"model": "m", "response": "{}", "done": true}'),
    "Responses": Response(200, {}, b'{"object": "response", "output": [{"type": "message", "content": []}]}'),
    "Messages": Response(200, {}, b'{"content": [{"type": "text", "text": "{}"}], "stop_reason": "x"}'),
    "Gemini": Response(200, {}, b'{"candidates": [{"content": {"parts": [{"text": "{}"}]}}]}'),
    "an error with 200": Response(200, {}, b'{"error": "Unexpected endpoint or method. (POST /chat/completions)"}'),
    "an error object with 200": Response(200, {}, b'{"error": {"message": "no", "type": "x"}}'),
    "models": Response(200, {}, b'{"object": "list", "data": []}'),
    "something": Response(200, {}, b'{"status": "ok"}'),
    "404": Response(404, {}, b"404 page not found"),
    "404 of JSON": Response(404, {}, b'{"detail": "Not Found"}'),
    "405": Response(405, {}, b'{"detail": "Method Not Allowed"}'),
    "501": Response(501, {}, b"<html>Unsupported method ('POST')</html>"),
    "302": Response(302, {"location": "/login?secret=1"}, b""),
    "301": Response(301, {"location": "https://me:secret@there/login/?secret=1"}, b""),
}


@pytest.mark.parametrize("found", ELSEWHERE.values(), ids=list(ELSEWHERE))
def test_an_answer_of_another_api_is_blamed_on_the_address(found: Response) -> None:
    with pytest.raises((Foreign, ProviderStopped)) as raised:
        answered(found, decode)
    stopped: ProviderStopped
    if isinstance(raised.value, Foreign):
        watch = Watch("m", first=1)
        with pytest.raises(AnswersUnusable) as unusable:
            watch.garbled("tag", raised.value)
        stopped = unusable.value
    else:
        assert isinstance(raised.value, ProviderStopped)
        stopped = raised.value
    stopped.provider = "compatible"
    words = advice(stopped, settings({"CPA_COMPATIBLE_URL": "http://me:secret@h:1/api"}))
    assert words == "http://h:1/api/chat/completions was asked: try CPA_COMPATIBLE_URL=http://h:1/v1"
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("status", [200, 404, 302])
def test_the_command_names_the_address_at_which_another_api_answers(
    hundred: Home, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    with AnyServer(Answered(status, b"<html>Sign in</html>", {"Location": "/login"})) as server:
        served(hundred, f"http://me:secret@{server.origin.removeprefix('http://')}/v1")
        assert cpa(hundred, "run") == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert f"{server.origin}/v1/chat/completions was asked: is CPA_COMPATIBLE_URL right?" in error
    assert "CPA_COMPATIBLE_STRUCTURED" not in error and "secret" not in error
    assert server.posts <= MOST_CALLS
    assert hundred.rows("select * from failures") == []


OTHER_FORMS = [name for name, found in ELSEWHERE.items() if found.status == 200]


@pytest.mark.parametrize("path", ["/api/chat", "/v1"])
@pytest.mark.parametrize("kind", ["a page", "Ollama", "something", "404", "302"])
def test_the_check_of_a_model_names_the_address_at_which_another_api_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str, path: str
) -> None:
    monkeypatch.setattr("cpa_core.llm.limiter.Limiter.wait", lambda *given: None)
    found = ELSEWHERE[kind]
    with AnyServer(Answered(found.status, found.content, found.headers)) as server:
        home = served(home_of(tmp_path, 1), f"http://me:secret@{server.origin.removeprefix('http://')}{path}")
        assert cpa(home, "check model") == 1
    shown = capsys.readouterr()
    likelier = f"try CPA_COMPATIBLE_URL={server.origin}/v1" if path != "/v1" else "is CPA_COMPATIBLE_URL right?"
    assert f"{server.origin}{path}/chat/completions was asked: {likelier}" in shown.out + shown.err
    assert "secret" not in shown.out + shown.err


@pytest.mark.parametrize("login", ["", "me:secret@", "me:se/c@secret@"])
def test_a_login_in_an_address_is_neither_stored_nor_shown_and_the_server_is_known_again(
    tmp_path: Path, login: str
) -> None:
    assistant = home_of(tmp_path, 1).assistant()
    store, url, found = assistant.store, f"https://{login}h/v1", Abilities(structured="lax")
    remember(store, assistant.now, url, "m", found)
    assert recalled(store, url, "m") == found
    assert [row["endpoint"] for row in known_servers(store)] == ["https://h/v1"]
    forget(store, url, "m")
    assert recalled(store, url, "m") is None


def test_what_was_known_of_a_server_by_its_login_is_forgotten_by_a_newer_version(tmp_path: Path) -> None:
    store = home_of(tmp_path, 1).assistant().store
    with store.writing() as transaction:
        known = ["https://me:secret@h/v1", "https://token@h/v1", "https://h/v1"]
        transaction.insert("server_abilities", [{"endpoint": one, "model": "m", "structured": "lax"} for one in known])
        transaction.execute("delete from migrations where number = 21")
    later = home_of(tmp_path, 1).assistant().store
    assert [row["endpoint"] for row in known_servers(later)] == ["https://h/v1"]


class Gate(ChatServer):
    """A server that remembers with which `Authorization` it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str | None] = set()

    def checked(self, path: str, headers: Message, content: bytes) -> dict[str, Any]:
        """As usual."""
        self.told.add(headers.get("Authorization"))
        return json_object(content)


BASIC = "Basic " + b64encode(b"me:s/cret").decode()


@pytest.mark.parametrize(
    ("login", "key", "told", "warned"),
    [
        ("", "k-1", "Bearer k-1", False),
        ("", "", "Bearer none", False),
        ("me:s%2Fcret@", "", BASIC, False),
        ("me:s%2Fcret@", "k-1", BASIC, True),
    ],
)
def test_a_login_in_the_address_is_sent_in_the_place_of_a_key_which_a_run_says(
    tmp_path: Path, login: str, key: str, told: str, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Gate() as server:
        home = served(home_of(tmp_path, 1), server.url.replace("://", f"://{login}"))
        home.environ |= {"CPA_COMPATIBLE_KEY": key} if key else {}
        assert cpa(home, "run") == 0
    shown = "".join(capsys.readouterr())
    assert server.told == {told}
    assert ("CPA_COMPATIBLE_KEY is not sent" in shown) == warned
    kept = [path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not any(secret in shown or secret.encode() in one for secret in ("cret", "k-1") for one in kept)


def test_a_run_too_short_to_stop_early_names_the_address_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cpa_core.llm.limiter.Limiter.wait", lambda *given: None)
    with AnyServer(Answered(200, ELSEWHERE["Ollama"].content)) as server:
        home = served(home_of(tmp_path, 1), f"{server.origin}/api/chat")
        assert cpa(home, "run") == 1
    shown = capsys.readouterr()
    asked = f"{server.origin}/api/chat/chat/completions was asked: try CPA_COMPATIBLE_URL={server.origin}/v1"
    assert (shown.out + shown.err).count(asked) == 1


@pytest.mark.parametrize("kind", OTHER_FORMS)
def test_a_stored_failure_tells_that_the_answer_was_in_another_form(kind: str) -> None:
    with pytest.raises(Foreign) as raised:
        answered(ELSEWHERE[kind], decode)
    assert is_foreign(raised.value.reason) and is_foreign(f"m 0-4: {raised.value.reason}")
    assert not is_foreign("m 0: answer: not JSON") and not is_foreign("status 503")


@pytest.mark.parametrize(
    "message", ["model 'qwen' not found, try pulling it first", "The model `m` does not exist.", "DeploymentNotFound"]
)
def test_a_model_that_is_not_there_is_no_wrong_address(message: str) -> None:
    body = json.dumps({"error": {"message": message}}).encode()
    with pytest.raises(ProviderStopped, match=re.escape(message)) as stopped:
        answered(Response(404, {}, body), decode)
    stopped.value.provider = "compatible"
    assert advice(stopped.value, settings({})) == "the model is CPA_MODEL"


@pytest.mark.parametrize(
    ("base", "likelier"),
    [
        ("http://h:11434", "http://h:11434/v1"),
        ("http://h:11434/", "http://h:11434/v1"),
        ("http://h:11434/api", "http://h:11434/v1"),
        ("http://h:11434/api/chat", "http://h:11434/v1"),
        ("http://h/v1/chat/completions", "http://h/v1"),
        ("http://h/v1/responses?a=b", "http://h/v1"),
        ("http://h/v1", ""),
        ("https://h/v1beta/openai/", ""),
        ("https://h/openai/deployments/d", ""),
        ("https://me:secret@h/proxy", "https://h/proxy/v1"),
    ],
)
def test_a_likelier_address_ends_where_most_servers_do(base: str, likelier: str) -> None:
    assert asked_at(base).likelier == likelier


def closed_port() -> int:
    """A port on loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "nobody.invalid"])
def test_a_server_that_is_not_there_is_one_line_with_its_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    address = f"http://{host}:{closed_port()}"
    home = served(home_of(tmp_path, 100), f"{address}/v1")
    began = time.monotonic()
    assert cpa(home, "run") == 1
    assert time.monotonic() - began < 60
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {address}: ") and "in 2 tries: is it running?" in error
    assert "CPA_COMPATIBLE_URL" in error and "secret" not in error
    assert home.rows("select * from failures") == home.rows("select * from answers") == []


@pytest.mark.parametrize("structured", ["", "strict"])
def test_a_server_that_refuses_connections_meets_two_of_them_in_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, structured: str
) -> None:
    tried: list[Any] = []
    port, reached = closed_port(), connections._reached

    def counted(host: str, at: int, ends: float) -> socket.socket:
        tried.append((host, at))
        return reached(host, at, ends)

    monkeypatch.setattr(connections, "_reached", counted)
    home = served(home_of(tmp_path, 100, CPA_COMPATIBLE_STRUCTURED=structured), f"http://127.0.0.1:{port}/v1")
    home.write("b.json", chats(3).replace("2026-03-04", "2026-03-05").replace('"c0', '"d0'))
    assert cpa(home, "run") == 1
    assert tried == [("127.0.0.1", port)] * 2


def test_a_secret_in_an_address_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = served(home_of(tmp_path, 2), f"http://me:secret@127.0.0.1:{closed_port()}/v1")
    assert cpa(home, "run") == 1
    assert "secret" not in capsys.readouterr().err


def test_a_server_that_goes_away_once_it_has_answered_is_tried_as_often_as_any(tmp_path: Path) -> None:
    class Gone(Model):
        def call(self, request: Request) -> Reply:
            if len(self.requests) == 3:
                raise NotReached("http://127.0.0.1: the connection is refused")
            return super().call(request)

    with pytest.raises(ProviderStopped, match="no answer in") as stopped:
        tag_and_judge_day(built(home_of(tmp_path, 30, CPA_CONCURRENCY="1"), Gone()), DAY)
    assert not isinstance(stopped.value, ProviderNotReached)


def test_a_key_that_is_refused_is_named_by_its_setting(tmp_path: Path, chat_server: ChatServer) -> None:
    chat_server.behaviour = Behaviour(lambda body, nth: Status(401, message="Incorrect API key provided"))
    with MessagesServer() as claude:
        claude.behaviour = Behaviour(lambda body, nth: Status(401, message="invalid x-api-key"))
        servers = {
            "openai": {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": chat_server.url},
            "compatible": {"CPA_COMPATIBLE_KEY": "k", "CPA_COMPATIBLE_URL": chat_server.url},
            "anthropic": {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": claude.url},
        }
        for provider, given in servers.items():
            (tmp_path / provider).mkdir()
            home = home_of(tmp_path / provider, 2, CPA_MODEL=f"{provider}:m", **given)
            assistant = home.assistant()
            with pytest.raises(ProviderStopped, match=f"^status 401: .*: the key is {NAMES[provider].key}$"):
                tag_and_judge_day(built(home, assistant.provider_of(assistant.model("tag"))), DAY)


def test_the_check_of_a_model_says_what_an_answer_in_another_form_means() -> None:
    found = ModelCheck(
        model="openai:m", address="", outcome="invalid", detail="m 0, 1: answer: messages: not a list", calls=1,
        seconds=1.0, speed=None, abilities=None, day=None,
    )  # fmt: skip
    said = "\n".join(check_lines(found, settings({})))
    assert "not in the form that was asked for" in said and "the list `messages`" in said and "CPA_MODEL" in said
    truncated = "\n".join(check_lines(found.model_copy(update={"outcome": "truncated"}), settings({})))
    assert "the form that was asked for" not in truncated
