"""Pages of one thread, newest first, in files of their own: each message once, in the order of saying."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from cpa_core.sources import File, Opened, opened
from tests.support.homes import Home
from tests.support.remembered import Remembered

BEGIN = 1772442000
SAID = ["yes", "and", "In Uppsala.", "yes", "so", "It is sent."]
SECONDS = (0, 0, 1, 1, 1, 2)
"""Several messages of one second: the order within it is the list's alone."""


def message(n: int) -> dict[str, Any]:
    text = [{"type": "text", "text": {"value": SAID[n], "annotations": []}}]
    role = "assistant" if SAID[n].endswith(".") else "user"
    about = {"id": f"msg_{n}", "object": "thread.message", "thread_id": "th", "created_at": BEGIN + SECONDS[n]}
    return {**about, "role": role, "content": text}


def page(first: int, last: int) -> bytes:
    """The messages from first to last (excluded), as the API lists them."""
    listed = [message(n) for n in range(first, last)][::-1]
    about = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"], "has_more": first > 0}
    return json.dumps({"object": "list", "data": listed, **about}).encode()


def read(content: bytes) -> Opened:
    return opened(File("a.json", content), None)


@pytest.mark.parametrize("shared", [0, 1, 2])
@pytest.mark.parametrize("cut", range(1, 6))
def test_two_pages_are_in_order_wherever_they_are_cut_and_whichever_lands_first(cut: int, shared: int) -> None:
    pages = [page(0, min(cut + shared, 6)), page(cut, 6)]
    for order in permutations(range(2)):
        together, apart = Remembered(), Remembered()
        together.land_all({f"{n}": read(pages[m]) for n, m in enumerate(order)})
        for n, m in enumerate(order):
            apart.land(f"{n}", read(pages[m]))
        for home in (together, apart):
            assert {key: [text for _, text in said] for key, said in home.said().items()} == {"th": SAID}


@pytest.mark.parametrize("together", [True, False])
def test_pages_and_the_whole_list_again_change_no_id_no_time_and_are_no_contradiction(
    tmp_path: Path, together: bool
) -> None:
    home = Home(tmp_path)
    for name, first, last in (("a", 4, 6), ("b", 1, 5), ("c", 0, 2)):
        home.write(f"{name}.json", page(first, last))
        if not together:
            assert home.land().problems == ()
    assert home.land().problems == ()
    assert home.contents("th") == SAID
    home.write("whole.json", page(0, 6))
    again = home.land()
    assert (home.contents("th"), again.problems, again.days) == (SAID, (), ())
