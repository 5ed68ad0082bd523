"""Topics by size, trend and ends: users' requests, messages that no event covers, and reasons of missed criteria."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from cpa_core.insights.topic_figures import TopicFigures
from cpa_core.report import words
from cpa_core.report.cells import number_cell, share_cell
from cpa_core.report.document import Cell, Column, Section, Table
from cpa_core.report.sections.asked import Asked
from cpa_core.topics import CORPORA

MOST_TOPICS = 20
"""Topics of a corpus that are shown, the largest ones."""
NEW_FOR = timedelta(days=7)
"""Time for which a topic is called new, back from the report's last day."""


def topics(asked: Asked) -> Section:
    """The section."""
    new = [one for one in asked.topics if is_new(asked, one)]
    return Section(
        name="topics",
        short="Topics",
        title="What they are about",
        lead="Groups of alike texts, with ids that stay. Size and growth count texts; ends count conversations.",
        tables=[table for corpus, about in CORPORA.items() for table in _tables(asked, corpus, about)],
        notes=[f"{words.count(len(new))} new in the last seven days."] if new else [],
        is_tables_first=True,
    )


def is_new(asked: Asked, one: TopicFigures) -> bool:
    """Whether a topic became new within the last seven days of the report."""
    found = one.found_day
    return one.is_new and found is not None and asked.scope.last - NEW_FOR < found <= asked.scope.last


def _tables(asked: Asked, corpus: str, about: str) -> Iterator[Table]:
    """The groups of a corpus's topics, if they are fewer than the topics, and the topics."""
    topics, groups = ([one for one in all_ if one.corpus == corpus] for all_ in (asked.topics, asked.topic_groups))
    above = [one for one in groups if one.topic_id]
    if 1 < len(above) < len([one for one in topics if one.topic_id]):
        yield _table(asked, corpus, f"groups of topics: {about}", groups, part="groups")
    if topics:
        yield _table(asked, corpus, about, topics)


def _table(asked: Asked, corpus: str, about: str, found: Sequence[TopicFigures], part: str = "table") -> Table:
    columns = [
        Column("group" if part == "groups" else "topic"),
        Column("texts", "number"),
        Column("last 7 days", "number"),
        Column("score", "number"),
        Column("good", "number"),
        Column("with an issue", "number"),
        *([Column("delivered", "number")] if _has_intents(found) else []),
    ]
    shown = [*[one for one in found if one.topic_id][:MOST_TOPICS], *[one for one in found if not one.topic_id]]
    more = len(found) - len(shown)
    caption = f"{corpus}: {about}" + (f"; {words.count(more)} smaller ones are left out" if more else "")
    rows = [
        _row(asked, one, is_group=part == "groups") + ([share_cell(one.delivered)] if _has_intents(found) else [])
        for one in shown
    ]
    return Table(f"topics-{corpus}-{part}", caption, columns, rows, filters=len(shown) > 8)


def _has_intents(found: Sequence[TopicFigures]) -> bool:
    return any(one.delivered.of for one in found)


def _row(asked: Asked, one: TopicFigures, *, is_group: bool) -> list[Cell]:
    drill = asked.behind.has(topic_key(one, "topic-group" if is_group else "topic"))
    return [
        Cell(topic_name(one), of=_about(asked, one, is_group=is_group), note="new" if is_new(asked, one) else ""),
        Cell(words.count(one.items), of=words.percent(one.share), sort=one.items, drill=drill),
        Cell(words.count(one.last_week), of=f"{words.count(one.week_before)} before", sort=one.last_week),
        Cell(words.points(one.score.mean), of=words.mean_of(one.score, "scored"), sort=one.score.mean),
        share_cell(one.good),
        share_cell(one.with_issue, is_bad=True) if one.topic_id else number_cell(one.with_issue.count),
    ]


def _about(asked: Asked, one: TopicFigures, *, is_group: bool) -> str:
    """The small words below a name: how many topics a group has; of a topic its sentence, group and event type."""
    if is_group:
        return f"{words.count(one.topics)} topics" if one.topics > 1 else ""
    above = [group for group in asked.topic_groups if (group.corpus, group.topic_id) == (one.corpus, one.group_id)]
    inside = f"in {topic_name(above[0])}" if above and above[0].topics > 1 else ""
    promoted = f"event type {one.event_key.partition('|')[0]}" if one.event_key else ""
    return "; ".join(filter(None, (one.description, inside, promoted)))


def topic_name(one: TopicFigures) -> str:
    """Return the title of a topic: its name, its id if no text may be shown, or a text for none."""
    return one.name or one.topic_id or "no topic"


def topic_key(one: TopicFigures, kind: str = "topic") -> str:
    """The key of the conversations behind a topic or a group."""
    return f"{kind}:{one.corpus}:{one.topic_id or ''}"


def topic_title(asked: Asked, rest: str) -> tuple[str, Sequence[int]]:
    """The title of a topic's drill-down."""
    corpus, _, topic_id = rest.partition(":")
    both = (*asked.topic_groups, *asked.topics)
    found = next(one for one in both if (one.corpus, one.topic_id or "") == (corpus, topic_id))
    return f"{corpus}: {topic_name(found)}", ()
