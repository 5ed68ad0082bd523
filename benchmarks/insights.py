"""One million messages, 60 event types, 365 days: every question of the insights, its seconds and the peak memory."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cpa_core import insights
from cpa_core.insights import Selection
from cpa_core.models import Criteria, EventSchema, EventType, Property
from cpa_core.schema import dump
from cpa_core.store import Store

CONVERSATIONS = 100_000
SECONDS, MEGABYTES = 20, 2_000

TOPIC = Property(name="Topic", definition="About what.", choices=tuple(f"T{n}" for n in range(8)))
SCHEMA = EventSchema(
    name="A",
    description="B",
    criteria=Criteria(primary_goals=("P", "Q"), secondary_goals=("R", "S"), dealbreakers=("D", "E")),
    event_types=tuple(
        EventType(name=f"{role} {n}", definition="E", role=role, properties=(TOPIC,))
        for role in ("user", "assistant")
        for n in range(30)
    ),
)
"""60 event types, each with a property of eight choices; four goals and two dealbreakers."""

TABLES = {
    "raw_conversations": """
        select date '2026-01-01' + (hash(n) % 365)::integer as day, 'conversation-' || n as conversation_id,
          'user-' || hash(n, 1) % 30000 as user_id, (4 + hash(n, 3) % 13)::bigint as message_count,
          day + interval 8 hour + to_seconds((hash(n, 2) % 50000)::bigint) as started_at,
          started_at + to_minutes(message_count) as ended_at,
          'h' as content_hash, false as time_assumed, '{"plan": "free"}' as metadata
        from range($conversations) as made(n)""",
    "messages": """
        select r.day, r.conversation_id, p.position::varchar as message_id, p.position,
          case when p.position % 2 = 0 then 'user' else 'assistant' end as role, 'Some words.' as content,
          r.started_at + to_minutes(p.position) as sent_at
        from raw_conversations r, range(16) as p(position) where p.position < r.message_count""",
    "tagged_conversations": """
        select day, conversation_id, content_hash, $version as schema_version, 'p' as prompt_id, 'm' as model,
          'ok' as outcome, message_count as messages_asked, 0.001 as cost from raw_conversations""",
    "tagged_events": """
        select m.day, uuid()::varchar as event_id, m.conversation_id, m.message_id, m.position, m.role,
          m.role || ' ' || floor(30 * pow((hash(m.conversation_id, m.position, nth) % 10000) / 10000, 1.6))::integer
            as event_type,
          '{"Topic": "T' || hash(m.conversation_id, m.position) % 8 || '"}' as properties,
          'words' as quote, nth * 2 as quote_start, nth * 2 + 4 as quote_end, 'So it says.' as because,
          $version as schema_version, 'p' as prompt_id, 'm' as model
        from messages m, range(2) as e(nth) where nth = 0 or hash(m.conversation_id, m.position, 9) % 5 = 0""",
    "judge_scores": """
        select day, conversation_id, content_hash, 'ok' as outcome, $version as schema_version, 'p' as prompt_id,
          'm' as model, 0.001 as cost, (hash(conversation_id, 4) % 1001) / 10 as score, 'Because.' as because,
          '{' || (select string_agg('"' || g || '": {"quote": "words", "because": "So.", "verdict": "'
            || ['met', 'partly', 'missed', 'cannot tell'][(1 + hash(conversation_id, g) % 4)::integer] || '"}', ', ')
            from (select unnest(['P1', 'P2', 'S1', 'S2']) as g)) || '}' as verdicts,
          '{"D1": {"quote": null, "because": "No.", "hit": ' || (hash(conversation_id, 5) % 50 = 0)
            || '}, "D2": {"quote": null, "because": "No.", "hit": false}}' as dealbreakers
        from raw_conversations""",
    "answers": """
        select a.task, 'x' as provider, 'm' as model, 'ok' as outcome, 900 as prompt_tokens, 90 as completion_tokens,
          0.001 as cost, day, conversation_id, 'r' as run_id
        from raw_conversations, (values ('tag'), ('judge')) as a(task)""",
}


def make(home: Path, conversations: int = CONVERSATIONS) -> None:
    """Write the tables."""
    with Store(home).writing() as transaction:
        made_at = datetime(2026, 1, 1, tzinfo=UTC)
        row = {"version": SCHEMA.version, "yaml": dump(SCHEMA), "created_at": made_at, "origin": "file"}
        transaction.insert("event_schemas", [row])
        for table, sql in TABLES.items():
            wanted = {"conversations": conversations, "version": SCHEMA.version}
            names = {name: value for name, value in wanted.items() if f"${name}" in sql}
            transaction.execute(f"insert into {table} by name {sql}", **names)


QUESTIONS: tuple[Callable[[Selection], Any], ...] = (
    insights.overview,
    insights.days,
    insights.event_mix,
    insights.events,
    insights.properties,
    insights.transitions,
    insights.endings,
    insights.drop_offs,
    insights.turns,
    insights.hours,
    insights.lengths,
    insights.scores,
    insights.criteria,
    insights.dealbreakers,
    insights.low_score_events,
    insights.friction,
    insights.returns,
    insights.coverage,
    insights.versions,
    insights.costs,
    insights.failures,
    insights.issues,
    insights.event_examples,
    insights.transition_examples,
    insights.criterion_examples,
)


def ask(home: Path) -> None:
    """Every question once, in this process."""
    store = Store(home)
    began, worked = time.monotonic(), time.process_time()
    scope = insights.whole(store)
    assert scope
    with insights.selected(store, scope) as of:
        print(f"{'selected':20}{time.monotonic() - began:8.2f} s")
        for question in QUESTIONS:
            at = time.monotonic()
            question(of)
            print(f"{question.__name__:20}{time.monotonic() - at:8.2f} s")
        seconds, cpu = time.monotonic() - began, time.process_time() - worked
        count = insights.overview(of)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count.messages:,} messages, {count.events:,} events, {len(of.kinds)} event types, {count.conversations:,}",
        end="",
    )
    print(
        f" conversations: {seconds:.1f} s (at most {SECONDS}), {cpu:.1f} s of cpu, "
        f"peak {peak:,.0f} MB (at most {MEGABYTES:,})"
    )


def main() -> None:
    """Make the tables, then ask in a process of its own."""
    if len(sys.argv) > 1:
        ask(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        subprocess.run([sys.executable, "-m", "benchmarks.insights", folder], check=True)


if __name__ == "__main__":
    main()
