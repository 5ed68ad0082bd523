"""The report as people open it: a file in Chromium, with every chart drawn, every drill-down opened, nothing fetched.

Both examples; star_booking and mathdial, tagged through a model on loopback that answers with their gold labels, where
the shared data are; and a home whose messages, event types and properties are scripts.
`--pictures docs` renews the pictures of the example.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proofs.devtools import Page, browser
from proofs.figures import Claims, proved, show
from proofs.scene import ROOT, Scene, scene, wait
from tests.servers.chat_completions import Behaviour, ChatServer
from tests.servers.gold import gold_script

DATA = ROOT.parent / "shared" / "data"
GOLD = {"star_booking": [], "mathdial": ["--day", "2026-03-02"]}
EXAMPLES = ("therapist", "tax_advisor")
REPORTS = (*EXAMPLES, *GOLD, "scripts")
SIZES = {"desktop": (1280, 900), "tall": (1280, 1640), "phone": (390, 844)}
LIMIT = 300.0
DRAWN = "document.documentElement?.dataset.charts === 'drawn'"
WRONG = ("Runtime.exceptionThrown", "Log.entryAdded")

OPENED = """(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const dialog = document.getElementById('drill');
  const failed = [], opened = new Set();
  const open = (key, press) => {
    press();
    const drill = data.drills[key];
    const first = dialog.querySelector('.inside');
    const is_good = drill && dialog.open && dialog.querySelector('h2').textContent === drill.title
      && dialog.querySelectorAll('article').length === drill.examples.length && first && first.querySelector('.made');
    if (is_good) opened.add(key); else failed.push(key);
    if (dialog.open) dialog.close();
  };
  for (const button of document.querySelectorAll('[data-drill]')) open(button.dataset.drill, () => button.click());
  const marks = {};
  for (const mark of document.querySelectorAll('[data-chart] svg *')) {
    const key = mark.__data__?.datum?.drill;
    if (!key) continue;
    const chart = mark.closest('[data-chart]').dataset.chart;
    marks[chart] = (marks[chart] ?? 0) + 1;
    if (!opened.has(key)) open(key, () => mark.dispatchEvent(new MouseEvent('click', { bubbles: true })));
  }
  const unopened = Object.keys(data.drills).filter(key => !opened.has(key));
  return { opened: opened.size, of: Object.keys(data.drills).length, failed, unopened, marks };
})()"""

CHARTS = """[...document.querySelectorAll('[data-chart]')].map(place => {
  const kinds = ['rect', 'area', 'line', 'symbol'].map(kind => `svg .mark-${kind} path`);
  const marks = [...place.querySelectorAll(kinds.join())];
  const seen = marks.filter(mark => { const box = mark.getBoundingClientRect(); return box.width + box.height > 1; });
  return { chart: place.dataset.chart, marks: seen.length, described: !!place.querySelector('[aria-label]') };
})"""

NAMED = """[...document.querySelectorAll('button, input, select, summary, a')].filter(
  e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.closest('label')?.textContent.trim())).length"""

SCRIPT = "window.struck = (window.struck ?? 0) + 1"
STRIKES = (
    f"<script>{SCRIPT}</script>",
    f'"><img src=x onerror="{SCRIPT}">',
    f"</script><script>{SCRIPT}</script>",
    f"<svg onload={SCRIPT.replace(' ', '')}>",
    "javascript:" + SCRIPT,
    "{{7*7}} ${7*7} <!-- <script>",
)


def homes(here: Scene, wanted: Sequence[str]) -> dict[str, Path]:
    """Homes with everything tagged and judged, by name."""
    found: dict[str, Path] = {}
    if set(EXAMPLES) & set(wanted):
        here.run("cpa", "demo", "--at", str(here.folder / "demo"), limit=LIMIT)
        found = {name: here.folder / "demo" / name for name in EXAMPLES if name in wanted}
    for name, more in GOLD.items():
        if name in wanted and (DATA / name).is_dir():
            found[name] = tagged(here, name, DATA / name / "schema.yml", DATA / name / "conversations.csv", more)
        elif name in wanted:
            print(f"{name}: the shared data are not here, left out")
    return found | ({"scripts": scripts(here)} if "scripts" in wanted else {})


def tagged(here: Scene, name: str, schema: Path, source: Path, more: list[str]) -> Path:
    """A home tagged and judged by a model on loopback; with gold labels beside the source, by these."""
    home = here.folder / name
    has_gold = (source.parent / "gold.csv").exists()
    with ChatServer(Behaviour(gold_script(source.parent)) if has_gold else None) as server:
        here.environ |= {"CPA_COMPATIBLE_URL": server.url}
        line = ["run", str(source), "--schema", str(schema), "--model", "compatible:gold", "--home", str(home), *more]
        here.run("cpa", *line, limit=LIMIT)
    return home


def scripts(here: Scene) -> Path:
    """A home in which everything that people or a model may write is a script."""
    folder = here.folder / "in"
    folder.mkdir()
    said = {
        f"c{n} {strike}": {
            "user_id": strike,
            "messages": [
                {"role": role, "content": f"{strike} {n} {m}", "timestamp": f"2026-03-0{1 + n % 3}T09:0{m}:00Z"}
                for m, role in enumerate(("user", "assistant") * 3)
            ],
        }
        for n, strike in enumerate(STRIKES * 3)
    }
    (folder / "chats.json").write_text(json.dumps(said), "utf-8")
    kind = {"definition": "D.", "properties": {"Tone " + STRIKES[1]: {"definition": "D.", "choices": list(STRIKES)}}}
    tree = {
        "assistant": {"name": STRIKES[0], "description": STRIKES[1]},
        "llm_judge_criteria": {"primary_goals": [STRIKES[0], STRIKES[2]], "dealbreakers": [STRIKES[1]]},
        "event_types": [
            {"name": f"{role} {strike}", "role": role, **kind} for role in ("user", "assistant") for strike in STRIKES
        ],
    }
    (here.folder / "scripts.yml").write_text(json.dumps(tree), "utf-8")
    return tagged(here, "scripts", here.folder / "scripts.yml", folder / "chats.json", [])


def looked_at(here: Scene, page: Page, claims: Claims, name: str, home: Path) -> dict[str, Any]:
    """Open a report and do what a reader does: its figures."""
    more = ["--privacy", "full", "--change", "2026-03-02", STRIKES[0]] if name == "scripts" else []
    here.run("cpa", "report", "--home", str(home), *more, limit=LIMIT)
    path = home / "report.html"
    page.events.clear()
    page.ask("Page.navigate", url=path.as_uri())
    wait(lambda: page.value(DRAWN), 60, f"{name}: the charts")
    charts = page.value(CHARTS)
    opened = page.value(OPENED)
    claims.claim(f"{name}: every chart draws: {len(charts)}", bool(charts) and all(c["marks"] for c in charts))
    claims.claim(f"{name}: every chart is described", all(chart["described"] for chart in charts))
    held = not opened["failed"] and not opened["unopened"] and opened["opened"] > 50
    claims.claim(f"{name}: every drill-down opens: {opened['opened']} of {opened['of']}", held)
    if not held:
        print(opened["failed"][:5], opened["unopened"][:5])
    claims.claim(f"{name}: every control has a name", page.value(NAMED) == 0)
    claims.claim(f"{name}: one main heading, every table cell has its heading", page.value(HEADINGS))
    searched(page, claims, name)
    narrow(page, claims, name)
    quiet(page, claims, name, path)
    if name == "scripts":
        claims.claim("scripts: none has run", page.value("window.struck === undefined"))
        foreign = page.value("document.querySelectorAll('img, iframe, object, embed, link, svg[onload]').length")
        claims.claim("scripts: none has become an element", foreign == 0)
        shown = page.value(f"document.body.textContent.includes({json.dumps(STRIKES[0])})")
        claims.claim("scripts: their words are on the page", shown)
    return {
        "report": name,
        "kB": path.stat().st_size // 1000,
        "charts": len(charts),
        "marks": sum(opened["marks"].values()),
        "drill-downs": opened["opened"],
    }


HEADINGS = """document.querySelectorAll('h1').length === 1
  && [...document.querySelectorAll('thead th')].every(e => e.scope === 'col')
  && [...document.querySelectorAll('tbody tr')].every(e => e.querySelector('th[scope=row], [colspan]'))
  && [...document.querySelectorAll('table')].every(e => e.caption)"""


def searched(page: Page, claims: Claims, name: str) -> None:
    """Search and filter, and open with the keyboard alone."""
    count = "document.querySelectorAll('#explorer article').length"
    every = page.value(count)
    fill = """(() => { const field = document.querySelector('#explorer [name=%s]'); field.value = %s;
        field.dispatchEvent(new Event('input', { bubbles: true })); return %s; })()"""
    one = page.value("JSON.parse(document.getElementById('data').textContent).conversations[0].id")
    found = page.value(fill % ("words", json.dumps(one), count))
    nothing = page.value(fill % ("words", "'no such words anywhere'", count))
    page.value(fill % ("words", "''", count))
    bad = page.value(fill % ("score", "'bad'", "document.querySelector('.found').textContent"))
    page.value(fill % ("score", "''", count))
    claims.claim(
        f"{name}: search and filter: {every} shown, {found} by id, {bad}", 1 <= found <= every and nothing == 0
    )
    page.value("document.querySelector('.figures [data-drill]').focus()")
    press(page, "Enter", "\r")
    is_open = wait(lambda: page.value("document.getElementById('drill').open"), 10, "the drill-down")
    press(page, "Escape")
    closed = wait(lambda: page.value("!document.getElementById('drill').open"), 10, "its end")
    back = page.value("document.activeElement.matches('.figures [data-drill]')")
    claims.claim(f"{name}: Enter opens, Escape closes, the focus comes back", bool(is_open and closed and back))


def press(page: Page, key: str, text: str = "") -> None:
    """One key."""
    number = {"Enter": 13, "Escape": 27}[key]
    told = {"key": key, "code": key, "windowsVirtualKeyCode": number}
    page.ask("Input.dispatchKeyEvent", type="keyDown", **told, **({"text": text} if text else {}))
    page.ask("Input.dispatchKeyEvent", type="keyUp", **told)


def narrow(page: Page, claims: Claims, name: str) -> None:
    """As a phone shows it, and on paper."""
    sized(page, "phone")
    width = page.value("document.documentElement.scrollWidth")
    claims.claim(f"{name}: on a phone nothing is wider than the screen: {width} px", width <= SIZES["phone"][0])
    sized(page, "desktop")
    printed = page.ask("Page.printToPDF", printBackground=True)["data"]
    claims.claim(f"{name}: it prints", len(printed) > 50_000)


def sized(page: Page, size: str) -> None:
    """The window of a device."""
    width, height = SIZES[size]
    page.ask(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size == "phone"
    )


def quiet(page: Page, claims: Claims, name: str, path: Path) -> None:
    """What the browser said meanwhile: no error, and no request but the one for the file."""
    page.value("1")
    wrong = [one for one in page.events if one["method"] in WRONG]
    wrong += [
        one
        for one in page.events
        if one["method"] == "Runtime.consoleAPICalled" and one["params"]["type"] in ("error", "warning", "assert")
    ]
    claims.claim(f"{name}: no console error", not wrong)
    for one in wrong[:3]:
        print(json.dumps(one)[:600])
    asked = [one["params"]["request"]["url"] for one in page.events if one["method"] == "Network.requestWillBeSent"]
    claims.claim(f"{name}: no request leaves the page", asked == [path.as_uri()])


def pictures(page: Page, folder: Path, home: Path) -> None:
    """The example's report: light, dark, on a phone, on paper, and a drill-down."""
    to_paths = "document.getElementById('paths').scrollIntoView()"
    to_drill = "document.querySelectorAll('#issues [data-drill]')[1].click()"
    shots = {
        "report": ("tall", "light", "screen", "0"),
        "report-dark": ("desktop", "dark", "screen", to_paths),
        "report-phone": ("phone", "light", "screen", "0"),
        "report-print": ("desktop", "light", "print", "0"),
        "report-drill": ("desktop", "light", "screen", to_drill),
    }
    for name, (size, scheme, media, script) in shots.items():
        sized(page, size)
        page.ask(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        page.ask("Page.navigate", url=(home / "report.html").as_uri())
        wait(lambda: page.value(DRAWN), 60, "the charts")
        page.value("document.documentElement.style.scrollBehavior = 'auto'")
        page.value(script)
        time.sleep(0.5)
        page.picture(folder / f"{name}.png")


def in_the_browser(claims: Claims) -> None:
    """Every report, looked at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="where the pictures of the example are kept")
    parser.add_argument("--only", nargs="+", choices=REPORTS, default=REPORTS, help="some of the reports")
    given = parser.parse_args()
    kept: Path | None = given.pictures
    rows = []
    with scene() as here:
        found = homes(here, given.only)
        with browser(here) as page:
            for domain in ("Runtime", "Log", "Network"):
                page.ask(f"{domain}.enable")
            sized(page, "desktop")
            for name, home in found.items():
                rows.append(looked_at(here, page, claims, name, home))
            if kept and "therapist" in found:
                pictures(page, kept, found["therapist"])
    show("reports", rows)


if __name__ == "__main__":
    sys.exit(proved(in_the_browser))
