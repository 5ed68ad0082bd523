"""Advice on a stopped provider: the setting to correct, such as a refused key, the address, or the form of answers."""

from typing import NamedTuple

from cpa_core.errors import AnswersUnusable, ProviderNotReached, ProviderStopped
from cpa_core.llm import ANOTHER_API
from cpa_core.providers.foreign import asked_at, is_foreign
from cpa_core.settings import Settings


class Names(NamedTuple):
    """The settings that hold a provider's key and its address."""

    key: str
    address: str


NAMES: dict[str, Names] = {
    "openai": Names("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "anthropic": Names("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    "bedrock": Names(
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK",
        "AWS_REGION or AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    ),
    "compatible": Names("CPA_COMPATIBLE_KEY", "CPA_COMPATIBLE_URL"),
}
"""By provider, as each module of a provider reads them."""
SHAPES = ("json_object", "prompt")
"""Values of CPA_COMPATIBLE_STRUCTURED for servers that do not take a JSON schema, in the order to try."""


def advice(stopped: ProviderStopped, given: Settings) -> str:
    """Return the setting to check, as the end of the error's sentence; empty if none is known."""
    names = NAMES.get(stopped.provider)
    if isinstance(stopped, AnswersUnusable) and stopped.outcome != ANOTHER_API:
        return _form(stopped, given.compatible.structured)
    if names is None:
        return ""
    if isinstance(stopped, ProviderNotReached):
        return f"is it running? The address is {names.address}"
    if stopped.about == "address" or isinstance(stopped, AnswersUnusable):
        return address(stopped.provider, given)
    return {"key": f"the key is {names.key}", "model": "the model is CPA_MODEL"}.get(stopped.about, "")


def address(provider: str, given: Settings) -> str:
    """Return the provider's address, its setting, and a likelier address."""
    name = NAMES[provider].address
    urls = {"compatible": given.compatible.url, "openai": given.openai.url}
    if provider not in urls:
        return f"is the address right? It is {name}"
    asked = asked_at(urls[provider] or "")
    better = f"try {name}={asked.likelier}" if asked.likelier else f"is {name} right? It ends in /v1 for most servers"
    return f"{asked.url} was asked: {better}"


def answer_advice(detail: str, provider: str, given: Settings) -> str:
    """Return advice on a question that failed with this detail; empty if the address is not in doubt."""
    return address(provider, given) if is_foreign(detail) and provider in NAMES else ""


def _form(stopped: AnswersUnusable, structured: str | None) -> str:
    """Return the setting to try if a server's answers are unusable."""
    other = f"another model ({'CPA_JUDGE_MODEL' if stopped.task == 'judge' else 'CPA_MODEL'})"
    if stopped.outcome == "truncated":
        return f"try {other} or, where the server is yours, one with a longer context"
    if stopped.provider != "compatible":
        return f"try {other}"
    now = structured or "auto"
    left = [shape for shape in SHAPES if SHAPES.index(shape) > (SHAPES.index(now) if now in SHAPES else -1)]
    if not left:
        return f"CPA_COMPATIBLE_STRUCTURED is {now}: try {other}"
    return f"try CPA_COMPATIBLE_STRUCTURED={' or '.join(left)} (it is {now}), or {other}"


def advised(stopped: ProviderStopped, given: Settings) -> ProviderStopped:
    """Return the same error with the setting to check appended to its text."""
    words = advice(stopped, given)
    if words and words not in str(stopped):
        stopped.args = (f"{stopped}: {words}",)
    return stopped
