"""Embeddings of OpenAI's form: one request with many texts, and a vector for each.

Sources: the SDK's `types/embedding_create_params.py` and `types/create_embedding_response.py` (8,192 tokens a text,
2,048 texts and 300,000 tokens a request), and learn.microsoft.com, Foundry, REST, Embeddings, Create an embedding.
"""

import base64
import json
import math
import struct
import weakref
from typing import Any

from cpa_core.errors import ProviderFailed, SettingsError
from cpa_core.llm import Reply, Request, Usage
from cpa_core.providers.foreign import foreign, form_of
from cpa_core.providers.openai import client, posted
from cpa_core.providers.statuses import answered
from cpa_core.providers.vendors import OWN, Vendor, query_of, vendor_of
from cpa_core.providers.wire import count, mapping, patience
from cpa_core.settings import TIMEOUT, Settings

SHORTENED, DIMENSIONS = "text-embedding-3", 512
"""Models that shorten their vectors on request, and the numbers of a vector that they are asked for.

A third of the usual length keeps the ledger small (developers.openai.com, guide to embeddings, reducing dimensions).
"""


class Embeddings:
    """One server. OpenAI sends numbers in base64; other servers are asked for plain ones, which all of them know."""

    def __init__(
        self, key: str, url: str | None, *, is_openai: bool, timeout: float = TIMEOUT, vendor: Vendor = OWN
    ) -> None:
        self.is_openai = is_openai
        self._timeout = timeout
        self._client = client(key, url, timeout, vendor)
        self.asked_at = f"{str(self._client.base_url).rstrip('/')}/embeddings{query_of(url or '', vendor)}"
        weakref.finalize(self, self._client.close)  # else its sockets wait for the garbage collector

    def call(self, request: Request) -> Reply:
        """Ask once for the vectors of the request's texts, a JSON list in `user`.

        The text of the reply is a JSON object with `vectors`, each 32-bit numbers, little-endian, in base64.
        """
        built = body(request, is_openai=self.is_openai)
        found = posted(self._client, self.asked_at, built, patience(self._timeout, request))
        return answered(found, lambda raw: decode(raw, len(built["input"])))


def body(request: Request, *, is_openai: bool) -> dict[str, Any]:
    """The call's parameters."""
    built = {"model": request.model, "input": json.loads(request.user)}
    if not is_openai:
        return built | {"encoding_format": "float"}
    shorter = {"dimensions": DIMENSIONS} if request.model.startswith(SHORTENED) else {}
    return built | {"encoding_format": "base64"} | shorter


def decode(raw: Any, texts: int) -> Reply:
    """The reply in an embedding response's JSON. Raises ProviderFailed unless it has one vector for each text."""
    rows = mapping(raw).get("data")
    if not isinstance(rows, list):
        raise foreign(form_of(raw))
    by_place = {count(mapping(row).get("index")): _written(mapping(row).get("embedding")) for row in rows}
    if len(rows) != texts or set(by_place) != set(range(texts)) or len(set(map(len, by_place.values()))) != 1:
        raise ProviderFailed("the response has not one vector of one length for each text")
    read = count(mapping(mapping(raw).get("usage")).get("prompt_tokens"))
    usage = Usage(prompt_tokens=read, cached_tokens=0, cache_write_tokens=0, completion_tokens=0)
    return Reply(outcome="ok", text=json.dumps({"vectors": [by_place[nth] for nth in range(texts)]}), usage=usage)


def _written(found: Any) -> str:
    """A vector as base64, whichever form it came in. Raises ProviderFailed."""
    try:
        content = (
            base64.b64decode(found, validate=True) if isinstance(found, str) else struct.pack(f"<{len(found)}f", *found)
        )
        numbers = struct.unpack(f"<{len(content) // 4}f", content)
    except (ValueError, TypeError, OverflowError, struct.error):
        raise ProviderFailed("a vector of the response cannot be read") from None
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ProviderFailed("a vector of the response is empty, or holds what is no number")
    return base64.b64encode(content).decode()


def openai(given: Settings) -> Embeddings:
    """Return OpenAI's embeddings, or those of the server at OPENAI_BASE_URL."""
    if not given.openai.key:
        raise SettingsError("OPENAI_API_KEY is not set, and CPA_EMBEDDINGS names provider openai")
    return Embeddings(given.openai.key, given.openai.url, is_openai=True, timeout=given.timeout)


def compatible(given: Settings) -> Embeddings:
    """Any other server of the same form, at CPA_COMPATIBLE_URL: Ollama, vLLM, text-embeddings-inference and so on."""
    server = given.compatible
    if not server.url:
        raise SettingsError("CPA_COMPATIBLE_URL is not set, and CPA_EMBEDDINGS names provider compatible")
    return Embeddings(
        server.key or "none", server.url, is_openai=False, timeout=given.timeout, vendor=vendor_of(server.url)
    )
