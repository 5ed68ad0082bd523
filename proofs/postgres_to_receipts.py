"""Rows inserted into a table of Postgres reach PostHog without a hand, by the sensor; and the password is nowhere."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from cpa_core.schema import dump
from cpa_core.store import Store
from proofs.figures import Claims, Timeline, of_days, proved, show
from proofs.s3_to_posthog import LIMIT, MESSAGES, Conversation, of_runs, quiet
from proofs.scene import Scene, scene, wait
from proofs.served import Dagster, webserver
from tests.servers.chat_completions import ChatServer
from tests.servers.postgres import PASSWORD, Postgres, server
from tests.servers.posthog import PostHogServer
from tests.support.commands import ONE_EACH, at, chat

FIRST, SECOND, THIRD = "2026-03-02", "2026-03-03", "2026-03-05"
TABLE = """
create table chats (
  conversation_id text, message_id text, user_id text, role text, content text, sent_at timestamptz,
  updated_at timestamptz not null default clock_timestamp()
)
"""


@dataclass
class Outside(Timeline):
    """What is not ours: the table, the model, PostHog; and when what happened."""

    postgres: Postgres
    model: ChatServer
    posthog: PostHogServer

    def insert(self, conversations: Sequence[Conversation]) -> None:
        """Insert conversations, all of one moment of change."""
        rows = [
            f"('{name}', '{message['message_id']}', 'user of {name}', '{message['role']}', '{message['content']}', "
            f"'{message['timestamp']}')"
            for name, day in conversations
            for message in chat(name, MESSAGES, day)[name]["messages"]
        ]
        columns = "conversation_id, message_id, user_id, role, content, sent_at"
        self.postgres.run(f"insert into chats ({columns}) values {', '.join(rows)}")
        self.note(f"inserted {len(conversations)} conversations")

    def hold(self, conversations: int) -> bool:
        """Whether PostHog holds the events of so many conversations, one a message and a judgment each.

        A corrected message may have a second event there: events are kept as they were sent.
        """
        return len({row["uuid"] for row in self.posthog.rows}) >= conversations * (MESSAGES + 1)


@contextmanager
def outside(here: Scene) -> Iterator[Outside]:
    """The three servers, and the settings that lead to them."""
    with server() as postgres, ChatServer() as model, PostHogServer() as posthog:
        postgres.run(TABLE)
        (here.folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
        here.environ |= {
            "CPA_SOURCE": postgres.url,
            "CPA_TABLE": "chats",
            "CPA_WATERMARK": "updated_at",
            "CPA_MAP": "timestamp=sent_at",
            "CPA_SCHEMA": str(here.folder / "schema.yml"),
            "CPA_MODEL": "compatible:test-model",
            "CPA_COMPATIBLE_URL": model.url,
            **at(posthog),
        }
        yield Outside(postgres, model, posthog)


def a_growing_table(claims: Claims, dagster: Dagster, world: Outside) -> None:
    """Rows of two days, with the sensor on; then late rows, a corrected row and a deleted one."""
    world.insert([(f"a{n}", FIRST) for n in range(3)] + [(f"b{n}", SECOND) for n in range(3)])
    wait(lambda: world.hold(6), LIMIT, "all events at PostHog")
    world.note("all events at PostHog")
    runs = of_runs(quiet(dagster))
    show("new rows: runs that the sensor requested", runs)
    claims.claim("one landing, then exactly the two days", sorted(r["day"] for r in runs) == ["", FIRST, SECOND])
    world.insert([("late", FIRST), ("c0", THIRD)])
    world.postgres.run(
        "update chats set content = 'Corrected words?', updated_at = clock_timestamp() "
        "where conversation_id = 'b0' and message_id = (select min(message_id) from chats)",
        "delete from chats where conversation_id = 'b1'",
    )
    wait(lambda: world.hold(8), 2 * LIMIT, "the new events at PostHog")
    world.note("the new events at PostHog")
    more = of_runs(quiet(dagster)[len(runs) :])
    show("late, new, corrected and deleted rows: runs that the sensor requested", more)
    claims.claim("every day that changed ran again", {FIRST, SECOND, THIRD} <= {r["day"] for r in more})


def no_secret(claims: Claims, here: Scene) -> None:
    """The password is in no file of the home, of Dagster or of any process's output."""
    found = [
        path.relative_to(here.folder)
        for path in here.folder.rglob("*")
        if path.is_file() and any(one.encode() in path.read_bytes() for one in (PASSWORD, quote(PASSWORD, safe="")))
    ]
    show("files that hold the password", [{"file": str(path)} for path in found])
    claims.claim("no file holds the password", not found)


def without_a_hand(claims: Claims) -> None:
    """From insert to receipts."""
    with scene() as here, outside(here) as world:
        here.prepare_dagster()
        dagster = webserver(here)
        dagster.start_daemon()
        dagster.switch_on("Sensor", "new_files")
        world.note("sensor switched on")
        a_growing_table(claims, dagster, world)
        here.end("daemon")
        show("timeline", world.timeline)
        days = of_days(here.home)
        show("what the store holds", days)
        claims.whole(days)
        with Store(here.home).reading() as view:
            (row,) = view.rows(
                "select count(*) as n, count(distinct (conversation_id, message_id)) as different, "
                "count(*) filter (where content = 'Corrected words?') as corrected from landed_messages"
            )
        claims.claim(
            "every row landed once, the corrected one as it is now", row == {"n": 32, "different": 32, "corrected": 1}
        )
        no_secret(claims, here)


if __name__ == "__main__":
    sys.exit(proved(without_a_hand))
