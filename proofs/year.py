"""A home after a simulated year: `python -m proofs.year` (365 days of 100 conversations; a quarter of an hour of processor).

Each night is a run of its own, as the schedule starts it: it lands the day's file, labels it and delivers it to the
outbox. The model's answers are computed in this process, so that the year takes minutes. The last nights are runs of
Dagster, whose event log is measured and counted for 365. Then: what `cpa doctor` says of the home, also with the limits
that this home has passed, and what `cpa compact` gives back, killed in the middle and run again.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from cpa_core.llm import ModelName, Reply, Request, Usage
from cpa_core.pipeline import Assistant, due_days, land, run_day
from cpa_core.settings import Settings, settings
from tests.servers.brain import Question, answer, tokens

START = date(2025, 1, 1)
DAYS = 365
PER_DAY = 100
TURNS = 8
WORDS = {"user": 18, "assistant": 55}
"""Words of a message, by role."""
VOCABULARY = (
    "order refund parcel account password invoice address card payment delivery courier warehouse label box return "
    "exchange size colour voucher discount balance statement subscription renewal trial upgrade device charger screen "
    "battery update setting page button error code screenshot manager colleague morning weekend holiday deadline please "
    "thanks sorry again never always still already perhaps because although before after until where which would could"
).split()


class Answering:
    """A model that answers in this process, from the words of the prompt."""

    def call(self, request: Request) -> Reply:
        """Its answer, with about the tokens that it would take."""
        text = answer(Question(request.system, request.user, request.json_schema))
        usage = Usage(prompt_tokens=tokens(request.system + request.user), completion_tokens=tokens(text))
        return Reply(outcome="ok", text=text, usage=usage)


def answering(model: ModelName) -> Answering:
    """The model, whatever its name."""
    return Answering()


def chats(day: date, count: int) -> dict[str, Any]:
    """The conversations of a day, all different; a user comes back now and then."""
    drawn = random.Random(day.toordinal())
    found: dict[str, Any] = {}
    for n in range(count):
        began = datetime(day.year, day.month, day.day, 6) + timedelta(seconds=drawn.randrange(60_000))
        roles = [("user", "assistant")[turn % 2] for turn in range(TURNS)]
        messages = [
            {
                "role": role,
                "content": " ".join(drawn.choices(VOCABULARY, k=WORDS[role])).capitalize() + ".",
                "timestamp": (began + timedelta(seconds=20 * turn)).isoformat() + "Z",
            }
            for turn, role in enumerate(roles)
        ]
        found[f"{day:%Y%m%d}-{n:03}"] = {"user_id": f"u{drawn.randrange(3_000)}", "messages": messages}
    return found


def night(given: Settings, day: date, count: int) -> Assistant:
    """A day's file arrives, and a run lands, labels and delivers it."""
    write_day(given, day, count)
    assistant = at_night(given)
    land(assistant)
    for row in due_days(assistant):
        run_day(assistant, row["day"])
    return assistant


def write_day(given: Settings, day: date, count: int) -> None:
    """The file that a product leaves behind each day."""
    path = Path(str(given.source)) / f"{day}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(chats(day, count)), "utf-8")


def at_night(given: Settings) -> Assistant:
    """The assistant of one run."""
    made = Assistant.of(given)
    return Assistant(settings=made.settings, store=made.store, provider=answering)
