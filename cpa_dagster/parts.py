"""The configured and the missing parts: everything loads without keys, and each asset names the settings it lacks."""

from cpa_core.destinations import DESTINATIONS
from cpa_core.errors import SettingsError
from cpa_core.pipeline import Assistant
from cpa_core.providers import PROVIDERS
from cpa_core.settings import lacking
from cpa_core.settings.addresses import scheme_of


def asks(assistant: Assistant, task: str) -> str:
    """Return the model that a stage asks and its budget, or the settings that it lacks."""
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
    if missing := lacking(given, PROVIDERS[model.provider].needs):
        return f"**Off**: {model} needs {' and '.join(missing)}, which is not set."
    limits = [f"${most:g} {per}" for most, per in ((given.budget, "a run"), (given.daily_budget, "a day")) if most]
    spends = f"may spend {' and '.join(limits)}" if limits else "no limit to spending is set (CPA_BUDGET)"
    return f"Asks {model}; {spends}."


def destinations_off(assistant: Assistant) -> str:
    """Return the destinations of events, and those that lack settings."""
    given = assistant.settings
    off = []
    for name, spec in DESTINATIONS.items():
        if missing := " and ".join(lacking(given, spec.needs)):
            wanted = name in given.destinations
            off.append(
                f"{name} needs {missing}, which is not set" if wanted else f"{name} is off: {missing} is not set"
            )
    return "; ".join([f"Sends to {', '.join(given.destinations)}", *off]) + "."


def parts(assistant: Assistant) -> dict[str, str]:
    """Return the text that follows the description of each asset."""
    return {
        "tagged_events": asks(assistant, "tag"),
        "judge_scores": asks(assistant, "judge"),
        "upload_receipts": destinations_off(assistant),
    }


def pool(assistant: Assistant, task: str) -> str | None:
    """Return the pool of the provider that a stage asks: Dagster runs as many stages at once as the pool allows."""
    try:
        provider = assistant.model(task).provider
    except SettingsError:
        return None
    return f"model_{provider}" if provider != "reference" else None


def kinds(assistant: Assistant, name: str) -> set[str]:
    """Return the kinds that Dagster shows for an asset, besides DuckDB."""
    given = assistant.settings
    if name == "landed_files":
        return {scheme_of(given.source or "") or "file"}
    if name == "upload_receipts":
        return set(given.destinations[:2])
    return {"event_schema": {"yaml"}, "tagged_events": {"ai"}, "judge_scores": {"ai"}}.get(name, set())
