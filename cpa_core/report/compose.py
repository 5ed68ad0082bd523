"""From the answers to the document: sections, drill-downs, and the conversations behind them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from typing import Any

from cpa_core import insights, schema
from cpa_core.events import Choices, choices_of
from cpa_core.gold.probing import ProbedLabels
from cpa_core.insights import Scope, Selection
from cpa_core.insights.topic_figures import TopicFigures
from cpa_core.models import EventSchema
from cpa_core.redaction import Redactor
from cpa_core.report import sections, words
from cpa_core.report.behind import Group
from cpa_core.report.choosing import MOST_BYTES, MOST_CONVERSATIONS, chosen, within
from cpa_core.report.comparing import Declared, comparison, declared_changes
from cpa_core.report.document import Document
from cpa_core.report.drills import drills, groups_of, used_keys
from cpa_core.report.evidence import evidence_of
from cpa_core.report.examples import Example, event_key, examples
from cpa_core.report.sections import Asked
from cpa_core.report.sections.issues import title
from cpa_core.settings import Privacy
from cpa_core.store import Store

LEFT_OUT = ("behind", "inbox", "mix", "flow", "kinds", "transitions", "coverage", "drop_offs")
"""Answers that are in the page in another form: drill-downs, charts, tables of which a part is shown."""


@dataclass(frozen=True)
class Wanted:
    """The options of a report. `compare`: days before, and the days to compare with them.

    `link` gives the address at which a conversation can be read whole, null for none.
    `probed` are the labels of conversations that were asked again.
    """

    scope: Scope
    privacy: Privacy
    redactor: Redactor
    now: datetime
    compare: tuple[Scope, Scope] | None = None
    changes: tuple[Declared, ...] = ()
    link: Callable[[str], str | None] = lambda conversation_id: None
    probed: tuple[ProbedLabels, ...] = ()


def compose(store: Store, wanted: Wanted) -> Document:
    """The document of a scope. Raises StoreBusy."""
    with insights.selected(store, wanted.scope) as of:
        compared = comparison(store, of, wanted.compare)
        asked = sections.ask(of, compared, declared_changes(store, of, wanted.changes, wanted.probed))
        return document_of(of, asked, wanted)


def nameless(topics: Sequence[TopicFigures]) -> tuple[TopicFigures, ...]:
    """The topics or groups without their words."""
    return tuple(replace(one, name=None, description=None) for one in topics)


def document_of(of: Selection, asked: Asked, wanted: Wanted) -> Document:
    """Return the document of the results."""
    if wanted.privacy == "no_text":  # a topic's name is made of words of messages
        asked = replace(asked, topics=nameless(asked.topics), topic_groups=nameless(asked.topic_groups))
    heads = sections.headlines(asked)
    parts = [
        sections.issues(asked),
        *([sections.changes(asked)] if asked.declared else []),
        sections.quality(asked),
        *([sections.topics(asked)] if asked.topics else []),
        sections.mix(asked),
        *([sections.trust(asked)] if asked.trust else []),
        sections.paths(asked),
        sections.conversations(asked),
        sections.operations(asked),
    ]
    groups, keys = groups_of(asked), used_keys(heads, parts)
    used = {key: groups[key] for key in sorted(keys & groups.keys())}
    schemas = known_schemas(of)
    found = _conversations(of, used, wanted, choices_of(schemas))
    ranked = sorted(found, key=lambda place: (found[place]["score"] is None, found[place]["score"] or 0.0, place))
    at = {place: rank for rank, place in enumerate(ranked)}
    shown = [found[place] for place in ranked]
    opened = drills(asked, within(used, set(found)), at, shown)
    return Document(
        title=schemas[-1].name if schemas else "Conversations",
        span=words.span_of(asked.scope.first, asked.scope.last),
        summary=sections.summary(asked),
        banner=sections.banner(asked),
        about=sections.about(asked, wanted.privacy),
        headlines=heads,
        sections=parts,
        drills=opened,
        conversations=shown,
        figures=figures(asked),
        new_issues={one.id: title(one) for one in asked.issues if one.state == "new"},
        event_types=_event_types(asked),
        properties=_properties(shown),
        evidence=evidence_of(asked, schemas[-1], opened, shown) if schemas else (),
        made_at=f"{wanted.now:%Y-%m-%d %H:%M} UTC",
    )


def _conversations(of: Selection, used: Mapping[str, Group], wanted: Wanted, choices: Choices) -> dict[int, Example]:
    """Return the conversations behind the numbers by place, as many as the file may contain."""
    places = sorted(chosen(used.values(), MOST_CONVERSATIONS))
    found = dict(zip(places, examples(of, places, wanted.privacy, wanted.redactor, choices), strict=True))
    for one in found.values():
        if one.pop("is_own_id") and (link := wanted.link(one["id"])):
            one["link"] = link
    sizes = {place: len(json.dumps(one)) for place, one in found.items()}
    kept = chosen(within(used, set(places)).values(), MOST_BYTES, sizes.__getitem__)
    return {place: one for place, one in found.items() if place in kept}


def known_schemas(of: Selection) -> list[EventSchema]:
    """The recorded schemas; the one in force is the last."""
    rows = of.view.answer("schema/versions")
    return [schema.parse(row["yaml"], f"schema {row['version']}")[0] for row in rows]


def figures(asked: Asked) -> dict[str, Any]:
    """The answers as JSON has them: days as text, kinds of event as role and name."""
    found = {field.name: _plain(getattr(asked, field.name)) for field in fields(asked) if field.name not in LEFT_OUT}
    return found | {"cost": asked.cost, "drop_offs": _plain(sections.shown_drop_offs(asked))}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    return round(value, 6) if isinstance(value, float) else value


def _event_types(asked: Asked) -> list[tuple[str, str]]:
    found = [(event_key(number), f"{kind.event_type} ({kind.role})") for number, kind in asked.kinds.items()]
    return sorted(found, key=lambda pair: pair[1].lower())


def _properties(shown: list[dict[str, Any]]) -> list[str]:
    """Pairs of property and value that occur in the conversations shown, as the page's filter offers them."""
    pairs = {
        f"{name}: {value}"
        for one in shown
        for turn in one["turns"]
        for event in turn["events"]
        for name, value in event["properties"].items()
        if len(value) <= 60
    }
    return sorted(pairs)[:500]
