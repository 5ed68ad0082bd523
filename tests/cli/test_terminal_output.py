"""Every command's output: as golden files at 80 and 120 columns with colour and through a pipe, and as JSON by schema.

WRITE_GOLDEN=1 writes the files anew. `\\e` stands for the escape character; what changes with machine or clock is N.
"""

import contextlib
import json
import os
import re
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cpa_core.cli import main
from cpa_core.cli.facts import FACTS
from cpa_core.cli.main import commands
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.gold.ledger import merge_gold
from tests.support import labelled

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "terminal"
SCHEMA = ROOT / "docs" / "reference" / "output.schema.json"
THERAPIST = ROOT / "examples" / "therapist"
HOME = "--home .demo/therapist"
GOLD = "--schema gold/schema.yml"
RUN = "chats.json --schema schema.yml --model reference:annotations"
LINES = {
    "demo": "demo",
    "land": "land chats.json --home WAY-landed",
    "land-explain": "land --explain chats.json",
    "status-after-land": "status --home landed",
    "quote": f"quote {RUN} --home WAY-quoted",
    "run": f"run {RUN} --home WAY",
    "run-dry": f"run --dry-run --day 2026-03-02 {HOME}",
    "status": f"status {HOME}",
    "status-stale": f"status {HOME} --schema other.yml",
    "conversations": f"conversations {HOME} --below 60",
    "show": f"show therapist-08 {HOME}",
    "report": f"report {HOME}",
    "export": f"export {HOME} --out tables --format csv",
    "restore": f"restore {RUN} {HOME}",
    "compact": "compact --home WAY-gold",
    "upgrade": f"upgrade --dry-run {RUN.replace('chats.json ', '')} {HOME}",
    "doctor": f"doctor {RUN} {HOME} --no-ask",
    "schema-check": "schema check schema.yml",
    "schema-check-broken": "schema check broken.yml",
    "schema-diff": f"schema diff schema.yml other.yml {HOME} --model reference:annotations",
    "schema-propose": "schema propose chats.json --out WAY.yml --model reference:annotations --home WAY",
    "schema-accept": f"schema accept {HOME}",
    "gold-draw": f"gold draw random --size 5 {GOLD} --home WAY-gold",
    "gold-plan": f"gold plan --label Asking {GOLD} --home gold/home",
    "gold-import": f"gold import labels.csv {GOLD} --home WAY-gold",
    "gold-export": f"gold export --out WAY-labels.csv {GOLD} --home gold/home",
    "gold-status": "gold status --home gold/home",
    "gold-same": f"gold same --label Asking {GOLD} --home WAY-gold",
    "gold-errors": "gold errors --home gold/home",
}
"""The commands. None changes what another shows, so that they may run in any order and in several processes."""
SAME_FACTS = {"demo", "run", "status-after-land", "status-stale", "restore", "schema-accept"}
"""Those whose JSON another line shows, or that change what others find."""
BROKEN = """\
assistant: {name: Ada}
event_types:
- name: Question
  defintion: It asks.
  role: usr
- name: Answer
  definition: It answers.
  role: assistant
  properties: {Tone: {definition: Its tone, choices: warm}}
"""
VOLATILE = (
    (r"\d+\.\d s\b", "N s"),
    (r"[\d,]+(\.\d+)? [GMK]?B\b", "N MB"),
    (r"the disk (lasts for more than ten years|is full in [\d,]+ days)", "the disk lasts"),
    (r"[\d,]+ rows", "N rows"),
    (r"ok: versions: [^\n]*(\n(?!ok)[^\n]*)*", "ok: versions: N"),
    (r"ok: python: [\d.]+", "ok: python: N"),
    (r"migration \d+", "migration N"),
    (r"\bdraw [0-9a-f]{12}\b", "draw N"),
    (
        r"formats;\s+\S*/example_data\.json\s+is\s+one\s+of\s+the\s+simplest\)",
        "formats; EXAMPLE is one of the simplest)",
    ),
)


class Terminal(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(line: str, stream: StringIO) -> str:
    """What a command prints there, then its errors."""
    errors = StringIO()
    with redirect_stdout(stream), redirect_stderr(errors):
        main(line.split(), {})
    return stream.getvalue() + errors.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's homes, some transcripts and a schema, another schema, and one that is broken."""
    made = tmp_path_factory.mktemp("terminal")
    whole = json.loads((THERAPIST / "example_data.json").read_text("utf-8"))
    few = dict(list(whole.items())[:4])
    (made / "chats.json").write_text(json.dumps(few), "utf-8")
    schema = (THERAPIST / "schema.yml").read_text("utf-8")
    (made / "schema.yml").write_text(schema, "utf-8")
    (made / "other.yml").write_text(schema.replace("name: Resistance", "name: Pushback"), "utf-8")
    (made / "broken.yml").write_text(BROKEN, "utf-8")
    labelled_by_people(made / "gold")
    with contextlib.chdir(made), redirect_stdout(StringIO()):
        assert main(["demo"], {}) == 0
        assert main(["land", "chats.json", "--home", "landed"], {}) == 0
        assert main(f"run {RUN} {HOME}".split(), {}) == 0
    return made


def labelled_by_people(folder: Path) -> None:
    """A home in which people drew and read conversations, copies of it for what changes a home, a file of labels."""
    gold = labelled.labelled_home(folder, labelled.talks(60, length=6))
    drawn = draw_gold(gold.assistant, WantedDraw(way="random", size=40))
    gold.read([int(item.conversation_id[1:]) for item in drawn.items][:35], draw_id=drawn.draw_id)
    earlier = labelled.SCHEMA.event_types[0].model_copy(update={"definition": "The user asks for anything."})
    earlier_schema = labelled.SCHEMA.model_copy(update={"event_types": (earlier, *labelled.SCHEMA.event_types[1:])})
    gold.read([1, 2], "bo", earlier_schema)
    merge_gold(gold.assistant)
    for way in ("at80", "at120", "piped", "as_json"):
        shutil.copytree(folder / "home", folder.parent / f"{way}-gold")
    labels = "conversation_id,message_id,event_type,annotator\nc0001,m0,Asking,bo\nc0002,m0,,bo\nnowhere,m0,Asking,bo\n"
    (folder.parent / "labels.csv").write_text(labels, "utf-8")


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["cpa"])
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)


def ways(line: str, widths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The output at these widths with colour, and through a pipe, which has no width."""
    found = {}
    for width in widths:
        monkeypatch.setenv("COLUMNS", width)
        found[f"{width} columns"] = shown(line.replace("WAY", f"at{width}"), Terminal()).replace(f"at{width}", "WAY")
    monkeypatch.setenv("COLUMNS", "80")
    found["pipe"] = shown(line.replace("WAY", "piped"), StringIO()).replace("piped", "WAY")
    return found


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def kept(name: str, text: str) -> str:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return path.read_text("utf-8")


def golden(name: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ways(line, ("80", "120"), monkeypatch)
    assert "\x1b" not in found["pipe"]
    for way, said in found.items():
        if way != "pipe" and "error: " not in said:
            assert max(map(len, plain(said).splitlines())) <= int(way.split()[0]), line
    text = "".join(f"--- {way}: cpa {line}\n{said.rstrip()}\n" for way, said in found.items())
    for pattern, other in VOLATILE:
        text = re.sub(pattern, other, text)
    if name.startswith("gold-"):
        text = re.sub(r"\d+\.\d+", "N", text)
    text = "\n".join(one.rstrip() for one in text.replace("\x1b", "\\e").splitlines()) + "\n"
    assert kept(name, text) == text


@pytest.mark.parametrize("name", LINES)
def test_the_output_is_as_it_was(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    golden(name, LINES[name], monkeypatch)


def every_command() -> list[str]:
    found = []
    for name, command in commands().commands.items():
        found += [f"{name} {inner}" for inner in getattr(command, "commands", {})] + [name]
    return ["", *found]


@pytest.mark.parametrize("command", every_command())
def test_the_help_is_as_it_was(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    golden(f"help{'-' if command else ''}{command.replace(' ', '-')}", f"{command} --help", monkeypatch)


def test_no_color_has_no_colour_and_forced_colour_goes_through_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"status {HOME} --schema other.yml"
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown(line, Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[33mstale:" in shown(line, StringIO())


def schemas() -> dict[str, Any]:
    """The JSON schema of what each command prints with `--json`."""
    return {name: facts.model_json_schema(mode="serialization") for name, facts in FACTS.items()}


def test_the_schema_of_the_output_is_current() -> None:
    text = json.dumps(schemas(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("WRITE_GOLDEN"):
        SCHEMA.write_text(text, "utf-8")
    assert SCHEMA.read_text("utf-8") == text


@pytest.mark.parametrize("name", sorted(LINES.keys() - SAME_FACTS))
def test_json_is_as_its_schema_says(name: str) -> None:
    line = LINES[name].replace("WAY", "as_json")
    stream = StringIO()
    with redirect_stdout(stream):
        main([*line.split(), "--json"], {})
    command = next(one for one in sorted(FACTS, key=len, reverse=True) if set(one.split()) <= set(line.split()))
    schema = json.loads(SCHEMA.read_text("utf-8"))[command]
    Draft202012Validator(schema).validate(json.loads(stream.getvalue()))
