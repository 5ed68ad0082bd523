"""A run: the days that need work, and one day from end to end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import takewhile

from cpa_core import selection
from cpa_core.destinations import DESTINATIONS, destination, unused
from cpa_core.errors import DayIncomplete, DestinationStopped, SettingsError, Stopped
from cpa_core.models import EventSchema, Value
from cpa_core.pipeline.assistant import Assistant, Stage
from cpa_core.pipeline.batches.states import OPEN, WAITING
from cpa_core.pipeline.build import Built, build_days
from cpa_core.pipeline.delivery.deliver import Delivered, deliver_days
from cpa_core.pipeline.label.day import tag_and_judge_days
from cpa_core.pipeline.label.given_up import pause_of, ways, with_wait
from cpa_core.pipeline.schema.acceptance import waiting_days, waiting_versions
from cpa_core.pipeline.schema.current import read_schema
from cpa_core.settings import Settings
from cpa_core.settings.addresses import parted
from cpa_core.store.database import Row


class DayDone(Value):
    """One day after a run. `held` is the reason why nothing of it was delivered."""

    day: date
    built: Built
    tagged: Stage
    judged: Stage
    delivered: Delivered | None
    held: str

    @property
    def waits(self) -> bool:
        """Whether questions of the day wait in batches."""
        return bool(self.tagged.waiting or self.judged.waiting)

    @property
    def is_whole(self) -> bool:
        """Whether nothing failed, not even for good, and every event has an accepting receipt."""
        failed = self.tagged.failures + self.judged.failures
        delivered = self.delivered is not None and not self.delivered.rejected and not self.delivered.open
        return not failed and delivered and not self.built.waiting


def ready(assistant: Assistant, *, asks: bool = True) -> list[str]:
    """Check schema, models and destinations, which a person may have to change, before anything is written or paid.

    Return the schema's warnings. A command that neither asks nor sends needs no key: without `asks` what is missing for
    a run is a warning too. Raises SchemaError, SettingsError.
    """
    given = assistant.settings
    schema, warnings = read_schema(assistant)
    warnings = [*warnings, *_selected(assistant.settings, schema)]
    if schema.version in waiting_versions(assistant):
        warnings.append(
            f"schema {schema.version[:12]} was proposed by a run and is not accepted: its events go to the outbox "
            "only; edit it, or accept it: cpa schema accept"
        )
    lacking = _lacking(assistant)
    if asks and lacking:
        raise lacking[0]
    warnings += [f"a run cannot begin yet: {one}" for one in dict.fromkeys(map(str, lacking))]
    if "compatible" in {assistant.model(task).provider for task in ("tag", "judge")}:
        warnings += _login_and_key(given)
    if "destinations" not in given.model_fields_set:
        for name in unused(given):
            key = DESTINATIONS[name].needs[0][0]
            warnings.append(f"{key} is set, but events go to the outbox: --destination {name}")
    return warnings


def _lacking(assistant: Assistant) -> list[SettingsError]:
    """Return the settings that are missing or wrong to ask the models and to send to the destinations."""
    found: list[SettingsError] = []
    models = [assistant.model(task) for task in ("tag", "judge")]
    checks: list[Callable[[], object]] = [partial(assistant.provider_of, model) for model in dict.fromkeys(models)]
    checks += [partial(destination, name, assistant.settings) for name in assistant.settings.destinations]
    for check in checks:
        try:
            check()
        except SettingsError as error:
            found.append(error)
    return found


def _login_and_key(given: Settings) -> list[str]:
    """Return a warning that a key is not used because the address has a login: both would go into one header."""
    server = given.compatible
    if not server.key or not server.url or not parted(server.url)[0]:
        return []
    return [
        "CPA_COMPATIBLE_URL holds a user and password, so CPA_COMPATIBLE_KEY is not sent: both go into the header "
        "Authorization; leave one of them out"
    ]


def _selected(settings: Settings, schema: EventSchema) -> list[str]:
    """Return advice on the filters of destinations. Raises SettingsError."""
    selections = selection.load(settings.delivery_path)
    unknown = [name for name in selections if name not in DESTINATIONS]
    if unknown:
        raise SettingsError(f"{settings.delivery_path}: {unknown[0]}: it must be one of {', '.join(DESTINATIONS)}")
    return selection.unknown_names(selections, schema)


def due_days(assistant: Assistant, wait: float | None = None) -> list[Row]:
    """Days that need work, with generation and reason, in order. Raises SchemaError, StoreBusy after `wait` seconds.

    Nothing of a day is asked before `waits_until`, where that is not null. A day whose proposed schema waits for a
    person is due until it is in the outbox, and then not before acceptance.
    """
    with assistant.store.reading(wait):
        pass  # a view within a view would wait for the writer who waits for it
    waiting, now = waiting_days(assistant), ways(assistant)
    with assistant.store.reading(wait) as view:
        rows = view.answer(
            "status/due_days",
            destinations=list(assistant.settings.destinations),
            waiting=waiting,
            open_states=sorted(OPEN),
            waiting_states=sorted(WAITING),
            ways=now,
            paused_since=assistant.now() - pause_of(assistant),
        )
    return [with_wait(assistant, row) for row in rows]


def known_days(assistant: Assistant) -> list[date]:
    """The days on which a conversation has landed or is built, in order; none where nothing was ever stored."""
    if not assistant.store.exists():
        return []
    with assistant.store.reading() as view:
        rows = view.answer("status/days_known")
    return [row["day"] for row in rows]


def home_id(assistant: Assistant) -> str | None:
    """Return the id of this home, whatever its path; null if nothing was ever stored."""
    if not assistant.store.exists():
        return None
    with assistant.store.reading() as view:
        rows = view.answer("status/home_id")
    return str(rows[0]["id"])


def run_day(
    assistant: Assistant,
    day: date,
    *,
    deliver_incomplete: bool = False,
    retry_rejected: bool = False,
    retag: bool = True,
    correct: bool = False,
) -> DayDone:
    """Build, tag, judge and deliver one day. An incomplete day is held back, not an error.

    With `retag`, labels of another schema, prompt or model are renewed.
    """
    how = {"deliver_incomplete": deliver_incomplete, "retry_rejected": retry_rejected, "correct": correct}
    return next(run_days(assistant, [day], retag=retag, **how))


def run_days(
    assistant: Assistant,
    days: Sequence[date],
    *,
    deliver_incomplete: bool = False,
    retry_rejected: bool = False,
    retag: bool = True,
    correct: bool = False,
) -> Iterator[DayDone]:
    """Yield each of these days when it is done, as `run_day` does it. Several small days are worked in one pass.

    They are taken in order; `days` holds each once. Raises the error of a day when it is that day's turn: the days
    before it are done then, and labels of the days after it are kept.
    """
    how = {"deliver_incomplete": deliver_incomplete, "retry_rejected": retry_rejected, "correct": correct}
    left = sorted(days)
    built: dict[date, Built] = {}
    while left:
        if left[0] not in built:
            built |= build_days(assistant, left)
        labelled = tag_and_judge_days(assistant, [day for day in left if day in built], retag=retag)
        yield from _done(built, labelled, lambda some: deliver_days(assistant, some, **how))
        left = left[len(labelled) :]


Labelled = Mapping[date, tuple[Stage, Stage] | Stopped]
"""How the labelling of each day of a pass ended."""
Delivery = Callable[[Sequence[date]], Mapping[date, Delivered | DayIncomplete | DestinationStopped]]
"""Delivers the first of these days, and those after it that fit into the same pass."""


def _done(built: Mapping[date, Built], labelled: Labelled, deliver: Delivery) -> Iterator[DayDone]:
    """Yield the days of a pass, each after its delivery. A day that waits for batches is not delivered."""
    ended: dict[date, Delivered | DayIncomplete | DestinationStopped] = {}
    for day, stages in labelled.items():
        if isinstance(stages, Stopped):
            raise stages
        tagged, judged = stages
        if waiting := tagged.waiting + judged.waiting:
            ended[day] = DayIncomplete(f"{day}: {waiting} questions wait in batches")
        elif day not in ended:
            ended |= deliver(_to_deliver(labelled, day))
        end = ended[day]
        if isinstance(end, DestinationStopped):
            raise end
        delivered, held = (None, str(end)) if isinstance(end, DayIncomplete) else (end, "")
        yield DayDone(day=day, built=built[day], tagged=tagged, judged=judged, delivered=delivered, held=held)


def _to_deliver(labelled: Labelled, first: date) -> list[date]:
    """Return this day and those after it, up to a day that was stopped or waits for batches."""

    def is_finished(day: date) -> bool:
        end = labelled[day]
        return not isinstance(end, Stopped) and not any(stage.waiting for stage in end)

    return list(takewhile(is_finished, (day for day in labelled if day >= first)))


def summaries(assistant: Assistant, days: Sequence[date]) -> list[Row]:
    """Return a summary of each day: counts, mean score, spend in US dollars (null is unknown), receipts, failures."""
    with assistant.store.reading() as view:
        return view.answer("status/day_summary", days=list(days))


def spending(assistant: Assistant) -> list[Row]:
    """Return calls, tokens and US dollars (null is unknown) of each task, model and lane in this home so far.

    The first lane of a task and model also counts the questions that the ledger answered; null in the others.
    """
    with assistant.store.reading() as view:
        return view.answer("status/spend_by_model")
