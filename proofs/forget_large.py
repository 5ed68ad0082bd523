"""Forgetting in a large home: `python -m proofs.forget_large` (100,000 conversations, or `--conversations`).

A person is forgotten, then what is old; each is killed by SIGKILL at random moments before, and run again. DuckDB makes
the rows, as if they had been labelled and delivered. It prints seconds, and looks for the person in every byte.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple

from cpa_core.pipeline import Assistant
from cpa_core.settings import settings
from cpa_core.store import Store
from proofs.figures import Claims, proved, show
from proofs.scene import BIN

COUNT = 100_000
DAYS = 400
KILLS = 4
PERSON = "user-000007"
FILL = (
    """create temp table made as select
        'conversation-' || lpad(n::varchar, 7, '0') as conversation_id,
        'user-' || lpad((n % (1 + $count // 10))::varchar, 6, '0') as user_id,
        $first::date + (n % $days)::integer as day, n
      from range($count) r(n)""",
    """insert into landed_messages by name select 'chats.jsonl' as uri, '1' as etag, n::varchar as place, 1 as ordinal,
        conversation_id, 'm1' as message_id, user_id, 'user' as role,
        'What was said in ' || conversation_id || ' of ' || user_id as content,
        day::timestamptz + interval 9 hour as sent_at from made""",
    """insert into raw_conversations by name select day, conversation_id, user_id,
        day::timestamptz + interval 9 hour as started_at, day::timestamptz + interval 9 hour as ended_at,
        1 as message_count, 'hash' as content_hash from made""",
    """insert into messages by name select day, conversation_id, 'm1' as message_id, 0 as position, 'user' as role,
        'What was said in ' || conversation_id || ' of ' || user_id as content,
        day::timestamptz + interval 9 hour as sent_at from made""",
    """insert into tagged_conversations by name select day, conversation_id, 'hash' as content_hash,
        's' as schema_version, 'p' as prompt_id, 'm' as model, 'ok' as outcome, 1 as messages_asked from made""",
    """insert into tagged_events by name select day, 'event-' || n as event_id, conversation_id, 'm1' as message_id,
        0 as position, 'user' as role, 'Question' as event_type, '{}'::json as properties,
        'said in ' || conversation_id as quote, 's' as schema_version from made""",
    """insert into judge_scores by name select day, conversation_id, 70.0 as score, 'hash' as content_hash,
        's' as schema_version, 'ok' as outcome from made""",
    """insert into upload_receipts by name select 'outbox' as destination, '' as project, 'event-' || n as event_id,
        'h' as payload_hash, 'Question' as event_name, day, 'accepted' as status, conversation_id,
        user_id as distinct_id, true as identified from made""",
    """insert into answers by name select 'answer-' || n as answer_id, 'r' || n as request_hash, 'tag' as task,
        'ok' as outcome, '{"quote": "said in ' || conversation_id || '"}' as answer, 100 as prompt_tokens,
        0.001 as cost, day, conversation_id, day::timestamptz as created_at from made""",
    "insert into landed_files by name select 'chats.jsonl' as uri, '1' as etag, $count as records",
    """insert into days by name select distinct day, 1 as generation, 1 as built_generation,
        ['outbox'] as delivered_to from made""",
)


class Took(NamedTuple):
    """Seconds, seconds of processor, and the most megabytes that any command so far had in memory."""

    seconds: float
    cpu: float
    peak_mb: float


def filled(home: Path, count: int) -> Assistant:
    """A home with so many conversations, a tenth as many users."""
    assistant = Assistant.of(settings({"CPA_HOME": str(home)}))
    with assistant.store.writing() as transaction:
        for sql in FILL:
            names = {"count": count, "first": date(2025, 8, 1), "days": DAYS}
            transaction.execute(sql, **{name: value for name, value in names.items() if f"${name}" in sql})
    return assistant


def called(home: Path, *words: str, kill_after: float | None = None) -> Took:
    """Seconds of a command; it is killed after so many."""
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [str(BIN / "cpa"), "forget", *words, "--yes", "--home", str(home)]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
    done = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = done.ru_utime + done.ru_stime - used.ru_utime - used.ru_stime
    return Took(time.monotonic() - began, cpu, done.ru_maxrss / 1024)


def holding(home: Path, wanted: bytes) -> list[str]:
    """The files of a home that hold these bytes."""
    return [path.name for path in home.rglob("*") if path.is_file() and wanted in path.read_bytes()]


def counted(home: Path) -> dict[str, int]:
    """Rows of others, and sums of days."""
    with Store(home).reading() as view:
        row = view.rows(
            "select count(*) as conversations, count(distinct user_id) as users, "
            "(select sum(cost) from answers) as cost from raw_conversations"
        )[0]
    return dict(row)


def proof(claims: Claims) -> None:
    """Both ways of forgetting, killed and run again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=COUNT)
    count = parser.parse_args().conversations
    drawn = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="forget-") as name:
        home = Path(name) / "home"
        filled(home, count)
        before = counted(home)
        show("the home", [before | {"MB": (home / "cpa.duckdb").stat().st_size / 1e6}])
        whole = called(home, "--user", "user-000009")
        claims.claim("the person is in no byte", holding(home, b"user-000009") == [])
        for _ in range(KILLS):
            called(home, "--user", PERSON, kill_after=drawn.uniform(0.2, 1.0) * whole.seconds)
        again = called(home, "--user", PERSON)
        after = counted(home)
        claims.claim("killed at random and run again: the person is in no byte", holding(home, PERSON.encode()) == [])
        claims.claim("two users went, and no other", before["users"] - after["users"] == 2)
        claims.claim("what was spent stays", before["cost"] == after["cost"])
        for _ in range(KILLS):
            called(home, "--older-than", "300", kill_after=drawn.uniform(0.5, 2.0) * whole.seconds)
        old = called(home, "--older-than", "300")
        with Store(home).reading() as view:
            sums = view.rows(
                "select sum(conversations) as n from insight_days where day < (select max(before) from retention)"
            )[0]["n"]
            first = view.rows("select max(before) as before from retention")[0]["before"]
            gone = view.rows("select count(*) as n from raw_conversations where day < $first", first=first)[0]["n"]
            left = view.rows("select count(*) as n from raw_conversations")[0]["n"]
        claims.claim(f"nothing from before {first} is left", gone == 0)
        claims.claim("the sums of these days stay", sums == after["conversations"] - left)
        rows = {"a person": whole, "a person, after kills": again, "older than 300 days, after kills": old}
        show("what it takes", [{"forgotten": name} | took._asdict() for name, took in rows.items()])


if __name__ == "__main__":
    sys.exit(proved(proof))
