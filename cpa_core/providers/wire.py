"""The wire format of calls to a vendor: schemas in words, and JSON of which nothing can be assumed."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx2

from cpa_core.errors import Garbled, Limits, NotReached, ProviderFailed
from cpa_core.llm import HUNG_TRIES, Request
from cpa_core.providers.foreign import foreign, page_of
from cpa_core.providers.streams import streamed

DAY = 86_400.0
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}

IN_WORDS = "Answer with one JSON object of this schema and nothing else:\n"


class Response(NamedTuple):
    """A server's answer, whatever its status. `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def received(found: httpx2.Response) -> Response:
    """Return the response. If a redirection changed the request and lost its body, return the redirection."""
    if found.history and found.request.method != "POST":
        moved = found.history[0]
        return Response(moved.status_code, moved.headers, b"")
    return Response(found.status_code, found.headers, found.content)


def patience(usual: float, request: Request) -> float:
    """Return the timeout of one call in seconds: the usual one, or the rest of the run."""
    return usual if request.seconds is None else min(usual, request.seconds)


def unanswered(error: Exception, *, hung: bool) -> ProviderFailed:
    """The failure of a call to which nothing came back; `hung` when its time was over."""
    for cause in _causes(error):
        if isinstance(cause, ConnectionRefusedError):
            return NotReached(f"{_address(error)}: the connection is refused")
        if isinstance(cause, socket.gaierror):
            return NotReached(f"{_address(error)}: the name of the host is not known")
    reason = f"no connection: {type(error.__cause__ or error).__name__}"
    return ProviderFailed(reason, tries=HUNG_TRIES if hung else 1)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _address(error: Exception) -> str:
    """Return scheme, host and port of a call, without the secrets of an address."""
    url = getattr(getattr(error, "request", None), "url", None)
    return "no connection" if url is None else f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


def schema_in_words(request: Request) -> str:
    """The static part of a question with its JSON schema at the end, for models that take none beside it."""
    return f"{request.system}\n\n{IN_WORDS}{json.dumps(request.json_schema, ensure_ascii=False)}"


def decoded(content: bytes) -> Any:
    """The JSON in a response. Raises Garbled."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        pass
    try:
        return streamed(content)
    except (ValueError, RecursionError):
        page = page_of(content)
        raise foreign(page) if page else Garbled("the response is not JSON") from None


def mapping(found: Any) -> dict[str, Any]:
    """It, where it is an object; else an empty one."""
    return found if isinstance(found, dict) else {}


def count(found: Any) -> int | None:
    """It, where it is a whole number; else null."""
    return found if type(found) is int else None


def limits(headers: Mapping[str, str]) -> Limits | None:
    """Calls and tokens a minute by the headers of OpenAI's form or of Anthropic's; null if they hold none.

    `x-ratelimit-limit-requests` counts a day at Groq (console.groq.com/docs/rate-limits) and for OpenAI's smallest
    accounts: a limit that refills over a day is not used as a pace. Anthropic limits uncached input tokens and output
    tokens (platform.claude.com/docs/en/api/rate-limits); its `tokens-limit` is the narrowest of several, and adds
    nothing to these.
    """
    fresh = _number(headers, "anthropic-ratelimit-input-tokens-limit")
    found = Limits(
        requests=_number(headers, "x-ratelimit-limit-requests", "anthropic-ratelimit-requests-limit"),
        tokens=_number(headers, "x-ratelimit-limit-tokens", *(() if fresh else ("anthropic-ratelimit-tokens-limit",))),
        fresh_tokens=fresh,
        written_tokens=_number(headers, "anthropic-ratelimit-output-tokens-limit"),
    )
    if _is_daily(headers, found.requests):
        found = found._replace(requests=None)
    return None if found == Limits() else found


def _number(headers: Mapping[str, str], *names: str) -> float | None:
    for name in names:
        try:
            value = float(headers.get(name) or "0")
        except ValueError:
            continue
        if 0.0 < value < float("inf"):
            return value
    return None


def _is_daily(headers: Mapping[str, str], limit: float | None) -> bool:
    left = _number(headers, "x-ratelimit-remaining-requests")
    reset = sum(float(n) * SECONDS[unit] for n, unit in DURATION.findall(headers.get("x-ratelimit-reset-requests", "")))
    if limit is None or left is None or left >= limit:
        return False
    return 0.8 < reset * limit / (limit - left) / DAY < 1.25
