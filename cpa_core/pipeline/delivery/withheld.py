"""Event types that are sent to no destination, because people's labels contradict the model's (CPA_LEAST_KAPPA)."""

from collections.abc import Mapping, Sequence
from datetime import date

from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.quality import trust_of
from cpa_core.selection import DeliveryFilter

Untrusted = Mapping[tuple[str, str], float]
"""The kappa of event types below the least, by name and role."""


def untrusted(assistant: Assistant) -> Untrusted:
    """The event types whose kappa with people is below the least; none where no least is set."""
    least = assistant.settings.least_kappa
    if least is None:
        return {}
    found = [one for one in trust_of(assistant) if one.kind == "event" and one.is_below(least)]
    return {(one.name, one.role or ""): one.agreement.kappa.value or 0.0 for one in found}


def without(chosen: DeliveryFilter, withheld: Untrusted) -> DeliveryFilter:
    """Return a destination's filter that also excludes the withheld event types."""
    return chosen.model_copy(update={"untrusted": frozenset(withheld)}) if withheld else chosen


def decide_withheld(assistant: Assistant, days: Sequence[date]) -> Untrusted:
    """Decide which types of delivered days are withheld, and store it: later labels do not change the days' counts."""
    found = untrusted(assistant)
    with assistant.store.reading() as view:
        known = [day for day in days if view.answer("delivery/withheld_types", day=day)]
    decided = days if found else known
    if decided:
        now = assistant.now()
        with assistant.store.writing() as transaction:
            for day in decided:
                rows = [
                    {"day": day, "role": role, "event_type": name, "kappa": kappa, "decided_at": now}
                    for (name, role), kappa in found.items()
                ]
                transaction.insert_day("withheld_labels", day, rows)
    return found
