"""The quality of a selection's labels: each label of the schema in force compared with people's labels."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cpa_core.gold.agreement import Confusion, PeopleAgreement, agreement, left_one_out, people_agreement
from cpa_core.gold.correcting import LEAST_CONVERSATIONS, DoubtedMessage, GoldUnit, by_doubt_rate
from cpa_core.gold.people import know_gold, meanings, people_on_labels, rows_by, schema_in_force, unit_of
from cpa_core.gold.rates import LabelRates
from cpa_core.gold.reviews import LabelKind, definition_of
from cpa_core.gold.trust import PropertyTrust, Trust
from cpa_core.gold.validity import Frame, Population, Tagger
from cpa_core.insights import UNKNOWN, Kind, Rate, Selection, criteria, dealbreakers
from cpa_core.insights.statistics import UnitSums, rate, share
from cpa_core.models import EventSchema, EventType
from cpa_core.store.database import Row


def trust(of: Selection) -> tuple[Trust, ...]:
    """Return the trust in each label of the schema in force, in its order: types, goals, dealbreakers.

    Empty if no schema is recorded, or nobody has labelled anything.
    """
    return of.once(_trust)


def _trust(of: Selection) -> tuple[Trust, ...]:
    if not of.view.answer("gold/has_labels"):
        return ()
    asked = of.once(_asked_of)
    return () if asked is None else (*_event_types(asked), *_verdicts(asked))


def gold_units(of: Selection, kind: EventType) -> tuple[list[GoldUnit], int]:
    """Return the random gold units for a label's share of messages, and the number of their conversations."""
    asked = of.once(_asked_of)
    if asked is None:
        return [], 0
    rows = [row for row in asked.units.get(kind.key, ()) if row["part"] == "measure" and row["is_tagged"]]
    rates = asked.rates("tag", [row for row in rows if row["is_whole"]])
    return rates.units(_of_messages), len(rates.inside)


@dataclass(frozen=True)
class _Asked:
    """The answers of the SQL questions about gold for one selection."""

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
            units=rows_by(view.answer("gold/units"), "key"),
            verdicts=rows_by(view.answer("gold/verdict_units"), "key"),
            people=people_on_labels(view, meanings(view, schema)),
            properties=rows_by(view.answer("gold/property_units"), "key"),
            frames=view.answer("gold/frames"),
            taggers={task: Population(counts) for task, counts in taggers.items()},
            doubted=rows_by(view.answer("gold/doubted"), "label"),
        )

    def by_doubt(self, key: str) -> dict[str, Any]:
        """Return the share of messages from the most-read draw by doubt over the selected days."""
        days = self.taggers["tag"].days
        draws = rows_by(self.doubted.get(key, ()), "draw_id").values()
        same = [rows for rows in draws if days and (rows[0]["first_day"], rows[0]["last_day"]) == (days[0], days[-1])]
        rows = max(same, key=len, default=[])
        read = [DoubtedMessage(row["present"], row["believed"], row["chance"]) for row in rows]
        if len(read) < LEAST_CONVERSATIONS:
            return {"doubted": len(read)}
        found = by_doubt_rate(read, rows[0]["mean_believed"], rows[0]["frame"])
        return {"doubted": len(read), "by_doubt": found.estimate if found else UNKNOWN}

    def rates(self, task: str, rows: Sequence[Row]) -> LabelRates:
        """The rates of a label that a task gave, from these labelled conversations."""
        return LabelRates(self.taggers[task], self._frames_of(rows), rows)

    def _frames_of(self, read: Iterable[Row]) -> dict[str, Frame]:
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


def _asked_of(of: Selection) -> _Asked | None:
    """Return the answers of the questions about gold; null before the first schema is recorded."""
    schema = schema_in_force(of.view)
    if schema is None:
        return None
    know_gold(of.view, schema)
    return _Asked.about(of, schema)


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
        rates = asked.rates("tag", whole)
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
    """Return a share as tagged, by unit; unknown if no message has the role."""
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
    for name, of in rows_by((row for row in rows if row["part"] == "measure"), "property").items():
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
    rates = asked.rates("judge", known)
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
    """Return whether the judge's verdict is met or hit; null if it cannot tell."""
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
