"""Files with the newest message first, as `order by created_at desc` writes them: what was said stands in its order."""

import json
import random

import pytest

from tests.formats.reading import Said, message, said

TURNS: Said = [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e"), ("assistant", "f")]
SECONDS = (0, 0, 7, 7, 7, 9)


def rows(ids: str) -> list[tuple[str, str, str, str]]:
    """Rows of conversations that were held at once, oldest first; several messages of each fall into one second."""
    return [
        (f"2026-03-02T09:00:{second:02}Z", key, role, f"{text} of {key}")
        for second, (role, text) in zip(SECONDS, TURNS, strict=True)
        for key in ids
    ]


def spoken(ids: str) -> dict[str, Said]:
    return {key: [(role, f"{text} of {key}") for role, text in TURNS] for key in ids}


@pytest.mark.parametrize("ids", ["k", "kl"])
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_messages_of_one_second_stand_in_their_order_whichever_end_of_a_file_is_the_newest(
    ids: str, together: bool, turned: bool
) -> None:
    found = rows(ids)[::-1] if turned else rows(ids)
    found = sorted(found, key=lambda row: row[1]) if together else found
    table = "\n".join(["timestamp,conversation_id,role,content", *map(",".join, found)])
    assert said(table, "a.csv") == spoken(ids)
    words = ("timestamp", "conversation_id", "role", "content")
    assert said("\n".join(json.dumps(dict(zip(words, row, strict=True))) for row in found), "a.jsonl") == spoken(ids)


def test_a_conversation_of_one_time_or_of_mixed_order_is_left_as_it_is() -> None:
    found = [{**message(role, text), "conversation_id": key, "timestamp": f"2026-03-0{day}T09:00:00Z"}
             for key, day in (("new", 3), ("old", 2)) for role, text in TURNS]  # fmt: skip
    assert said(found) == {"new": TURNS, "old": TURNS}
    chance = random.Random(1)
    mixed = rows("k")
    chance.shuffle(mixed)
    table = "\n".join(["timestamp,conversation_id,role,content", *map(",".join, mixed)])
    assert {text for _, text in said(table, "a.csv")["k"]} == {text for _, text in spoken("k")["k"]}
