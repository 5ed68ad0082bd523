"""The README's demo is what the demo prints, and the worked example of the Python API runs on it."""

import re
from pathlib import Path

import pytest

from cpa_core.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


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
