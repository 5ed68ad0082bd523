"""What people look at in Dagster: assets, plots and tables, checks, pools, and what is off."""

import base64
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import pytest

from cpa_core.errors import SettingsError
from cpa_core.pipeline import Assistant, land, run_day
from cpa_dagster.assistant import assistant_definitions
from cpa_dagster.checks import few_rejects, within_budget
from cpa_dagster.pictures import bars
from cpa_dagster.reports import of_judgments
from tests.support.homes import Home, turn
from tests.support.runs import KEYS, ROOT, counts, definitions, evaluations, metadata, run

LOADING = """
import os, resource, sys, time
from cpa_dagster.definitions import defs
defs.get_repository_def()
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
for name in ("tagged_events", "judge_scores", "upload_receipts"):
    print(defs.resolve_asset_graph().get(__import__("dagster").AssetKey(name)).description.replace(chr(10), " "))
"""


def test_the_code_location_loads_in_three_seconds_without_any_key_and_says_what_is_off(tmp_path: Path) -> None:
    source = tmp_path / "chats.json"
    source.write_text("{}", "utf-8")
    given = {"CPA_SOURCE": str(source), "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    times = []
    for _ in range(2):  # the first may compile
        done = subprocess.run(
            [sys.executable, "-c", LOADING], cwd=tmp_path, env=given, capture_output=True, text=True, check=True
        )
        seconds, *said = done.stdout.splitlines()
        times.append(float(seconds))
    assert min(times) < 3.0 * 1.3, "processor time, with room for a busy machine"
    assert all("CPA_MODEL, OPENAI_API_KEY or ANTHROPIC_API_KEY" in words for words in said[:2])
    assert "posthog is off: POSTHOG_API_KEY is not set" in said[2]


def test_each_asset_has_what_people_look_for(demo: Assistant) -> None:
    given = demo.settings.model_copy(update={"owners": ("team:support", "ada@example.com")})
    graph = assistant_definitions(given, assistant=demo).resolve_asset_graph()
    for name in KEYS:
        node = graph.get(dg.AssetKey(name))
        assert (node.group_name, sorted(node.owners)) == ("conversations", ["ada@example.com", "team:support"])
        assert node.description and "duckdb" in node.kinds
        columns = {column.name for column in node.metadata["dagster/column_schema"].columns}
        assert all(column.description for column in node.metadata["dagster/column_schema"].columns), name
        lineage = node.metadata.get("dagster/column_lineage")
        assert lineage is None or set(lineage.deps_by_column) <= columns
        for deps in lineage.deps_by_column.values() if lineage else ():
            for dep in deps:
                upstream = graph.get(dep.asset_key).metadata["dagster/column_schema"]
                assert dep.column_name in {column.name for column in upstream.columns}
    assert graph.get(dg.AssetKey("upload_receipts")).freshness_policy is not None
    with pytest.raises(SettingsError, match="'nobody' must be an e-mail address, or a team"):
        assistant_definitions(given.model_copy(update={"owners": ("nobody",)}), assistant=demo)


def test_a_day_shows_its_rows_a_table_and_a_plot(demo: Assistant) -> None:
    result = run(demo)
    tagged, judged = metadata(result, "tagged_events"), metadata(result, "judge_scores")
    assert tagged["dagster/partition_row_count"] == tagged["events"] == counts(demo)["tagged_events"]
    assert sum(int(row.data["events"]) for row in tagged["conversations by type"].records) == tagged["events"]
    for drawn in (tagged["events by type"], judged["scores"]):
        svg = base64.b64decode(re.search(r"data:image/svg\+xml;base64,([^)]+)", drawn)[1]).decode()
        assert ElementTree.fromstring(svg).findall("{*}path") and len(drawn) < 1_000, "longer, and the UI shows a link"
    assert [row.data["conversation_id"] for row in judged["lowest scores"].records]
    receipts = metadata(result, "upload_receipts")
    assert receipts["by destination"].records[0].data["destination"] == "outbox"
    assert receipts["cost of the day"] == 0.0


def test_a_day_shows_how_many_intents_were_delivered_where_any_was_asked_for(demo: Assistant) -> None:
    land(demo)
    day = run_day(demo, date(2026, 3, 2)).day
    assert "intents" not in of_judgments(demo, [day])[day]
    with demo.store.writing() as tables:
        tables.execute("update judge_scores set intent_delivered = case when score >= 50 then 'yes' else 'no' end")
        count = "select count(*) as n, count(*) filter (score >= 50) as yes from judge_scores where day = $day"
        told = tables.rows(count, day=day)[0]
    shown = of_judgments(demo, [day])[day]
    assert (shown["intents"], shown["intents delivered and confirmed"]) == (told["n"], told["yes"]) and told["n"] > 0


def test_a_plot_of_too_many_bars_leaves_out_the_last() -> None:
    md = bars({f"Type <{n}> of a long name that is cut": 100 - n for n in range(60)}).value
    svg = base64.b64decode(md.split("base64,")[1][:-1]).decode()
    labels = [text.text for text in ElementTree.fromstring(svg).findall("{*}text")]
    assert labels[0] == "Type <0> of a long na… 100" and re.fullmatch(r"and \d+ more", labels[-1] or "")
    assert len(md) < 1_000 and bars({}).value == bars({"a": 0}).value == "none"


def test_the_checks_warn_of_a_schema_that_misses_and_of_a_budget_that_nears(failing: Assistant) -> None:
    land(failing)
    result = run(failing, "2026-03-04", until="2026-03-05")
    found = evaluations(result)
    few = found["tagged_events:few_failures"]
    assert (few.passed, few.severity, few.metadata["share"].value) == (False, dg.AssetCheckSeverity.ERROR, 0.5)
    covers = found["tagged_events:schema_covers"]
    assert (covers.passed, covers.severity, covers.metadata["share"].value) == (False, dg.AssetCheckSeverity.WARN, 0.0)
    paid = failing.settings.model_copy(update={"daily_budget": 1.0})
    with failing.store.writing() as transaction:
        transaction.insert("answers", [{"run_id": "r-tag", "cost": 0.9, "created_at": failing.now()}])
    near = within_budget(replace(failing, settings=paid), [])
    assert (near.passed, near.severity) == (False, dg.AssetCheckSeverity.WARN)
    over = within_budget(replace(failing, settings=paid.model_copy(update={"daily_budget": 0.5})), [])
    assert (over.passed, over.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert within_budget(failing, []).passed


def test_too_many_rejects_of_a_landing_are_a_failed_check(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert few_rejects(home.assistant(), []).passed
    home.write("a.json", {"c1": [turn("hi"), turn("ho", role="")]})
    home.land()
    found = few_rejects(home.assistant(), [])
    assert (found.passed, found.metadata["share"].value, found.metadata["lost"].value) == (False, 0.5, 1)
    home.write("a.json", {"c1": [turn("hi")]})
    home.land()
    assert few_rejects(home.assistant(), []).passed


def test_one_stage_at_a_time_asks_a_provider_in_whatever_run(
    failing: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    graph = definitions(failing).resolve_asset_graph()
    assert [graph.get(dg.AssetKey(key)).pools for key in KEYS] == [
        set(),
        set(),
        set(),
        {"model_compatible"},
        {"model_compatible"},
        set(),
    ]
    (tmp_path / "dagster.yaml").write_text((ROOT / "cpa_dagster" / "dagster.yaml").read_text("utf-8"), "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
