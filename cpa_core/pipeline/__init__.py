"""The stages of a day, one function each, used by the assets and by the command alike."""

from cpa_core.pipeline.asking import judge_day, tag_day
from cpa_core.pipeline.building import build_day
from cpa_core.pipeline.context import Assistant, Progress, Stage, silent
from cpa_core.pipeline.delivering import deliver_day, open_work
from cpa_core.pipeline.landing import Landed, Unlanded, land, unlanded
from cpa_core.pipeline.quoting import Quote, quote
from cpa_core.pipeline.runs import DayDone, due_days, ready, run_day, summaries
from cpa_core.pipeline.schemas import (
    current_schema,
    ensure_schema,
    propose_schema,
    schema_path,
    source_conversations,
    write_proposal,
)

__all__ = [
    "Assistant",
    "DayDone",
    "Landed",
    "Progress",
    "Quote",
    "Stage",
    "Unlanded",
    "build_day",
    "current_schema",
    "deliver_day",
    "due_days",
    "ensure_schema",
    "judge_day",
    "land",
    "open_work",
    "propose_schema",
    "quote",
    "ready",
    "run_day",
    "schema_path",
    "silent",
    "source_conversations",
    "summaries",
    "tag_day",
    "unlanded",
    "write_proposal",
]
