"""A model on loopback for measurements: one asyncio process, chat completions, with latency, limits and faults.

`python -m benchmarks.server --latency 0.5 --rpm 600 --faults`: its first line of output is its URL. GET /counts says
what was asked of it so far; its answers are those of the tests' model (`tests/servers/brain.py`).
"""

import argparse
import asyncio
import json
import time
from collections import Counter, deque
from typing import Any

from tests.servers.brain import number, tokens
from tests.servers.chat_completions import completion
from tests.servers.scripted import Broken, Changed, Fault, Scripted, Status, Truncated, json_object

LEAST_CACHED = 1024
"""Tokens of a prefix that OpenAI caches."""
WINDOW = 60.0


def violated(tree: dict[str, Any]) -> None:
    """Break the JSON schema: types that do not exist, or verdicts."""
    for entry in tree.get("messages", []):
        entry["events"] = [{"quote": "", "because": "", "type": "No such type", "properties": []}]
    for entry in tree.get("goals", []):
        entry["verdict"] = "excellent"


def faulty(user: str, nth: int) -> Scripted | None:
    """20 % 500s, 20 % 429s, 10 % malformed, 5 % truncated, 5 % against the schema; the same in every run."""
    drawn = number("fault", user, str(nth)) % 100
    mix: list[tuple[int, Scripted]] = [
        (20, Status(500)),
        (40, Status(429, {"retry-after": "0.05"}, "rate_limit_exceeded")),
        (50, Broken()),
        (55, Truncated()),
        (60, Changed(violated)),
    ]
    return next((said for below, said in mix if drawn < below), None)


class Model:
    """What is asked, and what is said."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.starts: deque[float] = deque()
        self.counts: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()
        self.statics: set[str] = set()
        self.schemas: set[str] = set()
        self.now = self.peak = 0
        self.busy = 0.0
        self.times: list[float] = []

    def seen(self) -> dict[str, Any]:
        """What was asked so far; `twice` counts answers given again to the same question."""
        times = self.times or [0.0]
        return {
            **self.counts,
            "questions": len(self.questions),
            "twice": sum(n - 1 for n in self.questions.values()),
            "peak": self.peak,
            "schemas": len(self.schemas),
            "busy_seconds": self.busy,
            "cpu_seconds": time.process_time(),
            "first": times[0],
            "last": times[-1],
            "in_flight": self.now,
        }

    def limited(self) -> tuple[bool, dict[str, str]]:
        """Whether a call is over the limit of the last 60 seconds, and the headers that say so."""
        if not self.given.rpm:
            return False, {}
        now = time.monotonic()
        while self.starts and self.starts[0] < now - WINDOW:
            self.starts.popleft()
        over = len(self.starts) >= self.given.rpm
        if not over:
            self.starts.append(now)
        wait = max(0.0, self.starts[0] + WINDOW - now) if over else 0.0
        headers = {
            "x-ratelimit-limit-requests": str(self.given.rpm),
            "x-ratelimit-remaining-requests": str(self.given.rpm - len(self.starts)),
            "x-ratelimit-reset-requests": f"{60_000 // self.given.rpm}ms",
        }
        return over, headers | ({"retry-after": f"{wait:.2f}"} if over else {})

    async def reply(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer to a call."""
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            return await self._reply(content)
        finally:
            self.now -= 1

    async def _reply(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        self.counts["calls"] += 1
        over, headers = self.limited()
        if over:
            self.counts["429"] += 1
            return 429, headers, _error(Fault("rate limit", 429, "rate_limit_exceeded"))
        began = time.perf_counter()
        status, said = self._said(content)
        headers = headers | ({"retry-after": "0.05"} if status == 429 else {})
        spent = time.perf_counter() - began
        self.busy += spent
        if self.given.latency:
            await asyncio.sleep(max(0.0, self.given.latency - spent))
        self.times.append(time.monotonic())
        return status, headers, said

    def _said(self, content: bytes) -> tuple[int, bytes]:
        body = json_object(content)
        user = body["messages"][1]["content"]
        self.counts[body["response_format"]["json_schema"]["name"]] += 1
        key = f"{number(user):x}"
        scripted = faulty(user, self.questions[key] + self.counts[f"faults {key}"]) if self.given.faults else None
        if isinstance(scripted, Status):
            self.counts["faults"] += 1
            self.counts[f"faults {key}"] += 1
            return scripted.status, _error(Fault("scripted", scripted.status, scripted.code))
        self.counts["faults"] += scripted is not None
        self.questions[key] += 1
        tree = completion(body, scripted)
        tree["usage"] = self._usage(body, tokens(tree["choices"][0]["message"]["content"] or ""))
        return 200, json.dumps(tree).encode()

    def _usage(self, body: dict[str, Any], written: int) -> dict[str, Any]:
        schema = json.dumps(body["response_format"])
        static = body["messages"][0]["content"] + schema
        size = tokens(static)
        cached = size if static in self.statics and size >= LEAST_CACHED else 0
        self.statics.add(static)
        self.schemas.add(schema)
        prompt = size + tokens(body["messages"][1]["content"])
        return {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
            "prompt_tokens_details": {"cached_tokens": cached},
        }


def _error(fault: Fault) -> bytes:
    return json.dumps({"error": {"message": str(fault), "type": "server_error", "code": fault.code}}).encode()


async def connection(model: Model, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client, request after request."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            size = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
            content = await reader.readexactly(size)
            status, headers, said = await routed(model, head.split(" ", 2)[1], content)
            lines = [f"{name}: {value}" for name, value in headers.items()]
            start = [f"HTTP/1.1 {status} x", "content-type: application/json", f"content-length: {len(said)}"]
            writer.write("\r\n".join([*start, *lines, "", ""]).encode() + said)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def routed(model: Model, path: str, content: bytes) -> tuple[int, dict[str, str], bytes]:
    """The counts, or the model."""
    if path == "/counts":
        found = {key: value for key, value in model.seen().items() if not key.startswith("faults ")}
        return 200, {}, json.dumps(found).encode()
    return await model.reply(content)


async def serve(given: argparse.Namespace) -> None:
    """Until the process is ended."""
    model = Model(given)
    server = await asyncio.start_server(lambda r, w: connection(model, r, w), "127.0.0.1", given.port, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds of each answer")
    parser.add_argument("--rpm", type=int, default=0, help="calls in any 60 seconds; more get a 429")
    parser.add_argument("--faults", action="store_true", help="the mix of faults")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
