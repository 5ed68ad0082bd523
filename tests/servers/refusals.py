"""Errors as vendors write them, status and body, for the servers of models to give. The reports are on GitHub."""

from typing import Any

from tests.servers.scripted import Status

SECRET = "my prompt, word by word"


def _openai(
    message: str, code: str | None = None, kind: str = "invalid_request_error", param: str | None = None
) -> Any:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _gemini(message: str) -> Any:
    """A list of one: google-gemini/gemini-cli#4701."""
    return [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}]


STOPPING = {
    "OpenAI, BerriAI/litellm#2743": Status(
        429,
        body=_openai(
            "Your account is not active, please check your billing details on our website.",
            "billing_not_active",
            "billing_not_active",
        ),
    ),
    "OpenAI, developers.openai.com, error codes": Status(
        429,
        body=_openai("You have no prepaid credits remaining.", "credit_balance_exhausted", "insufficient_quota"),
    ),
    "OpenAI's lane": Status(
        400,
        body=_openai(
            "Invalid service_tier argument: The requested service tier is not allowed for this project.",
            param="service_tier",
        ),
    ),
    "Anthropic, platform.claude.com, rate-limits": Status(
        429,
        body={
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "You have reached your API usage limits: your organization has crossed its threshold.",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
        },
    ),
    "Anthropic, anthropics/claude-code#1047": Status(
        400,
        body={
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "You have reached your specified workspace API usage limits. You will regain access later.",
            },
        },
    ),
    "Gemini, google/timesketch#3703": Status(400, body=_gemini("API key not valid. Please pass a valid API key.")),
    "Gemini, google-gemini/gemini-cli#25198": Status(
        400, body=_gemini("API Key not found. Please pass a valid API key.")
    ),
    "xAI, continuedev/continue#10778": Status(
        400,
        body={
            "code": "Client specified an invalid argument",
            "error": "Incorrect API key provided: na***ys. You can obtain an API key from https://console.x.ai.",
        },
    ),
    "xAI, continuedev/continue#10373": Status(
        429,
        body={
            "code": "Some resource has been exhausted",
            "error": "Your team 16f2 has either used all available credits or reached its monthly spending limit.",
        },
    ),
    "OpenRouter, OpenRouterTeam/openrouter-examples#74": Status(
        400, body={"error": {"message": "claude-sonnet-4-6 is not a valid model ID", "code": 400}}
    ),
    "OpenRouter, no credits": Status(402, body={"error": {"message": "Insufficient credits", "code": 402}}),
    "DeepSeek, langbot-app/LangBot#1643": Status(400, body=_openai("Model Not Exist", "invalid_request_error")),
    "Mistral, tmc/langchaingo#1233": Status(
        400,
        body={"object": "error", "message": "Invalid model: x", "type": "invalid_model", "param": None, "code": "1500"},
    ),
    "Hugging Face, cline/cline#5098": Status(
        400, body=_openai("The requested model 'moonshotai/x' is not supported by any provider you have enabled.")
    ),
    "OpenAI's form": Status(400, body=_openai("The model `x` does not exist or you do not have access to it.")),
    "Moonshot, forum.moonshot.ai/t/244": Status(
        429, body={"error": {"message": "You exceeded your current quota", "type": "exceeded_current_quota_error"}}
    ),
    "Alibaba, help.aliyun.com, Model Studio error codes": Status(
        400,
        body=_openai("Access denied, please make sure your account is in good standing.", "Arrearage", "Arrearage"),
    ),
}
"""The account or the model, though status 400 or 429 do not say so."""

TOO_LONG = {
    "vLLM, vllm-project/vllm#20409": Status(
        400,
        body={
            "object": "error",
            "message": "This model's maximum context length is 16384 tokens. However, you requested 17500 tokens (4500 "
            "in the messages, 13000 in the completion). Please reduce the length of the messages or completion.",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    "OpenAI, ChatGPTNextWeb/NextChat#3195": Status(
        400, body=_openai("Please reduce it.", "context_length_exceeded", param="messages")
    ),
    "OpenAI, tailcallhq/forgecode#1185": Status(
        400,
        body=_openai(
            "max_tokens is too large: 20480. This model supports at most 16384 completion tokens, whereas you "
            "provided 20480.",
            "invalid_value",
            param="max_tokens",
        ),
    ),
    "OpenAI, vanna-ai/vanna-flask#11": Status(
        429,
        body=_openai(
            "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 342389. The input or output "
            "tokens must be reduced in order to run successfully.",
            "rate_limit_exceeded",
            "tokens",
        ),
    ),
    "Groq, anomalyco/opencode#1000": Status(
        400, body=_openai("`max_tokens` must be less than or equal to `16384`", param="max_tokens")
    ),
    "Groq, Alishahryar1/free-claude-code#955": Status(
        400,
        body=_openai(
            "max_completion_tokens must be less than or equal to 40960, the maximum value for max_completion_tokens is "
            "less than the context_window for this model",
            param="max_completion_tokens",
        ),
    ),
    "Groq, assafelovic/gpt-researcher#985": Status(
        413, body=_openai("Request too large for model `x`: Limit 6000, Requested 14368", "rate_limit_exceeded")
    ),
    "DeepSeek, deepseek-ai/DeepSeek-V3#69": Status(
        400,
        body=_openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", "invalid_request_error"),
    ),
    "Alibaba, alibabacloud.com, coding-plan-faq": Status(
        400, body=_openai("Range of input length should be [1, 30720]", "InvalidParameter")
    ),
    "Volcano, Gitlawb/openclaude#331": Status(
        400,
        body=_openai(
            "The parameter `max_completion_tokens` specified in the request are not valid: integer above maximum "
            "value, expected a value <= 12288, but got 32000 instead.",
            "InvalidParameter",
            "BadRequest",
            "max_completion_tokens",
        ),
    ),
    "Together, docs.together.ai/docs/error-codes": Status(
        403,
        body=_openai("Input token count + max_tokens parameter must be less than the context length of the model."),
    ),
    "Cohere, docs.cohere.com, errors-reference": Status(
        400,
        body={
            "message": "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this "
            "model - received 8192."
        },
    ),
    "Gemini, google-gemini/gemini-cli#6678": Status(
        400, body=_gemini("The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).")
    ),
}
"""More tokens than the server takes at once, asked or to be answered."""

TOO_LONG_FOR_CLAUDE = {
    "anthropics/claude-code#12186": Status(400, message="prompt is too long: 208310 tokens > 200000 maximum"),
    "docker/docker-agent#569": Status(
        400,
        message="input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or "
        "`max_tokens` and try again",
    ),
    "an older model": Status(
        400, message="max_tokens: 17000 > 8192, which is the maximum allowed number of output tokens for claude-x"
    ),
    "aws-samples/bedrock-access-gateway#41": Status(
        400, message="The maximum tokens you requested exceeds the model limit of 2048."
    ),
    "Bedrock": Status(400, message="Input is too long for requested model."),
    "platform.claude.com, errors": Status(413, message="Request exceeds the maximum size"),
}

FLAGGED = {
    "OpenRouter, openrouter.ai/docs/errors": Status(
        403,
        body={
            "error": {
                "code": 403,
                "message": f"anthropic/claude requires moderation on x. Your input was flagged for: {SECRET}",
                "metadata": {"reasons": ["violence"], "flagged_input": SECRET, "provider_name": "x", "model_slug": "y"},
            }
        },
    ),
    "xAI, UKGovernmentBEIS/inspect_ai#2267": Status(
        403,
        body={
            "code": "The caller does not have permission to execute the specified operation",
            "error": "Content violates usage guidelines. Team: t, API key ID: k, Model: m, Failed check: "
            f"SAFETY_CHECK_TYPE_BIO {SECRET}",
        },
    ),
    "Azure": Status(400, body=_openai(f"The response was filtered: {SECRET}", "content_filter")),
}
"""One question that a filter takes: its words, as some vendors repeat them, stand in SECRET."""

QUOTING = (
    f"messages.1.content: '{SECRET}: your credit balance, API key not valid' is not text",
    f"Invalid value: '{SECRET}' in a service tier; the model does not exist, incorrect API key",
    f"We could not parse '{SECRET} x is not a valid model ID'",
)
"""Sentences about this question alone that quote it, and words in it that mean something at the beginning of others."""
