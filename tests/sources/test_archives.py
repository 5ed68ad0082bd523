"""Zip archives are read member by member, safely; patterns choose files; what is left out is named."""

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest

from cpa_core.errors import SourceError
from cpa_core.pipeline import unlanded
from cpa_core.sources import archives, documents
from cpa_core.sources.objects import fits
from tests.support.commands import cpa
from tests.support.homes import Home, turn


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def chats(key: str, text: str = "hi") -> str:
    return json.dumps({key: {"messages": [turn(text)]}})


def packed(members: dict[str, str | bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def conversations(home: Home) -> list[str]:
    return [r["conversation_id"] for r in home.rows("select distinct conversation_id from landed_messages order by 1")]


CSV = "conversation_id,role,content,timestamp\nc3,user,hi,2026-03-04T09:00:00Z\n"


def test_each_member_is_an_object_of_its_own_and_others_are_named(home: Home) -> None:
    members: dict[str, str | bytes] = {
        "a.json": chats("c1"),
        "deep/b.json": chats("c2"),
        "t.csv": CSV,
        "user.json": "3",
    }
    members |= {"chat.html": "<html>", "__MACOSX/a.json": "x", ".hidden/x.json": "x"}
    home.write("export.zip", packed(members))
    landed = home.land()
    assert conversations(home) == ["c1", "c2", "c3"]
    assert (landed.objects, landed.read, landed.lost) == (1, 1, 0)
    (note,) = landed.warnings
    assert note.endswith("export.zip: not read: 2 members, such as chat.html, user.json")
    uris = [r["uri"].partition("/in/")[2] for r in home.rows("select uri from landed_files order by uri")]
    assert uris == ["export.zip", "export.zip!/a.json", "export.zip!/deep/b.json", "export.zip!/t.csv"]


def test_an_archive_that_has_landed_is_not_read_again_and_its_members_are_not_missed(home: Home) -> None:
    home.write("export.zip", packed({"a.json": chats("c1")}))
    home.land()
    again = home.land()
    assert (again.read, again.removed) == (0, ()) and not unlanded(home.assistant())


def test_a_changed_archive_replaces_what_its_members_said(home: Home) -> None:
    home.write("export.zip", packed({"a.json": chats("c1", "old")}))
    home.land()
    home.write("export.zip", packed({"a.json": chats("c1", "new")}))
    assert home.land().read == 1 and home.contents("c1") == ["new"]


def test_an_archive_that_is_gone_is_told_with_its_members(home: Home) -> None:
    path = home.write("export.zip", packed({"a.json": chats("c1")}))
    home.write("b.json", chats("c2"))
    home.land()
    path.unlink()
    assert [uri.partition("/in/")[2] for uri in home.land().removed] == ["export.zip", "export.zip!/a.json"]
    assert conversations(home) == ["c1", "c2"]


def test_a_damaged_member_is_a_problem_and_the_others_land(home: Home) -> None:
    home.write("export.zip", packed({"a.json": chats("c1"), "b.json": '{"c2": '}))
    landed = home.land()
    assert conversations(home) == ["c1"] and landed.lost == 1 and "export.zip!/b.json" in landed.problems[0]


EVIL = ["../evil.json", "/etc/evil.json", "a/../../evil.json", "C:\\evil.json", "..\\evil.json"]


@pytest.mark.parametrize("name", EVIL)
def test_a_name_that_leads_elsewhere_is_not_read_and_nothing_is_written(home: Home, name: str) -> None:
    home.write("export.zip", packed({"a.json": chats("c1"), name: chats("evil")}))
    home.land()
    assert conversations(home) == ["c1"]
    assert sorted(p.name for p in home.folder.iterdir()) == ["home", "in"]


def test_an_archive_that_swells_is_refused_in_bounded_memory(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LEAST_BOUND", 1 << 20)
    home.write("bomb.zip", packed({"a.json": b"0" * (64 << 20), "b.json": b"0" * (64 << 20)}))
    landed = home.land()
    assert landed.records == 0 and landed.lost == 2
    assert all("unpacks to more than 100 times its size" in problem for problem in landed.problems)


def test_a_size_that_the_archive_lies_about_does_not_help_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LEAST_BOUND", 1 << 20)
    content = packed({"a.json": b"0" * (64 << 20)})
    home.write("bomb.zip", content.replace(struct.pack("<I", 64 << 20), struct.pack("<I", 10)))
    home.write("good.json", chats("c1"))
    landed = home.land()
    assert landed.lost == 1 and conversations(home) == ["c1"]


def test_what_is_no_archive_is_an_error(home: Home) -> None:
    whole = packed({"a.json": chats("c1")})
    for content in (b"", b"PK\x03\x04", whole[: len(whole) // 2], whole[5:20]):
        home.write("export.zip", content)
        with pytest.raises(SourceError, match="zip: damaged or cut off"):
            home.land()


def test_an_archive_of_nothing_that_is_read_is_an_error(home: Home) -> None:
    home.write("export.zip", packed({"a.txt": "x", "inner.zip": packed({"a.json": chats("c1")})}))
    with pytest.raises(SourceError, match="holds none of the kinds that are read"):
        home.land()


def test_a_locked_member_is_said_to_be_locked(home: Home) -> None:
    content = bytearray(packed({"a.json": chats("c1")}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    home.write("export.zip", bytes(content))
    assert "locked by a password" in home.land().problems[0]


def test_too_many_members_are_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    home.write("export.zip", packed({f"{n}.json": chats(f"c{n}") for n in range(4)}))
    with pytest.raises(SourceError, match="4 members, more than 3"):
        home.land()


@pytest.mark.parametrize(
    ("name", "include", "exclude", "wanted"),
    [
        ("a.json", [], [], True),
        ("deep/a.json", ["*.json"], [], True),
        ("deep/a.json", ["deep/*"], [], True),
        ("deep/a.json", ["other/*", "a.*"], [], True),
        ("deep/a.json", ["b*"], [], False),
        ("deep/scores.json", [], ["scores*"], False),
        ("deep/scores.json", ["*.json"], ["*/scores*"], False),
        ("A.JSON", ["*.json"], [], False),
    ],
)
def test_a_pattern_is_of_the_path_or_the_name(name: str, include: list[str], exclude: list[str], wanted: bool) -> None:
    assert fits(name, include, exclude) is wanted


def test_patterns_leave_foreign_files_out_and_what_is_skipped_is_named(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write("in/a.json", chats("c1"))
    home.write("in/scores.json", '{"id": "s1", "value": 1}')
    home.write("in/_SUCCESS", "")
    assert cpa(home, "land") == 1
    capsys.readouterr()
    assert cpa(home, "land --exclude scores*") == 0
    said = capsys.readouterr().out
    assert "skipped: 2 objects of other kinds: in/_SUCCESS, in/scores.json" in said


def test_patterns_choose_members_of_an_archive_too(home: Home) -> None:
    home.environ["CPA_INCLUDE"] = "conversations*,*.zip"
    home.write("export.zip", packed({"conversations-000.json": chats("c1"), "shared_conversations.json": chats("c2")}))
    home.land()
    assert conversations(home) == ["c1"]


def test_patterns_that_leave_nothing_are_an_error(home: Home) -> None:
    home.environ["CPA_INCLUDE"] = "*.parquet"
    home.write("a.json", chats("c1"))
    with pytest.raises(SourceError, match="leave none of 1 objects"):
        home.land()


def test_a_file_that_a_person_names_is_read_whatever_the_patterns(home: Home) -> None:
    path = home.write("a.json", chats("c1"))
    assert cpa(home, f"land {path} --exclude *.json") == 0 and conversations(home) == ["c1"]
