"""The guides tell the truth: a user who types their commands gets what they promise."""

import re
import shlex
from pathlib import Path

import pytest

from cpa_core.cli import main
from tests.llm.test_answer_shapes import DRAFT, THINKING, Tolerant, completed
from tests.servers.brain import Body
from tests.servers.chat_completions import Behaviour, answer
from tests.servers.scripted import Scripted

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "models.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:11434/v1"


def ollama(body: Body, number: int) -> Scripted:
    """A small model behind Ollama: it ignores every `response_format`, and reasons in what it writes."""
    if body.get("response_format"):
        return completed({"content": "The user says hello.", "reasoning": f"{THINKING} {DRAFT}"})
    return completed({"content": f"<think>\n{THINKING}\n</think>\n\nHere it is:\n```json\n{answer(body)}\n```"})


def commands(page: str) -> list[str]:
    """What the page says to type, in order."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_a_user_with_a_local_server_that_ignores_the_schema_follows_the_page_to_a_delivered_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    environ = {"CPA_HOME": str(tmp_path / "home")}
    with Tolerant(Behaviour(ollama)) as server:
        for line in commands(PAGE):
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                environ[name] = value.replace(ADDRESS, server.url)
                continue
            assert main(shlex.split(line.removeprefix(".venv/bin/cpa")), environ) == 0, line
        calls = len(server.calls)
    printed = capsys.readouterr().out
    assert "answers as a run needs it (calls: 3)" in printed
    assert "CPA_COMPATIBLE_STRUCTURED=prompt" in printed and "reasons first" in printed
    assert sum(1 for _ in (tmp_path / "home" / "outbox").rglob("*.jsonl")) == 5, "every day of the example is delivered"
    assert calls == 3 + 2 * 14, "what was found out is remembered: a call to tag and one to judge each conversation"


def test_the_readme_and_the_guide_send_users_of_local_models_to_the_check_first() -> None:
    assert "docs/guides/models.md" in (ROOT / "README.md").read_text("utf-8")
    assert PAGE.index("cpa check model") < PAGE.index("cpa run")
