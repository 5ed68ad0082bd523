"""At a terminal: bad surroundings and slips of the pen get one clear line with the way out, pipes end quietly."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.store import Store

Captured = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def cpa(line: str, **environ: str) -> int:
    return main(line.split(), environ)


def error(line: str, captured: Captured, **environ: str) -> str:
    """The one line, or the line and its way out, that a command ends with; never a traceback."""
    assert cpa(line, **environ) == 2
    said = captured.readouterr().err
    assert said.startswith("error: ") and said.count("error:") == 1 and "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rnu", "no such command 'rnu'; did you mean 'run'?"),
        ("schema chek x", "no such command 'chek'; did you mean 'check'?"),
        ("run --shema x", "no such option: --shema; did you mean --schema?"),
        ("land x --hmoe y", "no such option: --hmoe; did you mean --home?"),
        ("schema", "missing command: one of check, diff, propose, accept\n  cpa schema --help"),
        ("run --map rol=x", "did you mean role?"),
        ("run --roles usr=x", "did you mean user?"),
        ("run --privacy no_txt", "did you mean no_text?"),
        ("show", "missing argument 'CONVERSATION'"),
        ("run --day", "option '--day' requires an argument"),
        ("export --out x --format cvs", "'cvs' is not one of 'parquet', 'csv'"),
    ],
)
def test_a_slip_gets_what_was_meant(line: str, words: str, capsys: Captured) -> None:
    assert words in error(line, capsys)


def test_a_misspelt_setting_gets_what_was_meant(capsys: Captured) -> None:
    assert "did you mean CPA_BUDGET?" in error("status", capsys, CPA_BUDGTE="5")


COMMANDS = (
    *("status", "show c1", "quote chats.json", "run chats.json", "land chats.json", "report", "restore", "compact"),
    *("conversations", "export --out x", "init chats.json", "schema accept", "gold status"),
)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_home_that_is_a_file_is_named(line: str, capsys: Captured) -> None:
    Path("afile").write_text("x")
    for home in ("afile", "afile/home"):
        assert "afile is a file, but the home must be a folder" in error(f"{line} --home {home}", capsys)


@pytest.mark.parametrize("line", ["land chats.jsonl --home /sys/cpa", "demo --at /sys/cpa"])
def test_a_home_that_cannot_be_written_is_named(line: str, capsys: Captured) -> None:
    record = '{"conversation_id":"c","role":"user","content":"x","timestamp":"2026-03-04T09:00:00Z"}'
    Path("chats.jsonl").write_text(record)
    said = error(line, capsys)
    assert "/sys/cpa" in said and "name another folder (CPA_HOME, --home)" in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("land nowhere/chats.json", "nowhere/chats.json"),
        ("land --explain nowhere/chats.json", "nowhere/chats.json"),
        ("run a.json --schema nowhere/schema.yml --model reference:annotations", "nowhere/schema.yml: no such file"),
        ("schema check nowhere/schema.yml", "nowhere/schema.yml: no such file"),
        ("schema accept nowhere/schema.yml --as schema.yml", "nowhere/schema.yml: no such file"),
        ("init nowhere/chats.json --model reference:annotations", "nowhere/chats.json"),
        ("status --home nowhere", "nowhere: no store is here yet; begin with cpa land --home nowhere SOURCE"),
        ("compact --home nowhere", "nowhere: no store is here yet; begin with cpa land --home nowhere SOURCE"),
        ("gold import nowhere/labels.csv --home nowhere", "nowhere: no store is here yet"),
    ],
)
def test_a_file_or_folder_that_is_missing_is_named(line: str, words: str, capsys: Captured) -> None:
    assert words in error(line, capsys)
    assert not Path("nowhere").exists()


OLD_PYTHON = """#!/bin/sh
[ "$1" = -c ] || exit 1
exec {python} -c "import sys; sys.version_info = (3, 9, 18); exec(sys.argv[1])" "$2"
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_installation_with_an_older_python_ends_with_one_line() -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, ".")
    Path("old").write_text(OLD_PYTHON.format(python=sys.executable))
    Path("old").chmod(0o755)
    done = subprocess.run(["make", "PYTHON=./old", "demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and not Path(".venv").exists()
    first = done.stderr.splitlines()[0]
    assert first == "Python 3.11 or newer is needed; this is 3.9: make PYTHON=python3.11"


def _text(whole: bytes) -> bytes:
    return b"not a database " * 1000


def _cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 8]


def _noise(whole: bytes) -> bytes:
    return whole[:12288] + b"\xa5" * (len(whole) - 12288)


@pytest.mark.parametrize("damage", [_text, _cut, _noise])
def test_a_damaged_database_is_left_as_it_is_and_the_way_out_is_named(
    damage: Callable[[bytes], bytes], capsys: Captured
) -> None:
    store = Store(Path("home"))
    with store.writing() as transaction:
        transaction.insert("answers", [{"answer_id": str(n), "answer": str(n) * 99} for n in range(9000)])
    damaged = damage(store.path.read_bytes())
    store.path.write_bytes(damaged)
    said = error("status --home home", capsys)
    assert "home/cpa.duckdb: cannot be opened" in said and "cpa restore SOURCE --home home" in said
    assert store.path.read_bytes() == damaged


def test_a_folder_where_a_file_must_be_is_named(capsys: Captured) -> None:
    assert cpa("demo") == 0
    capsys.readouterr()
    assert "is a folder; name the file to write" in error("report --home .demo/therapist --out .", capsys)
    Path("afile").write_text("x")
    assert "a file is where a folder must be" in error("export --home .demo/therapist --out afile/x", capsys)


def test_a_reader_that_has_seen_enough_ends_a_command_quietly() -> None:
    script = "import sys; from cpa_core.cli import main; [main(['run', '--help'], {}) for _ in range(20)]"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stderr is not None
        writer.stdout.readline()
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0


def test_the_command_alone_shows_help_and_ends_with_two(capsys: Captured) -> None:
    assert cpa("") == 2
    assert "Begin here" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_and_flags_are_completed(shell: str) -> None:
    def completed(words: str) -> str:
        environ = {**os.environ, "_CPA_COMPLETE": f"complete_{shell}", "COMP_WORDS": words}
        environ |= {"COMP_CWORD": str(words.count(" ")), "_TYPER_COMPLETE_ARGS": words}
        environ |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        command = [sys.executable, "-m", "cpa_core.cli"]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    assert "status" in completed("cpa sta")
    assert "--schema" in completed("cpa run --sch")
