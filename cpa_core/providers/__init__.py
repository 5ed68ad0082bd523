"""The vendors of models. Adding one is a class with `call`, a line in the table, and a test."""

from collections.abc import Mapping
from importlib import import_module

from cpa_core.errors import SettingsError
from cpa_core.llm import ModelName, Provider

PROVIDERS: dict[str, str] = {
    "openai": "cpa_core.providers.openai:openai",
    "anthropic": "cpa_core.providers.anthropic:anthropic",
    "bedrock": "cpa_core.providers.anthropic:bedrock",
    "compatible": "cpa_core.providers.openai:compatible",
    "reference": "cpa_core.providers.reference:reference",
}
"""The function that makes each provider from the environment; a vendor's SDK is imported only when it is used."""

DEFAULTS: dict[str, tuple[str, str]] = {
    "openai": ("OPENAI_API_KEY", "gpt-6-luna"),
    "anthropic": ("ANTHROPIC_API_KEY", "claude-haiku-5-5"),
}
"""Providers with a default model: the key that shows they are wanted, and the model."""

FLEX = ("openai", "reference")
"""Providers that can be asked in the flex lane; the reference is not asked at all."""


def model_name(written: str) -> ModelName:
    """A model as users write it. Raises SettingsError for one without a known provider."""
    provider, colon, model = written.partition(":")
    if not colon or not model or provider not in PROVIDERS:
        known = ", ".join(f"{name}:" for name in PROVIDERS)
        raise SettingsError(
            f"model {written!r}: a provider and a model are needed, as in openai:gpt-6-luna; providers: {known}"
        )
    return ModelName(provider=provider, model=model)


def default_model(environ: Mapping[str, str]) -> ModelName:
    """The model when none is named: of the one provider whose key is present, else `reference`."""
    present = {name: model for name, (key, model) in DEFAULTS.items() if environ.get(key)}
    if len(present) > 1:
        keys = ", ".join(DEFAULTS[name][0] for name in present)
        raise SettingsError(f"several keys are set ({keys}); say which model: --model or CPA_MODEL")
    for name, model in present.items():
        return ModelName(provider=name, model=model)
    return ModelName(provider="reference", model="annotations")


def provider(model: ModelName, environ: Mapping[str, str]) -> Provider:
    """The provider of a model. Raises SettingsError when its key or address is missing, its package, or its lane."""
    if environ.get("CPA_LANE") == "flex" and model.provider not in FLEX:
        raise SettingsError(f"CPA_LANE is flex, which only OpenAI has, and the model is {model}")
    module, function = PROVIDERS[model.provider].split(":")
    try:
        make = getattr(import_module(module), function)
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"{model} needs the package {missing.name}, which is not installed: pip install {missing.name}"
        ) from None
    made: Provider = make(environ)
    return made
