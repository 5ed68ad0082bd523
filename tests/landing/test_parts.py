"""A large landing is kept part by part: a kill costs one part, and where it was cut does not show in the result."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import DayNeeded
from cpa_core.pipeline import land
from cpa_core.pipeline.landing import fetch
from cpa_core.pipeline.landing.totals import CONTRADICTED
from cpa_core.sources.files import Sessions
from tests.support.homes import Home, turn

RESULT = (
    "select m.uri, m.conversation_id, m.message_id, m.content, m.superseded_at is null as counts, c.day, "
    "c.content_hash, f.records, f.rejected, f.problem from landed_messages m join landed_files f using (uri, etag) "
    "join landed_conversations c using (conversation_id) order by all"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def write_all(home: Home) -> None:
    """Files that share conversations, contradict each other, are broken, and come out of order."""
    home.write("c.json", {"c1": [turn("late", "2026-03-05T08:00:00Z")], "c2": [turn("new", message_id=1)]})
    home.write("a.json", {"c1": [turn("first", "2026-03-04T08:00:00Z")], "c3": [turn("x"), turn("x")]})
    home.write("b.json", {"c2": [turn("newest", message_id=1)], "c3": [turn("x"), turn("x"), turn("x")]})
    home.write("d.json", "{")
    home.write("e.json", {"c2": [turn("newest", message_id=1), turn("more", "2026-03-04T10:00:00Z")]})


def rejects(home: Home) -> list[Any]:
    return home.rows("select uri, place, reason from rejected_records order by all")


def test_parts_of_one_object_give_what_one_part_gives(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(home)
    told = home.land()
    whole = home.rows(RESULT), rejects(home)
    other = Home(home.folder / "home" / "other", {"CPA_SOURCE": str(home.source)})
    monkeypatch.setattr(fetch, "MOST_OBJECTS", 1)
    in_parts = other.land()
    assert (other.rows(RESULT), rejects(other)) == whole
    assert in_parts == told
    assert sum(CONTRADICTED in problem for problem in told.problems) == 1


def test_what_was_kept_before_a_landing_broke_off_is_not_read_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MOST_OBJECTS", 2)
    write_all(home)
    seen = 0

    def third() -> None:
        nonlocal seen
        seen += 1
        if seen == 4:
            raise KeyboardInterrupt

    @contextmanager
    def progress(stage: str, total: int) -> Iterator[object]:
        yield third

    with pytest.raises(KeyboardInterrupt):
        land(home.assistant(progress=progress))
    assert len(home.rows("select uri from landed_files")) == 2
    assert home.generations().keys() == {"2026-03-04"}
    assert home.land().read == 3
    assert home.land().read == 0
    assert home.contents("c1") == ["first", "late"] and home.contents("c2") == ["newest", "more"]


def test_a_removed_object_is_told_by_the_landing_that_ends(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MOST_OBJECTS", 1)
    home.write("a.json", {"c1": [turn("hi")]})
    path = home.write("b.json", {"c2": [turn("ho")]})
    home.land()
    path.unlink()
    home.write("a.json", {"c1": [turn("hi"), turn("more", "2026-03-04T10:00:00Z")]})
    home.write("c.json", {"c4": [turn("no time", None)]})
    with pytest.raises(DayNeeded):
        home.land()
    assert home.contents("c1") == ["hi", "more"]
    (home.source / "c.json").unlink()
    assert home.land().removed == (str(path),)


def test_objects_come_in_their_order_whichever_is_fetched_first(home: Home) -> None:
    names = [f"{n:02}.json" for n in range(40)]
    for n, name in enumerate(names):
        home.write(name, {"c1": [turn(name, f"2026-03-04T09:00:{n:02}Z")]})
    assistant = home.assistant()
    found = assistant.listing()
    slow = [
        one.model_copy(update={"read": lambda one=one, n=n: time.sleep(0.002 * (n % 3)) or one.read()})  # type: ignore[misc]
        for n, one in enumerate(found.objects)
    ]
    read = fetch.read_in_order(assistant, found, slow, {}, None, Sessions())
    assert [Path(one.object.uri).name for one in read] == names


def test_a_killed_landing_goes_on_where_it_was(home: Home) -> None:
    objects = 700
    for n in range(objects):
        home.write(f"{n:04}.jsonl", json.dumps({"conversation_id": f"c{n}", **turn(f"text {n}")}))
    environ = {**os.environ, "CPA_HOME": str(home.folder / "home"), "CPA_SOURCE": str(home.source)}
    killed = subprocess.Popen([sys.executable, "-m", "cpa_core.cli", "land"], env=environ)
    until = time.monotonic() + 60
    while not (home.assistant().store.exists() and home.rows("select uri from landed_files")):
        assert time.monotonic() < until
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    kept = len(home.rows("select uri from landed_files"))
    assert home.rows("select count(*) as n from landed_messages") == [{"n": kept}]
    assert kept % fetch.MOST_OBJECTS == 0 and 0 < kept < objects
    assert home.land().read == objects - kept
    assert home.rows("select count(distinct content) as n from landed_messages") == [{"n": objects}]
