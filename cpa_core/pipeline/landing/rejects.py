"""The rejected share of a landing, for the check that warns when it is too high."""

from datetime import datetime

from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant


class Rejects(Value):
    """The result of the newest landing that read anything. `refused` counts objects that could not be read at all.

    `share` is the larger of the shares of lost records and of refused objects; `most` is the limit CPA_MOST_REJECTED.
    """

    landed_at: datetime
    objects: int
    refused: int
    records: int
    lost: int
    share: float
    most: float

    @property
    def is_fine(self) -> bool:
        """Whether no more was rejected than is allowed."""
        return self.share <= self.most


def rejects(assistant: Assistant) -> Rejects | None:
    """The share of the newest landing; None before the first."""
    if not assistant.store.exists():
        return None
    with assistant.store.reading() as view:
        rows = view.answer("landing/rejects_of_landing")
    return Rejects(**rows[0], most=assistant.settings.most_rejected) if rows else None
