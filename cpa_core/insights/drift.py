"""Is a day out of the ordinary? Its shares beside those of the days before, each with the interval of a usual day."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from math import exp, lgamma
from statistics import NormalDist

from cpa_core.insights.distributions import t_tails
from cpa_core.models import Value

HISTORY = 28
"""Days before, at most: older ones may be of another product."""
LEAST_DAYS = 7
"""Days of history below which no interval is given."""
LEAST_TRIALS = 30
"""Messages, or values, of the day below which no interval is given."""
FALSE_ALARM = 0.01
"""The chance that a usual day is called out of the ordinary, over all of its measures together."""
NEGLIGIBLE = 1e-14
LEAST_SPREAD = 1e-6
"""The spread of shares between days below which they differ by chance alone."""


class Share(Value):
    """Hits of trials on one day."""

    day: date
    hits: int
    trials: int


class Measured(Value):
    """One share of a day, 0 to 1, beside its own history; null if the history is too short for a usual range."""

    name: str
    day: date
    hits: int
    trials: int
    usual: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_out(self) -> bool:
        """Whether a usual day would not be so."""
        share = self.hits / self.trials
        return self.low is not None and self.high is not None and not self.low <= share <= self.high


def measured(histories: Mapping[str, Sequence[Share]], day: date, leading: Collection[str] = ()) -> list[Measured]:
    """Return every share of the day, by name.

    Together their false alarms on a usual day have a chance of at most FALSE_ALARM.

    The `leading` shares, which show changes first, have half of that chance among them, the others the rest.

    Days differ by more than chance (people and weekdays do), so that the hits of a day are beta-binomial. Mean and
    spread are estimated from the earlier days, and the interval is that of a new day. The uncertain mean widens it, and
    so does Student's t for the spread of few days.
    """
    today = {name: share for name, shares in histories.items() for share in shares if share.day == day and share.trials}
    found: list[Measured] = []
    for name, share in sorted(today.items()):
        before = sorted((s for s in histories[name] if s.day < day and s.trials), key=lambda s: s.day)[-HISTORY:]
        known = Measured(name=name, day=day, hits=share.hits, trials=share.trials)
        if len(before) >= LEAST_DAYS and share.trials >= LEAST_TRIALS:
            beside = sum((other in leading) == (name in leading) for other in today)
            known = known.model_copy(update=_usual(before, share.trials, FALSE_ALARM / 2 / beside))
        found.append(known)
    return found


def _usual(before: Sequence[Share], trials: int, chance: float) -> dict[str, float]:
    """Return the mean, and the interval that a new day of these trials leaves with this chance."""
    all_trials = sum(share.trials for share in before)
    mean = (sum(share.hits for share in before) + 0.5) / (all_trials + 1)
    squares = [(s.hits - s.trials * mean) ** 2 / (s.trials * mean * (1 - mean)) for s in before]
    freedom = len(before) - 1
    spread = max(1.0, sum(squares) / freedom) * (1 + trials / all_trials) * _widening(chance, freedom)
    correlation = max(LEAST_SPREAD, min(0.99, (spread - 1) / (trials - 1)))
    low, high = interval(mean, correlation, trials, chance)
    return {"usual": mean, "low": low / trials, "high": high / trials}


def _widening(chance: float, freedom: int) -> float:
    """Return the factor, squared, by which an interval widens if its spread was estimated from few days."""
    normal = NormalDist().inv_cdf(1 - chance / 2)
    low, high = normal, 100 * normal
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tails(middle, freedom) > chance else (low, middle)
    return (high / normal) ** 2


def interval(mean: float, correlation: float, trials: int, chance: float) -> tuple[int, int]:
    """The hits that a beta-binomial stays within, but for half the chance on either side."""
    a, b = (share * (1 - correlation) / correlation for share in (mean, 1 - mean))
    start = round(mean * trials)
    middle = exp(
        lgamma(trials + 1) - lgamma(start + 1) - lgamma(trials - start + 1)
        + lgamma(start + a) + lgamma(trials - start + b) - lgamma(trials + a + b)
        + lgamma(a + b) - lgamma(a) - lgamma(b)
    )  # fmt: skip
    below, above = [middle], [middle]
    for k in range(start, 0, -1):
        below.append(below[-1] * k * (trials - k + b) / ((trials - k + 1) * (k - 1 + a)))
        if below[-1] < NEGLIGIBLE:
            break
    for k in range(start, trials):
        above.append(above[-1] * (trials - k) * (k + a) / ((k + 1) * (trials - k - 1 + b)))
        if above[-1] < NEGLIGIBLE:
            break
    return start - _kept(below, chance / 2), start + _kept(above, chance / 2)


def _kept(weights: Sequence[float], chance: float) -> int:
    """Return the number of steps outwards until the rest is no more than the chance."""
    beyond = 0.0
    for n in range(len(weights) - 1, 0, -1):
        beyond += weights[n]
        if beyond > chance:
            return n
    return 0
