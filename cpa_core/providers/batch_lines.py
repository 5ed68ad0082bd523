"""What the vendors' batches have in common: how an answer's line and a refusal are understood."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import ModuleType
from typing import Any

import httpx2

from cpa_core.errors import ProviderFailed, ProviderStopped
from cpa_core.llm import BatchLine, Reply
from cpa_core.providers.statuses import answered, outcome
from cpa_core.providers.wire import Response, mapping, unanswered

CLOCKS_DIFFER = timedelta(hours=1)
"""How far the vendor's clock may be from ours when batches created since are looked through."""

LANE = "batch"


def parsed(text: str) -> dict[str, Any] | None:
    """A line of results with its `custom_id`; null for what is none, as its question is asked again then."""
    try:
        tree = mapping(json.loads(text))
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree.get("custom_id"), str) else None


def line_of(request_hash: str, response: Response, decode: Callable[[Any], Reply]) -> BatchLine:
    """What a response in a batch says about its question."""
    try:
        reply = answered(response, decode)
    except ProviderStopped as stopped:
        return BatchLine(request_hash, None, str(stopped), stops=True)
    except ProviderFailed as failed:
        return BatchLine(request_hash, None, failed.reason)
    if reply.outcome == "error":
        return BatchLine(request_hash, None, reply.detail)
    return BatchLine(request_hash, reply.model_copy(update={"lane": LANE}))


@contextmanager
def errors(sdk: ModuleType) -> Iterator[None]:
    """The errors of a vendor's package as ours, those of a stream that breaks off as well.

    Raises ProviderFailed or ProviderStopped: whatever is refused here is no single question's fault.
    """
    try:
        yield
    except sdk.APIStatusError as error:
        found = error.response
        reply = outcome(Response(found.status_code, found.headers, found.content))
        raise ProviderStopped(f"the batch was refused: {reply.detail}") from None
    except sdk.APIConnectionError as error:
        raise unanswered(error, hung=isinstance(error, sdk.APITimeoutError)) from None
    except httpx2.HTTPError as error:
        raise ProviderFailed(f"no connection: {type(error).__name__}") from None
