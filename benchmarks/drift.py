"""How often a usual day is called out of the ordinary, and a new topic is found: `python -m benchmarks.drift`."""

from datetime import timedelta
from random import Random

from cpa_core.insights.drift import measured
from tests.schema.test_drift import FIRST, NO_EVENT, shares

WORLDS = 40
DAYS = 30
NEW_TOPICS = 60


def main() -> None:
    """Print both figures, at 200 conversations a day."""
    alarms = [_alarms(seed) for seed in range(WORLDS)]
    print(f"false alarms: {sum(alarms)} of {WORLDS * DAYS} usual days, at most {max(alarms)} in {DAYS}")
    for part in (0.05, 0.10, 0.15):
        found = sum(_is_found(seed, part) for seed in range(NEW_TOPICS))
        print(f"a new topic in {part:.0%} of the conversations: found on {found} of {NEW_TOPICS} days")


def _alarms(seed: int) -> int:
    found = shares(Random(1000 + seed), 28 + DAYS)
    days = [FIRST + timedelta(days=28 + n) for n in range(DAYS)]
    return sum(any(one.is_out for one in measured(found, day, [NO_EVENT])) for day in days)


def _is_found(seed: int, part: float) -> bool:
    found = measured(shares(Random(5000 + seed), 29, part), FIRST + timedelta(days=28), [NO_EVENT])
    return any(one.is_out and one.name == NO_EVENT for one in found)


if __name__ == "__main__":
    main()
