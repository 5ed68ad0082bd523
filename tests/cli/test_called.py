"""Commands in messages run as they stand: by the name that was typed, with the home and schema that were named."""

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli import main
from cpa_core.cli.called import called_as, runnable
from cpa_core.cli.main import commands
from tests.support.labelled import labelled_home, talks

ROOT = Path(__file__).parents[2] / "cpa_core"


@pytest.fixture(autouse=True)
def _typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is not on the PATH: it is typed by its place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "tools" / "cpa")])


def every_command() -> dict[str, Any]:
    """The commands by name, those in groups too."""
    tops = commands().commands.items()
    inner = {f"{name} {each}": one for name, top in tops for each, one in getattr(top, "commands", {}).items()}
    return inner | {name: top for name, top in tops if not hasattr(top, "commands")}


NAMES = "|".join(sorted(every_command(), key=len, reverse=True))
MENTION = re.compile(rf"(?<![\w./-])(\S*\bcpa) ({NAMES})(?![\w-])([^;,]*)")
"""A command in a message: how it is called, its name, and what follows it."""


def messages() -> Iterator[str]:
    """Every text of the library that names a command, but for docstrings; X stands for what is filled in."""
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        said = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        parts = {id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in one.values}
        for one in ast.walk(tree):
            if id(one) in said | parts or not isinstance(one, ast.Constant | ast.JoinedStr):
                continue
            pieces = one.values if isinstance(one, ast.JoinedStr) else [one]
            text = "".join(str(piece.value) if isinstance(piece, ast.Constant) else "X" for piece in pieces)
            if MENTION.search(text):
                yield text


@pytest.mark.parametrize("text", sorted(set(messages())))
def test_every_message_names_commands_and_flags_that_exist_and_prints_them_as_they_are_called(text: str) -> None:
    known = every_command()
    for _, name, rest in MENTION.findall(text):
        flags = set(re.findall(r"--[a-z][a-z-]+", rest.partition("cpa ")[0]))
        assert flags <= {flag for option in known[name].params for flag in option.opts} | {"--help"}
    with called_as(["status", "--home", "my home"], commands()):
        found = MENTION.findall(runnable(text))
    assert len(found) == len(MENTION.findall(text))
    for called, name, rest in found:
        takes = any("--home" in option.opts for option in known[name].params)
        assert called.strip("`'\"(") == "tools/cpa"
        assert not takes or rest.startswith(" --home 'my home'") or "--home" in rest


@pytest.mark.parametrize(
    ("words", "line", "printed"),
    [
        ("status --home h", "next: cpa show c1", "next: tools/cpa show --home h c1"),
        ("status --home=h", "cpa quote, then cpa run", "tools/cpa quote --home h, then tools/cpa run --home h"),
        ("", "cpa status", "tools/cpa status"),
        ("status", "cpa gold draw random; cpa gold --help", "tools/cpa gold draw random; tools/cpa gold --help"),
        ("land --home h x", "say\n  cpa land --home h x --day D", "say\n  tools/cpa land --home h x --day D"),
        ("demo --home h", "cpa demo; cpa run --help", "tools/cpa demo; tools/cpa run --help"),
        ("gold draw --schema s", "cpa gold export; cpa show", "tools/cpa gold export --schema s; tools/cpa show"),
        ("status --home h", "written by cpa 1.2; .venv/bin/cpa run", "written by cpa 1.2; .venv/bin/cpa run"),
    ],
)
def test_a_command_has_the_typed_name_and_home(words: str, line: str, printed: str) -> None:
    with called_as(words.split(), commands()):
        assert runnable(line) == printed


def test_the_next_steps_of_a_list_and_of_a_draw_run_as_they_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = labelled_home(tmp_path, talks(20))
    home, schema = made.assistant.settings.home, made.home.environ["CPA_SCHEMA"]
    for line in (f"conversations --home {home}", f"gold draw random --size 5 --home {home} --schema {schema}"):
        assert main(line.split(), {}) == 0
        said = capsys.readouterr().out
        for step in re.findall(r"^(?:next:|  ) ?(tools/cpa .*)$", said, re.MULTILINE):
            words = shlex.split(step)[1:]
            assert words[-1] == "EXPORT" or main(words, {}) == 0
        assert "next: tools/cpa " in said


def test_peoples_texts_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(
        '{"conversation_id":"c","role":"user","content":"cpa run fails","timestamp":"2026-03-04T09:00:00Z"}'
    )
    assert main(["land", "--explain", str(file), "--home", str(tmp_path / "h")], {}) == 0
    assert "user: cpa run fails\n" in capsys.readouterr().out
