"""The transport beneath the vendors' SDKs, against a socket that says what it is told to."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from cpa_core.providers.connections import Connections, http_client

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextmanager
def saying(*answers: bytes, then_close: bool = False) -> Iterator[tuple[str, list[int]]]:
    """A server that gives one answer after another, over one connection; its URL, and a number for each connection."""
    opened: list[int] = []
    left = list(answers)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            opened.append(len(opened))
            with connection:
                connection.settimeout(5.0)
                while left and asked(connection):
                    connection.sendall(left.pop(0))
                    if then_close:
                        break

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", opened
    finally:
        ended.set()
        thread.join()
        listener.close()


def asked(connection: socket.socket) -> bool:
    """Whether a whole request has come: each ends with the same two bytes."""
    come = b""
    while not come.endswith(b"{}"):
        part = connection.recv(65_536)
        if not part:
            return False
        come += part
    return True


def client(seconds: float = 5.0) -> httpx2.Client:
    return httpx2.Client(transport=Connections(httpx2.create_ssl_context()), timeout=seconds)


def test_a_connection_is_used_again() -> None:
    with saying(OK, OK, OK) as (url, opened), client() as http:
        assert [http.post(url, content=b"{}").text for _ in range(3)] == ["ok"] * 3
        assert opened == [0]


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used_again() -> None:
    with saying(OK, OK, then_close=True) as (url, opened), client() as http:
        for _ in range(2):
            assert http.post(url, content=b"{}").text == "ok"
            time.sleep(0.05)
        assert opened == [0, 1]


def test_an_answer_that_ends_its_connection_leaves_none_behind() -> None:
    ending = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it"
    with saying(ending, ending, then_close=True) as (url, opened), client() as http:
        assert [http.post(url, content=b"{}").text for _ in range(2)] == ["all of it"] * 2
        assert opened == [0, 1]


def test_a_compressed_answer_is_unpacked_and_headers_of_any_letters_are_read() -> None:
    packed = gzip.compress(b"packed")
    head = b"HTTP/1.1 200 OK\r\nx-note: caf\xe9\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    with saying(head + packed) as (url, _), client() as http:
        found = http.post(url, content=b"{}")
        assert (found.text, found.headers["x-note"]) == ("packed", "café")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", httpx2.ReadTimeout),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", httpx2.ReadTimeout),
        (b"not HTTP at all\r\n\r\n", httpx2.RemoteProtocolError),
    ],
)
def test_half_an_answer_is_an_error_of_the_kind_that_the_sdks_know(said: bytes, error: type[Exception]) -> None:
    with saying(said, OK) as (url, _), client(0.2) as http, pytest.raises(error):
        http.post(url, content=b"{}")


def test_an_answer_that_breaks_off_is_an_error() -> None:
    short = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"
    with saying(short, then_close=True) as (url, _), client() as http, pytest.raises(httpx2.RemoteProtocolError):
        http.post(url, content=b"{}")


def test_nobody_there_is_no_connection() -> None:
    with client() as http, pytest.raises(httpx2.ConnectError):
        http.post("http://127.0.0.1:9/", content=b"{}")


def test_behind_a_proxy_calls_go_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with saying(OK) as (url, opened):
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("NO_PROXY", "")
        with http_client(5.0) as http:
            assert http.post("http://vendor.invalid/", content=b"{}").text == "ok"
        assert opened == [0]
