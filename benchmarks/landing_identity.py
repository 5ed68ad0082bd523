"""What share of a landing identity takes, where no ids are given: at first, and exported again with some that grew.

python -m benchmarks.landing_identity [--conversations 1000000] [--files 20]
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cpa_core.pipeline import Assistant, land
from cpa_core.pipeline.landing import identify
from cpa_core.pipeline.landing import land as landing
from cpa_core.settings import settings

TEXT = "the form was sent on monday but nobody answered me and I still wait for my refund because your page"
WORDS = TEXT.split()
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MOST = 0.25


def write(folder: Path, day: int, count: int, files: int) -> None:
    """Chats of one day's export; on the second day, a tenth has two messages more. A third opens with "Hi"."""
    chance = random.Random(7)
    for n in range(files):
        with (folder / f"{day}-{n:03}.jsonl").open("w", encoding="utf-8") as file:
            for i in range(n, count, files):
                said = ["Hi" if i % 3 == 0 else _text(chance), *(_text(chance) for _ in range(3))]
                said += ["Thank you, and goodbye.", "Goodbye."] if day and i % 10 == 0 else []
                turns = [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(said)]
                at = (BEGIN + timedelta(seconds=i)).isoformat()
                tree = {"messages": [{"role": "system", "content": "Be kind."}, *turns], "timestamp": at}
                file.write(json.dumps({**tree, "user": f"u{i % 5000}"}) + "\n")


def _text(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(5, 30)))


class Clock:
    """Processor seconds that named functions of identity take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, module: Any, name: str) -> None:
        """Count a function of a module."""
        made: Callable[..., Any] = getattr(module, name)

        def counted(*given: Any, **named: Any) -> Any:
            begin = time.process_time()
            try:
                return made(*given, **named)
            finally:
                self.seconds += time.process_time() - begin

        setattr(module, name, counted)


def main() -> int:
    """Both days; 1 when identity takes more than its share."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--conversations", type=int, default=1_000_000)
    options.add_argument("--files", type=int, default=20)
    given = options.parse_args()
    clock, fine = Clock(), True
    clock.timed(identify, "_identified")
    for name in ("remember", "note_spoken", "keep_message_ids"):
        clock.timed(landing, name)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        assistant = Assistant.of(settings({"CPA_HOME": f"{folder}/home", "CPA_SOURCE": str(source)}))
        for day, title in enumerate(("first", "again, beside it")):
            write(source, day, given.conversations, given.files)
            clock.seconds, begin = 0.0, time.process_time()
            landed = land(assistant)
            total = time.process_time() - begin
            with assistant.store.reading() as view:
                (count,) = view.rows("select count(*) as n from landed_conversations")
            share = clock.seconds / total
            fine = fine and share <= MOST and count["n"] == given.conversations
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{title}: {landed.records:,} messages, {count['n']:,} conversations, {total:.1f} s of processor, "
                f"identity {clock.seconds:.1f} s, {share:.0%} (at most {MOST:.0%}), peak {memory:.0f} MB",
                flush=True,
            )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
