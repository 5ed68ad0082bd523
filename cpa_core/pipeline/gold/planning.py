"""The planner: how many labels bring a rate within a width, by each way of drawing."""

from collections import defaultdict
from collections.abc import Sequence
from math import ceil

from cpa_core import insights
from cpa_core.errors import InputError, NotFound
from cpa_core.gold.correcting import GoldUnit
from cpa_core.gold.people import unit_of
from cpa_core.gold.planning import (
    CONVERSATION_SECONDS,
    HALF_HOUR,
    MESSAGE_SECONDS,
    LabelCost,
    least_conversations,
    spread_by_doubt,
    spread_of_conversations,
)
from cpa_core.gold.quality import gold_units
from cpa_core.gold.reviews import TEACHING
from cpa_core.insights import Selection
from cpa_core.models import EventType, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.draws import WantedDraw, beliefs_of, label_of
from cpa_core.pipeline.gold.ledger import merge_gold
from cpa_core.pipeline.schema.current import current_schema
from cpa_core.store.database import Row


class PlannedWay(Value):
    """One way of drawing: labels done, labels needed for the wanted width (null: unreachable), minutes for the rest.

    Conversations are counted with the fifth of them that teaches.

    `now` and `after_half_an_hour` are half widths as shares; null if there is no correction yet. `reachable` is the
    half width once all `of` items are read; null without a limit (`of` is 0), or if all are too few for a correction.
    """

    way: str
    unit: str
    done: int
    needed: int | None
    minutes: float | None
    now: float | None
    after_half_an_hour: float | None
    of: int = 0
    reachable: float | None = None


class Planned(Value):
    """A plan for one label. `is_assumed`: nobody has labelled enough, so that the tagger's quality is assumed."""

    label: str
    within: float
    is_assumed: bool
    ways: tuple[PlannedWay, ...]

    @property
    def best(self) -> str:
        """The way that is worth the next half hour: with the narrowest interval after it."""
        known = [(one.after_half_an_hour, one.way) for one in self.ways if one.after_half_an_hour is not None]
        return min(known)[1] if known else "random"


class NextWidth(Value):
    """The effect of reading random conversations on a label's share of messages, in half widths as shares.

    `now` is null if the labels are too few for a correction. `within` is the next width. `more` are the conversations
    that reach it, including those that teach (null: not even all of them), in about `minutes`.
    """

    now: float | None
    within: float
    more: int | None
    minutes: float | None


WIDTHS = (0.1, 0.075, 0.05, 0.04, 0.03, 0.02, 0.015, 0.01, 0.0075, 0.005, 0.0025, 0.001)
"""Half widths that people aim for, one after the other."""
NARROWER = 0.8
"""The next width is at most this share of the present one."""


def next_width(of: Selection, kind: EventType) -> NextWidth | None:
    """Return the effect of reading more random conversations on a label; null if none of its role is tagged."""
    rows = of.view.answer("gold/planned", role=kind.role, event_type=kind.name)
    if not rows or not sum(row["messages"] for row in rows):
        return None
    (seconds,) = of.view.answer("gold/seconds")
    cost = _randomly(rows, gold_units(of, kind), seconds["conversation"])
    now = cost.half_width(cost.done) if cost.done >= cost.least else None
    first = cost.half_width(cost.least) or WIDTHS[0]  # a small home has fewer than a correction needs
    within = next((one for one in WIDTHS if one <= NARROWER * now), WIDTHS[-1]) if now else first
    way = with_teaching(_way("random", "conversations", cost, within), len(rows), cost.seconds)
    more = None if way.needed is None else max(0, way.needed - way.done)
    return NextWidth(now=now, within=within, more=more, minutes=way.minutes)


def plan_gold(assistant: Assistant, label: str, within: float) -> Planned:
    """Return the conversations at random, or messages by doubt, that bring the label's share within ± `within`.

    `within` is a share, 0 to 1. Raises InputError, NotFound without a tagged conversation.
    """
    if not 0 < within < 1:
        raise InputError(f"--within {100 * within:g}: a half width in points, more than 0 and less than 100")
    schema, _ = current_schema(assistant)
    kind = label_of(label, schema)
    merge_gold(assistant)
    whole = insights.whole(assistant.store)
    if whole is None:
        raise NotFound(f"{assistant.settings.home}: no conversation yet; cpa run SOURCE --schema FILE")
    with insights.selected(assistant.store, whole) as of:
        rows = of.view.answer("gold/planned", role=kind.role, event_type=kind.name)
        units, done = gold_units(of, kind)
        (seconds,) = of.view.answer("gold/seconds")
        read = of.view.answer("gold/read_by_doubt", key=kind.key)
    if not rows:
        raise NotFound(f"{assistant.settings.home}: no tagged conversation yet")
    randomly = _randomly(rows, (units, done), seconds["conversation"])
    doubtfully = _doubtfully(assistant, kind, seconds["message"], read[0]["messages"])
    at_random = with_teaching(_way("random", "conversations", randomly, within), len(rows), randomly.seconds)
    ways = (at_random, _way("doubt", "messages", doubtfully, within))
    return Planned(label=kind.name, within=within, is_assumed=randomly.done < randomly.least, ways=ways)


def _randomly(rows: Sequence[Row], gold: tuple[Sequence[GoldUnit], int], seconds: float | None) -> LabelCost:
    units, done = gold
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        counts[unit_of(row)][0] += row["tagged"]
        counts[unit_of(row)][1] += row["messages"]
    tagged = [GoldUnit(0, 0, events, messages) for events, messages in counts.values()]
    share = sum(row["tagged"] for row in rows) / sum(row["messages"] for row in rows)
    each = sum(row["tagged"] for row in rows) / len(rows)
    return LabelCost(
        spread=spread_of_conversations(units, done, tagged, share),
        of=len(rows),
        done=done,
        seconds=seconds or CONVERSATION_SECONDS,
        least=least_conversations(each),
    )


def _doubtfully(assistant: Assistant, kind: EventType, seconds: float | None, done: int) -> LabelCost:
    believed = [one for _, _, one in beliefs_of(assistant, WantedDraw(way="doubt", size=1), kind)]
    return LabelCost(spread=spread_by_doubt(believed), of=0, done=done, seconds=seconds or MESSAGE_SECONDS, least=30)


def with_teaching(way: PlannedWay, conversations: int, seconds: float) -> PlannedWay:
    """A way by conversations with those that teach: they are drawn and read too, but do not measure."""
    if way.needed is None:
        return way
    needed = ceil(way.needed * TEACHING / (TEACHING - 1))
    if needed > conversations:
        return way.model_copy(update={"needed": None, "minutes": None})
    done = round(way.done * TEACHING / (TEACHING - 1))
    minutes = max(0, needed - done) * seconds / 60
    return way.model_copy(update={"needed": needed, "done": done, "minutes": minutes})


def _way(way: str, unit: str, cost: LabelCost, within: float) -> PlannedWay:
    needed = cost.needed(within)
    measuring = cost.of * (TEACHING - 1) // TEACHING
    return PlannedWay(
        way=way,
        unit=unit,
        done=cost.done,
        needed=needed,
        minutes=None if needed is None else max(0, needed - cost.done) * cost.seconds / 60,
        now=cost.half_width(cost.done) if cost.done >= cost.least else None,
        after_half_an_hour=cost.after(HALF_HOUR),
        of=cost.of,
        reachable=cost.half_width(measuring) if measuring >= cost.least else None,
    )
