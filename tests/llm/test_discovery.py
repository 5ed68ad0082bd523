"""What a server of chat completions takes is found out once, at no more than two calls, all in the ledger."""

import re

import pytest

from cpa_core.cli import main
from cpa_core.llm.abilities import LADDER, Abilities, Discovery
from cpa_core.pipeline import run_day
from cpa_core.providers.openai import REASONING_ROOM, ChatCompletions
from tests.llm.test_answer_shapes import Tolerant, completed, prose
from tests.servers.brain import Body
from tests.servers.chat_completions import Behaviour, answer
from tests.servers.scripted import Call, Scripted
from tests.support.commands import chats, cpa, environ
from tests.support.fakes import ABOUT, engine, request
from tests.support.homes import Home

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ASKED = request(json_schema=SCHEMA)


def words_only(body: Body, number: int) -> Scripted:
    """Ignores every form but words."""
    return prose(body, "") if body.get("response_format") else completed({"content": answer(body)})


@pytest.fixture
def local(home: Home) -> Home:
    """A home whose server's abilities are not named."""
    home.environ.pop("CPA_COMPATIBLE_STRUCTURED")
    return home


def test_eight_threads_find_out_together_in_two_calls_more_and_every_call_is_in_the_ledger(local: Home) -> None:
    local.write("a.json", chats(20))
    with Tolerant(Behaviour(words_only)) as server:
        local.environ["CPA_COMPATIBLE_URL"] = server.url
        assert cpa(local, "run") == 0
        assert len(server.calls) == 20 + 20 + 2
        kept = local.rows("select outcome, count(*) as n from answers group by outcome order by outcome")
        assert kept == [{"outcome": "invalid", "n": 2}, {"outcome": "ok", "n": 40}]
        local.write("b.json", chats(22).replace('"c00', '"d00'))
        before = len(server.calls)
        assert cpa(local, "run") == 0
        forms = [bool(body.get("response_format")) for body in server.bodies[before:]]
        assert forms and not any(forms), "what was found out is remembered for the next run"


def test_what_was_found_out_is_shown_and_overridden(local: Home, capsys: pytest.CaptureFixture[str]) -> None:
    local.write("a.json", chats(1))
    with Tolerant(Behaviour(words_only)) as server:
        local.environ["CPA_COMPATIBLE_URL"] = server.url
        assert cpa(local, "run") == 0
        capsys.readouterr()
        assert cpa(local, "status") == 0
        assert re.search(
            rf"server: {server.url}: test-model: .*CPA_COMPATIBLE_STRUCTURED=prompt", capsys.readouterr().out
        )
        local.environ["CPA_COMPATIBLE_STRUCTURED"] = "strict"
        local.write("b.json", chats(2).replace("c00", "d00"))
        before = len(server.bodies)
        cpa(local, "run")
        assert all("json_schema" in body["response_format"] for body in server.bodies[before:])


def test_a_run_says_how_much_of_its_answers_was_not_written_as_asked(local: Home) -> None:
    local.write("a.json", chats(1))

    def shouted(body: Body, number: int) -> Scripted:
        text = answer(body)
        for name in ("Question", "Thanks", "Reply", "Answer"):
            text = text.replace(name, name.upper())
        return completed({"content": text.replace('"met"', '"MET"')})

    with Tolerant(Behaviour(shouted)) as server:
        local.environ |= {"CPA_COMPATIBLE_URL": server.url, "CPA_COMPATIBLE_STRUCTURED": "strict"}
        local.land()
        made = local.assistant()
        days = local.rows("select day from days")
        done = [run_day(made, row["day"]) for row in days]
    events = local.rows("select count(*) as n from tagged_events")[0]["n"]
    assert events and sum(one.tagged.folded for one in done) == events
    assert all(one.tagged.failures == one.judged.failures == 0 for one in done)


def test_a_model_that_reasons_gets_room_for_it() -> None:
    rooms: list[int] = []

    def thinking(body: Body, number: int) -> Scripted:
        rooms.append(body["max_tokens"])
        if body["max_tokens"] < 1_000:
            return completed({"content": "", "reasoning_content": "so {"}, "length")
        return completed({"content": '{"a": 1}', "reasoning_content": "so {it} is"})

    with Tolerant(Behaviour(thinking)) as server:
        server.record = lambda body: Call("tag", "", 1, (), 0.0)  # type: ignore[method-assign]
        made = ChatCompletions("k", server.url, is_openai=False, how=None)
        ask = engine(made).ask
        assert ask(ASKED, lambda text: None, ABOUT).outcome == "ok"
        assert ask(request(json_schema=SCHEMA, user="other"), lambda text: None, ABOUT).outcome == "ok"
    assert rooms == [100, 100 + REASONING_ROOM, 100 + REASONING_ROOM]
    assert made.discovery and made.discovery.now.reasons


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (["works"], "strict"),
        (["fails", "works"], "json_object"),
        (["fails", "fails", "works"], "prompt"),
        (["fits", "fails", "fails", "fails"], "strict"),
        (["fails", "fits", "fails", "fails"], "json_object"),
        (["fails", "fails", "fails"], None),
    ],
)
def test_the_first_form_that_works_is_found_else_the_first_that_fits(seen: list[str], found: str | None) -> None:
    told: list[Abilities] = []
    discovery = Discovery()
    discovery.found = told.append
    for what in seen:
        getattr(discovery, what)(*([discovery.now.structured] if what == "fails" else []))
    assert discovery.is_known
    assert [one.structured for one in told] == ([found] if found else [])
    assert discovery.now.structured == (found or LADDER[0])


def test_calls_that_ran_beside_each_other_move_on_once() -> None:
    discovery = Discovery()
    assert [discovery.fails("strict") for _ in range(3)] == [True] * 3
    assert discovery.now.structured == "json_object"


def test_the_check_names_the_server_its_speed_and_the_cost_of_a_day(
    local: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    local.write("a.json", chats(3))
    with Tolerant(Behaviour(words_only, latency=0.05)) as server:
        local.environ |= {"CPA_COMPATIBLE_URL": server.url, "CPA_SCHEMA": "no-such.yml"}
        for _ in range(2):
            before = len(server.calls)
            assert main(["check", "model"], environ(local)) == 0
            assert len(server.calls) - before == 3, "what is known is found out again"
    printed = capsys.readouterr().out
    assert f"compatible:test-model at {server.url}: answers as a run needs it (calls: 3)" in printed
    assert re.search(r"speed: 0\.\d s for the last call, \d+ tokens a second", printed)
    assert re.search(r"cost of a day: 2026-03-04, 3 conversations: unknown price \(CPA_PRICES\)", printed)
    assert "schema: no-such.yml is not there" in printed


def test_the_check_of_a_hopeless_server_fails_with_one_reason(local: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with Tolerant(Behaviour(lambda body, number: prose(body, ""))) as server:
        local.environ["CPA_COMPATIBLE_URL"] = server.url
        assert main(["check", "model"], environ(local)) == 1
        assert len(server.calls) <= 5
    printed = capsys.readouterr().out
    assert "invalid: " in printed and "another model (CPA_MODEL)" in printed
