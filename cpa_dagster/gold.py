"""The assets `gold_labels` and `label_quality`: people's labels, and how well the model's labels match them."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import dagster as dg

from cpa_core.gold.trust import LEAST_ALPHA, Trust
from cpa_core.insights import Estimate
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.gold.ledger import merge_gold
from cpa_core.pipeline.gold.quality import gold_counts, record_use, trust_of
from cpa_dagster.conditions import ANY_DAY
from cpa_dagster.days import Step
from cpa_dagster.factory import Form, asset_of, of_metadata
from cpa_dagster.pictures import table
from cpa_dagster.resources import Pipeline
from cpa_dagster.tables import columns_of

Result = dg.AssetCheckResult
ABOUT = {
    "gold_labels": "What people say of messages and conversations. Reviews are files in the home; this brings the "
    "tables up to them. Run it when somebody has labelled: `cpa gold`.",
    "label_quality": "How far each label can be trusted: precision, recall and kappa against people, agreement between "
    "people, and its rates as tagged, corrected and by people alone, with what each correction is valid for.",
}
UPSTREAM: dict[str, tuple[str, ...]] = {
    "gold_labels": (),
    "label_quality": ("gold_labels", "tagged_events", "judge_scores"),
}


def gold_labels(step: Step) -> dict[str, Any]:
    """Update the tables from the files, and count the labels."""
    unread = merge_gold(step.assistant) if step.assistant.store.exists() else 0
    rows = gold_counts(step.assistant.store) if step.assistant.store.exists() else []
    reviews = sum(row["reviews"] for row in rows)
    return {"dagster/row_count": reviews, "reviews": reviews, "lines not read": unread, **table("by queue", rows)}


def label_quality(step: Step) -> dict[str, Any]:
    """Compare the model's labels with people's."""
    labels = trust_of(step.assistant)
    record_use(step.assistant, "label_quality", labels)
    return {
        "labels": len(labels),
        "checked by people": sum(one.labelled > 0 for one in labels),
        **table("quality", [quality(one) for one in labels]),
        **table("rates", [rates(one) for one in labels]),
    }


def quality(one: Trust) -> dict[str, Any]:
    """A label's agreement as a row that people read."""
    found = one.agreement
    return {
        "label": named(one),
        "trust": one.grade,
        "kappa": said(found.kappa),
        "alpha between people": said(one.people.alpha),
        "precision": said(found.precision),
        "recall": said(found.recall),
        "labelled": one.labelled,
        "label more": one.lacking,
    }


def rates(one: Trust) -> dict[str, Any]:
    """A label's share of conversations as a row that people read."""
    rate = one.of_conversations
    tagged = "–" if rate.tagged.share is None else f"{rate.tagged.share:.3f}"
    return {
        "label": named(one),
        "tagged": tagged,
        "corrected": said(rate.corrected),
        "by people alone": said(rate.gold),
        "valid for": rate.valid_for,
    }


def named(one: Trust) -> str:
    """A label as people know it."""
    return f"{one.name} ({one.role or one.kind})"


def said(one: Estimate) -> str:
    """A figure with its interval."""
    if one.value is None:
        return "–"
    return f"{one.value:.3f}" + ("" if one.low is None or one.high is None else f" ({one.low:.3f} to {one.high:.3f})")


def labels_trusted(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether people agree with the labels that they have checked."""
    least = assistant.settings.least_kappa
    labels = trust_of(assistant)
    wrong = [one for one in labels if one.grade == "poor" or one.is_below(least)]
    return _warned(wrong, "labels", {"checked": sum(one.labelled > 0 for one in labels)})


def people_agree(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether people agree with each other on the labels that two of them have checked."""
    double = [one for one in trust_of(assistant) if one.people.items]
    return _warned([one for one in double if one.do_people_differ], "labels", {"checked by two": len(double)})


def gold_is_fresh(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether the rates of labelled types are corrected by gold of these days and this model."""
    labelled = [one for one in trust_of(assistant) if one.is_labelled_enough]
    wrong = [one for one in labelled if one.of_conversations.basis != "sample"]
    return _warned(wrong, "labels", {"labelled enough": len(labelled)})


def _warned(wrong: Sequence[Trust], name: str, shown: dict[str, Any]) -> Result:
    rows = [quality(one) | {"valid for": one.of_conversations.valid_for} for one in wrong]
    return Result(passed=not wrong, severity=dg.AssetCheckSeverity.WARN, metadata=shown | table(name, rows))


CHECKS: tuple[tuple[str, str, Callable[[Assistant, Sequence[date]], Result]], ...] = (
    (
        "labels_trusted",
        "No label that people have checked has a kappa below 0.4, or below CPA_LEAST_KAPPA.",
        labels_trusted,
    ),
    (
        "people_agree",
        f"Where two people labelled the same, their alpha is at least {LEAST_ALPHA} on each label.",
        people_agree,
    ),
    (
        "gold_is_fresh",
        "Where people labelled enough, the labels are of these days and this model; no rate rests on an assumption.",
        gold_is_fresh,
    ),
)
"""The checks of `label_quality`: name, description, function."""


def gold_assets(pipeline: Pipeline) -> list[dg.AssetsDefinition]:
    """The assets of one assistant, beside the report: the days' jobs do not wait for them."""
    return [_asset(pipeline, "gold_labels", gold_labels), _asset(pipeline, "label_quality", label_quality)]


def _asset(pipeline: Pipeline, name: str, shown: Callable[[Step], dict[str, Any]]) -> dg.AssetsDefinition:
    form = Form(
        name=name,
        about=(ABOUT[name],),
        compute=of_metadata(shown),
        deps=[pipeline.key(upstream) for upstream in UPSTREAM[name]],
        metadata={"dagster/column_schema": columns_of(name)} if name == "gold_labels" else {},
        condition=ANY_DAY if UPSTREAM[name] else None,
    )
    return asset_of(pipeline, form)
