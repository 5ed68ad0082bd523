"""Topics of a home: each text placed once, changes placed anew, names edited, and the commands that show them."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.demo import demo_settings
from cpa_core.errors import InputError, NotFound
from cpa_core.pipeline import Assistant, build_day, land, run_day
from cpa_core.pipeline.topics.listing import topics_now
from cpa_core.pipeline.topics.placing import find_topics, rename_topic
from tests.support.homes import NOW, Home, turn
from tests.topics.test_finding import DAY, texts

pytestmark = pytest.mark.slow


def landed(home: Home, days: int = 1, topics: tuple[str, ...] = ("parcel", "refund"), count: int = 110) -> None:
    """So many conversations of each topic on each day, landed and built."""
    for nth in range(days):
        day = DAY + timedelta(days=nth)
        said = [item for topic in topics for item in texts(topic, count, day, seed=nth)]
        home.write(
            f"{day}-{'-'.join(topics)}.json",
            {one.item_id: [turn(one.text, f"{day}T09:00:00Z")] for one in said},
        )
    home.land()
    build(home)


def build(home: Home) -> None:
    """Build every day that landed."""
    for row in home.rows("select distinct day from days"):
        build_day(home.assistant(), row["day"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("topics"))
    landed(home)
    find_topics(home.assistant())
    return home


def test_each_text_has_one_row_and_a_second_run_changes_nothing(made: Home) -> None:
    rows = "select * from topic_items order by corpus, item_id"
    first, topics = made.rows(rows), topics_now(made.assistant())
    assert len(first) == 220 and len({row["item_id"] for row in first}) == 220
    again = find_topics(replace(made.assistant(), now=lambda: NOW + timedelta(days=1)))
    assert [one.placed for one in again.corpora] == [0, 0, 0, 0]
    assert made.rows(rows) == first and topics_now(made.assistant()) == topics
    assert sum(one.items for one in topics) == 220 and abs(sum(one.share for one in topics) - 1) < 1e-9


def test_too_few_texts_have_no_topics_and_say_how_many_lack(tmp_path: Path) -> None:
    home = Home(tmp_path)
    landed(home, count=20)
    found = find_topics(home.assistant())
    assert [(one.texts, one.needed) for one in found.corpora] == [(0, 200), (40, 160), (0, 200), (0, 200)]
    assert found.topics == ()


def test_after_a_week_a_new_topic_is_found_and_the_earlier_days_keep_theirs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    landed(home, days=2)
    groups = {one.topic_id: one.group_id for one in find_topics(home.assistant()).topics}
    before = {row["item_id"]: row["topic_id"] for row in home.rows("select * from topic_items")}
    for nth in range(2, 10):
        day = DAY + timedelta(days=nth)
        said = [item for topic, size in (("parcel", 12), ("login", 6)) for item in texts(topic, size, day)]
        home.write(f"{day}.json", {one.item_id: [turn(one.text, f"{day}T09:00:00Z")] for one in said})
    home.land()
    build(home)
    found = find_topics(home.assistant())
    after = {row["item_id"]: row["topic_id"] for row in home.rows("select * from topic_items")}
    assert {name: after[name] for name in before} == before
    new = [one for one in found.topics if one.is_new]
    assert 40 <= sum(one.items for one in new) <= 48
    assert all(name.startswith("login") for one in new for name in one.conversations_behind)
    assert all(one.group_id for one in found.topics if one.topic_id)
    assert {one.topic_id: one.group_id for one in found.topics if one.topic_id in groups} == groups
    assert find_topics(home.assistant()).topics == found.topics


def test_a_conversation_that_changed_is_placed_anew_and_its_earlier_text_is_gone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    landed(home)
    find_topics(home.assistant())
    parcel, refund = texts("parcel", 1)[0], texts("refund", 1)[0]
    home.write("later.json", {parcel.item_id: [turn(refund.text, f"{DAY}T10:00:00Z")]})
    home.land()
    build(home)
    done = find_topics(home.assistant()).corpora[1]
    rows = home.rows(f"select * from topic_items where conversation_id = '{parcel.item_id}'")
    assert done.placed == 1 and len(rows) == 1


def test_a_name_is_edited_and_stays_when_topics_are_found_again(made: Home) -> None:
    one = next(one for one in topics_now(made.assistant()) if one.topic_id)
    assert rename_topic(made.assistant(), str(one.topic_id), " Lost parcels ") == one.name
    find_topics(made.assistant())
    assert {found.topic_id: found.name for found in topics_now(made.assistant())}[one.topic_id] == "Lost parcels"


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda home: rename_topic(home.assistant(), "nothing", "x"), NotFound),
        (lambda home: rename_topic(home.assistant(), "nothing", "  "), InputError),
    ],
)
def test_a_name_needs_a_topic_and_a_word(made: Home, act: Callable[[Home], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        act(made)


def test_the_commands_show_topics_and_print_them_as_json(made: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home = str(made.folder / "home")
    assert main(["topics", "find", "--home", home], {}) == 0
    shown = capsys.readouterr().out
    assert "requests: 220 texts, 0 placed now" in shown and "needs" not in shown
    assert main(["topics", "list", "--home", home, "--json"], {}) == 0
    topics = json.loads(capsys.readouterr().out)["topics"]
    assert {one["corpus"] for one in topics} == {"requests"} and all(
        one["topic_id"] in shown for one in topics if one["topic_id"]
    )
    chosen = topics[0]["topic_id"]
    assert main(["topics", "rename", chosen, "Other", "--home", home], {}) == 0
    assert main(["topics", "rename", "nothing", "Other", "--home", home], {}) == 2


def test_each_corpus_has_the_texts_that_it_says(tmp_path: Path) -> None:
    """Of the demo: the user's first five messages, those without an event, and reasons of verdicts below met."""
    assistant = Assistant.of(demo_settings("therapist", tmp_path))
    land(assistant)
    run_day(assistant, date(2026, 3, 2))
    found = {one.corpus: one.texts for one in find_topics(assistant).corpora}
    with assistant.store.reading() as view:
        talks = view.rows("select count(*) as n from raw_conversations")[0]["n"]
        events = view.rows("select conversation_id, message_id from tagged_events")
        said = view.rows("select conversation_id, message_id from messages where role = 'user' and trim(content) <> ''")
        verdicts = [json.loads(row["verdicts"]) for row in view.rows("select verdicts from judge_scores")]
    covered = {(row["conversation_id"], row["message_id"]) for row in events}
    assert found["requests"] == talks > 0
    assert found["uncovered"] == sum((row["conversation_id"], row["message_id"]) not in covered for row in said)
    missed = [one for each in verdicts for one in each.values() if one["verdict"] in ("missed", "partly")]
    assert found["misses"] == sum(bool(one["because"].strip()) for one in missed) > 0
