"""Vectors of texts by a model: asked in requests of many texts, kept in the ledger for each text, and priced before."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cpa_core.errors import ProviderStopped, ReplyInvalid, SettingsError, Stopped
from cpa_core.llm import About, Answer, Brake, Engine, ModelName, Reply, Request, Usage
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.budget import Tariff, limiter, reserve, spending, tariff
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.pipeline.label.one_off import NO_DAY
from cpa_core.pipeline.label.quote import QuoteLine
from cpa_core.pipeline.topics.texts import sent_texts
from cpa_core.providers import model_name
from cpa_core.providers.advice import advised
from cpa_core.store import AnswerBook
from cpa_core.store.answers import merge
from cpa_core.store.database import as_json
from cpa_core.topics import Item
from cpa_core.topics.vectors import Embedding, module

if TYPE_CHECKING:
    from cpa_core.topics.vectors import Vectors

TASK = "embed"
CHARACTERS = 4_000
"""Characters of a text that are sent. OpenAI's models take 8,192 tokens; a character is seldom more than two."""
AT_ONCE = 32
"""Texts of a request: text-embeddings-inference takes no more by default (`--max-client-batch-size`)."""
LOOKED_UP = 2_000
"""Texts whose vectors are read from the ledger together."""
SHAPE = {
    "type": "object",
    "properties": {"vectors": {"type": "array", "items": {"type": "string"}}},
    "required": ["vectors"],
    "additionalProperties": False,
}


class _Question(NamedTuple):
    """A text as it is sent. `key` is the hash under which its vector is kept; equal texts share one."""

    key: str
    sent: str
    conversation_id: str


def request_for(model: ModelName, texts: Sequence[str]) -> Request:
    """The request for the vectors of these texts."""
    words = json.dumps(list(texts), ensure_ascii=False)
    return Request(
        task=TASK, provider=model.provider, model=model.model, system="", user=words, json_schema=SHAPE, max_tokens=0
    )


class TextVectors:
    """Makes the vectors of items' texts by one model: from the ledger, and if `asking` is there, by the model.

    `without` are the texts that have no vector: they are asked about again the next time.
    """

    def __init__(
        self, assistant: Assistant, model: ModelName, items: Iterable[Item], asking: "_Asking | None" = None
    ) -> None:
        self.without: set[str] = set()
        self._assistant = assistant
        self._model = model
        self._items = {one.text: one for one in items}
        self._asking = asking

    @property
    def embedding(self) -> Embedding:
        """The model as the space of topics knows it."""
        return Embedding(str(self._model), self.vectors)

    def vectors(self, texts: Sequence[str]) -> "Vectors":
        """A row for each text as the model made it; zeros without one. Raises SettingsError, Stopped."""
        np = module("numpy")
        found: dict[str, Vectors] = {}
        for some in _parts(dict.fromkeys(texts), LOOKED_UP):
            found |= {text: np.frombuffer(base64.b64decode(vector), dtype="<f4") for text, vector in self._found(some)}
        sizes = {len(one) for one in found.values()}
        if len(sizes) > 1:
            lengths = " and ".join(map(str, sorted(sizes)))
            raise SettingsError(
                f"{self._model}: its vectors have {lengths} numbers, because the server's model has changed: "
                "give it another name in CPA_EMBEDDINGS"
            )
        rows: Vectors = np.zeros((len(texts), max(sizes, default=0)), dtype="float32")
        for nth, text in enumerate(texts):
            if text in found:
                rows[nth] = found[text]
        return rows

    def lacking(self) -> list[Request]:
        """The requests for the vectors that are not in the ledger. Nothing is asked."""
        found: dict[str, _Question] = {}
        for some in _parts(self._items, LOOKED_UP):
            questions = self._questions(some).values()
            kept = self._kept([one.key for one in questions])
            found |= {one.key: one for one in questions if one.key not in kept}
        return [request_for(self._model, [one.sent for one in some]) for some in _parts(found.values(), AT_ONCE)]

    def _found(self, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Each text that has a vector, and the vector in base64."""
        questions = self._questions(texts)
        kept = self._kept([one.key for one in questions.values()])
        if self._asking:
            lacking = {one.key: one for one in questions.values() if one.key not in kept}
            kept |= self._asking.vectors(list(lacking.values()))
        for text, one in questions.items():
            if one.key in kept:
                yield text, kept[one.key]
            else:
                self.without.add(text)

    def _questions(self, texts: Sequence[str]) -> dict[str, _Question]:
        """Each text with something to send, as the model may see it."""
        items = [self._items[text] for text in texts]
        sent = sent_texts(self._assistant, items, CHARACTERS)
        return {
            one.text: _Question(request_for(self._model, [words]).hash, words, one.conversation_id)
            for one, text in zip(items, sent, strict=True)
            if (words := text.strip())
        }

    def _kept(self, keys: Sequence[str]) -> dict[str, str]:
        with self._assistant.store.reading() as view:
            rows = view.answer("label/answers_to_reuse", hashes=as_json(keys), conversations="[]")
        return {row["request_hash"]: _vectors(row["answer"])[0] for row in rows if row["outcome"] == "ok"}


Made = TypeVar("Made")


def _parts(given: Iterable[Made], most: int) -> Iterator[list[Made]]:
    left = iter(given)
    while part := list(islice(left, most)):
        yield part


def _vectors(answer: str) -> list[str]:
    found: list[str] = json.loads(answer)["vectors"]
    return found


@dataclass
class _ByText:
    """The ledger of an engine that asks about many texts at once: it keeps an answer for each.

    Tokens and cost are shared out by the length of the texts, so that their sums are the vendor's. An answer about a
    person's text is about its conversation, and is forgotten with it.
    """

    book: AnswerBook
    parts: dict[str, Sequence[_Question]]

    def find(self, request_hash: str) -> Reply | None:
        """Nothing: the ledger is read by text before a request is made."""
        return None

    def keep(self, answer: Answer) -> None:
        """Store the answer to each text durably; one without vectors is stored whole, for the accounts."""
        questions = self.parts[answer.request_hash]
        if answer.reply.outcome != "ok":
            self.book.keep(answer)
            return
        ends = _shares([len(one.sent.encode()) for one in questions])
        for one, vector, (begin, end) in zip(questions, _vectors(answer.reply.text), ends, strict=True):
            reply = answer.reply.model_copy(
                update={
                    "text": json.dumps({"vectors": [vector]}),
                    "cost": _part(answer.reply.cost, begin, end),
                    "usage": _used(answer.reply.usage, begin, end),
                }
            )
            about = {"request_hash": one.key, "conversation_id": one.conversation_id, "reply": reply}
            self.book.keep(answer.model_copy(update=about | {"estimate": _part(answer.estimate, begin, end)}))


def _shares(sizes: Sequence[int]) -> Iterator[tuple[float, float]]:
    """Where the share of each begins and ends, of one."""
    whole, begin = sum(sizes), 0
    for size in sizes:
        yield begin / whole, (begin + size) / whole
        begin += size


def _part(cost: float | None, begin: float, end: float) -> float | None:
    return None if cost is None else cost * (end - begin)


def _used(usage: Usage, begin: float, end: float) -> Usage:
    read = usage.prompt_tokens
    own = None if read is None else round(read * end) - round(read * begin)
    return usage.model_copy(update={"prompt_tokens": own})


class _Asking:
    """Asks the model for vectors, many at once."""

    def __init__(self, model: ModelName, engine: Callable[[_ByText], Engine], book: AnswerBook, threads: int) -> None:
        self._model = model
        self._texts = _ByText(book, {})
        self._engine = engine(self._texts)
        self._threads = threads

    def vectors(self, questions: Sequence[_Question]) -> dict[str, str]:
        """The vector of each question by its key; none of a text that the model does not take. Raises Stopped.

        A vector that was made earlier in the run is not in the database yet, and is not asked for again.
        """
        replies = {one.key: self._texts.book.find(one.key) for one in questions}
        found = {key: _vectors(reply.text)[0] for key, reply in replies.items() if reply and reply.outcome == "ok"}
        lacking = [one for one in questions if one.key not in found]
        for _, made in in_order_of_end(self._asked, _parts(lacking, AT_ONCE), self._threads):
            if isinstance(made, Stopped):
                raise made
            found |= made
        return found

    def _asked(self, questions: Sequence[_Question]) -> dict[str, str]:
        """Ask about these texts. If the model does not take them together, it is asked about each half."""
        request = request_for(self._model, [one.sent for one in questions])
        self._texts.parts[request.hash] = questions
        reply = self._engine.ask(
            request, lambda text: _check(text, len(questions)), About(day=NO_DAY, conversation_id="")
        )
        if reply.outcome == "ok":
            return dict(zip((one.key for one in questions), _vectors(reply.text), strict=True))
        half = len(questions) // 2
        return self._asked(questions[:half]) | self._asked(questions[half:]) if half else {}


def _check(text: str, texts: int) -> None:
    if len(_vectors(text)) != texts:
        raise ReplyInvalid("answer: not one vector for each text")


Embedder = Callable[[Iterable[Item]], TextVectors]
"""Makes the vectors of a corpus's texts."""


def wanted_model(assistant: Assistant) -> ModelName | None:
    """The model of CPA_EMBEDDINGS; null if it is not set. Raises SettingsError."""
    written = assistant.settings.embeddings
    return model_name(written) if written else None


@contextmanager
def embedder(assistant: Assistant) -> Iterator[Embedder | None]:
    """The embedder of the settings' model; null without one. Raises SettingsError without a key or a price."""
    model = wanted_model(assistant)
    if model is None:
        yield None
        return
    provider, own = assistant.embedder_of(model), _tariff(assistant, model)
    merge(assistant.store)
    threads = assistant.settings.concurrency
    with closing(AnswerBook(assistant.store, f"{assistant.run_id}-{TASK}")) as book, spending(assistant, own) as limits:
        money, brake = reserve(limits, lambda _: own), Brake(1, {str(model): assistant.watch(model)})
        asking = _Asking(
            model,
            lambda texts: Engine(provider, texts, limiter(assistant, model), own.price, money, brake),
            book,
            threads,
        )
        try:
            yield lambda items: TextVectors(assistant, model, items, asking)
        except ProviderStopped as stopped:
            raise advised(stopped, assistant.settings) from None


def kept_vectors(assistant: Assistant, items: Iterable[Item]) -> Callable[[str], Embedding]:
    """The vectors of these texts by a model of this name, as far as the ledger has them. Nothing is asked."""
    own = tuple(items)
    return lambda model: TextVectors(assistant, model_name(model), own).embedding


def quote_line_of(assistant: Assistant, items: Sequence[Item]) -> QuoteLine | None:
    """The price of the vectors that these texts lack; null without CPA_EMBEDDINGS. Nothing is asked."""
    model = wanted_model(assistant)
    if model is None:
        return None
    asked = TextVectors(assistant, model, items).lacking()
    own = _tariff(assistant, model)
    lacking = sum(len(json.loads(one.user)) for one in asked)
    return QuoteLine(
        task=TASK,
        model=str(model),
        questions=lacking,
        answered=len({one.text for one in items}) - lacking,
        prompt_tokens=own.usage(asked).prompt_tokens or 0,
        completion_tokens=0,
        cost=own.cost(asked),
    )


def _tariff(assistant: Assistant, model: ModelName) -> Tariff:
    """The tariff of vectors: they are no tokens, and are asked for at once."""
    return replace(tariff(assistant, TASK, model), lane="standard", usual=0.0, room=lambda: 0)
