"""Anthropic's Message Batches: many messages in one request, answered within a day at half the price.

Sources: the SDK's `resources/messages/batches.py`; platform.claude.com/docs/en/build-with-claude/batch-processing.
"""

import json
import weakref
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import anthropic as sdk
from anthropic.types.messages import MessageBatch

from cpa_core.errors import ProviderFailed, SettingsError
from cpa_core.llm import BatchForm, BatchLine, BatchLook, Found, Lost, Request
from cpa_core.providers.anthropic import body, decode
from cpa_core.providers.batch_lines import CLOCKS_DIFFER, errors, line_of, parsed
from cpa_core.providers.wire import Response, mapping
from cpa_core.settings import Settings

STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
"""The HTTP status of each kind of error (platform.claude.com/docs/en/api/errors): a batch's lines have none."""


class MessageBatches:
    """Batches of one workspace."""

    form = BatchForm(opening=b'{"requests":[', between=b",\n", closing=b"]}", most=100_000, most_bytes=256_000_000)

    def __init__(self, client: sdk.Anthropic) -> None:
        self._client = client
        weakref.finalize(self, client.close)

    def line(self, request: Request) -> bytes:
        """One of the requests: its parameters are those of a single call."""
        return json.dumps({"custom_id": request.hash, "params": body(request)}, ensure_ascii=False).encode(
            "utf-8", "replace"
        )

    def submit(self, key: str, path: Path) -> str:
        """Submit the file as it is, beneath the SDK's `create`, so that it is never in memory.

        The API stores no key of ours.
        """
        headers: sdk.RequestOptions = {"headers": {"Content-Type": "application/json"}}
        with errors(sdk), path.open("rb") as file:
            made = self._client.post("/v1/messages/batches", content=file, cast_to=MessageBatch, options=headers)
        return made.id

    def find(self, lost: Lost) -> Found:
        """Search batches created since with as many requests: an ended one shows its questions, others not yet."""
        undecided = False
        with errors(sdk):
            for batch in self._client.messages.batches.list(limit=100):
                if batch.created_at < lost.since - CLOCKS_DIFFER:
                    break
                if batch.id in lost.taken or _size(batch) != len(lost.request_hashes):
                    continue
                if batch.processing_status != "ended":
                    undecided = True
                elif any(line.request_hash in lost.request_hashes for line in islice(self.results(batch.id), 1)):
                    return Found(batch.id)
        return Found(None, undecided)

    def look(self, batch_id: str) -> BatchLook:
        """Its counts move only when all of it has ended."""
        with errors(sdk):
            batch = self._client.messages.batches.retrieve(batch_id)
        if batch.processing_status == "ended":
            return BatchLook("ended", _size(batch))
        return BatchLook("waiting", _size(batch) - batch.request_counts.processing)

    def results(self, batch_id: str) -> Iterator[BatchLine]:
        """Yield the results as the vendor streams them. Raises ProviderFailed if they have expired."""
        with errors(sdk):
            batch = self._client.messages.batches.retrieve(batch_id)
            if not batch.results_url:
                raise ProviderFailed("the vendor keeps no results of this batch")
            with closing(self._client.messages.batches.results(batch_id)) as found:
                for text in found.http_response.iter_lines():
                    if tree := parsed(text):
                        yield _result(tree["custom_id"], mapping(tree.get("result")))


def _size(batch: MessageBatch) -> int:
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


def _result(request_hash: str, result: dict[str, Any]) -> BatchLine:
    if result.get("type") == "succeeded":
        return line_of(request_hash, Response(200, {}, json.dumps(result.get("message")).encode()), decode)
    if result.get("type") != "errored":
        return BatchLine(request_hash, None, str(result.get("type")))
    error = mapping(result.get("error"))
    kind = mapping(error.get("error")).get("type")
    return line_of(request_hash, Response(STATUSES.get(str(kind), 500), {}, json.dumps(error).encode()), decode)


def batches(given: Settings) -> MessageBatches:
    """Return the batches of Anthropic, or of the server at ANTHROPIC_BASE_URL."""
    key, url = given.anthropic.key, given.anthropic.url
    if not key:
        raise SettingsError("ANTHROPIC_API_KEY is not set, and a batch of provider anthropic is to be asked for")
    return MessageBatches(sdk.Anthropic(api_key=key, base_url=url, max_retries=0, timeout=given.timeout))
