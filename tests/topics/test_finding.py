"""Topics of planted texts: found, stable when shuffled, kept for good, and new ones only beyond chance."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import numpy as np
import pytest

from cpa_core.topics import Item, Layer, first_layer, found_beyond_chance, new_layer, placed
from cpa_core.topics.finding import sampled
from cpa_core.topics.vectors import Space, space_of

pytestmark = pytest.mark.slow

DAY = date(2026, 3, 1)
WORDS = {
    "parcel": "my parcel is late where package courier tracking delivery lost shipped address box",
    "refund": "refund money back charged twice invoice card bank payment return account amount",
    "login": "password reset cannot sign in locked email code browser username security verify",
    "退货": "我想退货 请问怎么退款 商品坏了 质量有问题 需要换货 退货地址在哪里 运费谁付 申请退款",
}


def texts(topic: str, count: int, day: date = DAY, seed: int = 0) -> list[Item]:
    """So many texts of a planted topic: eight of its words each, in some order."""
    random, words = Random(f"{topic} {day} {seed}"), WORDS[topic].split()
    made = (" ".join(random.sample(words, min(8, len(words) - 1))) for _ in range(count))
    return [Item(f"{topic}-{day}-{seed}-{nth}", day, f"{topic}-{nth}", text) for nth, text in enumerate(made)]


def first_day() -> list[Item]:
    """Three topics, one of them in a language without spaces."""
    return [item for topic in ("parcel", "refund", "退货") for item in texts(topic, 90)]


def by_topic(layers: list[Layer], items: list[Item]) -> dict[str | None, Counter[str]]:
    """For each topic found, how many texts of each planted one it has."""
    found: dict[str | None, Counter[str]] = {}
    for item, place in zip(items, placed(layers, items), strict=True):
        found.setdefault(place.topic_id, Counter())[item.item_id.partition("-")[0]] += 1
    return found


@pytest.fixture(scope="module")
def layer() -> Layer:
    found = first_layer("requests", first_day())
    assert found is not None
    return found


def test_planted_topics_are_found_apart_and_named_by_their_words(layer: Layer) -> None:
    found = by_topic([layer], first_day())
    assert all(len(counts) == 1 for topic, counts in found.items() if topic is not None)
    in_topics = sum((counts for topic, counts in found.items() if topic is not None), Counter[str]())
    assert set(in_topics) == {"parcel", "refund", "退货"} and min(in_topics.values()) >= 80
    for one in layer.topics:
        planted = next(iter(found[one.topic_id]))
        assert one.words and all(word in WORDS[planted] for words in one.words for word in words.split())


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_texts_in_any_order_give_the_same_ids_and_bytes(layer: Layer, seed: int) -> None:
    shuffled = Random(seed).sample(first_day(), len(first_day()))
    again = first_layer("requests", shuffled)
    assert again is not None
    assert [one.topic_id for one in again.topics] == [one.topic_id for one in layer.topics]
    assert [one.centres.tobytes() for one in again.topics] == [one.centres.tobytes() for one in layer.topics]
    assert again.space.written() == layer.space.written()
    assert sorted(placed([again], shuffled)) == sorted(placed([layer], first_day()))


def test_a_space_that_is_written_and_read_gives_the_same_vectors(layer: Layer) -> None:
    some = [one.text for one in first_day()[::20]]
    assert Space.read(layer.space.written()).vectors(some).tobytes() == layer.space.vectors(some).tobytes()


def test_a_space_of_an_earlier_version_gives_the_vectors_that_it_gave() -> None:
    some = [one.text for one in first_day()[::20]]
    made = space_of(some)
    assert made is not None
    columns = made.directions[:, : made.blocks[0]].copy()
    columns[:, 1:] += 0.1  # of both kinds, as one block
    earlier = Space(made.features, made.weights, columns)
    assert earlier.dimensions == columns.shape[1] == earlier.vectors(some).shape[1]
    again = Space.read(earlier.written())
    assert (again.blocks, again.shape) == ((), None) and again.directions.tobytes() == columns.tobytes()
    assert again.vectors(some).tobytes() == earlier.vectors(some).tobytes()


def test_the_shape_of_a_text_counts_beside_its_words_and_alone_counts_nothing() -> None:
    shapes = ("{0} {1}", "{0} {1}?", "{0}\n{1}", "{0} {1} {0} {1} {0} {1}")
    words = (("parcel", "late"), ("refund", "money"), ("login", "code"))
    some = [shape.format(*pair) for pair in words for shape in shapes] * 5
    space = space_of(some)
    assert space is not None
    vectors = space.vectors([*some[:4], "stranger", "stranger?"])
    assert np.unique(vectors[:4].round(4), axis=0).shape[0] == 4 and not vectors[4:].any()
    assert np.allclose(np.linalg.norm(vectors[:4], axis=1), 1, atol=1e-5)


def test_a_text_of_which_nothing_is_known_has_no_topic(layer: Layer) -> None:
    strangers = [Item(text, DAY, text, text) for text in ("", "   ", "ÿþ", "∑∆ ƒ∂")]
    assert [one.topic_id for one in placed([layer], strangers)] == [None] * len(strangers)


def test_a_new_topic_is_found_on_its_day_and_every_text_before_keeps_its_topic(layer: Layer) -> None:
    tomorrow = DAY + timedelta(days=1)
    others = [item for topic in ("parcel", "refund", "退货") for item in texts(topic, 90, tomorrow)]
    news = texts("login", 30, tomorrow)
    later = new_layer("requests", [*first_day(), *others, *news], tomorrow)
    assert later is not None
    before, after = placed([layer], first_day()), placed([layer, later], first_day())
    assert before == after
    found = by_topic([layer, later], [*others, *news])
    new = {one.topic_id for one in later.topics}
    assert sum((found[one] for one in new), Counter[str]())["login"] >= 27
    assert all(set(found[one]) == {"login"} for one in new)


def test_a_topic_that_grows_is_not_new_twice(layer: Layer) -> None:
    tomorrow, later = DAY + timedelta(days=1), DAY + timedelta(days=2)
    usual = [item for topic in ("parcel", "refund", "退货") for item in texts(topic, 60, tomorrow)]
    seen = [*first_day(), *usual, *texts("login", 20, tomorrow)]
    second = new_layer("requests", seen, tomorrow)
    assert second is not None
    third = [item for topic in ("parcel", "refund", "login") for item in texts(topic, 90, later)]
    known = {one.item_id: one.topic_id for one in placed([layer, second], [*seen, *third])}
    assert new_layer("requests", [*seen, *third], later) is not None  # by its growth alone it would be new
    assert new_layer("requests", [*seen, *third], later, known) is None


def test_a_text_nearest_to_a_group_that_is_not_new_is_not_placed_in_a_new_topic(layer: Layer) -> None:
    tomorrow = DAY + timedelta(days=1)
    usual = [item for topic in ("parcel", "refund", "退货") for item in texts(topic, 90, tomorrow)]
    later = new_layer("requests", [*first_day(), *usual, *texts("login", 30, tomorrow)], tomorrow)
    assert later is not None and later.others is not None and len(later.others)
    wide = replace(later, topics=tuple(replace(one, radius=2.0) for one in later.topics), members={})
    fresh = [item for topic in ("parcel", "refund", "退货") for item in texts(topic, 20, tomorrow, seed=7)]
    new = {one.topic_id for one in later.topics}
    assert not {one.topic_id for one in placed([layer, wide], fresh)} & new
    assert {one.topic_id for one in placed([layer, wide], texts("login", 20, tomorrow, seed=7))} <= new
    assert {one.topic_id for one in placed([layer, replace(wide, others=None)], fresh)} <= new  # by the radius alone


def test_where_no_earlier_text_is_left_the_new_topics_are_as_many_as_at_first() -> None:
    alone = new_layer("requests", first_day(), DAY)
    first = first_layer("requests", first_day())
    assert alone is not None and first is not None and len(first.topics) > 1
    assert alone.members == first.members and alone.since == DAY


@pytest.mark.parametrize("seed", range(3))
def test_a_day_like_the_one_before_has_no_new_topic(seed: int) -> None:
    tomorrow = DAY + timedelta(days=1)
    usual = [item for topic in ("parcel", "refund", "退货") for item in texts(topic, 40, tomorrow, seed)]
    assert new_layer("requests", [*first_day(), *usual], tomorrow) is None


@pytest.mark.parametrize(
    ("recent", "before", "all_recent", "all_before", "compared", "is_new"),
    [
        (50, 0, 1000, 1000, 1000, True),
        (50, 0, 1000, 0, 1000, True),  # nothing came before: all of it is new
        (14, 0, 1000, 1000, 1, False),  # too few to be a topic
        (50, 50, 1000, 1000, 1, False),
        (50, 20, 1000, 1000, 1, False),  # two and a half times as many
        (50, 400, 1000, 8000, 1, False),  # the same share of a longer time
        (15, 3, 1000, 1000, 1, False),  # five times as many, by chance
        (16, 0, 1000, 1000, 1, True),
        (16, 0, 1000, 1000, 1000, False),  # one of a thousand groups, by chance
    ],
)
def test_a_topic_is_new_beyond_chance(
    recent: int, before: int, all_recent: int, all_before: int, compared: int, is_new: bool
) -> None:
    assert found_beyond_chance(recent, before, all_recent, all_before, compared) is is_new


def test_a_sample_depends_on_ids_alone() -> None:
    items = first_day()
    assert sampled(items, 50) == sampled(reversed(items), 50) and len(sampled(items, 50)) == 50


@pytest.mark.parametrize("few", [[], ["one"], ["", ""], ["same words here"] * 3, [f"w{n}" for n in range(300)]])
def test_texts_that_share_nothing_have_no_topics(few: list[str]) -> None:
    items = [Item(f"{nth}", DAY, f"{nth}", text) for nth, text in enumerate(few)]
    found = first_layer("requests", items)
    assert found is None or all(one.radius >= -1e-6 for one in found.topics)


def test_no_space_where_nothing_is_shared() -> None:
    assert space_of([]) is None and space_of(["a", "b"]) is None
