"""What is older than a number of days goes by the byte; its sums stay; nothing of it is asked, sent or landed again."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cpa_core.insights import Scope, selected
from cpa_core.pipeline import due_days, export_sums, preview_day, scope_of
from cpa_core.pipeline.forgetting import retention as steps
from cpa_core.pipeline.forgetting.forget import forget_older, resume_forgetting
from cpa_core.pipeline.forgetting.retention import outdated
from cpa_core.pipeline.forgetting.tombstones import FILE
from cpa_core.report.sections.asked import ask
from tests.forgetting.test_forgetting import environ_of, holding
from tests.servers.chat_completions import ChatServer
from tests.support.commands import cpa
from tests.support.homes import Home, turn
from tests.support.runs import definitions, metadata

KEPT = 3
"""Days: of the tenth of March, so that the seventh is the first that stays."""
BEFORE = date(2026, 3, 7)
OLD, LONG, YOUNG = ("old-conv-1", "old-conv-2"), "long-conv", "young-conv"
RANGE = Scope(date(2026, 3, 2), date(2026, 3, 8))


def talk(name: str, *days: str) -> dict[str, Any]:
    turns = [
        turn(f"{name} says {n} of {day} here?", f"{day}T09:00:0{n}Z", role, message_id=f"{day}-{n}")
        for day in days
        for n, role in enumerate(("user", "assistant"))
    ]
    return {"user_id": f"user-of-{name}", "messages": turns}


def chats() -> dict[str, Any]:
    return {
        OLD[0]: talk(OLD[0], "2026-03-02"),
        OLD[1]: talk(OLD[1], "2026-03-03"),
        LONG: talk(LONG, "2026-03-03", "2026-03-09"),
        YOUNG: talk(YOUNG, "2026-03-08"),
    }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that labelled and delivered them."""
    made = Home(tmp_path_factory.mktemp("retention"))
    made.write("chats.json", json.dumps(chats()))
    made.write("broken.json", json.dumps({"bad": {"messages": [{"role": "user", "content": {"no": OLD[0]}}]}}))
    with ChatServer() as server:
        made.environ |= environ_of(made.folder, server)
        cpa(made, "run")
        with made.assistant().store.writing() as transaction:
            transaction.execute("update rejected_records set rejected_at = '2026-03-03'")
        (made.folder / "home" / "report.html").write_text(f"<p>{OLD[0]}</p>", "utf-8")
        yield made


@pytest.fixture
def home(tmp_path: Path, template: Home, chat_server: ChatServer) -> Home:
    """A copy of it, whose source stands elsewhere."""
    shutil.copytree(template.folder, tmp_path, dirs_exist_ok=True)
    return Home(tmp_path, environ_of(tmp_path, chat_server))


def needles() -> set[bytes]:
    return {name.encode() for name in OLD}


def sums_of(home: Home, folder: str) -> dict[str, str]:
    """The sums of every day, as they are exported."""
    files = export_sums(home.assistant(), home.folder / folder, "csv", RANGE)
    return {one.path.name: one.path.read_text("utf-8") for one in files}


def of_others(home: Home) -> dict[str, Any]:
    """Every row of every table about the conversations that stay."""
    with home.assistant().store.reading() as view:
        names = {row["name"] for row in view.answer("forgetting/columns_with_ids") if row["place"] == "conversation_id"}
        sql = "select * from {} where conversation_id in ('long-conv', 'young-conv') order by all"
        return {name: view.rows(sql.format(name)) for name in sorted(names)}


def test_what_is_old_goes_by_the_byte_and_sums_and_others_stay(home: Home) -> None:
    sums, others = sums_of(home, "before"), of_others(home)
    assert {name for name, _ in holding(home, needles())} >= {"cpa.duckdb", "report.html", "2026-03-02.jsonl"}
    found = forget_older(home.assistant(), KEPT)
    assert (found.before, found.conversations, found.tables["landed_messages"]) == (BEFORE, 2, 4)
    assert holding(home, needles()) == set()
    assert sums_of(home, "after") == sums and of_others(home) == others
    assert outdated(home.assistant(), KEPT).is_empty


def test_nothing_is_due_withdrawn_or_landed_again_and_one_date_says_so(home: Home, chat_server: ChatServer) -> None:
    forget_older(home.assistant(), KEPT)
    assert due_days(home.assistant()) == []
    previews = [one for n in (2, 3) for one in preview_day(home.assistant(), date(2026, 3, n))]
    assert [(one.stale, one.types) for one in previews] == [(0, {})] * len(previews) != []
    again = chats()
    again[OLD[1]] = talk(OLD[1], "2026-03-03", "2026-03-09")
    home.write("chats.json", json.dumps(again | {LONG: talk(LONG, "2026-03-03", "2026-03-09", "2026-03-10")}))
    home.write("other/again.json", json.dumps({OLD[0]: talk(OLD[0], "2026-03-02")}))
    landed = home.land()
    assert any("4 messages were left out" in one or "6 messages were left out" in one for one in landed.warnings)
    days = {row["conversation_id"]: row["days"] for row in home.rows(LANDED)}
    assert days == {LONG: ["2026-03-03", "2026-03-09", "2026-03-10"], OLD[1]: ["2026-03-09"], YOUNG: ["2026-03-08"]}
    stones = (home.folder / "home" / "forgotten" / FILE).read_text("utf-8").splitlines()
    assert [json.loads(line) for line in stones] == [{"before": str(BEFORE)}]
    asked = len(chat_server.calls)
    assert cpa(home, "run") == 0
    assert len(chat_server.calls) == asked + 4, "two conversations are new or longer, with two questions each"
    assert holding(home, {OLD[0].encode()}) == set()


LANDED = """
select conversation_id, list(distinct strftime(sent_at, '%Y-%m-%d') order by strftime(sent_at, '%Y-%m-%d')) as days
from landed_messages where superseded_at is null group by conversation_id
"""


def test_the_report_goes_on_to_show_the_days_of_which_only_sums_are_left(home: Home) -> None:
    def stretches() -> dict[date, tuple[int, float | None]]:
        with selected(home.assistant().store, scope_of(home.assistant(), None, None)) as of:
            asked = ask(of)
        assert {row["bucket"] for row in asked.mix} == {one.bucket for one in asked.stretches}
        return {one.bucket: (one.conversations, one.score.mean) for one in asked.stretches}

    before = stretches()
    forget_older(home.assistant(), KEPT)
    assert stretches() == before and len(before) == 3


@pytest.mark.parametrize("step", ["sum_days", "bury_before", "clean_files", "_delete", "compact_database"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_and_run_again_it_ends_the_same(
    home: Home, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums, others = sums_of(home, "before"), of_others(home)
    real: Callable[..., Any] = getattr(steps, step)

    def killed(*given: Any, **named: Any) -> Any:
        if step == "clean_files" and not named["write"]:
            return real(*given, **named)
        if when == "after":
            list(real(*given, **named) or ())
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(steps, step, killed)
        with pytest.raises(KeyboardInterrupt):
            forget_older(home.assistant(), KEPT)
    assert resume_forgetting(home.assistant())
    assert holding(home, needles()) == set()
    assert sums_of(home, "after") == sums and of_others(home) == others


def test_the_command_lists_first_and_goes_without_a_name(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    before = holding(home, needles())
    assert cpa(home, "forget --older-than 100000") == 0
    assert "0 conversations ended before" in capsys.readouterr().out
    assert cpa(home, "forget --older-than 2") == 0
    out = capsys.readouterr().out
    assert "table messages:" in out and "--yes removes it" in out and holding(home, needles()) == before
    assert cpa(home, "forget --older-than 2 --user u --yes") == 2
    assert cpa(home, "forget --older-than 2 --yes") == 0 and holding(home, needles()) == set()


def test_dagster_removes_by_the_setting_alone(home: Home) -> None:
    off = definitions(home.assistant())
    assert dg.AssetKey("kept_days") not in off.resolve_asset_graph().get_all_asset_keys()
    home.environ["CPA_KEEP_DAYS"] = str(KEPT)
    on = definitions(home.assistant())
    job = on.resolve_job_def("kept_days_job")
    shown = metadata(job.execute_in_process(), "kept_days", None)
    assert (shown["conversations"], shown["before"]) == (2, str(BEFORE)) and "removed" in shown
    assert holding(home, needles()) == set()
    assert metadata(job.execute_in_process(), "kept_days", None)["conversations"] == 0
