"""A loopback server that speaks OpenAI's chat completions and answers our prompts as a model would.

In a test: `with ChatServer(Behaviour(latency=0.01)) as server: ... server.url ... server.calls`. Alone:
`python -m tests.servers.chat_completions --port 0 --latency 0.05`; its first line of output is its URL.
"""

import argparse
import hashlib
import json
import math
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

Body = dict[str, Any]


@dataclass(frozen=True)
class Says:
    """This text as the model's answer."""

    text: str


@dataclass(frozen=True)
class Broken:
    """An answer that breaks off in the middle, though it claims to be complete."""


@dataclass(frozen=True)
class Refused:
    """The model declines in words of its own."""


@dataclass(frozen=True)
class Truncated:
    """The answer reaches the limit of tokens."""


@dataclass(frozen=True)
class Filtered:
    """The vendor's content filter takes the answer."""


@dataclass(frozen=True)
class Status:
    """An HTTP error in OpenAI's form."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None
    message: str = "scripted"


@dataclass(frozen=True)
class Hang:
    """No answer for so many seconds, then the usual one."""

    seconds: float


@dataclass(frozen=True)
class Drop:
    """The connection ends without a response."""


@dataclass(frozen=True)
class Garbage:
    """Status 200 and these bytes."""

    content: bytes = b"\x00<html>not a chat completion"
    content_type: str = "application/json"


Scripted = Says | Broken | Refused | Truncated | Filtered | Status | Hang | Drop | Garbage


def unscripted(body: Body, number: int) -> None:
    """The usual answer to everything."""


@dataclass(frozen=True)
class Behaviour:
    """What the server does: `script(request body, nth call about this transcript)`, and seconds before each answer."""

    script: Callable[[Body, int], Scripted | None] = unscripted
    latency: float = 0.0


class Call(NamedTuple):
    """One request that was well formed. `transcript` is a hash of the lines shown; `asked` is empty for a judge."""

    task: str
    transcript: str
    number: int
    asked: tuple[int, ...]
    at: float


class Fault(Exception):
    """The request is not one that OpenAI would accept."""


class Line(NamedTuple):
    """One message as the prompt shows it."""

    m: int
    role: str
    text: str


class Kind(NamedTuple):
    """An event type as the catalogue in the prompt describes it: its properties with their choices."""

    name: str
    properties: dict[str, tuple[str, ...]]


class ChatServer:
    """The server on 127.0.0.1, running between `with` and its end."""

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        self.behaviour = behaviour or Behaviour()
        self.calls: list[Call] = []
        self.stopping = threading.Event()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._guard = threading.Lock()
        self._http = _Http(self, port)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """What CPA_COMPATIBLE_URL or OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> "ChatServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.hang_up()
        self._http.server_close()
        self._thread.join()

    def record(self, body: Body) -> Call:
        """Count the call and remember it."""
        task, user = body["response_format"]["json_schema"]["name"], body["messages"][-1]["content"]
        shown = hashlib.sha256(shown_text(user).encode()).hexdigest()[:16]
        asked = tuple(asked_positions(user)) if task == "tag" else ()
        with self._guard:
            self._counts[task, shown] += 1
            call = Call(task, shown, self._counts[task, shown], asked, time.monotonic())
            self.calls.append(call)
        return call


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: ChatServer, port: int) -> None:
        self.owner = owner
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def hang_up(self) -> None:
        """End the connections that clients keep alive."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._error(404, None, f"Unknown request URL: GET {self.path}")

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not (self.headers.get("Authorization") or "").startswith("Bearer "):
            return self._error(401, "invalid_api_key", "You didn't provide an API key.")
        if self.path != "/v1/chat/completions":
            return self._error(404, None, f"Unknown request URL: POST {self.path}")
        try:
            body = checked(content)
        except Fault as fault:
            return self._error(400, "invalid_request_error", str(fault))
        call = self.server.owner.record(body)
        scripted = self.server.owner.behaviour.script(body, call.number)
        pause = scripted.seconds if isinstance(scripted, Hang) else self.server.owner.behaviour.latency
        if pause and self.server.owner.stopping.wait(pause):
            self.close_connection = True
            return None
        return self._respond(body, None if isinstance(scripted, Hang) else scripted)

    def _respond(self, body: Body, scripted: Scripted | None) -> None:
        if isinstance(scripted, Drop):
            self.close_connection = True
        elif isinstance(scripted, Garbage):
            self._send(200, scripted.content, {"Content-Type": scripted.content_type})
        elif isinstance(scripted, Status):
            self._error(scripted.status, scripted.code, scripted.message, scripted.headers)
        else:
            self._send(200, json.dumps(completion(body, scripted)).encode())

    def _error(self, status: int, code: str | None, message: str, headers: Mapping[str, str] | None = None) -> None:
        kind = "invalid_request_error" if status < 500 else "server_error"
        tree = {"error": {"message": message, "type": kind, "param": None, "code": code}}
        self._send(status, json.dumps(tree).encode(), headers)

    def _send(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | dict(headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def checked(content: bytes) -> Body:
    """The request body. Raises Fault for what OpenAI answers with status 400."""
    try:
        body = json.loads(content)
    except ValueError:
        raise Fault("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        raise Fault("you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or [m.get("role") for m in messages] != ["system", "user"]:
        raise Fault("'messages': one of role system and one of role user are wanted")
    if not all(isinstance(m.get("content"), str) for m in messages):
        raise Fault("'messages': content must be text")
    limits = [body[name] for name in ("max_tokens", "max_completion_tokens") if name in body]
    if len(limits) != 1 or not isinstance(limits[0], int) or limits[0] < 1:
        raise Fault("exactly one of max_tokens and max_completion_tokens must be a whole number")
    shape = body.get("response_format") or {}
    wanted = shape.get("json_schema") or {}
    if shape.get("type") != "json_schema" or wanted.get("strict") is not True or not wanted.get("name"):
        raise Fault("'response_format' must be json_schema, named and strict")
    strict(wanted.get("schema"), "schema")
    return body


def strict(schema: Any, place: str) -> None:
    """Raises Fault where a schema is not of the strict subset."""
    if not isinstance(schema, dict) or "type" not in schema:
        raise Fault(f"Invalid schema for response_format: {place}: a type is needed")
    if schema.get("enum") == []:
        raise Fault(f"Invalid schema for response_format: {place}: enum is empty")
    if schema["type"] == "array":
        strict(schema.get("items"), f"{place}[]")
    if schema["type"] == "object":
        properties = schema.get("properties") or {}
        if schema.get("additionalProperties") is not False or sorted(schema["required"]) != sorted(properties):
            raise Fault(f"Invalid schema for response_format: {place}: every property required, no other allowed")
        for name, inner in properties.items():
            strict(inner, f"{place}.{name}")


def completion(body: Body, scripted: Scripted | None) -> Body:
    """A `chat.completion` object as OpenAI writes it."""
    text = answer(body)
    message: Body = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    finish = "stop"
    if isinstance(scripted, Says):
        message["content"] = text = scripted.text
    elif isinstance(scripted, Broken):
        message["content"] = text = text[: len(text) // 2]
    elif isinstance(scripted, Refused):
        message |= {"content": None, "refusal": "I'm sorry, I can't assist with that."}
    elif isinstance(scripted, Truncated):
        message["content"], finish = text[: len(text) // 2], "length"
    elif isinstance(scripted, Filtered):
        message["content"], finish = None, "content_filter"
    prompt = sum(tokens(m["content"]) for m in body["messages"])
    written = tokens(text)
    return {
        "id": "chatcmpl-" + hashlib.sha256(json.dumps(body).encode()).hexdigest()[:24],
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": None,
    }


def tokens(text: str) -> int:
    """About how many tokens a text is: a quarter of its bytes, rounded up."""
    return math.ceil(len(text.encode()) / 4)


def answer(body: Body) -> str:
    """What the model says: read from the prompt and the JSON schema, and the same for the same request."""
    system, user = (message["content"] for message in body["messages"])
    wanted = body["response_format"]["json_schema"]
    properties = wanted["schema"]["properties"]
    if "messages" in properties:
        tree = tags(system, user, properties["messages"]["items"])
    elif "goals" in properties:
        tree = judgment(user, properties)
    else:
        raise AssertionError(f"no answer is known for the task {wanted['name']}")
    return json.dumps(tree, ensure_ascii=False)


def shown_text(user: str) -> str:
    """The lines of the conversation that the prompt shows."""
    return user.rpartition("<conversation>\n")[2].partition("\n</conversation>")[0]


def lines(user: str) -> list[Line]:
    """The messages of the conversation that the prompt shows."""
    return [Line(**json.loads(line)) for line in shown_text(user).split("\n") if line.startswith('{"m":')]


def asked_positions(user: str) -> list[int]:
    """The messages that are asked about."""
    found = re.search(r"Answer for m = ([\d, ]+)\.", user.rpartition("\n</conversation>")[2])
    return [int(number) for number in found[1].split(", ")] if found else []


def tags(system: str, user: str, entry: Body) -> Body:
    """An entry for every message asked about."""
    event = entry["properties"]["events"]["items"]["properties"]
    names = event["type"]["enum"]
    kinds = {role: catalogue(system, role, names) for role in ("user", "assistant")}
    shown = {line.m: line for line in lines(user)}
    one = "in that message: exactly one" in system
    return {
        "messages": [{"m": m, "events": events(shown[m], kinds[shown[m].role], one)} for m in asked_positions(user)]
    }


def catalogue(system: str, role: str, names: list[str]) -> list[Kind]:
    """The event types that the prompt offers for a role."""
    part = system.partition(f"\nEvent types of role {role}:\n")[2].partition("\n\n")[0]
    found: list[Kind] = []
    for row in part.split("\n"):
        if row.startswith("- "):
            name = max((n for n in names if row.startswith(f"- {n}: ")), key=len)
            found.append(Kind(name, {}))
        elif row.startswith("  - property "):
            name, _, definition = row.removeprefix("  - property ").partition(": ")
            _, _, choices = definition.rpartition(" One of: ")
            is_closed = " One of: " in definition
            found[-1].properties[name] = tuple(choices.removesuffix(".").split(" | ")) if is_closed else ()
    return found


def events(line: Line, kinds: list[Kind], one: bool) -> list[Body]:
    """No event or one, chosen by the words of the message; one message in four has none."""
    if not kinds or (not one and number("none", line.role, line.text) % 4 == 0):
        return []
    kind = kinds[number("type", line.role, line.text) % len(kinds)]
    pairs = [{"name": name, "value": value(name, choices, line)} for name, choices in kind.properties.items()]
    because = f"These words are {kind.name}."
    return [{"quote": first_words(line.text), "because": because, "type": kind.name, "properties": pairs}]


def value(name: str, choices: tuple[str, ...], line: Line) -> str:
    """One of the choices, or the first word."""
    if choices:
        return choices[number(name, line.role, line.text) % len(choices)]
    return (line.text.split() or ["not applicable"])[0]


def first_words(text: str) -> str:
    """The first five words, as they stand."""
    found = re.match(r"\s*(\S+(?:\s+\S+){0,4})", text)
    return found[1] if found else ""


def judgment(user: str, properties: Body) -> Body:
    """A finding for every id in the schema, chosen by the conversation's words."""
    shown = lines(user)

    def findings(key: str, name: str, values: list[Any]) -> list[Body]:
        ids = properties[key]["items"]["properties"]["id"].get("enum", [])
        built = []
        for criterion in ids:
            n = number(criterion, shown_text(user), "")
            quote = first_words(shown[n % len(shown)].text) if shown else ""
            because = f"The conversation decides {criterion} so."
            built.append({"id": criterion, "quote": quote, "because": because, name: values[n % len(values)]})
        return built

    verdicts = ["met", "met", "met", "partly", "partly", "missed", "cannot tell"]
    return {
        "goals": findings("goals", "verdict", verdicts),
        "dealbreakers": findings("dealbreakers", "hit", [True, *[False] * 9]),
        "because": "The goals above decided it.",
    }


def number(*words: str) -> int:
    """A whole number that follows from the words."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).digest()[:6])


def by_substring(broken: str | None, refused: str | None) -> Callable[[Body, int], Scripted | None]:
    """A script: break or refuse every answer about a conversation in which a message holds this text."""

    def script(body: Body, nth: int) -> Scripted | None:
        texts = [line.text for line in lines(body["messages"][-1]["content"])]
        if refused and any(refused in text for text in texts):
            return Refused()
        return Broken() if broken and any(broken in text for text in texts) else None

    return script


def main() -> None:
    """Serve until the lifetime is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--break-substring", help="answers about conversations with this text are not JSON")
    parser.add_argument("--refuse-substring", help="answers about conversations with this text are refusals")
    parser.add_argument("--lifetime", type=float, default=120.0, help="seconds until it stops by itself")
    given = parser.parse_args()
    script = by_substring(given.break_substring, given.refuse_substring)
    with ChatServer(Behaviour(script, given.latency), given.port) as server:
        print(server.url, flush=True)
        time.sleep(given.lifetime)


if __name__ == "__main__":
    main()
