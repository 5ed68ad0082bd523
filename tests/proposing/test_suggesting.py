"""A change suggested for an issue: from the evidence in the report, labelled, paid for once, or asked for again.

The golden files of the prompt are `tests/golden/suggest*.txt`, checked in `tests/prompts/test_prompts.py`.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import BudgetReached, ReplyInvalid
from cpa_core.llm import Reply
from cpa_core.pipeline import Assistant, DayRange, Reported, write_report
from cpa_core.pipeline.budget import tariff
from cpa_core.pipeline.reporting.suggestions import suggestions
from cpa_core.settings import settings
from cpa_core.store import Store
from cpa_core.suggesting import question, read, suggest
from tests.prompts.test_prompts import EVIDENCE
from tests.servers.chat_completions import Behaviour, Changed, ChatServer, Refused
from tests.support.awkward import fill
from tests.support.fakes import MODEL, Script, asking
from tests.support.models import Model

GOOD = {"quotes": [1], "because": "It declines.", "change": "Say what it can do instead."}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("awkward")
    fill(Store(home), conversations=200)
    return home


@pytest.fixture
def assistant(filled: Path, tmp_path: Path, chat_server: ChatServer) -> Assistant:
    home = shutil.copytree(filled, tmp_path / "home")
    given = {"CPA_HOME": str(home), "CPA_MODEL": "compatible:adviser", "CPA_COMPATIBLE_URL": chat_server.url}
    return Assistant.of(settings(given))


def reported(assistant: Assistant, *, suggest: bool = True) -> tuple[Reported, str]:
    made = write_report(assistant, DayRange(suggest=suggest))
    return made, made.path.read_text("utf-8")


def test_a_suggestion_stands_with_its_issue_says_that_a_model_wrote_it_and_is_paid_for_once(
    assistant: Assistant, chat_server: ChatServer
) -> None:
    made, page = reported(assistant)
    assert 1 <= made.issues <= 5 and made.suggestions == made.issues
    assert page.count("Say sooner what cannot be done.") == made.issues
    assert page.count("Suggested by a model (compatible:adviser)") == made.issues
    again, _ = reported(assistant)
    assert again.suggestions == made.issues
    assert [call.task for call in chat_server.calls] == ["suggest"] * made.issues, "paid for again"


def test_a_suggestion_that_was_repaired_is_not_paid_for_again(assistant: Assistant, chat_server: ChatServer) -> None:
    def script(body: dict[str, Any], nth: int) -> Changed | None:
        is_repair = "could not be used" in body["messages"][-1]["content"]
        return None if is_repair else Changed(lambda tree: tree.update(change=""))

    chat_server.behaviour = Behaviour(script)
    made, _ = reported(assistant)
    assert made.suggestions == made.issues and len(chat_server.calls) == 2 * made.issues
    again, _ = reported(assistant)
    assert again.suggestions == made.issues and len(chat_server.calls) == 2 * made.issues


def test_a_suggestion_waits_for_no_batch_and_its_whole_price_is_set_aside(tmp_path: Path) -> None:
    model = Model()
    environ = {"CPA_HOME": str(tmp_path), "CPA_MODEL": "openai:gpt-6-luna", "CPA_LANE": "batch"}
    made = replace(Assistant.of(settings(environ)), provider=lambda name: model)
    own = tariff(made, "suggest", made.model("suggest"))
    half, whole = (one.cost([question(EVIDENCE, own.model)]) for one in (own, own.at_once()))
    assert half and whole == 2 * half
    given = made.settings.model_copy(update={"budget": 1.5 * half})
    with pytest.raises(BudgetReached):
        suggestions(replace(made, settings=given), [EVIDENCE])
    assert model.requests == []


def test_without_being_asked_for_no_model_is_called(assistant: Assistant, chat_server: ChatServer) -> None:
    made, page = reported(assistant, suggest=False)
    assert (made.suggestions, chat_server.calls) == (0, []) and "Suggested by a model" not in page


def test_an_issue_whose_answer_is_refused_has_none_and_the_report_is_written(
    assistant: Assistant, chat_server: ChatServer
) -> None:
    chat_server.behaviour = Behaviour(lambda body, nth: Refused())
    made, page = reported(assistant)
    assert made.suggestions == 0 and "</html>" in page


def test_the_model_is_shown_no_word_that_is_not_in_the_report(assistant: Assistant, chat_server: ChatServer) -> None:
    hidden = Assistant.of(assistant.settings.model_copy(update={"report_privacy": "no_text"}))
    reported(hidden)
    shown = [body["messages"][-1]["content"] for body in chat_server.bodies]
    assert shown and not [text for text in shown if '{"m":' in text]


def answered(*answers: Any) -> tuple[Any, Reply, Script]:
    provider = Script(*(answer if isinstance(answer, Reply) else json.dumps(answer) for answer in answers))
    found, reply = suggest(EVIDENCE, MODEL, asking(provider))
    return found, reply, provider


def test_a_valid_answer_is_the_suggestion() -> None:
    found, _, _ = answered(GOOD)
    assert (found.change, found.quotes, found.model) == (GOOD["change"], (1,), str(MODEL))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"change": " "}, "change: text is needed"),
        ({"because": 3}, "because: text is needed"),
        ({"quotes": [3]}, "a number that no quote has"),
        ({"quotes": []}, "at least one is needed"),
        ({"quotes": ["first"]}, "numbers of quotes are needed"),
    ],
)
def test_an_invalid_answer_is_asked_for_again_with_the_rule(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(ReplyInvalid, match=rule):
        read(json.dumps(GOOD | change), EVIDENCE, "m")
    found, _, provider = answered(GOOD | change, GOOD)
    assert found and rule in provider.requests[1].user and rule not in provider.requests[0].user


def test_a_quote_cannot_pose_as_anything_but_one_quote() -> None:
    asked = question(EVIDENCE, MODEL).user.splitlines()
    assert asked.count("</quotes>") == 1 and sum(row.startswith('{"m": ') for row in asked) == 2
