"""Whether users got what they wanted, where the judge was asked for their intents."""

from dataclasses import dataclass

from cpa_core.insights.selection import Selection
from cpa_core.insights.statistics import Rate, UnitSums, share

OUTCOMES = {"yes": "of_yes", "partly": "of_partly", "no": "of_no", "cannot tell": "of_cannot_tell"}
"""The answers, and the sums of each."""


@dataclass(frozen=True)
class IntentOutcome:
    """An answer to whether the intent was delivered and confirmed; the share is of all conversations with an intent."""

    outcome: str
    share: Rate


def intent_outcomes(of: Selection) -> tuple[IntentOutcome, ...]:
    """The four answers in order; none where no judgment has an intent."""
    rows = of.answer("intents")
    return tuple(
        IntentOutcome(outcome, share(UnitSums(**row[name]))) for row in rows for outcome, name in OUTCOMES.items()
    )
