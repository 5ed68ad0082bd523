"""The meaning of a provider's HTTP error status: the question is at fault, a retry may help, or the run must stop."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from cpa_core.errors import Foreign, Garbled, ProviderFailed, ProviderStopped
from cpa_core.llm import NOT_BILLED, Reply, Usage
from cpa_core.providers.filters import filtered_answer, has_intervened, is_filter_error
from cpa_core.providers.foreign import is_about_address
from cpa_core.providers.wire import Response, decoded, limits, mapping

ACCOUNT = frozenset({401, 402})
STOPPING = ACCOUNT | {403, 404}
"""The account or the model is refused: every other question would meet the same."""
ABOUT: dict[int, Literal["", "key", "model", "address"]] = {401: "key", 403: "key", 404: "model"}
"""The setting to correct after a status."""
PASSING = frozenset({408, 409, 424, 425, 498, 529})
"""Statuses that may be temporary, as every 5xx is.

424 is Bedrock's for a failed model, 498 Groq's and 529 Anthropic's for overload.

None counts as a rate limit, whatever its Retry-After: a server that is busy with others may be so all night.
"""
TERMINAL_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
        "billing_not_active",
        "billing_error",
        "enforced_spend_limit_reached",
        "exceeded_current_quota_error",
        "Arrearage",
        "invalid_model",
    }
)
"""Codes about an account or a model that stop the run whatever the status, often 429: waiting does not help.

Sources: OpenAI's first five (developers.openai.com, error codes: a retry restores no access; help.openai.com 5955604),
and `billing_not_active` (BerriAI/litellm#2743); Anthropic's two (platform.claude.com/docs/en/api/errors, rate-limits);
Moonshot's (forum.moonshot.ai/t/244); Alibaba's (help.aliyun.com, Model Studio error codes); Mistral's
(tmc/langchaingo#1233).
"""
TERMINAL_SENTENCES = re.compile(
    r"your credit balance"
    r"|you have reached your (specified )?(workspace )?api usage limits"
    r"|the provided model identifier|invocation of model id \S+ with on-demand throughput"
    r"|invalid service_tier"
    r"|api key (not valid|not found|expired)|user location is not supported"
    r"|incorrect.{1,3}api.{1,3}key|your team \S+ has (either )?used all"
    r"|\S+ is not a valid model id"
    r"|invalid model\b|(the )?(requested )?model (\S+ )?(is |was |does )?(not exist|not found|not supported by any)",
    re.IGNORECASE,
)
"""Beginnings of a sentence about the account, the model or the lane, if status and code do not show it.

Only the beginning counts, because a vendor may quote the prompt later. Sources, line by line: Anthropic
(platform.claude.com/docs/en/api/errors, rate-limits). Bedrock. OpenAI (developers.openai.com, error codes). Gemini
(google/timesketch#3703, google-gemini/gemini-cli#25198). xAI (docs.x.ai/docs/key-information/debugging: 400 for a wrong
key; continuedev/continue#10778, #10373). OpenRouter (OpenRouterTeam/openrouter-examples#74). DeepSeek
(langbot-app/LangBot#1643), Mistral, Hugging Face (cline/cline#5098), OpenAI's form.
"""
SCHEMA_WORDS = ("response_format", "response format", "json_schema", "output_config", "compiled grammar")
"""A refused request whose error mentions these has a JSON schema that the model does not accept."""
LENGTH_WORDS = re.compile(
    r"context[ _](length|window|size|limit)|(prompt|input) is too long|maximum prompt length|input token count"
    r"|range of (input length|max_tokens)|reduce the length|maximum tokens you requested exceeds"
    r"|too many tokens|exceeded model token limit"
    r"|max_(completion_|output_|new_)?tokens\b.*(too large|less than|<=|maximum)",
    re.IGNORECASE,
)
"""A refused request whose error mentions these is too long, or asks for too long an answer: a smaller one may work.

Sources, of status 400 except for Together's 403 (docs.together.ai/docs/error-codes): OpenAI and vLLM `maximum context
length` (vllm-project/vllm#20409), `max_tokens is too large` (tailcallhq/forgecode#1185). Groq `must be less than or
equal to` (anomalyco/opencode#1000). DeepSeek, Model Studio `range of` (deepseek-ai/DeepSeek-V3#69; alibabacloud.com,
coding-plan-faq). Anthropic (docker/docker-agent#569, anthropics/claude-code#12186). Bedrock
(aws-samples/bedrock-access-gateway#41). Gemini (google-gemini/gemini-cli#6678). Cohere (docs.cohere.com,
errors-reference). xAI, llama.cpp, Kimi (openxjarvis/pi-mono-python, `overflow.py`).
"""
FILTERED = "the provider's content filter"
"""The detail of every filtered answer: the vendor's own sentence could quote the prompt."""
CODE = re.compile(r"[\w.-]{1,80}", re.ASCII)
"""The form of a code: xAI writes sentences in its place, which could quote the prompt."""
FLAGGED_WORDS = ("input was flagged", "content violates usage guidelines")
"""Status 403, but about this question alone: OpenRouter's (openrouter.ai/docs/errors), which repeats what it flagged
in the metadata, and xAI's (UKGovernmentBEIS/inspect_ai#2267)."""


class Fault(NamedTuple):
    """An error as vendors write it: `{"error": {...}}`, a list of one (Gemini), or the object alone.

    `codes` are their words for it. `is_flagged` and `is_filtered` say that a content filter took this question.
    """

    codes: tuple[str, ...]
    message: str
    parameter: str
    is_flagged: bool
    is_filtered: bool


def answered(response: Response, decode: Callable[[Any], Reply]) -> Reply:
    """Return the reply in a response, with the limits of its headers. Raises ProviderFailed or ProviderStopped.

    Once a model has begun, OpenRouter's status is 200, and the body holds the status of an error
    (openrouter.ai/docs/errors).
    """
    if response.status >= 300:
        return outcome(response)
    tree = decoded(response.content)
    status = mapping(mapping(tree).get("error")).get("code")
    if type(status) is int and status >= 400:
        return outcome(response._replace(status=status), begun=True).model_copy(update={"usage": Usage()})
    return _read(tree, decode).model_copy(update={"limits": limits(response.headers)})


def _read(tree: Any, decode: Callable[[Any], Reply]) -> Reply:
    """Return the reply in a body of status 200, checked for the filters of every gateway. Raises Garbled."""
    ended = filtered_answer(tree)
    masks = has_intervened(tree)
    try:
        reply = decode(tree)
    except ProviderFailed as failed:
        if isinstance(failed, Foreign) and not (ended or masks):
            raise
        if not (ended or masks):
            raise Garbled(failed.reason, tries=failed.tries) from None
        reply = Reply(outcome="filtered", detail=FILTERED)
    if ended == "refused":
        return reply.model_copy(update={"outcome": "refused", "text": "", "detail": "the model refused"})
    if ended or (masks and (reply.outcome != "ok" or "{" not in reply.text)):
        return reply.model_copy(update={"outcome": "filtered", "text": "", "detail": FILTERED})
    return reply


def outcome(response: Response, *, begun: bool = False) -> Reply:
    """Return a reply if only this question is at fault. Raises ProviderFailed or ProviderStopped otherwise.

    The vendor's sentence is repeated only when it is about the account or the model: others could quote the prompt. No
    vendor bills such a refusal, except for a filtered prompt: Azure may (learn.microsoft.com, Azure OpenAI, manage
    costs), so its usage is unknown. If the model had `begun`, only an error about the account stops other questions.
    """
    status, found = response.status, fault(response)
    code = next(iter(found.codes), "")
    if _too_long(status, found):
        detail = f"status {status}: more tokens than the server takes at once"
        return Reply(outcome="truncated", detail=detail, usage=NOT_BILLED)
    if status == 403 and found.is_flagged:
        return Reply(outcome="filtered", detail=FILTERED, usage=NOT_BILLED)
    if found.is_filtered:
        return Reply(outcome="filtered", detail=FILTERED)
    if not begun and is_about_address(status, found.message, found.codes):
        raise ProviderStopped(f"status {status}: {_path_words(response, found)}", status, about="address")
    if status in (ACCOUNT if begun else STOPPING) or _terminal(status, found):
        words = f"status {status}: {found.message[:300] or code or 'refused'}"
        raise ProviderStopped(words, status, about=ABOUT.get(status, ""))
    after = response.headers.get("retry-after")
    if status == 429:
        raise ProviderFailed(
            "status 429: rate limit", retry_after=_seconds(after, 1.0), limits=limits(response.headers)
        )
    if status in PASSING or status >= 500:
        raise ProviderFailed(f"status {status}", pause=_seconds(after, 0.0))
    detail = f"status {status}: {code or 'the request was not accepted'}"
    return Reply(outcome="error", detail=detail, usage=NOT_BILLED)


def _path_words(response: Response, found: Fault) -> str:
    """Return the advice on a path that does not exist, without secrets; else the server's words."""
    if 300 <= response.status < 400:
        parts = urlsplit(response.headers.get("location", ""))
        to = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path
        return f"the address leads to {to or 'another one'}"
    return found.message[:300] or "the server does not know this path"


def refuses_schema(response: Response) -> bool:
    """Whether the model takes no JSON schema, so that the same question may be asked with the schema in words."""
    found = fault(response)
    said = f"{found.message} {found.parameter}".lower()
    return response.status in (400, 422) and any(word in said for word in SCHEMA_WORDS)


def fault(response: Response) -> Fault:
    """Return the error in a response; empty if its form is unknown."""
    try:
        read = decoded(response.content)
    except ProviderFailed:
        read = {}
    tree: Any = mapping(read[0] if isinstance(read, list) and read else read)
    inner = tree.get("error", tree)
    found = mapping(inner)
    message = str(inner if isinstance(inner, str) else found.get("message") or tree.get("detail") or "")
    detailed = mapping(found.get("details")).get("error_code")
    amazons = response.headers.get("x-amzn-errortype", "").partition(":")[0]
    named = (found.get("code"), found.get("type"), detailed, amazons)
    codes = tuple(code for code in named if isinstance(code, str) and CODE.fullmatch(code))
    flagged = "flagged_input" in mapping(found.get("metadata")) or any(w in message.lower() for w in FLAGGED_WORDS)
    return Fault(codes, message, str(found.get("param") or ""), flagged, is_filter_error(tree))


def _terminal(status: int, found: Fault) -> bool:
    begins = status in (400, 422, 429) and TERMINAL_SENTENCES.match(found.message) is not None
    return begins or not TERMINAL_CODES.isdisjoint(found.codes) or found.parameter == "service_tier"


def _too_long(status: int, found: Fault) -> bool:
    """413 is Anthropic's for bytes, and Groq's for more tokens than a minute has; OpenAI's for these is 429."""
    if status == 429:
        return found.message.startswith("Request too large")
    speaks = "context_length_exceeded" in found.codes or LENGTH_WORDS.search(found.message) is not None
    return status == 413 or (status in (400, 403, 422) and speaks)


def _seconds(retry_after: str | None, otherwise: float) -> float:
    """Retry-After in seconds, which may be written as a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return otherwise
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(otherwise, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return otherwise
