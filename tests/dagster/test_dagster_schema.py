"""A changed schema in Dagster: its days are shown, and only a run that a person asked for re-tags them."""

from collections.abc import Callable
from dataclasses import replace

import dagster as dg

from cpa_core.models import EventType
from cpa_core.pipeline import Assistant, land
from cpa_core.schema import dump
from cpa_dagster.resources import WORK
from tests.support.fakes import SCHEMA
from tests.support.models import Model
from tests.support.runs import evaluations, job, metadata, run

DAY = "2026-03-04"
WISH = EventType(name="Wish", definition="The user wishes for something.", role="user")


def test_automation_leaves_history_as_it_is_and_a_person_brings_it_to_the_schema(
    assistant: Callable[..., Assistant],
) -> None:
    model = Model()
    made = replace(assistant(CPA_START_DATE="2026-03-01"), provider=lambda name: model)
    land(made)
    first = run(made, DAY)
    assert first.success and evaluations(first)["upload_receipts:history_current"].passed
    shown = metadata(first, "event_schema", None)
    assert [row.data["type"] for row in shown["types"].records] == ["Question", "Thanks", "Reply"]
    assert made.settings.schema_path is not None
    newer = SCHEMA.model_copy(update={"event_types": (*SCHEMA.event_types, WISH)})
    made.settings.schema_path.write_text(dump(newer), "utf-8")
    before = len(model.requests)
    asked_for = job(made).execute_in_process(partition_key=DAY, tags={WORK: "cpa:2026-03-04:1"})
    assert len(model.requests) == before
    stale = evaluations(asked_for)["upload_receipts:history_current"]
    assert (stale.passed, stale.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert metadata(asked_for, "event_schema", None)["stale days"] == 1
    again = run(made, DAY, retag=True)
    assert again.success and len(model.requests) == before + 2
    assert evaluations(again)["upload_receipts:history_current"].passed
    assert evaluations(again)["tagged_events:coverage_drift"].passed
