"""Gold as CSV: a row for each event that a reviewer sees in a message; one without event type if there is none."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cpa_core.errors import InputError
from cpa_core.gold.raw import RawReview
from cpa_core.gold.reviews import Labelled, Review

ABOUT = (
    "reviewer",
    "reviewed_at",
    "seconds",
    "queue",
    "draw_id",
    "chance",
    "blind",
    "note",
    "schema_version",
    "said",
)
COLUMNS = ("conversation_id", "message_id", "role", "event_type", "quote", "criterion", "verdict", *ABOUT)
"""Our columns, beside one for each property. Only `conversation_id` and the labels are needed."""
OF_A_ROW = ("seconds", "note")
"""Columns in which the rows of one review may differ: notes are joined, and the longest time counts."""
OTHER_NAMES = {"annotator": "reviewer", "annotator_id": "reviewer", "rater": "reviewer", "label": "event_type"}
"""Names that other files have for a column."""
NO = ("no", "false", "0")


def read_csv(text: str, name: str, properties: frozenset[str]) -> list[RawReview]:
    """The reviews of a CSV file, rows of one message by one reviewer together. Raises InputError with file and row.

    Columns that are neither ours nor a property of the schema are left out.
    """
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return _read(rows, name, properties)
    except csv.Error as wrong:
        raise InputError(f"{name}: row {rows.line_num}: {wrong}") from None


def _read(rows: "csv.DictReader[str]", name: str, properties: frozenset[str]) -> list[RawReview]:
    known = [OTHER_NAMES.get(one.strip(), one.strip()) for one in rows.fieldnames or ()]
    if "conversation_id" not in known or not {"event_type", "verdict"} & set(known):
        raise InputError(f"{name}: row 1: a column conversation_id is needed, and event_type or verdict")
    groups: dict[tuple[str, ...], list[tuple[int, dict[str, str]]]] = {}
    for number, row in enumerate(rows, 2):
        one = {OTHER_NAMES.get(key.strip(), key.strip()): (value or "").strip() for key, value in row.items() if key}
        at = tuple(one.get(key, "") for key in ("conversation_id", "message_id", *ABOUT) if key not in OF_A_ROW)
        groups.setdefault(at, []).append((number, one))
    return [_review(found, name, properties) for found in groups.values()]


def _review(rows: Sequence[tuple[int, Mapping[str, str]]], name: str, properties: frozenset[str]) -> RawReview:
    number, first = rows[0]
    place = f"{name}: row {number}"
    if not first["conversation_id"]:
        raise InputError(f"{place}: no conversation_id")
    labelled = [_labelled(row, properties) for _, row in rows if row.get("event_type") and _is_present(row)]
    try:
        about = {key: first[key] for key in ("queue", "draw_id", "schema_version", "reviewer") if first.get(key)}
        numbers = {key: max(given) for key in ("seconds", "chance") if (given := _numbers(rows, key))}
        at = datetime.fromisoformat(first["reviewed_at"]) if first.get("reviewed_at") else None
    except ValueError as wrong:
        raise InputError(f"{place}: {wrong}") from None
    return RawReview(
        place=place,
        conversation_id=first["conversation_id"],
        message_id=first.get("message_id") or None,
        labelled=tuple(labelled),
        verdicts={row["criterion"]: row["verdict"] for _, row in rows if row.get("criterion") and row.get("verdict")},
        reviewed_at=at if at is None or at.tzinfo else at.replace(tzinfo=UTC),
        blind=first.get("blind", "").lower() not in NO,
        note="; ".join(dict.fromkeys(row["note"] for _, row in rows if row.get("note"))),
        said=first.get("said", ""),
        **about,
        **numbers,
    )


def _numbers(rows: Sequence[tuple[int, Mapping[str, str]]], key: str) -> list[float]:
    return [float(row[key]) for _, row in rows if row.get(key)]


def _is_present(row: Mapping[str, str]) -> bool:
    """A column `present` that says no makes the row a no."""
    return row.get("present", "").lower() not in NO


def _labelled(row: Mapping[str, str], properties: frozenset[str]) -> Labelled:
    values = {name: row[name] for name in sorted(properties) if row.get(name)}
    return Labelled(event_type=row["event_type"], quote=row.get("quote") or None, properties=values)


def write_csv(reviews: Iterable[Review]) -> str:
    """Reviews as CSV, in our columns and one for each property."""
    rows = [row for review in reviews for row in _rows(review)]
    properties = sorted({name for row in rows for name in row if name not in COLUMNS})
    out = io.StringIO()
    writer = csv.DictWriter(out, [*COLUMNS, *properties], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _rows(review: Review) -> Iterator[dict[str, Any]]:
    of = review.model_dump(mode="json", include={"conversation_id", "message_id", "role", *ABOUT})
    if review.message_id is None:
        for answer in review.answers:
            yield of | {"criterion": answer.name, "verdict": answer.verdict}
        return
    present = [answer for answer in review.answers if answer.present]
    for answer in present:
        yield of | {"event_type": answer.name, "quote": answer.quote} | dict(answer.properties)
    if not present:
        yield of
