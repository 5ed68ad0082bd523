"""How calls travel: HTTP/1.1 by the standard library beneath a vendor's SDK, a connection for each call under way."""

import select
import socket
import ssl
import threading
import time
from collections import defaultdict
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.request import getproxies

import httpx2

KEPT = 30.0
"""Seconds that an unused connection is kept: what stands between may forget it in silence."""

Origin = tuple[str, str, int | None]
"""Scheme, host and port."""


class Idle(NamedTuple):
    """A connection that nobody uses, since when by `time.monotonic`."""

    connection: HTTPConnection
    since: float


def http_client(timeout: float) -> httpx2.Client:
    """What a vendor's SDK sends through; behind a proxy, `httpx2` alone."""
    certificates = httpx2.create_ssl_context()
    if getproxies().keys() - {"no"}:
        many = httpx2.Limits(max_connections=1000, max_keepalive_connections=256)
        return httpx2.Client(verify=certificates, timeout=timeout, follow_redirects=True, limits=many)
    return Client(transport=Connections(certificates), timeout=timeout, follow_redirects=True)


class Client(httpx2.Client):
    """Takes a request as an SDK has written it: headers, cookies and address are not merged with others each time."""

    def build_request(self, method: str, url: httpx2.URL | str, **given: Any) -> httpx2.Request:
        """As `httpx2.Client.build_request`, where more than headers, content and seconds is given."""
        rest = given.keys() - {"headers", "content", "timeout"}
        if any(given[name] is not None for name in rest) or not isinstance(given.get("content"), bytes):
            return super().build_request(method, url, **given)
        headers = httpx2.Headers(given.get("headers"))
        headers["Accept-Encoding"] = "gzip, deflate"
        timeout = httpx2.Timeout(given.get("timeout", self.timeout)).as_dict()
        return httpx2.Request(
            method, _url(str(url)), headers=headers, content=given["content"], extensions={"timeout": timeout}
        )


_url = lru_cache(maxsize=64)(httpx2.URL)


class Connections(httpx2.BaseTransport):
    """For `httpx2.Client`, shared by threads: sends a request, reads all of its response.

    Its own pool searches its connections twice a call, and its HTTP is written in Python: seven times the processor
    of this one. Raises `httpx2.TransportError`, as it does.
    """

    def __init__(self, certificates: ssl.SSLContext) -> None:
        self._certificates = certificates
        self._idle: defaultdict[Origin, list[Idle]] = defaultdict(list)
        self._guard = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One exchange; the last connection used is used first."""
        origin = (request.url.scheme, request.url.host, request.url.port)
        limits = request.extensions.get("timeout", {})
        connection = self._connection(origin, limits.get("connect"))
        try:
            connection.sock.settimeout(limits.get("read"))
            response = _exchanged(connection, request)
        except TimeoutError as error:
            connection.close()
            raise httpx2.ReadTimeout(str(error), request=request) from error
        except OSError as error:
            connection.close()
            raise httpx2.ReadError(str(error), request=request) from error
        except HTTPException as error:
            connection.close()
            raise httpx2.RemoteProtocolError(type(error).__name__, request=request) from error
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # the response may have ended it
            with self._guard:
                self._idle[origin].append(Idle(connection, time.monotonic()))
        return response

    def _connection(self, origin: Origin, patience: float | None) -> HTTPConnection:
        """One that is still open, else a new one."""
        while True:
            with self._guard:
                if not self._idle[origin]:
                    break
                found, since = self._idle[origin].pop()
            if time.monotonic() - since < KEPT and not _has_ended(found.sock):
                return found
            found.close()
        try:
            return _opened(origin, patience, self._certificates)
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx2.ConnectError(str(error)) from error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._guard:
            for idle in self._idle.values():
                while idle:
                    idle.pop().connection.close()


def _opened(origin: Origin, patience: float | None, certificates: ssl.SSLContext) -> HTTPConnection:
    scheme, host, port = origin
    connection = (
        HTTPSConnection(host, port, timeout=patience, context=certificates)
        if scheme == "https"
        else HTTPConnection(host, port, timeout=patience)
    )
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # an answer may take a quarter of an hour
    return connection


def _has_ended(sock: socket.socket) -> bool:
    """Whether something came on a connection that nobody uses: its end, as a rule."""
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0))


def _exchanged(connection: HTTPConnection, request: httpx2.Request) -> httpx2.Response:
    """As `httpx2` wrote the request, so it is sent; the client decodes what is read."""
    connection.putrequest(request.method, request.url.raw_path.decode("ascii"), True, True)
    for name, value in request.headers.raw:
        connection.putheader(name.decode("ascii"), value)
    parts: list[bytes] = []
    vars(connection)["send"] = parts.append  # headers and body in one write: each lets all other threads go first
    connection.endheaders(request.read())
    del vars(connection)["send"]
    connection.send(b"".join(parts))
    answer = connection.getresponse()
    content = answer.read()
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()]
    return httpx2.Response(answer.status, headers=headers, stream=httpx2.ByteStream(content), request=request)
