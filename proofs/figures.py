"""What a proof prints: tables of figures, and claims that held or did not; and what the store holds of each day."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cpa_core.store import Store
from proofs.scene import Failed

Figures = Mapping[str, Any]

OF_DAYS = """
    select
      d.day::varchar as day,
      (select count(*) from raw_conversations r where r.day = d.day) as conversations,
      (select count(*) from messages m where m.day = d.day and m.role in ('user', 'assistant')) as messages,
      (select coalesce(sum(messages_asked), 0)::bigint from tagged_conversations t
        where t.day = d.day and t.outcome = 'ok') as tagged,
      (select count(*) from judge_scores j where j.day = d.day and j.outcome = 'ok') as judged,
      (select count(*) from tagged_events e where e.day = d.day) as events,
      (select count(distinct event_id) from upload_receipts u where u.day = d.day and u.status = 'accepted')
        as receipts,
      (select count(*) from failures f where f.day = d.day) as failures
    from days d
    where d.built_generation is not null
    order by d.day
"""


@dataclass
class Timeline:
    """When what happened in a proof, in seconds since it began."""

    began: float = field(default_factory=time.monotonic, kw_only=True)
    timeline: list[dict[str, Any]] = field(default_factory=list, kw_only=True)

    def note(self, what: str) -> None:
        """Write down what happened now."""
        self.timeline.append({"second": round(time.monotonic() - self.began), "what": what})


class Claims:
    """The claims of one proof, printed as they are made."""

    def __init__(self) -> None:
        self.broken = 0

    def claim(self, words: str, held: bool) -> None:
        """State that something holds."""
        print(f"{'holds ' if held else 'BROKEN'}  {words}", flush=True)
        self.broken += not held

    def whole(self, days: Sequence[Figures]) -> None:
        """State that nothing is missing in these days."""
        self.claim("every message has its row of tags", all(d["tagged"] == d["messages"] > 0 for d in days))
        self.claim("every conversation has its judgment", all(d["judged"] == d["conversations"] > 0 for d in days))
        self.claim("every event has its receipt", all(d["receipts"] == d["events"] + d["judged"] for d in days))
        self.claim("nothing failed", not any(d["failures"] for d in days))


def of_days(home: Path) -> list[Figures]:
    """Return the figures of each built day.

    `messages` counts those of user and assistant, which are tagged, and no tool's. `receipts` counts events, those of
    judgments among them.
    """
    with Store(home).reading() as view:
        return list(view.rows(OF_DAYS))


def total(days: Sequence[Figures], names: Sequence[str]) -> dict[str, int]:
    """The sums over days."""
    return {name: sum(day[name] for day in days) for name in names}


def show(title: str, rows: Sequence[Figures]) -> None:
    """Print a table."""
    print(f"\n{title}")
    if not rows:
        print("  (no row)")
        return
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(cells[0]))]
    for line in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)), flush=True)


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def proved(proof: Callable[[Claims], None]) -> int:
    """Run a proof: the exit status, 1 where a claim was broken or the proof could not go on."""
    claims = Claims()
    try:
        proof(claims)
    except Failed as reason:
        claims.claim(f"the proof goes on to its end: {reason}", False)
    return 1 if claims.broken else 0
