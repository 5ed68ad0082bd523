"""Drift: a new topic trips the check, usual days do not; by simulation, and once through the store."""

from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from cpa_core.insights.drift import LEAST_DAYS, Share, interval, measured
from cpa_core.pipeline.schema.drift import LOOKED_BACK, drift, measures_of
from tests.support.commands import cpa
from tests.support.fakes import SCHEMA
from tests.support.homes import Home

FIRST = date(2026, 1, 5)
CONVERSATIONS = 200
"""A day; each has two to six messages of the user."""
TYPES = [0.30, 0.22, 0.15, 0.10, 0.08, 0.05, 0.04, 0.03, 0.02, 0.01]
"""How often each of ten types happens in a message on a usual day."""
UNCOVERED = 0.10
BETWEEN_DAYS, BETWEEN_CONVERSATIONS = 0.002, 0.05
"""Correlations: messages of a day, and more so those of a conversation, are alike."""
NO_EVENT = "no event, user"


def around(random: Random, rate: float, correlation: float) -> float:
    """A share that varies about a rate."""
    weight = (1 - correlation) / correlation
    return random.betavariate(rate * weight, (1 - rate) * weight)


def shares(random: Random, days: int, injected: float = 0.0) -> dict[str, list[Share]]:
    """Usual days; on the last, a new topic has a part of the conversations, nine in ten messages without event."""
    sizes = [[random.randint(2, 6) for _ in range(CONVERSATIONS)] for _ in range(days)]
    found: dict[str, list[Share]] = {}
    for n, rate in enumerate([UNCOVERED, *TYPES]):
        for day, lengths in enumerate(sizes):
            of_day = around(random, rate, BETWEEN_DAYS)
            new = round(injected * CONVERSATIONS) if day == days - 1 else 0
            hits = 0
            for nth, length in enumerate(lengths):
                own = (0.02 if n else 0.9) if nth < new else around(random, of_day, BETWEEN_CONVERSATIONS)
                hits += sum(random.random() < own for _ in range(length))
            share = Share(day=FIRST + timedelta(days=day), hits=hits, trials=sum(lengths))
            found.setdefault(f"type {n}" if n else NO_EVENT, []).append(share)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_usual_days_give_at_most_two_false_alarms_in_thirty(seed: int) -> None:
    found = shares(Random(seed), 58)
    days = [FIRST + timedelta(days=n) for n in range(28, 58)]
    alarms = [day for day in days if any(one.is_out for one in measured(found, day, [NO_EVENT]))]
    assert len(alarms) <= 2


@pytest.mark.slow
def test_a_new_topic_of_fifteen_percent_trips_the_check_every_time() -> None:
    for seed in range(4):
        found = measured(shares(Random(100 + seed), 29, injected=0.15), FIRST + timedelta(days=28), [NO_EVENT])
        assert NO_EVENT in [one.name for one in found if one.is_out], seed


def test_too_little_history_or_too_few_messages_say_nothing() -> None:
    young = shares(Random(1), LEAST_DAYS, injected=0.5)
    assert not any(one.is_out for one in measured(young, FIRST + timedelta(days=LEAST_DAYS - 1)))
    few = [Share(day=FIRST + timedelta(days=n), hits=0, trials=1000) for n in range(20)]
    few.append(Share(day=FIRST + timedelta(days=20), hits=29, trials=29))
    (one,) = measured({"a": few}, FIRST + timedelta(days=20))
    assert (one.usual, one.low, one.high, one.is_out) == (None, None, None, False)


def test_the_interval_is_that_of_a_binomial_where_days_are_alike() -> None:
    """Exact quantiles of the binomial with 200 trials and a share of 0.1, 0.5 % on either side."""
    assert interval(0.1, 1e-9, 200, 0.01) == (10, 32)
    low, high = interval(0.1, 0.02, 200, 0.01)
    assert low < 10 and high > 32


@pytest.mark.slow
def test_a_day_in_the_store_is_measured_against_days_of_its_own_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    random = Random(5)
    days = [FIRST + timedelta(days=n) for n in range(12)]
    with home.assistant().store.writing() as transaction:
        transaction.insert("days", [{"day": day, "generation": 1, "built_generation": 1} for day in days])
        for n, day in enumerate(days):
            version = "old" if n == 0 else SCHEMA.version
            made = [_talk(day, i, random.random() < (0.5 if n == 11 else 0.1), version) for i in range(60)]
            for table in ("messages", "tagged_conversations", "tagged_events"):
                transaction.insert(table, [row for talk in made for row in talk[table]])
    assistant = home.assistant()
    (found,) = [one for one in drift(assistant, days) if one.measured.name == NO_EVENT]
    assert found.measured.day == days[-1]
    assert len(found.examples) == 5 and set(found.examples) <= {f"{days[-1]}-{i}" for i in range(60)}
    assert cpa(home, "status") == 0
    out = capsys.readouterr().out
    assert f"drift: {days[-1]}: no event, user: " in out and "--from-uncovered" in out
    usual = {one.name: one.usual for one in measures_of(assistant.store, days[-1])}
    assert usual["user Question"] == pytest.approx(0.9, abs=0.05) and usual["not applicable"] is not None
    assert all(one.usual is None for one in measures_of(assistant.store, days[7])), (
        "six days of this version are too few"
    )
    with home.assistant().store.writing() as transaction:
        transaction.execute("update tagged_events set event_type = 'Rare' where day = $day", day=days[1])
        later = [day + LOOKED_BACK for day in days]
        for day in later:
            made = [_talk(day, i, random.random() < 0.1, SCHEMA.version) for i in range(60)]
            for table in ("messages", "tagged_conversations", "tagged_events"):
                transaction.insert(table, [row for talk in made for row in talk[table]])
    alone = [one for day in [*days, *later] for one in drift(assistant, [day])]
    assert drift(assistant, [*days, *later]) == alone and alone
    names = {day: {one.name for one in measures_of(assistant.store, day)} for day in later}
    assert "user Rare" in names[later[1]] and "user Rare" not in names[later[2]], "as long as it is looked back"


def _talk(day: date, number: int, is_new: bool, version: str) -> dict[str, list[dict[str, object]]]:
    one = {"day": day, "conversation_id": f"{day}-{number}"}
    event = {**one, "event_id": f"e{day}{number}", "message_id": "m", "position": 0, "role": "user"}
    event |= {"event_type": "Question", "properties": '{"Topic": "Tax", "Subject": "not applicable"}'}
    return {
        "messages": [{**one, "message_id": "m", "position": 0, "role": "user", "content": "x"}],
        "tagged_conversations": [{**one, "schema_version": version, "outcome": "ok", "content_hash": "h"}],
        "tagged_events": [] if is_new else [{**event, "schema_version": version}],
    }
