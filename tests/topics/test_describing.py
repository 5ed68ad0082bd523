"""Names by the model: priced before they are asked for, kept where they tell neighbours apart, and never a person's."""

import json
import shutil
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.errors import NotFound, ReplyInvalid, SettingsError
from cpa_core.llm import Reply, Request
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.topics.describing import name_topics, quote_names
from cpa_core.pipeline.topics.listing import TopicRow, topics_now
from cpa_core.pipeline.topics.placing import find_topics, rename_topic
from cpa_core.proposing.naming import name_in, places_in
from tests.servers import brain
from tests.support.homes import Home
from tests.support.models import Model
from tests.topics.test_placing import landed

NAME = {"in_common": "a", "description": "They ask for money.", "name": "Money back"}


def asked(home: Home, model: Model, **settings: object) -> Assistant:
    """An assistant of a run of its own that asks this model."""
    made = replace(home.assistant(provider=lambda _: model), run_id=uuid.uuid4().hex[:16])
    return replace(made, settings=made.settings.model_copy(update=settings))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home that has topics. Tests work on copies of it."""
    made = Home(tmp_path_factory.mktemp("found"))
    landed(made)
    find_topics(made.assistant())
    return made.folder


@pytest.fixture
def home(found: Path, tmp_path: Path) -> Home:
    shutil.copytree(found, tmp_path / "copy")
    return Home(tmp_path / "copy", {"CPA_MODEL": "compatible:test-model"})


def named(home: Home) -> dict[str, TopicRow]:
    """The topics by id."""
    return {one.topic_id: one for one in topics_now(home.assistant()) if one.topic_id}


def test_the_price_comes_first_and_holds_and_a_second_time_nothing_is_asked(home: Home) -> None:
    model = Model()
    made = asked(home, model)
    quote = quote_names(made)
    before = named(home)
    assert quote.topics == len(before) > 2 and not model.requests
    assert {one.named_by for one in before.values()} == {None}
    found = name_topics(made)
    assert len(found) == quote.topics and len(model.requests) <= quote.questions
    assert {one.description for one in found if one.right is not None} and all(one.checked == 12 for one in found)
    after = named(home)
    for one in found:
        now = after[one.topic_id]
        assert one.is_kept == (one.right is not None and one.right >= 9)
        expected = (one.name, one.description, "compatible:test-model") if one.is_kept else (one.words, None, None)
        assert (now.name, now.description, now.named_by) == expected
        assert now.told_apart == (one.right / 12 if one.is_kept and one.right is not None else None)
    paid = len(model.requests)
    again = name_topics(asked(home, model))
    assert {one.topic_id for one in again} == {one.topic_id for one in found if not one.is_kept}
    assert quote_names(made).questions <= 2 * len(again) and len(model.requests) - paid <= 2 * len(again)
    assert {name: one.items for name, one in named(home).items()} == {name: one.items for name, one in after.items()}


@pytest.mark.parametrize("right", [True, False])
def test_a_name_is_kept_only_where_it_tells_the_topic_from_its_neighbour(home: Home, right: bool) -> None:
    truth = {row["text"]: row["topic_id"] for row in texts_of(home)}

    def says(request: Request) -> Reply | None:
        if "in_common" in request.json_schema["properties"]:
            own = Counter(truth[row["text"]] for row in brain.rows_in(request.user, "texts")).most_common(1)[0][0]
            return Reply(outcome="ok", text=json.dumps(NAME | {"name": f"Topic {own}"}))
        names = [row["name"].removeprefix("Topic ") for row in brain.rows_in(request.user, "topics")]
        rows = [
            {"n": row["n"], "topic": 1 + (names.index(truth[row["text"]]) ^ (not right))}
            for row in brain.rows_in(request.user, "texts")
        ]
        return Reply(outcome="ok", text=json.dumps({"belongs": rows}))

    found = name_topics(asked(home, Model(says)))
    assert {(one.right, one.checked, one.is_kept) for one in found} == {(12 if right else 0, 12, right)}
    kept = {one.topic_id: one.name for one in named(home).values()}
    assert all((kept[one.topic_id] == f"Topic {one.topic_id}") == right for one in found)


def texts_of(home: Home) -> list[dict[str, str]]:
    """Each text with its topic."""
    return home.rows("select m.content as text, i.topic_id from topic_items i join messages m using (conversation_id)")


def test_a_persons_name_stays_and_two_topics_never_have_one_name(home: Home) -> None:
    first = next(iter(named(home)))
    rename_topic(home.assistant(), first, "Money back", "What people say.")
    found = name_topics(asked(home, Model(lambda request: None if "belongs" in shape(request) else says(NAME))))
    assert first not in {one.topic_id for one in found} and {one.name for one in found} == {None}
    now = named(home)
    assert (now[first].name, now[first].description, now[first].named_by) == (
        "Money back",
        "What people say.",
        "person",
    )
    assert len({one.name for one in now.values()}) == len(now)


def shape(request: Request) -> dict[str, object]:
    """The fields of the answer."""
    found: dict[str, object] = request.json_schema["properties"]
    return found


def says(tree: Mapping[str, object]) -> Reply:
    """A usable reply."""
    return Reply(outcome="ok", text=json.dumps(tree))


def test_redacted_texts_are_shown_redacted_and_a_budget_ends_it(home: Home) -> None:
    model = Model()
    name_topics(asked(home, model, redact_before_model=True))
    assert model.requests and all(request.task == "describe" for request in model.requests)
    with home.assistant().store.reading() as view:
        answers = view.rows("select task, count(*) as n from answers group by task")
    assert answers == [{"task": "describe", "n": len(model.requests)}]


@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"description": None},
        {"name": 3},
        {"name": "x" * 61},
        {"description": "w " * 41},
        {"name": "TAKEN"},
    ],
)
def test_an_unusable_name_is_refused(change: dict[str, object]) -> None:
    assert name_in(json.dumps(NAME), ["taken"]).name == "Money back"
    with pytest.raises(ReplyInvalid):
        name_in(json.dumps(NAME | change), ["taken"])


@pytest.mark.parametrize(
    "rows", [[], [(1, 1)], [(1, 1), (1, 2)], [(1, 1), (2, 3)], [(1, 1), (2, True)], [(1, 1), (2, 1), (3, 1)]]
)
def test_each_text_has_one_place(rows: list[tuple[int, int]]) -> None:
    def written(pairs: list[tuple[int, int]]) -> str:
        return json.dumps({"belongs": [{"n": n, "topic": topic} for n, topic in pairs]})

    assert places_in(written([(2, 1), (1, 2)]), 2) == [1, 0]
    with pytest.raises(ReplyInvalid):
        places_in(written(rows), 2)


def test_the_command_asks_only_where_a_person_agrees(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["topics", "describe", "--home", str(home.folder / "home")]
    assert main([*given, "--model", "reference:annotations"], {}) == 2
    assert main([*given, "--model", "compatible:test-model"], {"CPA_COMPATIBLE_URL": "http://127.0.0.1:9"}) == 0
    assert f"nothing was asked: cpa topics describe --home {home.folder / 'home'} --yes" in capsys.readouterr().out
    with pytest.raises(NotFound):
        quote_names(replace(home.assistant(), store=type(home.assistant().store)(home.folder / "nowhere")))
    with pytest.raises(SettingsError):
        name_topics(Home(home.folder, {"CPA_MODEL": "reference:annotations"}).assistant())
