"""docs/dagster.md followed in Chromium: a day, what it shows, a backfill, files that arrive, the night.

`--pictures docs/dagster` renews its pictures.
"""

import argparse
import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from proofs.demo_in_browser import DAY, LIMIT, choose_day, copy_repository, ended
from proofs.devtools import Page, browser
from proofs.figures import Claims, of_days, proved, show
from proofs.scene import scene, wait
from proofs.served import Dagster, dev, records

LAST, DAYS = "2026-03-06", 5
MOST_BYTES = 200_000

SETTINGS = """CPA_SOURCE=incoming
CPA_SCHEMA=examples/therapist/schema.yml
CPA_MODEL=reference:annotations
CPA_START_DATE=2026-03-02
"""
"""The `.env` of the guide: the examples as files that arrive."""

SCROLLED = """(() => { const found = [...document.querySelectorAll('*')].filter(
  e => e.children.length === 0 && e.innerText && e.innerText.trim() === %s);
  if (found.length) found[found.length - 1].scrollIntoView({block: 'start'}); })()"""


@dataclass
class Guide:
    """The reader at the screen."""

    page: Page
    dagster: Dagster
    folder: Path

    def shows(self, name: str, path: str, words: str, above: str = "") -> None:
        """Go there, wait for words, and keep the picture; from the words `above` on, when they are given."""
        self.page.go(self.dagster.url + path, words)
        self.keep(name, above)

    def keep(self, name: str, above: str = "") -> None:
        """Keep what is seen, once it has come to rest."""
        time.sleep(3.0)
        if above:
            self.page.value(SCROLLED % json.dumps(above))
            time.sleep(1.0)
        self.page.picture(self.folder / f"{name}.png")

    def switch(self, path: str, words: str) -> None:
        """Click the switch on the page of a sensor or a schedule."""
        self.page.go(self.dagster.url + path, words)
        self.page.click("", kind="label[for^='checkbox']")
        time.sleep(3.0)

    def whole(self, home: Path) -> list[dg.RunRecord]:
        """The runs, once every day of the examples is delivered and none is under way."""

        def found() -> list[dg.RunRecord] | None:
            delivered = [day for day in of_days(home) if day["receipts"]] if (home / "cpa.duckdb").exists() else []
            runs = self.dagster.runs_of_days()
            return runs if len(delivered) == DAYS and all(one.dagster_run.is_finished for one in runs) else None

        return wait(found, 2 * LIMIT, "every day to be delivered", pause=2.0)


def a_day(guide: Guide, claims: Claims) -> None:
    """Materialize from the UI, and look at what the day shows."""
    choose_day(guide.page, guide.dagster, DAY)
    guide.keep("1-materialize")
    guide.page.click("Launch")
    wait(lambda: ended(guide.dagster), LIMIT, "the day to be materialized")
    guide.shows("2-a-day", "/assets/tagged_events?view=overview", "events by type", "Metadata")
    guide.shows("3-checks", "/assets/tagged_events?view=checks&checkDetail=schema_covers", "schema_covers")


def a_backfill(guide: Guide, claims: Claims) -> None:
    """A range of days, as one run."""
    before = len(guide.dagster.runs_of_days())
    choose_day(guide.page, guide.dagster, f"[{DAY}...{LAST}]", shown="5 partitions")
    guide.keep("4-backfill")
    guide.page.click("Launch backfill")
    home = guide.dagster.here.started_in / ".demo" / "therapist"
    runs = guide.whole(home)[before:]
    guide.shows("5-runs", "/runs", "Success")
    days = of_days(home)
    show(f"the demo's days, after {len(runs)} runs of the backfill", days)
    claims.claim("a range is one run beside the landing", len(runs) == 2)
    claims.claim("every event has its receipt", all(d["receipts"] == d["events"] + d["judged"] for d in days))


def arrivals(guide: Guide, claims: Claims) -> None:
    """The sensor on, and a file that arrives."""
    here = guide.dagster.here.started_in
    guide.switch("/locations/cpa/sensors/new_files", "new_files")
    before = len(guide.dagster.runs_of_days())
    began = time.monotonic()
    shutil.copy(here / "examples" / "therapist" / "example_data.json", here / "incoming")
    runs = guide.whole(here / ".cpa")[before:]
    seconds = time.monotonic() - began
    guide.shows("6-arrivals", "/locations/cpa/sensors/new_files", "requested")
    days = of_days(here / ".cpa")
    show(f"a file arrived: {len(runs)} runs, receipts for all its days after {seconds:.0f} s", days)
    claims.claim("a file led to a landing and its five days", len(runs) == 1 + DAYS)
    claims.claim("every event has its receipt", all(d["receipts"] == d["events"] + d["judged"] for d in days))


def the_night(guide: Guide, claims: Claims) -> None:
    """The schedule on."""
    guide.switch("/locations/cpa/schedules/nightly", "nightly")
    guide.shows("7-automation", "/automation", "nightly")
    with records(guide.dagster.here) as instance:
        states = {state.name: state.status.value for state in instance.all_instigator_state()}
    claims.claim("sensor and schedule are on", states.items() >= {"new_files": "RUNNING", "nightly": "RUNNING"}.items())


def guides(claims: Claims) -> None:
    """The guide from its beginning to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="where the pictures are kept")
    kept: Path | None = parser.parse_args().pictures
    with scene() as here:
        folder = kept or here.folder / "pictures"
        copy_repository(here)
        here.prepare_dagster()
        with browser(here) as page:
            guide = Guide(page, dev(here), folder)
            a_day(guide, claims)
            a_backfill(guide, claims)
            here.end("webserver")
            (here.started_in / "incoming").mkdir()
            (here.started_in / ".env").write_text(SETTINGS, "utf-8")
            del here.environ["CPA_HOME"]
            guide = Guide(page, dev(here), folder)
            arrivals(guide, claims)
            the_night(guide, claims)
        largest = max(path.stat().st_size for path in folder.glob("*.png"))
        claims.claim(f"the pictures are small: at most {largest} bytes", largest <= MOST_BYTES)


if __name__ == "__main__":
    sys.exit(proved(guides))
