"""What a call costs, by the list prices that genai-prices carries. An unknown price is null, never zero."""

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from cpa_core.llm import Usage

VENDORS = {"openai": "openai", "anthropic": "anthropic", "bedrock": "aws"}
FREE = frozenset({"reference"})


def cost(provider: str, model: str, usage: Usage) -> float | None:
    """US dollars for one call, null when the model's price or its usage is unknown."""
    if provider in FREE:
        return 0.0
    vendor = VENDORS.get(provider)
    if vendor is None or usage.prompt_tokens is None or usage.completion_tokens is None:
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
