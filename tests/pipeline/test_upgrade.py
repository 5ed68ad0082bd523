"""An older home is brought to this version as the dry run said, and a newer one is left as it is."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpa_core import __version__
from cpa_core.pipeline.upgrade import COPY, preview_upgrade, upgrade_home
from cpa_core.schema import dump
from cpa_core.store.database import migrations
from tests.servers.chat_completions import ChatServer
from tests.support.commands import ONE_EACH, chats, cpa
from tests.support.homes import Home

(VERSIONS,) = (number for number, sql in migrations() if "create table versions" in sql)
"""The migration that is taken back here."""
COMMANDS = (
    *("run", "land", "quote", "status", "conversations", "show c000", "report", "export --out OUT", "restore"),
    *("compact", "forget --user u1 --yes", "upgrade", "upgrade --dry-run", "gold draw random --size 1", "gold status"),
    *("topics find", "topics list", "schema accept", "run --dry-run"),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that was labelled and delivered to the outbox."""
    made = Home(tmp_path_factory.mktemp("upgrade"))
    made.write("a.json", chats(3))
    with ChatServer() as server:
        made.environ |= environ_of(made.folder, server)
        assert cpa(made, "run") == 0
        yield made


@pytest.fixture
def home(tmp_path: Path, template: Home, chat_server: ChatServer) -> Home:
    """A copy of it, with a model of its own that counts what it is asked."""
    shutil.copytree(template.folder, tmp_path, dirs_exist_ok=True)
    return Home(tmp_path, environ_of(tmp_path, chat_server))


def environ_of(folder: Path, server: ChatServer) -> dict[str, str]:
    (folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    return {
        "CPA_SCHEMA": str(folder / "schema.yml"),
        "CPA_MODEL": "compatible:test-model",
        "CPA_COMPATIBLE_URL": f"{server.origin}/v1",
        "CPA_COMPATIBLE_STRUCTURED": "strict",
    }


def of_earlier(home: Home, sql: str = "") -> None:
    """Make the home one of an earlier version, in which this was done besides."""
    with home.assistant().store.writing() as transaction:
        transaction.execute("drop table versions")
        transaction.execute("delete from migrations where number = $number", number=VERSIONS)
        if sql:
            transaction.execute(sql)


def files_of(home: Home) -> dict[str, str]:
    """Every file of the home but the locks, by its hash."""
    folder = home.folder / "home"
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "locks"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_newer_home_is_named_in_one_line_and_left_as_it_is(
    home: Home, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with home.assistant().store.writing() as transaction:
        transaction.execute("insert into migrations values (9999, now())")
        transaction.execute("insert into versions values ('9.1.0', now())")
    before = files_of(home)
    assert cpa(home, line.replace("OUT", str(home.folder / "out"))) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and f"written by cpa 9.1.0 (migration 9999); this is {__version__}" in lines[0]
    assert files_of(home) == before and not (home.folder / "out").exists()


def test_the_dry_run_says_what_the_upgrade_does_and_changes_nothing(home: Home, chat_server: ChatServer) -> None:
    of_earlier(home)
    before = files_of(home)
    expected = preview_upgrade(home.assistant())
    assert files_of(home) == before
    assert [one.number for one in expected.migrations] == [VERSIONS] and "versions" in expected.migrations[0].about
    assert expected.written_by is None and not expected.is_current
    assert {one.kind: (one.before, one.gone, one.added) for one in expected.ids} == {
        **{"conversations": (3, 0, 0), "messages": (6, 0, 0), "events": (6, 0, 0), "receipts": (9, 0, 0)}
    }
    plan = expected.next_run
    assert (plan.days, plan.asks and plan.asks.lines, plan.sends, plan.withdraws) == ((), (), 0, 0)
    done = upgrade_home(home.assistant())
    assert done == expected.model_copy(update={"done": True})
    assert preview_upgrade(home.assistant()).is_current
    assert cpa(home, "run") == 0 and not chat_server.calls


def test_labels_of_another_prompt_are_priced_and_left(home: Home, chat_server: ChatServer) -> None:
    of_earlier(home, "update tagged_conversations set prompt_id = 'of-before'")
    found = preview_upgrade(home.assistant())
    assert found.next_run.days == () and found.retag is not None
    assert {line.task: line.answered + line.questions for line in found.retag.lines} == {"tag": 3}
    upgrade_home(home.assistant())
    assert cpa(home, "run") == 0 and not chat_server.calls


def test_ids_that_a_new_version_no_longer_gives_are_counted(home: Home) -> None:
    of_earlier(
        home,
        "insert into messages (day, conversation_id, message_id) values ('2026-03-04', 'c000', 'of-before'); "
        "update days set built_generation = null",
    )
    found = preview_upgrade(home.assistant())
    assert {one.kind: (one.gone, one.added) for one in found.ids if one.gone or one.added} == {"messages": (1, 0)}
    assert found.next_run.days is not None and len(found.next_run.days) == 1


def test_what_a_killed_dry_run_left_is_removed_and_a_folder_of_others_is_not(home: Home) -> None:
    left = home.folder / "home" / COPY
    left.mkdir()
    (left / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(FileExistsError):
        preview_upgrade(home.assistant())
    (left / "mine.txt").unlink()
    (left / "cpa.duckdb").write_bytes(b"half a copy")
    assert preview_upgrade(home.assistant()).is_current
    assert not left.exists()


def test_without_a_model_the_migrations_are_said_all_the_same(home: Home) -> None:
    of_earlier(home)
    home.environ = {"CPA_SCHEMA": str(home.folder / "none.yml")}
    found = preview_upgrade(home.assistant())
    assert len(found.migrations) == 1 and found.next_run.days is None and "none.yml" in found.next_run.unknown
