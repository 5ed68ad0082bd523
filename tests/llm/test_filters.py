"""A content filter is final in every gateway's form, and only a filter is."""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest

from cpa_core.errors import ProviderFailed
from cpa_core.llm import Reply
from cpa_core.providers.statuses import answered
from cpa_core.providers.wire import Response

SECRET = "my prompt, word by word"
HATE = {"hate": {"filtered": True, "severity": "high"}, "jailbreak": {"filtered": False, "detected": False}}
SAFE = {"hate": {"filtered": False, "severity": "safe"}}
AZURE = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": HATE},
}
LITELLM = "litellm.BadRequestError: litellm.ContentPolicyViolationError: AzureException - filtered"


def choice(finish: str | None, text: str | None = None, **more: Any) -> dict[str, Any]:
    """A chat completion of one choice."""
    return {"choices": [{"finish_reason": finish, "message": {"role": "assistant", "content": text}, **more}]}


ERRORS: Mapping[str, tuple[int, Any]] = {
    "Azure, compl-ai/compl-ai#20": (400, {"error": AZURE}),
    "Azure's inner error alone": (400, {"error": {"code": "400", "innererror": AZURE["innererror"]}}),
    "Azure AI Foundry, gpt4free/g4f.dev#81": (
        400,
        {
            "error": {
                "message": "The response was filtered due to the prompt triggering Microsoft's policy",
                "code": None,
            }
        },
    ),
    "OpenAI through Azure, inner_error, BerriAI/litellm#19328": (
        400,
        {"error": {"code": "content_policy_violation", "inner_error": {"content_filter_results": HATE}}},
    ),
    "LiteLLM, BerriAI/litellm#16231": (
        400,
        {
            "error": {
                "message": LITELLM,
                "type": None,
                "param": None,
                "code": "400",
                "provider_specific_fields": {"innererror": AZURE["innererror"]},
            }
        },
    ),
    "LiteLLM without fields, meta-llama/PurpleLlama#109": (400, {"error": {"message": LITELLM, "code": "400"}}),
    "LiteLLM with status 500, BerriAI/litellm#4941": (500, {"error": {"message": LITELLM, "code": "500"}}),
    "LiteLLM's type alone": (400, {"error": {"message": SECRET, "type": "ContentPolicyViolationError", "code": 400}}),
    "OpenRouter passing Azure's": (
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": json.dumps({"error": AZURE}), "provider_name": "Azure"},
            }
        },
    ),
    "OpenRouter, 403 with a code, developersdigest.tech": (
        403,
        {"error": {"code": 403, "message": SECRET, "metadata": {"error_type": "content_policy_violation"}}},
    ),
    "z.AI, docs.z.ai": (
        400,
        {
            "contentFilter": [{"level": 1, "role": "user"}],
            "error": {"code": "1301", "message": "System detected potentially unsafe or sensitive content"},
        },
    ),
    "z.AI's code alone": (400, {"error": {"code": "1301", "message": SECRET}}),
    "Anthropic, anthropics/claude-code#58367": (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
        },
    ),
    "DeepSeek, 666ghj/BettaFish#108": (
        400,
        {"error": {"message": "Content Exists Risk", "type": "invalid_request_error", "code": "invalid_request_error"}},
    ),
    "DeepSeek's older form, deepseek-ai/DeepSeek-V2#30": (400, {"detail": "Content Exists Risk"}),
    "Alibaba, help.aliyun.com": (400, {"error": {"code": "data_inspection_failed", "message": SECRET}}),
    "Alibaba, QwenLM/qwen-code#2905": (
        400,
        {
            "error": {
                "code": "invalid_parameter_error",
                "message": "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate",
            }
        },
    ),
    "Moonshot, 666ghj/BettaFish#499": (
        400,
        {"error": {"code": 400, "message": "The request was rejected because ...", "type": "content_filter"}},
    ),
    "OpenAI, microsoft/PyRIT#1463": (
        400,
        {
            "error": {
                "message": "Invalid prompt: we've limited access to this content for safety reasons.",
                "type": "invalid_request_error",
                "code": "invalid_prompt",
            }
        },
    ),
}
ANSWERS: Mapping[str, Any] = {
    "Azure, no choices": {"choices": [], "prompt_filter_results": [{"content_filter_results": HATE}]},
    "Azure, choices null": {"choices": None, "prompt_filter_results": [{"content_filter_results": HATE}]},
    "Azure, learn.microsoft.com": choice("content_filter", content_filter_results=HATE),
    "Azure, half an answer, BerriAI/litellm#8953": choice("content_filter", '{"messages": ['),
    "z.AI, anomalyco/opencode#44092": choice("sensitive", ""),
    "Gemini's word, HKUDS/Vibe-Trading#308": choice("SAFETY"),
    "Vertex's other words": choice("PROHIBITED_CONTENT"),
    "Vertex, recitation": choice("RECITATION", '{"mess'),
    "Gemini, with a reason": choice("content_filter: SPII"),
    "Gemini, no message": {"choices": [{"finish_reason": "content_filter: OTHER", "index": 0}]},
    "Vertex, a blocked prompt": {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}},
    "Vertex through a gateway": {"choices": [], "prompt_feedback": {"block_reason": "MODEL_ARMOR"}},
    "OpenRouter, the vendor's own word": choice("error", None, native_finish_reason="PROHIBITED_CONTENT"),
    "OpenRouter, in the choice": choice(
        "error", "", error={"code": 403, "message": SECRET, "metadata": {"error_type": "content_policy_violation"}}
    ),
    "OpenRouter, begun": {"error": {"code": 403, "message": SECRET, "metadata": {"flagged_input": SECRET}}},
    "a gateway with status 200 and an error": {"error": {"code": "content_filter", "message": SECRET}},
    "Bedrock through a gateway, content_filtered": choice("content_filtered"),
    "Bedrock through a gateway, a guardrail": choice("guardrail_intervened", "Sorry, I cannot."),
}
CLAUDES: Mapping[str, Any] = {
    "Bedrock's guardrail, NousResearch/hermes-agent#107815": {
        "content": [{"type": "text", "text": "Sorry, the model cannot answer this question."}],
        "stop_reason": "end_turn",
        "amazon-bedrock-guardrailAction": "INTERVENED",
    },
    "Bedrock's guardrail without words": {"content": [], "amazon-bedrock-guardrailAction": "INTERVENED"},
    "Bedrock's filter": {"content": [], "stop_reason": "content_filtered"},
}
GOOD = '{"messages": []}'
NOT_FILTERED: Mapping[str, tuple[int, Any, str]] = {
    "annotations of a prompt that passed": (
        200,
        choice("stop", GOOD) | {"prompt_filter_results": [{"content_filter_results": SAFE}]},
        "ok",
    ),
    "an answer that speaks of filters": (200, choice("stop", '{"because": "content_filter, SAFETY"}'), "ok"),
    "a bad request that quotes the prompt": (
        400,
        {"error": {"code": "invalid_value", "message": "messages.1: 'Content Exists Risk' is not text"}},
        "error",
    ),
    "an unknown ending": (200, choice("eos", GOOD), "ok"),
    "no ending": (200, choice(None, GOOD), "ok"),
}


def said(status: int, tree: Any, provider: str = "openai") -> Reply:
    """A response, as this provider's module reads it: its package is imported for the first test that needs it."""
    decode = import_module(f"cpa_core.providers.{provider}").decode
    return answered(Response(status, {}, json.dumps(tree).encode()), decode)


@pytest.mark.parametrize(("status", "tree"), ERRORS.values(), ids=list(ERRORS))
def test_a_filter_that_is_an_error_is_filtered_whatever_its_gateway(status: int, tree: Any) -> None:
    for provider in ("openai", "anthropic"):
        reply = said(status, tree, provider)
        assert (reply.outcome, SECRET in str(reply)) == ("filtered", False)


@pytest.mark.parametrize("tree", ANSWERS.values(), ids=list(ANSWERS))
def test_a_filter_with_status_200_is_filtered_whatever_its_gateway(tree: Any) -> None:
    reply = said(200, tree)
    assert (reply.outcome, reply.text) == ("filtered", "")


@pytest.mark.parametrize("tree", CLAUDES.values(), ids=list(CLAUDES))
def test_a_filter_of_bedrock_is_filtered(tree: Any) -> None:
    assert said(200, tree, "anthropic").outcome == "filtered"


def test_a_guardrail_that_only_masks_leaves_an_answer() -> None:
    tree = {"content": [{"type": "text", "text": GOOD}], "amazon-bedrock-guardrailAction": "INTERVENED"}
    assert said(200, tree, "anthropic") == Reply(outcome="ok", text=GOOD)


def test_a_refusal_that_a_gateway_passes_on_is_a_refusal() -> None:
    assert said(200, choice("refusal", "I will not.")).outcome == "refused"


@pytest.mark.parametrize(("status", "tree", "outcome"), NOT_FILTERED.values(), ids=list(NOT_FILTERED))
def test_what_is_no_filter_is_not_filtered(status: int, tree: Any, outcome: str) -> None:
    assert said(status, tree).outcome == outcome


def test_no_choices_and_nothing_filtered_is_a_failure_that_may_pass() -> None:
    with pytest.raises(ProviderFailed, match="no choices"):
        said(200, {"choices": [], "prompt_filter_results": [{"content_filter_results": SAFE}]})


def test_what_a_filtered_answer_used_is_in_the_accounts() -> None:
    tree = choice("SAFETY") | {"usage": {"prompt_tokens": 12, "completion_tokens": 3}}
    usage = said(200, tree).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (12, 3)
