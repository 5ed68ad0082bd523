"""What a changed schema asks again: exactly what the diff said, and nothing by itself."""

import json
import shutil
import uuid
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import ProviderStopped
from cpa_core.llm import Reply
from cpa_core.models import Criteria, EventSchema, EventType, Property
from cpa_core.pipeline import (
    Assistant,
    due_days,
    land,
    propose_schema,
    quote_of_history,
    run_day,
    source_conversations,
    stale_days,
    weights,
)
from cpa_core.prompts import prompt_id
from cpa_core.schema import compare, dump, load
from cpa_core.settings import settings
from cpa_core.store.database import Row, migrations
from tests.conftest import Conversations, seed
from tests.schema.test_schema import SEEDS
from tests.servers.chat_completions import ChatServer
from tests.support.commands import chats, cpa
from tests.support.fakes import QUESTION, REPLY, SCHEMA, THANKS, asked
from tests.support.homes import Home
from tests.support.models import Model

DAY = date(2026, 3, 4)

LONG = [(("user", "assistant")[n % 2], f"Word {n} of a long talk", f"2026-03-04T11:{n:02}:00Z") for n in range(60)]
CHATS: Conversations = {
    **{
        f"c{n}": [
            ("user", f"Question number {n}?", f"2026-03-04T09:{n:02}:00Z"),
            ("assistant", f"Answer number {n}.", f"2026-03-04T09:{n:02}:20Z"),
            ("user", f"Thanks, that is {n}.", f"2026-03-04T09:{n:02}:40Z"),
        ]
        for n in range(6)
    },
    "long": LONG,
    "alone": [("assistant", "Is anybody there?", "2026-03-04T12:00:00Z")],
}
TOPIC, SUBJECT = QUESTION.properties


def changed(**fields: Any) -> EventSchema:
    return SCHEMA.model_copy(update=fields)


def types(*event_types: EventType) -> EventSchema:
    return changed(event_types=event_types)


def question(**fields: Any) -> EventType:
    return QUESTION.model_copy(update=fields)


def topic(*choices: str) -> EventType:
    return question(properties=(TOPIC.model_copy(update={"choices": choices}), SUBJECT))


WISH = EventType(name="Wish", definition="The user wishes for something.", role="user")
EDITS: dict[str, EventSchema] = {
    "a definition": types(question(definition="The user asks for facts."), THANKS, REPLY),
    "a choice added": types(topic("Tax", "Form", "Other", "Refund"), THANKS, REPLY),
    "a choice gone": types(topic("Tax", "Other"), THANKS, REPLY),
    "a type renamed": types(question(name="Ask", was=("Question",)), THANKS, REPLY),
    "a type added": types(QUESTION, THANKS, REPLY, WISH),
    "a type gone": types(QUESTION, REPLY),
    "a property added": types(QUESTION, THANKS.model_copy(update={"properties": (SUBJECT,)}), REPLY),
    "a property renamed": types(
        question(properties=(TOPIC, Property(name="Thing", definition=SUBJECT.definition, was=("Subject",)))),
        THANKS,
        REPLY,
    ),
    "another order": types(REPLY, THANKS, QUESTION),
    "the criteria": changed(criteria=Criteria(primary_goals=("Be right",))),
    "the description": changed(description="Another helper."),
    "one event a message": changed(events_per_message="one"),
    "intents": changed(intents=True),
    "many at once": types(
        topic("Tax", "Form", "Other", "Refund").model_copy(update={"name": "Ask", "was": ("Question",)}), REPLY, WISH
    ),
}
FREE = {"a type renamed", "a type gone", "a property renamed", "another order"}
"""Edits that ask nothing of tags; none of the edits of types or properties asks anything of the judge."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home in which a day was run by SCHEMA. Tests work on copies of it."""
    folder = tmp_path_factory.mktemp("begun")
    source = {key: seed(turns) for key, turns in CHATS.items()}
    (folder / "transcripts.json").write_text(json.dumps(source), "utf-8")
    made = over(folder, Model())
    edit(made, SCHEMA)
    land(made)
    run_day(made, DAY)
    return folder


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def made(begun: Path, tmp_path: Path, model: Model) -> Assistant:
    """An assistant whose day was run by SCHEMA."""
    shutil.copytree(begun, tmp_path / "copy")
    return over(tmp_path / "copy", model)


def over(folder: Path, model: Model) -> Assistant:
    given = {"CPA_HOME": "home", "CPA_SOURCE": "transcripts.json", "CPA_SCHEMA": "schema.yml"}
    environ = {name: str(folder / value) for name, value in given.items()} | {"CPA_MODEL": "compatible:test-model"}
    return replace(Assistant.of(settings(environ)), provider=lambda name: model)


def edit(assistant: Assistant, schema: EventSchema) -> None:
    assert assistant.settings.schema_path is not None
    assistant.settings.schema_path.write_text(dump(schema), "utf-8")


def again(assistant: Assistant, model: Model, **how: bool) -> dict[str, int]:
    """The calls of running the day again."""
    before = len(model.requests)
    run_day(replace(assistant, run_id=uuid.uuid4().hex), DAY, **how)
    tasks = [request.task for request in model.requests[before:]]
    return {task: tasks.count(task) for task in ("tag", "judge")}


def said(assistant: Assistant, schema: EventSchema) -> dict[str, int]:
    """The calls that the diff promises."""
    found = {line.task: line.questions for line in quote_of_history(assistant, schema).lines}
    return {task: found.get(task, 0) for task in ("tag", "judge")}


def rows(assistant: Assistant, sql: str) -> list[Row]:
    with assistant.store.reading() as view:
        return view.rows(sql)


def tags(assistant: Assistant) -> list[Row]:
    return rows(assistant, "select * from tagged_events order by conversation_id, position, event_id")


@pytest.mark.parametrize("name", EDITS)
def test_running_again_asks_to_the_call_what_the_diff_said(made: Assistant, model: Model, name: str) -> None:
    schema = EDITS[name]
    promised = said(made, schema)
    weighed = weights(made, compare(SCHEMA, schema))
    edit(made, schema)
    assert bool(stale_days(made)) == (name != "another order")
    assert again(made, model) == promised
    assert (promised["tag"] == 0) == (name in FREE | {"the criteria", "intents"})
    assert (promised["judge"] > 0) == (name in ("the criteria", "the description", "intents"))
    if len(weighed) == 1:
        assert weighed[0].questions == sum(promised.values())
    assert said(made, schema) == {"tag": 0, "judge": 0}


def test_intents_that_are_asked_no_longer_ask_nothing_and_stay(made: Assistant, model: Model) -> None:
    edit(made, EDITS["intents"])
    again(made, model)
    told = "select conversation_id, intent, intent_delivered, intent_quote from judge_scores order by conversation_id"
    before = rows(made, told)
    assert {row["conversation_id"]: row["intent"] for row in before}["alone"] is None
    assert all(row["intent"] for row in before if row["conversation_id"] != "alone")
    assert said(made, SCHEMA) == {"tag": 0, "judge": 0}
    edit(made, SCHEMA)
    assert stale_days(made) == [] and again(made, model) == {"tag": 0, "judge": 0} and rows(made, told) == before


def test_a_renamed_type_keeps_the_ids_of_its_events_and_a_type_that_went_takes_its_events_along(
    made: Assistant, model: Model
) -> None:
    before = tags(made)
    edit(made, types(question(name="Ask", was=("Question",)), REPLY))
    done = run_day(made, DAY)
    assert model.requests == []
    asked_about = [row for row in before if row["event_type"] == "Question"]
    assert done.delivered is not None and done.delivered.sent == len(asked_about), "what goes on is not sent again"
    assert [row["event_id"] for row in tags(made)] == [
        row["event_id"] for row in before if row["event_type"] != "Thanks"
    ]
    assert {row["event_type"] for row in before} == {"Question", "Thanks", "Reply"}
    assert {row["event_type"] for row in tags(made)} == {"Ask", "Reply"}
    assert stale_days(made) == []


def test_only_the_messages_that_a_change_touches_are_asked_about_and_the_others_keep_their_tags(
    made: Assistant, model: Model
) -> None:
    before = {(row["conversation_id"], row["position"]): row for row in tags(made)}
    edit(made, types(QUESTION, THANKS.model_copy(update={"properties": (SUBJECT,)}), REPLY))
    again(made, model)
    after = {(row["conversation_id"], row["position"]): row for row in tags(made)}
    thanked = [place for place, row in before.items() if row["event_type"] == "Thanks"]
    assert sum(len(asked(request)) for request in model.requests) == len(thanked) > 0
    untouched = before.keys() - set(thanked)
    assert {place: after[place] for place in untouched} == {place: before[place] for place in untouched}
    versions = {row["schema_version"] for row in rows(made, "select schema_version from tagged_events")}
    assert len(versions) == 2, "each row names the version that made it"


def test_a_changed_schema_asks_nothing_by_itself_even_of_a_day_that_is_due(made: Assistant, model: Model) -> None:
    edit(made, types(QUESTION, REPLY, WISH))
    assert due_days(made) == []
    source = Path(str(made.settings.source))
    chats = json.loads(source.read_text("utf-8"))
    late = seed([("user", "Is it too late?", "2026-03-04T13:00:00Z")])
    source.write_text(json.dumps(chats | {"late": late}), "utf-8")
    land(made)
    assert [row["day"] for row in due_days(made)] == [DAY]
    assert again(made, model, retag=False) == {"tag": 1, "judge": 1}
    assert due_days(made) == []
    (stale,) = stale_days(made)
    assert stale.tagged == len([turns for turns in CHATS.values() if any(role == "user" for role, _, _ in turns)])


def test_a_stop_in_the_middle_takes_no_tags_away(made: Assistant, model: Model) -> None:
    before = {row["conversation_id"] for row in tags(made)}
    edit(made, changed(description="Another helper."))
    model.says = lambda request: _stops(len(model.requests) > 3)
    with pytest.raises(ProviderStopped):
        again(made, model)
    assert {row["conversation_id"] for row in tags(made)} == before
    model.says = lambda request: None
    again(made, model)
    assert {row["schema_version"] for row in tags(made)} == {changed(description="Another helper.").version}


def _stops(now: bool) -> None:
    if now:
        raise ProviderStopped("enough")


def test_what_was_refused_stays_refused_when_nothing_is_asked_and_is_asked_when_anything_is(
    made: Assistant, model: Model
) -> None:
    edit(made, changed(description="Refusing."))
    model.says = lambda request: Reply(outcome="refused") if "number 1?" in request.user else None
    again(made, model)
    model.says = lambda request: None
    refusing = types(question(name="Ask", was=("Question",)), THANKS, REPLY)
    edit(made, refusing.model_copy(update={"description": "Refusing."}))
    assert again(made, model) == {"tag": 0, "judge": 0}
    outcomes = "select outcome from tagged_conversations where conversation_id = 'c1'"
    assert rows(made, outcomes) == [{"outcome": "refused"}]
    edit(made, types(QUESTION, THANKS, REPLY, WISH).model_copy(update={"description": "Refusing."}))
    again(made, model)
    assert rows(made, outcomes) == [{"outcome": "ok"}]


def test_the_command_shows_what_is_stale_what_changed_and_the_quote_before_it_re_tags(
    home: Home, chat_server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write("a.json", chats(2))
    assert cpa(home, "run") == 0
    older = load(home.folder / "schema.yml")[0]
    newer = older.model_copy(update={"event_types": (*older.event_types, WISH)})
    (home.folder / "schema.yml").write_text(dump(newer), "utf-8")
    capsys.readouterr()
    assert cpa(home, "status") == 0
    out = capsys.readouterr().out
    assert f"stale: {DAY}: 2 conversations tagged and 0 judged by schema {older.version}" in out
    assert f"cpa run --from {DAY} --to {DAY}" in out
    assert cpa(home, f"schema diff {older.version[:8]} {home.folder / 'schema.yml'}") == 0
    out = capsys.readouterr().out
    assert "+ user Wish: a new type" in out and "here: 2 messages; 2 questions if it were alone" in out
    assert "tag, compatible:test-model: 2 questions" in out
    before = len(chat_server.calls)
    assert cpa(home, "run") == 0
    assert cpa(home, f"run --from {DAY} --to {DAY}") == 0
    out = capsys.readouterr().out
    assert "left as they are: 1 of 1 days; with --retag:" in out and "2 questions" in out
    assert len(chat_server.calls) == before, "nothing is re-tagged unasked, not even a day that is named"
    assert cpa(home, f"quote --from {DAY} --to {DAY}") == 0
    assert "left as they are: 1 of 1 days; with --retag:" in capsys.readouterr().out
    capsys.readouterr()
    assert cpa(home, f"run --from {DAY} --to {DAY} --retag") == 0
    out = capsys.readouterr().out
    assert out.index("now re-tagged: 1 of 1 days") < out.index("tag, compatible:test-model: 2 questions")
    assert len(chat_server.calls) == before + 2
    (home.folder / "schema.yml").write_text("event_types: 3\n", "utf-8")
    assert cpa(home, "status") == 0
    assert "which days are of another schema is not known" in capsys.readouterr().out
    assert cpa(home, "schema diff none.yml schema.yml") == 2
    assert "no such file, and no version that" in capsys.readouterr().err


@pytest.mark.skipif(not SEEDS.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("example", ["therapist", "tax_advisor"])
def test_the_schemas_of_the_seed_tool_are_tagged_with_compared_and_proposed_beside(
    tmp_path: Path, model: Model, example: str
) -> None:
    shutil.copytree(SEEDS / example, tmp_path / "seed")
    (tmp_path / "seed" / "example_data.json").rename(tmp_path / "seed" / "transcripts.json")
    assistant = over(tmp_path / "seed", model)
    land(assistant, DAY)
    days = [row["day"] for row in due_days(assistant)]
    done = [run_day(assistant, day) for day in days]
    assert sum(one.tagged.done for one in done) > 0 and not any(one.tagged.failures for one in done)
    schema = load(tmp_path / "seed" / "schema.yml")[0]
    first, *rest = schema.event_types
    renamed = first.model_copy(update={"name": "Another Name", "was": (first.name,)})
    newer = schema.model_copy(update={"event_types": (renamed, *rest)})
    assert [change.kind for change in compare(schema, newer).changes] == ["renamed"]
    assert said(assistant, newer) == {"tag": 0, "judge": 0}
    proposal = propose_schema(assistant, source_conversations(assistant), size=4, base=schema)
    assert proposal.schema.event_types[: len(schema.event_types)] == schema.event_types


OLD_PROMPTS = {"tag": "be7410f14dea", "judge": "b01a69bfec1f"}
"""The ids of the prompts before answers were lines."""


def test_a_home_that_the_old_prompts_made_runs_on_without_a_question(made: Assistant, model: Model) -> None:
    assert not any(
        prompt_id(task) == old for task, old in (("tag", OLD_PROMPTS["tag"]), ("judge", OLD_PROMPTS["judge"]))
    )
    made = as_before(made, model)
    assert due_days(made) == [] and stale_days(made) == []
    assert again(made, model, retag=False) == {"tag": 0, "judge": 0}
    before = rows(made, "select event_id, quote, because from tagged_events order by event_id")
    assert again(made, model, retag=False) == {"tag": 0, "judge": 0}
    assert rows(made, "select event_id, quote, because from tagged_events order by event_id") == before
    assert {row["nth"] for row in rows(made, "select nth from tagged_events")} == {None}


def test_of_an_old_home_only_what_is_new_is_asked_by_the_new_prompts(made: Assistant, model: Model) -> None:
    made = as_before(made, model)
    source = Path(str(made.settings.source))
    chats = json.loads(source.read_text("utf-8"))
    late = seed([("user", "Is it too late?", "2026-03-04T13:00:00Z")])
    source.write_text(json.dumps(chats | {"late": late}), "utf-8")
    land(made)
    assert again(made, model, retag=False) == {"tag": 1, "judge": 1}
    ids = {row["prompt_id"] for row in rows(made, "select prompt_id from tagged_conversations")}
    assert ids == {OLD_PROMPTS["tag"], prompt_id("tag")}


def as_before(assistant: Assistant, model: Model) -> Assistant:
    """The home as the version before left it: its prompts, no order of events, no places of a judge's quotes."""
    with assistant.store.writing() as transaction:
        for table, task in (("tagged_events", "tag"), ("tagged_conversations", "tag"), ("judge_scores", "judge")):
            transaction.execute(f"update {table} set prompt_id = $old", old=OLD_PROMPTS[task])
        for column in ("verdicts", "dealbreakers"):
            without = f"regexp_replace({column}::varchar, '\"position\": *[0-9null]+, *', '', 'g')"
            transaction.execute(f"update judge_scores set {column} = {without}")
    with assistant.store.writing() as transaction:
        transaction.execute("alter table tagged_events drop column nth")
        (number,) = [number for number, sql in migrations() if "column nth" in sql]
        transaction.execute("delete from migrations where number = $number", number=number)
    with assistant.store.reading() as view:
        told = view.rows("select verdicts::varchar as verdicts from judge_scores")
    assert told and not any("position" in row["verdicts"] for row in told)
    return over(assistant.settings.home.parent, model)


def test_the_main_event_of_a_message_is_stored_first(made: Assistant) -> None:
    answer = json.dumps({"messages": ["0 late | It thanks. | Thanks", "0 Is it | It asks. | Question | Tax | it"]})
    model = Model(lambda request: Reply(outcome="ok", text=answer) if request.task == "tag" else None)
    assistant = replace(made, provider=lambda name: model)
    source = Path(str(made.settings.source))
    source.write_text(json.dumps({"one": seed([("user", "Is it too late?", "2026-03-05T13:00:00Z")])}), "utf-8")
    land(assistant)
    run_day(assistant, date(2026, 3, 5))
    found = rows(assistant, "select event_type, nth from tagged_events where day = '2026-03-05' order by nth")
    assert [(row["event_type"], row["nth"]) for row in found] == [("Thanks", 1), ("Question", 2)]
