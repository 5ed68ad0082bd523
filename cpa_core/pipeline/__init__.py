"""The stages of a day, one function each, used by the assets and by the command alike."""

from cpa_core.pipeline.assistant import Assistant, Progress, Stage, silent
from cpa_core.pipeline.batches.poll import Problems, at_work, look, wait_for_one
from cpa_core.pipeline.batches.quota import ready_days
from cpa_core.pipeline.batches.states import AWAITED, WAITING, OpenBatch
from cpa_core.pipeline.build import Built, build_day, build_days, unbuilt_days
from cpa_core.pipeline.delivery.deliver import deliver_day, deliver_days, open_work
from cpa_core.pipeline.delivery.preview import Expected, Preview, expected_events, preview_day
from cpa_core.pipeline.delivery.reconcile import Reconciled, days_to_correct, reconciled, rejected_days
from cpa_core.pipeline.label.day import judge_day, judge_days, tag_and_judge_day, tag_day, tag_days
from cpa_core.pipeline.label.given_up import ask_again
from cpa_core.pipeline.label.quote import Quote, QuoteLine, quote
from cpa_core.pipeline.landing.land import land
from cpa_core.pipeline.landing.rejects import Rejects, rejects
from cpa_core.pipeline.landing.roles import roles_not_tagged, roles_warning, untagged_roles
from cpa_core.pipeline.landing.totals import Landed
from cpa_core.pipeline.landing.unlanded import Unlanded, unlanded
from cpa_core.pipeline.reporting.daily_tables import (
    Exported,
    Summed,
    export_sums,
    sum_day,
    sum_days,
    transitions_of_days,
    turns_of_days,
)
from cpa_core.pipeline.reporting.day_queries import (
    events_by_type,
    failures,
    intents_of_days,
    lowest_scores,
    messages_covered,
    money_spent,
    scores_by_band,
    types_without_events,
)
from cpa_core.pipeline.reporting.html_report import DayRange, Reported, scope_of, write_report
from cpa_core.pipeline.restore import Restored, restore_home
from cpa_core.pipeline.run import DayDone, due_days, home_id, known_days, ready, run_day, run_days, spending, summaries
from cpa_core.pipeline.schema.acceptance import Accepted, accept_schema, waiting_days, waiting_versions
from cpa_core.pipeline.schema.current import current_schema, read_schema, schema_path
from cpa_core.pipeline.schema.drift import Drift, drift, measures_of
from cpa_core.pipeline.schema.proposals import (
    Proposal,
    ProposalQuote,
    accept_proposal,
    ensure_schema,
    propose_schema,
    quote_proposal,
    source_conversations,
    uncovered_conversations,
    write_proposal,
)
from cpa_core.pipeline.schema.stale import (
    Stale,
    Weight,
    named_schema,
    quote_of_history,
    stale_days,
    types_and_events,
    weights,
)

__all__ = [
    "AWAITED",
    "WAITING",
    "Accepted",
    "Assistant",
    "Built",
    "DayDone",
    "DayRange",
    "Drift",
    "Expected",
    "Exported",
    "Landed",
    "OpenBatch",
    "Preview",
    "Problems",
    "Progress",
    "Proposal",
    "ProposalQuote",
    "Quote",
    "QuoteLine",
    "Reconciled",
    "Rejects",
    "Reported",
    "Restored",
    "Stage",
    "Stale",
    "Summed",
    "Unlanded",
    "Weight",
    "accept_proposal",
    "accept_schema",
    "ask_again",
    "at_work",
    "build_day",
    "build_days",
    "current_schema",
    "days_to_correct",
    "deliver_day",
    "deliver_days",
    "drift",
    "due_days",
    "ensure_schema",
    "events_by_type",
    "expected_events",
    "export_sums",
    "failures",
    "home_id",
    "intents_of_days",
    "judge_day",
    "judge_days",
    "known_days",
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
    "quote_proposal",
    "read_schema",
    "ready",
    "ready_days",
    "reconciled",
    "rejected_days",
    "rejects",
    "restore_home",
    "roles_not_tagged",
    "roles_warning",
    "run_day",
    "run_days",
    "schema_path",
    "scope_of",
    "scores_by_band",
    "silent",
    "source_conversations",
    "spending",
    "stale_days",
    "sum_day",
    "sum_days",
    "summaries",
    "tag_and_judge_day",
    "tag_day",
    "tag_days",
    "transitions_of_days",
    "turns_of_days",
    "types_and_events",
    "types_without_events",
    "unbuilt_days",
    "uncovered_conversations",
    "unlanded",
    "untagged_roles",
    "wait_for_one",
    "waiting_days",
    "waiting_versions",
    "weights",
    "write_proposal",
    "write_report",
]
