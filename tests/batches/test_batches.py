"""The lane of batches, at both vendors: half the price, every question answered once, whatever becomes of a batch."""

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import ProviderFailed
from cpa_core.llm import BatchForm, BatchLine
from cpa_core.pipeline import Assistant, OpenBatch, look, ready_days
from cpa_core.pipeline.batches import results
from cpa_core.pipeline.batches.states import BatchState
from cpa_core.pipeline.batches.submit import BatchQuestion, Pile
from cpa_core.providers.anthropic_batches import MessageBatches
from cpa_core.providers.openai_batches import OpenAIBatches
from cpa_core.schema import dump
from cpa_core.settings import settings
from tests.servers.batches import AnthropicBatchServer, BatchServer, Fate, OpenAIBatchServer, settings_of
from tests.servers.scripted import Behaviour, Fault, Scripted, Truncated
from tests.support.commands import ONE_EACH, chat, chats, cpa, environ, started
from tests.support.fakes import request
from tests.support.homes import Home

Captured = pytest.CaptureFixture[str]
VENDORS = [OpenAIBatchServer, AnthropicBatchServer]
AT_OPENAI = pytest.mark.parametrize("server", [OpenAIBatchServer], indirect=True)
AT_ANTHROPIC = pytest.mark.parametrize("server", [AnthropicBatchServer], indirect=True)
"""Where both would only show the same code twice."""


@pytest.fixture(params=VENDORS)
def server(request: pytest.FixtureRequest) -> Iterator[BatchServer]:
    """Each vendor of batches on loopback."""
    with request.param() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, server: BatchServer) -> Home:
    """A home with three conversations, whose questions go there in batches."""
    return opened(tmp_path, server)


def opened(folder: Path, server: BatchServer, conversations: int = 3) -> Home:
    home = Home(folder)
    (folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    home.environ |= {"CPA_SCHEMA": str(folder / "schema.yml"), **settings_of(server)}
    home.write("a.json", chats(conversations))
    return home


def assistant(home: Home, **changes: Any) -> Assistant:
    return replace(Assistant.of(settings(environ(home))), **changes)


def later() -> datetime:
    """When a batch that was created must have shown in the vendor's list."""
    return datetime.now(UTC) + timedelta(minutes=2)


def ledger(home: Home) -> list[tuple[str, str, int, int]]:
    """Lane, outcome, answers and questions."""
    rows = home.rows(
        "select lane, outcome, count(*) as n, count(distinct request_hash) as questions from answers "
        "group by all order by all"
    )
    return [(row["lane"], row["outcome"], row["n"], row["questions"]) for row in rows]


def states(home: Home) -> list[tuple[str, int]]:
    """The state and size of each batch."""
    rows = home.rows("select state, len(request_hashes) as n from batches order by submitted_at, batch_key")
    return [(row["state"], row["n"]) for row in rows]


def test_a_run_hands_over_waits_and_pays_half_for_the_same_questions(
    home: Home, server: BatchServer, capsys: Captured
) -> None:
    assert cpa(home, "run") == 0, capsys.readouterr()
    assert ledger(home) == [("batch", "ok", 6, 6)]
    assert "waiting: 2026-03-04 tag: 3 questions" in capsys.readouterr().out
    half = home.rows("select sum(cost) as dollars from answers")[0]["dollars"]
    handed_over = list(server.bodies)
    home.environ |= {"CPA_LANE": "standard", "CPA_HOME": str(home.folder / "standard")}
    assert cpa(home, "run") == 0
    assert sorted(map(str, server.bodies[len(handed_over) :])) == sorted(map(str, handed_over))
    with assistant(home).store.reading() as view:
        full = view.rows("select sum(cost) as dollars from answers")[0]["dollars"]
    assert half == pytest.approx(full / 2)
    assert server.faults == [] and list((home.folder / "home" / "batches").iterdir()) == []


def some(custom_id: str, nth: int) -> Fate:
    """Each fate in turn, in the first batch that a question is in."""
    fates: list[Fate] = ["expired", "errored", "missing", "answered"]
    return fates[int(custom_id[:8], 16) % 4] if nth == 1 else "answered"


@AT_ANTHROPIC
def test_what_a_batch_leaves_unanswered_is_asked_again_in_another(tmp_path: Path, server: BatchServer) -> None:
    home = opened(tmp_path, server, 12)
    server.fate = some
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 24, 24)] and server.twice == 0
    left = home.rows("select sum(unanswered) as n, string_agg(detail) as detail from batches")[0]
    assert 0 < left["n"] < 24 and sum(size for _, size in states(home)) == 24 + left["n"]
    assert all(word in left["detail"] for word in ("expired", "500", "missing"))
    assert {state for state, _ in states(home)} == {"used"}


@AT_ANTHROPIC
def test_what_three_batches_leave_unanswered_is_asked_at_once(home: Home, server: BatchServer) -> None:
    never = min(questions(home, server))
    server.fate = lambda custom_id, nth: "expired" if custom_id == never else "answered"
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 5, 5), ("standard", "ok", 1, 1)]
    assert server.times[never] == 3


def questions(home: Home, server: BatchServer) -> dict[str, Any]:
    """The questions of the home by hash, as another home beside it handed them over."""
    server.held = True
    beside = replace(home, environ=home.environ | {"CPA_HOME": str(home.folder / "beside")})
    assert cpa(beside, "run --no-wait") == 0
    found = {key: body for batch in server.batches.values() for key, body in batch.lines.items()}
    server.times.clear()
    server.batches.clear()
    server.held = False
    return found


def largest(home: Home, server: OpenAIBatchServer) -> int:
    """Tokens of the largest question of the home."""
    found = max(len(json.dumps(body)) // 4 for body in questions(home, server).values())
    server.most_at_once = 0
    return found


@AT_OPENAI
def test_a_run_that_is_killed_while_it_waits_finds_its_batches_again(home: Home, server: BatchServer) -> None:
    server.held = True
    server.fate = some
    killed = started(home, "run")
    until = time.monotonic() + 60
    while server.looks < 4 and time.monotonic() < until:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    assert len(server.batches) == 2 and [state for state, _ in states(home)] == ["submitted", "submitted"]
    server.held = False
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)] and server.twice == 0
    assert max(server.times.values()) == 2, "asked again only where it had expired"
    assert sum(server.times.values()) == 6 + sum(n == 2 for n in server.times.values())


def test_a_batch_whose_id_never_arrived_is_found_in_the_vendors_list(home: Home, server: BatchServer) -> None:
    server.held = server.dropping = True
    assert cpa(home, "run --no-wait") == 0
    assert states(home) == [("submitting", 3), ("submitting", 3)] and len(server.batches) == 2
    server.dropping = False
    look(assistant(home, now=later), store=True)
    known = "submitted" if isinstance(server, OpenAIBatchServer) else "submitting"  # Anthropic keeps no key of ours
    assert states(home) == [(known, 3), (known, 3)]
    server.held = False
    assert cpa(home, "run") == 0
    assert len(server.batches) == 2 and ledger(home) == [("batch", "ok", 6, 6)]


@AT_OPENAI
def test_a_batch_that_was_perhaps_created_is_handed_over_again_only_when_it_was_not(
    home: Home, server: BatchServer
) -> None:
    server.refusing = [Fault("Internal error", 500), Fault("Internal error", 500)]
    assert cpa(home, "run --no-wait") == 0
    assert states(home) == [("submitting", 3), ("submitting", 3)]
    assert cpa(home, "run --no-wait") == 0
    assert states(home) == [("submitting", 3), ("submitting", 3)], "the vendor's list may be late"
    look(assistant(home, now=later), store=True)
    assert states(home) == [] and server.batches == {}
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)]


@AT_ANTHROPIC
def test_another_batch_of_the_same_size_is_not_taken_for_a_lost_one(home: Home, server: BatchServer) -> None:
    beside = replace(home, environ=home.environ | {"CPA_HOME": str(home.folder / "beside")})
    beside.environ["CPA_SOURCE"] = str(home.folder / "other")
    (home.folder / "other").mkdir()
    (home.folder / "other" / "b.json").write_text(chats(3).replace("is what", "was what"), "utf-8")
    assert cpa(beside, "run") == 0
    server.refusing = [Fault("Internal error", 500), Fault("Internal error", 500)]
    assert cpa(home, "run --no-wait") == 0
    look(assistant(home, now=later), store=True)
    assert states(home) == []


@AT_OPENAI
def test_a_day_that_waits_is_no_failure_and_is_named(home: Home, server: BatchServer, capsys: Captured) -> None:
    server.held = True
    assert cpa(home, "run --no-wait") == 0
    assert "waiting: 2026-03-04 judge: 3 questions" in capsys.readouterr().out
    assert home.rows("select * from tagged_conversations") == home.rows("select * from failures") == []
    assert cpa(home, "status") == 0
    said = capsys.readouterr().out
    assert "waiting: 2026-03-04 tag" in said and "due: 2026-03-04: waits for batches" in said
    home.environ["CPA_LANE"] = "standard"
    assert cpa(home, "run --no-wait") == 0
    assert server.calls == [], "a question that waits in a batch is asked in no other lane"
    server.held = False
    assert cpa(home, "status") == 0
    assert [state for state, _ in states(home)] == ["stored", "stored"]
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)]


@AT_ANTHROPIC
def test_an_answer_that_was_cut_off_is_not_paid_for_again(home: Home, server: BatchServer) -> None:
    def script(body: dict[str, Any], nth: int) -> Scripted | None:
        return Truncated() if len(server.calls) <= 6 and "c001" in str(body["messages"]) else None

    server.behaviour = Behaviour(script)
    assert cpa(home, "run") == 0
    lanes = ledger(home)
    assert ("batch", "truncated", 2, 2) in lanes and ("batch", "ok", 4, 4) in lanes
    standard = [row for row in lanes if row[0] == "standard"]
    assert standard == [("standard", "ok", 3, 3)], "two halves of a window, and the judgment with more room"


@AT_OPENAI
def test_a_batch_that_is_refused_as_a_whole_stops_the_run_with_the_vendors_words(
    home: Home, server: OpenAIBatchServer, capsys: Captured
) -> None:
    server.whole = "Billing hard limit has been reached"
    assert cpa(home, "run") == 1
    assert "Billing hard limit has been reached" in capsys.readouterr().err
    assert home.rows("select * from failures") == []
    server.whole = ""
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)]


@AT_OPENAI
def test_what_is_too_much_for_the_vendors_queue_goes_in_smaller_batches_one_after_the_other(
    tmp_path: Path, server: OpenAIBatchServer, capsys: Captured
) -> None:
    home = opened(tmp_path, server, 20)
    server.most_enqueued = 6 * largest(home, server)
    assert cpa(home, "run") == 0, capsys.readouterr()
    assert ledger(home) == [("batch", "ok", 40, 40)] and server.twice == 0
    taken = [batch for batch in server.batches.values() if not batch.failed]
    refused = [batch for batch in server.batches.values() if batch.failed]
    assert [len(batch.lines) for batch in refused] == [20, 20, 10]
    assert 8 <= len(taken) <= 12 and max(len(batch.lines) for batch in taken) <= 6 and server.most_at_once == 1
    assert home.rows("select * from batches where state not in ('used', 'crowded')") == []
    assert home.rows("select * from failures") == []


@AT_OPENAI
def test_a_day_that_holds_questions_is_named_and_goes_on_in_the_next_run(
    tmp_path: Path, server: OpenAIBatchServer, capsys: Captured
) -> None:
    home = opened(tmp_path, server, 4)
    server.most_enqueued = 3 * largest(home, server)
    assert cpa(home, "run --no-wait") == 0
    assert cpa(home, "status") == 0
    said = capsys.readouterr().out
    assert "judge: 4 questions to openai:gpt-6-luna for their turn" in said and "waits for batches" in said
    for _ in range(5):
        assert cpa(home, "run --no-wait") == 0
    assert "waiting" not in capsys.readouterr().out.rpartition("landed: ")[2]
    assert ledger(home) == [("batch", "ok", 8, 8)] and server.twice == 0 and server.most_at_once == 1


def test_of_days_that_hold_questions_to_one_model_the_first_goes_on() -> None:
    def row(day: int, state: BatchState, model: str = "a") -> OpenBatch:
        at = datetime(2026, 3, day, tzinfo=UTC)
        return OpenBatch(f"{day}", None, "openai", model, "tag", at.date(), state, at, None, 0, 1, False)

    first, second, third = (date(2026, 3, day) for day in (1, 2, 3))
    held = [row(1, "held"), row(1, "held"), row(2, "held"), row(3, "held", "b")]
    days = [third, second, first]
    assert ready_days(held, days) == [first, third]
    assert ready_days(held, [second, third]) == [second, third], "one that was given up is in nobody's way"
    assert ready_days([*held, row(4, "submitted")], days) == [third]
    assert ready_days([*held, row(3, "submitted", "b")], days) == [first]
    assert ready_days([row(1, "ended"), row(2, "stored"), row(3, "refused")], days) == [first, second, third]


@AT_OPENAI
def test_a_day_refused_in_company_goes_whole_when_the_others_have_ended(
    tmp_path: Path, server: OpenAIBatchServer
) -> None:
    home = opened(tmp_path, server, 12)
    tokens = sum(len(json.dumps(body)) // 4 for body in questions(home, server).values())
    server.most_enqueued = tokens - 1
    assert cpa(home, "run") == 0
    assert [len(batch.lines) for batch in server.batches.values()] == [12, 12, 12]
    assert ledger(home) == [("batch", "ok", 24, 24)] and server.twice == 0


@AT_OPENAI
def test_a_queue_that_is_full_of_others_work_ends_in_the_standard_lane(home: Home, server: OpenAIBatchServer) -> None:
    server.most_enqueued = 0
    assert cpa(home, "run") == 0
    assert ledger(home) == [("standard", "ok", 6, 6)]
    singles = [batch for batch in server.batches.values() if len(batch.lines) == 1]
    assert len(singles) <= 3 * 6 and len(server.batches) - len(singles) <= 4


@AT_OPENAI
def test_a_question_too_long_for_the_queue_is_asked_at_once_and_the_others_in_batches(
    home: Home, server: OpenAIBatchServer
) -> None:
    sizes = sorted(len(json.dumps(body)) // 4 for body in questions(home, server).values())
    server.most_enqueued = sizes[-1] - 1
    assert cpa(home, "run") == 0
    lanes = {lane: n for lane, _, n, _ in ledger(home)}
    assert lanes["standard"] == sum(size == sizes[-1] for size in sizes) and sum(lanes.values()) == 6


@AT_OPENAI
def test_a_batch_that_is_not_taken_for_want_of_room_is_halved_too(home: Home, server: OpenAIBatchServer) -> None:
    server.refusing = [Fault("Enqueued token limit reached for gpt-6-luna", 429, "token_limit_exceeded")]
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)] and server.twice == 0
    assert states(home)[0] == ("crowded", 3) and max(size for _, size in states(home)[1:]) < 3


@AT_OPENAI
def test_what_is_held_is_asked_at_once_when_the_lane_is_changed(home: Home, server: OpenAIBatchServer) -> None:
    server.most_enqueued = 0
    assert cpa(home, "run --no-wait") == 0
    assert cpa(home, "status") == 0
    assert {state for state, _ in states(home)} == {"crowded", "held"}
    home.environ["CPA_LANE"] = "standard"
    assert cpa(home, "run") == 0
    assert ledger(home) == [("standard", "ok", 6, 6)] and {state for state, _ in states(home)} == {"crowded"}


@AT_OPENAI
def test_a_batch_that_the_vendor_has_lost_is_asked_again(home: Home, server: OpenAIBatchServer) -> None:
    server.held = True
    assert cpa(home, "run --no-wait") == 0
    server.batches.clear()
    days = assistant(home, now=lambda: datetime.now(UTC) + timedelta(days=3))
    assert [str(problem) for _, problem in look(days, store=True)] == []
    server.held = False
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)]
    assert home.rows("select unanswered from batches order by submitted_at limit 2") == [{"unanswered": 3}] * 2


@AT_OPENAI
def test_results_that_break_off_are_read_again_and_nothing_is_stored_twice(
    home: Home, server: OpenAIBatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.held = True
    assert cpa(home, "run --no-wait") == 0
    server.held = False
    broken = assistant(home)
    vendor = broken.batches_of("openai")
    whole = vendor.results

    def breaks_off(batch_id: str) -> Iterator[BatchLine]:
        yield next(whole(batch_id))
        raise ProviderFailed("no connection: ReadError")

    monkeypatch.setattr(vendor, "results", breaks_off)
    monkeypatch.setattr(results, "AT_ONCE", 1)
    assert [str(problem) for _, problem in look(broken, store=True)] == ["no connection: ReadError"] * 2
    assert ledger(home) == [("batch", "ok", 2, 2)] and states(home) == [("ended", 3), ("ended", 3)]
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)]


@AT_OPENAI
def test_a_key_that_is_refused_leaves_no_batch_behind(home: Home, server: BatchServer) -> None:
    server.refusing = [Fault("Your key is not allowed", 403)]
    assert cpa(home, "run") == 1
    assert states(home) == []


@AT_OPENAI
def test_a_vendor_who_is_too_busy_is_asked_again(home: Home, server: BatchServer) -> None:
    server.refusing = [Fault("rate limit", 429)]
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)]


@AT_OPENAI
def test_a_day_of_many_questions_goes_in_several_batches(
    home: Home, server: OpenAIBatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenAIBatches, "form", OpenAIBatches.form._replace(most=2))
    assert cpa(home, "run") == 0
    assert [len(batch.lines) for batch in server.batches.values()] == [2, 1, 2, 1]
    assert ledger(home) == [("batch", "ok", 6, 6)]


@pytest.mark.parametrize("form", [OpenAIBatches.form, MessageBatches.form])
def test_a_file_keeps_to_the_vendors_limits(tmp_path: Path, form: BatchForm) -> None:
    small = form._replace(most=3, most_bytes=100)
    for line, fit in ((b"x" * 20, 3), (b"x" * 40, 2), (b"x" * 60, 1)):
        pile = Pile(tmp_path / f"{fit}.batch", small)
        while pile.fits(line):
            pile.add(str(len(pile.conversations)), BatchQuestion("c", "", request()), line, 0.5)
        pile.close()
        assert len(pile.conversations) == fit and pile.dollars == fit / 2
        content = pile.path.read_bytes()
        assert len(content) <= 100 and content.count(line) == fit and pile.path.stat().st_mode & 0o77 == 0


@AT_OPENAI
def test_a_budget_hands_over_what_it_pays_for(home: Home, server: BatchServer, capsys: Captured) -> None:
    assert cpa(home, "quote") == 0
    together = capsys.readouterr().out.rpartition("at most about $")[2].partition(" ")[0]
    home.environ["CPA_DAILY_BUDGET"] = str(float(together) / 2)
    assert cpa(home, "run") == 1
    assert "questions wait in batches" in capsys.readouterr().err
    assert 0 < sum(server.times.values()) < 6
    home.environ["CPA_DAILY_BUDGET"] = ""
    assert cpa(home, "run") == 0
    assert ledger(home) == [("batch", "ok", 6, 6)] and server.twice == 0


@AT_OPENAI
def test_what_a_killed_run_paid_for_is_not_handed_over(home: Home, server: OpenAIBatchServer) -> None:
    home.environ["CPA_LANE"] = "standard"
    server.behaviour = Behaviour(latency=0.05)
    home.environ["CPA_CONCURRENCY"] = "1"
    killed = started(home, "run")
    until = time.monotonic() + 60
    while len(server.calls) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    paid = sum(path.read_bytes().count(b"\n") for path in (home.folder / "home" / "answers").glob("*.jsonl"))
    paid += home.rows("select count(*) as n from answers")[0]["n"]
    home.environ["CPA_LANE"] = "batch"
    assert cpa(home, "run") == 0
    assert paid > 0 and sum(server.times.values()) == 6 - paid


OTHER = ONE_EACH.model_copy(update={"description": "Another helper."})
"""A schema by which every conversation would be tagged and judged anew."""
VERSIONS = "select schema_version as version, count(*) as n from tagged_conversations group by all order by n"


def made_before(folder: Path, server: BatchServer, conversations: int) -> Home:
    """A home whose conversations were tagged at once, by a schema that was edited since."""
    home = opened(folder, server, conversations)
    assert cpa(home, "run") == 0
    (folder / "schema.yml").write_text(dump(OTHER), "utf-8")
    return home


@AT_OPENAI
def test_a_late_conversation_in_the_lane_of_batches_re_tags_no_other(tmp_path: Path, server: BatchServer) -> None:
    home = made_before(tmp_path, server, 20)
    handed_over = len(server.times)
    home.write("b.json", json.dumps(chat("late")))
    assert cpa(home, "run") == 0
    assert len(server.times) - handed_over == 2, "the questions about the late one"
    versions = [(row["version"], row["n"]) for row in home.rows(VERSIONS)]
    assert versions == [(OTHER.version, 1), (ONE_EACH.version, 20)]
    assert home.rows("select distinct retag from batches") == [{"retag": False}]


@AT_OPENAI
def test_a_day_that_was_named_is_brought_to_one_schema_also_by_a_run_that_finishes_it(
    tmp_path: Path, server: BatchServer
) -> None:
    home = made_before(tmp_path, server, 3)
    server.held = True
    assert cpa(home, "run --from 2026-03-04 --to 2026-03-04 --retag --no-wait") == 0
    assert home.rows("select distinct retag from batches where state <> 'used'") == [{"retag": True}]
    with assistant(home).store.writing() as transaction:
        transaction.execute("update batches set retag = null where task = 'judge'")  # as an older version left it
    home.write("b.json", json.dumps(chat("late")))
    server.held = False
    assert cpa(home, "run") == 0
    assert home.rows(VERSIONS) == [{"version": OTHER.version, "n": 4}]
    assert home.rows("select distinct schema_version from judge_scores") == [{"schema_version": OTHER.version}]
    assert server.twice == 0
