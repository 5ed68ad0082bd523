"""The README's demo is what the demo prints, and the worked example of the Python API runs on it."""

import html
import re
from pathlib import Path

import pytest

from cpa_core.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_the_demo_in_the_readme_is_what_the_demo_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"], {}) == 0
    shown = README.split("<!-- demo -->\n```\n")[1].split("\n```\n<!-- /demo -->")[0]
    assert shown in capsys.readouterr().out
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], {})
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "start").glob("*.svg")), ids=lambda path: path.name)
def test_a_recorded_terminal_fetches_nothing_and_shows_what_the_readme_shows(path: Path) -> None:
    drawn = path.read_text("utf-8")
    assert not re.search(r"@import|url\((?!#)|href", drawn), "a picture that fetches something"
    said = html.unescape("\n".join(re.findall(r"<text [^>]*>(.*?)</text>", drawn))).replace("\xa0", " ")
    shown = README.split("<!-- demo -->\n```\n")[1].split("\n```\n<!-- /demo -->")[0]
    lines = [line for line in shown.splitlines() if line and "demo" in path.name]
    words = {word for line in lines for word in line.split()}
    assert words <= set(said.split())
    assert "$" in said.split() and "cpa" in said.split()
