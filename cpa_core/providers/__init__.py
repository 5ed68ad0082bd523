"""The vendors of models. Adding one is a module with `call`, a line in the table here, and its settings."""

from collections.abc import Callable
from typing import NamedTuple

from cpa_core.errors import SettingsError
from cpa_core.extras import not_installed
from cpa_core.llm import BatchVendor, ModelName, Provider
from cpa_core.settings import Lane, Needs, Settings, lacking


class ProviderSpec(NamedTuple):
    """One vendor of models.

    `make` and `make_batches` import the vendor's SDK only when they are called. `needs` are the settings that it
    requires, one set of names for each way to configure it. `default_model` is asked if no model is named and only this
    vendor is configured; empty if there is none. `room` returns the tokens that a model may add to an answer for hidden
    reasoning. `endpoint` returns the address that answers, as set: at another one, questions that were given up are
    asked again. `priced_as` is the vendor's name in genai-prices; without one, only a user's own prices are known. A
    provider that `is_free` sends no request, so every lane suits it. `make_embeddings` makes the vectors of texts; null
    if the vendor has none of OpenAI's form.
    """

    name: str
    title: str
    make: Callable[[Settings], Provider]
    needs: Needs = ()
    default_model: str = ""
    lanes: tuple[Lane, ...] = ("standard",)
    make_batches: Callable[[Settings], BatchVendor] | None = None
    room: Callable[[str], int] = lambda model: 0
    endpoint: Callable[[Settings], str] = lambda given: ""
    priced_as: str = ""
    is_free: bool = False
    make_embeddings: Callable[[Settings], Provider] | None = None


def _openai(given: Settings) -> Provider:
    from cpa_core.providers.openai import openai

    return openai(given)


def _openai_batches(given: Settings) -> BatchVendor:
    from cpa_core.providers.openai_batches import batches

    return batches(given)


def _openai_room(model: str) -> int:
    from cpa_core.providers.openai import room

    return room(model)


def _openai_embeddings(given: Settings) -> Provider:
    from cpa_core.providers.embeddings import openai

    return openai(given)


def _anthropic(given: Settings) -> Provider:
    from cpa_core.providers.anthropic import anthropic

    return anthropic(given)


def _anthropic_batches(given: Settings) -> BatchVendor:
    from cpa_core.providers.anthropic_batches import batches

    return batches(given)


def _anthropic_room(model: str) -> int:
    from cpa_core.providers.anthropic import room

    return room(model)


def _bedrock(given: Settings) -> Provider:
    from cpa_core.providers.bedrock import bedrock

    return bedrock(given)


def _compatible(given: Settings) -> Provider:
    from cpa_core.providers.openai import compatible

    return compatible(given)


def _compatible_embeddings(given: Settings) -> Provider:
    from cpa_core.providers.embeddings import compatible

    return compatible(given)


def _reference(given: Settings) -> Provider:
    from cpa_core.providers.reference import reference

    return reference(given)


SPECS = (
    ProviderSpec(
        "openai",
        "OpenAI",
        _openai,
        (("OPENAI_API_KEY",),),
        "gpt-6-luna",
        lanes=("standard", "flex", "batch"),
        make_batches=_openai_batches,
        room=_openai_room,
        endpoint=lambda given: given.openai.url,
        priced_as="openai",
        make_embeddings=_openai_embeddings,
    ),
    ProviderSpec(
        "anthropic",
        "Anthropic",
        _anthropic,
        (("ANTHROPIC_API_KEY",),),
        "claude-haiku-5-5",
        lanes=("standard", "batch"),
        make_batches=_anthropic_batches,
        room=_anthropic_room,
        endpoint=lambda given: given.anthropic.url,
        priced_as="anthropic",
    ),
    ProviderSpec(
        "bedrock",
        "Amazon Bedrock",
        _bedrock,
        (("AWS_REGION",),),
        room=_anthropic_room,
        endpoint=lambda given: f"{given.aws.region} {given.aws.bedrock_endpoint}",
        priced_as="aws",
    ),
    ProviderSpec(
        "compatible",
        "A server of OpenAI's form",
        _compatible,
        (("CPA_COMPATIBLE_URL",),),
        endpoint=lambda given: str(given.compatible.url),
        make_embeddings=_compatible_embeddings,
    ),
    ProviderSpec("reference", "The examples' annotations", _reference, is_free=True),
)
PROVIDERS: dict[str, ProviderSpec] = {spec.name: spec for spec in SPECS}
"""Every provider, by the name that stands before a model's colon."""


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
    return PROVIDERS[model.provider].room(model.model)


def default_model(given: Settings) -> ModelName:
    """The model when none is named: of the one provider whose key is present, else `reference`."""
    present = [spec for spec in SPECS if spec.default_model and not lacking(given, spec.needs)]
    if len(present) > 1:
        keys = ", ".join(spec.needs[0][0] for spec in present)
        raise SettingsError(f"several keys are set ({keys}); say which model: --model or CPA_MODEL")
    for spec in present:
        return ModelName(provider=spec.name, model=spec.default_model)
    return ModelName(provider="reference", model="annotations")


def lane_of(provider: str, given: Settings) -> Lane:
    """Return the lane of a provider's requests: the configured one if the provider has it. Prices follow it."""
    return given.lane if given.lane in PROVIDERS[provider].lanes else "standard"


def has_batches(provider: str) -> bool:
    """Whether a provider takes many requests at once, to be answered within a day."""
    return PROVIDERS[provider].make_batches is not None


def provider(model: ModelName, given: Settings) -> Provider:
    """The provider of a model. Raises SettingsError when its key or address is missing, its package, or its lane."""
    spec = PROVIDERS[model.provider]
    if given.lane not in spec.lanes and not spec.is_free:
        there = " and ".join(one.name for one in SPECS if given.lane in one.lanes)
        raise SettingsError(f"CPA_LANE is {given.lane}, which only {there} has, and the model is {model}")
    try:
        return spec.make(given)
    except ModuleNotFoundError as missing:
        raise not_installed(missing, str(model)) from None


def embedder(model: ModelName, given: Settings) -> Provider:
    """The vectors of texts by a model. Raises SettingsError if its provider makes none, or lacks key or package."""
    make = PROVIDERS[model.provider].make_embeddings
    if make is None:
        there = " and ".join(one.name for one in SPECS if one.make_embeddings)
        raise SettingsError(f"CPA_EMBEDDINGS is {model}: only {there} make vectors of texts")
    try:
        return make(given)
    except ModuleNotFoundError as missing:
        raise not_installed(missing, str(model)) from None


def batch_vendor(provider: str, given: Settings) -> BatchVendor:
    """The batches of a provider. Raises SettingsError when it has none, or its key or its package is missing."""
    make = PROVIDERS[provider].make_batches
    if make is None:
        raise SettingsError(f"provider {provider} has no batches")
    try:
        return make(given)
    except ModuleNotFoundError as missing:
        raise not_installed(missing, f"a batch of provider {provider}") from None
