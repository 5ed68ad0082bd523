"""The ways conversations take: to a good or bad end, and to where they break off."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cpa_core.insights.quality import FALSE_FINDINGS
from cpa_core.insights.selection import Kind, Selection, kinds_of
from cpa_core.insights.statistics import (
    ENOUGH,
    Estimate,
    Rate,
    Stratum,
    corrected,
    difference,
    layered_difference,
    layered_p,
    lift,
    rate,
)

MOST = 100
"""Endings that are listed for each kind of end."""

Path = tuple[int, ...]
Layers = dict[int, tuple[int, int]]
"""Steps, and how many of them were the last, by turn."""


@dataclass(frozen=True)
class Ending:
    """The last events of conversations, at most three. Shares of all bad and of all good conversations end so."""

    path: tuple[Kind, ...]
    conversations: int
    bad: Rate
    of_bad: Rate
    of_good: Rate
    lift: Estimate
    """The share of the bad as a multiple of the share of the good."""


@dataclass(frozen=True)
class DropOff:
    """A path of one to three events after which conversations end more, or less, often than at other steps.

    `ended_after` are steps that end with this path and have no event after; `ended_else` all other steps.
    `at_equal_depth` is the difference within the same turn (two messages; the twelfth and later are one). `good` is
    of the scored conversations that end so. A path is a finding only if none shorter or longer explains it.
    """

    path: tuple[Kind, ...]
    ended_after: Rate
    ended_else: Rate
    difference: Estimate
    lift: Estimate
    at_equal_depth: Estimate
    good: Rate
    p_value: float | None
    q_value: float | None
    is_finding: bool


def endings(of: Selection, most: int = MOST) -> tuple[Ending, ...]:
    """The most frequent last events before a bad end and before a good one, `most` of each."""
    total = of.answer("overview")[0]
    found: list[Ending] = []
    for row in of.answer("endings", most=most):
        of_bad, of_good = rate(row["bad"], total["bad"]), rate(row["good"], total["good"])
        path = kinds_of(of, (row["before_that"], row["before"], row["kind"]))
        bad = rate(row["bad"], row["scored"])
        found.append(Ending(path, row["conversations"], bad, of_bad, of_good, lift(of_bad, of_good)))
    return tuple(found)


def drop_offs(of: Selection) -> tuple[DropOff, ...]:
    """Every path with enough steps: findings first, then by difference."""
    return of.once(_drop_offs)


def _drop_offs(of: Selection) -> tuple[DropOff, ...]:
    layers: dict[Path, Layers] = {}
    ends: dict[Path, list[int]] = {}
    for row in of.answer("drop_offs", enough=ENOUGH):
        path = tuple(k for k in (row["first_kind"], row["second_kind"], row["third_kind"]) if k is not None)
        layers.setdefault(path, {})[row["layer"]] = (row["steps"], row["ended"])
        count = ends.setdefault(path, [0, 0])
        count[0] += row["ended_good"]
        count[1] += row["ended_scored"]
    everything = layers.pop((), {})
    found = {path: _compared(of, path, own, everything, rate(*ends[path])) for path, own in layers.items()}
    tested = [path for path, one in found.items() if one.p_value is not None]
    for path, q in zip(tested, corrected([found[path].p_value or 0.0 for path in tested]), strict=True):
        found[path] = replace(found[path], q_value=q)
    for path in _explaining(found, layers, everything):
        found[path] = replace(found[path], is_finding=True)
    return tuple(sorted(found.values(), key=_rank))


def _rank(one: DropOff) -> tuple[bool, float, int, str]:
    return not one.is_finding, -(one.at_equal_depth.value or 0.0), len(one.path), str(one.path)


def _compared(of: Selection, path: Path, own: Layers, everything: Layers, good: Rate) -> DropOff:
    strata = _strata(own, everything)
    after = rate(sum(s.ends_with for s in strata), sum(s.of_with for s in strata))
    other = rate(sum(s.ends_without for s in strata), sum(s.of_without for s in strata))
    return DropOff(
        path=kinds_of(of, path),
        ended_after=after,
        ended_else=other,
        difference=difference(after, other),
        lift=lift(after, other),
        at_equal_depth=layered_difference(strata),
        good=good,
        p_value=layered_p(strata) if other.is_enough else None,
        q_value=None,
        is_finding=False,
    )


def _strata(own: Layers, everything: Layers) -> list[Stratum]:
    found: list[Stratum] = []
    for layer, (steps, ended) in everything.items():
        mine, my_ends = own.get(layer, (0, 0))
        found.append(Stratum(my_ends, mine, ended - my_ends, steps - mine))
    return found


def _explaining(found: dict[Path, DropOff], layers: dict[Path, Layers], everything: Layers) -> list[Path]:
    """The paths after which more end, beyond chance, and that no other such path accounts for.

    A longer path counts only if more end after it than after its own last events otherwise; a shorter one only if
    more end after it where it is not part of a longer one that counts.
    """
    raised = [path for path, one in found.items() if _is_raised(one)]
    kept: list[Path] = []
    for path in sorted(raised, key=len, reverse=True):
        shorter = [path[n:] for n in range(1, len(path)) if path[n:] in layers]
        beyond = all(_more(layers[path], layers[tail]) for tail in shorter)
        longer = [one for one in kept if len(one) > len(path) and one[-len(path) :] == path]
        rest = _without(layers[path], (layers[one] for one in longer))
        if beyond and (not longer or _more(rest, _without(everything, (layers[one] for one in longer)))):
            kept.append(path)
    return kept


def _is_raised(one: DropOff) -> bool:
    low = one.at_equal_depth.low
    return one.q_value is not None and one.q_value <= FALSE_FINDINGS and low is not None and low > 0


def _more(own: Layers, everything: Layers) -> bool:
    """Whether more end after these steps than after the others of `everything`; with too few others, they are all."""
    strata = _strata(own, everything)
    if sum(s.of_without for s in strata) < ENOUGH or sum(s.of_with for s in strata) < ENOUGH:
        return False
    chance, low = layered_p(strata), layered_difference(strata).low
    return chance is not None and chance <= FALSE_FINDINGS / 10 and low is not None and low > 0


def _without(layers: Layers, others: Iterable[Layers]) -> Layers:
    left = dict(layers)
    for other in others:
        for layer, (steps, ended) in other.items():
            own = left.get(layer, (0, 0))
            left[layer] = (own[0] - steps, own[1] - ended)
    return left
