"""A model whose first answers are all useless, or a server that is not there, costs little and is named in a line."""

import itertools
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cpa_core.errors import AnswersUnusable, Garbled, NotReached, ProviderNotReached, ProviderStopped
from cpa_core.llm import FIRST_ANSWERS, Reply, Request
from cpa_core.pipeline import tag_and_judge_day
from cpa_core.providers.advice import NAMES
from tests.commands import cpa
from tests.fakes import DAY
from tests.homes import Home
from tests.models import Model
from tests.servers.chat_completions import Behaviour, ChatServer, Garbage, Says, Status
from tests.servers.messages import MessagesServer
from tests.test_stopping import built, home_of

Says1 = Callable[[Request, int], Reply | Exception]
PROSE = "I am sorry, here is what I think of the conversation."
USELESS: dict[str, Says1] = {
    "prose": lambda asked, n: Reply(outcome="ok", text=PROSE),
    "other prose each time": lambda asked, n: Reply(outcome="ok", text=f"{PROSE} {n}"),
    "an empty object": lambda asked, n: Reply(outcome="ok", text="{}"),
    "nothing": lambda asked, n: Reply(outcome="invalid", detail="answer: empty"),
    "now this, now that": lambda asked, n: Reply(outcome="ok", text=("{}", "[]", PROSE, '{"messages": 3}')[n % 4]),
    "no choices": lambda asked, n: Garbled("the response has no choices"),
    "a bad request": lambda asked, n: Reply(outcome="error", detail="status 400: unknown_parameter"),
}


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


@pytest.mark.parametrize("useless", USELESS.values(), ids=list(USELESS))
def test_first_answers_that_are_all_useless_stop_the_run_and_blame_no_conversation(
    tmp_path: Path, useless: Says1
) -> None:
    home, model = home_of(tmp_path, 100), Useless(useless)
    for _ in range(2):
        model.requests.clear()
        with pytest.raises(AnswersUnusable, match=r"are all unusable: .*CPA_COMPATIBLE_STRUCTURED") as stopped:
            tag_and_judge_day(built(home, model), DAY)
        assert FIRST_ANSWERS <= len(model.requests) <= 28
        assert len(str(stopped.value).splitlines()) == 1 and PROSE not in str(stopped.value)
    assert home.rows("select * from failures") == home.rows("select * from tagged_conversations") == []
    mended = Model()
    tagged, judged = tag_and_judge_day(built(home, mended), DAY)
    assert (tagged.done, judged.done, len(mended.requests)) == (100, 100, 200)


def test_answers_cut_off_with_all_the_room_there_is_stop_the_run_with_other_advice(tmp_path: Path) -> None:
    model = Useless(lambda asked, n: Reply(outcome="truncated", detail="the answer reached its length limit"))
    with pytest.raises(AnswersUnusable, match=r"truncated: .*: try another model \(CPA_MODEL\) or,.* longer context"):
        tag_and_judge_day(built(home_of(tmp_path, 100), model), DAY)
    assert len(model.requests) <= 40


def test_one_answer_of_use_among_the_first_and_the_run_goes_on(tmp_path: Path) -> None:
    model = Model(lambda asked: None if "c003-0" in asked.user else Reply(outcome="ok", text=PROSE))
    home = home_of(tmp_path, 30, CPA_CONCURRENCY="2")
    tagged, judged = tag_and_judge_day(built(home, model), DAY)
    assert (tagged.done, judged.done, tagged.failures, judged.failures) == (1, 1, 29, 29)
    assert len(home.rows("select * from failures")) == 58


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


@pytest.mark.parametrize("said", [Says(PROSE), Garbage(b"<html>an error page</html>")], ids=["prose", "a page"])
def test_the_command_says_in_one_line_what_was_seen_and_which_setting_to_try(
    tmp_path: Path, chat_server: ChatServer, capsys: pytest.CaptureFixture[str], said: Says | Garbage
) -> None:
    chat_server.behaviour = Behaviour(lambda body, nth: said)
    home = served(home_of(tmp_path, 100), chat_server.url)
    assert cpa(home, "run") == 1
    shown = capsys.readouterr()
    (error,) = shown.err.splitlines()
    assert error.startswith("error: compatible:test-model: the first ") and "CPA_COMPATIBLE_STRUCTURED" in error
    assert "failed: " not in shown.out and len(chat_server.calls) <= 30
    chat_server.behaviour = Behaviour()
    chat_server.calls.clear()
    assert cpa(home, "run") == 0
    assert len(chat_server.calls) == 200


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
    assert time.monotonic() - began < 20
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {address}: ") and "in 2 tries: is it running?" in error
    assert "CPA_COMPATIBLE_URL" in error and "secret" not in error
    assert home.rows("select * from failures") == home.rows("select * from answers") == []


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
