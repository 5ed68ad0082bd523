"""Questions that belong to no day: asked at once, in no batch, and each looked up in the ledger before."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from cpa_core.errors import ProviderStopped, Stopped
from cpa_core.llm import About, Ask, Brake, Engine, Reply, Request
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.budget import limiter, reserve, spending, tariff
from cpa_core.prompts import Task
from cpa_core.providers.advice import advised
from cpa_core.store import AnswerBook
from cpa_core.store.answers import merge

Made = TypeVar("Made")

NO_DAY = ""
"""The day of questions that belong to none."""


class NotAnswered(Exception):
    """The ledger has no answer to a question."""


class Inquiry:
    """Asks the model of a task, and stores every answer in the ledger."""

    def __init__(self, engine: Engine, book: AnswerBook, brake: Brake) -> None:
        self._engine = engine
        self._book = book
        self._brake = brake

    def cut_short(self) -> None:
        """Begin no further call."""
        self._brake.stop(Stopped("asking was ended"))

    def settled(self, work: Callable[[Ask], Made], is_good: Callable[[Made], bool], conversation_id: str = "") -> Made:
        """Return the result of asking. If the ledger has a good result, repairs included, nothing is asked.

        Raises Stopped.
        """
        try:
            if is_good(before := work(self._recalled)):
                return before
        except NotAnswered:
            pass
        about = About(day=NO_DAY, conversation_id=conversation_id)
        return work(lambda request, check: self._asked(request, check, about))

    def ask(self, request: Request, check: Callable[[str], None]) -> Reply:
        """Return a reply to one question: a stored one, or one paid for now. Raises Stopped."""
        return self._asked(request, check, About(day=NO_DAY, conversation_id=""))

    def calls(self, task: Task) -> int:
        """How many calls were made for a task."""
        return self._engine.asked[NO_DAY, task]

    def _recalled(self, request: Request, check: Callable[[str], None]) -> Reply:
        reply = self._book.recall(request.hash)
        if reply is None:
            raise NotAnswered
        return self._engine.read(request, reply, About(day=NO_DAY, conversation_id=""))

    def _asked(self, request: Request, check: Callable[[str], None], about: About) -> Reply:
        self._book.preload([request.hash], [])
        return self._engine.ask(request, check, about)


@contextmanager
def inquiry(assistant: Assistant, task: Task) -> Iterator[Inquiry]:
    """For the questions of one task."""
    model = assistant.model(task)
    own = tariff(assistant, task, model).at_once()
    merge(assistant.store)
    book_of_run = AnswerBook(assistant.store, f"{assistant.run_id}-{task}")
    with closing(book_of_run) as book, spending(assistant, own) as limits:
        money, brake = reserve(limits, lambda _: own), Brake(1, {str(model): assistant.watch(model)})
        engine = Engine(assistant.provider_of(model), book, limiter(assistant, model), own.price, money, brake)
        try:
            yield Inquiry(engine, book, brake)
        except ProviderStopped as stopped:
            raise advised(stopped, assistant.settings) from None
