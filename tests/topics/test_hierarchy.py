"""Groups above the topics: each topic in one, few of them, ids that stay, and new topics that enter one."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.cli import main
from cpa_core.pipeline import write_report
from cpa_core.pipeline.topics.placing import find_topics, listed_topics, rename_topic
from cpa_core.topics import first_layer, groups_above, joined, placed
from cpa_core.topics.hierarchy import by_majority, most_groups
from tests.support.homes import Home
from tests.topics.test_finding import texts
from tests.topics.test_placing import landed

ITEMS = [item for topic in ("parcel", "refund", "login") for item in texts(topic, 200)]


@pytest.mark.slow
def test_the_groups_of_planted_texts_are_what_was_planted_and_the_same_when_shuffled() -> None:
    layer = first_layer("requests", ITEMS)
    assert layer is not None and len(layer.topics) > 3 >= len(layer.above) > 1
    in_groups = Counter(topic for one in layer.above for topic in one.topics)
    assert in_groups == Counter(one.topic_id for one in layer.topics)
    planted = {place.topic_id: place.item_id.partition("-")[0] for place in placed([layer], ITEMS)}
    assert all(len({planted[topic] for topic in one.topics}) == 1 and one.words for one in layer.above)
    again = first_layer("requests", Random(1).sample(ITEMS, len(ITEMS)))
    assert again is not None and again.above == layer.above
    topics = {place.item_id: place.topic_id for place in placed([layer], ITEMS)}
    found = groups_above("requests", ITEMS, layer.space, topics)
    assert [(one.group_id, one.topics) for one in found] == [(one.group_id, one.topics) for one in layer.above]


@given(
    st.lists(st.lists(st.integers(0, 40), max_size=12), min_size=1, max_size=5),
    st.lists(st.sampled_from("abcd"), max_size=41),
)
def test_every_topic_is_in_exactly_one_part(parts: list[list[int]], named: list[str]) -> None:
    topics = dict(enumerate(named))
    found = by_majority(parts, topics)
    assert sorted(topic for own in found for topic in own) == sorted(set(named)) and len(found) == len(parts)
    for nth, own in enumerate(found):
        for topic in own:
            rows = [sum(topics.get(row) == topic for row in part) for part in parts]
            assert rows[nth] == max(rows)


@pytest.mark.parametrize(("topics", "most"), [(1, 1), (5, 1), (6, 2), (50, 10), (100, 10), (130, 10)])
def test_groups_are_few(topics: int, most: int) -> None:
    assert most_groups(topics) == most


@pytest.mark.parametrize(
    ("before", "enters"),
    [
        (["t1", "t2", None, None], "g1"),
        (["t1", None, None], None),
        (["t1", "t3"], "g1"),
        ([None, "t4", "t4"], None),
        (["gone", "gone"], None),
        ([], None),
    ],
)
def test_a_new_topic_enters_the_group_of_half_its_texts_or_is_one_of_its_own(
    before: list[str | None], enters: str | None
) -> None:
    found = joined("requests", "new", ("a",), before, {"t1": "g1", "t2": "g1", "t3": "g2", "t4": None})
    assert found.topics == ("new",) and (found.words is None) == (enters is not None)
    assert found.group_id == (enters or joined("requests", "new", (), [], {}).group_id)


@pytest.mark.slow
def test_groups_stay_are_renamed_and_come_to_homes_that_have_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    landed(home, topics=("parcel", "refund"), count=200)
    found = find_topics(home.assistant())
    assert len(found.topics) > len(found.groups) > 1
    assert sum(one.items for one in found.groups) == sum(one.items for one in found.topics if one.topic_id)
    first = found.groups[0]
    rename_topic(home.assistant(), first.group_id, "Where is it?")
    with home.assistant().store.writing() as tables:
        rows = tables.rows("select topic_id, group_id from topics order by topic_id")
    named = listed_topics(home.assistant()).groups
    assert (named[0].name, named[0].is_named) == ("Where is it?", True)
    assert find_topics(home.assistant()).groups == named
    assert main(["topics", "list", "--home", str(home.folder / "home")], {}) == 0
    shown = capsys.readouterr().out
    assert f"Where is it? ({first.topics} topics)" in shown and all(one.group_id in shown for one in named)
    page = write_report(home.assistant(), out=tmp_path / "report.html").path.read_text("utf-8")
    assert "groups of topics" in page and "Where is it?" in page and f"topic-group:requests:{first.group_id}" in page
    made = home.assistant()
    hidden = replace(made, settings=made.settings.model_copy(update={"report_privacy": "no_text"}))
    assert "Where is it?" not in write_report(hidden, out=tmp_path / "report.html").path.read_text("utf-8")
    with home.assistant().store.writing() as tables:  # as an earlier version left it
        tables.execute("update topics set group_id = null")
        tables.execute("delete from topic_groups")
    assert listed_topics(home.assistant()).groups == ()
    find_topics(home.assistant())
    assert home.rows("select topic_id, group_id from topics order by topic_id") == rows
