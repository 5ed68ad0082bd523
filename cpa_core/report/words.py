"""Figures in words: shares, means, intervals, differences, days."""

from datetime import date

from cpa_core.insights import Estimate, Kind, Mean, Rate

UNKNOWN = "–"


def count(number: int) -> str:
    """A whole number with separators."""
    return f"{number:,}"


def percent(share: float | None) -> str:
    """A share, 0 to 1, in per cent; one digit more where it is small."""
    if share is None:
        return UNKNOWN
    return f"{100 * share:.1f}%" if 0 < share < 0.0995 else f"{100 * share:.0f}%"


def rate_of(rate: Rate) -> str:
    """Return the base of a share, its interval, and its effective units."""
    if rate.share is None:
        return "of none"
    return f"{count(rate.count)} of {count(rate.of)} · 95%: {span(rate)}{stands_on(rate)}"


def stands_on(figure: Rate | Mean) -> str:
    """Return the effective number of independent units of a figure, their kind, and the assumption about them."""
    basis = figure.basis
    if basis is None:
        return ""
    number = f" · {count(round(figure.units))} effective {basis.unit}{'' if round(figure.units) == 1 else 's'}"
    if not basis.is_mixed:
        return number
    without = basis.conversations - basis.with_user
    return f"{number}; {count(without)} of {count(basis.conversations)} without a user, counted as independent"


def span(rate: Rate) -> str:
    """The interval of a share."""
    return f"{percent(rate.low)[:-1]}–{percent(rate.high)}" if rate.low is not None else UNKNOWN


def points(value: float | None) -> str:
    """A score or another mean."""
    return UNKNOWN if value is None else f"{value:.1f}"


def mean_of(mean: Mean, of: str) -> str:
    """Return the base of a mean, its interval if there are enough cases, and its effective units."""
    if mean.low is None or mean.high is None:
        return f"{count(mean.of)} {of}{stands_on(mean)}"
    interval = f"95%: {points(max(0.0, mean.low))}–{points(mean.high)}"
    return f"{count(mean.of)} {of} · {interval}{stands_on(mean)}"


def change(estimate: Estimate, unit: str = "", factor: float = 1.0) -> str:
    """A difference with its sign and its interval."""
    if estimate.value is None:
        return "too little data"
    value = f"{signed(factor * estimate.value)}{unit}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} ({signed(factor * estimate.low)} to {signed(factor * estimate.high)})"


def signed(value: float) -> str:
    """A number with its sign, a true minus."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def times(estimate: Estimate) -> str:
    """A ratio, as in `2.3 times`."""
    return UNKNOWN if estimate.value is None else f"{estimate.value:.1f} times"


def dollars(cost: float | None) -> str:
    """A cost in US dollars; unknown is not zero."""
    if cost is None:
        return "unknown"
    return f"${cost:,.2f}" if cost >= 0.1 or cost == 0 else f"${cost:.4f}"


def span_of(first: date, last: date) -> str:
    """A range of days."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    return f"{day(first)} – {day(last)}"


def short_span(first: date, last: date) -> str:
    """A range of days in little room."""
    if first == last:
        return f"{first.day} {first:%b}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{last.day} {last:%b}"
    return f"{first.day} {first:%b} – {last.day} {last:%b}"


def day(one: date) -> str:
    """A day as people write it."""
    return f"{one.day} {one:%B %Y}"


def name(kind: Kind | None, other: str = "") -> str:
    """The name of a kind of event."""
    return kind.event_type if kind else other
