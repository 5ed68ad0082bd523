"""Building a day: whole conversations of that day, once, when they are settled."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from cpa_core.pipeline import build_day, build_days, due_days, unbuilt_days
from cpa_core.pipeline.build import TOGETHER, Built
from tests.support.homes import NOW, Home, turn

DAY, NEXT = date(2026, 3, 4), date(2026, 3, 5)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def build(home: Home, day: date = DAY, now: datetime = NOW) -> Built:
    return build_day(home.assistant(now=lambda: now), day)


def messages(home: Home, day: date = DAY) -> list[tuple[str, int, str]]:
    rows = home.rows("select * from messages order by conversation_id, position")
    return [(row["conversation_id"], row["position"], row["content"]) for row in rows if row["day"] == day]


def due(home: Home) -> list[date]:
    """Days that were not built since they changed."""
    rows = home.rows("select day from days where generation is distinct from built_generation order by day")
    return [row["day"] for row in rows]


def test_a_day_holds_its_conversations_with_messages_numbered_from_0_in_order(home: Home) -> None:
    home.write(
        "a.json", {"c1": [turn("b", "2026-03-04T10:00:00Z"), turn("c", "2026-03-04T10:00:00Z")], "c2": [turn("x")]}
    )
    home.write("b.json", {"c1": [turn("a", "2026-03-04T09:00:00Z", "System")]})
    home.land()
    assert build(home) == Built(conversations=2, messages=4, waiting=0)
    assert messages(home) == [("c1", 0, "a"), ("c1", 1, "b"), ("c1", 2, "c"), ("c2", 0, "x")]
    (row,) = home.rows("select * from raw_conversations where conversation_id = 'c1'")
    assert (row["day"], row["message_count"], row["time_assumed"], row["user_id"]) == (DAY, 3, False, None)
    assert (row["started_at"].hour, row["ended_at"].hour) == (9, 10)


def test_user_and_metadata_of_a_conversation_are_kept(home: Home) -> None:
    home.write("a.json", '{"c1": {"user_id": 7, "channel": "web", "messages": [{"role": "user", "content": "x"}]}}')
    home.land(DAY)
    build(home)
    assert home.rows("select user_id, metadata->>'channel' as channel, time_assumed from raw_conversations") == [
        {"user_id": "7", "channel": "web", "time_assumed": True}
    ]


def test_a_conversation_over_midnight_stays_whole_on_its_first_day(home: Home) -> None:
    home.write("a.json", {"c1": [turn("late", "2026-03-04T23:59:59Z"), turn("early", "2026-03-05T00:00:01Z")]})
    home.land()
    assert build(home).messages == 2
    assert messages(home, NEXT) == [] and due(home) == []


def test_building_twice_changes_nothing(home: Home) -> None:
    home.write("a.json", {"c1": [turn("x")]})
    home.land()
    first = build(home), home.rows("select * from raw_conversations")
    assert (build(home), home.rows("select * from raw_conversations")) == first


def test_a_day_is_dirty_from_landing_to_building(home: Home) -> None:
    home.write("a.json", {"c1": [turn("x")], "c2": [turn("y", "2026-03-05T09:00:00Z")]})
    home.land()
    assert due(home) == [DAY, NEXT]
    assert [row["reason"] for row in due_days(home.assistant())] == ["landed", "landed"]
    build(home)
    assert due(home) == [NEXT]


def test_a_conversation_that_moved_leaves_its_old_day(home: Home) -> None:
    home.write("a.json", {"c1": [turn("second", "2026-03-05T00:10:00Z")]})
    home.land()
    build(home, NEXT)
    home.write("b.json", {"c1": [turn("first", "2026-03-04T23:50:00Z")]})
    home.land()
    assert due(home) == [DAY, NEXT]
    assert build(home, DAY).conversations == 1 and build(home, NEXT).conversations == 0
    assert messages(home, DAY) == [("c1", 0, "first"), ("c1", 1, "second")]
    assert messages(home, NEXT) == [] and due(home) == []


def test_a_message_that_vanished_from_its_file_vanishes_from_the_day(home: Home) -> None:
    home.write("a.json", {"c1": [turn("x"), turn("secret")], "c2": [turn("y")]})
    home.land()
    build(home)
    home.write("a.json", {"c1": [turn("x")]})
    home.land()
    build(home)
    assert messages(home) == [("c1", 0, "x")]
    assert len(home.rows("select * from raw_conversations")) == 1


def test_only_the_content_of_what_changed_gets_another_hash(home: Home) -> None:
    home.write("a.json", {"c1": [turn("x")], "c2": [turn("y")]})
    home.land()
    build(home)
    hashes = "select conversation_id, content_hash from raw_conversations order by conversation_id"
    before = home.rows(hashes)
    home.write("a.json", {"c1": [turn("x")], "c2": [turn("z")]})
    home.land()
    build(home)
    after = home.rows(hashes)
    assert before[0] == after[0] and before[1] != after[1]


def test_a_conversation_waits_until_it_was_quiet_for_long_enough(home: Home) -> None:
    home.environ["CPA_QUIET_MINUTES"] = "30"
    home.write("a.json", {"c1": [turn("x", "2026-03-04T09:00:00Z")], "c2": [turn("y", "2026-03-04T09:20:00Z")]})
    home.land()
    soon = datetime.fromisoformat("2026-03-04T09:40:00+00:00")
    assert build(home, now=soon) == Built(conversations=1, messages=1, waiting=1)
    assert due(home) == [DAY]
    assert home.rows("select reason from days") == [{"reason": "1 conversations not settled"}]
    assert build(home, now=soon + timedelta(minutes=10)) == Built(conversations=2, messages=2, waiting=0)
    assert due(home) == []


def test_without_a_quiet_time_nothing_waits_even_for_the_future(home: Home) -> None:
    home.write("a.json", {"c1": [turn("x", "2026-03-11T00:00:00Z")]})
    home.land()
    assert build(home, date(2026, 3, 11)).waiting == 0


def test_a_day_that_changed_has_to_be_delivered_again(home: Home) -> None:
    home.write("a.json", {"c1": [turn("x")]})
    home.land()
    build(home)
    with home.assistant().store.writing() as transaction:
        transaction.execute("update days set delivered_to = ['outbox']")
    build(home)
    assert home.rows("select delivered_to from days") == [{"delivered_to": ["outbox"]}]
    home.write("a.json", {"c1": [turn("z")]})
    home.land()
    build(home)
    assert home.rows("select delivered_to from days") == [{"delivered_to": []}]


def test_a_day_without_conversations_is_empty(home: Home) -> None:
    assert build(home, date(2020, 1, 1)) == Built(conversations=0, messages=0, waiting=0)


def test_building_waits_for_whoever_holds_the_day(home: Home) -> None:
    from threading import Thread

    home.write("a.json", {"c1": [turn("x")]})
    home.land()
    with home.assistant().store.day_lock(DAY):
        thread = Thread(target=build, args=(home,))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() and messages(home) == []
    thread.join(30)
    assert messages(home) == [("c1", 0, "x")]


def test_days_built_together_are_as_each_alone_up_to_one_that_another_run_holds(home: Home) -> None:
    days = [DAY + timedelta(days=n) for n in range(5)]
    home.write("a.json", {f"c{n}": [turn("x", f"{day}T10:00:00Z")] * (n + 1) for n, day in enumerate(days)})
    home.land()
    made = home.assistant()
    assert unbuilt_days(made) == due(home) == days
    with made.store.day_lock(days[3]):
        assert list(build_days(made, days)) == days[:3] and due(home) == unbuilt_days(made) == days[3:]
        assert list(build_days(made, days[1:])) == days[1:3]
    together = build_days(made, days)
    assert together == {day: build_day(made, day) for day in days} and unbuilt_days(made) == []
    assert [built.messages for built in together.values()] == [1, 2, 3, 4, 5]
    assert len(build_days(made, [DAY + timedelta(days=n) for n in range(3 * TOGETHER)])) == TOGETHER
