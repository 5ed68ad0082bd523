"""The demo: the examples, each in a home of its own, from which no paid model or real destination can be reached."""

from datetime import date
from pathlib import Path

from cpa_core.errors import InputError
from cpa_core.providers.reference import examples
from cpa_core.settings import Settings, settings

EXAMPLES: dict[str, date] = {"therapist": date(2026, 3, 2), "tax_advisor": date(2026, 2, 9)}
"""The examples, and the day on which their first conversation begins."""


def demo_settings(name: str, root: Path) -> Settings:
    """Settings of one example, in `root/<name>`. No key or host of the user's is among them."""
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
