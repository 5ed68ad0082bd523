"""The transport beneath the vendors' SDKs, against a socket that says what it is told to."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cpa_core.providers.connections import Connections, http_client

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@contextmanager
def saying(*answers: bytes, then_close: bool = False, pause: float = 0.0) -> Iterator[tuple[str, list[int]]]:
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
                    time.sleep(pause)
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


def client(seconds: float = 5.0, certificates: ssl.SSLContext | None = None) -> httpx2.Client:
    return httpx2.Client(transport=Connections(certificates or httpx2.create_ssl_context()), timeout=seconds)


def safe(connection: socket.socket, certificate: ssl.SSLContext | None) -> socket.socket:
    """The server's end, with TLS where there is a certificate."""
    return certificate.wrap_socket(connection, server_side=True) if certificate else connection


@contextmanager
def dripping(first: bytes, drop: bytes, certificate: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that says one thing at once and another every 20 ms, for ever; its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5.0)
    ended = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with suppress(OSError), safe(connection, certificate) as c:
            asked(c)
            c.sendall(first)
            while not ended.wait(0.02):
                c.sendall(drop)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        ended.set()
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate for 127.0.0.1, and what a client trusts it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))


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


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (UNTIL_CLOSED, b"\n"),
        (UNTIL_CLOSED, b": keep-alive\n\n"),
        (CHUNKED, b"1\r\n\n\r\n"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", b"\n"),
        (b"HTTP/1.1 200 OK\r\n", b"x-still: here\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 ", b"2"),
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_an_answer_that_drips_ends_with_its_time(
    first: bytes, drop: bytes, secure: bool, certificates: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, trusted = certificates
    began = time.monotonic()
    said = dripping(first, drop, server if secure else None)
    with said as url, client(0.3, trusted) as http, pytest.raises(httpx2.TimeoutException):
        http.post(url, content=b"{}")
    assert 0.25 < time.monotonic() - began < 0.8


def test_empty_lines_where_a_status_belongs_are_no_answer() -> None:
    with dripping(b"", b"\r\n") as url, client(2.0) as http, pytest.raises(httpx2.RemoteProtocolError):
        http.post(url, content=b"{}")


@pytest.mark.parametrize("secure", [False, True])
def test_a_question_that_nobody_reads_ends_with_its_time(
    secure: bool, certificates: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, trusted = certificates
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def sip() -> None:
        connection, _ = listener.accept()
        with suppress(OSError), safe(connection, server if secure else None) as c:
            while not ended.wait(0.02):
                c.recv(20_000)

    thread = threading.Thread(target=sip)
    thread.start()
    began = time.monotonic()
    with client(0.3, trusted) as http, pytest.raises(httpx2.TimeoutException):
        http.post(f"http{'s' * secure}://127.0.0.1:{listener.getsockname()[1]}/", content=bytes(30_000_000))
    assert 0.25 < time.monotonic() - began < 1.2
    ended.set()
    thread.join()
    listener.close()


def test_an_address_that_leads_on_and_on_ends_with_the_time_of_one_call() -> None:
    onward = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"
    began = time.monotonic()
    with (
        saying(*[onward] * 20, pause=0.1) as (url, _),
        http_client(0.3) as http,
        pytest.raises(httpx2.TimeoutException),
    ):
        http.post(url, content=b"{}", timeout=0.3)
    assert time.monotonic() - began < 1.0


def test_a_greeting_that_is_not_answered_ends_with_its_time() -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, client(0.2) as http, pytest.raises(httpx2.ConnectTimeout):
        http.post(f"https://127.0.0.1:{silent.getsockname()[1]}/", content=b"{}")
    assert time.monotonic() - began < 0.8


def test_a_host_is_reached_at_whichever_of_its_addresses_answers() -> None:
    with saying(OK) as (url, _), client() as http:
        assert http.post(url.replace("127.0.0.1", "localhost"), content=b"{}").text == "ok"


def test_an_answer_comes_over_a_safe_connection(certificates: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trusted = certificates
    with dripping(OK, b"", server) as url, client(5.0, trusted) as http:
        assert http.post(url, content=b"{}").text == "ok"


def test_behind_a_proxy_an_answer_that_drips_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with dripping(UNTIL_CLOSED, b"\n") as url:
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("NO_PROXY", "")
        with http_client(0.3) as http, pytest.raises(httpx2.TimeoutException):
            http.post("http://vendor.invalid/", content=b"{}")
    assert time.monotonic() - began < 0.9
