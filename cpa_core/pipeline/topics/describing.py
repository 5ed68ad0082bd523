"""Naming topics by the model: off until asked for, priced first, and kept where names tell neighbours apart."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from cpa_core.errors import NotFound, SettingsError
from cpa_core.llm import ModelName, Request
from cpa_core.models import Value, digest
from cpa_core.pipeline.assistant import Advance, Assistant
from cpa_core.pipeline.budget import tariff
from cpa_core.pipeline.label.one_off import Inquiry, inquiry
from cpa_core.pipeline.topics.embedding import kept_vectors
from cpa_core.pipeline.topics.placing import first_space
from cpa_core.pipeline.topics.promoting import CHARACTERS
from cpa_core.pipeline.topics.texts import items_of, sent_texts
from cpa_core.proposing.naming import (
    NamingEvidence,
    TopicName,
    name_topic,
    naming_question,
    telling_question,
    told_apart,
)
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction, as_json
from cpa_core.topics import CORPORA, Corpus, Item
from cpa_core.topics.vectors import Space, module

CENTRAL, BORDER = 6, 3
"""Texts that a name is made from."""
CHECKED = 3
"""Central texts, and as many border texts, of each of two topics that their names are checked with."""
LEAST_RIGHT = 0.75
"""The share of these texts that the model must give to their own topic."""
LEAST_TEXTS = 8
"""Different texts that a topic needs for a name."""
LONGEST_NAME = TopicName(name=" ".join(["word"] * 5), description=" ".join(["word"] * 25))
"""Stands for names that are not made yet, for their price."""


class NamedTopic(Value):
    """A topic that the model was asked to name. `name` is null without a usable answer; it is kept if `is_kept`.

    `right` of `checked` texts were given to their own topic, beside the nearest one, `neighbour`; null without a check.
    """

    corpus: Corpus
    topic_id: str
    words: str
    name: str | None
    description: str | None
    neighbour: str | None
    right: int | None
    checked: int
    is_kept: bool


class NamingQuote(Value):
    """The price of naming: `topics` without a name, `questions` at most that have no answer in the ledger.

    `cost` is in US dollars at list price, null if unknown. A repair of an answer is not included.
    """

    model: str
    topics: int
    questions: int
    cost: float | None


@dataclass(frozen=True)
class _Topic:
    """A topic with its name, its texts as a model may see them, and the topic that lies nearest.

    `checks` are texts that no name is made from.
    """

    corpus: Corpus
    topic_id: str
    name: TopicName
    is_unnamed: bool
    central: tuple[str, ...]
    border: tuple[str, ...]
    checks: tuple[str, ...]
    neighbour: str | None = None


def quote_names(assistant: Assistant) -> NamingQuote:
    """The price of `name_topics`; nothing is asked. Raises NotFound, SettingsError."""
    model, topics = _model(assistant), _topics(assistant)
    unnamed = [one for one in topics.values() if one.is_unnamed]
    requests = {one.hash: one for topic in unnamed for one in _questions(topics, topic, model)}
    with assistant.store.reading() as view:
        rows = view.answer("label/answers_to_reuse", hashes=as_json(requests), conversations="[]")
    kept = {row["request_hash"] for row in rows}
    asked = [request for key, request in requests.items() if key not in kept]
    cost = tariff(assistant, "describe", model).at_once().cost(asked) if asked else 0.0
    return NamingQuote(model=str(model), topics=len(unnamed), questions=len(asked), cost=cost)


def _questions(topics: Mapping[str, _Topic], topic: _Topic, model: ModelName) -> Iterator[Request]:
    yield naming_question(_evidence(topics, topic), model)
    if topic.neighbour is not None:
        texts = _texts(topic, topics[topic.neighbour])
        yield telling_question([LONGEST_NAME] * 2, [text for text, _ in texts], model)


def name_topics(assistant: Assistant) -> tuple[NamedTopic, ...]:
    """Ask the model for a name and a sentence for each topic without a name, and keep those that tell it apart.

    A second question shows two names with their sentences, and texts of both topics that no name was made from. A name
    is kept if the model gives three of four texts to their own topic. Names of people stay. Raises NotFound,
    SettingsError, Stopped; answers that were paid for are in the ledger then.
    """
    model, topics = _model(assistant), _topics(assistant)
    unnamed = [one for one in topics.values() if one.is_unnamed]
    if not unnamed:
        return ()
    with ExitStack() as stack:
        made = stack.enter_context(inquiry(assistant, "describe"))
        advance = stack.enter_context(assistant.progress("describe", 2 * len(unnamed)))
        drafts = _drafts(made, model, topics, advance)
        named = tuple(_checked(made, model, topics, one, drafts, advance) for one in unnamed)
    _keep(assistant.store, model, named)
    return named


def _keep(store: Store, model: ModelName, named: Sequence[NamedTopic]) -> None:
    with store.writing() as tables:
        for one in named:
            told = one.right / one.checked if one.right is not None else None
            fields = {"name": one.name, "description": one.description, "model": str(model), "told": told}
            if one.is_kept:
                tables.answer("topics/describe", topic=one.topic_id, corpus=one.corpus, **fields)


def _drafts(
    made: Inquiry, model: ModelName, topics: Mapping[str, _Topic], advance: Advance
) -> dict[str, TopicName | None]:
    """A name for each topic without one, the largest first; null without a usable answer. No two have one name."""
    drafts: dict[str, TopicName | None] = {}
    taken = [one.name.name for one in topics.values()]
    for one in topics.values():
        if one.is_unnamed:
            ask = partial(name_topic, _evidence(topics, one), tuple(taken), model)
            found = drafts[one.topic_id] = made.settled(ask, lambda ended: ended is not None)
            taken += [found.name] if found else []
            advance()
    return drafts


def _checked(
    made: Inquiry,
    model: ModelName,
    topics: Mapping[str, _Topic],
    one: _Topic,
    drafts: Mapping[str, TopicName | None],
    advance: Advance,
) -> NamedTopic:
    """The topic with its draft, and whether the draft tells it from the topic that lies nearest."""
    draft = drafts[one.topic_id]
    right, checked = None, 0
    if draft is not None and one.neighbour is not None:
        pair = sorted((one, topics[one.neighbour]), key=lambda topic: topic.topic_id)
        texts = _texts(*pair)
        names = [drafts.get(topic.topic_id) or topic.name for topic in pair]
        right = made.settled(partial(told_apart, names, texts, model), lambda ended: ended is not None)
        checked = len(texts)
    advance()
    is_apart = one.neighbour is None or (right is not None and right >= LEAST_RIGHT * checked)
    return NamedTopic(
        corpus=one.corpus,
        topic_id=one.topic_id,
        words=one.name.name,
        name=draft.name if draft else None,
        description=draft.description if draft else None,
        neighbour=one.neighbour,
        right=right,
        checked=checked,
        is_kept=draft is not None and is_apart,
    )


def _texts(one: _Topic, other: _Topic) -> list[tuple[str, int]]:
    """The texts that two topics are checked with, each with the place of its topic, in an order of their hashes."""
    first, second = sorted((one, other), key=lambda topic: topic.topic_id)
    texts = [(text, nth) for nth, topic in enumerate((first, second)) for text in topic.checks]
    return sorted(texts, key=lambda text: digest(text[0]))


def _evidence(topics: Mapping[str, _Topic], one: _Topic) -> NamingEvidence:
    others = topics[one.neighbour].central if one.neighbour is not None else ()
    return NamingEvidence(about=CORPORA[one.corpus], central=one.central, border=one.border, others=others)


def _model(assistant: Assistant) -> ModelName:
    model = assistant.model("describe")
    if model.provider == "reference":
        raise SettingsError(
            "no model is set that could name topics: CPA_MODEL or --model, or name one yourself: cpa topics rename"
        )
    return model


def _topics(assistant: Assistant) -> dict[str, _Topic]:
    """Every topic with enough texts of the corpora that have one without a name, by size. Raises NotFound."""
    if not assistant.store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    found: dict[str, _Topic] = {}
    with assistant.store.reading() as view:
        rows = view.answer("topics/names")
        by_corpus: dict[Corpus, list[Row]] = {corpus: [] for corpus in CORPORA}
        for row in rows:
            by_corpus[row["corpus"]].append(row)
        read = [
            _Read(corpus, own, *_ordered(assistant, view, corpus))
            for corpus, own in by_corpus.items()
            if _lacks_name(own)
        ]
    for one in read:
        made = [
            _topic(assistant, one, row) for row in one.rows if len(one.texts.get(row["topic_id"], ())) >= LEAST_TEXTS
        ]
        found |= {topic.topic_id: topic for topic in _beside(made, one)}
    return found


def _lacks_name(rows: Sequence[Row]) -> bool:
    return any(row["is_unnamed"] for row in rows)


@dataclass(frozen=True)
class _Read:
    """A corpus as it is stored: its topics, its first space, and the texts of each topic from its centre outwards."""

    corpus: Corpus
    rows: Sequence[Row]
    space: Space
    texts: Mapping[str, Sequence[Item]]


def _ordered(assistant: Assistant, view: Transaction, corpus: Corpus) -> tuple[Space, dict[str, list[Item]]]:
    """A corpus's first space, and the different texts of each topic by their distance from its centre."""
    texts = {one.item_id: one for one in items_of(view, corpus)}
    found: dict[str, dict[str, Item]] = {}
    for row in view.answer("topics/by_distance", corpus=corpus):
        if row["item_id"] in texts:
            one = texts[row["item_id"]]
            found.setdefault(row["topic_id"], {}).setdefault(one.text, one)
    space = first_space(view, corpus, kept_vectors(assistant, texts.values()))
    return space, {topic: list(items.values()) for topic, items in found.items()}


def _topic(assistant: Assistant, read: _Read, row: Row) -> _Topic:
    """Texts nearest to the centre and farthest from it: every second one is for the name, the others for the check."""
    items = read.texts[row["topic_id"]]
    near, far = items[: len(items) // 2], items[len(items) // 2 :][::-1]
    parts = (near[::2][:CENTRAL], far[::2][:BORDER], [*near[1::2][:CHECKED], *far[1::2][:CHECKED]])
    said = sent_texts(assistant, [one for part in parts for one in part], CHARACTERS)
    ends = (len(parts[0]), len(parts[0]) + len(parts[1]))
    return _Topic(
        corpus=read.corpus,
        topic_id=row["topic_id"],
        name=TopicName(name=row["topic_name"], description=row["description"] or ""),
        is_unnamed=row["is_unnamed"],
        central=tuple(said[: ends[0]]),
        border=tuple(said[ends[0] : ends[1]]),
        checks=tuple(said[ends[1] :]),
    )


def _beside(topics: Sequence[_Topic], read: _Read) -> Iterator[_Topic]:
    """The topics, each with the one whose central texts lie nearest in the corpus's first space."""
    if len(topics) < 2:
        yield from topics
        return
    np = module("numpy")
    texts = [[one.text for one in read.texts[topic.topic_id][: 2 * CENTRAL : 2]] for topic in topics]
    means = np.array([read.space.vectors(own).mean(axis=0) for own in texts])
    near = means @ means.T
    np.fill_diagonal(near, -np.inf)
    for topic, nearest in zip(topics, near.argmax(axis=1), strict=True):
        yield replace(topic, neighbour=topics[int(nearest)].topic_id)
