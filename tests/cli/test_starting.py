"""`cpa init`: from flags or five answers to `.env`, a schema and the commands that follow; nothing is overwritten."""

import json
import sys
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.cli import main
from cpa_core.cli.starting import _quoted

Captured = pytest.CaptureFixture[str]
THERAPIST = Path(__file__).parents[2] / "examples" / "therapist" / "example_data.json"
HELPDESK = """\
Ticket ID;Created At;Author Type;Message
T-1;2026-03-02T09:00:00Z;customer;Where is my refund?
T-1;2026-03-02T09:01:00Z;agent;It left us on Monday.
"""
MAP = "conversation_id=Ticket ID,timestamp=Created At,role=Author Type,content=Message"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    few = dict(list(json.loads(THERAPIST.read_text("utf-8")).items())[:3])
    Path("chats.json").write_text(json.dumps(few), "utf-8")
    Path("desk.csv").write_text(HELPDESK, "utf-8")


class Typing(StringIO):
    """Somebody who types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_flags_become_settings_and_a_schema_and_the_commands_that_follow_need_no_flag(capsys: Captured) -> None:
    assert main(["init", "chats.json", "--model", "reference:annotations", "--yes"], {}) == 0
    said = capsys.readouterr().out
    commands = ["next: edit schema.yml, then", "  cpa schema check schema.yml", "  cpa quote", "  cpa run"]
    assert said.splitlines()[-4:] == commands and said.count("next: ") == said.count("quote: ") == 1
    assert (Path(".env").stat().st_mode & 0o777) == 0o600
    for line in ("schema check schema.yml", "quote", "run"):
        assert main(line.split(), {}) == 0, line
    assert list(Path(".cpa/outbox").glob("*.jsonl"))


def test_five_answers_do_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["chats.json", "reference:annotations", "parquet", "A helper for hard days.", "y"]
    monkeypatch.setattr(sys, "stdin", Typing("".join(f"{one}\n" for one in answers)))
    assert main(["init"], {}) == 0
    kept = dotenv_values(".env")
    assert (kept["CPA_SOURCE"], kept["CPA_DESTINATIONS"]) == ("chats.json", "parquet")
    assert Path("schema.yml").exists()


def test_a_key_that_is_missing_is_named_and_nothing_is_asked(capsys: Captured) -> None:
    line = ["init", "desk.csv", "--map", MAP, "--model", "openai:gpt-6-luna", "--destination", "posthog", "--yes"]
    assert main([*line, "--json"], {}) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == ["OPENAI_API_KEY", "POSTHOG_API_KEY"] and not found["proposed"]
    assert found["next"][1] == "cpa schema propose --out schema.yml"
    text = Path(".env").read_text("utf-8")
    assert "# OPENAI_API_KEY=\n" in text and dotenv_values(".env")["CPA_MAP"] == MAP
    assert not Path("schema.yml").exists()


def test_nothing_is_overwritten(capsys: Captured) -> None:
    line = ["init", "chats.json", "--model", "reference:annotations", "--yes"]
    Path("schema.yml").write_text("mine", "utf-8")
    assert main(line, {}) == 0
    written = Path(".env").read_bytes()
    assert main(line, {}) == 2
    assert "is there already and stays as it is" in capsys.readouterr().err
    assert (Path("schema.yml").read_text("utf-8"), Path(".env").read_bytes()) == ("mine", written)


def test_a_file_of_which_much_cannot_be_read_is_not_begun_with(capsys: Captured) -> None:
    Path("desk.csv").write_text(HELPDESK.replace("2026-03-02T", "03/02/2026 "), "utf-8")
    assert main(["init", "desk.csv", "--map", MAP, "--model", "reference:annotations"], {}) == 2
    said = capsys.readouterr().err
    assert "desk.csv: line 2: timestamp: " in said and "--times dmy or --times mdy" in said
    assert not Path(".env").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["init"], "give SOURCE"),
        (["init", "chats.json"], "give --model"),
        (["init", "none.json", "--model", "reference:annotations"], "none.json"),
        (["init", "chats.json", "--model", "nobody:x"], "nobody"),
        (["init", "chats.json", "--model", "reference:annotations", "--destination", "posthgo"], "posthog"),
    ],
)
def test_what_cannot_be_used_is_said_and_leaves_nothing(line: list[str], words: str, capsys: Captured) -> None:
    assert main(line, {}) == 2
    assert words in capsys.readouterr().err and not Path(".env").exists()


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: "${" not in text))
def test_a_value_is_read_back_as_it_was(value: str) -> None:
    assert dotenv_values(stream=StringIO(f"NAME={_quoted(value)}\n")) == {"NAME": value}
