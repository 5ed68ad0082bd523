"""Identity: which conversation each record is, and what each call of a model adds to its conversation."""

from cpa_core.sources.identity.decide import identified
from cpa_core.sources.identity.values import (
    Decided,
    History,
    Identified,
    Known,
    KnownTrace,
    Nothing,
    Opened,
    Said,
    Talk,
)

__all__ = ["Decided", "History", "Identified", "Known", "KnownTrace", "Nothing", "Opened", "Said", "Talk", "identified"]
