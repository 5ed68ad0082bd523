"""What the loopback servers of the destinations share: JSON requests in, scripted faults, true answers out."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request as it came, unpacked. `number` counts from 1; `size` is in bytes, before unpacking.

    `content` are the bytes of the body.
    """

    number: int
    path: str
    headers: Mapping[str, str]
    body: Body
    size: int
    content: bytes = b""

    @property
    def events(self) -> list[Body]:
        """The events in it, in each vendor's form."""
        if isinstance(self.body, list):
            return list(self.body)
        found = self.body.get("batch") or self.body.get("events") or []
        return list(found)


@dataclass(frozen=True)
class Says:
    """This status, and this instead of the usual answer; nothing is stored."""

    status: int
    body: Body | str = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hangs:
    """The connection ends without an answer, before or after the events are stored."""

    stored: bool


Fault = Says | Hangs


class Loopback:
    """A server on 127.0.0.1, running between `with` and its end.

    `script` is asked about each request and may answer with a fault; `latency` is seconds before each answer.
    """

    def __init__(self, script: Callable[[Asked], Fault | None] = lambda asked: None, latency: float = 0.0) -> None:
        self.script = script
        self.latency = latency
        self.asked: list[Asked] = []
        self.guard = threading.Lock()
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def answer(self, asked: Asked) -> Says:
        """The vendor's own answer; events that it takes are stored."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: Loopback) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_POST(self) -> None:
        owner = self.server.owner
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        unpacked = gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content
        with owner.guard:
            asked = Asked(
                len(owner.asked) + 1, self.path, dict(self.headers), json.loads(unpacked), len(content), unpacked
            )
            owner.asked.append(asked)
        time.sleep(owner.latency)
        fault = owner.script(asked)
        if isinstance(fault, Hangs):
            if fault.stored:
                owner.answer(asked)
            self.close_connection = True
            return
        self._say(fault or owner.answer(asked))

    def _say(self, said: Says) -> None:
        text = said.body if isinstance(said.body, str) else json.dumps(said.body)
        content = text.encode()
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
