"""The asset `topics`: what users come for, what no event covers, why criteria are missed. It is updated each day."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg

from cpa_core.pipeline import Assistant
from cpa_core.pipeline.handles import handles
from cpa_core.pipeline.topics.listing import TopicGroupRow, TopicRow, topics_now
from cpa_core.pipeline.topics.placing import find_topics
from cpa_core.topics import CORPORA
from cpa_dagster.conditions import ANY_DAY
from cpa_dagster.days import Step
from cpa_dagster.factory import Form, asset_of, of_metadata
from cpa_dagster.pictures import bars, table
from cpa_dagster.resources import Pipeline

ABOUT = (
    "Topics with ids that never change: what users come for, messages without an event, reasons of missed criteria. "
    "New texts are placed each day; once a week new topics are looked for. It asks no model, and needs the extra "
    "`topics`."
)
NO_NEW_TOPIC = "No topic is new in the last seven days of its corpus."
NEW_FOR = 7
"""Days for which a topic is called new."""


def found(step: Step) -> dict[str, Any]:
    """Update the topics with the new days, and show them by size and trend."""
    if not step.assistant.store.exists():
        return {"topics": 0}
    done = find_topics(step.assistant)
    has_text = step.assistant.settings.privacy != "no_text"
    shown: dict[str, Any] = {"topics": sum(one.topic_id is not None for one in done.topics)}
    for one in done.corpora:
        topics = [topic for topic in done.topics if topic.corpus == one.corpus]
        shown |= {f"{one.corpus}: texts": one.texts, f"{one.corpus}: placed now": one.placed}
        groups = [group for group in done.groups if group.corpus == one.corpus]
        shown |= table(f"{one.corpus}: groups of topics", [as_group_row(step.assistant, group) for group in groups])
        shown |= table(f"{one.corpus}: topics", [as_row(step.assistant, topic) for topic in topics])
        if topics:
            names = Counter(named(topic, has_text) for topic in topics)
            shown[f"{one.corpus}: sizes"] = bars({_label(topic, has_text, names): topic.items for topic in topics})
    return shown


def named(one: TopicRow, has_text: bool) -> str:
    """Return a topic's name, which is made of words of messages; its id if text is hidden.

    Texts without a topic have a row too.
    """
    return (one.name if has_text else one.topic_id) or "no topic"


def _label(one: TopicRow, has_text: bool, names: Counter[str]) -> str:
    """Return a topic's name, with its id where another has the same name."""
    name = named(one, has_text)
    return f"{name} {one.topic_id}" if names[name] > 1 else name


def as_row(assistant: Assistant, one: TopicRow) -> dict[str, Any]:
    """A topic as a row that people read."""
    return {
        "topic": named(one, assistant.settings.privacy != "no_text"),
        "about": one.description if assistant.settings.privacy != "no_text" else None,
        "texts": one.items,
        "share": f"{one.share:.1%}",
        "last week": one.last_week,
        "week before": one.week_before,
        "score": "–" if one.mean_score is None else f"{one.mean_score:.0f}",
        "new since": one.found_day if one.is_new else None,
        "id": one.topic_id,
        "conversations": ", ".join(handles(assistant, one.conversations_behind)),
    }


def as_group_row(assistant: Assistant, one: TopicGroupRow) -> dict[str, Any]:
    """A group of topics as a row that people read."""
    return {
        "group": one.name if assistant.settings.privacy != "no_text" else one.group_id,
        "topics": one.topics,
        "texts": one.items,
        "share": f"{one.share:.1%}",
        "last week": one.last_week,
        "week before": one.week_before,
        "score": "–" if one.mean_score is None else f"{one.mean_score:.0f}",
        "id": one.group_id,
    }


def no_new_topic(assistant: Assistant, days: Sequence[date]) -> dg.AssetCheckResult:
    """Whether a topic became new in the last days of its corpus."""
    topics = topics_now(assistant) if assistant.store.exists() else ()
    new = [one for one in topics if one.is_recent(NEW_FOR)]
    return dg.AssetCheckResult(
        passed=not new,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "corpora": len(CORPORA),
            **table("new topics", [as_row(assistant, one) for one in new]),
        },
    )


def topics_asset(pipeline: Pipeline) -> dg.AssetsDefinition:
    """The asset of one assistant, beside the report: the days' jobs do not wait for it."""
    form = Form(
        name="topics",
        about=(ABOUT,),
        compute=of_metadata(found),
        deps=[pipeline.key("tagged_events"), pipeline.key("judge_scores")],
        condition=ANY_DAY,
    )
    return asset_of(pipeline, form)
