"""Claude, from Anthropic directly: native structured output, no sampling parameters."""

import json
import weakref
from typing import Any

import anthropic as sdk
import httpx2

from cpa_core.errors import ProviderStopped, SettingsError
from cpa_core.llm import Reply, Request, Usage
from cpa_core.providers.connections import http_client
from cpa_core.providers.foreign import foreign, form_of
from cpa_core.providers.statuses import answered, refuses_schema
from cpa_core.providers.wire import Response, count, mapping, patience, received, schema_in_words, unanswered
from cpa_core.settings import TIMEOUT, Settings

THINKING_OFF = ("claude-haiku-5-5",)
"""Models that think by default, and accept to be told not to.

Source: platform.claude.com, migrating to Haiku 5.5. It and its successors refuse temperature, top_p and top_k, which
the SDK knows no more since 2.0; Sonnet and Opus 5.5 refuse a forced tool. None is sent.
"""
NO_THINKING = ("claude-3", "claude-haiku-4", "claude-sonnet-4", "claude-opus-4")
"""Older models, which think only on request, some with a low limit for the answer.

Sources: platform.claude.com, extended thinking (through 4.x a request without `thinking` has none). Models overview
(Haiku 3 answers in 4,096 tokens at most). From 5 on they think by default (docs.apiyi.com, 2026-11-09).
"""
THINKING_ROOM = 4_000
"""Tokens for the thinking of every other model, known or not: thinking counts towards the answer's limit."""


class Messages:
    """Anthropic's Messages API, by any client that supports it."""

    def __init__(
        self, client: "sdk.Anthropic | sdk.AnthropicBedrock", unsigned: tuple[type[Exception], ...] = ()
    ) -> None:
        """`unsigned` are the errors of a signing client that has lost its credentials."""
        self._timeout = client.timeout if isinstance(client.timeout, float | int) else TIMEOUT
        self._client = client
        self._unsigned = unsigned
        self._structured = True
        weakref.finalize(self, client.close)  # else its sockets wait for the garbage collector

    def call(self, request: Request) -> Reply:
        """Ask once; a model that takes no JSON schema once more in words, and from then on only so."""
        structured = self._structured
        response = self._post(request, structured=structured)
        if structured and refuses_schema(response):
            self._structured = False
            response = self._post(request, structured=False)
        return answered(response, decode)

    def _post(self, request: Request, *, structured: bool) -> Response:
        """Sources of the error classes: the SDK's `_exceptions.py`."""
        built = body(request, structured=structured)
        try:
            seconds: sdk.RequestOptions = {"timeout": patience(self._timeout, request)}
            found = self._client.post("/v1/messages", body=built, cast_to=httpx2.Response, options=seconds)
        except sdk.APIStatusError as error:
            found = error.response
        except sdk.APIConnectionError as error:
            raise unanswered(error, hung=isinstance(error, sdk.APITimeoutError)) from None
        except self._unsigned as error:
            raise ProviderStopped(f"AWS: {error}") from None
        return received(found)


def body(request: Request, *, structured: bool = True) -> dict[str, Any]:
    """The call's parameters: the static part first, as the one block that is cached. No sampling parameters."""
    system = request.system if structured else schema_in_words(request)
    quiet = request.effort is None and any(name in request.model for name in THINKING_OFF)
    built: dict[str, Any] = {
        "model": request.model,
        "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": request.user}],
        "max_tokens": request.max_tokens + (room(request.model) if request.effort is None else THINKING_ROOM),
    }
    if quiet:
        built["thinking"] = {"type": "disabled"}
    if structured:
        effort = {"effort": request.effort} if request.effort else {}
        built["output_config"] = {"format": {"type": "json_schema", "schema": request.json_schema}, **effort}
    return built


def room(model: str) -> int:
    """Return the tokens of an answer's limit for thinking, if the request sets no effort."""
    return 0 if any(name in model for name in (*THINKING_OFF, *NO_THINKING)) else THINKING_ROOM


def decode(raw: Any) -> Reply:
    """The reply in a message's JSON: its blocks of text, since the first block may be thinking.

    Raises ProviderFailed if there is none.
    """
    blocks = mapping(raw).get("content")
    if not isinstance(blocks, list):
        raise foreign(form_of(raw))
    usage, stop = _usage(mapping(raw.get("usage"))), raw.get("stop_reason")
    if stop == "refusal":
        return Reply(outcome="refused", detail="the model refused", usage=usage)
    if stop in ("max_tokens", "model_context_window_exceeded"):
        return Reply(outcome="truncated", detail="the answer reached its length limit", usage=usage)
    text = _text(blocks)
    if not text.strip():
        return Reply(outcome="invalid", detail="answer: empty", usage=usage)
    return Reply(outcome="ok", text=text, usage=usage)


def _text(blocks: list[Any]) -> str:
    """Return the blocks of text; if they hold no JSON, the input of the called tools, by which gateways request JSON.

    Source: platform.claude.com, tool use (`type: tool_use`, `input` an object).
    """
    found = [mapping(block) for block in blocks]
    texts = [block.get("text") for block in found if block.get("type") == "text"]
    text = "".join(part for part in texts if isinstance(part, str))
    called = [block.get("input") for block in found if block.get("type") == "tool_use"]
    inputs = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in called if one]
    return text if "{" in text or "[" in text or not inputs else "\n".join(inputs)


def _usage(raw: dict[str, Any]) -> Usage:
    """Return the usage. Anthropic's `input_tokens` exclude cached and written tokens; ours include both."""
    bare, cached = count(raw.get("input_tokens")), count(raw.get("cache_read_input_tokens"))
    written = count(raw.get("cache_creation_input_tokens"))
    return Usage(
        prompt_tokens=None if bare is None else bare + (cached or 0) + (written or 0),
        cached_tokens=cached,
        cache_write_tokens=written,
        completion_tokens=count(raw.get("output_tokens")),
    )


def anthropic(given: Settings) -> Messages:
    """Return the provider for Anthropic, or for the server at ANTHROPIC_BASE_URL."""
    key, url, seconds = given.anthropic.key, given.anthropic.url, given.timeout
    if not key:
        raise SettingsError("ANTHROPIC_API_KEY is not set, and the model is of provider anthropic")
    http = http_client(seconds)
    return Messages(sdk.Anthropic(api_key=key, base_url=url, max_retries=0, timeout=seconds, http_client=http))
