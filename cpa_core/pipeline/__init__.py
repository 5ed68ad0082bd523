"""The stages of a day, one function each, used by the assets and by the command alike."""

from cpa_core.pipeline.asking import judge_day, tag_day
from cpa_core.pipeline.building import build_day
from cpa_core.pipeline.context import Assistant, Progress, Stage, silent
from cpa_core.pipeline.delivering import deliver_day, open_work
from cpa_core.pipeline.landing import Landed, land
from cpa_core.pipeline.runs import DayDone, due_days, run_day, summaries
from cpa_core.pipeline.schemas import current_schema

__all__ = [
    "Assistant",
    "DayDone",
    "Landed",
    "Progress",
    "Stage",
    "build_day",
    "current_schema",
    "deliver_day",
    "due_days",
    "judge_day",
    "land",
    "open_work",
    "run_day",
    "silent",
    "summaries",
    "tag_day",
]
