"""The intent in the judge's answer: off until chosen, in few words, confirmed by the user's own words or not at all."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli import main
from cpa_core.demo import demo_settings
from cpa_core.events import JudgedRow, View, full_view, of_judgment, textless_view
from cpa_core.judging import json_schema, judge_conversation, question
from cpa_core.models import Intent
from cpa_core.pipeline import Assistant, land, run_day
from cpa_core.prompts import words
from cpa_core.schema import dump, load, parse
from tests.support.fakes import MODEL, SCHEMA, Script, asking, conversation, judged
from tests.support.homes import NOW

TALK = conversation("Can I deduct my home office?", "Yes, thanks to the law.", "Great, **thanks**!")
WITH = SCHEMA.model_copy(update={"intents": True})
WANTED = "to deduct a home office"
SAID = {"m": 2, "quote": "great, thanks", "wanted": WANTED, "delivered": "yes"}
GOT = Intent(position=2, quote="Great, **thanks**!"[:15], wanted=WANTED, delivered="yes")


def answer(intent: Any) -> str:
    """A judgment with an intent."""
    return json.dumps(json.loads(judged()) | {"intent": intent})


def found(*answers: str) -> tuple[Intent | None, int]:
    """The intent of a conversation by these answers, and how many questions it took."""
    result = judge_conversation(TALK, WITH, MODEL, asking(Script(*answers)))
    assert result.outcome == "ok" and result.judgment is not None and result.judgment.score == 100
    return result.judgment.intent, result.questions


def test_a_schema_without_it_keeps_its_version_its_question_and_its_file() -> None:
    assert "intents" not in SCHEMA.model_dump() and "intents" not in dump(SCHEMA)
    assert WITH.version != SCHEMA.version and parse(dump(WITH), "schema.yml")[0] == WITH
    for schema, asks in ((SCHEMA, False), (WITH, True)):
        asked = question(TALK, schema, MODEL)
        assert (words("judge_intent").strip() in asked.system) == asks
        assert ("intent" in json_schema(schema)["properties"]) == asks
    assert question(TALK, WITH, MODEL).user == question(TALK, SCHEMA, MODEL).user


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {}),
        ({"quote": "thanks"}, {"quote": "thanks"}),
        ({"m": 1, "quote": "thanks"}, {"position": None, "quote": None, "delivered": "cannot tell"}),
        ({"quote": "Perfect!"}, {"position": None, "quote": None, "delivered": "cannot tell"}),
        ({"m": -1, "quote": ""}, {"position": None, "quote": None, "delivered": "cannot tell"}),
        ({"m": -1, "quote": "", "delivered": "no"}, {"position": None, "quote": None, "delivered": "no"}),
        ({"wanted": " ".join(map(str, range(20)))}, {"wanted": " ".join(map(str, range(12)))}),
    ],
)
def test_only_a_quote_of_the_user_confirms_a_delivery_and_an_intent_has_few_words(
    change: dict[str, Any], expected: dict[str, Any]
) -> None:
    intent, questions = found(answer(SAID | change))
    assert intent is not None and questions == 1
    assert intent.model_dump() == GOT.model_dump() | {"quote": intent.quote} | expected
    assert intent.quote is None or intent.quote in TALK.messages[2].content


@pytest.mark.parametrize("unusable", [None, [], "yes", SAID | {"delivered": "perhaps"}, SAID | {"wanted": None}])
def test_an_unusable_intent_is_asked_for_once_more_and_costs_no_judgment(unusable: Any) -> None:
    assert found(answer(unusable), answer(SAID))[1] == 2
    assert found(answer(unusable), answer(SAID))[0] is not None
    assert found(answer(unusable), answer(unusable)) == (None, 2)


def test_a_user_who_wants_nothing_has_no_intent() -> None:
    assert found(answer(SAID | {"wanted": "  "})) == (None, 1)


@pytest.mark.parametrize(
    ("view", "intent"),
    [(full_view(), WANTED), (textless_view(()), None), (View(lambda text: f"[{text}]"), f"[{WANTED}]")],
)
def test_its_words_leave_only_where_text_may_and_its_outcome_always(view: View, intent: str | None) -> None:
    row = JudgedRow(NOW.date(), "c1", "u1", 100.0, "", {}, {}, NOW, "v", "m", intent=WANTED, intent_delivered="yes")
    payload = of_judgment(row, view).payload
    assert (payload.get("intent"), payload["intent_delivered"]) == (intent, "yes")
    without = of_judgment(row._replace(intent=None, intent_delivered=None), view).payload
    assert without.keys() == payload.keys() - {"intent", "intent_delivered"}


def test_the_demo_answers_it_and_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assistant = Assistant.of(demo_settings("therapist", tmp_path))
    path = tmp_path / "with.yml"
    assert assistant.settings.schema_path is not None
    path.write_text(dump(load(assistant.settings.schema_path)[0].model_copy(update={"intents": True})), "utf-8")
    assistant = replace(assistant, settings=assistant.settings.model_copy(update={"schema_path": path}))
    land(assistant)
    run_day(assistant, date(2026, 3, 2))
    with assistant.store.reading() as view:
        rows = view.rows("select * from judge_scores where intent is not null order by conversation_id")
    assert rows and all(row["intent_quote"] for row in rows if row["intent_delivered"] == "yes")
    assert main(["show", rows[0]["conversation_id"], "--home", str(assistant.settings.home)], {}) == 0
    assert (
        f"wanted: {rows[0]['intent']}; delivered and confirmed: {rows[0]['intent_delivered']}"
        in capsys.readouterr().out
    )
