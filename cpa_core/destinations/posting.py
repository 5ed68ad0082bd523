"""One POST with its answer, whatever the status. No redirect is followed, because a POST would arrive as a GET."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from cpa_core.destinations.sending import Parcel, RequestOutcome, narrowed
from cpa_core.errors import DestinationStopped

TIMEOUT = 30.0
"""Seconds for one request."""
STOPS = frozenset({401, 402, 403, 404, 405, 410})
"""Statuses about the key, the account or the address: no event is to blame."""


@dataclass(frozen=True)
class HttpReply:
    """A server's answer; `wait` is the wait in seconds that the server asked for."""

    status: int
    content: bytes
    wait: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the server took it."""
        return 200 <= self.status < 300


class Unanswered(Exception):
    """Nothing came back. Without a connection nothing was stored; on one it may have been."""

    def __init__(self, detail: str, *, perhaps_stored: bool) -> None:
        super().__init__(detail)
        self.perhaps_stored = perhaps_stored

    def verdict(self, parcels: Sequence[Parcel]) -> RequestOutcome:
        """All of them again."""
        return RequestOutcome(again=parcels, status="unknown" if self.perhaps_stored else "retryable", detail=str(self))


class _Stay(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        return None


_OPENER = build_opener(_Stay)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> HttpReply:
    """Send it once. Raises Unanswered."""
    request = Request(url, data=body, headers=dict(headers))
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            return HttpReply(answer.status, answer.read(), retry_after(answer.headers))
    except HTTPError as refusal:
        with refusal:
            return HttpReply(refusal.code, refusal.read(), retry_after(refusal.headers))
    except URLError as error:
        cut = isinstance(error.reason, ConnectionError | TimeoutError)
        cut = cut and not isinstance(error.reason, ConnectionRefusedError)  # refused: nothing was sent
        raise Unanswered("connection lost" if cut else "no connection", perhaps_stored=cut) from None
    except (OSError, HTTPException) as error:
        raise Unanswered(f"no answer: {type(error).__name__}", perhaps_stored=True) from None


def by_status(parcels: Sequence[Parcel], name: str, answered: HttpReply) -> RequestOutcome:
    """Return the outcome of a refusal of which only the status is understood. Raises DestinationStopped."""
    status = answered.status
    if status in STOPS or 300 <= status < 400:
        raise DestinationStopped(f"{name}: {status}: refused, and no event is named")
    if status in (408, 504):
        detail = f"{status}: no answer"
        return RequestOutcome(again=parcels, status="unknown", http_status=status, detail=detail, wait=answered.wait)
    if status == 429 or status >= 500:
        return RequestOutcome(again=parcels, http_status=status, detail=f"{status}: busy", wait=answered.wait)
    return narrowed(parcels, status, f"{status}: refused")


def retry_after(headers: Any) -> float | None:
    """Return the seconds of Retry-After, given as a number or a time; null if it is missing (RFC 9110, 10.2.3)."""
    written = headers.get("Retry-After") or ""
    try:
        return float(written)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(written)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
