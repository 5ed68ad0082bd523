"""Vendors and servers of OpenAI's chat completions: address, key, supported and refused options, and the sources."""

from typing import NamedTuple
from urllib.parse import urlsplit

from cpa_core.llm.abilities import Structured


class Vendor(NamedTuple):
    """One vendor. `hosts` are its hosts, or ends of them; the user's own server has none, and is treated as `OWN`.

    `key_header` carries the key in addition to `Authorization: Bearer`. `limit` is the parameter for the answer's
    tokens. `query` is added to every call whose address is of the older form `deployments`. `takes` are the forms in
    which a question may ask for JSON, in order of trial; `refuses` describes the effect of others.
    """

    name: str
    url: str
    key: str
    takes: tuple[Structured, ...]
    refuses: str
    sources: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    key_header: str = ""
    limit: str = "max_tokens"
    query: tuple[tuple[str, str], ...] = ()


ALL: tuple[Structured, ...] = ("strict", "json_object", "prompt")
VENDORS = (
    Vendor(
        name="Azure OpenAI",
        url="https://RESOURCE.openai.azure.com/openai/v1",
        key="the resource's key, or a token of Entra ID; the model is the deployment's name",
        takes=ALL,
        refuses="a schema with older models: status 400; max_tokens with models that reason: status 400",
        sources=(
            "learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
            "learn.microsoft.com/azure/ai-foundry/openai/reference",
        ),
        hosts=(".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"),
        key_header="api-key",
        limit="max_completion_tokens",
        query=(("api-version", "2024-10-21"),),
    ),
    Vendor(
        name="Gemini",
        url="https://generativelanguage.googleapis.com/v1beta/openai",
        key="a key of Google AI Studio",
        takes=ALL,
        refuses="a wrong key: status 400; models think, and their thoughts count as tokens of the answer",
        sources=("ai.google.dev/gemini-api/docs/openai",),
        hosts=("generativelanguage.googleapis.com",),
    ),
    Vendor(
        name="Vertex AI",
        url="https://aiplatform.googleapis.com/v1/projects/PROJECT/locations/global/endpoints/openapi",
        key="an access token, as gcloud auth print-access-token prints it: it holds for an hour",
        takes=ALL,
        refuses="a model without its publisher, as in google/gemini-3.5-flash: status 400",
        sources=(
            "cloud.google.com/vertex-ai/generative-ai/docs/multimodal/call-vertex-using-openai-library",
            "docs.cloud.google.com/gemini-enterprise-agent-platform/reference/rest (endpoints.chat/completions)",
        ),
        hosts=("aiplatform.googleapis.com", "-aiplatform.googleapis.com"),
    ),
    Vendor(
        name="Mistral",
        url="https://api.mistral.ai/v1",
        key="a key of La Plateforme",
        takes=ALL,
        refuses="a parameter that it does not know: status 422",
        sources=("docs.mistral.ai/resources/release-note/2025-01-28-custom-structured-outputs-for-all-models",),
        hosts=("api.mistral.ai",),
    ),
    Vendor(
        name="OpenRouter",
        url="https://openrouter.ai/api/v1",
        key="a key of OpenRouter; the model is written vendor/model",
        takes=ALL,
        refuses="nothing: a model that takes no schema ignores it, or its vendor answers with status 400",
        sources=("openrouter.ai/docs/structured-outputs", "openrouter.ai/docs/api_reference/overview"),
        hosts=("openrouter.ai",),
    ),
    Vendor(
        name="LiteLLM",
        url="http://127.0.0.1:4000/v1",
        key="the proxy's master key or a virtual key",
        takes=ALL,
        refuses="what the model behind it refuses, with status 400",
        sources=("docs.litellm.ai/docs/proxy/user_keys",),
    ),
    Vendor(
        name="Ollama",
        url="http://127.0.0.1:11434/v1",
        key="none; any is ignored",
        takes=("strict", "prompt"),
        refuses="nothing: some models ignore the schema; a prompt longer than the context is cut without a word",
        sources=("docs.ollama.com/api/openai-compatibility", "github.com/ollama/ollama/issues/8529"),
    ),
    Vendor(
        name="vLLM",
        url="http://127.0.0.1:8000/v1",
        key="what --api-key says; else none",
        takes=ALL,
        refuses="prompt and answer that are longer than the context together: status 400",
        sources=(
            "docs.vllm.ai/en/latest/features/structured_outputs",
            "docs.vllm.ai/en/latest/serving/openai_compatible_server",
        ),
    ),
    Vendor(
        name="llama.cpp",
        url="http://127.0.0.1:8080/v1",
        key="what --api-key says; else none",
        takes=ALL,
        refuses="a schema beside a grammar of its own: status 400; some templates ignore the schema",
        sources=("github.com/ggml-org/llama.cpp/issues/11847", "github.com/ggml-org/llama.cpp/issues/24097"),
    ),
    Vendor(
        name="Groq",
        url="https://api.groq.com/openai/v1",
        key="a key of GroqCloud",
        takes=ALL,
        refuses="a schema with models that do not support it: status 400",
        sources=("console.groq.com/docs/structured-outputs",),
        hosts=("api.groq.com",),
    ),
    Vendor(
        name="DeepSeek",
        url="https://api.deepseek.com/v1",
        key="a key of DeepSeek's platform",
        takes=("json_object", "prompt"),
        refuses="a schema: status 400, `This response_format type is unavailable now`",
        sources=("api-docs.deepseek.com/guides/json_mode", "github.com/UKGovernmentBEIS/inspect_ai/issues/4916"),
        hosts=("api.deepseek.com",),
    ),
    Vendor(
        name="xAI",
        url="https://api.x.ai/v1",
        key="a key of the xAI console",
        takes=ALL,
        refuses="a wrong key: status 400",
        sources=("docs.x.ai/docs/guides/structured-outputs", "hexdocs.pm/req_llm/ReqLLM.Providers.XAI.html"),
        hosts=("api.x.ai",),
    ),
)
OWN = Vendor("a server of one's own", "", "", ALL, "", ())
"""Any other server."""


def vendor_of(url: str) -> Vendor:
    """The vendor of an address, by its host."""
    host = urlsplit(url).hostname or ""
    named = (one for one in VENDORS if any(host == end or _ends(host, end) for end in one.hosts))
    return next(named, OWN)


def _ends(host: str, end: str) -> bool:
    return end[0] in ".-" and host.endswith(end)


def query_of(url: str, vendor: Vendor) -> str:
    """Return the query string of every call: the address's own, else the one that the vendor's older form needs."""
    parts = urlsplit(url)
    if parts.query:
        return f"?{parts.query}"
    needed = vendor.query if "/deployments/" in parts.path else ()
    return f"?{'&'.join(f'{name}={value}' for name, value in needed)}" if needed else ""
