"""The ways conversations take: to a good or bad end, and to where they break off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cpa_core.insights.comparisons import ALL, Compared, Contrast, Signed, compare, differences
from cpa_core.insights.quality import FALSE_FINDINGS
from cpa_core.insights.selection import Kind, Selection, kinds_of
from cpa_core.insights.statistics import (
    ENOUGH,
    FEW,
    Estimate,
    Rate,
    UnitSums,
    corrected,
    is_enough,
    lift,
    ratio_chance,
    share,
    unit_sums,
)

MOST = 100
"""Endings that are listed for each kind of end."""

NO_CHANCE = 0.001
"""The significance level at which a path counts as leading to good ends."""

MORE = 0.0025
"""The one-sided significance level at which more end after a path than after its own last events otherwise."""

Path = tuple[int, ...]


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
    `p_value` is one-sided: that no more end; `q_value` is the same after correction for all paths.
    `ends_well`, of a finding: conversations that end so are good more often than others, beyond chance.
    """

    path: tuple[Kind, ...]
    met: Rate
    """The steps that take it."""
    ended_after: Rate
    ended_else: Rate
    lift: Estimate
    at_equal_depth: Estimate
    good: Rate
    p_value: float | None
    q_value: float | None
    is_finding: bool
    ends_well: bool = False


def endings(of: Selection, most: int = MOST) -> tuple[Ending, ...]:
    """The most frequent last events before a bad end and before a good one, `most` of each."""
    found: list[Ending] = []
    for row in of.answer("endings", most=most):
        of_bad, of_good = UnitSums(**row["of_bad"]), UnitSums(**row["of_good"])
        path = kinds_of(of, (row["before_that"], row["before"], row["kind"]))
        bad, times = share(UnitSums(**row["of_scored"])), lift(of_bad, of_good)
        found.append(Ending(path, row["conversations"], bad, share(of_bad), share(of_good), times))
    return tuple(found)


def drop_offs(of: Selection) -> tuple[DropOff, ...]:
    """Every path with enough steps: findings first, then by difference."""
    return of.once(_drop_offs)


def _drop_offs(of: Selection) -> tuple[DropOff, ...]:
    radix = max(of.kinds, default=0) + 1
    of.answer("path_steps", enough=ENOUGH, radix=radix)
    of.answer("drop_offs")
    rows = {row["part"]: row for row in of.answer("path_ends")}
    everyone = rows.pop(0, {"conversations": 0})["conversations"]
    compared = compare(of, {number: Contrast(((part, 1),)) for number, part in enumerate(rows)}, is_plain=False)
    parts = {_path(part, radix): part for part in rows}
    found: dict[Path, DropOff] = {}
    for number, (path, part) in enumerate(parts.items()):
        if number in compared:
            good = share(UnitSums(**rows[part]["of_scored"]) if rows[part]["of_scored"] else unit_sums(()))
            found[path] = _drop_off(of, path, compared[number], (rows[part]["conversations"], everyone), good)
    tested = [path for path, one in found.items() if one.p_value is not None]
    for path, q in zip(tested, corrected([found[path].p_value or 0.0 for path in tested], FEW), strict=True):
        found[path] = replace(found[path], q_value=q)
    kept = _explaining(of, [path for path, one in found.items() if _is_raised(one)], parts)
    for path, ends_well in zip(kept, _end_well(of, [parts[path] for path in kept]), strict=True):
        found[path] = replace(found[path], is_finding=True, ends_well=ends_well)
    return tuple(sorted(found.values(), key=_rank))


def _path(part: int, radix: int) -> Path:
    """The kinds of a path from its number."""
    kinds: list[int] = []
    while part:
        part, kind = divmod(part, radix)
        kinds.insert(0, kind)
    return tuple(kinds)


def _rank(one: DropOff) -> tuple[bool, float, int, str]:
    return not one.is_finding, -(one.at_equal_depth.value or 0.0), len(one.path), str(one.path)


def _drop_off(of: Selection, path: Path, one: Compared, conversations: tuple[int, int], good: Rate) -> DropOff:
    after, other = (replace(rate, conversations=n) for rate, n in zip(one.shares, conversations, strict=True))
    return DropOff(
        path=kinds_of(of, path),
        met=replace(share(one.met), conversations=conversations[1]),
        ended_after=after,
        ended_else=other,
        lift=one.lift,
        at_equal_depth=one.within_layers,
        good=good,
        p_value=one.chance if after.is_enough and other.is_enough else None,
        q_value=None,
        is_finding=False,
    )


def _explaining(of: Selection, raised: Sequence[Path], parts: dict[Path, int]) -> list[Path]:
    """Return the paths after which more conversations end, beyond chance, unless another such path explains it.

    A longer path counts only if more end after it than after its own last events otherwise; where these are too few
    to compare, it counts unless they are such a path themselves. A shorter path counts only if more end after it
    outside the longer paths that count.
    """
    kept: list[Path] = []
    for length in (3, 2, 1):
        paths = [path for path in raised if len(path) == length]
        listed = [(path, *one) for path in paths for one in _beside(path, kept, parts)]
        compared = compare(of, {number: one for number, (*_, one) in enumerate(listed)}, is_plain=False)
        failed = {
            path
            for number, (path, tail, _) in enumerate(listed)
            if not _is_more(compared.get(number), is_alone=tail is not None and tail not in raised)
        }
        kept += [path for path in paths if path not in failed]
    return kept


def _beside(path: Path, kept: Sequence[Path], parts: dict[Path, int]) -> list[tuple[Path | None, Contrast]]:
    """The comparisons that a path must pass: with the other steps of each tail, and without its longer ones."""
    own: Signed = ((parts[path], 1),)
    tails = [path[n:] for n in range(1, len(path)) if path[n:] in parts]
    found: list[tuple[Path | None, Contrast]] = [(tail, Contrast(own, ((parts[tail], 1),))) for tail in tails]
    longer = [one for one in kept if _is_tail(path, one)]
    outer = [one for one in longer if not any(_is_tail(other, one) for other in longer)]
    if outer:
        less: Signed = tuple((parts[one], -1) for one in outer)
        found.append((None, Contrast(own + less, ALL + less)))
    return found


def _is_tail(short: Path, path: Path) -> bool:
    return len(short) < len(path) and path[-len(short) :] == short


def _is_raised(one: DropOff) -> bool:
    low = one.at_equal_depth.low
    return one.q_value is not None and one.q_value <= FALSE_FINDINGS and low is not None and low > 0


def _is_more(one: Compared | None, *, is_alone: bool) -> bool:
    """Whether more end after these steps than after the others; with too few to compare, whether they stand alone."""
    if one is None or not all(is_enough(round(s.trials), s.effective) for s in (one.own, one.rest)):
        return is_alone
    return one.chance is not None and one.chance <= MORE


def _end_well(of: Selection, paths: Sequence[int]) -> list[bool]:
    """Whether conversations that end so are good more often than others, beyond chance: that is no loss."""
    asked = {number: Contrast(((-1 - part, 1),), ((-1, 1),)) for number, part in enumerate(paths)}
    compared = differences(of, asked)
    return [_is_better(compared.get(number)) for number in asked]


def _is_better(one: UnitSums | None) -> bool:
    chance = ratio_chance(one) if one else None
    return one is not None and chance is not None and chance <= NO_CHANCE and one.hits > 0
