"""Calls that name the call before them are one conversation, whatever files they lie in and whichever comes first."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from cpa_core.sources import File
from cpa_core.sources.formats import opened, read_together
from tests.support.homes import Home
from tests.support.remembered import Remembered


def _response(n: int, after: int | None, **more: Any) -> dict[str, Any]:
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"a{n}"}]}]
    named = {"previous_response_id": None if after is None else f"r{after}", "input": "yes", "output": output}
    return {"id": f"r{n}", "object": "response", "created_at": 1772442000 + 43_200 * n, "user": "u", **named, **more}


CHAIN = [_response(n, n - 1 if n else None) for n in range(5)]
SAID = [text for n in range(5) for text in ("yes", f"a{n}")]


def _lines(*records: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)


def _landed(home: Home) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in home.rows(
        "select conversation_id, content from landed_messages where superseded_at is null "
        "order by sent_at, role = 'assistant'"
    ):
        found.setdefault(row["conversation_id"], []).append(row["content"])
    return found


@pytest.mark.parametrize("cuts", [(1, 2), (1, 4), (2, 3)])
def test_a_chain_is_one_conversation_in_daily_files(tmp_path: Path, cuts: tuple[int, int]) -> None:
    home = Home(tmp_path)
    for n, part in enumerate((CHAIN[: cuts[0]], CHAIN[cuts[0] : cuts[1]], CHAIN[cuts[1] :])):
        home.write(f"{n}.jsonl", _lines(*part))
        home.land()
    assert _landed(home) == {"r0": SAID}
    home.write("all.jsonl", _lines(*CHAIN[::-1]))
    home.land()
    assert _landed(home) == {"r0": SAID}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_files_of_a_chain_may_come_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    home = Home(tmp_path)
    parts = [CHAIN[:2], CHAIN[2:3], CHAIN[3:]]
    first: set[str] = set()
    for n in order:
        home.write(f"{n}.jsonl", _lines(*parts[n]))
        home.land()
        assert first <= set(_landed(home))
        first = set(_landed(home))
    if abs(order[0] - order[1]) == 1:  # else two parts were two conversations before the one between them came
        assert list(_landed(home).values()) == [SAID]


WORDS = ("Where is my parcel?", "In Uppsala.", "yes", "It is sent.", "yes", "You are welcome.")
OTHER = (*WORDS[:2], "no", "It is lost.", "yes", "I am sorry.")


def whole(n: int, words: tuple[str, ...], **more: Any) -> dict[str, Any]:
    """A response whose input holds all that was said before."""
    said = [{"role": ("user", "assistant")[m % 2], "content": text} for m, text in enumerate(words[:-1])]
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": words[-1]}]}]
    return {**_response(n, None), "created_at": 1772442000 + 60 * n, "input": said, "output": output, **more}


def talk(first: int, words: tuple[str, ...], **more: Any) -> list[dict[str, Any]]:
    return [whole(first + n, words[: 2 * n + 2], **more) for n in range(3)]


def in_memory(*landings: list[dict[str, Any]]) -> dict[str, list[str]]:
    home = Remembered()
    for n, records in enumerate(landings):
        home.land(f"{n}", opened(File(f"{n}.jsonl", _lines(*records).encode()), None))
    assert not any(home.rejects.values())
    return {key: [text for _, text in said] for key, said in home.said().items()}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_responses_with_whole_inputs_are_one_conversation_whatever_file_lands_first(order: tuple[int, ...]) -> None:
    calls = talk(1, WORDS)
    assert in_memory(*([calls[n]] for n in order)) == {f"r{order[0] + 1}": list(WORDS)}


def test_whole_inputs_of_one_file_of_two_users_and_of_two_talks_are_told_apart() -> None:
    found = in_memory([*talk(1, WORDS), *talk(101, WORDS, user="v"), *talk(201, OTHER)])
    assert found == {"r1": list(WORDS), "r101": list(WORDS), "r201": list(OTHER)}
    assert in_memory(talk(201, OTHER), talk(1, WORDS)) == {"r1": list(WORDS), "r201": list(OTHER)}


def test_responses_without_history_are_conversations_of_their_ids_also_where_they_are_exported_again() -> None:
    single = [whole(n, ("Translate: yes", "ja")) for n in (1, 2, 3)]
    assert in_memory(single) == {f"r{n}": ["Translate: yes", "ja"] for n in (1, 2, 3)}
    assert in_memory(single[:2], single, single[1:]) == in_memory(single)


def test_a_chain_that_begins_with_a_whole_input_is_of_its_conversation() -> None:
    calls = talk(1, WORDS)
    after = {**_response(4, 3), "created_at": 1772442000 + 60 * 4}
    assert in_memory(calls[:1], calls[1:], [after]) == {"r1": [*WORDS, "yes", "a4"]}


def test_files_of_one_landing_are_one_chain() -> None:
    files = [opened(File(f"{n}.jsonl", _lines(one).encode()), None) for n, one in enumerate(CHAIN)]
    keys = {key for batch in read_together(files[::-1]) for key in batch.records["conversation_id"].to_pylist()}
    assert keys == {"r0"}


def test_chains_are_kept_apart_and_forks_together() -> None:
    other = {**_response(9, None), "input": "yes"}
    fork = _response(7, 1)
    named = _response(8, 4, conversation={"id": "conv_1"})
    found = read_together([opened(File("a.jsonl", _lines(*CHAIN, other, fork, named).encode()), None)])[0].records
    whose = dict(zip(found["content"].to_pylist(), found["conversation_id"].to_pylist(), strict=True))
    assert {whose[f"a{n}"] for n in (*range(5), 7)} == {"r0"}
    assert (whose["a9"], whose["a8"]) == ("r9", "conv_1")
