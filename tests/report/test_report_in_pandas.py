"""Every figure in the report's page, computed a second time in pandas from the raw tables."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from cpa_core import insights
from cpa_core.insights import Kind, Selection, selected, whole
from cpa_core.pipeline import Assistant, DayRange, write_report
from cpa_core.settings import settings
from tests.insights.test_insights_in_pandas import ZONE, choices
from tests.report.test_report import data
from tests.support.awkward import fill
from tests.support.frames import Frames, newcombe

pytestmark = pytest.mark.slow

CHANGE = date(2026, 3, 20)
Ids = set[str]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    made = Assistant.of(settings({"CPA_HOME": str(tmp_path_factory.mktemp("awkward")), "CPA_TIMEZONE": ZONE}))
    fill(made.store)
    return Assistant(made.settings, made.store, now=lambda: datetime(2026, 4, 10, tzinfo=UTC))


@pytest.fixture(scope="module")
def page(assistant: Assistant) -> str:
    return write_report(assistant, DayRange(changes=((CHANGE, "new prompt"),))).path.read_text("utf-8")


@pytest.fixture(scope="module")
def tree(page: str) -> dict[str, Any]:
    return data(page)


@pytest.fixture(scope="module")
def frames(assistant: Assistant) -> Frames:
    return Frames(assistant.store)


def of_store(assistant: Assistant) -> Any:
    scope = whole(assistant.store)
    assert scope
    return selected(assistant.store, scope)


def close(found: Any, wanted: Any) -> None:
    """Equal, to the six digits that are in the page."""
    if hasattr(wanted, "__dataclass_fields__"):
        wanted = asdict(wanted)
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name in wanted:
            close(found[name], wanted[name])
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=2e-6)
    else:
        assert found == (wanted.isoformat() if isinstance(wanted, date) else wanted)


ASKED: dict[str, Callable[[Selection], Any]] = {
    "overview": insights.overview,
    "events": insights.events,
    "properties": insights.properties,
    "issues": insights.issues,
    "endings": lambda of: insights.endings(of, 8),
    "drop_offs": lambda of: [one for one in insights.drop_offs(of) if one.is_finding] or insights.drop_offs(of)[:8],
    "turns": insights.turns,
    "hours": insights.hours,
    "lengths": insights.lengths,
    "scores": insights.scores,
    "criteria": insights.criteria,
    "dealbreakers": insights.dealbreakers,
    "effects": insights.low_score_events,
    "returns": insights.returns,
    "versions": insights.versions,
    "costs": insights.costs,
    "failures": insights.failures,
    "intents": insights.intent_outcomes,
}
"""What of the page is an answer of the insights as it is; `test_insights_in_pandas.py` computes each of them."""


def test_every_answer_in_the_page_is_the_insights_own(assistant: Assistant, tree: dict[str, Any]) -> None:
    own = {"scope", "compared", "declared", "unit", "stretches", "friction", "cost", "trust"}
    own |= {"topics", "topic_groups", "kept_days"}
    assert set(tree["figures"]) == set(ASKED) | own
    assert [tree["figures"][name] for name in ("topics", "topic_groups", "kept_days")] == [[], [], 0]
    with of_store(assistant) as of:
        for name, ask in ASKED.items():
            close(tree["figures"][name], ask(of))


def test_each_stretch_of_time(tree: dict[str, Any], frames: Frames) -> None:
    by_day = {key: rows for (key,), rows in frames.all.groupby(["day"])}
    assert [one["bucket"] for one in tree["figures"]["stretches"]] == [day.isoformat() for day in sorted(by_day)]
    for one in tree["figures"]["stretches"]:
        rows = by_day[date.fromisoformat(one["bucket"])]
        assert (one["conversations"], one["messages"]) == (len(rows), rows.message_count.sum())
        assert one["users"] == rows.user_id.nunique()
        close(one["score"], frames.mean(rows.score, rows, 100, frames.basis()))
        close(one["bad"], frames.bad_of(rows.conversation_id))


def test_before_and_after_the_change_and_the_two_halves(tree: dict[str, Any], frames: Frames) -> None:
    (declared,) = tree["figures"]["declared"]
    halves = tree["figures"]["compared"]
    for found in (declared, halves):
        spans = [[date.fromisoformat(found[side][edge]) for edge in ("first", "last")] for side in ("before", "after")]
        sides = [frames.all[frames.all.day.between(*span)] for span in spans]
        assert [found["old"]["conversations"], found["new"]["conversations"]] == [len(side) for side in sides]
        by_figure = {change["figure"]: change for change in found["changes"] if change["figure"] != "event"}
        rates = [frames.bad_of(side.conversation_id, frames.basis(side)) for side in sides]
        close([by_figure["bad"]["before"], by_figure["bad"]["after"]], rates)
        close(by_figure["bad"]["difference"], newcombe(rates[1], rates[0]))
        scores = [frames.mean(side.score, side, 100) for side in sides]
        close([by_figure["score"]["before"], by_figure["score"]["after"]], scores)
        for change in found["changes"]:
            if change["figure"] == "event":
                has = frames.events[frames.events.kind == Kind(**change["kind"])].conversation_id
                wanted = [
                    frames.rate(has, side[side.tag == "ok"].conversation_id, frames.basis(side)) for side in sides
                ]
                close([change["before"], change["after"]], wanted)
    assert declared["label"] == "new prompt" and declared["after"]["first"] == CHANGE.isoformat()
    assert [halves[side]["first"] for side in ("before", "after")] == ["2026-03-01", "2026-03-21"]


def test_the_charts(tree: dict[str, Any], frames: Frames) -> None:
    charts = tree["charts"]
    for role in ("user", "assistant"):
        bars = charts[f"mix-{role}"]["layer"][0]["data"]["values"]
        own = frames.events[frames.events.role == role]
        wanted = own.groupby(["day", "event_type"]).size()
        assert {(bar["bucket"], bar["kind"]): bar["value"] for bar in bars} == {
            (f"{day.day} {day:%b}", name): count for (day, name), count in wanted.items()
        }
    markers = charts["mix-user"]["layer"][1]["data"]["values"]
    assert {marker["bucket"] for marker in markers if marker["label"] == "new prompt"} == {"20 Mar"}
    counts = frames.all.score.dropna().floordiv(10).clip(upper=9).value_counts()
    assert [bar["value"] for bar in charts["scores"]["data"]["values"]] == [counts.get(n, 0) for n in range(10)]
    points = charts["score-trend"]["data"]["values"]
    close([point["value"] for point in points], list(frames.all.dropna(subset="score").groupby("day").score.mean()))
    lines = [[None, *kinds, None] for _, kinds in frames.events.groupby("conversation_id").kind]
    pairs = pd.Series([pair for line in lines for pair in pairwise(line)]).value_counts()
    totals: dict[Any, int] = {}
    for (first, _), count in pairs.items():
        totals[first] = totals.get(first, 0) + count
    names = {(None if a is None else a.event_type, None if b is None else b.event_type): (a, b) for a, b in pairs.index}
    for cell in charts["transitions"]["data"]["values"]:
        first, then = names[None if cell["y"] == "(begin)" else cell["y"], None if cell["x"] == "(end)" else cell["x"]]
        close(cell["weight"], pairs[(first, then)] / totals[first])


def test_the_flow(tree: dict[str, Any], frames: Frames) -> None:
    points = tree["charts"]["flow"]["layer"][0]["data"]["values"]
    found = {point["drill"]: int(point["said"].replace(",", "")) for point in points}
    wanted: dict[str, int] = {}
    for key, part in frames.events.groupby("conversation_id"):
        steps = list(part.groupby("position").event_type.last())
        end = "ends unscored" if key not in frames.scored else "ends badly" if key in frames.bad else "ends between"
        end = "ends well" if key in frames.good else end
        for n, (name, then) in enumerate(pairwise([*steps, end])):
            if n < 6:
                link = f"flow:{n}:{name}:{'goes on' if n == 5 and then != end else then}"
                wanted[link] = wanted.get(link, 0) + 1
    assert found == wanted


def test_every_drill_down_counts_the_conversations_that_its_number_is_about(
    assistant: Assistant, tree: dict[str, Any], frames: Frames
) -> None:
    with of_store(assistant) as of:
        behind = Behind(frames, of)
    checked = 0
    for key, drill in tree["drills"].items():
        prefix, _, rest = key.partition(":")
        if prefix not in behind.families:
            assert prefix == "flow", key
            continue
        ids = behind.families[prefix](rest)
        assert drill["total"] == len(ids), key
        assert {tree["conversations"][n]["id"] for n in drill["examples"]} <= ids, key
        checked += 1
    assert checked > 500


class Behind:
    """The conversations behind each key, as sets."""

    def __init__(self, frames: Frames, of: Selection) -> None:
        self.frames, self.kinds, self.friction = frames, of.kinds, insights.low_score_events(of)
        self.path = frames.events.groupby("conversation_id").kind.agg(list)
        everyone = set(frames.all.conversation_id)
        plain: dict[str, Ids] = {
            "all": everyone,
            "scored": frames.scored,
            "good": frames.good,
            "bad": frames.bad,
            "with-user": set(frames.all[frames.all.user_id.notna()].conversation_id),
            "dealbreaker": self.judged(lambda _, found: any(v["hit"] for v in found["dealbreakers"].values())),
            "first-bad": self.first(bad=True),
            "first-other": self.first(bad=False),
        }
        self.families: dict[str, Callable[[str], Ids]] = {name: (lambda _, ids=ids: ids) for name, ids in plain.items()}
        self.families |= {
            "event": self.event,
            "scored-event": lambda rest: self.event(rest) & frames.scored,
            "bad-event": lambda rest: self.event(rest) & frames.bad,
            "mix": lambda rest: self.event(rest.split(":")[1]) & self.day(rest.split(":")[0]),
            "on": self.day,
            "scored-on": lambda rest: self.day(rest) & frames.scored,
            "pair": self.pair,
            "ending": self.ending,
            "bad-ending": lambda rest: self.ending(rest) & frames.bad,
            "good-ending": lambda rest: self.ending(rest) & frames.good,
            "ended": lambda rest: self.ended([self.kinds[int(n)] for n in rest.split(":")]),
            "score": lambda rest: self.rows(frames.all.score.floordiv(10).clip(upper=9) * 10 == int(rest)),
            "length": self.length,
            "turn": self.turn,
            "bad-turn": lambda rest: self.turn(rest) & frames.bad,
            "hour": self.hour,
            "bad-hour": lambda rest: self.hour(rest) & frames.bad,
            "bad-length": lambda rest: self.length(rest) & frames.bad,
            "friction": self.friction_at,
            "judged": self.verdict,
            "delivered": lambda rest: set(frames.judged[frames.judged.intent_delivered == rest].conversation_id),
            "property": self.property,
            "cost": self.cost,
            "failure": lambda rest: set(frames.tags[frames.tags.outcome == rest.split(":")[1]].conversation_id),
            "change": self.change,
        }

    def rows(self, chosen: Any) -> Ids:
        return set(self.frames.all[chosen].conversation_id)

    def event(self, rest: str) -> Ids:
        return set(self.frames.events[self.frames.events.kind == self.kinds[int(rest)]].conversation_id)

    def day(self, rest: str) -> Ids:
        return self.rows(self.frames.all.day == date.fromisoformat(rest))

    def pair(self, rest: str) -> Ids:
        wanted = tuple(self.kinds.get(int(n)) for n in rest.split(":"))
        return {key for key, kinds in self.path.items() if wanted in set(pairwise([None, *kinds, None]))}

    def ending(self, rest: str) -> Ids:
        wanted = [self.kinds[int(n)] for n in rest.split(":") if n != "0"]
        return {key for key, kinds in self.path.items() if kinds[-3:] == wanted}

    def ended(self, wanted: list[Kind]) -> Ids:
        return {key for key, kinds in self.path.items() if kinds[-len(wanted) :] == wanted}

    def length(self, rest: str) -> Ids:
        bands = [1, 3, 5, 7, 10, 15, 20, 30, 50, 10**6]
        following = bands[bands.index(int(rest)) + 1]
        return self.rows(self.frames.all.message_count.between(int(rest), following - 1))

    def turn(self, rest: str) -> Ids:
        users = self.frames.messages[self.frames.messages.role == "user"].groupby("conversation_id").size()
        users = users.reindex(self.frames.all.conversation_id, fill_value=0)
        return set(users[users == int(rest)].index)

    def hour(self, rest: str) -> Ids:
        weekday, hour = map(int, rest.split(":"))
        local = self.frames.all.started_at.dt.tz_convert(ZONE)
        at = (local.dt.day_of_week + 1 == weekday) & (local.dt.hour == hour)
        return self.rows(at & ~self.frames.all.time_assumed)

    def friction_at(self, rest: str) -> Ids:
        found = [one.kind for one in self.friction if one.is_finding]
        worse = sorted(self.friction, key=lambda one: -(one.difference.value or 0))
        kinds = found or [one.kind for one in worse if (one.difference.value or 0) > 0][:3]
        at = self.frames.events[self.frames.events.position == int(rest)]
        return set(at[at.kind.isin(kinds)].conversation_id)

    def judged(self, met: Callable[[date, dict[str, Any]], bool]) -> Ids:
        return {
            row.conversation_id
            for row in self.frames.judged.itertuples()
            if met(row.day, {name: json.loads(getattr(row, name)) for name in ("verdicts", "dealbreakers")})
        }

    def verdict(self, rest: str) -> Ids:
        criterion, verdict, words = rest.split(":", 2)
        later = {"Be kind": False, "Be brave": True}.get(words)

        def met(day: date, found: dict[str, Any]) -> bool:
            if later is not None and (day >= CHANGE) != later:
                return False
            if criterion in found["dealbreakers"]:
                return bool(found["dealbreakers"][criterion]["hit"])
            return bool(found["verdicts"][criterion]["verdict"] == verdict)

        return self.judged(met)

    def property(self, rest: str) -> Ids:
        kind, name, value = rest.split(":", 2)
        own = self.frames.events[self.frames.events.kind == self.kinds[int(kind)]]
        written_as = ("Subject", "Topic") if name == "Subject" else (name,)

        def met(written: str) -> bool:
            found = json.loads(written)
            said = [found[one] for one in written_as if one in found]
            return bool(said) and (f"={said[0]}" if said[0] in choices(name) else "") == value

        return set(own[own.properties.map(met)].conversation_id)

    def cost(self, rest: str) -> Ids:
        task, _, model = rest.split(":")
        paid = self.frames.answers
        return set(paid[(paid.task == task) & (paid.model == model)].conversation_id)

    def first(self, *, bad: bool) -> Ids:
        known = self.frames.all[self.frames.all.user_id.notna() & self.frames.all.score.notna()]
        first = known.sort_values(["started_at", "conversation_id"]).groupby("user_id").head(1)
        first = first[first.started_at + pd.Timedelta(days=14) <= self.frames.raw.started_at.max()]
        return set(first[(first.score < 50) == bad].conversation_id)

    def change(self, rest: str) -> Ids:
        day, side, figure = rest.split(":", 2)
        before = self.frames.all.day < date.fromisoformat(day)
        own = self.rows(before if side == "before" else ~before)
        if figure.startswith("event:"):
            return own & self.event(figure.removeprefix("event:"))
        named = {"score": "scored", "messages_per_conversation": "all", "with_dealbreaker": "dealbreaker"}
        return own & self.families[named.get(figure, figure)]("")


def test_the_words_on_the_page_are_the_figures_in_it(page: str, frames: Frames) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<main")[2].partition("<script")[0]))
    bad = frames.bad_of(frames.all.conversation_id)
    assert bad.share and bad.low and bad.high
    said = f"{bad.count} of {bad.of} · 95%: {100 * bad.low:.0f}–{100 * bad.high:.0f}%"
    assert f"{100 * bad.share:.0f}%" in text and said in text
    mean = frames.mean(frames.all.score, frames.all, 100)
    assert f"{mean.mean:.1f} of 100" in text and f"{mean.of} scored · 95%: {mean.low:.1f}–{mean.high:.1f}" in text
    assert f"{len(frames.all)}" in text and f"{frames.all.user_id.nunique()}" in text
    without = f"{frames.all.user_id.isna().sum()} of {len(frames.all)} without a user, counted as independent"
    assert f" · {bad.units:.0f} effective users; {without}" in text
