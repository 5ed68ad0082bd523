"""The README tells the truth: its commands exist, and its demo output is the demo's."""

import re
import shlex
from pathlib import Path

import pytest

from cpa_core.cli import main
from tests.support.commands import is_understood

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line[2:].split("#")[0].strip() for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) > 5
    return lines


def test_every_cpa_command_in_the_readme_is_understood() -> None:
    found = [line.split("cpa ", 1)[1] for line in commands() if ".venv/bin/cpa " in line]
    assert found
    for line in found:
        assert is_understood(shlex.split(line)), line


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for line in commands():
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE), line


def test_the_demo_in_the_readme_is_what_the_demo_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"], {}) == 0
    shown = README.split("<!-- demo -->\n```\n")[1].split("\n```\n<!-- /demo -->")[0]
    assert shown in capsys.readouterr().out


def test_every_file_that_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
