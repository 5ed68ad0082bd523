"""What is set and what is off: everything loads without any key, and the assets say what they would need."""

from cpa_core.destinations import KEYS
from cpa_core.errors import SettingsError
from cpa_core.pipeline import Assistant

NEEDED = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "compatible": "CPA_COMPATIBLE_URL",
}
"""What a provider cannot do without; Amazon finds its keys in many places."""


def asks(assistant: Assistant, task: str) -> str:
    """Which model a stage asks and what that may cost, or what is missing for it."""
    given = assistant.settings
    try:
        model = assistant.model(task)
    except SettingsError as error:
        return f"**Off**: {error}."
    if model.provider == "reference":
        if given.model:
            return "No model is asked: the annotations of the examples answer."
        return (
            "**Off**: no model is named and no key is set: CPA_MODEL, OPENAI_API_KEY or ANTHROPIC_API_KEY says which."
        )
    needed = NEEDED.get(model.provider, "")
    if needed and not given.named(needed):
        return f"**Off**: {model} needs {needed}, which is not set."
    limits = [f"${most:g} {per}" for most, per in ((given.budget, "a run"), (given.daily_budget, "a day")) if most]
    spends = f"may spend {' and '.join(limits)}" if limits else "no limit to spending is set (CPA_BUDGET)"
    return f"Asks {model}; {spends}."


def destinations_off(assistant: Assistant) -> str:
    """Where events go, and which destinations cannot be used as they are."""
    given = assistant.settings
    off = [
        f"{name} needs {key}, which is not set" if name in given.destinations else f"{name} is off: {key} is not set"
        for name, key in KEYS.items()
        if not given.named(key)
    ]
    return "; ".join([f"Sends to {', '.join(given.destinations)}", *off]) + "."


def parts(assistant: Assistant) -> dict[str, str]:
    """What is said beside the description of each asset."""
    return {
        "tagged_events": asks(assistant, "tag"),
        "judge_scores": asks(assistant, "judge"),
        "upload_receipts": destinations_off(assistant),
    }
