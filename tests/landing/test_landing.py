"""Landing: what changed is read, what counts is settled, what is lost is said, and only changed days are dirty."""

import gc
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from cpa_core.errors import DayNeeded, SettingsError, SourceError
from cpa_core.pipeline import land
from cpa_core.pipeline.landing.totals import CONTRADICTED
from tests.support.homes import Home, turn

pytestmark = pytest.mark.slow

EARLY, NOON, LATE = "2026-03-04T08:00:00Z", "2026-03-04T12:00:00Z", "2026-03-04T20:00:00Z"
DAY = date(2026, 3, 4)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_landing_says_what_it_found(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi"), turn("ho", role="assistant")], "c2": []})
    home.write("notes.txt", "x")
    home.write(".hidden/b.json", "x")
    landed = home.land()
    assert (landed.objects, landed.read, landed.skipped, landed.records) == (1, 1, 1, 2)
    assert (landed.rejected, landed.lost, landed.problems) == (1, 0, ())
    assert landed.days == (DAY,)
    (row,) = home.rows("select uri, records, rejected, days from landed_files")
    assert row == {"uri": str(home.source / "a.json"), "records": 2, "rejected": 1, "days": ["2026-03-04"]}


def test_python_looks_for_circles_as_often_after_a_landing_as_before(home: Home) -> None:
    before = gc.get_threshold()
    home.write("a.json", {"c1": [turn("hi")]})
    home.land()
    assert gc.get_threshold() == before
    home.write("a.json", "{")
    with pytest.raises(SourceError):
        home.land()
    assert gc.get_threshold() == before


def test_arrow_has_its_own_memory_again_after_a_landing(home: Home) -> None:
    before = pa.default_memory_pool().backend_name
    home.write("a.json", {"c1": [turn("hi")]})
    home.land()
    assert pa.default_memory_pool().backend_name == before
    home.write("a.json", "{")
    with pytest.raises(SourceError):
        home.land()
    assert pa.default_memory_pool().backend_name == before


def test_a_new_home_has_no_conversations_of_an_earlier_version_to_look_for(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi")]})
    home.land()
    assert home.rows("select value from settings_fixed where name = 'identity'") == [{"value": "1"}]
    home.write("b.json", {"c2": [turn("ho")]})
    home.land()
    assert home.rows("select value from settings_fixed where name = 'identity'") == [{"value": "1"}]


def test_rows_out_of_time_order_are_sorted_and_equal_times_keep_the_order_of_the_file(home: Home) -> None:
    home.write("a.json", {"c1": [turn("b", NOON), turn("late", LATE), turn("a", NOON), turn("early", EARLY)]})
    home.land()
    assert home.contents() == ["early", "b", "a", "late"]


def test_message_ids_that_restart_do_not_mix_conversations(home: Home) -> None:
    home.write("a.json", {"c1": [turn("one", message_id=1)], "c2": [turn("two", message_id=1)]})
    home.land()
    assert (home.contents("c1"), home.contents("c2")) == (["one"], ["two"])


def test_an_unchanged_object_is_not_read_again_and_its_day_stays_clean(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi")]})
    home.land()
    again = home.land()
    assert (again.objects, again.read, again.records, again.days) == (1, 0, 0, ())
    assert home.generations() == {"2026-03-04": 1}


def test_a_changed_object_replaces_its_rows(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi"), turn("typo", NOON)], "c2": [turn("gone", NOON)]})
    home.land()
    home.write("a.json", {"c1": [turn("hi"), turn("right", NOON)]})
    landed = home.land()
    assert home.contents("c1") == ["hi", "right"] and home.contents("c2") == []
    assert landed.problems == () and landed.days == (DAY,)
    assert home.generations() == {"2026-03-04": 2}
    assert home.rows("select count(*) as n from landed_conversations") == [{"n": 1}]


def test_the_generation_stays_when_a_file_is_written_again_with_the_same_content(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi")]})
    home.land()
    home.write("a.json", {"c1": [turn("hi")]})
    landed = home.land()
    assert (landed.read, landed.days) == (1, ())
    assert home.generations() == {"2026-03-04": 1}


def test_content_that_goes_back_to_what_it_was_counts_again(home: Home) -> None:
    for content in ("A", "B", "A"):
        home.write("a.json", {"c1": [turn(content)]})
        home.land()
        assert home.contents() == [content]
    assert home.generations() == {"2026-03-04": 3}
    assert len(home.rows("select uri from landed_files where replaced_at is null")) == 1


def test_an_object_that_gets_its_old_etag_back_counts_again(home: Home) -> None:
    path = home.write("a.json", {"c1": [turn("A")]})
    first = path.stat().st_mtime_ns
    home.land()
    home.write("a.json", {"c1": [turn("B")]})
    home.land()
    home.write("a.json", {"c1": [turn("A")]})
    os.utime(path, ns=(first, first))
    home.land()
    assert home.contents() == ["A"] and home.land().read == 0


def test_a_conversation_split_over_two_files_is_assembled(home: Home) -> None:
    home.write("a.json", {"c1": [turn("two", NOON), turn("three", LATE)]})
    home.write("b.json", {"c1": [turn("one", EARLY)]})
    home.land()
    assert home.contents() == ["one", "two", "three"]
    (row,) = home.rows("select started_at, ended_at from landed_conversations")
    assert (row["started_at"].hour, row["ended_at"].hour) == (8, 20)


def test_identical_messages_collapse_across_files_but_not_within_one(home: Home) -> None:
    home.write("a.json", {"c1": [turn("ok"), turn("ok")]})
    home.write("b.json", {"c1": [turn("ok"), turn("ok"), turn("ok")]})
    landed = home.land()
    assert home.contents() == ["ok", "ok", "ok"]
    assert landed.rejected == 0


def test_of_contradicting_rows_the_newest_object_counts_and_the_other_is_a_reject(home: Home) -> None:
    home.write("b.json", {"c1": [turn("old", message_id=1), turn("same", NOON, message_id=2)]})
    home.land()
    home.write("a.json", {"c1": [turn("new", message_id=1), turn("same", NOON, message_id=2)]})
    landed = home.land()
    assert home.contents() == ["new", "same"]
    assert (landed.rejected, landed.lost) == (1, 1)
    assert landed.problems == (f"{home.source / 'b.json'}: c1: messages.0: {CONTRADICTED}",)
    (reject,) = home.rows("select place, reason, raw from rejected_records")
    assert (reject["place"], reject["reason"]) == ("c1: messages.0", CONTRADICTED)
    assert json.loads(reject["raw"])["content"] == "old"


def test_a_contradiction_is_told_once_and_forgotten_when_it_is_put_right(home: Home) -> None:
    home.write("a.json", {"c1": [turn("old", message_id=1)]})
    home.write("b.json", {"c1": [turn("new", message_id=1)]})
    assert home.land().lost == 1
    home.write("c.json", {"c1": [turn("more", NOON)]})
    assert home.land().lost == 0
    assert len(home.rows("select place from rejected_records")) == 1
    home.write("b.json", {"c1": [turn("old", message_id=1)]})
    assert home.land().lost == 0
    assert home.rows("select place from rejected_records") == []


def test_the_older_row_counts_again_when_the_newer_object_no_longer_holds_the_message(home: Home) -> None:
    home.write("a.json", {"c1": [turn("old", message_id=1)]})
    home.write("b.json", {"c1": [turn("new", message_id=1), turn("x", NOON, message_id=2)]})
    home.land()
    home.write("b.json", {"c1": [turn("x", NOON, message_id=2)]})
    home.land()
    assert home.contents() == ["old", "x"]


def test_an_earlier_message_that_comes_late_moves_the_day_and_both_days_are_dirty(home: Home) -> None:
    home.write("a.json", {"c1": [turn("today", "2026-03-05T00:10:00Z")]})
    assert home.land().days == (date(2026, 3, 5),)
    home.write("b.json", {"c1": [turn("yesterday", "2026-03-04T23:50:00Z")]})
    assert home.land().days == (DAY, date(2026, 3, 5))
    assert home.generations() == {"2026-03-04": 1, "2026-03-05": 2}
    assert home.rows("select day from landed_conversations") == [{"day": DAY}]


def test_the_time_zone_decides_the_day_and_is_fixed_with_the_home(home: Home) -> None:
    home.environ["CPA_TIMEZONE"] = "America/New_York"
    home.write(
        "a.json", {"c1": [turn("late at night", "2026-03-05T04:59:00Z")], "c2": [turn("x", "2026-03-05T05:00:00Z")]}
    )
    assert home.land().days == (DAY, date(2026, 3, 5))
    home.environ["CPA_TIMEZONE"] = "UTC"
    with pytest.raises(
        SettingsError, match=r"this home was begun with America/New_York.*CPA_TIMEZONE=America/New_York"
    ):
        home.land()


def test_times_without_a_zone_are_utc_whatever_the_time_zone_of_days(home: Home) -> None:
    home.environ["CPA_TIMEZONE"] = "America/New_York"
    home.write("a.json", {"c1": [turn("x", "2026-03-05 04:59:00")]})
    assert home.land().days == (DAY,)


def test_a_removed_object_is_told_once_and_its_messages_stay(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi")]})
    path = home.write("b.json", {"c2": [turn("ho")]})
    home.land()
    path.unlink()
    landed = home.land()
    assert landed.removed == (str(path),) and landed.days == ()
    assert home.contents("c2") == ["ho"]
    assert home.land().removed == ()
    home.write("b.json", {"c2": [turn("ho")]})
    home.land()
    assert home.rows("select uri from landed_files where removed_at is not null and replaced_at is null") == []


def test_objects_of_another_source_are_not_removed_ones(home: Home) -> None:
    home.write("b.json", {"c2": [turn("ho")]})
    home.environ["CPA_SOURCE"] = str(home.source) + "/b.json"
    home.land()
    home.write("../in2/b.json", {"c3": [turn("x")]})
    home.environ["CPA_SOURCE"] = str(home.folder / "in2")
    assert home.land().removed == ()
    home.environ["CPA_SOURCE"] = str(home.source)
    assert home.land().removed == ()


def test_messages_without_times_need_a_day_and_nothing_is_written_until_it_is_named(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi", None)]})
    home.write("b.json", {"c2": [turn("ho")]})
    with pytest.raises(DayNeeded, match="timestamp: missing, so the day must be named") as needed:
        home.land()
    assert needed.value.example == date(2026, 3, 9)
    assert home.rows("select * from landed_files") == []
    assert home.land(date(2026, 3, 1)).days == (date(2026, 3, 1), DAY)
    assert home.rows("select sent_at, time_assumed from landed_messages order by sent_at") == [
        {"sent_at": datetime(2026, 3, 1, tzinfo=UTC), "time_assumed": True},
        {"sent_at": datetime(2026, 3, 4, 9, tzinfo=UTC), "time_assumed": False},
    ]


OWN = {"c1": {"messages": [turn("hi")]}, "c2": {"messages": [turn("ho", None)]}}
NAMED = [{"conversation_id": key, **one} for key, one in OWN.items()]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("b.json", json.dumps(OWN), "c2: messages.0"),
        ("b.jsonl", "\n".join(map(json.dumps, NAMED)), "line 2: messages.0"),
        ("b.jsonl", "\n".join(map(json.dumps, OWN.values())), "line 2: messages.0"),
    ],
)
def test_one_record_of_a_folder_without_a_day_is_named_and_nothing_of_the_folder_lands(
    home: Home, name: str, content: str, place: str
) -> None:
    home.write("a.json", {"c0": [turn("before")]})
    home.write(name, content)
    home.write("c.json", {"c3": [turn("after")]})
    with pytest.raises(DayNeeded, match=re.escape(f"{name}: {place}: timestamp: missing, so the day must be named")):
        home.land()
    assert home.rows("select uri from landed_files") == home.rows("select uri from landed_messages") == []
    assert home.land(date(2026, 3, 1)).days == (date(2026, 3, 1), DAY)
    landed = home.rows("select content from landed_messages order by content")
    assert [row["content"] for row in landed] == ["after", "before", "hi", "ho"]


def test_the_midnight_of_a_named_day_is_that_of_the_time_zone(home: Home) -> None:
    home.environ["CPA_TIMEZONE"] = "America/New_York"
    home.write("a.json", {"c1": [turn("hi", None)]})
    assert home.land(DAY).days == (DAY,)
    assert home.rows("select sent_at from landed_messages") == [{"sent_at": datetime(2026, 3, 4, 5, tzinfo=UTC)}]


@pytest.mark.parametrize("ids", [True, False])
def test_a_map_without_times_that_is_written_anew_each_day_says_each_message_once(home: Home, ids: bool) -> None:
    said = [turn("hi", None), turn("ho", None, role="assistant"), turn("hi", None)]
    said = [one | ({"message_id": n} if ids else {}) for n, one in enumerate(said)]
    for day, told in ((DAY, said[:1]), (date(2026, 3, 5), said), (date(2026, 3, 6), said)):
        home.write(f"{day}.json", {"c1": told, "c2": said[:1]})
        home.land(day)
    assert (home.contents("c1"), home.contents("c2")) == (["hi", "ho", "hi"], ["hi"])


def test_a_day_that_was_named_once_holds_for_later_versions_of_the_object(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi", None)]})
    home.land(DAY)
    home.write("a.json", {"c1": [turn("hi", None), turn("ho", None)]})
    assert home.land().days == (DAY,)
    assert home.contents() == ["hi", "ho"]


@pytest.mark.parametrize("template", ["{day}.json", "chat-{day}.json", "logs/{day}/x.json", "{day}/chat-{day}.json"])
def test_the_path_may_name_the_day(home: Home, template: str) -> None:
    for day in ("2026-02-01", "2026-02-02"):
        home.write(template.replace("{day}", day), {f"c{day}": [turn("hi", None)]})
    home.write(template.replace("{day}", "2026-02-30"), {"c3": [turn("no such day", None)]})
    home.write("readme.md", "x")
    home.environ["CPA_SOURCE"] = f"{home.source}/./{template}"
    landed = home.land()
    assert landed.days == (date(2026, 2, 1), date(2026, 2, 2))
    assert landed.objects == 2 and landed.skipped >= 1


def test_an_object_that_left_a_template_is_removed(home: Home) -> None:
    home.environ["CPA_SOURCE"] = f"{home.source}/chat-{{day}}.json"
    path = home.write("chat-2026-02-01.json", {"c1": [turn("hi", None)]})
    home.write("chat-2026-02-02.json", {"c2": [turn("hi", None)]})
    home.land()
    path.unlink()
    assert home.land().removed == (str(path),)


def test_the_day_of_the_file_serves_by_choice_and_is_fixed_at_the_first_landing(home: Home) -> None:
    home.environ["CPA_UNTIMED"] = "modified"
    path = home.write("a.json", {"c1": [turn("hi", None)]})
    assert home.land().days == (date(2026, 3, 9),)
    path.write_text(json.dumps({"c1": {"messages": [turn("hi", None), turn("ho", None)]}}), "utf-8")
    landed = home.land()
    assert landed.read == 1 and landed.days == (date(2026, 3, 9),)
    assert home.contents() == ["hi", "ho"]


def test_the_order_of_precedence_of_days_is_path_flag_then_file(home: Home) -> None:
    home.environ["CPA_UNTIMED"] = "modified"
    home.write("a.json", {"c1": [turn("hi", None)]})
    assert home.land(date(2026, 1, 2)).days == (date(2026, 1, 2),)
    home.write("2026-01-03.json", {"c2": [turn("hi", None)]})
    home.environ["CPA_SOURCE"] = f"{home.source}/{{day}}.json"
    assert home.land(date(2026, 1, 9)).days == (date(2026, 1, 3),)


def test_one_broken_file_among_several_does_not_stop_the_others(home: Home) -> None:
    home.write("a.json", "{")
    home.write("b.json", {"c1": [turn("hi")]})
    landed = home.land()
    assert home.contents() == ["hi"]
    assert (landed.records, landed.rejected, landed.lost) == (1, 1, 1)
    assert landed.problems[0].startswith(f"{home.source / 'a.json'}: line 1: not JSON")
    (reject,) = home.rows("select uri, place, reason, raw from rejected_records")
    assert reject["uri"].endswith("a.json") and reject["place"] == "" and reject["raw"] is None
    assert home.land().read == 0


def test_a_broken_new_version_leaves_the_messages_of_the_one_before(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi")]})
    home.write("b.json", {"c2": [turn("ho")]})
    home.land()
    for broken in ("{", "{{"):
        home.write("a.json", broken)
        landed = home.land()
        assert landed.lost == 1 and landed.days == ()
        assert len(home.rows("select * from rejected_records")) == 1
    assert home.contents() == ["hi"] and home.land().read == 0
    home.write("a.json", {"c1": [turn("hi"), turn("there", NOON)]})
    assert home.land().lost == 0
    assert home.contents() == ["hi", "there"]
    assert home.rows("select * from rejected_records") == []


def test_a_lone_broken_file_is_an_error_and_nothing_is_written(home: Home) -> None:
    home.write("a.csv", "role,content\nuser,hi\n")
    with pytest.raises(SourceError, match=r"a\.csv: line 1: missing columns: conversation_id \(or user_id\)"):
        home.land()
    assert home.rows("select * from landed_files") == [] == home.rows("select * from rejected_records")


def test_what_cannot_be_fetched_now_is_told_and_tried_again(home: Home) -> None:
    home.write("a.json", {"c1": [turn("hi")]})
    path = home.write("b.json", {"c2": [turn("ho")]})
    away = home.folder / "away"

    @contextmanager
    def progress(stage: str, total: int) -> Iterator[object]:
        path.rename(away)
        yield lambda: None

    landed = land(home.assistant(progress=progress))
    assert (landed.read, landed.lost) == (1, 1)
    assert landed.problems == (f"{path}: cannot be read: No such file or directory",)
    away.rename(path)
    assert home.land().read == 1 and home.contents("c2") == ["ho"]


def test_a_source_that_is_not_there_is_named(home: Home) -> None:
    with pytest.raises(SourceError, match="in: no such file or folder"):
        home.land()
    home.write("x.txt", "x")
    with pytest.raises(SourceError, match=r"in: none of the kinds that are read there \(1 other files\)"):
        home.land()
    home.environ["CPA_SOURCE"] = "ftp://host/x"
    with pytest.raises(SourceError, match="scheme: ftp is none of file, s3"):
        home.land()
    home.environ["CPA_SOURCE"] = ""
    with pytest.raises(SettingsError, match="no source is named"):
        home.land()


def test_nul_bytes_and_half_surrogates_reach_the_tables(home: Home) -> None:
    message = r'{"role": "user", "content": "a\u0000b\udfff", "timestamp": "2026-03-04", "x": "\u0000\ud800"}'
    text = r'{"c\ud800": {"messages": [' + message + "]}}"
    home.write("a.json", text)
    home.land()
    assert home.contents("c\ufffd") == ["a\0b\ufffd"]
    assert home.rows("select metadata->>'$.x' is not null as kept from landed_messages") == [{"kept": True}]


def test_what_a_conversation_says_of_itself_makes_the_day_dirty_when_it_changes(home: Home) -> None:
    tree = {"c1": {"messages": [turn("hi")], "channel": "web"}}
    home.write("a.json", json.dumps(tree))
    home.land()
    assert home.rows("select metadata->>'channel' as channel from landed_conversations") == [{"channel": "web"}]
    home.write("a.json", json.dumps(tree).replace("web", "app"))
    assert home.land().days == (DAY,)


def test_progress_counts_the_objects_that_are_read(home: Home) -> None:
    seen: list[object] = []

    @contextmanager
    def progress(stage: str, total: int) -> Iterator[object]:
        seen.append((stage, total))
        yield lambda: seen.append("one")

    home.write("a.json", {"c1": [turn("hi")]})
    home.write("b.json", {"c2": [turn("hi")]})
    land(home.assistant(progress=progress))
    assert seen == [("land", 2), "one", "one"]
