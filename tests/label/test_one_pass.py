"""Tagging and judging in one pass: the same results as one after the other, in less time, with one end for both."""

from pathlib import Path
from threading import Barrier, BrokenBarrierError

import pytest

from cpa_core.errors import BudgetReached, ProviderStopped
from cpa_core.llm import Reply, Request
from cpa_core.pipeline import Assistant, build_day, judge_day, land, tag_and_judge_day, tag_day
from cpa_core.schema import dump
from cpa_core.store.database import Row
from tests.support.commands import ONE_EACH, chats
from tests.support.fakes import DAY
from tests.support.homes import Home
from tests.support.models import Model

RESULTS = "select conversation_id, position, event_type, properties, quote from tagged_events order by all"
SCORES = "select conversation_id, score, verdicts from judge_scores order by all"


def built(folder: Path, model: Model, conversations: int = 4, **given: str) -> tuple[Home, Assistant]:
    """A home with a built day, and its assistant."""
    home = Home(folder)
    folder.mkdir(exist_ok=True)
    (folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    home.environ |= {"CPA_SCHEMA": str(folder / "schema.yml"), "CPA_MODEL": "compatible:test-model", **given}
    home.write("a.json", chats(conversations))
    assistant = home.assistant(provider=lambda name: model)
    land(assistant)
    build_day(assistant, DAY)
    return home, assistant


def results(home: Home) -> tuple[list[Row], list[Row]]:
    return home.rows(RESULTS), home.rows(SCORES)


def test_one_pass_comes_to_what_one_after_the_other_comes_to(tmp_path: Path) -> None:
    one, after = Model(), Model()
    home, assistant = built(tmp_path / "one", one)
    tagged, judged = tag_and_judge_day(assistant, DAY)
    other_home, other = built(tmp_path / "other", after)
    stages = tag_day(other, DAY), judge_day(other, DAY)
    assert results(home) == results(other_home) and all(results(home))
    assert (tagged, judged) == stages and (tagged.done, judged.done) == (4, 4)
    assert sorted(request.hash for request in one.requests) == sorted(request.hash for request in after.requests)


def test_what_each_task_spent_is_told_apart(tmp_path: Path) -> None:
    def says(request: Request) -> Reply:
        tokens = {"tag": 100, "judge": 7}[request.task]
        usage = {"prompt_tokens": tokens, "cached_tokens": 0, "completion_tokens": 1}
        return Reply(outcome="ok", text=Model.usual(request), usage=usage)  # type: ignore[arg-type]

    _, assistant = built(tmp_path, Model(says))
    tagged, judged = tag_and_judge_day(assistant, DAY)
    assert (tagged.prompt_tokens, judged.prompt_tokens) == (400, 28)


def test_the_two_questions_about_a_conversation_travel_together(tmp_path: Path) -> None:
    both = Barrier(2)

    def says(request: Request) -> None:
        both.wait(10)

    _, assistant = built(tmp_path, Model(says), conversations=1)
    try:
        tag_and_judge_day(assistant, DAY)
    except BrokenBarrierError:
        pytest.fail("one waited for the other")


def test_what_stops_one_task_stops_both_and_both_keep_what_was_answered(tmp_path: Path) -> None:
    def says(request: Request) -> None:
        if request.model == "judging" and sum(task == "judge" for task in model.tasks()) > 3:
            raise ProviderStopped("status 401: no such key")

    model = Model(says)
    models = {"CPA_MODEL": "compatible:tagging", "CPA_JUDGE_MODEL": "compatible:judging"}
    home, assistant = built(tmp_path, model, 600, CPA_CONCURRENCY="1", **models)
    with pytest.raises(ProviderStopped, match="no such key"):
        tag_and_judge_day(assistant, DAY)
    done = home.rows("select count(*) as n from tagged_conversations")[0]["n"]
    assert 3 <= done == model.tasks().count("tag") < 600
    assert home.rows("select count(*) as n from judge_scores") == [{"n": 3}]
    assert home.rows("select * from failures") == []


def test_both_tasks_spend_the_same_money_and_say_what_each_has_left(tmp_path: Path) -> None:
    def says(request: Request) -> Reply:
        usage = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 500}
        return Reply(outcome="ok", text=Model.usual(request), usage=usage)  # type: ignore[arg-type]

    (tmp_path / "prices.yml").write_text("compatible:test-model: {input: 0, output: 1000}\n", "utf-8")
    given = {"CPA_PRICES": str(tmp_path / "prices.yml"), "CPA_BUDGET": "9", "CPA_CONCURRENCY": "3"}
    home, assistant = built(tmp_path, Model(says), 20, **given)
    with pytest.raises(BudgetReached, match=r"\d+ of 20 .* left to tag, for .*\d+ of 20 .* left to judge, for "):
        tag_and_judge_day(assistant, DAY)
    assert home.rows("select sum(cost) as dollars from answers")[0]["dollars"] <= 9
    assert home.rows("select * from failures") == []


def test_what_one_task_has_done_already_is_not_done_again(tmp_path: Path) -> None:
    model = Model()
    _, assistant = built(tmp_path, model)
    tag_day(assistant, DAY)
    tagged, judged = tag_and_judge_day(assistant, DAY)
    assert (tagged.kept, tagged.asked, judged.kept, judged.asked) == (4, 0, 0, 4)
    assert model.tasks() == ["tag"] * 4 + ["judge"] * 4
    again = tag_and_judge_day(assistant, DAY)
    assert [stage.kept for stage in again] == [4, 4] and len(model.requests) == 8
