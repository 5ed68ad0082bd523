"""From the answers to the document: sections, drill-downs, and the conversations behind them."""

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from cpa_core import insights, schema
from cpa_core.events import Privacy, choices_of
from cpa_core.insights import Scope, Selection
from cpa_core.models import EventSchema
from cpa_core.redaction import Redactor
from cpa_core.report import sections, words
from cpa_core.report.comparing import Declared, comparison, declared_changes
from cpa_core.report.document import Document
from cpa_core.report.drills import drills, groups_of, used_keys
from cpa_core.report.examples import event_key, examples
from cpa_core.report.sections import Asked
from cpa_core.store import Store

LEFT_OUT = ("behind", "mix", "flow", "kinds", "transitions", "coverage")
"""Answers that are in the page in another form: drill-downs, charts, tables of which a part is shown."""


@dataclass(frozen=True)
class Wanted:
    """Which report is wanted. `compare`: days before, and the days to compare with them."""

    scope: Scope
    privacy: Privacy
    redactor: Redactor
    now: datetime
    compare: tuple[Scope, Scope] | None = None
    changes: tuple[Declared, ...] = ()


def compose(store: Store, wanted: Wanted) -> Document:
    """The document of a scope. Raises StoreBusy."""
    with insights.selected(store, wanted.scope) as of:
        compared = comparison(store, of, wanted.compare)
        asked = sections.ask(of, compared, declared_changes(store, of, wanted.changes))
        return document_of(of, asked, wanted)


def document_of(of: Selection, asked: Asked, wanted: Wanted) -> Document:
    """The document of what was asked."""
    heads = sections.headlines(asked)
    parts = [
        sections.issues(asked),
        *([sections.changes(asked)] if asked.declared else []),
        sections.quality(asked),
        sections.mix(asked),
        sections.paths(asked),
        sections.conversations(asked),
        sections.operations(asked),
    ]
    groups = groups_of(asked)
    keys = used_keys(heads, parts) & groups.keys()
    places = sorted({place for key in keys for place in groups[key].places})
    schemas = known_schemas(of)
    found = examples(of, places, wanted.privacy, wanted.redactor, choices_of(schemas))
    ranked = sorted(range(len(found)), key=lambda n: (found[n]["score"] is None, found[n]["score"] or 0.0, n))
    at = {places[n]: rank for rank, n in enumerate(ranked)}
    shown = [found[n] for n in ranked]
    return Document(
        title=schemas[-1].name if schemas else "Conversations",
        span=words.span_of(asked.scope.first, asked.scope.last),
        summary=sections.summary(asked),
        banner=sections.banner(asked),
        about=sections.about(asked, wanted.privacy),
        headlines=heads,
        sections=parts,
        drills=drills(asked, groups, keys, at, shown),
        conversations=shown,
        figures=figures(asked),
        event_types=_event_types(asked),
        properties=_properties(shown),
        made_at=f"{wanted.now:%Y-%m-%d %H:%M} UTC",
    )


def known_schemas(of: Selection) -> list[EventSchema]:
    """The recorded schemas, the newest last."""
    rows = of.view.rows("select version, yaml from event_schemas order by created_at, version")
    return [schema.parse(row["yaml"], f"schema {row['version']}")[0] for row in rows]


def figures(asked: Asked) -> dict[str, Any]:
    """The answers as JSON has them: days as text, kinds of event as role and name."""
    found = {field.name: _plain(getattr(asked, field.name)) for field in fields(asked) if field.name not in LEFT_OUT}
    return found | {"cost": asked.cost}


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
