"""Answers that are not of the requested API: web pages, and the forms of other APIs at a wrong address."""

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cpa_core.errors import Foreign

FORMS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"candidates"}), "Gemini's own API"),
    (frozenset({"output"}), "OpenAI's Responses"),
    (frozenset({"output", "stopReason"}), "Bedrock's Converse"),
    (frozenset({"done", "message"}), "Ollama's own API"),
    (frozenset({"done", "response"}), "Ollama's own API"),
    (frozenset({"content", "stop_reason"}), "Anthropic's Messages"),
    (frozenset({"content", "stop"}), "llama.cpp's own API"),
    (frozenset({"generated_text"}), "text-generation-inference's own API"),
    (frozenset({"choices"}), "OpenAI's chat completions"),
    (frozenset({"data", "object"}), "a list of models"),
    (frozenset({"error"}), "an error with status 200"),
)
"""Keys at the root of an answer, and the API that they identify; the entry with the most keys counts.

Sources: ai.google.dev (generateContent); platform.openai.com/docs/api-reference/responses; docs.aws.amazon.com
(Converse); docs.ollama.com/api; platform.claude.com/docs/en/api/messages; llama.cpp, `tools/server/README.md`;
huggingface.co/docs/text-generation-inference. LM Studio answers an unknown path with status 200 and `error`
(lmstudio-ai/lmstudio-bug-tracker).
"""
PAGE, XML, UNKNOWN = "an HTML page", "XML", "JSON of an unknown form"
IN_FORM = "the answer is "
REASONS = tuple(f"{IN_FORM}{form}" for form in (*(form for _, form in FORMS), PAGE, XML, UNKNOWN))
"""Every reason of such a failure."""
PATHS = re.compile(r"unexpected endpoint|unknown (request )?(url|path|endpoint)|invalid (url|path)|cannot post", re.I)
MODELS = re.compile(r"model|deployment|engine|no endpoints found", re.I)
"""Words of a sentence with status 404 that is about the model.

The last is OpenRouter's (openrouter.ai/docs/errors).
"""
ENDINGS = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/models",
    "/embeddings",
    "/chat",
    "/generate",
)
VERSION = re.compile(r"/(v\d+\w*|openai|openapi)(/|$)")


class AskedAddress(NamedTuple):
    """An address as it may be shown, and another that is likelier; empty where none is."""

    url: str
    likelier: str = ""


def foreign(form: str, tries: float = 1) -> Foreign:
    """The failure of an answer in another form."""
    return Foreign(f"{IN_FORM}{form}", tries=tries)


def is_foreign(detail: str) -> bool:
    """Return whether a question's last stored failure was an answer in another form."""
    return detail.endswith(REASONS)


def page_of(content: bytes) -> str | None:
    """Return the kind of a body that is not JSON; null if uncertain."""
    bare = content[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if bare.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (bare[:1] == b"<" and b"<html" in bare):
        return PAGE
    return XML if bare.startswith(b"<?xml") else None


def form_of(tree: Any) -> str:
    """Return the API of a JSON body that is not of the requested API."""
    if isinstance(tree, list):
        tree = tree[0] if tree else {}
    keys = tree.keys() if isinstance(tree, dict) else frozenset()
    known = [(len(wanted), name) for wanted, name in FORMS if wanted <= keys]
    return max(known)[1] if known else UNKNOWN


def is_about_address(status: int, message: str, codes: tuple[str, ...]) -> bool:
    """Whether a refusal is of the path, not of the model: a status of 3xx, 405 or 501, or 404 without a word on one."""
    if status != 404:
        return status in (405, 501) or 300 <= status < 400
    words = f"{message} {' '.join(codes)}"
    return PATHS.search(words) is not None or MODELS.search(words) is None


def asked_at(base: str) -> AskedAddress:
    """Return the address at which a server of chat completions is asked, by its setting, without secrets."""
    parts = urlsplit(base)
    host = parts.netloc.rpartition("@")[2]
    root = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    likelier = root
    for ending in ENDINGS:
        likelier = likelier.removesuffix(ending)
    likelier = likelier if VERSION.search(urlsplit(likelier).path) else f"{likelier.removesuffix('/api')}/v1"
    return AskedAddress(f"{root}/chat/completions", likelier if likelier != root else "")
