"""The work of the commands on topics (`cpa topics …`)."""

from collections.abc import Sequence

from cpa_core.cli.display import existing
from cpa_core.cli.facts import Done, TopicRenamedFacts, TopicsFacts
from cpa_core.cli.screen import say, show_table
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.topics.placing import TopicRow, find_topics, rename_topic, topics_now
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
        if one.needed:
            say(f"{one.corpus}: {one.texts} texts; topics are looked for from {one.texts + one.needed} on")
        else:
            say(f"{one.corpus}: {one.texts} texts, {one.placed} placed now, {one.found} topics found now")
    _show(found.topics)
    return Done(0, TopicsFacts(corpora=found.corpora, topics=found.topics))


def listed(given: Settings) -> Done:
    """Show the topics as they are."""
    existing(given)
    topics = topics_now(Assistant.of(given))
    _show(topics)
    if not topics:
        say("no topics yet: cpa topics find")
    return Done(0, TopicsFacts(corpora=(), topics=topics))


def rename(given: Settings, topic: str, name: str) -> Done:
    """Give a topic another name."""
    existing(given)
    earlier = rename_topic(Assistant.of(given), topic, name)
    say(f"{topic}: {name}, before: {earlier}")
    return Done(0, TopicRenamedFacts(topic_id=topic, name=name, earlier=earlier))


def _show(topics: Sequence[TopicRow]) -> None:
    for corpus, about in CORPORA.items():
        _show_corpus(corpus, about, [one for one in topics if one.corpus == corpus])


def _show_corpus(corpus: Corpus, about: str, topics: Sequence[TopicRow]) -> None:
    if not topics:
        return
    named = [one for one in topics if one.topic_id is not None]
    say("", f"{corpus}: {about}")
    show_table(TITLES, [_cells(one) for one in [*named[:SHOWN], *topics[len(named) :]]], left={0, 6})
    if len(named) > SHOWN:
        say(f"and {len(named) - SHOWN} more; --json has all of them")


def _cells(one: TopicRow) -> tuple[str, ...]:
    name = one.name if one.topic_id is not None else "no topic"
    return (
        f"{name} (new)" if one.is_new else str(name),
        f"{one.items:,}",
        f"{one.share:.1%}",
        f"{one.last_week:,}",
        f"{one.week_before:,}",
        "–" if one.mean_score is None else f"{one.mean_score:.0f}",
        one.topic_id or "",
    )
