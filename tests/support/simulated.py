"""Simulated conversations with a known truth, written into the real tables: one event, one path, and nothing else."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from cpa_core.insights import Kind
from cpa_core.store import Store

FIRST = date(2026, 1, 1)
STEPS = 60
TABLES = ("raw_conversations", "tagged_conversations", "tagged_events", "judge_scores")

USER = ["Planted Event", *(f"User Event {n}" for n in range(1, 11))]
ASSISTANT = [f"Assistant Event {n}" for n in range(1, 11)]
PLANTED_EVENT = Kind("user", "Planted Event")
PLANTED_PATH = (Kind("assistant", "Assistant Event 2"), Kind("user", "User Event 2"))


@dataclass(frozen=True)
class Truth:
    """What is put in: how much more often conversations fail with the event, and how much more often they end
    after the path. Everything else does nothing; long conversations may fail more often, whatever happens in them."""

    failure: float = 0.2
    more_failure: float = 0.15
    end: float = 0.12
    more_end: float = 0.2
    more_failure_a_message: float = 0.0


@dataclass(frozen=True)
class Crowd:
    """Who talks: so many users, each with tastes of their own in events, in failing and in ending (standard deviations
    of the logit), independent of each other. Where some are heavy, they talk by a Pareto law of 1.5."""

    users: int
    is_heavy: bool = False
    taste: float = 1.0
    failing: float = 1.0
    ending: float = 0.3


@dataclass(frozen=True)
class Drawn:
    """Conversations before they are rows: kinds by conversation and step, where they happened, and how it ended."""

    kinds: Any
    happened: Any
    is_bad: Any
    users: Any


def simulate(
    store: Store,
    seed: int,
    conversations: int = 5_000,
    truth: Truth | None = None,
    days: int = 30,
    crowd: Crowd | None = None,
) -> None:
    """Replace what the store holds by conversations of alternating events, one a message."""
    chance = np.random.default_rng(seed)
    drawn = draw(chance, conversations, truth or Truth(), crowd)
    scores = np.where(drawn.is_bad, chance.uniform(0, 49.9, conversations), chance.uniform(50, 100, conversations))
    write(store, drawn.kinds, drawn.happened, scores, chance.integers(0, days, conversations), drawn.users)


def draw(chance: np.random.Generator, conversations: int, truth: Truth, crowd: Crowd | None = None) -> Drawn:
    """The conversations; without a crowd each is of a user of its own, and all users are alike."""
    if crowd is None:
        crowd, users = Crowd(conversations, taste=0, failing=0, ending=0), np.arange(conversations)
    else:
        weights = chance.pareto(1.5, crowd.users) + 0.2 if crowd.is_heavy else np.ones(crowd.users)
        users = chance.choice(crowd.users, p=weights / weights.sum(), size=conversations)
        users = np.arange(conversations) if crowd.users >= conversations else users
    count = max(crowd.users, conversations)
    failing = _about(truth.failure, crowd.failing, chance, count).clip(max=0.85)[users]
    ending = _about(truth.end, crowd.ending, chance, count).clip(max=0.8)[users]
    user = _chosen(len(USER), crowd.taste, chance, users, count)
    assistant = _chosen(len(ASSISTANT), crowd.taste, chance, users, count)
    kinds = np.empty((conversations, STEPS), dtype=np.int64)
    kinds[:, 0::2], kinds[:, 1::2] = user, assistant + len(USER)
    on_path = np.zeros_like(kinds, dtype=bool)
    on_path[:, 1:] = (kinds[:, :-1] == len(USER) + 1) & (kinds[:, 1:] == 2)
    ends = chance.random(kinds.shape) < ending[:, None] + truth.more_end * on_path
    ends[:, -1] = True
    lengths = ends.argmax(axis=1) + 1
    happened = np.arange(STEPS) < lengths[:, None]
    planted = ((kinds == 0) & happened).any(axis=1)
    more = truth.more_failure * planted + truth.more_failure_a_message * lengths
    return Drawn(kinds, happened, chance.random(conversations) < failing + more, users)


def _about(share: float, deviation: float, chance: np.random.Generator, count: int) -> Any:
    """Shares of so many users about one, normal on the logit."""
    return 1 / (1 + np.exp(-np.log(share / (1 - share)) - deviation * chance.standard_normal(count)))


def _chosen(kinds: int, taste: float, chance: np.random.Generator, users: Any, count: int) -> Any:
    """A kind of event for each conversation and step, by its user's tastes."""
    weights = _weights(kinds) * np.exp(taste * chance.standard_normal((count, kinds)))
    bounds = (weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1)[users][:, None, :-1]
    return (chance.random((len(users), STEPS // 2))[:, :, None] > bounds).sum(axis=2)


def _weights(count: int) -> Any:
    weights = np.linspace(2, 1, count)
    weights[0] = weights[1]
    return weights / weights.sum()


def write(store: Store, kinds: Any, happened: Any, scores: Any, day_numbers: Any, users: Any) -> None:
    """The conversations as rows: `kinds` by conversation and step, where `happened`."""
    count = len(scores)
    names = pa.array([*USER, *ASSISTANT])
    ids = pa.array([f"c{n:06}" for n in range(count)])
    start = np.datetime64(FIRST) + day_numbers.astype("timedelta64[D]")
    started = start.astype("datetime64[us]") + np.timedelta64(9, "h")
    steps = happened.sum(axis=1)
    day = pa.array(start.astype("datetime64[D]"))
    whole = {"day": day, "conversation_id": ids, "content_hash": ids}
    by, step = np.nonzero(happened)
    kind = kinds[happened]
    roles = pa.array(["user", "assistant"]).take(pa.array((kind >= len(USER)).astype(np.int64)))
    rows: dict[str, dict[str, Any]] = {
        "raw_conversations": whole
        | {
            "user_id": pa.array(users).cast(pa.string()),
            "started_at": _utc(started),
            "ended_at": _utc(started + np.timedelta64(60, "s") * steps),
            "message_count": pa.array(steps),
            "time_assumed": pa.array(np.zeros(count, dtype=bool)),
        },
        "tagged_conversations": whole | {"outcome": _all("ok", count)},
        "judge_scores": whole
        | {
            "outcome": _all("ok", count),
            "score": pa.array(scores),
            "verdicts": _all("{}", count),
            "dealbreakers": _all("{}", count),
        },
        "tagged_events": {
            "day": day.take(pa.array(by)),
            "conversation_id": ids.take(pa.array(by)),
            "event_id": pa.array(np.arange(len(by))).cast(pa.string()),
            "position": pa.array(step),
            "role": roles,
            "event_type": names.take(pa.array(kind)),
            "properties": _all("{}", len(by)),
            "schema_version": _all("v1", len(by)),
        },
    }
    with store.writing() as transaction:
        for table in TABLES:
            transaction.execute(f"delete from {table}")
            transaction.insert_columns(table, rows[table])


def _utc(moments: Any) -> pa.Array:
    return pa.array(moments).cast(pa.timestamp("us", tz="UTC"))


def _all(value: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)
