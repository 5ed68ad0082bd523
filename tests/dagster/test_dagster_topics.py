"""Topics in Dagster: one asset with a table and a plot, and a check that warns of a new topic."""

from datetime import timedelta
from pathlib import Path

import dagster as dg

from cpa_core.pipeline.topics.listing import topics_now
from cpa_core.pipeline.topics.placing import find_topics
from tests.support.homes import Home, turn
from tests.support.runs import definitions, evaluations, metadata
from tests.topics.test_finding import DAY, texts
from tests.topics.test_placing import build, landed


def materialize(home: Home) -> dg.ExecuteInProcessResult:
    """Make the asset, with its check."""
    whole = definitions(home.assistant()).resolve_implicit_global_asset_job_def()
    return whole.execute_in_process(asset_selection=[dg.AssetKey("topics")])


def test_topics_are_shown_and_the_check_warns_of_a_new_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert metadata(materialize(home), "topics", None)["topics"] == 0
    landed(home)
    find_topics(home.assistant())
    for nth in range(1, 9):
        day = DAY + timedelta(days=nth)
        said = [item for topic, size in (("parcel", 12), ("login", 6)) for item in texts(topic, size, day)]
        home.write(f"{day}.json", {one.item_id: [turn(one.text, f"{day}T09:00:00Z")] for one in said})
    home.land()
    build(home)
    result = materialize(home)
    shown = metadata(result, "topics", None)
    assert shown["requests: texts"] == shown["requests: placed now"] + 220 == 364
    assert "requests: topics" in shown and "requests: sizes" in shown
    (check,) = evaluations(result).values()
    names = [one.name for one in topics_now(home.assistant()) if one.name]
    assert names and not [name for name in names if name in str([shown, check.metadata])], "no word of a message"
    assert not check.passed and check.severity == dg.AssetCheckSeverity.WARN
