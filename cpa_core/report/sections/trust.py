"""Trust in the labels: people's checks of them, and the rates corrected by these."""

from collections.abc import Sequence
from dataclasses import replace

from cpa_core.gold.trust import Trust, TrustedRate
from cpa_core.insights import Estimate, Kind
from cpa_core.report import words
from cpa_core.report.behind import Group
from cpa_core.report.document import MOST_EXAMPLES, Cell, Column, Section, Table
from cpa_core.report.sections.asked import Asked

PILLS = {"good": "good", "fair": "middle", "poor": "bad", "unknown": "not"}
SAID = {"good": "trusted", "fair": "fair", "poor": "not trusted", "unknown": "not checked"}
BASES = {"sample": "by labels of these days", "assumed": "assumption", "none": "no correction"}
"""The words and colours of a grade, and the words for the basis of a correction."""


def trust(asked: Asked) -> Section:
    """The section."""
    return Section(
        name="trust",
        short="Trust",
        title="How far the labels can be trusted",
        lead="People read some conversations without seeing the model's labels. Agreement of two people is the most "
        "that a model can reach. Below 30 conversations or 10 positives no rate is corrected.",
        tables=[_labels(asked), _rates(asked)],
    )


def _labels(asked: Asked) -> Table:
    columns = [
        Column("label"),
        Column("trust"),
        Column("kappa with people", "number"),
        Column("alpha between people", "number"),
        Column("precision", "number"),
        Column("recall", "number"),
        Column("labelled", "number"),
    ]
    rows = [_label(asked, n, one) for n, one in enumerate(asked.trust)]
    return Table("trust-table", "Labels checked by people", columns, rows, filters=len(rows) > 8)


def _label(asked: Asked, number: int, one: Trust) -> list[Cell]:
    found, people = one.agreement, one.people
    return [
        _named(one),
        Cell(SAID[one.grade], pill=PILLS[one.grade], sort=found.kappa.value),
        _figure(found.kappa),
        replace(_figure(people.alpha), note=f"{people.disputed} of {people.items} disputed" if people.items else ""),
        _share(found.precision),
        _share(found.recall),
        Cell(
            words.count(one.labelled),
            of=f"{words.count(found.positives)} positives",
            drill=_key(number) if one.places else None,
            sort=one.labelled,
            note=f"label {words.count(one.lacking)} more" if one.lacking else "",
        ),
    ]


def _rates(asked: Asked) -> Table:
    columns = [
        Column("label"),
        Column("of"),
        Column("tagged"),
        Column("corrected"),
        Column("by people alone"),
        Column("valid for"),
    ]
    rows = [
        [
            _named(one),
            Cell(unit),
            Cell(words.percent(rate.tagged.share), sort=rate.tagged.share),
            _share(rate.corrected),
            _share(rate.gold),
            Cell(
                BASES[rate.basis],
                pill={"sample": "good", "assumed": "middle"}.get(rate.basis, "not"),
                note=rate.valid_for,
            ),
        ]
        for one in asked.trust
        for unit, rate in (("conversations", one.of_conversations), ("messages", one.of_messages))
        if rate is not None
    ]
    return Table(
        "corrected-table", "Rates as tagged, corrected, and by people alone", columns, rows, filters=len(rows) > 8
    )


def _named(one: Trust) -> Cell:
    if one.role is None:
        return Cell(f"{one.name} {one.key}", of=one.kind)
    return Cell(one.name, of=one.role)


def _figure(one: Estimate) -> Cell:
    if one.value is None:
        return Cell(words.UNKNOWN, is_few=True)
    span = "" if one.low is None or one.high is None else f"95%: {one.low:.2f} to {one.high:.2f}"
    return Cell(f"{one.value:.2f}", of=span, sort=one.value)


def _share(one: Estimate) -> Cell:
    if one.value is None:
        return Cell(words.UNKNOWN, is_few=True)
    return Cell(words.percent(one.value), of=_span(one), sort=one.value, share=one.value, low=one.low, high=one.high)


def _span(one: Estimate) -> str:
    if one.low is None or one.high is None:
        return ""
    return f"95%: {words.percent(one.low)[:-1]}–{words.percent(one.high)}"


def _key(number: int) -> str:
    return f"gold:{number}"


def gold_groups(asked: Asked) -> dict[str, Group]:
    """The conversations that people read for each label, by the key behind their number."""
    return {
        _key(number): Group(len(one.places), one.places[:MOST_EXAMPLES])
        for number, one in enumerate(asked.trust)
        if one.places
    }


def gold_title(asked: Asked, rest: str) -> tuple[str, Sequence[int]]:
    """The title of the conversations that people read for a label, and the kind of event to highlight."""
    one = asked.trust[int(rest)]
    kinds = [number for number, kind in asked.kinds.items() if (kind.event_type, kind.role) == (one.name, one.role)]
    return f"{one.name}: read by people", kinds


def _of(asked: Asked, label: Kind | str) -> Trust | None:
    """Return the trust in an event type, or in a criterion by its words; null if there is none."""
    for one in asked.trust:
        if isinstance(label, str) and one.kind != "event" and one.key == label:
            return one
        if isinstance(label, Kind) and (one.name, one.role) == (label.event_type, label.role):
            return one
    return None


def badge(asked: Asked, label: Kind | str) -> Cell:
    """Return the grade of a label, for display beside its rates."""
    one = _of(asked, label)
    if one is None:
        return Cell(SAID["unknown"], pill=PILLS["unknown"])
    kappa = one.agreement.kappa
    said = f"kappa {kappa.value:.2f}" if kappa.value is not None else ""
    ceiling = one.people.alpha.value
    return Cell(
        SAID[one.grade],
        of=f"{said}, people {ceiling:.2f}" if said and ceiling is not None else said,
        pill=PILLS[one.grade],
        sort=kappa.value,
    )


def with_correction(asked: Asked, label: Kind | str, cell: Cell) -> Cell:
    """Return a tagged rate of conversations with its corrected one below; unchanged if nobody has labelled anything."""
    one = _of(asked, label)
    return replace(cell, note=_corrected(one.of_conversations)) if one and one.labelled else cell


def met_note(asked: Asked, label: str) -> str:
    """The corrected share of conversations that met a goal, in words; empty where nobody has labelled it."""
    one = _of(asked, label)
    return f"met: {_corrected(one.of_conversations)}" if one and one.labelled else ""


def _corrected(rate: TrustedRate) -> str:
    if rate.corrected.value is None:
        return rate.valid_for
    mark = f" ({rate.valid_for})" if rate.basis == "assumed" else ""
    return f"corrected {words.percent(rate.corrected.value)} · {_span(rate.corrected)}{mark}"


def checked(labels: Sequence[Trust]) -> str:
    """Return the note on the basis of label rates."""
    if not any(one.labelled for one in labels):
        return (
            "Rates of events, goals and dealbreakers are the model's: nobody has checked its labels yet, and intervals "
            "do not hold its errors. To check them: cpa gold draw random."
        )
    return (
        "A rate of labels is shown as tagged, and corrected by people's labels where these are enough and valid for "
        "these days (prediction-powered inference; the jackknife over users, else conversations)."
    )
