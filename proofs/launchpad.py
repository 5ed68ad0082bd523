"""What a run may have otherwise, in Chromium: docs/dagster.md's options followed over a two-year history.

`python -m proofs.launchpad dry_run quote backfill report alert`, or some of them; the report needs the backfill.

A refused option and its reason; a day as a dry run with another model and a budget, and its quote; the asset `quote`
for thirty days; their backfill by the job `history`; the report's link opened; and the message of a failing day at a
webhook, once.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import dagster as dg

from cpa_core.schema import dump
from proofs.buckets import bucket
from proofs.demo_in_browser import choose_day, select
from proofs.devtools import Page, browser
from proofs.figures import Claims, of_days, proved, show
from proofs.scene import Scene, scene, wait
from proofs.served import OF_DAYS, Dagster, Requested, records, webserver
from tests.servers.chat_completions import Behaviour, ChatServer, Says
from tests.support.commands import ONE_EACH, chat

START, DAYS = date(2024, 9, 1), 730
ONE, FIRST, LAST = "2024-10-01", "2024-11-01", "2024-11-30"
FAILING = "2025-01-15"
LIMIT = 900.0
REPORTS = "reports"
"""The bucket of the reports."""

OPTIONS = """resources:
  options:
    config:
      dry_run: true
      model: {model}
      budget: 2.5
"""
"""The options of the guide."""

QUOTED = f"""ops:
  quote:
    config:
      first: "{FIRST}"
      last: "{LAST}"
"""

MORE = """(() => { const all = [...document.querySelectorAll('button')];
  all[all.findIndex(e => e.innerText.trim().startsWith('Materialize')) + 1].click(); })()"""
"""Opens the menu beside Materialize."""


LINK = "[...document.querySelectorAll('a')].map(e => e.href).find(e => e.includes('/report.html?'))"
"""The address of the link on the report's page."""


class Receiver:
    """A webhook on loopback."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        texts = self.texts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """What CPA_ALERTS is set to."""
        return f"http://127.0.0.1:{self.server.server_port}/hook"


def script(body: dict[str, Any], _: int) -> Says | None:
    """A model that never answers in a form that can be used when it is asked about the failing day."""
    return Says("this is no answer") if f"failing-{FAILING}" in json.dumps(body) else None


def two_years(here: Scene, model: ChatServer, receiver: Receiver) -> None:
    """A conversation a day, landed."""
    invented: dict[str, Any] = {}
    for n in range(DAYS):
        day = str(START + timedelta(days=n))
        invented |= chat(f"failing-{day}" if day == FAILING else f"c{n:03}", 2, day, f"u{n % 20}")
    (here.folder / "chats.json").write_text(json.dumps(invented), "utf-8")
    (here.folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    here.environ |= {
        "CPA_SOURCE": str(here.folder / "chats.json"),
        "CPA_SCHEMA": str(here.folder / "schema.yml"),
        "CPA_MODEL": "compatible:test-model",
        "CPA_COMPATIBLE_URL": model.url,
        "CPA_ALERTS": receiver.url,
        "CPA_REPORTS": f"s3://{REPORTS}/reports/",
    }
    here.prepare_dagster()
    here.run("cpa", "land", limit=LIMIT)


def configure(page: Page, words: str) -> None:
    """Put a configuration into the dialog, as the guide says."""
    page.click("Config", kind="div, button, span")
    page.click("Add config")
    page.see("No errors")
    page.write(words)


def a_dry_run(page: Page, dagster: Dagster, model: ChatServer, claims: Claims) -> None:
    """One day: what is refused, then a dry run with another model and a budget."""
    choose_day(page, dagster, ONE)
    configure(page, OPTIONS.format(model="openai:gpt-6-luna") + "      lane: flx\n      modle: x\n")
    page.see("not in enum type Lane got flx")
    page.see('unexpected config entry "modle"')
    claims.claim("an unknown option and a wrong value are refused in the dialog, with the reason", True)
    page.write(OPTIONS.format(model="openai:gpt-6-luna"))
    page.see("No errors")
    page.click("Save config")
    page.see("Config saved")
    page.click("Launch 1 run")
    ended(dagster, 1)
    run = dagster.runs()[0].dagster_run
    page.go(f"{dagster.url}/runs", "cpa/quote.tag")
    read = [line for line in page.text().splitlines() if line.startswith("cpa/quote.")]
    show("a dry run's quote on the page of runs", [{"read": line} for line in read])
    claims.claim("its quote is read there with a price", len(read) == 2 and all("$" in line for line in read))
    claims.claim("it succeeded and asked nothing", run.is_success and not model.calls)


def a_quote(page: Page, dagster: Dagster, model: ChatServer, claims: Claims) -> None:
    """The asset `quote` for thirty days."""
    before = len(dagster.runs())
    page.go(f"{dagster.url}/assets/quote", "Materialize")
    time.sleep(3.0)
    page.value(MORE)
    page.click("Open launchpad", kind="a, li, div, button")
    confirm(page, "ERRORS")
    page.see("No errors")
    page.write(QUOTED + "resources:\n  options:\n    config:\n      model: openai:gpt-6-luna\n")
    time.sleep(3.0)
    page.click("Materialize", kind="button")
    ended(dagster, before + 1)
    page.go(f"{dagster.url}/assets/quote", "questions")
    page.see("cost")
    lines = [line.strip() for line in page.text().splitlines() if line.strip()]
    found: dict[str, Any] = {
        name: lines[lines.index(name) + 2] for name in ("questions", "cost", "days") if name in lines
    }
    show("the quote of thirty days on its page", [found])
    whole = found.get("questions") == "60" and "cost" in found
    claims.claim("thirty days, two questions a conversation, and a price", whole)
    claims.claim("nothing was asked", not model.calls)


def confirm(page: Page, words: str) -> None:
    """Wait for the dialog that has these words; first confirm where Dagster asks, for the command line landed."""
    wait(lambda: "Are you sure?" in page.text() or words in page.text(), LIMIT, "the dialog")
    if "Are you sure?" in page.text():
        page.click("Confirm")


def a_backfill(page: Page, dagster: Dagster, model: ChatServer, claims: Claims) -> None:
    """Thirty days of the two years by the job `history`."""
    before = len(dagster.runs())
    page.go(f"{dagster.url}/locations/cpa/jobs/history", "Materialize all")
    page.click("Materialize all")
    confirm(page, "Partition selection")
    select(page, f"[{FIRST}...{LAST}]", "30 partitions")
    began = time.monotonic()
    page.click("Launch backfill")
    wait(lambda: model.calls, LIMIT, "the first question")
    asked = model.calls[0].at - began
    wait(lambda: len([d for d in of_days(dagster.here.home) if d["receipts"]]) == 30, LIMIT, "thirty days")
    runs = ended(dagster, before + 1)
    days = [day for day in of_days(dagster.here.home) if day["receipts"]]
    show("the backfill", [{"runs": len(runs) - before, "to the first question": asked, "days": len(days)}])
    claims.claim("thirty days in one run, and no others", {d["day"] for d in days} == set(between(FIRST, LAST)))
    claims.claim("as many questions as were quoted", len(model.calls) == 60)
    claims.whole(days)


def a_report(page: Page, dagster: Dagster, model: ChatServer, claims: Claims) -> None:
    """The report follows by itself, and its link opens without a file of the server."""

    def written() -> bool:
        with records(dagster.here) as instance:
            return bool(instance.get_latest_materialization_event(dg.AssetKey("report")))

    wait(written, LIMIT, "the report")
    ended(dagster, 1)
    page.go(f"{dagster.url}/assets/report", "open")
    link = wait(lambda: page.value(LINK), LIMIT, "the link to the report")
    built = sum(day["conversations"] for day in of_days(dagster.here.home))  # a dry run builds its day as well
    page.go(link, f"{built} conversations")
    show("the report, opened by its link", [{"address": link.partition("?")[0], "signed": "X-Amz-Signature" in link}])
    claims.claim("the report opens from the bucket, in a browser that has no key", "X-Amz-Expires=604800" in link)


def between(first: str, last: str) -> list[str]:
    """Every day from the first to the last."""
    begun, ended = date.fromisoformat(first), date.fromisoformat(last)
    return [str(begun + timedelta(days=n)) for n in range((ended - begun).days + 1)]


def an_alert(dagster: Dagster, receiver: Receiver, claims: Claims) -> None:
    """A day fails twice; its message comes once."""
    for _ in range(2):
        dagster.launch(Requested(OF_DAYS, {"dagster/partition": FAILING}))
        ended(dagster, len(dagster.runs()))
        wait(lambda: any(FAILING in text for text in receiver.texts), LIMIT, "the message")
    time.sleep(70)  # two more ticks of the sensor
    found = [text for text in receiver.texts if FAILING in text]
    show("what the webhook was told", [{"text": text} for text in receiver.texts])
    claims.claim("a failing day is told once", len(found) == 1)
    claims.claim("without a word of a message", "is what is said here" not in "".join(receiver.texts))


def ended(dagster: Dagster, count: int) -> list[Any]:
    """The runs of days, once there are so many and none is under way."""

    def found() -> list[Any] | None:
        runs = dagster.runs()
        return runs if len(runs) >= count and all(one.dagster_run.is_finished for one in runs) else None

    return wait(found, LIMIT, f"{count} runs to end", pause=2.0)


STEPS: dict[str, Callable[[Page, Dagster, ChatServer, Claims], None]] = {
    "dry_run": a_dry_run,
    "quote": a_quote,
    "backfill": a_backfill,
    "report": a_report,
}
ALERT = "alert"


def launchpad(claims: Claims) -> None:
    """The guide in its order, or the parts of it that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[*STEPS, ALERT], metavar="PART")
    parts = parser.parse_args().parts
    receiver = Receiver()
    with scene() as here, ChatServer(Behaviour(script)) as model, bucket(here, REPORTS):
        two_years(here, model, receiver)
        dagster = webserver(here)
        dagster.start_daemon()
        with browser(here) as page:
            for name in (part for part in parts if part != ALERT):
                STEPS[name](page, dagster, model, claims)
        if ALERT in parts:
            an_alert(dagster, receiver, claims)
    receiver.server.shutdown()


if __name__ == "__main__":
    sys.exit(proved(launchpad))
