"""The work of the commands on topics (`cpa topics …`)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cpa_core import schema
from cpa_core.cli.display import bar, dollars, existing, quote_lines
from cpa_core.cli.facts import Done
from cpa_core.cli.schemas import diff_lines
from cpa_core.cli.screen import say, show_table
from cpa_core.cli.topic_facts import NamesFacts, PromotionFacts, TopicRenamedFacts, TopicsFacts
from cpa_core.pipeline import Assistant, schema_path, weights
from cpa_core.pipeline.topics.describing import NamedTopic, name_topics, quote_names
from cpa_core.pipeline.topics.listing import TopicGroupRow, TopicRow
from cpa_core.pipeline.topics.placing import TopicsFound, find_topics, listed_topics, rename_topic
from cpa_core.pipeline.topics.promoting import WantedType, promote_topic
from cpa_core.settings import Settings
from cpa_core.topics import CORPORA, Corpus

TITLES = ("topic", "texts", "share", "last week", "before", "score", "id")
SHOWN = 20
"""Topics of a corpus that are shown; --json has all of them."""


def find(given: Settings) -> Done:
    """Bring the topics up to the days, and show them."""
    existing(given)
    found = find_topics(Assistant.of(given))
    for one in found.corpora:
        if one.corpus == "intents" and not one.texts:
            say("intents: 0 texts; with `intents: true` in the schema, the judge's answers hold them")
        elif one.needed:
            say(f"{one.corpus}: {one.texts} texts; topics are looked for from {one.texts + one.needed} on")
        else:
            say(f"{one.corpus}: {one.texts} texts, {one.placed} placed now, {one.found} topics found now")
        if one.kept is not None:
            say(
                f"{one.corpus}: the vectors are of another kind now: {one.kept} topics are known ones and keep their id"
            )
        if one.unplaced:
            say(f"{one.corpus}: {one.unplaced} texts have no vector from the model; the next search asks again")
    _show(found)
    return Done(0, TopicsFacts(corpora=found.corpora, topics=found.topics, groups=found.groups))


def listed(given: Settings) -> Done:
    """Show the topics as they are."""
    existing(given)
    found = listed_topics(Assistant.of(given))
    _show(found)
    if not found.topics:
        say("no topics yet: cpa topics find")
    return Done(0, TopicsFacts(corpora=(), topics=found.topics, groups=found.groups))


def describe(given: Settings, *, is_agreed: bool) -> Done:
    """Print the price of names by the model, and ask for them if a person agreed to it."""
    existing(given)
    assistant = Assistant.of(given, bar)
    quote = quote_names(assistant)
    price = "an unknown sum" if quote.cost is None else f"at most about {dollars(quote.cost)}"
    say(f"{quote.topics} topics without a name: at most {quote.questions} questions to {quote.model}, {price}")
    named = name_topics(assistant) if is_agreed else ()
    for one in named:
        say(f"{one.topic_id}: {one.name}: {one.description}" if one.is_kept else _not_named(one))
    if quote.topics and not is_agreed:
        say("nothing was asked: cpa topics describe --yes")
    return Done(0, NamesFacts(quote=quote, named=named))


def _not_named(one: NamedTopic) -> str:
    if one.right is None:
        return f"{one.topic_id}: {one.words} stays: no usable answer"
    told = f"{one.right} of {one.checked} texts were given to their own topic"
    return f"{one.topic_id}: {one.words} stays: {one.name!r} does not tell it from {one.neighbour} ({told})"


def rename(given: Settings, topic: str, name: str, description: str | None = None) -> Done:
    """Give a topic another name."""
    existing(given)
    earlier = rename_topic(Assistant.of(given), topic, name, description)
    say(f"{topic}: {name}, before: {earlier}")
    return Done(0, TopicRenamedFacts(topic_id=topic, name=name, earlier=earlier))


def promote(given: Settings, wanted: WantedType) -> Done:
    """Propose an event type for a topic, and show its diff, its price and what comes next."""
    existing(given)
    assistant = Assistant.of(given, bar)
    found = promote_topic(assistant, wanted)
    place, one = schema_path(assistant), found.event_type
    say(f"{one.name} ({one.role}): {one.definition}")
    say(f"drafted by {found.drafted_by}: {found.because}" if found.drafted_by else "defined by you")
    diff = schema.compare(schema.load(place)[0], schema.load(Path(found.path))[0])
    say(f"{found.path}, beside {place}:", *diff_lines(diff, weights(assistant, diff)))
    say(*(quote_lines(found.quote) if found.quote else ["what old days would cost is not known: name a model"]))
    say(f"to read first: {len(found.border)} conversations at its border, in the queue topic {found.topic_id}")
    say("next:", f"  edit {found.path}", f"  cpa schema accept {found.path} --as {place} --yes", "  cpa run --retag")
    return Done(0, PromotionFacts(promotion=found))


def _show(found: TopicsFound) -> None:
    for corpus, about in CORPORA.items():
        groups = [one for one in found.groups if one.corpus == corpus]
        _show_corpus(corpus, about, [one for one in found.topics if one.corpus == corpus], groups)


def _show_corpus(corpus: Corpus, about: str, topics: Sequence[TopicRow], groups: Sequence[TopicGroupRow]) -> None:
    if not topics:
        return
    named = [one for one in topics if one.topic_id is not None]
    say("", f"{corpus}: {about}")
    shown = [*named[:SHOWN], *topics[len(named) :]]
    show_table(TITLES, list(_under_groups(shown, groups)) if groups else [_cells(one) for one in shown], left={0, 6})
    if len(named) > SHOWN:
        say(f"and {len(named) - SHOWN} more; --json has all of them")


def _under_groups(topics: Sequence[TopicRow], groups: Sequence[TopicGroupRow]) -> Iterator[tuple[str, ...]]:
    """A row for each group, followed by its topics, and topics without a group last."""
    for group in groups:
        yield (f"{group.name} ({group.topics} topics)", *_figures(group), group.group_id)
        yield from (_indented(_cells(one)) for one in topics if one.group_id == group.group_id)
    known = {group.group_id for group in groups}
    yield from (_cells(one) for one in topics if one.group_id not in known)


def _indented(cells: tuple[str, ...]) -> tuple[str, ...]:
    return (f"  {cells[0]}", *cells[1:])


def _cells(one: TopicRow) -> tuple[str, ...]:
    name = one.name if one.topic_id is not None else "no topic"
    promoted = f" → {one.event_key.partition('|')[0]}" if one.event_key else ""
    return (
        f"{name} (new){promoted}" if one.is_new else f"{name}{promoted}",
        *_figures(one),
        one.topic_id or "",
    )


def _figures(one: TopicRow | TopicGroupRow) -> tuple[str, ...]:
    return (
        f"{one.items:,}",
        f"{one.share:.1%}",
        f"{one.last_week:,}",
        f"{one.week_before:,}",
        "–" if one.mean_score is None else f"{one.mean_score:.0f}",
    )
