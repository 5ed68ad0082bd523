"""A loopback server that answers every request in the same way, whatever it asks for."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Answered(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class AnyServer:
    """In a test: `with AnyServer(Answered(404, b"no")) as server: ... server.origin ... server.posts`."""

    def __init__(self, answer: Answered) -> None:
        self.posts = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.posts += 1
                self._send(answer)

            def do_GET(self) -> None:
                self._send(Answered(200, b"<html>Sign in</html>"))

            def _send(self, sent: Answered) -> None:
                self.send_response(sent.status)
                for name, value in {**sent.headers, "Content-Length": str(len(sent.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent.body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "AnyServer":
        """Serve."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
