"""The common parts of the vendors' batches: reading a line of results, and a refusal."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import ModuleType
from typing import Any

import httpx2

from cpa_core.errors import ProviderFailed, ProviderStopped, QueueFull
from cpa_core.llm import BatchLine, Reply
from cpa_core.providers.statuses import answered, fault, outcome
from cpa_core.providers.wire import Response, mapping, unanswered

CLOCKS_DIFFER = timedelta(hours=1)
"""The most difference of the vendor's clock from ours in the search for batches created since."""

LANE = "batch"

CROWDED_CODE = "token_limit_exceeded"
CROWDED_WORD = "enqueued"
"""OpenAI's word for a full queue: "Enqueued token limit reached for MODEL ...

Please try again once some in_progress batches have been completed." (openai/openai-python#2084), or "Enqueued request
limit reached" in the same words (community.openai.com/t/1002388). Azure's has the same code
(learn.microsoft.com/answers/questions/2285577).
"""


def is_crowded(code: str, message: str) -> bool:
    """Whether a batch was refused only because too much is enqueued."""
    return code == CROWDED_CODE or CROWDED_WORD in message.lower()


def parsed(text: str) -> dict[str, Any] | None:
    """Return a line of results with its `custom_id`; null for any other line, whose question is then asked again."""
    try:
        tree = mapping(json.loads(text))
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree.get("custom_id"), str) else None


def line_of(request_hash: str, response: Response, decode: Callable[[Any], Reply]) -> BatchLine:
    """Return the result of a question from its response in a batch."""
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

    Raises ProviderFailed, ProviderStopped or QueueFull: whatever is refused here is no single question's fault.
    """
    try:
        yield
    except sdk.APIStatusError as error:
        response = Response(error.response.status_code, error.response.headers, error.response.content)
        found = fault(response)
        if is_crowded(next(iter(found.codes), ""), found.message):
            raise QueueFull(f"status {response.status}: {found.message[:300]}") from None
        reply = outcome(response)
        raise ProviderStopped(f"the batch was refused: {reply.detail}") from None
    except sdk.APIConnectionError as error:
        raise unanswered(error, hung=isinstance(error, sdk.APITimeoutError)) from None
    except httpx2.HTTPError as error:
        raise ProviderFailed(f"no connection: {type(error).__name__}") from None
