"""The README's demo is what the demo prints."""

from pathlib import Path

import pytest

from cpa_core.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_demo_in_the_readme_is_what_the_demo_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"], {}) == 0
    shown = README.split("<!-- demo -->\n```\n")[1].split("\n```\n<!-- /demo -->")[0]
    assert shown in capsys.readouterr().out
