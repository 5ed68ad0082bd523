"""A day from end to end: what is asked, what is held back, what is delivered, and what a second run does."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from cpa_core.errors import DayIncomplete, ProviderStopped
from cpa_core.pipeline import Assistant, deliver_day, due_days, land, run_day, summaries
from cpa_core.schema import dump, load
from tests.servers.chat_completions import Behaviour, ChatServer, Filtered, Status, by_substring

DAY = date(2026, 3, 4)
Make = Callable[..., Assistant]


def counts(assistant: Assistant, *tables: str) -> dict[str, int]:
    with assistant.store.reading() as view:
        return {table: view.rows(f"select count(*) as n from {table}")[0]["n"] for table in tables}


def outbox(assistant: Assistant, day: date = DAY) -> list[dict[str, object]]:
    path = assistant.settings.home / "outbox" / f"{day}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def run(assistant: Assistant) -> list[object]:
    land(assistant)
    return [run_day(assistant, row["day"]) for row in due_days(assistant)]


def test_a_day_is_tagged_judged_and_delivered_with_a_receipt_for_each_event(assistant: Make) -> None:
    made = assistant()
    run(made)
    (row,) = summaries(made, [DAY])
    assert (row["conversations"], row["messages"], row["judged"], row["failures"]) == (2, 5, 2, 0)
    assert row["events"] > 0
    assert row["receipts"] == row["events"] + row["judged"] == len(outbox(made))
    with made.store.reading() as view:
        asked = view.rows("select messages_asked from tagged_conversations order by conversation_id")
    assert [r["messages_asked"] for r in asked] == [3, 2]
    assert due_days(made) == []


def test_a_second_run_asks_nothing_adds_nothing_and_delivers_nothing(assistant: Make, chat_server: ChatServer) -> None:
    tables = ("landed_messages", "messages", "tagged_events", "judge_scores", "upload_receipts", "answers", "failures")
    made = assistant()
    run(made)
    before, calls, lines = counts(made, *tables), len(chat_server.calls), outbox(made)
    assert run(made) == []
    again = run_day(made, DAY)
    assert (again.tagged.asked, again.judged.asked) == (0, 0)
    assert again.delivered is not None
    assert again.delivered.sent == 0
    assert counts(made, *tables) == before
    assert len(chat_server.calls) == calls
    assert outbox(made) == lines


def test_a_conversation_whose_answer_is_broken_three_times_is_one_failure_that_holds_its_day(
    assistant: Make, chat_server: ChatServer
) -> None:
    chat_server.behaviour = Behaviour(by_substring("Which form", None))
    made = assistant()
    (done,) = run(made)
    with made.store.reading() as view:
        failures = view.rows("select stage, conversation_id, reason, retryable, attempts from failures order by stage")
    assert [(f["stage"], f["conversation_id"], f["reason"]) for f in failures] == [
        ("judge", "c2", "invalid"),
        ("tag", "c2", "invalid"),
    ]
    assert all(f["retryable"] and f["attempts"] == 3 for f in failures)
    assert "c1" in {row["conversation_id"] for row in _rows(made, "select conversation_id from tagged_events")}
    assert "2 open" in done.held  # type: ignore[attr-defined]
    assert outbox(made) == []
    with pytest.raises(DayIncomplete, match="tag: invalid"):
        deliver_day(made, DAY)
    assert outbox(made) == []


def test_the_next_run_asks_only_for_the_conversation_that_failed_and_then_delivers(
    assistant: Make, chat_server: ChatServer
) -> None:
    chat_server.behaviour = Behaviour(by_substring("Which form", None))
    run(assistant())
    chat_server.behaviour = Behaviour()
    before = len(chat_server.calls)
    made = assistant(CPA_GIVE_UP_HOURS="0")
    assert [row["reason"] for row in due_days(made)] == ["1 conversations not finished"]
    run(made)
    asked = chat_server.calls[before:]
    assert sorted(call.task for call in asked) == ["judge", "tag"]
    assert {call.asked for call in asked} == {(), (0, 1)}
    (row,) = summaries(made, [DAY])
    assert (row["failures"], row["receipts"]) == (0, row["events"] + 2)
    assert due_days(made) == []


@pytest.mark.parametrize("kind", ["refused", "filtered"])
def test_a_refusal_is_shown_and_holds_nothing_back(assistant: Make, chat_server: ChatServer, kind: str) -> None:
    refuse = by_substring(None, "Which form")
    script = refuse if kind == "refused" else lambda body, nth: Filtered() if refuse(body, nth) else None
    chat_server.behaviour = Behaviour(script)
    made = assistant()
    (done,) = run(made)
    assert not done.is_whole  # type: ignore[attr-defined]
    assert {line["properties"]["conversation_id"] for line in outbox(made)} == {"c1"}  # type: ignore[index]
    assert {(r["reason"], r["retryable"]) for r in _rows(made, "select reason, retryable from failures")} == {
        (kind, False)
    }
    calls = len(chat_server.calls)
    assert due_days(made) == []
    run_day(made, DAY)
    assert len(chat_server.calls) == calls


def test_a_bad_key_stops_the_run_in_the_vendors_words_and_keeps_what_was_answered(
    assistant: Make, chat_server: ChatServer
) -> None:
    wanted = by_substring("Which form", None)
    denied = Status(401, code="invalid_api_key", message="Incorrect API key provided")
    chat_server.behaviour = Behaviour(lambda body, nth: denied if wanted(body, nth) else None)
    made = assistant(CPA_CONCURRENCY="1")
    with pytest.raises(ProviderStopped, match="Incorrect API key"):
        run(made)
    chat_server.behaviour = Behaviour()
    before = len(chat_server.calls)
    run(assistant(CPA_CONCURRENCY="1"))
    tags = [call for call in chat_server.calls[before:] if call.task == "tag"]
    assert [call.asked for call in tags] == [(0, 1)]
    assert due_days(made) == []


def test_only_the_conversation_that_changed_is_asked_again(assistant: Make, chat_server: ChatServer) -> None:
    made = assistant()
    run(made)
    sent = len(outbox(made))
    before = len(chat_server.calls)
    more = {
        "c1": [("user", "Can I deduct my home office?", "2026-03-04T09:00:00Z")],
        "c2": [
            ("user", "Which form do I need?", "2026-03-04T10:00:00Z"),
            ("assistant", "Schedule C.", "2026-03-04T10:00:05Z"),
            ("user", "And for my car?", "2026-03-04T10:01:00Z"),
        ],
        "c1-rest": [],
    }
    del more["c1"], more["c1-rest"]
    extra = Path(str(made.settings.source)).with_name("more.json")
    source = json.loads(Path(str(made.settings.source)).read_text("utf-8"))
    source["c2"]["messages"] = [
        {"role": role, "content": content, "timestamp": at, "message_id": n}
        for n, (role, content, at) in enumerate(more["c2"], 1)
    ]
    Path(str(made.settings.source)).write_text(json.dumps(source), "utf-8")
    assert not extra.exists()
    run(made)
    assert {call.asked for call in chat_server.calls[before:]} == {(), (0, 1, 2)}
    assert len(chat_server.calls) - before == 2
    assert len(outbox(made)) >= sent


def test_a_changed_schema_makes_no_day_due_but_a_named_day_is_brought_to_it(
    assistant: Make, chat_server: ChatServer
) -> None:
    made = assistant()
    run(made)
    path = made.settings.schema_path
    assert path is not None
    schema = load(path)[0].model_copy(update={"description": "Another description."})
    path.write_text(dump(schema), "utf-8")
    assert due_days(made) == []
    before = len(chat_server.calls)
    run_day(made, DAY)
    assert len(chat_server.calls) == before + 4
    versions = {row["schema_version"] for row in _rows(made, "select schema_version from tagged_events")}
    assert versions == {schema.version}


def test_a_day_that_shrank_keeps_no_stale_rows(assistant: Make) -> None:
    made = assistant()
    run(made)
    source = Path(str(made.settings.source))
    left = {key: value for key, value in json.loads(source.read_text("utf-8")).items() if key == "c1"}
    source.write_text(json.dumps(left), "utf-8")
    run(made)
    for table in ("raw_conversations", "messages", "tagged_conversations", "tagged_events", "judge_scores"):
        assert {row["conversation_id"] for row in _rows(made, f"select conversation_id from {table}")} == {"c1"}


def test_an_incomplete_day_goes_out_only_when_that_is_asked_for(assistant: Make, chat_server: ChatServer) -> None:
    chat_server.behaviour = Behaviour(by_substring("Which form", None))
    made = assistant()
    run(made)
    run_day(made, DAY, deliver_incomplete=True)
    assert {line["properties"]["conversation_id"] for line in outbox(made)} == {"c1"}  # type: ignore[index]
    assert [row["day"] for row in due_days(made)] == [DAY]


def test_no_text_leaves_by_default_and_the_seed_tools_keys_leave_in_full(assistant: Make) -> None:
    made = assistant()
    run(made)
    words = ("content", "quote", "explanation")
    assert not any(word in line["properties"] for line in outbox(made) for word in words)  # type: ignore[operator]
    full = assistant(CPA_PRIVACY="full", CPA_HOME=str(made.settings.home.with_name("full")))
    run(full)
    keys = {"conversation_id", "message_id", "content", "role", "explanation", "llm_judge_score"}
    tagged = [line["properties"] for line in outbox(full) if line["event"] != "Conversation Judged"]
    assert tagged
    assert all(keys <= set(payload) for payload in tagged)  # type: ignore[call-overload]


def test_no_text_of_a_message_is_in_a_failure(assistant: Make, chat_server: ChatServer) -> None:
    chat_server.behaviour = Behaviour(by_substring("Which form", None))
    made = assistant()
    run(made)
    details = " ".join(row["detail"] for row in _rows(made, "select detail from failures"))
    assert details
    assert "form" not in details.lower().replace("json form", "")


def _rows(assistant: Assistant, sql: str) -> list[dict[str, object]]:
    with assistant.store.reading() as view:
        return view.rows(sql)
