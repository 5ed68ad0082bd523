"""The demo as a newcomer meets it: `dagster dev` on a copy of the repository, "Materialize all" clicked for one day.

`--picture docs/asset-graph.png` renews the picture in the README.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg

from proofs.devtools import WAIT, Page, browser
from proofs.figures import Claims, of_days, proved, show
from proofs.scene import ROOT, Scene, scene, wait
from proofs.served import ASSETS, Dagster, dev, records

DAY = "2026-03-02"
MOST_BYTES = 300_000
GRAPH = "/locations/cpa/asset-groups/conversations/lineage"
LIMIT = 180.0
FIELD = "input[placeholder^=ex]"
"""Where days are typed, once the dialog takes all of them."""

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".demo", ".dagster", ".cpa", ".env", ".*_cache", "__pycache__", ".tmp_dagster_home*"
)

Row = dict[str, Any]


def copy_repository(here: Scene) -> None:
    """A copy of the repository without what was made in it, where the processes are started from now on."""
    copy = here.folder / "repository"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    here.started_in = copy
    here.environ |= {"PYTHONPATH": str(copy), "DAGSTER_HOME": str(copy / ".dagster")}


def choose_day(page: Page, dagster: Dagster, day: str, shown: str = "1 partition") -> None:
    """Click as a person does: Materialize all, and the day."""
    page.go(dagster.url + GRAPH, "Materialize all")
    page.click("Materialize all")
    select(page, day, shown)


def select(page: Page, day: str, shown: str) -> None:
    """Type a day or a range into the dialog; of many partitions it opens on the last 90, until all are asked for.

    The dialog says so some seconds after it has opened, so each is looked for until the choice is shown.
    """
    page.see("Partition selection")
    page.see("Custom")

    def chosen() -> bool:
        if "Show all partitions" in page.text():
            page.click("Show all partitions", kind="button, a, span")
        if not page.has_line(shown) and page.value(f"!!document.querySelector({FIELD!r})"):
            page.click("", kind=FIELD)
            page.see_focus("input")
            page.enter(day)
            time.sleep(2.0)
        return page.has_line(shown)

    wait(chosen, WAIT, f"{shown!r} in the dialog", pause=1.0)


def ended(dagster: Dagster) -> bool:
    """Whether there are runs, none is under way, and the last asset was materialized or a run failed."""
    runs = [record.dagster_run for record in dagster.runs()]
    failed = any(not run.is_success for run in runs)
    done = any(row["asset"] == ASSETS[-1] for row in recorded(dagster))
    return bool(runs) and all(run.is_finished for run in runs) and (failed or done)


def recorded(dagster: Dagster) -> list[Row]:
    """The materializations of every run, with the checks of their asset."""
    materialized, checks = dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION
    rows: list[Row] = []
    with records(dagster.here) as instance:
        for number, record in enumerate(dagster.runs_of_days(), 1):
            events = [
                entry.dagster_event
                for entry in instance.all_logs(record.dagster_run.run_id, of_type={materialized, checks})
                if entry.dagster_event
            ]
            evaluations = [e.asset_check_evaluation_data for e in events if e.event_type is checks]
            for event in events:
                if event.event_type is materialized and event.asset_key:
                    of_asset = [one for one in evaluations if one.asset_key == event.asset_key]
                    passed = sum(one.passed for one in of_asset)
                    asset = event.asset_key.to_user_string()
                    rows.append({"run": number, "asset": asset, "day": event.partition or "", "checks": len(of_asset)})
                    rows[-1]["passed"] = passed
    return rows


def take_picture(page: Page, dagster: Dagster, path: Path) -> None:
    """The graph with what was materialized, without the navigation."""
    page.go(dagster.url + GRAPH, "Materialize all")
    page.click("Hide navigation")
    page.go(dagster.url + GRAPH, "Materialize all")
    page.see("upload_receipts")
    wait(lambda: "Materialized" in page.text() or "Mar" in page.text(), 20, "what was materialized")
    page.picture(path)


def in_the_browser(claims: Claims) -> None:
    """One day of the demo, clicked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="where the picture of the graph is kept")
    kept: Path | None = parser.parse_args().picture
    with scene() as here:
        copy_repository(here)
        here.prepare_dagster()
        dagster = dev(here)
        with browser(here) as page:
            choose_day(page, dagster, DAY)
            page.click("Launch")
            wait(lambda: ended(dagster), LIMIT, "the day to be materialized")
            rows = recorded(dagster)
            show(f"Materialize all, {DAY}", rows)
            days = of_days(here.started_in / ".demo" / "therapist")
            show("what the store holds", days)
            picture = kept or here.folder / "asset-graph.png"
            take_picture(page, dagster, picture)
        claims.claim("six materializations, one of each asset", sorted(r["asset"] for r in rows) == sorted(ASSETS))
        claims.claim("those with days are of the day", {row["day"] for row in rows} == {"", DAY})
        checks, passed = (sum(row[of] for row in rows) for of in ("checks", "passed"))
        claims.claim(f"all {checks} checks passed", checks == passed >= 10)
        claims.claim("that day alone was built", [day["day"] for day in days] == [DAY])
        claims.whole(days)
        size = picture.stat().st_size
        claims.claim(f"the picture of the graph is small: {size} bytes", size <= MOST_BYTES)


if __name__ == "__main__":
    sys.exit(proved(in_the_browser))
