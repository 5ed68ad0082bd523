"""Topics in figures: their size and growth in a selection, and how their conversations end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cpa_core.insights.issues import Issue
from cpa_core.insights.selection import Selection
from cpa_core.insights.statistics import Mean, Rate, UnitSums, bounded_mean, share
from cpa_core.insights.volume import MOST_SCORE


@dataclass(frozen=True)
class TopicFigures:
    """One topic of a corpus, or one group of `topics` topics.

    `topic_id` and `name` are null for the texts that no topic is near to.

    `share` is of the corpus's texts in the selection. `last_week` and `week_before` count texts back from its last day.
    `good` and `score` are of its scored conversations, `with_issue` of all of them: those with an event type that is
    an established issue, or with an established dealbreaker. `delivered` is of those with an intent: it was delivered,
    and the user confirmed it. `found_day` is null for a topic of the first clustering.
    """

    corpus: str
    topic_id: str | None
    name: str | None
    description: str | None
    event_key: str | None
    found_day: date | None
    group_id: str | None
    topics: int
    is_new: bool
    items: int
    conversations: int
    share: float
    last_week: int
    week_before: int
    score: Mean
    good: Rate
    with_issue: Rate
    delivered: Rate


def topic_figures(of: Selection, issues: Sequence[Issue], *, by_group: bool = False) -> tuple[TopicFigures, ...]:
    """Every topic that the selection has texts of, by corpus and size; none where no topics were found.

    With `by_group`, every group of topics; a topic without a group is one of its own.
    """
    kinds = [of.numbers[kind] for one in issues if one.cause == "event" for kind in one.kinds if kind in of.numbers]
    hit = any(one.cause == "dealbreaker" for one in issues)
    rows = of.answer("topics", kinds=kinds, dealbreakers=hit, last=of.scope.last, by_group=by_group)
    return tuple(
        TopicFigures(
            **{name: row[name] for name in KEPT},
            name=row["topic_name"],
            score=bounded_mean(UnitSums(**row["of_score"]), MOST_SCORE),
            good=share(UnitSums(**row["of_good"])),
            with_issue=share(UnitSums(**row["of_issue"])),
            delivered=share(UnitSums(**row["of_delivered"])),
        )
        for row in rows
    )


KEPT = (
    *(
        "corpus",
        "topic_id",
        "description",
        "event_key",
        "found_day",
        "group_id",
        "topics",
        "is_new",
        "items",
        "conversations",
        "share",
    ),
    *("last_week", "week_before"),
)
"""The fields of an answer's row that keep their names."""
