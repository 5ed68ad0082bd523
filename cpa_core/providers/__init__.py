"""The vendors of models. Adding one is a class with `call`, a line in the table, and a test."""

from importlib import import_module
from typing import Any

from cpa_core.errors import SettingsError
from cpa_core.llm import BatchVendor, ModelName, Provider
from cpa_core.settings import Settings

PROVIDERS: dict[str, str] = {
    "openai": "cpa_core.providers.openai:openai",
    "anthropic": "cpa_core.providers.anthropic:anthropic",
    "bedrock": "cpa_core.providers.bedrock:bedrock",
    "compatible": "cpa_core.providers.openai:compatible",
    "reference": "cpa_core.providers.reference:reference",
}
"""The function that makes each provider from the settings; a vendor's SDK is imported only when it is used."""

DEFAULTS: dict[str, tuple[str, str]] = {
    "openai": ("OPENAI_API_KEY", "gpt-6-luna"),
    "anthropic": ("ANTHROPIC_API_KEY", "claude-haiku-5-5"),
}
"""Providers with a default model: the key that shows they are wanted, and the model."""

BATCHES: dict[str, str] = {
    "openai": "cpa_core.providers.openai_batches:batches",
    "anthropic": "cpa_core.providers.anthropic_batches:batches",
}
"""The function that makes each provider's batches from the settings."""

LANES: dict[str, tuple[str, ...]] = {"flex": ("openai",), "batch": tuple(BATCHES)}
"""The providers that have a lane at half the price; the reference is not asked at all, so every lane suits it."""


ROOMS: dict[str, str] = {
    "openai": "cpa_core.providers.openai:room",
    "anthropic": "cpa_core.providers.anthropic:room",
    "bedrock": "cpa_core.providers.anthropic:room",
}
"""The function that knows what hidden reasoning a provider's model may add to an answer."""


def model_name(written: str) -> ModelName:
    """A model as users write it. Raises SettingsError for one without a known provider."""
    provider, colon, model = written.partition(":")
    if not colon or not model or provider not in PROVIDERS:
        known = ", ".join(f"{name}:" for name in PROVIDERS)
        raise SettingsError(
            f"model {written!r}: a provider and a model are needed, as in openai:gpt-6-luna; providers: {known}"
        )
    return ModelName(provider=provider, model=model)


def answer_room(model: ModelName) -> int:
    """Tokens that a model may add to an answer, for hidden reasoning, beyond those that a question asks for."""
    if model.provider not in ROOMS:
        return 0
    module, function = ROOMS[model.provider].split(":")
    found: int = getattr(import_module(module), function)(model.model)
    return found


def default_model(given: Settings) -> ModelName:
    """The model when none is named: of the one provider whose key is present, else `reference`."""
    present = {name: model for name, (key, model) in DEFAULTS.items() if given.named(key)}
    if len(present) > 1:
        keys = ", ".join(DEFAULTS[name][0] for name in present)
        raise SettingsError(f"several keys are set ({keys}); say which model: --model or CPA_MODEL")
    for name, model in present.items():
        return ModelName(provider=name, model=model)
    return ModelName(provider="reference", model="annotations")


def provider(model: ModelName, given: Settings) -> Provider:
    """The provider of a model. Raises SettingsError when its key or address is missing, its package, or its lane."""
    lane = given.lane
    if lane in LANES and model.provider not in (*LANES[lane], "reference"):
        there = " and ".join(LANES[lane])
        raise SettingsError(f"CPA_LANE is {lane}, which is there for {there} only, and the model is {model}")
    made: Provider = _maker(PROVIDERS[model.provider], str(model))(given)
    return made


def batch_vendor(provider: str, given: Settings) -> BatchVendor:
    """The batches of a provider. Raises SettingsError when its key is missing, or its package."""
    made: BatchVendor = _maker(BATCHES[provider], f"a batch of provider {provider}")(given)
    return made


def _maker(written: str, wanted: str) -> Any:
    module, function = written.split(":")
    try:
        return getattr(import_module(module), function)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        raise SettingsError(
            f"{wanted} needs the package {package}, which is not installed: pip install {package}"
        ) from None
