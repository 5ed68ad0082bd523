"""Claude, from Anthropic directly and on Amazon Bedrock: native structured output, no sampling parameters."""

import json
from collections.abc import Mapping
from typing import Any

import anthropic as sdk
from botocore.exceptions import BotoCoreError

from cpa_core.errors import ProviderFailed, ProviderStopped, SettingsError
from cpa_core.llm import Reply, Request, Usage
from cpa_core.providers.statuses import outcome

TIMEOUT = 120.0
"""Seconds for one call. Set always: without it the SDK refuses answers that may be long."""
THINKING_OFF = ("claude-haiku-5-5",)
"""Models that think unless told not to, and may be told."""
THINKING_ROOM = 4_000
"""Tokens left for thinking where it cannot be switched off: it counts towards the answer's limit."""


class Messages:
    """Anthropic's Messages API, by whichever client speaks it."""

    def __init__(self, client: "sdk.Anthropic | sdk.AnthropicBedrock") -> None:
        self._client = client
        self._native = True

    def call(self, request: Request) -> Reply:
        """Ask once. A model that knows no structured output is asked in words, once that is known."""
        native = self._native
        try:
            return self._once(request, native=native)
        except sdk.BadRequestError as error:
            if native and "output_config" in str(error.body):
                self._native = False
                return self._once(request, native=False)
            return outcome(error.status_code, _code(error), error.body, error.response.headers)

    def _once(self, request: Request, *, native: bool) -> Reply:
        try:
            message = self._client.messages.create(**body(request, native=native))
        except sdk.BadRequestError:
            raise
        except sdk.APIStatusError as error:
            return outcome(error.status_code, _code(error), error.body, error.response.headers)
        except sdk.APIConnectionError as error:
            raise ProviderFailed(f"no connection: {type(error.__cause__ or error).__name__}") from None
        except sdk.APIResponseValidationError:
            raise ProviderFailed("the server's response is not a message") from None
        except BotoCoreError as error:
            raise ProviderStopped(f"AWS: {error}") from None
        return decode(message.model_dump() if hasattr(message, "model_dump") else {})


def body(request: Request, *, native: bool = True) -> dict[str, Any]:
    """The call's parameters: the static part first, as the one block that is cached."""
    in_words = "\n\nAnswer with one JSON object of this schema and nothing else:\n"
    words = "" if native else in_words + json.dumps(request.json_schema)
    block = {"type": "text", "text": request.system + words, "cache_control": {"type": "ephemeral"}}
    quiet = any(name in request.model for name in THINKING_OFF)
    built: dict[str, Any] = {
        "model": request.model,
        "system": [block],
        "messages": [{"role": "user", "content": request.user}],
        "max_tokens": request.max_tokens + (0 if quiet else THINKING_ROOM),
    }
    if quiet:
        built["thinking"] = {"type": "disabled"}
    if native:
        built["output_config"] = {"format": {"type": "json_schema", "schema": request.json_schema}}
    return built


def decode(raw: dict[str, Any]) -> Reply:
    """The reply in a message: its blocks of text, since the first block may be thinking."""
    usage = _usage(raw.get("usage") or {})
    stop = raw.get("stop_reason")
    if stop == "refusal":
        return Reply(outcome="refused", detail="the model refused", usage=usage)
    if stop in ("max_tokens", "model_context_window_exceeded"):
        return Reply(outcome="truncated", detail="the answer reached its length limit", usage=usage)
    blocks = raw.get("content")
    if not isinstance(blocks, list):
        raise ProviderFailed("the response has no content")
    text = "".join(block.get("text") or "" for block in blocks if block.get("type") == "text")
    if not text.strip():
        return Reply(outcome="invalid", detail="answer: empty", usage=usage)
    return Reply(outcome="ok", text=text, usage=usage)


def _usage(raw: dict[str, Any]) -> Usage:
    """`input_tokens` there excludes what was cached or written; ours includes both."""
    bare, cached = raw.get("input_tokens"), raw.get("cache_read_input_tokens")
    written = raw.get("cache_creation_input_tokens")
    return Usage(
        prompt_tokens=None if bare is None else bare + (cached or 0) + (written or 0),
        cached_tokens=cached,
        cache_write_tokens=written,
        completion_tokens=raw.get("output_tokens"),
    )


def _code(error: sdk.APIStatusError) -> str:
    found = error.body.get("error") if isinstance(error.body, dict) else None
    return str(found.get("type") or "") if isinstance(found, dict) else ""


def anthropic(environ: Mapping[str, str]) -> Messages:
    """Anthropic itself, or what stands at ANTHROPIC_BASE_URL."""
    key = environ.get("ANTHROPIC_API_KEY")
    if not key:
        raise SettingsError("ANTHROPIC_API_KEY is not set, and the model is of provider anthropic")
    url = environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"
    return Messages(sdk.Anthropic(api_key=key, base_url=url, max_retries=0, timeout=TIMEOUT))


def bedrock(environ: Mapping[str, str]) -> Messages:
    """Anthropic's models on Amazon Bedrock, with AWS's usual credentials; AWS_REGION says where."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("AWS_REGION is not set, and the model is of provider bedrock")
    client = sdk.AnthropicBedrock(
        aws_access_key=environ.get("AWS_ACCESS_KEY_ID") or None,
        aws_secret_key=environ.get("AWS_SECRET_ACCESS_KEY") or None,
        aws_session_token=environ.get("AWS_SESSION_TOKEN") or None,
        aws_region=region,
        base_url=environ.get("AWS_ENDPOINT_URL_BEDROCK_RUNTIME") or environ.get("AWS_ENDPOINT_URL") or None,
        max_retries=0,
        timeout=TIMEOUT,
    )
    return Messages(client)
