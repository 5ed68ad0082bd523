"""Real conversations in every way in which vendors write them, landed: what is lost, doubled, or out of order.

    python -m benchmarks.landing_writings [--data FOLDER] [--files 3] [CORPUS...]

A row for each form and way: messages that landed once, in order, in their own conversation, of all; what else landed;
and what was rejected. Without a conversation's id, a sliding window and the newest message only must be rejects.
"""

import argparse
import csv
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cpa_core.errors import DayNeeded, SourceError
from cpa_core.pipeline import Assistant, land
from cpa_core.settings import settings
from tests.support.writings import WAYS, WITH_ID, WITHOUT_ID, Told, calls, chat, lines

DATA = Path(__file__).parents[2] / "shared" / "data"
CORPORA = ("annomi", "star_booking", "mathdial")
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)

Said = list[tuple[str, str]]


def corpus(path: Path) -> list[Told]:
    """The conversations of a file, one beginning every seven seconds, so that they run beside each other."""
    turns: defaultdict[str, Said] = defaultdict(list)
    users: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["role"] in ("user", "assistant") and row["content"].strip():
                turns[row["conversation_id"]].append((row["role"], row["content"]))
                users[row["conversation_id"]] = row["user_id"]
    return [
        Told(key, users[key], BEGIN + timedelta(seconds=7 * n), tuple(said))
        for n, (key, said) in enumerate(turns.items())
    ]


def written(found: Sequence[Told]) -> Iterator[tuple[str, str, bool, list[dict[str, Any]]]]:
    """Every form and way: its name, whether it can be read, and its records in the order of time."""
    yield "openai chat", "conversation", True, [chat(told) for told in found]
    each = sorted((call for told in found for call in calls(told)), key=lambda call: call.began)
    for form, write in (WITH_ID | WITHOUT_ID).items():
        for way, cut in WAYS.items():
            yield form, way, form in WITH_ID or way == "full history", [write(call, cut) for call in each]


def landed(records: Sequence[dict[str, Any]], files: int) -> tuple[list[Said], Counter[str]]:
    """What each conversation of a new home holds after landing the records in so many files, and reasons of rejects."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        size = -(-len(records) // files)
        for n in range(files):
            (folder / "in" / f"{n}.jsonl").write_text(lines(records[n * size : (n + 1) * size]), "utf-8")
        assistant = Assistant.of(settings({"CPA_HOME": str(folder / "home"), "CPA_SOURCE": str(folder / "in")}))
        land(assistant)
        with assistant.store.reading() as view:
            rows = view.rows(
                "select conversation_id, role, content from landed_messages where superseded_at is null "
                "and role in ('user', 'assistant') and trim(content) <> '' "
                "order by conversation_id, sent_at, uri, ordinal"
            )
            reasons = view.rows("select reason, count(*) as n from rejected_records group by reason")
    found: defaultdict[str, Said] = defaultdict(list)
    for row in rows:
        found[row["conversation_id"]].append((row["role"], row["content"]))
    return list(found.values()), Counter({row["reason"]: row["n"] for row in reasons})


def compared(truth: Sequence[Told], found: Sequence[Said]) -> tuple[int, int]:
    """How many messages landed once, in order, in a conversation that is one of the truth; and how many others did."""
    left = Counter(told.turns for told in truth)
    right = other = 0
    for said in found:
        key = tuple(said)
        if left[key]:
            left[key] -= 1
            right += len(key)
        else:
            other += len(key)
    return right, other


def row(name: str, truth: Sequence[Told], form: str, way: str, landing: Callable[[], Any]) -> tuple[int, int, int, str]:
    """Print one row, and return its figures."""
    total = sum(len(told.turns) for told in truth)
    try:
        found, rejects = landing()
    except (SourceError, DayNeeded) as error:
        right, other, lost, reason = 0, 0, total, str(error).split(": ", 1)[-1]
    else:
        right, other = compared(truth, found)
        lost, reason = sum(rejects.values()), next(iter(rejects), "")
    print(f"| {name} | {form} | {way} | {right:,} of {total:,} | {other:,} | {lost:,} | {reason[:60]} |", flush=True)
    return right, other, lost, reason


def main() -> int:
    """Every corpus; 1 when a message is lost, doubled or misplaced where it can be told."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("corpora", nargs="*", default=list(CORPORA))
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--files", type=int, default=3)
    given = options.parse_args()
    print("| corpus | form | way | once, in order, in its own | other rows | rejects | reason |")
    print("|---|---|---|---|---|---|---|")
    fine = True
    for name in given.corpora:
        truth = corpus(given.data / name / "conversations.csv")
        total = sum(len(told.turns) for told in truth)
        for form, way, readable, records in written(truth):
            right, other, _, _ = row(name, truth, form, way, partial(landed, records, given.files))
            fine = fine and (other == 0 and (right == total or not readable))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
