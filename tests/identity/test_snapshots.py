"""A conversation that a log writes anew at each turn, into whichever files, was said once."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.support.homes import Home

SAID = ["yes", "OK. Next?", "yes", "OK. Next?", "yes", "Done."]
TIMES = ("2026-03-02T09:00:00Z", "2026-03-02T09:05:00Z", "2026-03-03T10:00:00Z")


def written(size: int, at: str | None, **more: Any) -> str:
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(SAID[:size])]
    return json.dumps({"id": "x", "timestamp": at, "messages": messages, **more}) + "\n"


def landed(home: Home) -> list[str]:
    return [
        row["content"]
        for row in home.rows("select * from landed_messages where superseded_at is null order by sent_at, ordinal")
    ]


def ids(home: Home) -> set[str]:
    return {
        row["message_id"] for row in home.rows("select message_id from landed_messages where superseded_at is null")
    }


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("sizes", [(2, 4, 6), (2, 6, 4)])
def test_snapshots_in_files_of_their_own_with_starts_of_their_own(
    tmp_path: Path, together: bool, sizes: tuple[int, ...]
) -> None:
    home = Home(tmp_path)
    before: set[str] = set()
    for n, size in enumerate(sizes):
        home.write(f"{9 - n}.jsonl", written(size, TIMES[n]))
        if not together:
            assert not home.land().problems
            assert before <= ids(home)
            before = ids(home)
    home.land()
    assert landed(home) == SAID
    before = ids(home)
    home.write("all.jsonl", "".join(written(size, at) for size, at in zip(sizes, TIMES, strict=True)))
    home.write("9.jsonl", written(sizes[0], TIMES[0]) + written(6, TIMES[2]))
    home.land()
    assert landed(home) == SAID and ids(home) == before


def test_snapshots_without_times_in_folders_of_days(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for n, size in enumerate((2, 4, 6)):
        home.write(f"{n}.jsonl", written(size, None))
        home.land(date(2026, 3, 2 + n))
    assert landed(home) == SAID


def test_other_words_under_a_known_id_are_kept(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.jsonl", written(2, TIMES[0]))
    home.write("b.jsonl", written(2, TIMES[1]).replace("Next?", "Sure?"))
    home.land()
    assert landed(home) == ["yes", "OK. Next?", "yes", "OK. Sure?"]
