"""The demo: each example runs in a home of its own, which reaches no paid model and no real destination."""

from datetime import date
from pathlib import Path

from cpa_core.errors import InputError
from cpa_core.providers.reference import examples
from cpa_core.settings import Settings, settings

EXAMPLES: dict[str, date] = {"therapist": date(2026, 3, 2), "tax_advisor": date(2026, 2, 9)}
"""The examples, and the day on which their first conversation begins."""


def demo_settings(name: str, root: Path) -> Settings:
    """Settings of one example, in `root/<name>`. They hold none of the user's keys or hosts."""
    if name not in EXAMPLES:
        raise InputError(f"example {name!r}: it must be one of {', '.join(EXAMPLES)}")
    folder = examples() / name
    texts = {
        "CPA_HOME": str(root / name),
        "CPA_SOURCE": str(folder / "example_data.json"),
        "CPA_SCHEMA": str(folder / "schema.yml"),
        "CPA_MODEL": "reference:annotations",
        "CPA_DESTINATIONS": "outbox",
        "CPA_START_DATE": EXAMPLES[name].isoformat(),
    }
    return settings(texts)
