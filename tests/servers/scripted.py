"""What the loopback servers of models share: scripts, counted calls, and HTTP that can hang, drop and lie."""

import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.servers.brain import Body, Question, asked_positions, lines, shown_text


@dataclass(frozen=True)
class Says:
    """This text as the model's answer."""

    text: str


@dataclass(frozen=True)
class Changed:
    """The usual answer after a change to its JSON."""

    change: Callable[[Body], object]


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
    """An HTTP error in the vendor's form, or with a body as another vendor writes it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None
    message: str = "scripted"
    body: Any = None


@dataclass(frozen=True)
class Hang:
    """No answer for so many seconds, then the usual one."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """An empty line now and then for so many seconds, as DeepSeek's busy servers send them, then the usual answer."""

    seconds: float


@dataclass(frozen=True)
class Drop:
    """The connection ends without a response."""


@dataclass(frozen=True)
class Garbage:
    """Status 200 and these bytes."""

    content: bytes = b"\x00<html>not an answer"
    content_type: str = "application/json"


Scripted = Says | Changed | Broken | Refused | Truncated | Filtered | Status | Hang | Drip | Drop | Garbage
Script = Callable[[Body, int], Scripted | None]


def unscripted(body: Body, number: int) -> None:
    """The usual answer to everything."""


@dataclass(frozen=True)
class Behaviour:
    """What the server does: `script(request body, nth call about this transcript)`, and seconds before each answer.

    One that is not `structured` refuses a JSON schema beside the prompt, as older models do.
    """

    script: Script = unscripted
    latency: float = 0.0
    structured: bool = True


class Call(NamedTuple):
    """One request that was well formed. `transcript` is a hash of the lines shown; `asked` is empty but for tags."""

    task: str
    transcript: str
    number: int
    asked: tuple[int, ...]
    at: float


class Fault(Exception):
    """The request is not one that the vendor would accept."""

    def __init__(self, message: str, status: int = 400, code: str | None = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ModelServer:
    """A server on 127.0.0.1, running between `with` and its end. A vendor's server fills in the wire form."""

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        self.behaviour = behaviour or Behaviour()
        self.calls: list[Call] = []
        self.bodies: list[Body] = []
        self.faults: list[str] = []
        self.stopping = threading.Event()
        self.guard = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._http = _Http(self, port)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def origin(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def checked(self, path: str, headers: Message, content: bytes) -> Body:
        """The request's body. Raises Fault for what the vendor refuses."""
        raise NotImplementedError

    def question(self, body: Body) -> Question:
        """What the model reads."""
        raise NotImplementedError

    def says(self, body: Body, scripted: Scripted | None) -> Body:
        """The vendor's answer with what the model says."""
        raise NotImplementedError

    def error(self, path: str, fault: Fault) -> tuple[Body, Mapping[str, str]]:
        """The vendor's answer to a fault, and its headers."""
        raise NotImplementedError

    def beside(self, path: str, headers: Message, content: bytes | None) -> bytes | None:
        """What the vendor answers to anything but a question; null for a question. No content is a GET."""
        if content is None:
            raise Fault(f"Unknown request URL: GET {path}", 404, None)
        return None

    def __enter__(self) -> Self:
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
        question = self.question(body)
        shown = question.user if question.task in ("propose", "consolidate") else shown_text(question.user)
        hashed = hashlib.sha256(shown.encode()).hexdigest()[:16]
        asked = tuple(asked_positions(question.user)) if question.task == "tag" else ()
        with self.guard:
            self._counts[question.task, hashed] += 1
            call = Call(question.task, hashed, self._counts[question.task, hashed], asked, time.monotonic())
            self.calls.append(call)
            self.bodies.append(body)
        return call


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: ModelServer, port: int) -> None:
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
        self._beside(None)

    def _beside(self, content: bytes | None) -> bool:
        """Whether it was no question, and is answered. A connection is dropped where a test has it so."""
        owner = self.server.owner
        try:
            said = owner.beside(self.path, self.headers, content)
        except Fault as fault:
            owner.faults.append(str(fault))
            self._refuse(fault)
            return True
        except ConnectionAbortedError:
            self.close_connection = True
            return True
        if said is not None:
            self._send(200, said)
        return said is not None

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self._beside(content):
            return None
        owner = self.server.owner
        try:
            body = owner.checked(self.path, self.headers, content)
        except Fault as fault:
            owner.faults.append(str(fault))
            return self._refuse(fault)
        scripted = owner.behaviour.script(body, owner.record(body).number)
        pause = scripted.seconds if isinstance(scripted, Hang) else owner.behaviour.latency
        if pause and owner.stopping.wait(pause):
            self.close_connection = True
            return None
        return self._respond(body, None if isinstance(scripted, Hang) else scripted)

    def _respond(self, body: Body, scripted: Scripted | None) -> None:
        if isinstance(scripted, Drop):
            self.close_connection = True
        elif isinstance(scripted, Drip):
            self._drip(scripted.seconds, json.dumps(self.server.owner.says(body, None)).encode())
        elif isinstance(scripted, Garbage):
            self._send(200, scripted.content, {"Content-Type": scripted.content_type})
        elif isinstance(scripted, Status) and scripted.body is not None:
            self._send(scripted.status, json.dumps(scripted.body).encode(), scripted.headers)
        elif isinstance(scripted, Status):
            self._refuse(Fault(scripted.message, scripted.status, scripted.code), scripted.headers)
        else:
            self._send(200, json.dumps(self.server.owner.says(body, scripted)).encode())

    def _drip(self, seconds: float, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not self.server.owner.stopping.wait(0.02):
            self.wfile.write(b"1\r\n\n\r\n")
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content))

    def _refuse(self, fault: Fault, headers: Mapping[str, str] | None = None) -> None:
        tree, own = self.server.owner.error(self.path, fault)
        self._send(fault.status, json.dumps(tree).encode(), {**own, **(headers or {})})

    def _send(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | dict(headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def said(text: str, scripted: Scripted | None) -> str:
    """What the model says when it is scripted; half of it where it breaks off."""
    if isinstance(scripted, Says):
        return scripted.text
    if isinstance(scripted, Changed):
        tree = json.loads(text)
        scripted.change(tree)
        return json.dumps(tree, ensure_ascii=False)
    return text[: len(text) // 2] if isinstance(scripted, Broken | Truncated) else text


def json_object(content: bytes) -> Body:
    """The request's JSON. Raises Fault."""
    try:
        body = json.loads(content)
    except ValueError:
        raise Fault("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise Fault("an object is needed")
    return body


def strict(schema: Any, place: str) -> None:
    """Raises Fault where a schema is not of the strict subset.

    Its words do not name the parameter, as a vendor's do: ours would ask again in words, and no test would notice.
    """
    if not isinstance(schema, dict) or "type" not in schema:
        raise Fault(f"Invalid schema: {place}: a type is needed")
    if schema.get("enum") == []:
        raise Fault(f"Invalid schema: {place}: enum is empty")
    if schema["type"] == "array":
        strict(schema.get("items"), f"{place}[]")
    if schema["type"] == "object":
        properties = schema.get("properties") or {}
        if schema.get("additionalProperties") is not False or sorted(schema["required"]) != sorted(properties):
            raise Fault(f"Invalid schema: {place}: every property required, no other allowed")
        for name, inner in properties.items():
            strict(inner, f"{place}.{name}")


def by_substring(broken: str | None, refused: str | None) -> Script:
    """A script: break or refuse every answer about a conversation in which a message holds this text."""

    def script(body: Body, nth: int) -> Scripted | None:
        texts = [line.text for line in lines(body["messages"][-1]["content"])]
        if refused and any(refused in text for text in texts):
            return Refused()
        return Broken() if broken and any(broken in text for text in texts) else None

    return script
