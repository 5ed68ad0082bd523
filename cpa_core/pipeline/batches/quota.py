"""A vendor's queue limit for a model, learnt from the batches that it refused because its queue was full.

No vendor reports the limit or the room left. So within a day of a refusal, one batch is at work at a time. It has half
the size of the smallest batch that was refused while no other was at work. Questions without room are `held`.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from cpa_core.llm import ModelName
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.batches.states import AT_VENDOR, BatchState, OpenBatch
from cpa_core.store.database import Row, Transaction

REMEMBERED = timedelta(days=1)
"""The time for which a refusal counts."""
MOST_SINGLE = 3
"""Refusals of single questions, with no other batch at work, after which one as long is asked at once."""


class Room(NamedTuple):
    """The room that a vendor has for a model now.

    `is_free`: no batch of it is at work. `one_by_one`: no second may be. Sizes are bytes of a file.
    """

    is_free: bool = True
    one_by_one: bool = False
    most_bytes: float = math.inf
    too_long: float = math.inf


def room(assistant: Assistant, model: ModelName) -> Room:
    """Return the room that a vendor has for a model now."""
    names = {"provider": model.provider, "model": model.model}
    with assistant.store.reading() as view:
        since = assistant.now() - REMEMBERED
        found = view.answer(
            "batches/batch_quota", since=since, tries=MOST_SINGLE, at_vendor=sorted(AT_VENDOR), **names
        )[0]
    return Room(
        is_free=not found["at_work"],
        one_by_one=found["refused"] > 0,
        most_bytes=math.inf if found["smallest"] is None else found["smallest"] / 2,
        too_long=math.inf if found["single"] is None else found["single"],
    )


def hold(transaction: Transaction, row: Row, key: str, conversations: Mapping[str, str]) -> None:
    """Keep the questions of a stage, as `row` names it, until there is room: hashes to conversations."""
    names = ("task", "day", "provider", "model", "retag", "submitted_at")
    held = {"batch_key": f"{key}-held", "state": "held", **{name: row[name] for name in names}}
    questions = {"request_hashes": list(conversations), "conversation_ids": list(conversations.values())}
    transaction.insert("batches", [held | questions])


def let_go(transaction: Transaction, task: str, day: date) -> None:
    """Delete the questions that a stage held: its next run finds the open ones itself."""
    transaction.answer("batches/delete_held", task=task, day=day)


def ready_days(rows: Sequence[OpenBatch], days: Sequence[date], busy: Collection[BatchState] = AT_VENDOR) -> list[date]:
    """Return the days that can continue: none of their open batches is in one of the `busy` states.

    Of several days that hold questions to one model, only the first can continue, and only if nothing of the model is
    at work.
    """
    taken = {(row.provider, row.model) for row in rows if row.state in AT_VENDOR}
    ready = []
    for day in sorted(days):
        own = [row for row in rows if row.day == day]
        held = {(row.provider, row.model) for row in own if row.state == "held"}
        if any(row.state in busy for row in own) or (held and held <= taken):
            continue
        taken |= held
        ready.append(day)
    return ready
