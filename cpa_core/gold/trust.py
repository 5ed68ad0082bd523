"""Trust in a label, and its rates as tagged, as corrected, and by people alone."""

from dataclasses import dataclass
from typing import Literal

from cpa_core.gold.agreement import Agreement, PeopleAgreement
from cpa_core.gold.correcting import LEAST_CONVERSATIONS, LEAST_POSITIVES, difference
from cpa_core.gold.reviews import LabelKind
from cpa_core.gold.validity import Basis
from cpa_core.insights import UNKNOWN, Estimate, Rate

Grade = Literal["good", "fair", "poor", "unknown"]
LEAST_ALPHA = 0.4
"""Krippendorff's alpha between people below which they do not share one meaning of a label."""
GOOD_KAPPA, FAIR_KAPPA = 0.6, 0.4
"""Kappa from which a label is trusted, and below which it is not (Landis and Koch 1977: substantial; fair)."""


@dataclass(frozen=True)
class TrustedRate:
    """One rate in three forms, as tagged, corrected by gold and by gold alone, with the validity of the correction."""

    tagged: Rate
    corrected: Estimate
    gold: Estimate
    basis: Basis
    valid_for: str
    variance: float | None = None


def corrected_change(before: TrustedRate, after: TrustedRate) -> Estimate:
    """The corrected share after less the one before; unknown unless each side has gold of its own."""
    if {before.basis, after.basis} != {"sample"}:
        return UNKNOWN
    sides = (before.corrected.value, after.corrected.value, before.variance, after.variance)
    if any(one is None for one in sides):
        return UNKNOWN
    old, new, *variances = (one or 0.0 for one in sides)
    return difference(new - old, sum(variances))


@dataclass(frozen=True)
class PropertyTrust:
    """The share of events whose property value matches people's, among events that both see."""

    name: str
    accuracy: Estimate
    events: int


@dataclass(frozen=True)
class Trust:
    """The trust in a label. `of_messages` is null for criteria and dealbreakers, which are of conversations.

    `lacking` are the conversations that people have to label before its rates are corrected. `cannot_tell` counts the
    conversations for which the tagger, and for which people, could not tell. `places` are the numbers, in the
    selection, of the conversations that people read. `by_doubt` is the share of messages from a draw by doubt of these
    very days, and `doubted` how many of its messages people read.
    """

    kind: LabelKind
    key: str
    name: str
    role: str | None
    agreement: Agreement
    people: PeopleAgreement
    of_conversations: TrustedRate
    of_messages: TrustedRate | None
    labelled: int
    lacking: int
    disputed: int
    properties: tuple[PropertyTrust, ...] = ()
    cannot_tell: tuple[int, int] = (0, 0)
    places: tuple[int, ...] = ()
    by_doubt: Estimate = UNKNOWN
    doubted: int = 0

    def is_below(self, least: float | None) -> bool:
        """Return whether people labelled it and kappa is below `least`; false if no least kappa is set."""
        kappa = self.agreement.kappa.value
        return least is not None and kappa is not None and kappa < least

    @property
    def do_people_differ(self) -> bool:
        """Return whether two people read the same items and their alpha is below LEAST_ALPHA."""
        return self.people.alpha.value is not None and self.people.alpha.value < LEAST_ALPHA

    @property
    def is_labelled_enough(self) -> bool:
        """Whether people labelled enough conversations and positives to correct its rates."""
        return self.labelled >= LEAST_CONVERSATIONS and self.agreement.positives >= LEAST_POSITIVES

    @property
    def grade(self) -> Grade:
        """Return the grade by kappa; unknown without labels by people."""
        kappa = self.agreement.kappa.value
        if kappa is None:
            return "unknown"
        return "good" if kappa >= GOOD_KAPPA else "fair" if kappa >= FAIR_KAPPA else "poor"
