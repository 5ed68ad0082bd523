"""What an HTTP error status of a provider means: this question is at fault, try again, or stop for good."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from cpa_core.errors import ProviderFailed, ProviderStopped
from cpa_core.llm import Reply
from cpa_core.providers.wire import Response, decoded, limits, mapping

STOPPING = frozenset({401, 402, 403, 404})
"""The account or the model is refused: every other question would meet the same."""
PASSING = frozenset({408, 409, 424, 425, 498, 529})
"""May pass, as every 5xx: 424 is Bedrock's for a model that failed, 498 Groq's and 529 Anthropic's for overload."""
TERMINAL_CODES = frozenset({"insufficient_quota", "billing_error"})
TERMINAL_WORDS = ("credit balance", "model identifier", "on-demand throughput", "service_tier", "service tier")
"""Status 400, but about the account (Anthropic), the model (Bedrock) or the lane (OpenAI): as good as the statuses
that stop."""
SCHEMA_WORDS = ("response_format", "response format", "json_schema", "output_config", "compiled grammar")
"""A bad request that speaks of these is one whose JSON schema the model does not take."""


class Fault(NamedTuple):
    """An error as vendors write it: `{"error": {...}}` or the object alone. `codes` are their words for it."""

    codes: tuple[str, ...]
    message: str
    parameter: str


def answered(response: Response, decode: Callable[[Any], Reply]) -> Reply:
    """The reply in a response, with what its headers say. Raises ProviderFailed or ProviderStopped."""
    if response.status >= 300:
        return outcome(response)
    return decode(decoded(response.content)).model_copy(update={"limits": limits(response.headers)})


def outcome(response: Response) -> Reply:
    """A reply when only this question is at fault. Raises ProviderFailed or ProviderStopped otherwise.

    The vendor's sentence is repeated only when it is about the account or the model: others could quote the prompt.
    """
    status, found = response.status, fault(response)
    code = next(iter(found.codes), "")
    if status in STOPPING or TERMINAL_CODES & set(found.codes) or (status == 400 and _speaks(found, TERMINAL_WORDS)):
        raise ProviderStopped(f"status {status}: {found.message[:300] or code or 'refused'}")
    if status == 429 or status in PASSING or status >= 500:
        _later(status, response.headers)
    if "content_filter" in found.codes:
        return Reply(outcome="filtered", detail="the provider's content filter")
    return Reply(outcome="error", detail=f"status {status}: {code or 'the request was not accepted'}")


def refuses_schema(response: Response) -> bool:
    """Whether the model takes no JSON schema, so that the same question may be asked with the schema in words."""
    return response.status in (400, 422) and _speaks(fault(response), SCHEMA_WORDS)


def fault(response: Response) -> Fault:
    """The error in a response; empty where it is in no form that is known."""
    try:
        tree: Any = mapping(decoded(response.content))
    except ProviderFailed:
        tree = {}
    inner = tree.get("error", tree)
    found = mapping(inner)
    message = inner if isinstance(inner, str) else found.get("message") or tree.get("detail") or ""
    named = (found.get("code"), found.get("type"), response.headers.get("x-amzn-errortype", "").partition(":")[0])
    codes = tuple(code for code in named if isinstance(code, str) and code)
    return Fault(codes, str(message), str(found.get("param") or ""))


def _speaks(found: Fault, words: tuple[str, ...]) -> bool:
    said = f"{found.message} {found.parameter}".lower()
    return any(word in said for word in words)


def _later(status: int, headers: Mapping[str, str]) -> NoReturn:
    written = headers.get("retry-after")
    if written is None and status != 429:
        raise ProviderFailed(f"status {status}")
    try:
        after = max(0.0, float(written or "1"))
    except ValueError:
        after = 1.0
    reason = "status 429: rate limit" if status == 429 else f"status {status}"
    raise ProviderFailed(reason, retry_after=after, limits=limits(headers))
