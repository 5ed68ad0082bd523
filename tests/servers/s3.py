"""moto on loopback as S3, and before it a relay that counts whole answers, refuses keys and breaks connections."""

import http.client
import logging
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from moto.server import ThreadedMotoServer

Fault = Literal["refuse", "break", "gone"]
"""403 AccessDenied; the connection ends after half of the object; the connection ends without an answer."""

BUSY = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "server", "date"})


class Relay(ThreadingHTTPServer):
    """Passes every request on to moto. `faults` are used up by the requests for their object, in order.

    `busy` is the share of all requests that are answered by 503 SlowDown; `slowed` counts them.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int) -> None:
        self.port = port
        self.busy = 0.0
        self.slowed = 0
        self.chance = random.Random(7)
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.whole: Counter[tuple[str, str]] = Counter()
        self.asked: Counter[str] = Counter()
        self.guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def is_busy(self) -> bool:
        """Whether this request is answered by 503."""
        with self.guard:
            found = self.chance.random() < self.busy
            self.slowed += found
        return found

    def fault(self, key: str) -> Fault | None:
        """What becomes of this request for an object."""
        with self.guard:
            self.asked[key] += 1
            return self.faults[key].pop(0) if self.faults[key] else None


class _Handler(BaseHTTPRequestHandler):
    server: Relay
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def _pass_on(self) -> None:
        path = urlsplit(self.path)
        key = unquote(path.path).partition("/")[2].partition("/")[2]
        is_object = self.command == "GET" and bool(key)
        fault = self.server.fault(key) if is_object else None
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.is_busy():
            return self._say(503, {"Content-Type": "application/xml", "Content-Length": str(len(BUSY))}, BUSY)
        if fault == "refuse":
            return self._say(403, {"Content-Type": "application/xml", "Content-Length": str(len(DENIED))}, DENIED)
        if fault == "gone":
            self.close_connection = True
            return None
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        upstream.request(self.command, self.path, content, dict(self.headers))
        answer = upstream.getresponse()
        body = answer.read()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
        if self.command != "HEAD":
            headers["Content-Length"] = str(len(body))
        upstream.close()
        if fault == "break":
            self.close_connection = True
            return self._say(answer.status, headers, body[: len(body) // 2])
        self._say(answer.status, headers, body)
        if is_object and answer.status == 200:
            with self.server.guard:
                self.server.whole[key, str(answer.getheader("ETag")).strip('"')] += 1
        return None

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass_on

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def handle(self) -> None:
        """Serve the connection; whoever was killed in the middle of an answer is none of our business."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def relayed() -> Iterator[Relay]:
    """moto with a relay before it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    relay = Relay(moto.get_host_and_port()[1])
    thread = threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.shutdown()
        relay.server_close()
        thread.join()
        moto.stop()
