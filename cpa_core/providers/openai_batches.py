"""OpenAI's Batch API: a file of chat completions, answered within a day at half the price.

Sources: the SDK's `resources/batches.py` and `types/batch.py`; developers.openai.com/api/docs/guides/batch.
"""

import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import openai as sdk

from cpa_core.errors import SettingsError
from cpa_core.llm import BatchForm, BatchLine, BatchLook, Found, Lost, Request
from cpa_core.providers.batch_lines import CLOCKS_DIFFER, errors, is_crowded, line_of, parsed
from cpa_core.providers.openai import body, decode
from cpa_core.providers.wire import Response, mapping
from cpa_core.settings import Settings

ENDPOINT: Final = "/v1/chat/completions"
KEY = "cpa_batch"
"""The name in a batch's metadata under which ours stands."""


class OpenAIBatches:
    """Batches of one account."""

    form = BatchForm(opening=b"", between=b"\n", closing=b"\n", most=50_000, most_bytes=200_000_000)

    def __init__(self, client: sdk.OpenAI) -> None:
        self._client = client
        weakref.finalize(self, client.close)

    def line(self, request: Request) -> bytes:
        """A line of the file: the body is that of a single call."""
        tree = {"custom_id": request.hash, "method": "POST", "url": ENDPOINT, "body": body(request, is_openai=True)}
        return json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace")

    def submit(self, key: str, path: Path) -> str:
        """Upload the file, then create a batch of it."""
        with errors(sdk), path.open("rb") as file:
            uploaded = self._client.files.create(file=(f"{key}.jsonl", file), purpose="batch")
        with errors(sdk):
            made = self._client.batches.create(
                completion_window="24h", endpoint=ENDPOINT, input_file_id=uploaded.id, metadata={KEY: key}
            )
        return made.id

    def find(self, lost: Lost) -> Found:
        """By our key in the metadata, among the batches created since; the list has the newest first."""
        with errors(sdk):
            for batch in self._client.batches.list(limit=100):
                if batch.created_at < (lost.since - CLOCKS_DIFFER).timestamp():
                    break
                if (batch.metadata or {}).get(KEY) == lost.key:
                    return Found(batch.id)
        return Found(None)

    def look(self, batch_id: str) -> BatchLook:
        """Return the state of a batch.

        An expired or cancelled one has ended too: its answers are available, and billed.
        """
        with errors(sdk):
            batch = self._client.batches.retrieve(batch_id)
        if batch.status == "failed":
            faults = (batch.errors.data if batch.errors else None) or []
            words = "; ".join(f"{fault.code}: {fault.message}" for fault in faults[:3])
            crowded = bool(faults) and all(is_crowded(fault.code or "", fault.message or "") for fault in faults)
            return BatchLook("crowded" if crowded else "refused", detail=words[:300] or "refused as a whole")
        counts = batch.request_counts
        done = counts.completed + counts.failed if counts else 0
        return BatchLook("ended" if batch.status in ("completed", "expired", "cancelled") else "waiting", done)

    def results(self, batch_id: str) -> Iterator[BatchLine]:
        """Both files: answers, and errors (among them `batch_expired`)."""
        with errors(sdk):
            batch = self._client.batches.retrieve(batch_id)
            for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
                with self._client.files.with_streaming_response.content(file_id) as response:
                    for text in response.iter_lines():
                        if tree := parsed(text):
                            yield _result(tree["custom_id"], tree)


def _result(request_hash: str, tree: dict[str, Any]) -> BatchLine:
    response = mapping(tree.get("response"))
    if not response:
        return BatchLine(request_hash, None, str(mapping(tree.get("error")).get("code") or "no response"))
    status, content = response.get("status_code"), json.dumps(response.get("body")).encode()
    return line_of(request_hash, Response(status if isinstance(status, int) else 500, {}, content), decode)


def batches(given: Settings) -> OpenAIBatches:
    """Return the batches of OpenAI, or of the server at OPENAI_BASE_URL."""
    key, url = given.openai.key, given.openai.url
    if not key:
        raise SettingsError("OPENAI_API_KEY is not set, and a batch of provider openai is to be asked for")
    return OpenAIBatches(sdk.OpenAI(api_key=key, base_url=url, max_retries=0, timeout=given.timeout))
