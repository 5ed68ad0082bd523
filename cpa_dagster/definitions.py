"""What `dagster dev` loads: the assistant of the environment and `.env`, or the demo when none is configured."""

import os
from datetime import date
from pathlib import Path

from dotenv import dotenv_values

from cpa_core.demo import demo_settings
from cpa_core.settings import settings
from cpa_dagster.assistant import assistant_definitions

DEMO = (
    "**This is the demo**: examples/therapist, tagged and judged by its reference annotations, delivered to files. "
    "To use your own conversations, set `CPA_SOURCE` (a file, a folder or `s3://bucket/prefix`) and `CPA_SCHEMA` in "
    "`.env` or the environment, and reload the code location."
)

DEMO_LAST_DAY = date(2026, 3, 6)
"""With days of the demo's own only, the UI opens on them: of a longer range it shows the last 90 days."""

environ = {name: value for name, value in dotenv_values(".env").items() if value is not None} | dict(os.environ)

if environ.get("CPA_SOURCE"):
    defs = assistant_definitions(settings(environ))
else:
    defs = assistant_definitions(demo_settings("therapist", Path(".demo")), note=DEMO, last_day=DEMO_LAST_DAY)
