"""Content filters as vendors and gateways report them: in an error's body, or in an answer with status 200."""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from cpa_core.providers.wire import mapping

Ending = Literal["filtered", "refused"]

FILTER_CODES = frozenset(
    {
        "contentfilter",
        "contentpolicyviolation",
        "contentpolicyviolationerror",
        "responsibleaipolicyviolation",
        "moderationblocked",
        "datainspectionfailed",
        "1301",
    }
)
"""Words for a filter in place of a code or type, in lower case without punctuation.

Sources: Azure OpenAI `content_filter` with the inner `ResponsibleAIPolicyViolation` (compl-ai/compl-ai#20), which
LiteLLM moves to `provider_specific_fields` (BerriAI/litellm#16231). OpenAI's and OpenRouter's
`content_policy_violation` (BerriAI/litellm#19328; developersdigest.tech, OpenRouter errors) and `moderation_blocked`
(microsoft/PyRIT#1463). Moonshot's type `content_filter` (666ghj/BettaFish#499). Alibaba's `data_inspection_failed`
(help.aliyun.com, Model Studio error codes; QwenLM/qwen-code#2905). z.AI's 1301 (docs.z.ai, error codes).
"""
FILTER_SENTENCES = re.compile(
    r"(litellm\.\w+: )*(litellm\.)?ContentPolicyViolationError\b"
    r"|the (response|request|prompt) was filtered due to the prompt triggering"
    r"|output blocked by content filtering policy"
    r"|content exists risk"
    r"|(<400> )?(internalerror\.algo\.)?datainspectionfailed|(input|output)( text)? data may contain inappropriate"
    r"|the request was rejected because it was considered high risk"
    r"|invalid prompt: (we've limited access|your prompt was flagged)"
    r"|your request was rejected (by|as a result of) (the|our) safety system",
    re.IGNORECASE,
)
"""Beginnings of a filter's sentence, for answers without a code.

Only the beginning counts, because a vendor may quote the prompt later.

Sources: LiteLLM (meta-llama/PurpleLlama#109); Azure (stanford-crfm/helm#3327); Anthropic
(anthropics/claude-code#58367); DeepSeek (666ghj/BettaFish#108, deepseek-ai/DeepSeek-V2#30); Alibaba
(QwenLM/qwen-code#2905, langgenius/dify#7932); Moonshot (666ghj/BettaFish#499); OpenAI (microsoft/PyRIT#1463,
theopenco/llmgateway#2110).
"""
FILTER_ENDINGS = frozenset(
    {
        "content_filter",
        "content_filtered",
        "guardrail_intervened",
        "sensitive",
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "model_armor",
        "jailbreak",
    }
)
"""Finish reasons of a filter, in lower case.

Sources: OpenAI and Azure (learn.microsoft.com, content filter). Bedrock (boto3's `bedrock-runtime`, StopReason). z.AI
`sensitive` (anomalyco/opencode#44092). Gemini and Vertex, whose own words pass through their compatible endpoint
(HKUDS/Vibe-Trading#308; docs.cloud.google.com, Candidate.FinishReason and PromptFeedback.BlockedReason), also as
`content_filter: SAFETY`.
"""
REFUSAL_ENDINGS = frozenset({"refusal"})
"""Anthropic's, where a gateway passes it on (Kiln-AI/Kiln#1550)."""
GUARDRAIL = "amazon-bedrock-guardrailAction"
"""Stands in the body of Bedrock's InvokeModel, whose `stop_reason` stays `end_turn` (NousResearch/hermes-agent#107815).

A guardrail that only masks intervenes as well: then there is an answer.
"""
NESTED = ("error", "innererror", "inner_error", "provider_specific_fields", "metadata", "raw", "details")
"""The keys under which gateways keep the original error; OpenRouter's `raw` is JSON as text."""
DEPTH = 6
"""The depth to which these keys are followed."""


def is_filter_error(tree: Any) -> bool:
    """Whether the body of an error, in whatever gateway's form, reports a content filter."""
    return any(_names_filter(found) for found in _errors(tree, DEPTH))


def filtered_answer(tree: Any) -> Ending | None:
    """Return how a filter or the model ended an answer of status 200; null for every other answer."""
    body = mapping(tree)
    choices = [mapping(choice) for choice in _listed(body.get("choices"))]
    if not choices and (_blocked_prompt(body) or is_filter_error(body.get("error"))):
        return "filtered"
    told = [choice.get(name) for choice in choices[:1] for name in ("finish_reason", "native_finish_reason")]
    endings = {str(reason).partition(":")[0].strip().lower() for reason in (*told, body.get("stop_reason")) if reason}
    if endings & FILTER_ENDINGS or any(is_filter_error(choice.get("error")) for choice in choices[:1]):
        return "filtered"
    return "refused" if endings & REFUSAL_ENDINGS else None


def has_intervened(tree: Any) -> bool:
    """Whether a guardrail of Bedrock blocked or masked the answer."""
    return mapping(tree).get(GUARDRAIL) == "INTERVENED"


def _blocked_prompt(body: dict[str, Any]) -> bool:
    """Azure's results for the prompt, where there is no choice; Gemini's feedback (ai.google.dev, PromptFeedback)."""
    feedback = mapping(body.get("promptFeedback") or body.get("prompt_feedback"))
    results = _listed(body.get("prompt_filter_results")) + _listed(body.get("prompt_annotations"))
    return bool(feedback.get("blockReason") or feedback.get("block_reason")) or any(map(_has_filtered, results))


def _has_filtered(result: Any) -> bool:
    """Whether a category of Azure's results is filtered. Their key is a plural in answers, a singular in errors."""
    found = mapping(result)
    categories = mapping(found.get("content_filter_results") or found.get("content_filter_result"))
    return any(mapping(category).get("filtered") is True for category in categories.values())


def _names_filter(error: dict[str, Any]) -> bool:
    words = [error.get(name) for name in ("code", "type", "error_type", "error_code", "status")]
    codes = {re.sub(r"[^a-z0-9]", "", str(word).lower()) for word in words if isinstance(word, str | int)}
    sentences = [error.get(name) for name in ("message", "detail", "error")]
    return (
        not FILTER_CODES.isdisjoint(codes)
        or any(isinstance(words, str) and FILTER_SENTENCES.match(words) for words in sentences)
        or bool(_listed(error.get("contentFilter")))
        or _has_filtered(error)
    )


def _errors(found: Any, depth: int) -> Iterator[dict[str, Any]]:
    """An error and those within it."""
    if isinstance(found, str) and found.lstrip().startswith("{"):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return
    for one in found if isinstance(found, list) else (found,):
        if isinstance(one, dict) and depth:
            yield one
            for name in NESTED:
                yield from _errors(one.get(name), depth - 1)


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []
