"""The transport of calls: HTTP/1.1 by the standard library beneath a vendor's SDK, a connection for each call."""

import io
import math
import select
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, NamedTuple, cast
from urllib.request import getproxies

import httpx2

KEPT = 30.0
"""Seconds that an unused connection is kept: a proxy between may drop it silently."""

SHARED = 0.9
"""Seconds for which all calls share one failure to connect, before the first connection.

It is less than the pause before a question's next try.
"""

Origin = tuple[str, str, int | None]
"""Scheme, host and port."""


class Refusal(NamedTuple):
    """A failure to connect, and when, by `time.monotonic`."""

    error: OSError
    at: float


class Idle(NamedTuple):
    """A connection that nobody uses, since when by `time.monotonic`."""

    connection: HTTPConnection
    since: float


def http_client(timeout: float) -> httpx2.Client:
    """Return the client of a vendor's SDK; behind a proxy, `httpx2` alone, whose answers end in twice their time."""
    certificates = httpx2.create_ssl_context()
    if getproxies().keys() - {"no"}:
        many = httpx2.Limits(max_connections=1000, max_keepalive_connections=256)
        hooks: dict[str, list[Callable[..., Any]]] = {"request": [_ends], "response": [_bounded]}
        return httpx2.Client(
            verify=certificates, timeout=timeout, follow_redirects=True, limits=many, event_hooks=hooks
        )
    return Client(transport=Connections(certificates), timeout=timeout, follow_redirects=True)


class Until(httpx2.SyncByteStream):
    """A body that is read until an instant."""

    def __init__(self, parts: Any, ends: float) -> None:
        self._parts = parts
        self._ends = ends

    def __iter__(self) -> Iterator[bytes]:
        """Its parts. Raises httpx2.ReadTimeout."""
        for part in self._parts:
            if time.monotonic() > self._ends:
                raise httpx2.ReadTimeout("the time for one call is over")
            yield part

    def close(self) -> None:
        """Let go of the connection."""
        self._parts.close()


def _ends(request: httpx2.Request) -> float:
    """Return the instant at which a request times out: after a redirection, only the rest of the time is left."""
    ends: float = request.extensions.setdefault("ends", _instant(request.extensions.get("timeout", {}).get("read")))
    return ends


def _bounded(response: httpx2.Response) -> None:
    response.stream = Until(response.stream, _ends(response.request))


class Client(httpx2.Client):
    """Takes a request as an SDK has written it: headers, cookies and address are not merged with others each time."""

    def build_request(self, method: str, url: httpx2.URL | str, **given: Any) -> httpx2.Request:
        """Build a request directly, or as httpx2 does if more than headers, content and seconds is given."""
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

    Its own pool searches its connections twice a call, and its HTTP is written in Python: seven times the processor of
    this one. Raises `httpx2.TransportError` as it does, but its timeout `read` covers the whole exchange: a busy server
    may send empty lines for minutes (api-docs.deepseek.com, rate limit). Only the look-up of a host's addresses is
    outside it, because nothing can interrupt that.
    """

    def __init__(self, certificates: ssl.SSLContext) -> None:
        self._certificates = certificates
        self._idle: defaultdict[Origin, list[Idle]] = defaultdict(list)
        self._guard = threading.Lock()
        self._met: set[Origin] = set()
        self._refused: dict[Origin, Refusal] = {}
        self._meeting: defaultdict[Origin, threading.Lock] = defaultdict(threading.Lock)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One exchange; the last connection used is used first."""
        origin = (request.url.scheme, request.url.host, request.url.port)
        limits = request.extensions.get("timeout", {})
        ends = _ends(request)
        connection = self._connection(origin, min(ends, _instant(limits.get("connect"))))
        try:
            response = _exchanged(connection, request, ends)
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

    def _connection(self, origin: Origin, ends: float) -> HTTPConnection:
        """Return a connection that is still open, else a new one."""
        while True:
            with self._guard:
                if not self._idle[origin]:
                    break
                found, since = self._idle[origin].pop()
            if time.monotonic() - since < KEPT and not _has_ended(found.sock):
                return found
            found.close()
        try:
            return self._new(origin, ends)
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx2.ConnectError(str(error)) from error

    def _new(self, origin: Origin, ends: float) -> HTTPConnection:
        """A new one. Until there was one, only one call tries at a time, and the others share its failure."""
        with self._guard:
            meeting = self._meeting[origin]
        if origin not in self._met:
            with meeting:
                if origin not in self._met:
                    return self._first(origin, ends)
        return _opened(origin, ends, self._certificates)

    def _first(self, origin: Origin, ends: float) -> HTTPConnection:
        refused = self._refused.get(origin)
        if refused and time.monotonic() - refused.at < SHARED:
            raise type(refused.error)(*refused.error.args)
        try:
            made = _opened(origin, ends, self._certificates)
        except OSError as error:
            self._refused[origin] = Refusal(error, time.monotonic())
            raise
        self._met.add(origin)
        return made

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._guard:
            for idle in self._idle.values():
                while idle:
                    idle.pop().connection.close()


class Incoming(io.RawIOBase):
    """The bytes that a socket receives until an instant: its own timeout restarts with every byte.

    HTTPResponse uses it as the socket, and through it keeps the connection open until the body is read.
    """

    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._ends = ends

    def makefile(self, mode: str) -> io.BufferedReader:
        """Itself, with a buffer."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Wait for the next bytes. Raises TimeoutError at the instant."""
        self._sock.settimeout(_left(self._ends))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the connection."""
        self._raw.close()
        super().close()


def _instant(seconds: float | None) -> float:
    """Return the instant these seconds from now, by `time.monotonic`."""
    return math.inf if seconds is None else time.monotonic() + seconds


def _left(ends: float) -> float | None:
    """Seconds until then. Raises TimeoutError."""
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time for one call is over")
    return None if left == math.inf else left


def _opened(origin: Origin, ends: float, certificates: ssl.SSLContext) -> HTTPConnection:
    scheme, host, port = origin
    connection = HTTPConnection(host)
    connection.sock = sock = _reached(host, port or (443 if scheme == "https" else 80), ends)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # an answer may take a quarter of an hour
    if scheme == "https":
        connection.sock = certificates.wrap_socket(sock, server_hostname=host)
    return connection


def _reached(host: str, port: int, ends: float) -> socket.socket:
    """The first of a host's addresses that answers, each within its share of the time left."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    for n, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            left = _left(ends)
            sock.settimeout(None if left is None else left / (len(addresses) - n))
            sock.connect(address)
            sock.settimeout(_left(ends))
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure


def _has_ended(sock: socket.socket) -> bool:
    """Whether something came on a connection that nobody uses: its end, as a rule."""
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0))


def _exchanged(connection: HTTPConnection, request: httpx2.Request, ends: float) -> httpx2.Response:
    """Send the request as `httpx2` wrote it, and return the response; the client decodes it."""
    connection.putrequest(request.method, request.url.raw_path.decode("ascii"), True, True)
    for name, value in request.headers.raw:
        connection.putheader(name.decode("ascii"), value)
    parts: list[bytes] = []
    vars(connection)["send"] = parts.append  # headers and body in one write: each lets all other threads go first
    connection.endheaders(request.read())
    del vars(connection)["send"]
    unsent = memoryview(b"".join(parts))
    while unsent:
        connection.sock.settimeout(_left(ends))
        unsent = unsent[connection.sock.send(unsent) :]
    vars(connection)["response_class"] = lambda sock, **given: HTTPResponse(cast(Any, Incoming(sock, ends)), **given)
    answer = connection.getresponse()
    content = answer.read()
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()]
    return httpx2.Response(answer.status, headers=headers, stream=httpx2.ByteStream(content), request=request)
