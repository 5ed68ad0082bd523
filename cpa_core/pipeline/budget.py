"""Cost and time of asking: the price of a question, the budgets that are left, the pace and the deadline."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from datetime import time as midnight
from functools import cached_property
from threading import BoundedSemaphore

from cpa_core.errors import SettingsError
from cpa_core.llm import BYTES_PER_TOKEN, Bill, Budget, Limiter, ModelName, Request, Reserve, Shared, Usage, no_budget
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.batches.states import AWAITED
from cpa_core.pricing import Prices, cost, prices
from cpa_core.providers import answer_room, lane_of
from cpa_core.store.answers import live_costs


@dataclass(frozen=True)
class Tariff:
    """The estimated tokens and cost of questions of one task to one model.

    `usual` is the mean length of an answer so far, null before the first.

    `room` returns the tokens that an answer may use for hidden reasoning, beyond those that a question asks for. For a
    server whose abilities are being discovered, it changes within a run.
    """

    model: ModelName
    lane: str
    own: Prices
    usual: float | None
    room: Callable[[], int]

    def usage(self, requests: Sequence[Request]) -> Usage:
        """Return an upper estimate of these questions' tokens.

        Nothing counts as cached, and an answer of unknown length takes all of its room. So does the answer to a
        question that is repeated because it was cut off.
        """
        prompt = sum(math.ceil(self._size(request) / BYTES_PER_TOKEN) for request in requests)
        room = self.room()
        written = (
            request.max_tokens + room if self.usual is None or request.is_roomier else self.usual
            for request in requests
        )
        return Usage(prompt_tokens=prompt, completion_tokens=math.ceil(sum(written)))

    def cost(self, requests: Sequence[Request]) -> float | None:
        """US dollars for these questions at list price without caching, null when the price is unknown; 0 for none."""
        if not requests:
            return 0.0
        return self.price(self.model.provider, self.model.model, self.usage(requests), self.lane)

    def at_once(self) -> "Tariff":
        """The tariff of questions that follow from answers: they wait for no batch."""
        return replace(self, lane="standard") if self.lane == "batch" else self

    def price(self, provider: str, model: str, usage: Usage, lane: str) -> float | None:
        """US dollars for one call."""
        return cost(provider, model, usage, lane, self.own)

    def _size(self, request: Request) -> int:
        """Bytes of everything a question sends."""
        texts = (request.system, request.user)
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + self._schema_size(request)

    def _schema_size(self, request: Request) -> int:
        sizes = self._schema_sizes
        if request.task not in sizes:
            sizes[request.task] = len(json.dumps(request.json_schema))
        return sizes[request.task]

    @cached_property
    def _schema_sizes(self) -> dict[str, int]:
        return {}


def tariff(assistant: Assistant, task: str, model: ModelName) -> Tariff:
    """Return the tariff of a task, from the model's own answers in the ledger. Raises SettingsError."""
    with assistant.store.reading() as view:
        found = view.answer("label/mean_answer", task=task, provider=model.provider, model=model.model)
    given = assistant.settings
    return Tariff(
        model,
        lane_of(model.provider, given),
        prices(given.prices_path),
        found[0]["completion_tokens"],
        lambda: _room(assistant, model),
    )


def _room(assistant: Assistant, model: ModelName) -> int:
    if model.provider != "compatible" or not assistant.settings.compatible.url:
        return answer_room(model)
    found = getattr(assistant.provider_of(model), "room", None)
    return found() if found else 0


def reserve(limits: Sequence[Budget], tariff_of: Callable[[Request], Tariff]) -> Reserve:
    """Sets money aside for each call, as far as there are limits to it."""
    if not limits:
        return no_budget

    @contextmanager
    def held(request: Request) -> Iterator[Bill]:
        dollars = tariff_of(request).cost([request]) or 0.0
        with ExitStack() as stack:
            bills = [stack.enter_context(budget.holding(dollars)) for budget in limits]
            whole = Bill(dollars)
            yield whole
            for bill in bills:
                bill.paid = whole.paid

    return held


def budgets(assistant: Assistant, *tariffs: Tariff) -> list[Budget]:
    """Return the budgets left of run and day.

    They count the ledger's sums, the spend of parallel runs so far, and the possible cost of unanswered batches. The
    workers of a shared store spend the budget of a day together: their calls reserve it in Postgres.

    A pass counts for the UTC day of its start, a batch for the day of its submission. Raises SettingsError without a
    price.
    """
    given = assistant.settings
    if given.budget is None and given.daily_budget is None:
        return []
    one = Usage(prompt_tokens=1, completion_tokens=1)
    for tariff in tariffs:
        if tariff.price(tariff.model.provider, tariff.model.model, one, "standard") is None:
            raise SettingsError(f"a budget is set, but the price of {tariff.model} is unknown: name it in CPA_PRICES")
    run, day = _spent(assistant)
    most, daily = given.budget, given.daily_budget
    found = [] if most is None else [Budget(f"CPA_BUDGET of ${most:g}", most - run)]
    if daily is not None:
        found.append(_daily(assistant, daily, day))
    return found


def _daily(assistant: Assistant, most: float, spent: float) -> Budget:
    """The budget of a day, which all workers of a shared store spend together."""
    name, ledger = f"CPA_DAILY_BUDGET of ${most:g}", assistant.store.ledger
    if ledger is None:
        return Budget(name, most - spent)
    since = _midnight(assistant)
    own = ledger.allowance(most, since, AWAITED, lambda: live_costs(assistant.store, since))
    return Budget(name, own.left(), own)


def _midnight(assistant: Assistant) -> datetime:
    now = assistant.now()
    return datetime.combine(now.date(), midnight(), now.tzinfo)


def _spent(assistant: Assistant) -> tuple[float, float]:
    """US dollars that the run and the day have cost so far."""
    since = _midnight(assistant)
    run = {"run": f"{assistant.run_id}-", "since": since}
    live = live_costs(
        assistant.store, since
    )  # read first: what is merged meanwhile counts twice rather than not at all
    with assistant.store.reading() as view:
        spent = view.answer("label/money_spent", **run)[0]
        held = view.answer("batches/money_in_batches", awaited=sorted(AWAITED), **run)[0]
    return spent["by_run"] + held["by_run"], spent["by_day"] + held["by_day"] + live


@contextmanager
def spending(assistant: Assistant, *tariffs: Tariff) -> Iterator[list[Budget]]:
    """The budgets for calls; their reservations end with it. Raises SettingsError without a price."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(one)) for one in budgets(assistant, *tariffs)]


def limiter(assistant: Assistant, model: ModelName) -> Limiter:
    """Return the run's one limiter for a model, so that its stages share what they learn of the vendor's limits.

    A vendor limits each model by its own; the slots belong to the run and serve all models. The runs of all workers of
    a shared store keep the limits together.
    """
    given, pacing = assistant.settings, assistant.pacing
    key, ledger = (assistant.run_id, str(model)), assistant.store.ledger
    if key not in pacing.limiters:
        slots = pacing.slots.setdefault(assistant.run_id, BoundedSemaphore(given.concurrency))
        made = Limiter(
            given.concurrency,
            pacing.timer,
            rpm=given.rpm,
            tpm=given.tpm,
            deadline=deadline(assistant),
            shared=Shared(slots, ledger.turns(str(model)) if ledger else None),
        )
        pacing.limiters.setdefault(key, made)
    return pacing.limiters[key]


def deadline(assistant: Assistant) -> float:
    """When a run ends by the settings, by its timer: it began when this was first asked."""
    began = assistant.pacing.began.setdefault(assistant.run_id, assistant.pacing.timer.clock())
    minutes = assistant.settings.deadline_minutes
    return math.inf if minutes is None else began + 60 * minutes
