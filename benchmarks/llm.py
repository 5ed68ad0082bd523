"""The language-model engine under load, one table: `make bench-llm`; for single rows `python -m benchmarks.llm seed`.

The model is `benchmarks/server.py`, in its own process; clients are the real SDKs, stages those of `cpa run`.
"""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

from cpa_core.llm import Answer, Reply, Usage
from cpa_core.pipeline import Assistant, build_day, land, ready, run_day, tag_and_judge_day
from cpa_core.pipeline.context import Stage
from cpa_core.settings import day, settings
from cpa_core.store import AnswerBook, Store
from tests.servers.brain import tokens

ROOT = Path(__file__).parents[1]
SEED = ROOT.parent / "shared" / "data" / "seed_examples"
SCHEMA = ROOT / "examples" / "tax_advisor" / "schema.yml"
DAY = day("2026-03-04", "day")
LATENCY = 0.5
IN_FLIGHT = 128
RUN = [sys.executable, "-m", "cpa_core.cli", "run"]
ON_ITS_WAY = 0.1
"""Seconds in which an answer that the model has given may not have been written down yet."""
WORDS = "can I deduct the home office where my form says that a child lives with me half the year and owes tax"


class Line(NamedTuple):
    """A line of the table."""

    what: str
    found: str
    wanted: str
    is_met: bool | None
    """None for a figure without a bound."""


class Span(NamedTuple):
    """A run that was killed: since when calls are its own, when it was killed, and when the last of them has come."""

    since: float
    killed: float
    over: float


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


def chats(path: Path, conversations: int, messages: int = 8) -> None:
    """A file of conversations of one day, all different."""
    drawn = random.Random(0)
    whole: dict[str, Any] = {}
    for n in range(conversations):
        said = [
            {
                "role": ("user", "assistant")[m % 2],
                "content": f"{n} {m}: " + " ".join(drawn.choices(WORDS.split(), k=14)),
                "timestamp": f"{DAY}T{n % 24:02}:{m:02}:00Z",
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
    """An assistant whose day is landed and built, by a process of its own: its memory is not ours."""
    if not (folder / "chats.json").exists():
        chats(folder / "chats.json", conversations)
    given = settings(environ(folder, url, **more))
    assistant = Assistant(settings=given, store=Timed(given.home))
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
    """Calls and uncached tokens on the examples of the tool that this one surpasses, at each vendor that caches."""
    return [
        _seeded(folder / f"{name} {model.partition(':')[0]}", name, model)
        for name in ("therapist", "tax_advisor")
        for model in ("openai:gpt-6-luna", "anthropic:claude-haiku-5-5")
    ]


def _seeded(folder: Path, name: str, wanted: str) -> Line:
    source = SEED / name / "example_data.json"
    told = json.loads(source.read_text("utf-8"))
    text = sum(tokens(message["content"]) for one in told.values() for message in one["messages"])
    with model() as url:
        more = {"CPA_SOURCE": str(source), "CPA_SCHEMA": str(SEED / name / "schema.yml"), "CPA_CONCURRENCY": "1"}
        assistant = Assistant.of(settings(environ(folder, url, **more, CPA_MODEL=wanted)))
        land(assistant, DAY)
        done = run_day(assistant, DAY)
        seen = counts(url)
    stages = (done.tagged, done.judged)
    prompt, cached = (sum(getattr(s, f"{kind}_tokens") or 0 for s in stages) for kind in ("prompt", "cached"))
    calls, fresh = seen["calls"] / len(told), (prompt - cached) / text
    found = (
        f"{calls:.1f} calls; {fresh:.2f} uncached tokens for one of text; {cached:,} cached; {seen['schemas']} schemas"
    )
    met = calls <= 2 and fresh <= 4 and cached > 0 and seen["schemas"] == 2
    bound = "at most 2; at most 4; above 0; 2 (tag, judge)"
    return Line(f"{name}, {wanted.partition(':')[0]}: for a conversation", found, bound, met)


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
        Line(f"share of the rate that {IN_FLIGHT} in flight allow, while asking", found, "at least 90 %", ratio >= 0.9),
        Line("the same with the day's reading and writing", whole, "no bound", None),
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
    found = f"{ratio:.1%} of 600 a minute over {took:.0f} s"
    share = refused / seen["calls"]
    return [
        Line("share of the limit", found, "at least 95 %", ratio >= 0.95),
        Line("calls that met a 429", f"{share:.2%}", "at most 2 %", share <= 0.02),
    ]


def kill(folder: Path, times: int = 20) -> list[Line]:
    """SIGKILL at random moments of one run, which is started again each time."""
    drawn = random.Random(4)
    chats(folder / "chats.json", 2_500)
    kills: list[tuple[float, float]] = []
    with model("--latency", "0.2") as url:
        given = {**os.environ, **environ(folder, url, CPA_CONCURRENCY="32", CPA_DESTINATIONS="outbox")}
        for _ in range(times):
            before = counts(url)["calls"]
            process = subprocess.Popen(RUN, cwd=ROOT, env=given, stdout=subprocess.DEVNULL)
            while counts(url)["calls"] == before and process.poll() is None:
                time.sleep(0.02)
            time.sleep(drawn.uniform(0.0, 1.5))
            began = time.monotonic()
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills.append((began, time.monotonic()))
        status = subprocess.run(RUN, cwd=ROOT, env=given, check=False, stdout=subprocess.DEVNULL).returncode
        asked = questions(url)
    twice = sum(len(times) - 1 for times in asked.values())
    pairs = [(_again(asked, run), _in_flight(asked, run)) for run in _spans(kills)]
    whole = status == 0 and len(asked) == 5_000 and twice == sum(again for again, _ in pairs)
    each = " ".join(f"{again}/{flying}" for again, flying in pairs)
    met = whole and all(again <= min(flying, 32) for again, flying in pairs)
    found = f"{twice} of {len(asked)} questions, exit code {status}; for each kill, of those in flight: {each}"
    return [Line(f"questions paid twice after {times} kills", found, "at most those in flight", met)]


def _spans(kills: list[tuple[float, float]]) -> list[Span]:
    """The runs that were killed; what a run has sent may come a moment after it is gone."""
    ends = [0.0, *(over + ON_ITS_WAY for _, over in kills)]
    return [Span(since, began, over) for since, (began, _), over in zip(ends, kills, ends[1:], strict=False)]


def _again(asked: dict[str, list[tuple[float, float]]], run: Span) -> int:
    """Questions of a killed run that a later one has asked once more."""
    came = [[at for at, _ in times] for times in asked.values()]
    return sum(any(run.since <= at < run.over for at in times) and times[-1] >= run.over for times in came)


def _in_flight(asked: dict[str, list[tuple[float, float]]], run: Span) -> int:
    """Questions of a killed run whose answers, at its kill, were to come or on their way to the disk."""
    return sum(
        any(run.since <= came < run.over and answered > run.killed - ON_ITS_WAY for came, answered in times)
        for times in asked.values()
    )


def labels(assistant: Assistant) -> list[dict[str, Any]]:
    """Everything that was stored about the day."""
    with assistant.store.reading() as view:
        return view.rows(
            "select conversation_id, position, event_type, properties::varchar, quote from tagged_events "
            "union all by name select conversation_id, verdicts::varchar as properties from judge_scores order by all"
        )


def faults(folder: Path) -> list[Line]:
    """A mix of faults, run and run again."""
    found: list[list[dict[str, Any]]] = []
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
    clean, faulty = ({json.dumps(row) for row in rows} for rows in found)
    mix = f"{seen['faults'] / seen['calls']:.0%} of {seen['calls']} calls at fault; {first} open after the first run"
    return [
        Line("conversations lost in the mix of faults", f"{open_} after {runs} runs; {mix}", "0", not open_),
        Line("wrong labels stored", str(len(clean ^ faulty)), "0", clean == faulty),
    ]


def refusals(folder: Path) -> list[Line]:
    """5 % of the questions refused, by the command itself."""
    chats(folder / "chats.json", 1_000)
    with model("--faults", "refusals") as url:
        given = {**os.environ, **environ(folder, url, CPA_CONCURRENCY="32", CPA_DESTINATIONS="outbox")}
        run = subprocess.run(RUN, cwd=ROOT, env=given, check=False, capture_output=True, text=True)
        seen = counts(url)
    status = subprocess.run([*RUN[:-1], "status"], cwd=ROOT, env=given, check=False, capture_output=True, text=True)
    home = Assistant.of(settings(environ(folder, "")))
    with home.store.reading() as view:
        rows = view.rows("select count(*) as n from failures where reason = 'refused' and not retryable")
    stored, shown = rows[0]["n"], status.stdout.count("refused: the model refused")
    met = stored == shown == seen["faults"] > 0 and run.returncode == 1
    found = f"{seen['faults']} of {seen['calls']} refused, {stored} recorded, {shown} shown by cpa status, "
    found += f"exit code {run.returncode}"
    return [Line("refusals", found, "all recorded and shown, exit code not 0", met)]


def memory(folder: Path, conversations: int = 20_000) -> list[Line]:
    """20,000 conversations of a day."""
    with model() as url:
        assistant = built(folder, conversations, url, CPA_CONCURRENCY="32")
        stages = asked(assistant)
    assert all(stage.done == conversations for stage in stages)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Line(f"peak memory for {conversations:,} conversations", f"{peak:.0f} MB", "below 1 GB", peak < 1000),
        Line("longest hold of the write lock, a day replaced", f"{Timed.longest:.2f} s", "no bound", None),
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


def batch(folder: Path) -> list[Line]:
    """5,000 questions in batches, some of which go unanswered, over a kill: in a module of its own."""
    from benchmarks import llm_batch

    return [Line(*line) for line in llm_batch.lines(folder)]


ROWS: dict[str, Callable[[Path], list[Line]]] = {
    "seed": seed,
    "latency": latency,
    "limit": limit,
    "kill": kill,
    "faults": faults,
    "refusals": refusals,
    "memory": memory,
    "flush": flush,
    "batch": batch,
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
