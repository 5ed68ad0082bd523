"""The stages of a day, one function each, used by the assets and by the command alike."""

from cpa_core.pipeline.asking import judge_day, tag_and_judge_day, tag_day
from cpa_core.pipeline.batching import AWAITED, Problems, at_work, look, wait_for_one
from cpa_core.pipeline.building import build_day
from cpa_core.pipeline.context import Assistant, Progress, Stage, silent
from cpa_core.pipeline.delivering import deliver_day, open_work
from cpa_core.pipeline.drifting import Drift, drift, measures_of
from cpa_core.pipeline.history import (
    Stale,
    Weight,
    named_schema,
    quote_of_history,
    stale_days,
    types_and_events,
    weights,
)
from cpa_core.pipeline.landing import Landed, Unlanded, land, unlanded
from cpa_core.pipeline.previewing import Expected, Preview, expected_events, preview_day
from cpa_core.pipeline.proposals import (
    Proposal,
    accept_proposal,
    ensure_schema,
    propose_schema,
    source_conversations,
    uncovered_conversations,
    write_proposal,
)
from cpa_core.pipeline.quoting import Quote, QuoteLine, quote
from cpa_core.pipeline.reconciling import Reconciled, days_to_correct, reconciled, rejected_days
from cpa_core.pipeline.rejects import Rejects, rejects
from cpa_core.pipeline.reporting import Reported, Span, scope_of, write_report
from cpa_core.pipeline.room import OUT, ready_days
from cpa_core.pipeline.runs import DayDone, due_days, ready, run_day, spending, summaries
from cpa_core.pipeline.schemas import current_schema, read_schema, schema_path
from cpa_core.pipeline.showing import (
    events_by_type,
    failures,
    lowest_scores,
    messages_covered,
    money_spent,
    scores_by_band,
    types_without_events,
)
from cpa_core.pipeline.summing import (
    Exported,
    Summed,
    export_sums,
    sum_day,
    transitions_of_days,
    turns_of_days,
)

__all__ = [
    "AWAITED",
    "OUT",
    "Assistant",
    "DayDone",
    "Drift",
    "Expected",
    "Exported",
    "Landed",
    "Preview",
    "Problems",
    "Progress",
    "Proposal",
    "Quote",
    "QuoteLine",
    "Reconciled",
    "Rejects",
    "Reported",
    "Span",
    "Stage",
    "Stale",
    "Summed",
    "Unlanded",
    "Weight",
    "accept_proposal",
    "at_work",
    "build_day",
    "current_schema",
    "days_to_correct",
    "deliver_day",
    "drift",
    "due_days",
    "ensure_schema",
    "events_by_type",
    "expected_events",
    "export_sums",
    "failures",
    "judge_day",
    "land",
    "look",
    "lowest_scores",
    "measures_of",
    "messages_covered",
    "money_spent",
    "named_schema",
    "open_work",
    "preview_day",
    "propose_schema",
    "quote",
    "quote_of_history",
    "read_schema",
    "ready",
    "ready_days",
    "reconciled",
    "rejected_days",
    "rejects",
    "run_day",
    "schema_path",
    "scope_of",
    "scores_by_band",
    "silent",
    "source_conversations",
    "spending",
    "stale_days",
    "sum_day",
    "summaries",
    "tag_and_judge_day",
    "tag_day",
    "transitions_of_days",
    "turns_of_days",
    "types_and_events",
    "types_without_events",
    "uncovered_conversations",
    "unlanded",
    "wait_for_one",
    "weights",
    "write_proposal",
    "write_report",
]
