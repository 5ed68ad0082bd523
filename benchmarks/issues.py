"""Issues that are planted, found, called fixed, gone and back: is each state told on its day, and each alert once?

python -m benchmarks.issues [--simulations 200] [--part store|counts|all]. `store`: three issues at once, one of each
cause, in a home of nine days of 300 conversations, followed each day. `counts`: 70 days of counts by unit, through the
rules alone, with a time of growth.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from random import Random

from cpa_core.insights import following as lives
from cpa_core.insights.following import DaySpan, IssueStanding
from cpa_core.insights.statistics import UnitSums, unit_sums
from cpa_core.pipeline.reporting.inbox import IssueChange, follow_issues, set_issue
from tests.support.homes import Home
from tests.support.planted_issues import FIRST, TITLES, PlantedCause, PlantedDays, add_day, begin, days_from

MOST_WRONG = 0.05
DAYS = 9
PLANS: dict[PlantedCause, tuple[int, int, int]] = {"event": (2, 4, 6), "dealbreaker": (3, 5, 7), "path": (2, 5, 7)}
"""The days on which each issue begins, ends (and is called fixed then), and returns."""
SHARES: dict[PlantedCause, float] = {"event": 1.0, "dealbreaker": 0.2, "path": 1.0}


def is_there(cause: PlantedCause, nth: int) -> bool:
    """Whether a planted issue is there on this day."""
    begins, ends, returns = PLANS[cause]
    return begins <= nth < ends or nth >= returns


def expected(cause: PlantedCause, nth: int) -> tuple[str, str] | None:
    """The state and status of a planted issue at the end of a day; null where it is not in the inbox."""
    begins, ends, returns = PLANS[cause]
    if nth < begins:
        return None
    if nth < ends:
        return "new", "open"
    if nth < returns:
        return "gone", "open" if nth == ends else "fixed"
    return "come back", "open"


def stored_lives(seed: int) -> dict[str, list[str]]:
    """Three lives in one store, an issue of each cause: what was wrong with each, in words."""
    wrong: dict[str, list[str]] = {cause: [] for cause in PLANS}
    told: Counter[str] = Counter()
    random, days = Random(seed), PlantedDays()
    with tempfile.TemporaryDirectory() as folder:
        made = begin(Home(Path(folder)))
        for nth, day in enumerate(days_from(FIRST, DAYS)):
            add_day(made, day, days, random, {cause: SHARES[cause] for cause in PLANS if is_there(cause, nth)})
            inbox = follow_issues(made)
            told.update({f"{one.cause} {one.title} {one.spell()}" for one in inbox if one.news()} - told.keys())
            for cause, (_, ends, _) in PLANS.items():
                own = [one for one in inbox if (one.cause, one.title) == (cause, TITLES[cause])]
                state = (own[0].state, own[0].status) if own else None
                if state != expected(cause, nth):
                    wrong[cause].append(f"day {nth}: {state}, not {expected(cause, nth)}")
                if nth == ends and own:
                    set_issue(made, own[0].issue_id, IssueChange(status="fixed", fixed_on=day))
    for cause, (begins, _, returns) in PLANS.items():
        alerts = {f"{cause} {TITLES[cause]} {FIRST + timedelta(days=nth)}" for nth in (begins, returns)}
        own_alerts = {one for one in told if one.startswith(f"{cause} ")}
        wrong[cause] += [f"alerts: {sorted(own_alerts ^ alerts)}"] if own_alerts != alerts else []
    return {f"{seed} {cause}": words for cause, words in wrong.items()}


LIFE = (("absent", 7, 0.0), ("there", 21, 0.1), ("twice", 14, 0.2), ("gone", 14, 0.0), ("back", 14, 0.1))
"""The parts of a life in counts: their days and the share that the issue harms."""


def counted_life(seed: int, conversations: int = 300, users: int = 400) -> dict[str, list[str]]:
    """The states of each part of a life in counts, a word for each day."""
    random = Random(seed)
    days: dict[date, dict[int, list[int]]] = {}
    states: dict[str, list[str]] = {}
    standing: IssueStanding | None = None
    shares = [(name, share) for name, length, share in LIFE for _ in range(length)]
    for day, (name, share) in zip(days_from(FIRST, len(shares)), shares, strict=True):
        counts = days.setdefault(day, {})
        for _ in range(conversations):
            unit = counts.setdefault(int(users * random.random() ** 1.5), [0, 0])
            unit[0] += random.random() < share
            unit[1] += 1
        if standing is None:
            if share and sum(hits for hits, _ in counts.values()) >= 5:
                standing = lives.first_standing(day, is_first_day=False)
        else:
            sums = {span: _sums(days, span) for span in lives.spans_of(standing, day)}
            found = bool(share) and sums != {}
            standing = lives.next_standing(standing, day, sums, is_found=found)
        states.setdefault(name, []).append(standing.state if standing else "absent")
    return states


def _sums(days: Mapping[date, Mapping[int, Sequence[int]]], span: DaySpan) -> UnitSums:
    units: dict[int, list[int]] = {}
    for day, counts in days.items():
        if span.first <= day <= span.last:
            for unit, (hits, trials) in counts.items():
                known = units.setdefault(unit, [0, 0])
                known[0], known[1] = known[0] + hits, known[1] + trials
    return unit_sums([(hits, trials) for hits, trials in units.values()])


def wrong_in(states: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What is wrong in a life in counts: growth must be told within a week of its day, all else on its day."""
    week = ["new"] * 7
    wanted = {
        "absent": ["absent"] * 7,
        "there": week + ["steady"] * 14,
        "gone": ["gone"] * 14,
        "back": ["come back"] * 7 + ["steady"] * 7,
    }
    for part, days in wanted.items():
        if list(states[part]) != days:
            yield f"{part}: {', '.join(f'{state} {len(list(run))}' for state, run in groupby(states[part]))}"
    runs = [state for state, _ in groupby(states["twice"])]
    grew = [nth for nth, state in enumerate(states["twice"]) if state == "growing"]
    if runs not in (["growing", "steady"], ["steady", "growing", "steady"]) or grew[0] > 6:
        yield f"twice: {', '.join(f'{state} {len(list(run))}' for state, run in groupby(states['twice']))}"


def said(name: str, wrong: Mapping[str, Sequence[str]], began: float) -> bool:
    """Print how many lives are wrong, and the first of them; whether they are few enough."""
    bad = {name: words for name, words in wrong.items() if words}
    count = len(wrong)
    few = len(bad) <= MOST_WRONG * count
    took = time.process_time() - began
    print(f"{name}: {len(bad)} of {count} lives wrong ({len(bad) / count:.1%}), {took:.0f} s of cpu")
    for name_of, words in list(bad.items())[:10]:
        print(f"   {name_of}: {'; '.join(words)}")
    return few


def main(given: Sequence[str]) -> int:
    """Run the parts; 1 where too many lives are wrong."""
    flags = argparse.ArgumentParser()
    flags.add_argument("--simulations", type=int, default=200)
    flags.add_argument("--part", choices=("store", "counts", "all"), default="all")
    flags.add_argument("--first", type=int, default=0)
    asked = flags.parse_args(given)
    seeds = range(asked.first, asked.first + asked.simulations)
    fine, began = True, time.process_time()
    if asked.part != "store":
        fine &= said("counts", {str(seed): list(wrong_in(counted_life(seed))) for seed in seeds}, began)
    if asked.part != "counts":
        began, homes = time.process_time(), range(asked.first, asked.first + -(-asked.simulations // len(PLANS)))
        lived: dict[str, list[str]] = {}
        for seed in homes:
            lived |= stored_lives(seed)
        fine &= said("store", lived, began)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
