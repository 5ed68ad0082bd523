"""Restoring a home that lost its database, from the files of answers and the source; it lists data that is lost."""

from cpa_core.errors import CpaError
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.build import build_day
from cpa_core.pipeline.label.quote import Quote, quote
from cpa_core.pipeline.landing.land import land
from cpa_core.pipeline.landing.totals import Landed
from cpa_core.store.answers import rebuild_index

LOST = (
    "receipts: the next run sends every event again, under the same ids",
    "batches that were handed over: answers that were not collected are paid for again if they are needed",
    "earlier versions of the schema: a day is of the schema by which the next run labels it",
    "messages of files that the source does not hold any more",
)
"""The data that only the database holds."""


class Restored(Value):
    """The restored data, and the data that is lost. `quote` is the next run's; null for the reason in `unknown`."""

    was_lost: bool
    answers: int
    landed: Landed | None
    days: int
    quote: Quote | None
    unknown: str
    not_restored: tuple[str, ...]


def restore_home(assistant: Assistant) -> Restored:
    """Rebuild the table of answers, land the source, and build its days. Nothing is asked, paid or delivered.

    A home that has its database is brought up to date in the same way. Raises AnswersNotKept, StoreNotWritten, and as
    `land` does.
    """
    was_lost = not assistant.store.exists()
    indexed = rebuild_index(assistant.store)
    landed = land(assistant) if assistant.settings.source else None
    with assistant.store.reading() as view:
        days = [row["day"] for row in view.answer("status/days_in_order")]
    for day in days:
        build_day(assistant, day)
    found, unknown = None, ""
    try:
        found = quote(assistant, days, retag=False)
    except CpaError as error:
        unknown = str(error)
    with assistant.store.reading() as view:
        orphans = view.answer("label/answers_without_conversation")[0]
    lost = [f"answers in {path}: the file cannot be read" for path in indexed.unreadable]
    if orphans["answers"]:
        lost.append(
            f"{orphans['conversations']} conversations that the source does not hold: "
            f"{orphans['answers']} answers about them are kept"
        )
    return Restored(
        was_lost=was_lost,
        answers=indexed.into_table,
        landed=landed,
        days=len(days),
        quote=found,
        unknown=unknown,
        not_restored=(*lost, *(LOST if was_lost else ())),
    )
