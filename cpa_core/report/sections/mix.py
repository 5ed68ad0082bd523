"""The mix of events: over time by role, and their properties."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from cpa_core.insights import Kind
from cpa_core.report import charts, words
from cpa_core.report.behind import property_key
from cpa_core.report.cells import number_cell, share_cell
from cpa_core.report.document import Cell, Chart, Column, Section, Table
from cpa_core.report.sections.asked import Asked
from cpa_core.report.sections.trust import badge, with_correction

SHOWN = 7
"""Kinds of event that a chart shows separately; the others share one series."""

REST = "all others"
ROLES = {"user": "What users do", "assistant": "What the assistant does"}


def mix(asked: Asked) -> Section:
    """The section."""
    found = [chart for role in ROLES if (chart := _over_time(asked, role))]
    notes = [_versions(asked)] if len(asked.versions) > 1 else []
    return Section(
        name="events",
        short="Events",
        title="What happens",
        lead="Events of users and of the assistant over time, how many conversations have them, and how those end.",
        charts=found,
        tables=[_table(asked), *([_properties(asked)] if asked.properties else [])],
        notes=notes,
    )


def _over_time(asked: Asked, role: str) -> Chart | None:
    counted = [(asked.kinds[row["kind"]], row) for row in asked.mix if asked.kinds[row["kind"]].role == role]
    if not counted:
        return None
    totals: dict[Kind, int] = {}
    for kind, row in counted:
        totals[kind] = totals.get(kind, 0) + row["events"]
    shown = sorted(totals, key=lambda kind: (-totals[kind], kind.event_type))[:SHOWN]
    bars: dict[tuple[date, str], dict[str, Any]] = {}
    for kind, row in counted:
        name = kind.event_type if kind in shown else REST
        bar = bars.setdefault((row["bucket"], name), _bar(asked, row["bucket"], kind if kind in shown else None, shown))
        bar["value"] += row["events"]
    rows = [bars[at] for at in sorted(bars, key=lambda at: (at[0], bars[at]["place"]))]
    names = [kind.event_type for kind in shown]
    return Chart(
        name=f"mix-{role}",
        title=ROLES[role],
        caption=f"Events by {asked.unit}."
        + (f" The {SHOWN} most frequent of {len(totals)} types." if len(totals) > SHOWN else ""),
        spec=charts.stacked(rows, names, REST, markers(asked), "events"),
        table=Table(
            f"mix-{role}-table",
            f"{ROLES[role]}, events by {asked.unit}",
            [Column("from"), Column("event"), Column("events", "number")],
            [
                [Cell(r["bucket"]), Cell(r["kind"]), Cell(words.count(r["value"]), drill=r["drill"], sort=r["value"])]
                for r in rows
            ],
        ),
        is_wide=len(asked.stretches) > 16,
    )


def _bar(asked: Asked, bucket: date, kind: Kind | None, shown: Sequence[Kind]) -> dict[str, Any]:
    key = f"mix:{bucket}:{asked.behind.numbers[kind]}" if kind else f"on:{bucket}"
    place = shown.index(kind) if kind else len(shown)
    return {
        "bucket": label(bucket, asked),
        "kind": kind.event_type if kind else REST,
        "value": 0,
        "place": place,
        "drill": asked.behind.has(key),
    }


def label(bucket: date, asked: Asked) -> str:
    """Return a stretch of time as axes name it, with the year if the range spans several."""
    if asked.unit == "month":
        return f"{bucket:%b %Y}"
    first = min([asked.scope.first, *(stretch.bucket for stretch in asked.stretches[:1])])
    year = f" {bucket.year}" if first.year != asked.scope.last.year else ""
    return f"{bucket.day} {bucket:%b}{year}"


def markers(asked: Asked) -> list[dict[str, Any]]:
    """Return the starts of another schema, prompt or model, and declared changes: the stretch and the new value."""
    buckets = [stretch.bucket for stretch in asked.stretches]
    found: list[dict[str, Any]] = []
    for version in sorted(asked.versions, key=lambda one: one.first_day)[1:]:
        at = max((bucket for bucket in buckets if bucket <= version.first_day), default=version.first_day)
        found.append({"bucket": label(at, asked), "label": f"schema {version.schema_version[:6]}"})
    for change in asked.declared:
        at = max((bucket for bucket in buckets if bucket <= change.after.first), default=change.after.first)
        found.append({"bucket": label(at, asked), "label": change.label[:24]})
    return found


def _versions(asked: Asked) -> str:
    said = [
        f"schema {one.schema_version} (prompt {one.prompt_id[:8]}, {one.model}) from {words.day(one.first_day)} to "
        f"{words.day(one.last_day)}: {words.count(one.conversations)} conversations"
        for one in asked.versions
    ]
    return "Tagged by " + "; ".join(said) + ". Figures before and after a change may not compare."


def _table(asked: Asked) -> Table:
    rows = []
    for one in asked.events:
        key = asked.behind.numbers[one.kind]
        rows.append(
            [
                Cell(one.kind.event_type, of=one.kind.role),
                number_cell(one.events, asked.behind.has(f"event:{key}")),
                with_correction(asked, one.kind, share_cell(one.conversations, asked.behind.has(f"event:{key}"))),
                share_cell(one.bad, asked.behind.has(f"bad-event:{key}"), is_bad=True),
                *([badge(asked, one.kind)] if asked.trust else []),
            ]
        )
    columns = [Column("event"), Column("times", "number"), Column("in conversations"), Column("of them bad")]
    columns += [Column("checked by people")] if asked.trust else []
    return Table("events-table", "Every type of event", columns, rows, filters=len(rows) > 8)


def _properties(asked: Asked) -> Table:
    rows = []
    for one in asked.properties:
        key = property_key(asked.behind.numbers[one.kind], one.property, one.value)
        rows.append(
            [
                Cell(one.kind.event_type, of=one.kind.role),
                Cell(one.property),
                Cell(one.value if one.value is not None else "words of their own"),
                share_cell(one.events, asked.behind.has(key)),
            ]
        )
    columns = [Column("event"), Column("property"), Column("value"), Column("of these events")]
    return Table("properties-table", "Properties by event", columns, rows, filters=len(rows) > 8)
