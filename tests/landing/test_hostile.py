"""Hostile files: they land, or are rejected with a reason, in bounded memory; nothing falls over."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import SourceError
from cpa_core.sources import documents, parse
from tests.support.homes import Home, turn

pytestmark = pytest.mark.slow

AT = "2026-03-04T09:00:00Z"


def line(**more: Any) -> str:
    return json.dumps({"conversation_id": "c1", "role": "user", "content": "hi", "timestamp": AT, **more})


def test_a_line_of_a_hundred_megabytes_lands_whole() -> None:
    long = "x" * 100_000_000
    records, rejects = parse("a.jsonl", line(content=long).encode(), None)
    assert not rejects and records[0].content == long
    records, rejects = parse("a.jsonl", (line() + "\n" + "{" * 100_000_000).encode(), None)
    assert len(records) == 1 and rejects[0].place == "line 2"


@pytest.mark.parametrize("deep", ["[" * 200_000, '{"a":' * 200_000])
def test_deep_nesting_is_one_reject(deep: str) -> None:
    records, rejects = parse("a.jsonl", f"{line()}\n{deep}\n{line()}".encode(), None)
    assert len(records) == 2
    assert (rejects[0].place, rejects[0].reason) == ("line 2", "lists or objects nested too deeply")
    with pytest.raises(SourceError, match="nested too deeply"):
        parse("a.json", f'{{"c1": {deep}'.encode(), None)


def test_a_zip_bomb_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LEAST_BOUND", 1 << 20)
    packed = io.BytesIO()
    with gzip.open(packed, "wb") as file:
        for _ in range(64):
            file.write(b"\0" * (1 << 20))
    for name in ("a.jsonl.gz", "a.csv.gz"):
        with pytest.raises(SourceError, match="gzip: unpacks to more than 100 times its size"):
            parse(name, packed.getvalue(), None)


def test_a_gzip_that_is_cut_off_or_damaged_is_named() -> None:
    packed = gzip.compress((line() + "\n").encode() * 1000)
    for bad in (packed[:-20], packed[:30] + b"\xff" * 30 + packed[60:], packed[:10]):
        with pytest.raises(SourceError, match=r"a\.jsonl\.gz: gzip: damaged or cut off"):
            parse("a.jsonl.gz", bad, None)


@pytest.mark.parametrize(
    "odd", ["../../etc/passwd", "c\0d", "\u202edesrever", "'; drop table days; --", "a/b\\c", "%s{day}"]
)
def test_odd_ids_and_texts_are_kept_as_they_are(tmp_path: Path, odd: str) -> None:
    home = Home(tmp_path)
    home.write("a.json", {odd: [turn(odd, message_id=odd)]})
    home.write(
        "b.jsonl", line(conversation_id=odd, content=odd, message_id=f"{odd}2", timestamp="2026-03-04T10:00:00Z")
    )
    assert home.land().lost == 0
    assert home.contents(odd) == [odd, odd]
    assert {path.name for path in tmp_path.iterdir()} == {"home", "in"}


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    records, _ = parse("a.jsonl", line(content="a\ud83d", conversation_id="c\udc00").encode(), None)
    assert (records[0].content, records[0].conversation_id) == ("a\ufffd", "c\ufffd")


def test_a_key_that_occurs_twice_in_a_conversation_of_one_line_is_a_reject() -> None:
    twice = '{"id": "c1", "id": "c2", "messages": []}'
    records, rejects = parse("a.jsonl", f"{line()}\n{twice}\n".encode(), None)
    assert len(records) == 1
    assert (rejects[0].place, rejects[0].reason) == ("line 2", "id: this key occurs twice in one object")
