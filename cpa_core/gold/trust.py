"""How far each label of a selection can be trusted, and its rates as tagged, corrected, and by people alone."""

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from cpa_core.gold.agreement import (
    Agreement,
    Confusion,
    PeopleAgreement,
    agreement,
    left_one_out,
    people_agreement,
)
from cpa_core.gold.correcting import (
    LEAST_CONVERSATIONS,
    LEAST_POSITIVES,
    CorrectedRate,
    DoubtedMessage,
    GoldUnit,
    beyond_the_gold,
    by_doubt_rate,
    corrected_rate,
    difference,
    gold_rate,
)
from cpa_core.gold.drawing import chance_in
from cpa_core.gold.reviews import ADJUDICATED, LabelKind, definition_of
from cpa_core.gold.validity import Basis, Frame, GoldSeen, Population, Tagger, Validity, validity
from cpa_core.insights import UNKNOWN, Estimate, Kind, Rate, Selection, criteria, dealbreakers
from cpa_core.insights.statistics import UnitSums, rate, share
from cpa_core.models import EventSchema, EventType, digest, is_person
from cpa_core.schema import parse
from cpa_core.store.database import Row, Transaction

Grade = Literal["good", "fair", "poor", "unknown"]
LEAST_ALPHA = 0.4
"""Krippendorff's alpha between people below which a label is not one thing to them."""
GOOD_KAPPA, FAIR_KAPPA = 0.6, 0.4
"""Kappa from which a label is trusted, and below which it is not (Landis and Koch 1977: substantial; fair)."""


@dataclass(frozen=True)
class TrustedRate:
    """One rate three times: as tagged, corrected by gold, by the gold alone; and what the correction is valid for."""

    tagged: Rate
    corrected: Estimate
    gold: Estimate
    basis: Basis
    valid_for: str
    variance: float | None = None


def corrected_change(before: TrustedRate, after: TrustedRate) -> Estimate:
    """The corrected share after less the one before; unknown unless each side has gold of its own."""
    if {before.basis, after.basis} != {"sample"}:
        return UNKNOWN
    sides = (before.corrected.value, after.corrected.value, before.variance, after.variance)
    if any(one is None for one in sides):
        return UNKNOWN
    old, new, *variances = (one or 0.0 for one in sides)
    return difference(new - old, sum(variances))


@dataclass(frozen=True)
class PropertyTrust:
    """The share of events with the value of a property that people give, among those that both see."""

    name: str
    accuracy: Estimate
    events: int


@dataclass(frozen=True)
class Trust:
    """How far a label can be trusted. `of_messages` is null for criteria and dealbreakers, which are of conversations.

    `lacking` are the conversations that people have to label before its rates are corrected. `cannot_tell` counts
    conversations of which the tagger, and of which people, could not tell. `places` are the numbers that the
    conversations that people read have in the selection. `by_doubt` is the share of messages from a draw by doubt of
    these very days, and `doubted` how many of its messages people read.
    """

    kind: LabelKind
    key: str
    name: str
    role: str | None
    agreement: Agreement
    people: PeopleAgreement
    of_conversations: TrustedRate
    of_messages: TrustedRate | None
    labelled: int
    lacking: int
    disputed: int
    properties: tuple[PropertyTrust, ...] = ()
    cannot_tell: tuple[int, int] = (0, 0)
    places: tuple[int, ...] = ()
    by_doubt: Estimate = UNKNOWN
    doubted: int = 0

    def is_below(self, least: float | None) -> bool:
        """Whether people were asked, and agree less than a kappa of `least`; no where none is wanted."""
        kappa = self.agreement.kappa.value
        return least is not None and kappa is not None and kappa < least

    @property
    def do_people_differ(self) -> bool:
        """Whether two people read the same and their alpha is below LEAST_ALPHA."""
        return self.people.alpha.value is not None and self.people.alpha.value < LEAST_ALPHA

    @property
    def is_labelled_enough(self) -> bool:
        """Whether people labelled so much that its rates can be corrected."""
        return self.labelled >= LEAST_CONVERSATIONS and self.agreement.positives >= LEAST_POSITIVES

    @property
    def grade(self) -> Grade:
        """In a word, by kappa; unknown without labels by people."""
        kappa = self.agreement.kappa.value
        if kappa is None:
            return "unknown"
        return "good" if kappa >= GOOD_KAPPA else "fair" if kappa >= FAIR_KAPPA else "poor"


def trust(of: Selection) -> tuple[Trust, ...]:
    """How far each label of the schema in force can be trusted, in the schema's order: types, goals, dealbreakers.

    Empty where no schema is recorded, or nobody has labelled anything.
    """
    return of.once(_trust)


def _trust(of: Selection) -> tuple[Trust, ...]:
    schema = schema_in_force(of.view)
    if schema is None or not of.view.rows("select 1 from gold_labels limit 1"):
        return ()
    know_gold(of.view, schema)
    asked = _Asked.about(of, schema)
    return (*_event_types(asked), *_verdicts(asked))


def schema_in_force(view: Transaction) -> EventSchema | None:
    """The schema in force as it is recorded; none before the first."""
    rows = view.answer("schema/versions")
    return parse(rows[-1]["yaml"], f"schema {rows[-1]['version']}")[0] if rows else None


def know_gold(view: Transaction, schema: EventSchema) -> None:
    """Make the table of what people say now, which the questions about gold read."""
    view.answer("gold/now", valid=json.dumps(meanings(view, schema)), adjudicated=ADJUDICATED)


def meanings(view: Transaction, schema: EventSchema) -> list[str]:
    """What labels may mean to be valid: kind, key and digest of the definition, with those said to mean the same."""
    current = [("event", kind.key, definition_of(kind)) for kind in schema.event_types]
    criteria_now = (("criterion", schema.criteria.goals()), ("dealbreaker", schema.criteria.dealbreakers_by_id()))
    current += [(kind, words, digest(words)[:12]) for kind, found in criteria_now for words in found.values()]
    same = {
        (row["key"], row["newer"], row["older"]) for row in view.rows("select key, newer, older from gold_meanings")
    }
    found = list(current)
    for kind, key, definition in found:  # grows while it is read: what an older meaning was the same as
        found += [
            (kind, key, old) for k, new, old in same if (k, new) == (key, definition) and (kind, key, old) not in found
        ]
    return [" ".join(one) for one in found]


def gold_units(of: Selection, kind: EventType) -> tuple[list[GoldUnit], int]:
    """The random gold units of the selection for a label's share of messages, and of how many conversations."""
    schema = schema_in_force(of.view)
    if schema is None:
        return [], 0
    know_gold(of.view, schema)
    asked = _Asked.about(of, schema)
    rows = [row for row in asked.units.get(kind.key, ()) if row["part"] == "measure" and row["is_tagged"]]
    rates = _Rates(asked, "tag", [row for row in rows if row["is_whole"]])
    return rates.units(_of_messages), len(rates.inside)


@dataclass(frozen=True)
class _Asked:
    """What the questions about gold answer for one selection."""

    selection: Selection
    schema: EventSchema
    units: Mapping[str, Sequence[Row]]
    verdicts: Mapping[str, Sequence[Row]]
    people: Mapping[tuple[str, str], PeopleAgreement]
    properties: Mapping[str, Sequence[Row]]
    frames: Sequence[Row]
    taggers: Mapping[str, Population]
    doubted: Mapping[str, Sequence[Row]]

    @classmethod
    def about(cls, of: Selection, schema: EventSchema) -> "_Asked":
        view = of.view
        taggers: dict[str, dict[tuple[date, Tagger], int]] = {"tag": {}, "judge": {}}
        for row in view.answer("gold/taggers"):
            at = row["day"], Tagger(row["schema_version"], row["prompt_id"], row["model"])
            taggers[row["task"]][at] = taggers[row["task"]].get(at, 0) + row["conversations"]
        return cls(
            selection=of,
            schema=schema,
            units=_by(view.answer("gold/units"), "key"),
            verdicts=_by(view.answer("gold/verdict_units"), "key"),
            people=_people(view, meanings(view, schema)),
            properties=_by(view.answer("gold/property_units"), "key"),
            frames=view.answer("gold/frames"),
            taggers={task: Population(counts) for task, counts in taggers.items()},
            doubted=_by(view.answer("gold/doubted"), "label"),
        )

    def by_doubt(self, key: str) -> dict[str, Any]:
        """The share of messages from the draw by doubt that was read most, of those over the days asked about."""
        days = self.taggers["tag"].days
        draws = _by(self.doubted.get(key, ()), "draw_id").values()
        same = [rows for rows in draws if days and (rows[0]["first_day"], rows[0]["last_day"]) == (days[0], days[-1])]
        rows = max(same, key=len, default=[])
        read = [DoubtedMessage(row["present"], row["believed"], row["chance"]) for row in rows]
        if len(read) < LEAST_CONVERSATIONS:
            return {"doubted": len(read)}
        found = by_doubt_rate(read, rows[0]["mean_believed"], rows[0]["frame"])
        return {"doubted": len(read), "by_doubt": found.estimate if found else UNKNOWN}

    def frames_of(self, read: Iterable[Row]) -> dict[str, Frame]:
        """The random draws, with the chance of a conversation to be drawn and read, by their ids."""
        count: defaultdict[str, set[str]] = defaultdict(set)
        for row in read:
            for draw in row["draws"] or ():
                count[draw].add(row["conversation_id"])
        return {
            row["draw_id"]: Frame(
                row["first_day"],
                row["last_day"],
                len(count[row["draw_id"]]) / max(1, row["frame"], len(count[row["draw_id"]])),
            )
            for row in self.frames
            if count[row["draw_id"]]
        }


def _by(rows: Iterable[Row], name: str) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found


def _people(view: Transaction, valid: Sequence[str]) -> dict[tuple[str, str], PeopleAgreement]:
    """How far people agree on each label, by kind and key."""
    rated: dict[tuple[str, str], dict[str, dict[Hashable, dict[str, bool]]]] = {}
    for row in view.answer("gold/ratings", valid=json.dumps(list(valid)), adjudicated=ADJUDICATED):
        units = rated.setdefault((row["kind"], row["key"]), {})
        item = units.setdefault(unit_of(row), {}).setdefault((row["conversation_id"], row["message_id"]), {})
        item[row["reviewer"]] = row["present"]
    return {label: people_agreement(units.values()) for label, units in rated.items()}


def unit_of(row: Row) -> str:
    """What a row belongs to: its user, where that is a person, else its conversation."""
    return f"user {row['user_id']}" if is_person(row["user_id"]) else f"conversation {row['conversation_id']}"


def _event_types(asked: _Asked) -> Iterable[Trust]:
    of = asked.selection
    keys = of.keys
    counted = {
        (row["role"], row["event_type"] and keys.get(Kind(row["role"], row["event_type"]))): row
        for row in of.view.answer("gold/population")
    }
    for kind in asked.schema.event_types:
        rows = [row for row in asked.units.get(kind.key, ()) if row["part"] == "measure" and row["is_tagged"]]
        whole = [row for row in rows if row["is_whole"]]
        found = counted.get((kind.role, kind.key)) or counted.get((kind.role, None), {})
        rates = _Rates(asked, "tag", whole)
        held = rates.validity(lambda row: row["gold"])
        people = asked.people.get(("event", kind.key), people_agreement(()))
        yield Trust(
            kind="event",
            key=kind.key,
            name=kind.name,
            role=kind.role,
            agreement=agreement(_confusions(rows)),
            people=people,
            of_conversations=rates.rate(_tagged(found, "of_conversations"), _of_conversation, held),
            of_messages=rates.rate(_tagged(found, "of_messages"), _of_messages, held),
            labelled=len(whole),
            lacking=held.lacking,
            disputed=people.disputed,
            properties=tuple(_properties(asked, kind.key)),
            places=_places(whole),
            **asked.by_doubt(kind.key),
        )


def _tagged(found: Row, name: str) -> Rate:
    """A share as it was tagged, by unit; unknown where nobody of the role said anything."""
    return share(UnitSums(**found[name])) if found else rate(0, 0)


def _confusions(rows: Iterable[Row]) -> list[Confusion]:
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        both, tagged, gold = row["agreed"], row["tagged"], row["gold"]
        for n, count in enumerate((both, tagged - both, gold - both, row["labelled"] - tagged - gold + both)):
            found[unit_of(row)][n] += count
    return [Confusion(*counts) for counts in found.values()]


def _of_messages(row: Row) -> GoldUnit:
    return GoldUnit(row["gold"], row["messages"], row["tagged"], row["messages"], row["agreed"])


def _of_conversation(row: Row) -> GoldUnit:
    """Whether the conversation has the event at all."""
    gold, tagged = row["gold"] > 0, row["tagged"] > 0
    return GoldUnit(gold, 1, tagged, 1, gold and tagged)


def _properties(asked: _Asked, key: str) -> Iterable[PropertyTrust]:
    kind = next(one for one in asked.schema.event_types if one.key == key)
    now = {found.name: definition_of(found) for found in kind.properties}
    rows = [row for row in asked.properties.get(key, ()) if now.get(row["property"]) == row["definition"]]
    for name, of in _by((row for row in rows if row["part"] == "measure"), "property").items():
        sums: defaultdict[str, tuple[float, ...]] = defaultdict(lambda: (0.0, 0.0))
        for row in of:
            same, events = sums[unit_of(row)]
            sums[unit_of(row)] = same + row["same"], events + row["events"]
        found = left_one_out(list(sums.values()), lambda s: s[0] / s[1] if s[1] else None)
        yield PropertyTrust(name, found, sum(row["events"] for row in of))


def _verdicts(asked: _Asked) -> Iterable[Trust]:
    goals: dict[str, Rate] = {one.words: one.met for one in criteria(asked.selection)}
    hits: dict[str, Rate] = {one.words: one.hit for one in dealbreakers(asked.selection)}
    said = (
        ("criterion", asked.schema.criteria.goals(), goals),
        ("dealbreaker", asked.schema.criteria.dealbreakers_by_id(), hits),
    )
    for kind, words, rates in said:
        for name, key in words.items():
            yield _verdict(
                asked, "criterion" if kind == "criterion" else "dealbreaker", (name, key), rates.get(key, rate(0, 0))
            )


def _verdict(asked: _Asked, kind: LabelKind, label: tuple[str, str], tagged: Rate) -> Trust:
    name, key = label
    rows = [row for row in asked.verdicts.get(key, ()) if row["part"] == "measure" and row["by_judge"] is not None]
    known = [row for row in rows if row["present"] is not None]
    rates = _Rates(asked, "judge", known)
    held = rates.validity(lambda row: int(row["present"]))
    people = asked.people.get((kind, key), people_agreement(()))
    return Trust(
        kind=kind,
        key=key,
        name=name,
        role=None,
        agreement=agreement(_verdict_confusions(known)),
        people=people,
        of_conversations=rates.rate(tagged, _of_verdict, held),
        of_messages=None,
        labelled=len(rows),
        lacking=held.lacking,
        disputed=people.disputed,
        cannot_tell=(sum(row["by_judge"] == "cannot tell" for row in rows), len(rows) - len(known)),
        places=_places(rows),
    )


def _places(rows: Iterable[Row]) -> tuple[int, ...]:
    return tuple(sorted({row["n"] for row in rows if row["n"] is not None}))


def _says_yes(row: Row) -> bool | None:
    """Whether the judge says met, or hit; null where it cannot tell."""
    return None if row["by_judge"] == "cannot tell" else row["by_judge"] in ("met", "hit")


def _verdict_confusions(rows: Iterable[Row]) -> list[Confusion]:
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        judge = _says_yes(row)
        if judge is not None:
            found[unit_of(row)][(0 if row["present"] else 1) if judge else (2 if row["present"] else 3)] += 1
    return [Confusion(*counts) for counts in found.values()]


def _of_verdict(row: Row) -> GoldUnit:
    judge, gold = _says_yes(row), bool(row["present"])
    return GoldUnit(gold, 1, bool(judge), judge is not None, gold and bool(judge))


class _Rates:
    """The rates of one label, from the conversations that people read whole."""

    def __init__(self, asked: _Asked, task: str, rows: Sequence[Row]) -> None:
        self._population = asked.taggers[task]
        self._frames = asked.frames_of(rows)
        self._rows = [row for row in rows if any(draw in self._frames for draw in row["draws"] or ())]

    @property
    def inside(self) -> list[Row]:
        """The conversations that are asked about."""
        return [row for row in self._rows if row["n"] is not None]

    def validity(self, positives: Callable[[Row], int]) -> Validity:
        """What a correction would hold for."""
        seen = [GoldSeen(r["day"], _tagger(r), positives(r), r["n"] is not None) for r in self._rows]
        return validity(self._population, list(self._frames.values()), seen)

    def units(self, unit: Callable[[Row], GoldUnit]) -> list[GoldUnit]:
        """The units that are asked about."""
        return self._units(self.inside, unit)

    def rate(self, tagged: Rate, unit: Callable[[Row], GoldUnit], held: Validity) -> TrustedRate:
        """A rate three times."""
        units = self.units(unit)
        total = sum(self._population.taggers(self._population.days).values())
        sampled = min(1.0, len(self.inside) / total) if total else 0.0
        gold = gold_rate(units, sampled=sampled) if held.basis == "sample" else None
        found: CorrectedRate | None = None
        if held.basis == "sample" and tagged.share is not None:
            found = corrected_rate(units, tagged.share, sampled=sampled)
        elif held.basis == "assumed" and tagged.share is not None:
            same = [row for row in self._rows if _tagger(row) == held.tagger]
            found = beyond_the_gold(self._units(same, unit), tagged.share)
        words, basis = held.words, held.basis
        if found is None and basis != "none":
            basis, words = "none", "the tagger's errors on the gold are too many to correct"
        return TrustedRate(
            tagged=tagged,
            corrected=found.estimate if found else UNKNOWN,
            gold=gold.estimate if gold else UNKNOWN,
            basis=basis,
            valid_for=words,
            variance=found.variance if found else None,
        )

    def _units(self, rows: Sequence[Row], unit: Callable[[Row], GoldUnit]) -> list[GoldUnit]:
        """The sums of each user, else of each conversation, weighted by the chance to be read."""
        draws = [(one.first, one.last, one.chance) for one in self._frames.values()]
        found: dict[str, GoldUnit] = {}
        for row in rows:
            if chance := chance_in(draws, row["day"]):
                found[unit_of(row)] = _added(found.get(unit_of(row), GoldUnit(0, 0, 0, 0)), unit(row), 1 / chance)
        return list(found.values())


def _added(sums: GoldUnit, one: GoldUnit, weight: float) -> GoldUnit:
    """The sums of a unit with one more conversation, which counts by its weight."""
    names = ("gold", "gold_of", "tagged", "tagged_of", "both")
    return GoldUnit(**{name: getattr(sums, name) + weight * getattr(one, name) for name in names})


def _tagger(row: Row) -> Tagger:
    return Tagger(row["schema_version"], row["prompt_id"], row["model"])
