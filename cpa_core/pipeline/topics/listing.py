"""Topics and their groups as they were found last, with their figures: for the command and Dagster."""

from datetime import date

from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store.database import Row, Transaction
from cpa_core.topics import Corpus

NEAREST = 3
"""Conversations that are named behind a topic."""


class TopicRow(Value):
    """One topic of a corpus; `topic_id` and `name` are null for the texts that no topic is near to.

    `share` is of the corpus's texts. `last_week` and `week_before` count texts by day, from the corpus's last day back.
    `mean_score` is from 0 to 100, null where nothing is judged. `event_key` is the event type that it was
    promoted to. `conversations_behind` are nearest to its centre. `named_by` is a model or `person`, null while its
    name is made of words of its texts. `told_apart` is the share of texts that the model gave to the right one of it
    and the nearest topic, by their names. `group_id` is the group of topics that it belongs to.
    """

    corpus: Corpus
    topic_id: str | None
    name: str | None
    found_day: date | None
    is_new: bool
    items: int
    conversations: int
    share: float
    last_week: int
    week_before: int
    mean_score: float | None
    last_day: date
    event_key: str | None = None
    description: str | None = None
    named_by: str | None = None
    told_apart: float | None = None
    group_id: str | None = None
    conversations_behind: tuple[str, ...] = ()

    def is_recent(self, days: int) -> bool:
        """Return whether it was new within this many days before the corpus's last one."""
        return self.is_new and self.found_day is not None and (self.last_day - self.found_day).days < days


class TopicGroupRow(Value):
    """A group of topics of a corpus by size, with figures as those of a topic. `topics` counts those with a text.

    `is_named` if a person named it; else its name is made of words of its texts.
    """

    corpus: Corpus
    group_id: str
    name: str
    is_named: bool
    topics: int
    items: int
    conversations: int
    share: float
    last_week: int
    week_before: int
    mean_score: float | None
    last_day: date


def topics_now(assistant: Assistant) -> tuple[TopicRow, ...]:
    """Every topic as it was found last, by corpus and size, and a row for the texts without one."""
    with assistant.store.reading() as view:
        rows = view.answer("topics/sizes", by_group=False, corpus=None)
        nearest = view.answer("topics/nearest", most=NEAREST)
    behind: dict[tuple[str, str], list[str]] = {}
    for row in nearest:
        behind.setdefault((row["corpus"], row["topic_id"]), []).append(row["conversation_id"])
    return tuple(
        TopicRow(
            **own_fields(TopicRow, row), conversations_behind=tuple(behind.get((row["corpus"], row["topic_id"]), ()))
        )
        for row in rows
    )


def groups_now(view: Transaction) -> tuple[TopicGroupRow, ...]:
    """Every group that has a text, by corpus and size; none of a corpus with as many groups as topics, or one group."""
    rows = [
        TopicGroupRow(**own_fields(TopicGroupRow, row))
        for row in view.answer("topics/sizes", by_group=True, corpus=None)
    ]
    by_corpus = {corpus: [one for one in rows if one.corpus == corpus] for corpus in {one.corpus for one in rows}}
    telling = {name for name, own in by_corpus.items() if 1 < len(own) < sum(one.topics for one in own)}
    return tuple(one for one in rows if one.corpus in telling)


def own_fields(kind: type[Value], row: Row) -> Row:
    """The columns of a row that a value has fields for."""
    return {name: row[name] for name in kind.model_fields if name in row}
