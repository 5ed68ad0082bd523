"""Files that know users only: one conversation each, or cut where the user was silent, whatever file it stands in."""

from datetime import date
from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.pipeline import build_day, rejects
from tests.support.homes import Home

DAY, NEXT = date(2026, 3, 4), date(2026, 3, 5)
HEADER = "user_id,role,content,timestamp\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def row(user: str, text: str, at: str) -> str:
    return f"{user},user,{text},{at}\n"


EARLY = row("u1", "one", "2026-03-04T09:00:00Z") + row("u1", "two", "2026-03-04T09:29:00Z")
LATER = row("u1", "three", "2026-03-04T10:00:00Z") + row("u2", "other", "2026-03-04T09:10:00Z")
TOMORROW = row("u1", "four", "2026-03-05T08:00:00Z")
SESSIONS = {"u1@2026-03-04T09:00:00Z": ["one", "two"], "u1@2026-03-04T10:00:00Z": ["three"]}
SESSIONS |= {"u1@2026-03-05T08:00:00Z": ["four"], "u2@2026-03-04T09:10:00Z": ["other"]}


def conversations(home: Home) -> dict[str, list[str]]:
    rows = home.rows(
        "select conversation_id, list(content order by sent_at) as texts from landed_messages "
        "join landed_conversations using (conversation_id) where superseded_at is null group by all"
    )
    return {found["conversation_id"]: found["texts"] for found in rows}


def test_without_a_gap_a_user_is_one_conversation_and_days_of_it_are_a_warning(home: Home) -> None:
    home.write("a.csv", HEADER + EARLY + LATER)
    assert home.land().warnings == ()
    home.write("b.csv", HEADER + TOMORROW)
    (warning,) = home.land().warnings
    assert warning.startswith("1 conversations are all that a user ever said, over days (u1: 2026-03-04 to 2026-03-05)")
    assert "--session-gap 30 (CPA_SESSION_GAP)" in warning
    assert conversations(home) == {"u1": ["one", "two", "three", "four"], "u2": ["other"]}


@pytest.mark.parametrize(
    "files", [[EARLY + LATER + TOMORROW], [EARLY, LATER, TOMORROW], [TOMORROW, LATER, EARLY], [LATER + EARLY, TOMORROW]]
)
def test_sessions_are_the_same_however_the_messages_come(home: Home, files: list[str]) -> None:
    home.environ["CPA_SESSION_GAP"] = "30"
    for n, text in enumerate(files):
        home.write(f"{n}.csv", HEADER + text)
        assert home.land().warnings == ()
    assert conversations(home) == SESSIONS


def test_json_lines_and_parquet_of_users_are_cut_too_but_not_conversations_with_ids(home: Home) -> None:
    home.environ["CPA_SESSION_GAP"] = "30"
    line = '{"user_id": "u1", "role": "user", "content": "%s", "timestamp": "2026-03-04T%s:00Z"}\n'
    home.write("a.jsonl", line % ("one", "09:00") + line % ("two", "10:00"))
    home.write("b.csv", "conversation_id," + HEADER + "u1," + row("u1", "x", "2026-03-04T12:00:00Z"))
    home.land()
    assert conversations(home) == {
        "u1@2026-03-04T09:00:00Z": ["one"],
        "u1@2026-03-04T10:00:00Z": ["two"],
        "u1": ["x"],
    }


def test_a_message_that_fills_the_gap_joins_two_sessions_and_their_day_is_dirty(home: Home) -> None:
    home.environ["CPA_SESSION_GAP"] = "30"
    home.write("a.csv", HEADER + EARLY + LATER)
    home.land()
    build_day(home.assistant(), DAY)
    home.write("b.csv", HEADER + row("u1", "between", "2026-03-04T09:45:00Z"))
    assert home.land().days == (DAY,)
    build_day(home.assistant(), DAY)
    assert home.rows("select conversation_id, message_count from raw_conversations order by all") == [
        {"conversation_id": "u1@2026-03-04T09:00:00Z", "message_count": 4},
        {"conversation_id": "u2@2026-03-04T09:10:00Z", "message_count": 1},
    ]
    home.write("b.csv", HEADER + row("u2", "elsewhere", "2026-03-05T09:45:00Z"))
    assert home.land().days == (DAY, NEXT)
    assert conversations(home).keys() == {
        "u1@2026-03-04T09:00:00Z",
        "u1@2026-03-04T10:00:00Z",
        "u2@2026-03-04T09:10:00Z",
        "u2@2026-03-05T09:45:00Z",
    }


def test_the_home_remembers_the_gap_and_another_one_cuts_all_anew(home: Home) -> None:
    home.write("a.csv", HEADER + EARLY + LATER + TOMORROW)
    home.land()
    home.environ["CPA_SESSION_GAP"] = "30"
    assert home.land().days == (DAY, NEXT)
    assert conversations(home) == SESSIONS
    del home.environ["CPA_SESSION_GAP"]
    assert home.land().days == ()
    home.write("b.csv", HEADER + row("u3", "x", "2026-03-04T09:00:00Z"))
    home.land()
    assert conversations(home) == SESSIONS | {"u3@2026-03-04T09:00:00Z": ["x"]}
    home.environ["CPA_SESSION_GAP"] = "0"
    assert home.land().days == (DAY, NEXT)
    assert conversations(home).keys() == {"u1", "u2", "u3"}


def test_times_without_a_zone_are_of_the_assumed_one_and_flagged(home: Home) -> None:
    home.environ["CPA_ASSUMED_ZONE"] = "America/New_York"
    home.write(
        "a.csv", HEADER + row("u1", "here", "2026-03-04 22:00:00") + row("u2", "there", "2026-03-04T22:00:00+01:00")
    )
    home.write("b.json", '{"c1": {"messages": [{"role": "user", "content": "x", "timestamp": "2026-03-04T01:00"}]}}')
    landed = home.land()
    assert landed.warnings == ("2 times without a zone were taken as America/New_York (CPA_ASSUMED_ZONE)",)
    assert home.rows("select content, hour(sent_at) as hour, zone_assumed from landed_messages order by content") == [
        {"content": "here", "hour": 3, "zone_assumed": True},
        {"content": "there", "hour": 21, "zone_assumed": False},
        {"content": "x", "hour": 6, "zone_assumed": True},
    ]


def test_the_share_of_rejects_is_that_of_the_newest_landing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert rejects(home.assistant()) is None
    good, bad = row("u1", "x", "2026-03-04T09:00:00Z"), row("u1", "y", "yesterday")
    home.write("a.csv", HEADER + good * 99 + bad)
    home.land()
    found = rejects(home.assistant())
    assert found is not None and found.is_fine
    assert (found.objects, found.refused, found.records, found.lost, found.share) == (1, 0, 99, 1, 0.01)
    home.environ["CPA_MOST_REJECTED"] = "0.5%"
    command = ["land", str(home.source), "--home", str(home.folder / "home")]
    home.write("a.csv", HEADER + good * 98 + bad * 2)
    assert main(command, home.environ) == 1
    assert "warning: 2.0% rejected, more than 0.5% (CPA_MOST_REJECTED)" in capsys.readouterr().out
    home.write("b.json", "{")
    assert main(command, home.environ) == 1
    said = capsys.readouterr().out
    assert "newest landing: 0 of 0 records rejected, 1 of 1 objects not readable" in said and "100.0%" in said
    assert main(["status", "--home", str(home.folder / "home")], home.environ) == 0
    assert "warning: 100.0% rejected" in capsys.readouterr().out
    home.write("b.json", {})
    assert main(command, home.environ) == 0
    assert "rejected" not in capsys.readouterr().out
