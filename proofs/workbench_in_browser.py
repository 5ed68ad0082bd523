"""The workbench as reviewers use it: `cpa serve` in Chromium, by keyboard, killed and started again.

On star_booking of the shared data, tagged by a model on loopback that answers with its gold labels, else on an example.
Two reviewers, twenty conversations, an undo, SIGKILL in the middle of a conversation, a disagreement that is settled,
an edited schema. `--pictures docs/workbench` renews the pictures of the guide.
"""

import argparse
import os
import re
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from cpa_core.gold.reviews import Review
from proofs.devtools import Page, browser
from proofs.figures import Claims, proved, show
from proofs.report_in_browser import DATA, LIMIT, tagged
from proofs.scene import ROOT, Scene, scene, wait

WANTED = 20
CODES = {"Enter": 13, "Escape": 27}
OPEN = "document.querySelectorAll('[data-answered=no]').length"
READY = "document.readyState === 'complete' && !!document.querySelector('main')"


def press(page: Page, key: str) -> None:
    """One key of the keyboard."""
    about: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": CODES.get(key, ord(key[0].upper()))}
    text = "\r" if key == "Enter" else key
    page.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
    page.ask("Input.dispatchKeyEvent", type="keyUp", **about)


def home_of(here: Scene) -> tuple[Path, Path]:
    """A home that is tagged, and its schema's file, which may be edited."""
    source = DATA / "star_booking"
    example = ROOT / "examples" / "therapist"
    schema = here.folder / "schema.yml"
    schema.write_text(((source if source.is_dir() else example) / "schema.yml").read_text("utf-8"), "utf-8")
    if source.is_dir():
        return tagged(here, "star_booking", schema, source / "conversations.csv", []), schema
    return tagged(here, "therapist", schema, example / "example_data.csv", []), schema


def served(here: Scene, home: Path, schema: Path, name: str) -> str:
    """Start the workbench: the address that it prints."""
    here.start(name, "cpa", "serve", "--home", str(home), "--schema", str(schema))
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
        while page.value(OPEN):
            before = int(page.value(OPEN))
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


def killed(here: Scene, page: Page, claims: Claims, home: Path, schema: Path, base: str) -> str:
    """Answer two messages, kill the server, start it again: the address of the new one."""
    go(page, f"{base}/review")
    open_before = page.value(OPEN)
    for _ in range(2):
        before = int(page.value(OPEN))
        press(page, "n")
        answered(page, before)
    place = page.value("location.pathname")
    os.killpg(here.running.pop("served").pid, signal.SIGKILL)
    address = served(here, home, schema, "again")
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


def edited(page: Page, claims: Claims, base: str, schema: Path) -> None:
    """Edit the schema in the page, check, save; then against an edit by hand."""
    schema.write_text("# written by hand\n" + schema.read_text("utf-8"), "utf-8")
    go(page, f"{base}/schema")
    change = "document.getElementById('yaml').value = document.getElementById('yaml').value.replace(/definition: /, %s)"
    page.value(change % "'definition: In short, '")
    page.click("Check")
    page.see("What this changes")
    page.click("Save")
    wait(lambda: "In short, " in schema.read_text("utf-8"), 30, "the schema to be saved")
    claims.claim("the schema's comments survive", schema.read_text("utf-8").startswith("# written by hand\n"))
    page.value(change % "'definition: At length, '")
    by_hand = schema.read_text("utf-8") + "# meanwhile\n"
    schema.write_text(by_hand, "utf-8")
    page.click("Check")
    page.see("What this changes")
    page.click("Save")
    page.see("changed meanwhile")
    claims.claim("an edit by hand is not overwritten", schema.read_text("utf-8") == by_hand)


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
    home = here.folder / "demo" / "therapist"
    schema = ROOT / "examples" / "therapist" / "schema.yml"
    here.run("cpa", "gold", "draw", "random", "--home", str(home), "--schema", str(schema), limit=LIMIT)
    paths = {"home": "/", "review": "/review", "read": "/read", "schema": "/schema"}
    with browser(here) as page:
        base = named(page, served(here, home, schema, "served"), "ana")
        for name, path in paths.items():
            go(page, base + path)
            time.sleep(0.5)
            page.picture(folder / f"{name}.png")
        reviewed(page, base, 1, 3)
        go(page, f"{base}/review/{page_of(home)}/0/labels")
        page.picture(folder / "labels.png")


def page_of(home: Path) -> str:
    """The draw of the first review."""
    return str(kept(home)[0].draw_id)


def in_the_browser(claims: Claims) -> None:
    """All of it, in one sitting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="where the pictures of the guide are kept")
    given = parser.parse_args()
    with scene() as here:
        if given.pictures:
            pictures_of_example(here, given.pictures)
            return
        home, schema = home_of(here)
        here.run(
            "cpa",
            "gold",
            "draw",
            "random",
            "--size",
            str(WANTED),
            "--home",
            str(home),
            "--schema",
            str(schema),
            limit=LIMIT,
        )
        with browser(here) as page:
            base = named(page, served(here, home, schema, "served"), "ana")
            began = time.monotonic()
            done = reviewed(page, base, WANTED // 2, 4)
            base = killed(here, page, claims, home, schema, base)
            done += reviewed(page, base, WANTED - done, 4)
            seconds = time.monotonic() - began
            size = conversations(home, "ana")
            claims.claim(f"conversations reviewed by keyboard alone: {size}", size == done and done > 1)
            base = named(page, f"{base}/", "ben")
            reviewed(page, base, 3, 3)
            disagreement(page, claims, home, base)
            edited(page, claims, base, schema)
            times = {
                path: statistics.median(go(page, base + path) for _ in range(5))
                for path in ("/", "/review", "/read", "/schema")
            }
        here.run("cpa", "gold", "status", "--home", str(home), limit=LIMIT)
        here.run("cpa", "report", "--home", str(home), limit=LIMIT)
        show("milliseconds of a page, median of five", [times])
        show(
            "reviews",
            [{"reviews": len(kept(home)), "conversations of ana": size, "seconds with the kill": round(seconds, 1)}],
        )


if __name__ == "__main__":
    sys.exit(proved(in_the_browser))
