"""A store of several workers that was dumped and copied stands elsewhere: its next run asks and sends nothing."""

import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from cpa_core.errors import SettingsError
from cpa_core.store import Store
from cpa_core.store.copying import contents_of
from cpa_core.store.lake import lake_engine
from tests.servers.chat_completions import ChatServer
from tests.servers.postgres import PASSWORD, USER, Postgres, programs, server
from tests.servers.posthog import PostHogServer
from tests.support.commands import chats, cpa, opened
from tests.support.homes import Home
from tests.support.lakes import Lakes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(programs() is None, reason="Postgres is not installed: apt-get install postgresql"),
]
MOVED = "update cpa_lake.ducklake_metadata set value = %s where key = 'data_path'"
"""The statement of docs/guides/scale-out.md for a copy of the files that lies elsewhere."""


def client(name: str, postgres: Postgres, database: str, *words: str) -> None:
    """A program of Postgres at a database of a server."""
    folder = programs()
    assert folder is not None
    where = ["-h", "127.0.0.1", "-p", str(postgres.port), "-U", USER, "-d", database]
    done = subprocess.run(
        [str(folder / name), *where, *words], env={"PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def restored(postgres: Postgres, given: dict[str, str], folder: Path) -> dict[str, str]:
    """A dump first and the files after it, both elsewhere: the settings that lead there."""
    database = given["CPA_STORE"].rpartition("/")[2]
    client("pg_dump", postgres, database, "--format=custom", f"--file={folder / 'dump'}")
    shutil.copytree(given["CPA_STORE_DATA"], folder / "copied")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("create database elsewhere template template0")
    client("pg_restore", postgres, "elsewhere", str(folder / "dump"))
    there = {
        "CPA_STORE": given["CPA_STORE"].removesuffix(database) + "elsewhere",
        "CPA_STORE_DATA": str(folder / "copied"),
    }
    with pytest.raises(SettingsError, match="not where this store was begun"):
        contents_of(Store.of(Home(folder / "early", {**given, **there}).assistant().settings))
    with psycopg.connect(f"{postgres.url.removesuffix('app')}elsewhere", autocommit=True) as connection:
        connection.execute(MOVED, [f"{folder / 'copied'}/"])
    return there


def test_a_restored_store_holds_the_same_rows_and_asks_and_sends_nothing_again(tmp_path: Path) -> None:
    with server() as postgres, ChatServer() as model, PostHogServer() as posthog:
        given = Lakes(postgres).environ(tmp_path / "store")
        (tmp_path / "one").mkdir()
        home = opened(Home(tmp_path / "one", dict(given)), model, posthog)
        home.write("a.json", chats(2))
        assert cpa(home, "run") == 0
        asked, sent = len(model.calls), posthog.stored
        there = restored(postgres, given, tmp_path)
        shutil.rmtree(given["CPA_STORE_DATA"])
        other = Home(tmp_path / "two", {**home.environ, **there})
        other.write("a.json", chats(2))
        assert cpa(other, "run") == 0
        held = contents_of(other.assistant().store)
        assert (len(model.calls), posthog.stored) == (asked, sent) and asked == 4 and sent > 4
        assert held["messages"].rows == 4 and held["answers"].rows == asked
        for one in (home, other):
            lake_engine(one.assistant().settings).close()
