"""What an HTTP error status of a provider means: this question is at fault, try again, or stop for good."""

from collections.abc import Mapping
from typing import NoReturn

from cpa_core.errors import ProviderFailed, ProviderStopped
from cpa_core.llm import Reply

STOPPING = frozenset({401, 402, 403, 404})
"""The account or the model is refused: every other question would meet the same."""
PASSING = frozenset({408, 409, 425, 498, 529})
TERMINAL_CODES = frozenset({"insufficient_quota", "billing_error"})


def outcome(status: int, code: str, body: object, headers: Mapping[str, str]) -> Reply:
    """A reply when only this question is at fault. Raises ProviderFailed or ProviderStopped otherwise.

    `code` is the vendor's word for the error, `body` the decoded response, from which the vendor's sentence is
    repeated only when it is about the account or the model: others could quote the prompt.
    """
    if status in STOPPING or code in TERMINAL_CODES:
        raise ProviderStopped(f"status {status}: {words(body) or code or 'refused'}")
    if status == 429 or status in PASSING or status >= 500:
        _later(status, headers)
    if code == "content_filter":
        return Reply(outcome="filtered", detail="the provider's content filter")
    return Reply(outcome="error", detail=f"status {status}: {code or 'the request was not accepted'}")


def words(body: object) -> str:
    """The vendor's own sentence in an error's body, at most 300 characters."""
    found = body.get("error", body) if isinstance(body, dict) else None
    message = found.get("message") if isinstance(found, dict) else None
    return str(message)[:300] if message else ""


def _later(status: int, headers: Mapping[str, str]) -> NoReturn:
    written = headers.get("retry-after")
    if written is None and status != 429:
        raise ProviderFailed(f"status {status}")
    try:
        after = max(0.0, float(written or "1"))
    except ValueError:
        after = 1.0
    raise ProviderFailed("status 429: rate limit" if status == 429 else f"status {status}", retry_after=after)
