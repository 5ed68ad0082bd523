"""OpenAI's chat completions, and every server that speaks the same form."""

import json
import weakref
from collections.abc import Mapping
from typing import Any

import openai as sdk

from cpa_core.errors import ProviderFailed, ProviderStopped, SettingsError
from cpa_core.llm import Reply, Request, Usage

TIMEOUT = 120.0
"""Seconds for one call."""

NO_EFFORT = ("gpt-6-luna", "gpt-6-sol", "gpt-6.1-terra", "gpt-5.6", "gpt-5.4-mini")
"""Models known to accept reasoning effort `none`; tagging needs no reasoning tokens."""
NO_REASONING = ("gpt-4", "gpt-3.5", "chatgpt-4o", "ft:gpt-4", "ft:gpt-3.5")
"""Older models, without hidden reasoning and with a low limit for the answer."""
REASONING_ROOM = 8_000
"""Tokens for the hidden reasoning of every other model, known or not: it counts towards the answer's limit."""


class ChatCompletions:
    """One server. `is_openai` chooses between OpenAI's parameters and those every compatible server knows."""

    def __init__(self, key: str, url: str | None, *, is_openai: bool, timeout: float = TIMEOUT) -> None:
        self.is_openai = is_openai
        client = sdk.OpenAI(api_key=key, base_url=url, max_retries=0, timeout=timeout)
        self._completions = client.chat.completions.with_raw_response
        weakref.finalize(self, client.close)  # else its sockets wait for the garbage collector

    def call(self, request: Request) -> Reply:
        """Ask once. Sources of the error classes: the SDK's `_exceptions.py`."""
        try:
            response = self._completions.create(**body(request, is_openai=self.is_openai))
        except sdk.APIStatusError as error:
            return _refusal(error)
        except sdk.APIConnectionError as error:
            raise ProviderFailed(f"no connection: {type(error.__cause__ or error).__name__}") from None
        return decode(_json(response.content))


def body(request: Request, *, is_openai: bool) -> dict[str, Any]:
    """The call's parameters. No sampling parameters: current models reject them."""
    built: dict[str, Any] = {
        "model": request.model,
        "messages": [
            {"role": "system", "content": request.system},
            {"role": "user", "content": request.user},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": request.task, "strict": True, "schema": request.json_schema},
        },
    }
    if not is_openai:
        return built | {"max_tokens": request.max_tokens}
    if request.effort or request.model.startswith(NO_EFFORT):
        return built | {
            "max_completion_tokens": request.max_tokens,
            "reasoning_effort": request.effort or "none",
        }
    room = 0 if request.model.startswith(NO_REASONING) else REASONING_ROOM
    return built | {"max_completion_tokens": request.max_tokens + room}


def decode(raw: Any) -> Reply:
    """The reply in a chat completion's JSON. `prompt_tokens` there includes the cached ones already.

    Raises ProviderFailed when it is none.
    """
    choices = _object(raw).get("choices")
    if not isinstance(choices, list) or not choices:
        raise ProviderFailed("the response has no choices")
    usage = _usage(_object(raw.get("usage")))
    choice = _object(choices[0])
    message, finish = _object(choice.get("message")), choice.get("finish_reason")
    if message.get("refusal"):
        return Reply(outcome="refused", detail="the model refused", usage=usage)
    if finish == "content_filter":
        return Reply(outcome="filtered", detail="the provider's content filter", usage=usage)
    if finish == "length":
        return Reply(outcome="truncated", detail="the answer reached its length limit", usage=usage)
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        return Reply(outcome="invalid", detail="answer: empty", usage=usage)
    return Reply(outcome="ok", text=text, usage=usage)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ProviderFailed("the response is not JSON") from None


def _object(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _usage(raw: dict[str, Any]) -> Usage:
    details = _object(raw.get("prompt_tokens_details"))
    return Usage(
        prompt_tokens=_count(raw.get("prompt_tokens")),
        cached_tokens=_count(details.get("cached_tokens")),
        cache_write_tokens=_count(details.get("cache_write_tokens")),
        completion_tokens=_count(raw.get("completion_tokens")),
    )


def _count(found: Any) -> int | None:
    return found if type(found) is int else None


def _refusal(error: sdk.APIStatusError) -> Reply:
    """What an error status means: this question is at fault, or raise: try again, or stop for good."""
    status, code = error.status_code, error.code or ""
    if status == 429 and "insufficient_quota" not in (code, error.type):
        raise ProviderFailed("status 429: rate limit", retry_after=_retry_after(error))
    if status in (408, 409, 425, 498) or status >= 500:
        after = _retry_after(error) if "retry-after" in error.response.headers else None
        raise ProviderFailed(f"status {status}", retry_after=after)
    if status in (401, 402, 403, 404, 429):
        raise ProviderStopped(f"status {status}: {_words(error)}")
    if code == "content_filter":
        return Reply(outcome="filtered", detail="the provider's content filter")
    return Reply(outcome="error", detail=f"status {status}: {code or 'the request was not accepted'}")


def _words(error: sdk.APIStatusError) -> str:
    """The vendor's words. Only for errors about the account or the model: others could quote the prompt."""
    found = error.body.get("message") if isinstance(error.body, dict) else None
    return str(found)[:300] if found else (error.code or "refused")


def _retry_after(error: sdk.APIStatusError) -> float:
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "1")))
    except ValueError:
        return 1.0


def openai(environ: Mapping[str, str]) -> ChatCompletions:
    """OpenAI itself, or what stands at OPENAI_BASE_URL."""
    key = environ.get("OPENAI_API_KEY")
    if not key:
        raise SettingsError("OPENAI_API_KEY is not set, and the model is of provider openai")
    return ChatCompletions(key, environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1", is_openai=True)


def compatible(environ: Mapping[str, str]) -> ChatCompletions:
    """Any other server of the same form, at CPA_COMPATIBLE_URL: Ollama, vLLM, Groq and so on."""
    url = environ.get("CPA_COMPATIBLE_URL")
    if not url:
        raise SettingsError("CPA_COMPATIBLE_URL is not set, as in http://127.0.0.1:11434/v1 for Ollama")
    return ChatCompletions(environ.get("CPA_COMPATIBLE_KEY") or "none", url, is_openai=False)
