"""The workbench as reviewers use it: `cpa serve` in Chromium, by keyboard, killed and started again.

On star_booking and AnnoMI of the shared data, tagged by a model on loopback, else on an example; `--home` names one.
Two reviewers, twenty conversations, an undo, SIGKILL in the middle of a conversation, a disagreement that is settled;
a definition edited, checked, priced, saved, tried and tagged again; labels in the table, the report and Dagster; a
link from the report. `--pictures docs/workbench` renews the pictures of the guide.
"""

import argparse
import os
import re
import signal
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg

from cpa_core.gold.reviews import Review
from cpa_core.schema import load
from cpa_core.store import Store
from proofs.devtools import Page, browser
from proofs.figures import Claims, proved, show
from proofs.report_in_browser import DATA, LIMIT
from proofs.scene import ROOT, Scene, free_port, scene, wait
from proofs.served import records
from tests.servers.chat_completions import Behaviour, ChatServer
from tests.servers.gold import gold_script

WANTED, MOST_ANSWERS = 20, 12
SHARED, MODEL = ("star_booking", "annomi"), "compatible:gold"
CODES = {"Enter": 13, "Escape": 27}
OPEN = "document.querySelectorAll('[data-answered=no]').length"
READY = "document.readyState === 'complete' && !!document.querySelector('main')"


def press(page: Page, key: str) -> None:
    """One key of the keyboard."""
    about: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": CODES.get(key, ord(key[0].upper()))}
    text = "\r" if key == "Enter" else key
    page.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
    page.ask("Input.dispatchKeyEvent", type="keyUp", **about)


@dataclass(frozen=True)
class Bench:
    """A home that is tagged, its schema's file, which may be edited, its source, and where its workbench answers."""

    home: Path
    schema: Path
    source: Path
    port: int

    @property
    def flags(self) -> list[str]:
        """What every command on it names."""
        return ["--home", str(self.home), "--schema", str(self.schema)]


def bench_of(here: Scene, name: str) -> Bench:
    """The home of a data set, tagged by the model that the scene names."""
    source = DATA / name if name in SHARED else ROOT / "examples" / name
    schema = here.folder / f"{name}.yml"
    schema.write_text((source / "schema.yml").read_text("utf-8"), "utf-8")
    file = source / ("conversations.csv" if name in SHARED else "example_data.csv")
    made = Bench(here.folder / name, schema, file, free_port())
    here.run("cpa", "run", str(file), "--model", MODEL, *made.flags, limit=LIMIT)
    return made


def served(here: Scene, bench: Bench, name: str, model: str = MODEL) -> str:
    """Start the workbench: the address that it prints."""
    here.start(name, "cpa", "serve", "--port", str(bench.port), "--model", model, *bench.flags)
    found = wait(lambda: re.search(r"http://\S+", here.said(name)), 60, "the address of the workbench")
    return found[0]


def settled(page: Page) -> None:
    """Wait for a page."""
    wait(lambda: page.value(READY), 30, "a page", pause=0.05)


def go(page: Page, url: str) -> float:
    """Open an address: milliseconds until it stands."""
    page.value("window.isBefore = true")
    page.ask("Page.navigate", url=url)
    wait(lambda: not page.value("window.isBefore"), 30, url, pause=0.02)
    settled(page)
    return float(page.value("performance.getEntriesByType('navigation')[0].responseEnd"))


def answered(page: Page, before: int) -> None:
    """Wait until one answer more is kept."""
    wait(lambda: page.value(OPEN) != before, 30, "an answer to be kept", pause=0.02)


def reviewed(page: Page, base: str, wanted: int, events_at: int) -> int:
    """Read so many conversations by keyboard alone; an event on every `events_at`th message, none on the others."""
    done = pressed = 0
    go(page, f"{base}/review")
    while done < wanted and page.value("!!document.querySelector('[data-review]')"):
        answers = 0
        while page.value(OPEN):
            before = int(page.value(OPEN))
            answers += 1
            if answers > MOST_ANSWERS:  # a long conversation: none in the rest, by its key
                press(page, "N")
                wait(lambda: page.value(f"{READY} && {OPEN} === 0"), 30, "none in the rest", pause=0.05)
                break
            if pressed % events_at == 0:
                press(page, "1")
                press(page, "Enter")
            else:
                press(page, "n")
            pressed += 1
            answered(page, before)
        press(page, "F")
        wait(lambda: page.value("!!document.querySelector('[data-reveal]')"), 30, "the model's labels", pause=0.05)
        done += 1
        settled(page)
        press(page, "Enter")
        wait(lambda: page.value("!document.querySelector('[data-reveal]')"), 30, "what is next", pause=0.05)
        settled(page)
    return done


def named(page: Page, address: str, name: str) -> str:
    """Come in with a name: the address of the workbench without its token."""
    go(page, address)
    page.value(f"document.querySelector('[name=reviewer]').value = '{name}'")
    page.value("window.isBefore = true")
    page.click("Begin" if page.value("document.querySelector('[name=reviewer]').defaultValue === ''") else "Change")
    wait(lambda: not page.value("window.isBefore"), 30, "the page with the name", pause=0.05)
    page.see("Queues")
    return address.partition("/?")[0].rstrip("/")


def kept(home: Path) -> list[Review]:
    """The reviews on the disk."""
    path = home / "gold" / "reviews.jsonl"
    return [Review.model_validate_json(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def conversations(home: Path, reviewer: str) -> int:
    """How many conversations a reviewer has finished."""
    return len({one.conversation_id for one in kept(home) if one.reviewer == reviewer})


def killed(here: Scene, page: Page, claims: Claims, bench: Bench, base: str) -> str:
    """Answer two messages, kill the server, start it again: the address of the new one."""
    go(page, f"{base}/review")
    open_before = page.value(OPEN)
    for _ in range(2):
        before = int(page.value(OPEN))
        press(page, "n")
        answered(page, before)
    place = page.value("location.pathname")
    os.killpg(here.running.pop("served").pid, signal.SIGKILL)
    address = served(here, bench, "again")
    base = named(page, address, "ana")
    go(page, f"{base}/review")
    found = page.value("location.pathname")
    claims.claim(f"after SIGKILL the same conversation is open: {found}, was {place}", found == place)
    claims.claim(
        f"both answers are there: {page.value(OPEN)} of {open_before} open", page.value(OPEN) == open_before - 2
    )
    press(page, "u")
    wait(lambda: page.value(OPEN) == open_before - 1, 30, "the undo")
    claims.claim("u takes one answer back", page.value(OPEN) == open_before - 1)
    return base


def edited(here: Scene, page: Page, claims: Claims, base: str, bench: Bench) -> None:
    """Edit a definition in the page, check, save, try it and tag again; then an edit against one by hand."""
    schema = bench.schema
    schema.write_text("# written by hand\n" + schema.read_text("utf-8"), "utf-8")
    go(page, f"{base}/schema")
    change = (
        "document.getElementById('yaml').value = document.getElementById('yaml').value"
        ".replace(/(event_types:[^]*?definition: ['\"]?)/, %s)"
    )
    page.value(change % "'$1In short, '")
    page.value("document.getElementById('yaml').dispatchEvent(new Event('input'))")
    page.see("in words; Check prices it")
    page.click("Check")
    page.see("Every day that is here, run again")
    said = re.search(r"run again: (\d+) questions, (.*?)\. Saving", page.text())
    claims.claim(f"what it changes is priced before it is saved: {said and said[0]}", bool(said and said[1] != "0"))
    page.click("Save")
    wait(lambda: "In short, " in schema.read_text("utf-8"), 30, "the schema to be saved")
    claims.claim("the schema's comments survive", schema.read_text("utf-8").startswith("# written by hand\n"))
    tried(here, page, claims, base, bench)
    go(page, f"{base}/schema")
    page.value(change % "'$1At length, '")
    by_hand = schema.read_text("utf-8") + "# meanwhile\n"
    schema.write_text(by_hand, "utf-8")
    page.click("Check")
    page.see("Every day that is here, run again")
    page.click("Save")
    page.see("changed meanwhile")
    claims.claim("an edit by hand is not overwritten", schema.read_text("utf-8") == by_hand)


def tried(here: Scene, page: Page, claims: Claims, base: str, bench: Bench) -> None:
    """Try the schema as saved on a conversation, then tag everything again by it."""
    conversation = kept(bench.home)[0].conversation_id
    go(page, f"{base}/try?conversation={quote(conversation)}")
    page.click("What would it cost?")
    page.see(f" to {MODEL}, at")
    page.click("Ask")
    page.see("As edited")
    claims.claim("the labels of a trial stand beside the stored ones", "Stored" in page.text())
    version = load(bench.schema)[0].version
    before = rows(bench.home, f"select count(*) as n from tagged_conversations where schema_version = '{version}'")
    here.run("cpa", "run", str(bench.source), "--model", MODEL, "--retag", *bench.flags, limit=LIMIT)
    after = rows(bench.home, f"select count(*) as n from tagged_conversations where schema_version = '{version}'")
    whole = rows(bench.home, "select count(*) as n from tagged_conversations")
    claims.claim(
        f"tagged again: {before[0]['n']}, then {after[0]['n']} of {whole[0]['n']}", after[0]["n"] == whole[0]["n"]
    )


def rows(home: Path, sql: str) -> list[dict[str, Any]]:
    """What the store says."""
    with Store(home).reading() as view:
        return view.rows(sql)


def arrived(here: Scene, claims: Claims, bench: Bench) -> None:
    """The labels in `gold_labels`, in the report and in Dagster."""
    said = len(kept(bench.home))
    here.run("cpa", "gold", "status", "--home", str(bench.home), limit=LIMIT)
    (found,) = rows(bench.home, "select count(distinct review_id) as n from gold_labels")
    claims.claim(f"reviews in gold_labels: {found['n']} of {said}", found["n"] == said > 0)
    here.environ |= {"CPA_WORKBENCH_URL": f"http://127.0.0.1:{bench.port}"}
    here.run("cpa", "report", "--home", str(bench.home), limit=LIMIT)
    report = (bench.home / "report.html").read_text("utf-8")
    claims.claim("the report has the part on labels by people", 'id="trust"' in report)
    here.environ |= {"CPA_HOME": str(bench.home), "CPA_SCHEMA": str(bench.schema), "CPA_MODEL": MODEL}
    here.environ |= {"CPA_SOURCE": str(bench.source)}
    if not here.dagster_home.exists():
        here.prepare_dagster()
    asked = ["--select", "gold_labels,label_quality", "-m", "cpa_dagster.definitions"]
    here.run("dagster", "asset", "materialize", *asked, limit=LIMIT)
    with records(here) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("gold_labels"))
        shown = event.asset_materialization.metadata["reviews"].value if event and event.asset_materialization else None
    claims.claim(f"Dagster's gold_labels shows {shown} reviews", shown == said)


def linked(here: Scene, page: Page, claims: Claims, bench: Bench) -> None:
    """From a number of the report to the message in the workbench, in a browser that knows it."""
    page.ask("Page.navigate", url=(bench.home / "report.html").as_uri())
    wait(lambda: page.value("document.documentElement?.dataset.charts === 'drawn'"), 60, "the report's charts")
    page.value("document.querySelector('[data-drill]').click()")
    page.value("document.querySelector('#drill .opener').click()")
    wait(lambda: page.value("location.pathname.startsWith('/c/') && !!document.querySelector('main')"), 30, "the link")
    place = page.value("location.hash.slice(1)")
    claims.claim(f"a drill-down leads to message {place}", bool(page.value(f"!!document.getElementById('{place}')")))


def disagreement(page: Page, claims: Claims, home: Path, base: str) -> None:
    """Settle the first disagreement."""
    for name in ("ana", "ben"):
        answers = [one for review in kept(home) if review.reviewer == name for one in review.answers]
        present = sum(bool(one.present) for one in answers)
        print(f"{name}: {present} events in {conversations(home, name)} conversations")
    go(page, f"{base}/disputes")
    before = page.value("document.querySelectorAll('form[action=\"/disputes\"]').length")
    claims.claim(f"two reviewers disagree: {before} messages", before > 0)
    page.click("This is the answer")
    wait(lambda: any(one.queue == "adjudicated" for one in kept(home)), 30, "the adjudication")
    go(page, f"{base}/disputes")
    after = page.value("document.querySelectorAll('form[action=\"/disputes\"]').length")
    claims.claim("a disagreement that is settled is gone", after == before - 1 or before == 50)


def pictures_of_example(here: Scene, folder: Path) -> None:
    """The pictures of the guide, of an example of this repository."""
    here.run("cpa", "demo", "--at", str(here.folder / "demo"), limit=LIMIT)
    example = ROOT / "examples" / "therapist"
    bench = Bench(here.folder / "demo" / "therapist", example / "schema.yml", example / "example_data.csv", free_port())
    here.run("cpa", "gold", "draw", "random", "--size", "30", *bench.flags, limit=LIMIT)
    paths = {"home": "/", "review": "/review", "read": "/read", "quality": "/quality"}
    with browser(here) as page:
        base = named(page, served(here, bench, "served", "reference:annotations"), "ana")
        pictured(page, base, "/review", folder / "review.png")
        reviewed(page, base, 12, 3)
        done = kept(bench.home)[0]
        paths |= {"labels": f"/review/{done.draw_id}/0/labels", "conversation": f"/c/{quote(done.conversation_id)}"}
        counted(page, base)
        for name in paths.keys() - {"review"}:
            pictured(page, base, paths[name], folder / f"{name}.png")
        pictured(page, base, "/schema", folder / "schema.png", CHECKED)
        pictured(page, base, "/schema", folder / "types.png", "document.getElementById('types').scrollIntoView()")
        go(page, f"{base}/try?conversation={quote(done.conversation_id)}")
        for words, said in (("What would it cost?", "answered before"), ("Ask", "As edited")):
            page.click(words)
            page.see(said)
        page.value("document.getElementById('tags').scrollIntoView()")
        page.picture(folder / "try.png")
        page.ask("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
        page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        pictured(page, base, "/review", folder / "phone.png")


CHECKED = """(() => { const yaml = document.getElementById('yaml');
  yaml.value = yaml.value.replace(/definition: The person makes/, 'definition: Somebody makes');
  yaml.value = yaml.value.replace('role: user', 'role: usr');
  yaml.dispatchEvent(new Event('input')); document.getElementById('found').scrollIntoView({block: 'end'}); })()"""
"""Edits a definition and makes a mistake, as somebody does who types."""


def counted(page: Page, base: str) -> None:
    """Wait until the figures count everything."""

    def is_counted() -> bool:
        go(page, f"{base}/quality")
        return not re.search("being computed|not counted yet", page.text())

    wait(is_counted, 120, "figures that count everything", pause=2.0)


def pictured(page: Page, base: str, path: str, file: Path, script: str = "0") -> None:
    """A picture of a page, after a script on it."""
    go(page, base + path)
    page.value(script)
    time.sleep(1.5)
    page.picture(file)


def one_home(here: Scene, claims: Claims, name: str) -> None:
    """All of it on one data set."""
    bench = bench_of(here, name)
    home = bench.home
    here.run("cpa", "gold", "draw", "random", "--size", str(WANTED), *bench.flags, limit=LIMIT)
    with browser(here) as page:
        base = named(page, served(here, bench, "served"), "ana")
        began = time.monotonic()
        done = reviewed(page, base, WANTED // 2, 4)
        base = killed(here, page, claims, bench, base)
        done += reviewed(page, base, WANTED - done, 4)
        seconds = time.monotonic() - began
        size = conversations(home, "ana")
        claims.claim(f"{name}: conversations reviewed by keyboard alone: {size}", size == done and done > 1)
        base = named(page, f"{base}/", "ben")
        reviewed(page, base, 3, 3)
        disagreement(page, claims, home, base)
        edited(here, page, claims, base, bench)
        times = {
            path: statistics.median(go(page, base + path) for _ in range(5))
            for path in ("/", "/review", "/read", "/schema", "/quality")
        }
        arrived(here, claims, bench)
        linked(here, page, claims, bench)
    show(f"{name}: milliseconds of a page, median of five", [times])
    reviews = {"reviews": len(kept(home)), "conversations of ana": size, "seconds with the kill": round(seconds, 1)}
    show(f"{name}: reviews", [reviews])


def in_the_browser(claims: Claims) -> None:
    """Each data set in a scene of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="where the pictures of the guide are kept")
    parser.add_argument("--home", choices=(*SHARED, "therapist"), help="one data set alone")
    given = parser.parse_args()
    there = [name for name in SHARED if (DATA / name).is_dir()] or ["therapist"]
    for name in ["therapist"] if given.pictures else [given.home] if given.home else there:
        script = gold_script(DATA / name) if name == "star_booking" else None
        with scene() as here, ChatServer(Behaviour(script) if script else None) as server:
            here.environ |= {"CPA_COMPATIBLE_URL": server.url}
            if given.pictures:
                pictures_of_example(here, given.pictures)
            else:
                one_home(here, claims, name)


if __name__ == "__main__":
    sys.exit(proved(in_the_browser))
