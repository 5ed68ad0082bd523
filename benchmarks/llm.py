"""The language-model engine under load, one table: `make bench-llm`; for single rows `python -m benchmarks.llm seed`.

The model is `benchmarks/server.py`, in its own process; clients are the real SDKs, stages those of `cpa run`.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

from cpa_core.llm import Answer, Reply, Usage
from cpa_core.pipeline import Assistant, build_day, land, ready, run_day, tag_and_judge_day
from cpa_core.pipeline.assistant import Stage
from cpa_core.settings import day, settings
from cpa_core.store import AnswerBook, Store
from tests.servers.brain import tokens
from tests.servers.caches import LEAST

ROOT = Path(__file__).parents[1]
SEED = ROOT.parent / "shared" / "data" / "seed_examples"
SCHEMA = ROOT / "examples" / "tax_advisor" / "schema.yml"
DAY = day("2026-03-04", "day")
LATENCY = 0.5
IN_FLIGHT = 128
RUN = [sys.executable, "-m", "cpa_core.cli", "run"]
UNFAVOURABLE = 4_096
"""Tokens of the shortest beginning that the least willing of Claude's models cache (Haiku 4.5, Opus 4.5 and 4.6)."""
WORDS = "can I deduct the home office where my form says that a child lives with me half the year and owes tax"


class Line(NamedTuple):
    """A line of the table."""

    what: str
    found: str
    wanted: str
    is_met: bool | None
    """None for a figure without a bound."""


class Timed(Store):
    """A store that remembers how long its write lock was held."""

    longest = 0.0

    @contextmanager
    def writing(self, wait: float | None = None) -> Iterator[Any]:
        """One transaction, timed from the moment the lock is held until it is let go."""
        with super().writing(wait) as transaction:
            began = time.perf_counter()
            yield transaction
            ended = time.perf_counter()
        type(self).longest = max(self.longest, time.perf_counter() - min(began, ended))


@contextmanager
def model(*flags: str) -> Iterator[str]:
    """The origin of a model in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.server", *flags]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def counts(url: str) -> dict[str, Any]:
    """What the model was asked so far."""
    with urlopen(url + "/counts") as response:
        found: dict[str, Any] = json.load(response)
    return found


def questions(url: str) -> dict[str, list[tuple[float, float]]]:
    """When each question came, as often as it was asked, and was answered, by `time.monotonic`."""
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    with urlopen(url + "/log") as response:
        for question, came, answered in json.load(response):
            found[question].append((came, answered))
    return found


def chats(path: Path, conversations: int, messages: int = 8, days: int = 1) -> None:
    """A file of conversations of one day, or of several with as many each, all different."""
    drawn = random.Random(0)
    whole: dict[str, Any] = {}
    for n in range(conversations):
        said = [
            {
                "role": ("user", "assistant")[m % 2],
                "content": f"{n} {m}: " + " ".join(drawn.choices(WORDS.split(), k=14)),
                "timestamp": f"{DAY + timedelta(days=n % days)}T{n % 24:02}:{m:02}:00Z",
            }
            for m in range(messages)
        ]
        whole[f"c{n:05}"] = {"user_id": f"u{n % 97}", "messages": said}
    path.write_text(json.dumps(whole), "utf-8")


def environ(folder: Path, url: str, **more: str) -> dict[str, str]:
    """The settings of a home in the folder."""
    return {
        "CPA_HOME": str(folder / "home"),
        "CPA_SOURCE": str(folder / "chats.json"),
        "CPA_SCHEMA": str(SCHEMA),
        "CPA_MODEL": "compatible:test-model",
        "CPA_COMPATIBLE_URL": f"{url}/v1",
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": "loopback",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "loopback",
        "CPA_CONCURRENCY": str(IN_FLIGHT),
        **more,
    }


def built(folder: Path, conversations: int, url: str, **more: str) -> Assistant:
    """An assistant whose day is landed and built, by a process of its own: what is measured is the asking."""
    if not (folder / "chats.json").exists():
        chats(folder / "chats.json", conversations)
    assistant = Assistant.of(settings(environ(folder, url, **more)))
    ready(assistant)
    child = os.fork()
    if child == 0:
        land(assistant)
        build_day(assistant, DAY)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "landing or building failed"
    with assistant.store.reading():  # a run has opened it when it begins to ask
        return assistant


def asked(assistant: Assistant) -> tuple[Stage, Stage]:
    """The day tagged and judged, as a run does it."""
    return tag_and_judge_day(assistant, DAY)


def seed(folder: Path) -> list[Line]:
    """Calls and uncached tokens on the examples of the tool that this one surpasses, at each vendor that caches.

    What Claude Haiku 5.5 caches at least is in no document of its vendor that we could read: 1,024 tokens are assumed,
    as for most of Claude (openrouter.ai, migrating to Claude 5.5, says 512); the row of 4,096, as for Haiku 4.5, is the
    least favourable. Nothing is measured where these examples are not beside the repository.
    """
    if not SEED.exists():
        return [Line("seed", "not measured: shared/data/seed_examples is not beside the repository", "no bound", None)]
    return [
        _seeded(folder / f"{name} {vendor} {least}", name, f"{vendor}:{model}", least)
        for name in ("therapist", "tax_advisor")
        for vendor, model, least in (
            ("openai", "gpt-6-luna", LEAST),
            ("anthropic", "claude-haiku-5-5", LEAST),
            ("anthropic", "claude-haiku-5-5", UNFAVOURABLE),
        )
    ]


def _seeded(folder: Path, name: str, wanted: str, least: int) -> Line:
    source = SEED / name / "example_data.json"
    told = json.loads(source.read_text("utf-8"))
    text = sum(tokens(message["content"]) for one in told.values() for message in one["messages"])
    with model("--least", str(least)) as url:
        more = {"CPA_SOURCE": str(source), "CPA_SCHEMA": str(SEED / name / "schema.yml"), "CPA_CONCURRENCY": "1"}
        assistant = Assistant.of(settings(environ(folder, url, **more, CPA_MODEL=wanted)))
        land(assistant, DAY)
        run_day(assistant, DAY)
        seen = counts(url)
    prompt, cached, written = _read_and_cached(assistant)
    calls, fresh = seen["calls"] / len(told), prompt - cached
    found = (
        f"{calls:.1f} calls; {fresh / text:.2f} uncached tokens for one of text, {fresh / len(told):,.0f} for a "
        f"conversation; of {prompt:,}: {cached:,} cached, {written:,} written; {seen['schemas']} schemas"
    )
    what = f"{name}, {wanted.partition(':')[0]}, cached from {least:,} tokens on: for a conversation"
    if least == UNFAVOURABLE:
        return Line(what, found, "no bound", None)
    told_true = (cached, written) == (seen["cached"], seen["written"])
    met = calls <= 2 and fresh <= 3.2 * text and cached > 0 and told_true and seen["schemas"] == 2
    return Line(what, found, "at most 2; at most 3.2; above 0, as the server counted; 2 (tag, judge)", met)


def _read_and_cached(assistant: Assistant) -> tuple[int, int, int]:
    """Tokens of all prompts, read from the cache and written to it, by the ledger."""
    with assistant.store.reading() as view:
        (row,) = view.rows(
            "select sum(prompt_tokens)::bigint as prompt, sum(cached_tokens)::bigint as cached, "
            "sum(cache_write_tokens)::bigint as written from answers"
        )
    return row["prompt"], row["cached"], row["written"]


def latency(folder: Path) -> list[Line]:
    """2,000 conversations of 8 messages at 500 ms."""
    with model("--latency", str(LATENCY)) as url:
        assistant = built(folder, 2_000, url)
        began, worked = time.monotonic(), time.process_time()
        stages = asked(assistant)
        took, worked = time.monotonic() - began, time.process_time() - worked
        seen, times = counts(url), [one for ones in questions(url).values() for one in ones]
    assert all(stage.done == 2_000 for stage in stages)
    least = seen["calls"] * LATENCY / IN_FLIGHT
    asking = max(answered for _, answered in times) - min(came for came, _ in times)
    ratio = least / asking
    found = f"{ratio:.1%}: {asking:.1f} s for {seen['calls']} calls, {seen['peak']} at once at most"
    whole = f"{least / took:.1%}: {took:.1f} s, {2_000 / took:.0f} conversations a second"
    busy = (
        f"{seen['busy_seconds'] / took:.0%} of its time busy answering; ours, {1000 * worked / seen['calls']:.1f} ms of"
    )
    busy += f" processor a call; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    return [
        Line(
            f"share of the rate that {IN_FLIGHT} in flight allow, from the first call's arrival to the last answer",
            found,
            "at least 90 %",
            ratio >= 0.9,
        ),
        Line(
            "the same over the whole pass: the day read before, tags and scores stored after", whole, "no bound", None
        ),
        Line("the server meanwhile", busy, "not the bottleneck", seen["busy_seconds"] < 0.7 * took),
    ]


def limit(folder: Path) -> list[Line]:
    """600 calls a minute, in any 60 seconds, with OpenAI's headers."""
    with model("--latency", str(LATENCY), "--rpm", "600") as url:
        assistant = built(folder, 450, url)
        began = time.monotonic()
        asked(assistant)
        took = time.monotonic() - began
        seen = counts(url)
    refused = seen.get("429", 0)
    ratio = (seen["calls"] - refused) / took / 10
    each = seen["calls"] / 450
    found = f"{ratio:.1%} of 600 calls a minute over {took:.0f} s: {450 / took:.2f} conversations a second, of "
    found += f"{10 / each:.2f} at {each:.1f} calls each"
    share = refused / seen["calls"]
    return [
        Line("share of the limit", found, "at least 95 %", ratio >= 0.95),
        Line("calls that met a 429", f"{share:.2%}", "at most 2 %", share <= 0.02),
    ]


def labels(assistant: Assistant) -> list[str]:
    """Everything that was stored about the day, in one order, each as often as it is there."""
    with assistant.store.reading() as view:
        rows = view.rows(
            "select conversation_id, position, event_type, properties::varchar, quote from tagged_events "
            "union all by name select conversation_id, verdicts::varchar as properties from judge_scores"
        )
    return sorted(json.dumps(row) for row in rows)


def whole(store: Store) -> tuple[int, int]:
    """Conversations with tags, and with a judgment, that are stored."""
    with store.reading() as view:
        (row,) = view.rows(
            "select (select count(distinct conversation_id) from tagged_conversations where outcome = 'ok') as tagged, "
            "(select count(distinct conversation_id) from judge_scores where outcome = 'ok') as judged"
        )
    return row["tagged"], row["judged"]


def faults(folder: Path) -> list[Line]:
    """A mix of faults, run and run again."""
    found: list[list[str]] = []
    for name, flags in (("clean", []), ("faulty", ["--faults", "mix"])):
        (folder / name).mkdir()
        with model(*flags) as url:
            assistant = built(folder / name, 1_000, url, CPA_CONCURRENCY="32")
            runs = 1
            first = open_ = sum(stage.failures for stage in asked(assistant))
            while open_ and runs < 6:
                runs += 1
                open_ = sum(stage.failures for stage in asked(assistant))
            seen = counts(url)
        found.append(labels(assistant))
    tagged, judged = whole(assistant.store)
    clean, faulty = found
    wrong = sum((Counter(clean) - Counter(faulty)).values()) + sum((Counter(faulty) - Counter(clean)).values())
    share = seen["faults"] / seen["calls"]
    ended = f"{open_} after {runs} runs, {tagged} tagged and {judged} judged of 1,000; {first} open after the first run"
    compared = f"{wrong} of {len(faulty):,}, {len(clean):,} where nothing fails"
    return [
        Line("calls at fault", f"{share:.0%} of {seen['calls']}", "above 50 %", share > 0.5),
        Line("conversations lost in the mix of faults", ended, "0", not open_ and tagged == judged == 1_000),
        Line("wrong labels stored", compared, "0, and as many", not wrong and len(faulty) == len(clean) > 0),
    ]


def flush(folder: Path, answers: int = 20_000) -> list[Line]:
    """As many answers as a large day has, merged into the ledger."""
    book = AnswerBook(Timed(folder), "bench")
    for n in range(answers):
        usage = Usage(prompt_tokens=n, completion_tokens=n)
        reply = Reply(outcome="ok", text=f"{n} " + "x" * 3_000, usage=usage, cost=0.1)
        fields = {"task": "tag", "provider": "openai", "model": "m", "day": str(DAY), "conversation_id": f"c{n}"}
        book.keep(Answer(request_hash=f"{n:064}", attempt=1, reply=reply, **fields))
    book.close()
    found = f"{Timed.longest:.2f} s for {answers:,} answers"
    return [Line("longest hold of the write lock, ledger flushed", found, "below 1 s", Timed.longest < 1)]


def elsewhere(module: str, function: str) -> Callable[[Path], list[Line]]:
    """A row in a module of its own, which takes from this one."""
    return lambda folder: [Line(*line) for line in getattr(import_module(module), function)(folder)]


ROWS: dict[str, Callable[[Path], list[Line]]] = {
    "seed": seed,
    "tokens": elsewhere("benchmarks.llm_tokens", "lines"),
    "latency": latency,
    "limit": limit,
    "kill": elsewhere("benchmarks.llm_kill", "kill"),
    "faults": faults,
    "refusals": elsewhere("benchmarks.llm_day", "refusals"),
    "memory": elsewhere("benchmarks.llm_day", "memory"),
    "flush": flush,
    "batch": elsewhere("benchmarks.llm_batch", "lines"),
}


def alone(row: str) -> list[Line]:
    """The lines of one row, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.llm", "--alone", row]
    said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [Line(*line) for line in json.loads(said.splitlines()[-1])]


def table(lines: list[Line]) -> str:
    """The lines below each other."""
    cells = [
        ("what", "found", "wanted", ""),
        *[(*line[:3], {None: "", True: "met", False: "NOT MET"}[line.is_met]) for line in lines],
    ]
    widths = [max(len(cell[n]) for cell in cells) for n in range(3)]
    return "\n".join("  ".join(text.ljust(w) for text, w in zip(cell, [*widths, 0], strict=True)) for cell in cells)


def main() -> int:
    """Measure the rows that are named, or all; 1 when one is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="default: all")
    parser.add_argument("--alone", choices=ROWS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(ROWS[given.alone](Path(folder))))
        return 0
    lines = [line for row in given.rows or ROWS for line in alone(row)]
    print(table(lines))
    return 1 if any(line.is_met is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
