"""What a call costs: list prices, with cache reads and writes apart, and null for everything that is unknown."""

import pytest

from cpa_core.llm import Usage
from cpa_core.pricing import cost

USAGE = Usage(prompt_tokens=10_000, completion_tokens=1_000)
HAIKU = "claude-haiku-5-5"


def of(**changes: int | None) -> Usage:
    """The usage with changes."""
    return USAGE.model_copy(update=changes)


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        ("openai", "gpt-6-luna", 0.0015),
        ("anthropic", HAIKU, 0.0015),
        ("bedrock", f"global.anthropic.{HAIKU}-v1:0", 0.0015),
        ("bedrock", f"us.anthropic.{HAIKU}-v1:0", 0.00165),
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", 0.0165),
    ],
)
def test_a_known_model_costs_its_list_price(provider: str, model: str, dollars: float) -> None:
    assert cost(provider, model, USAGE) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-9-nova"),
        ("openai", "ft:gpt-4o-mini:me::1"),
        ("openai", "moderation"),
        ("anthropic", "claude-nova-9"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"),
        ("bedrock", "anthropic.claude-nova-9-v1:0"),
        ("compatible", "llama3.2"),
        ("compatible", "gpt-6-luna"),
        ("nobody", "gpt-6-luna"),
    ],
)
def test_an_unknown_price_is_null_and_never_zero(provider: str, model: str) -> None:
    assert cost(provider, model, USAGE) is None


@pytest.mark.parametrize("usage", [Usage(), of(prompt_tokens=None), of(completion_tokens=None)])
def test_an_unknown_usage_has_no_price(usage: Usage) -> None:
    assert cost("openai", "gpt-6-luna", usage) is None


def test_a_usage_that_cannot_be_has_no_price() -> None:
    assert cost("openai", "gpt-6-luna", of(cached_tokens=20_000)) is None


@pytest.mark.parametrize(("provider", "model"), [("openai", "gpt-6-luna"), ("anthropic", HAIKU)])
def test_cached_tokens_cost_a_tenth_and_written_ones_a_quarter_more(provider: str, model: str) -> None:
    plain = cost(provider, model, of(completion_tokens=0))
    assert plain is not None
    cached = cost(provider, model, of(completion_tokens=0, cached_tokens=10_000))
    written = cost(provider, model, of(completion_tokens=0, cache_write_tokens=10_000))
    half = cost(provider, model, of(completion_tokens=0, cached_tokens=5_000, cache_write_tokens=0))
    assert [cached, written, half] == pytest.approx([plain * 0.1, plain * 1.25, plain * 0.55])


def test_the_reference_costs_nothing_and_nothing_costs_nothing() -> None:
    assert cost("reference", "annotations", USAGE) == 0.0
    assert cost("openai", "gpt-6-luna", Usage(prompt_tokens=0, completion_tokens=0)) == 0.0
