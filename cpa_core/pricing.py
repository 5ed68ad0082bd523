"""The cost of a call, by the list prices of genai-prices or by the user's own. An unknown price is null, never zero."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from genai_prices import Usage as PricedUsage
from genai_prices import calc_price
from pydantic import Field, ValidationError

from cpa_core.errors import SettingsError
from cpa_core.llm import Usage
from cpa_core.models import Value
from cpa_core.providers import PROVIDERS

LANES = {"standard": 1.0, "flex": 0.5, "batch": 0.5}
"""The share of the price that a lane costs (developers.openai.com and platform.claude.com: batches are billed at half
the price, and flex as a batch)."""
MILLION = 1_000_000


class Price(Value):
    """US dollars for a million tokens. Without a price of their own, cached tokens cost as much as the others."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)


Prices = Mapping[str, Price]
"""A user's own prices by `provider:model`: they take precedence over list prices."""


def cost(provider: str, model: str, usage: Usage, lane: str = "standard", own: Prices | None = None) -> float | None:
    """US dollars for one call, null when the model's price or its usage is unknown."""
    spec = PROVIDERS.get(provider)
    if spec and spec.is_free:
        return 0.0
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    price = (own or {}).get(f"{provider}:{model}")
    full = _listed(spec.priced_as if spec else "", model, usage) if price is None else _own(price, usage)
    return None if full is None else full * LANES[lane]


def _own(price: Price, usage: Usage) -> float:
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    bare = max(0, (usage.prompt_tokens or 0) - cached - written)
    cached_input = price.input if price.cached_input is None else price.cached_input
    cache_write = price.input if price.cache_write is None else price.cache_write
    output = (usage.completion_tokens or 0) * price.output
    return (bare * price.input + cached * cached_input + written * cache_write + output) / MILLION


def _listed(vendor: str, model: str, usage: Usage) -> float | None:
    if not vendor:
        return None
    priced = PricedUsage(
        input_tokens=usage.prompt_tokens,
        cache_read_tokens=usage.cached_tokens or 0,
        cache_write_tokens=usage.cache_write_tokens or 0,
        output_tokens=usage.completion_tokens,
    )
    try:
        price = float(calc_price(priced, model_ref=model, provider_id=vendor).total_price)
    except (LookupError, ValueError):  # no such model; more tokens cached than there were
        return None
    return price or (None if usage.prompt_tokens or usage.completion_tokens else 0.0)


def prices(path: Path | None) -> Prices:
    """The prices in a YAML file, none without one. Raises SettingsError with file, model and rule."""
    if path is None:
        return {}
    try:
        tree = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"CPA_PRICES: {path}: {type(error).__name__}: not a YAML file that can be read") from None
    if not isinstance(tree, dict):
        raise SettingsError(f"CPA_PRICES: {path}: provider:model: {{input: 0.1, output: 0.5}} is needed")
    found: dict[str, Price] = {}
    for name, price in tree.items():
        try:
            found[str(name)] = Price.model_validate(price)
        except ValidationError as error:
            first = error.errors()[0]
            place = ": ".join(map(str, (name, *first["loc"])))
            raise SettingsError(f"CPA_PRICES: {path}: {place}: {first['msg']}") from None
    return found
