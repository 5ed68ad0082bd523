"""`cpa doctor` warns before a home's growth hurts, and names what helps."""

import os
from pathlib import Path

import pytest

from cpa_core.pipeline import Assistant
from cpa_core.pipeline.health import (
    GIB,
    LARGE_LOG,
    LARGE_OUTBOX,
    LARGE_STORE,
    LEAST_DAYS,
    HealthCheck,
    free_room,
    health,
)
from cpa_core.settings import settings
from cpa_core.store.compaction import FileRoom
from tests.support.homes import Home, turn


def checks(home: Path, event_log: Path | None = None) -> dict[str, HealthCheck]:
    """The first check of each name."""
    found: dict[str, HealthCheck] = {}
    for one in health(Assistant.of(settings({"CPA_HOME": str(home)})), ask=False, event_log=event_log):
        found.setdefault(one.name, one)
    return found


def sparse(path: Path, size: int) -> None:
    """A file of so many bytes that takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, size)


@pytest.mark.parametrize(
    ("place", "least", "name", "remedy"),
    [
        ("home/cpa.duckdb", LARGE_STORE, "database", "cpa compact gives back what it can"),
        ("home/answers/run.1.parquet", LARGE_STORE, "answers", "cpa compact merges their files"),
        ("home/outbox/2026-03-02.jsonl", LARGE_OUTBOX, "outbox", "move the files of old days elsewhere"),
        ("dagster/history/index.db", LARGE_LOG, "event log", "dagster run delete"),
    ],
)
def test_each_part_of_a_home_is_well_below_its_limit_and_a_warning_above_it(
    tmp_path: Path, place: str, least: int, name: str, remedy: str
) -> None:
    sparse(tmp_path / place, least)
    well = checks(tmp_path / "home", tmp_path / "dagster")[name]
    assert (well.state, well.remedy) == ("ok", "")
    sparse(tmp_path / place, least + 1)
    warned = checks(tmp_path / "home", tmp_path / "dagster")[name]
    assert warned.state == "warning" and remedy in warned.remedy


def test_a_disk_that_lasts_for_too_few_days_at_this_growth_is_a_warning(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.json", {"c1": [turn("Hello.")]})
    home.land()
    assert checks(tmp_path / "home")["growth"].state == "ok"
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    sparse(tmp_path / "home" / "outbox" / "2026-03-04.jsonl", free // LEAST_DAYS + GIB)
    warned = checks(tmp_path / "home")["growth"]
    assert warned.state == "warning" and "the disk is full in" in warned.found and "make room" in warned.remedy


@pytest.mark.parametrize(
    ("size", "free", "state"),
    [
        (GIB, GIB // 5, "ok"),
        (GIB, GIB // 3, "warning"),
        (GIB // 100, GIB // 110, "ok"),
        (100 * GIB, 26 * GIB, "warning"),
    ],
)
def test_free_room_is_a_warning_where_a_quarter_of_a_large_file_is_free(size: int, free: int, state: str) -> None:
    found = free_room(FileRoom(size, free))
    assert (found.state, "cpa compact" in found.remedy) == (state, state == "warning")
