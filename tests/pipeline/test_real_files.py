"""Real files that nobody here wrote, end to end: every message has its row, each event its receipt.

They lie beside the project and are not part of it; without them these tests are skipped.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli import main
from cpa_core.store import Store
from tests.servers.chat_completions import ChatServer

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the data is not beside the project")

FILES = [
    ("star_booking/conversations.csv", "star_booking/schema.yml", ""),
    ("star_booking/conversations.json", "star_booking/schema.yml", ""),
    ("seed_examples/therapist/example_data.json", "seed_examples/therapist/schema.yml", "--day 2026-03-02"),
    ("seed_examples/tax_advisor/example_data.json", "seed_examples/tax_advisor/schema.yml", "--day 2026-03-02"),
]


def messages_in(path: Path) -> tuple[int, int]:
    """Conversations and messages in a file, counted without our reader."""
    if path.suffix == ".json":
        tree: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return len(tree), sum(len(conversation["messages"]) for conversation in tree.values())
    import csv

    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return len({row["conversation_id"] for row in rows}), len(rows)


@pytest.mark.parametrize(("source", "schema", "more"), FILES, ids=[f"{s}" for s, _, _ in FILES])
def test_a_file_nobody_here_wrote_is_tagged_judged_and_delivered_whole(
    source: str, schema: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chat_server: ChatServer
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"run {DATA / source} --schema {DATA / schema} --model compatible:test-model {more}"
    assert main(line.split(), {"CPA_COMPATIBLE_URL": chat_server.url}) == 0
    conversations, messages = messages_in(DATA / source)
    with Store(tmp_path / ".cpa").reading() as view:

        def count(sql: str) -> int:
            return int(view.rows(f"select count(*) as n from {sql}")[0]["n"])

        assert count("messages") == messages
        assert count("raw_conversations") == conversations
        assert count("tagged_conversations where outcome = 'ok'") == conversations
        assert count("judge_scores where outcome = 'ok'") == conversations
        assert count("failures") == 0
        assert count("rejected_records") == 0
        events = count("tagged_events") + conversations
        assert count("(select distinct event_id from upload_receipts where status = 'accepted')") == events
    files = (tmp_path / ".cpa" / "outbox").glob("*.jsonl")
    assert sum(len(path.read_text("utf-8").splitlines()) for path in files) == events
    tags = [call for call in chat_server.calls if call.task == "tag"]
    assert len(chat_server.calls) <= 2 * conversations + len(tags) - conversations, "more than a question a window"
