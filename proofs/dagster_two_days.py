"""Two days of a real file through Dagster: each message has its row, conversation its judgment, event its receipt.

The file lies beside the project; where it does not, an invented one takes its place.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from cpa_core.schema import dump
from proofs.figures import Claims, of_days, proved, show
from proofs.scene import ROOT, Scene, scene
from tests.servers.chat_completions import ChatServer
from tests.support.commands import ONE_EACH, chat

BOOKING = ROOT.parent / "shared" / "data" / "star_booking"


def transcripts(here: Scene) -> tuple[Path, Path]:
    """The file and its schema."""
    if (BOOKING / "conversations.json").exists():
        return BOOKING / "conversations.json", BOOKING / "schema.yml"
    source, schema = here.folder / "chats.json", here.folder / "schema.yml"
    invented = [chat(f"c{n}", 6, f"2026-03-0{2 + n % 3}", f"u{n}") for n in range(12)]
    source.write_text(json.dumps({key: body for one in invented for key, body in one.items()}), "utf-8")
    schema.write_text(dump(ONE_EACH), "utf-8")
    return source, schema


def in_file(source: Path) -> dict[str, tuple[int, int]]:
    """Conversations and messages of each day, counted without our reader."""
    conversations, messages = Counter[str](), Counter[str]()
    for one in json.loads(source.read_text("utf-8")).values():
        day = min(message["timestamp"] for message in one["messages"])[:10]
        conversations[day] += 1
        messages[day] += len(one["messages"])
    return {day: (conversations[day], messages[day]) for day in sorted(conversations)}


def two_days(claims: Claims) -> None:
    """Land, materialize a range of two days, and count."""
    with scene() as here, ChatServer() as model:
        source, schema = transcripts(here)
        here.environ |= {
            "CPA_SOURCE": str(source),
            "CPA_SCHEMA": str(schema),
            "CPA_MODEL": "compatible:test-model",
            "CPA_COMPATIBLE_URL": model.url,
        }
        expected = in_file(source)
        first, last = list(expected)[:2]
        here.prepare_dagster()
        here.run("cpa", "land", limit=120)
        definitions = ["-m", "cpa_dagster.definitions", "--select", "*", "--partition-range", f"{first}...{last}"]
        seconds = here.run("dagster", "asset", "materialize", *definitions, limit=300)
        days = of_days(here.home)
        show(f"{source.parent.name}/{source.name}, one run of {seconds:.0f} s, {len(model.calls)} questions", days)
        found = {day["day"]: (day["conversations"], day["messages"]) for day in days}
        claims.claim("the two days hold what the file holds", found == {day: expected[day] for day in (first, last)})
        claims.claim("no question was malformed", not model.faults)
        claims.whole(days)


if __name__ == "__main__":
    sys.exit(proved(two_days))
