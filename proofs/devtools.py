"""Chromium without a window, moved through its DevTools protocol: go to, look for, click, take a picture."""

import base64
import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from proofs.scene import Failed, Scene, wait

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""How distributions and GitHub's runners call it."""
WIDTH, HEIGHT = 1400, 900

WAIT = 240.0
"""Seconds for something to appear on a page."""

SHOWN = 1500
"""Characters of a page that are shown where a proof cannot go on."""

CENTRE = """(() => {
  const wanted = %s;
  const seen = e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0; };
  const found = [...document.querySelectorAll(%s)].filter(
    e => seen(e) && !e.disabled && e.innerText.trim().replace(/\\s+/g, ' ').startsWith(wanted));
  if (!found.length) return null;
  const last = found[found.length - 1];
  let r = last.getBoundingClientRect();
  if (r.bottom > innerHeight || r.top < 0) { last.scrollIntoView({block: 'center'}); r = last.getBoundingClientRect(); }
  return [r.x + r.width / 2, r.y + r.height / 2];
})()"""


@dataclass
class Page:
    """One page of the browser. `events` are what it told without being asked."""

    socket: ClientConnection
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    events: list[Any] = field(default_factory=list)

    def ask(self, method: str, **given: Any) -> Any:
        """One command of the protocol and its result. Raises Failed."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": given}))
        while True:
            said = json.loads(self.socket.recv(timeout=WAIT))
            if said.get("id") == number:
                if "error" in said:
                    raise Failed(f"{method}: {said['error']['message']}")
                return said["result"]
            self.events.append(said)

    def value(self, script: str) -> Any:
        """What a script evaluates to on the page."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise Failed(str(result["exceptionDetails"])[:500])
        return result["result"].get("value")

    def text(self) -> str:
        """The words on the page."""
        return str(self.value("document.body ? document.body.innerText : ''"))

    def has_line(self, words: str) -> bool:
        """Whether these words, and no others, stand on a line of the page."""
        return any(line.strip() == words for line in self.text().splitlines())

    def go(self, url: str, words: str) -> None:
        """Open an address and wait until these words are there."""
        self.ask("Page.navigate", url=url)
        self.see(words)

    def see(self, words: str, limit: float = WAIT) -> None:
        """Wait for words on the page. Raises Failed."""
        wait(lambda: words in self.text(), limit, f"{words!r} on the page")

    def see_focus(self, tag: str) -> None:
        """Wait until the cursor is in an element of this kind. Raises Failed."""
        wait(lambda: self.value(f"document.activeElement?.matches('{tag}')"), WAIT, f"the cursor in an {tag}")

    def click(self, words: str, kind: str = "button, a") -> None:
        """Click with the mouse on the last visible element of a kind that begins with these words."""
        x, y = wait(lambda: self._resting(CENTRE % (json.dumps(words), json.dumps(kind))), WAIT, f"{words or kind}")
        for event in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {"button": "left", "clickCount": 1} if event != "mouseMoved" else {}
            self.ask("Input.dispatchMouseEvent", type=event, x=x, y=y, **button)

    def _resting(self, script: str) -> Any:
        """A place that a script names, once it moves no longer: windows slide in."""
        before = self.value(script)
        time.sleep(0.5)
        return before if before == self.value(script) else None

    def write(self, words: str) -> None:
        """Replace what stands in the editor that is in front by these words, as by hand."""
        self.click("", kind=".CodeMirror-lines")
        self.replace(words)

    def replace(self, words: str) -> None:
        """Select all that stands where the cursor is, and type words over it."""
        key = {"key": "a", "code": "KeyA", "windowsVirtualKeyCode": 65, "modifiers": 2}
        self.ask("Input.dispatchKeyEvent", type="keyDown", commands=["selectAll"], **key)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **key)
        self.ask("Input.insertText", text=words)

    def enter(self, words: str) -> None:
        """Type words over what stands where the cursor is, and the Enter key."""
        self.replace(words)
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **key)

    def picture(self, path: Path) -> None:
        """Save what is seen as PNG."""
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))


def chromium() -> str:
    """The program of this machine. Raises Failed, naming Debian's package."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise Failed("Chromium is not installed: apt-get install chromium")
    return found


@contextmanager
def browser(here: Scene) -> Iterator[Page]:
    """A page of a fresh browser; it ends with its scene."""
    profile = here.folder / "chromium"
    size = f"--window-size={WIDTH},{HEIGHT}"
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--hide-scrollbars", size]
    here.start("chromium", chromium(), *flags, f"--user-data-dir={profile}", "about:blank")
    port_file = profile / "DevToolsActivePort"
    wait(lambda: port_file.exists() and "\n" in port_file.read_text("utf-8"), WAIT, "Chromium")
    port = port_file.read_text("utf-8").split("\n")[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=WAIT) as response:
        pages = [one for one in json.loads(response.read()) if one["type"] == "page"]
    with connect(pages[0]["webSocketDebuggerUrl"], max_size=None) as socket:
        page = Page(socket)
        page.ask("Page.enable")
        page.ask("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        try:
            yield page
        except Failed as reason:
            raise Failed(f"{reason}; the page shows: {' '.join(page.text().split())[:SHOWN]}") from reason
