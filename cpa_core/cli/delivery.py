"""What the command line shows of deliveries: what would be sent, and how events and receipts compare."""

from collections.abc import Sequence

from cpa_core.destinations.outbox import line
from cpa_core.pipeline import Expected, Preview, Reconciled


def preview_lines(preview: Preview) -> list[str]:
    """What would be sent of one day to one destination, by type, with samples as privacy lets them out."""
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
    """For each day and destination: events, their receipts, the difference, and what is there but no longer true."""
    return [
        f"receipts: {one.day} {one.destination}: {one.events} events = {one.accepted} accepted "
        f"+ {one.rejected} rejected + {one.open} open, difference {one.difference}, stale {one.stale}"
        + (": cpa run --correct withdraws them" if one.stale else "")
        + (f", {one.left_out} left out" if one.left_out else "")
        for one in found
    ]


def expected_lines(found: Sequence[Expected]) -> list[str]:
    """About how many events a day each destination would be sent: vendors bill by the event."""
    return [
        f"{one.destination}: "
        + (
            "events a day unknown until something is tagged"
            if one.events_a_day is None
            else f"about {one.events_a_day:,.0f} events a day"
        )
        for one in found
    ]
