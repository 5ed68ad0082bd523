"""Output of the command line about deliveries: a preview of the events to send, and events against receipts."""

from collections import Counter
from collections.abc import Sequence

from cpa_core.destinations.outbox import line
from cpa_core.pipeline import Expected, Preview, Reconciled


def preview_lines(preview: Preview) -> list[str]:
    """Return the preview of one day at one destination: event counts by type, and samples with privacy applied."""
    total = sum(preview.types.values())
    lines = [
        f"{preview.day} {preview.destination}: {total} events to send, {preview.already} need not be sent"
        + (f", {preview.left_out} left out" if preview.left_out else "")
    ]
    if preview.stale:
        lines.append(f"  {preview.stale} more there are no longer true: cpa run --correct withdraws them")
    if preview.unfinished:
        lines.append(f"  held back as it is: {preview.unfinished} open (cpa status)")
    lines += [f"  {count:>7} {name}" for name, count in preview.types.items()]
    return lines + [f"  as in: {line(event)}" for event in preview.samples]


def reconciled_lines(found: Sequence[Reconciled]) -> list[str]:
    """Return for each day and destination: events, receipts, their difference, and delivered events no longer true."""
    return [
        f"receipts: {one.day} {one.destination}: {one.events} events = {one.accepted} accepted "
        f"+ {one.rejected} rejected + {one.open} open, difference {one.difference}, stale {one.stale}"
        + (": cpa run --correct withdraws them" if one.stale else "")
        + (f", {one.left_out} left out" if one.left_out else "")
        for one in found
    ]


def again_lines(found: Sequence[Reconciled]) -> list[str]:
    """Return for each destination how many delivered events re-tagged days send again: all that name the schema.

    Outbox and Parquet are files on this machine, and are written anew.
    """
    sent = Counter[str]()
    for one in found:
        sent[one.destination] += one.accepted if one.destination not in ("outbox", "parquet") else 0
    return [
        f"{name}: up to {count:,} delivered events of these days are sent again, because each holds schema_version"
        for name, count in sent.items()
        if count
    ]


def expected_lines(found: Sequence[Expected]) -> list[str]:
    """Return the expected events a day for each destination: vendors bill by the event."""
    return [
        f"{one.destination}: "
        + (
            "events a day unknown until something is tagged"
            if one.events_a_day is None
            else f"about {one.events_a_day:,.0f} events a day"
        )
        for one in found
    ]
