"""A model on loopback for measurements: one asyncio process, OpenAI's form and Anthropic's, latency, limits, faults.

`python -m benchmarks.server --latency 0.5 --rpm 600 --faults mix`: its first line of output is its origin. GET /counts
says what was asked of it so far, GET /log when each question came and was answered; its answers are those of the
tests' model (`tests/servers/brain.py`).
"""

import argparse
import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.servers import brain, chat_completions
from tests.servers.brain import Body, Question, number, tokens
from tests.servers.caches import LEAST, Cache, Read
from tests.servers.scripted import Broken, Changed, Refused, Scripted, Status, Truncated, said

WINDOW = 60.0


def violated(tree: dict[str, Any]) -> None:
    """Break the JSON schema: types that do not exist, or verdicts."""
    entries = tree.get("messages", [])
    if entries and isinstance(entries[0], str):
        tree["messages"] = [f"{row.split()[0]} words | why | No such type" for row in entries]
        return
    for entry in entries:
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


def refusing(user: str, nth: int) -> Scripted | None:
    """5 % refusals, each as often as it is asked."""
    return Refused() if number("refused", user) % 20 == 0 else None


FAULTS: Mapping[str, Callable[[str, int], Scripted | None]] = {
    "mix": faulty,
    "refusals": refusing,
    "none": lambda user, nth: None,
}


class Asked(NamedTuple):
    """A question as either vendor's form has it."""

    question: Question
    form: str
    body: Body


class Model:
    """What is asked, and what is said."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.starts: deque[float] = deque()
        self.counts: Counter[str] = Counter(calls=0, faults=0, cached=0, written=0)
        self.questions: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.openai, self.claude = Cache(), Cache(given.least)
        self.schemas: set[str] = set()
        self.log: list[list[Any]] = []
        self.now = self.peak = 0

    def seen(self) -> dict[str, Any]:
        """What was asked so far; `twice` counts answers given again to the same question."""
        return {
            **self.counts,
            "questions": len(self.questions),
            "twice": sum(n - 1 for n in self.questions.values()),
            "peak": self.peak,
            "schemas": len(self.schemas),
            "busy_seconds": time.process_time(),
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

    def reply(self, path: str, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer to a call: status, headers, body."""
        self.counts["calls"] += 1
        over, headers = self.limited()
        if over:
            self.counts["429"] += 1
            return 429, headers, _error(429, "rate_limit_exceeded")
        asked = _asked(path, json.loads(content))
        user = asked.question.user
        self.tries[user] += 1
        scripted = FAULTS[self.given.faults](user, self.tries[user])
        self.counts["faults"] += scripted is not None
        if isinstance(scripted, Status):
            return scripted.status, dict(scripted.headers), _error(scripted.status, scripted.code)
        self.questions[user] += 1
        self.log.append([f"{number(user):x}", time.monotonic(), None])
        text = said(brain.answer(asked.question), scripted)
        says = _chat if asked.form == "openai" else _message
        return 200, headers, json.dumps(says(text, scripted, self._read(asked))).encode()

    def _read(self, asked: Asked) -> Read:
        """Tokens read, and what of them the vendor's cache had and has from now on."""
        self.schemas.add(json.dumps(asked.question.schema))
        cache = self.openai.openai if asked.form == "openai" else self.claude.anthropic
        read = cache(asked.body, asked.question)
        self.counts["cached"] += read.cached
        self.counts["written"] += read.written
        return read


def _asked(path: str, body: Body) -> Asked:
    if path == "/v1/messages":
        system = "".join(block["text"] for block in body["system"])
        schema = body["output_config"]["format"]["schema"]
        return Asked(Question(system, body["messages"][0]["content"], schema), "anthropic", body)
    return Asked(chat_completions.question(body), "openai", body)


def _chat(text: str, scripted: Scripted | None, read: Read) -> dict[str, Any]:
    """A `chat.completion`, with OpenAI's counts: what is cached is among the prompt's tokens."""
    whole, cached, written = read
    message = {"role": "assistant", "content": text, "refusal": None}
    if isinstance(scripted, Refused):
        message |= {"content": None, "refusal": "I'm sorry, I can't assist with that."}
    finish = "length" if isinstance(scripted, Truncated) else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": whole,
            "completion_tokens": tokens(text),
            "total_tokens": whole + tokens(text),
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        },
    }


def _message(text: str, scripted: Scripted | None, read: Read) -> dict[str, Any]:
    """A message, with Anthropic's counts: what is cached is beside `input_tokens`."""
    whole, cached, written = read
    stop = {Truncated: "max_tokens", Refused: "refusal"}.get(type(scripted), "end_turn")
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "usage": {
            "input_tokens": whole - cached - written,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": written,
            "output_tokens": tokens(text),
        },
    }


def _error(status: int, code: str | None) -> bytes:
    return json.dumps({"error": {"message": f"status {status}", "type": "server_error", "code": code}}).encode()


class Connection(asyncio.Protocol):
    """One client, request after request. An answer to a client that has gone is not sent."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Part of a request."""
        self.come += data
        head, end, content = self.come.partition(b"\r\n\r\n")
        size = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not end or len(content) < int(size or 0):
            return
        self.come = b""
        self._answer(head.split(b" ", 2)[1].decode(), content)

    def _answer(self, path: str, content: bytes) -> None:
        model = self.model
        if path in ("/counts", "/log"):
            self._send(200, {}, json.dumps(model.seen() if path == "/counts" else model.log).encode())
            return
        model.now += 1
        model.peak = max(model.peak, model.now)
        began = time.perf_counter()
        status, headers, said = model.reply(path, content)
        left = 0.0 if status == 429 else max(0.0, model.given.latency - (time.perf_counter() - began))
        logged = model.log[-1] if status == 200 else [None]
        asyncio.get_running_loop().call_later(left, self._over, logged, status, headers, said)

    def _over(self, logged: list[Any], status: int, headers: dict[str, str], said: bytes) -> None:
        self.model.now -= 1
        logged[-1] = time.monotonic()
        self._send(status, headers, said)

    def _send(self, status: int, headers: dict[str, str], said: bytes) -> None:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        start = [f"HTTP/1.1 {status} x", "content-type: application/json", f"content-length: {len(said)}"]
        if not self.transport.is_closing():
            self.transport.write("\r\n".join([*start, *lines, "", ""]).encode() + said)


async def serve(given: argparse.Namespace) -> None:
    """Until the process is ended."""
    model = Model(given)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(model), "127.0.0.1", given.port, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds of each answer")
    parser.add_argument("--rpm", type=int, default=0, help="calls in any 60 seconds; more get a 429")
    parser.add_argument("--least", type=int, default=LEAST, help="tokens of the shortest beginning that Claude caches")
    parser.add_argument("--faults", choices=FAULTS, default="none", help="which answers are at fault")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
