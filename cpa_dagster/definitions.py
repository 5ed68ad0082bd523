"""The definitions that `dagster dev` loads: those of the environment and `.env`, or the demo if no source is set."""

from datetime import date
from pathlib import Path

from cpa_core.demo import demo_settings
from cpa_core.settings import environment, settings
from cpa_dagster.assistant import definitions_of, pipeline_of
from cpa_dagster.options import keys_that_are_set

DEMO = (
    "**This is the demo**: examples/therapist, tagged and judged by its reference annotations, delivered to files. "
    "To use your own conversations, set `CPA_SOURCE` (a file, a folder or `s3://bucket/prefix`) and `CPA_SCHEMA` in "
    "`.env` or the environment, and reload the code location."
)

DEMO_LAST_DAY = date(2026, 3, 6)
"""The partitions end with the demo's days, so that the UI opens on them: of a longer range it shows the last 90 days.
"""

given = settings(environment())

if given.source:
    pipeline = pipeline_of(given)
else:
    pipeline = pipeline_of(demo_settings("therapist", Path(".demo")), note=DEMO, last_day=DEMO_LAST_DAY)

defs = definitions_of(pipeline, keys_that_are_set() if given.source else None)
