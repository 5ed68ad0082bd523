"""Simulations with a planted truth: is it found, is it ranked first, do the intervals cover it, what else is found?"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cpa_core.insights import Estimate, Issue, Scope, drop_offs, issues, low_score_events, selected, whole
from cpa_core.store import Store
from tests.simulated import PLANTED_EVENT, PLANTED_PATH, Truth, simulate


@dataclass
class Tally:
    """What came of the simulations."""

    simulations: int = 0
    found: int = 0
    first: int = 0
    event_covered: int = 0
    event_covered_at_equal_length: int = 0
    path_covered: int = 0
    path_covered_at_equal_depth: int = 0
    findings: int = 0
    false_findings: int = 0
    with_false: int = 0

    def add(self, store: Store, scope: Scope, truth: Truth) -> None:
        """Look at one simulation with the functions that the report uses."""
        with selected(store, scope) as of:
            ranked = issues(of)
            effect = next(one for one in low_score_events(of) if one.kind == PLANTED_EVENT)
            path = next(one for one in drop_offs(of) if one.path == PLANTED_PATH)
        true = [is_planted(one) for one in ranked]
        self.simulations += 1
        self.found += sum(true) == 2
        self.first += true[:2] == [True, True]
        self.findings += len(true)
        self.false_findings += true.count(False)
        self.with_false += False in true
        self.event_covered += covers(effect.difference, truth.more_failure)
        self.event_covered_at_equal_length += covers(effect.at_equal_length, truth.more_failure)
        self.path_covered += covers(path.difference, truth.more_end)
        self.path_covered_at_equal_depth += covers(path.at_equal_depth, truth.more_end)


def is_planted(issue: Issue) -> bool:
    """Whether an issue is one of the two that were put in."""
    return issue.kinds in ((PLANTED_EVENT,), PLANTED_PATH)


def covers(estimate: Estimate, truth: float) -> bool:
    """Whether the interval holds the truth."""
    return estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high


def run(simulations: int, conversations: int, truth: Truth) -> Tally:
    """All simulations."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for seed in range(simulations):
            simulate(store, seed, conversations, truth)
            scope = whole(store)
            assert scope
            tally.add(store, scope, truth)
    return tally


LONGER_IS_WORSE = Truth(failure=0.05, more_failure=0.0, more_end=0.0, more_failure_a_message=0.025)


def confounded(simulations: int) -> tuple[int, int, int]:
    """Where only length matters: all events, those whose plain interval excludes zero, and those found."""
    events = plain = found = 0
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for seed in range(simulations):
            simulate(store, seed, truth=LONGER_IS_WORSE)
            scope = whole(store)
            assert scope
            with selected(store, scope) as of:
                effects = low_score_events(of)
            events += len(effects)
            plain += sum((one.difference.low or 0.0) > 0 for one in effects)
            found += sum(one.is_finding for one in effects)
    return events, plain, found


def main() -> None:
    """Print the figures."""
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    began = time.monotonic()
    tally = run(simulations, 5_000, Truth())
    print(f"simulations of 5,000 conversations: {tally.simulations}, {time.monotonic() - began:.0f} s")
    print(f"both planted found: {tally.found}; ranked first and second: {tally.first}")
    print(f"interval covers the event's difference: {tally.event_covered / simulations:.1%}", end="")
    print(f", at equal length: {tally.event_covered_at_equal_length / simulations:.1%}")
    print(f"interval covers the path's difference: {tally.path_covered / simulations:.1%}", end="")
    print(f", at equal depth: {tally.path_covered_at_equal_depth / simulations:.1%}")
    share = tally.false_findings / max(1, tally.findings)
    print(f"false findings: {tally.false_findings} of {tally.findings} ({share:.1%}), ", end="")
    print(f"in {tally.with_false} simulations ({tally.with_false / simulations:.1%})")
    events, plain, found = confounded(max(1, simulations // 10))
    print(f"where only length matters: a plain comparison blames {plain} of {events} events, ours {found}")


if __name__ == "__main__":
    main()
