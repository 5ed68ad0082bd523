"""Quotes found in the text, and the one JSON object that an answer is."""

import json
from typing import Any

import pytest

from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import answer_object, closed, listed, locate


def found(quote: str, text: str) -> str | None:
    """The text's own characters at the place of the quote."""
    place = locate(quote, text)
    return text[place[0] : place[1]] if place else None


def test_an_exact_quote_is_found_at_its_first_place() -> None:
    assert locate("ok", "not ok, ok") == (4, 6)


def test_an_exact_place_outweighs_an_earlier_folded_one() -> None:
    assert found("a b", "a\u00a0b a b") == "a b"
    assert locate("a b", "a\u00a0b a b") == (4, 7)


@pytest.mark.parametrize(
    ("quote", "text", "own"),
    [
        ("the home office", "Is the\n  home\u00a0office mine?", "the\n  home\u00a0office"),
        (" the home ", "Is the\thome mine?", "the\thome"),
        ("1/2 of it", "take ½ of it", None),
        ("1⁄2 of it", "take ½ of it", "½ of it"),
        ("office", "my oﬃce", "oﬃce"),
        ("Ａ１", "form A1.", "A1"),
        ("A1", "form Ａ１.", "Ａ１"),
        ("x…", "x...", "x..."),
        ("①", "point 1", "1"),
    ],
)
def test_compatibility_forms_and_spaces_are_folded(quote: str, text: str, own: str | None) -> None:
    assert found(quote, text) == own


@pytest.mark.parametrize(("composed", "decomposed"), [("café", "cafe\u0301"), ("한국", "한국"), ("ệ", "e\u0323\u0302")])
def test_a_letter_and_its_parts_are_the_same(composed: str, decomposed: str) -> None:
    assert found(composed, f"le {decomposed}!") == decomposed
    assert found(decomposed, f"le {composed}!") == composed


def test_half_a_letter_is_not_quoted() -> None:
    assert found("cafe ", "le café") is None
    assert found("cafe\u00a0x", "café x") is None
    assert found("cafe\u00a0x", "café x cafe x") == "cafe x"


@pytest.mark.parametrize("quote", ["", "   ", "\n", "something else", "OK"])
def test_what_is_not_in_the_text_is_not_found(quote: str) -> None:
    assert locate(quote, "ok then") is None


def test_nothing_is_found_in_an_empty_text() -> None:
    assert locate("ok", "") is None
    assert locate("", "") is None


def test_the_place_is_in_characters_of_the_text_beyond_the_first_plane() -> None:
    assert found("so happy", "😀 I am so  happy") == "so  happy"


@pytest.mark.parametrize("text", ['{"a": 1}', '  {"a": 1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}```'])
def test_the_whole_answer_is_the_object_a_code_fence_aside(text: str) -> None:
    assert answer_object(text) == {"a": 1}


@pytest.mark.parametrize(
    "text", ["", "{", 'Sure! {"a": 1}', '{"a": 1} {"a": 2}', "[" * 100_000, '{"a": ' + "9" * 5_000 + "}"]
)
def test_anything_else_is_not_json(text: str) -> None:
    with pytest.raises(ReplyInvalid, match=r"^answer: not JSON$"):
        answer_object(text)


@pytest.mark.parametrize("text", ["[]", "3", '"text"', "null"])
def test_json_of_another_kind_is_not_an_object(text: str) -> None:
    with pytest.raises(ReplyInvalid, match=r"^answer: not an object$"):
        answer_object(text)


def test_half_a_character_is_not_text() -> None:
    with pytest.raises(ReplyInvalid, match="half a character"):
        answer_object('{"because": "\\ud83d"}')
    assert answer_object(json.dumps({"because": "😀"})) == {"because": "😀"}


def test_a_list_is_needed_where_a_list_is_asked_for() -> None:
    assert listed({"messages": []}, "messages") == []
    trees: list[dict[str, Any]] = [{}, {"messages": {}}, {"messages": "[]"}]
    for tree in trees:
        with pytest.raises(ReplyInvalid, match=r"^answer: messages: not a list$"):
            listed(tree, "messages")


def test_a_closed_object_needs_every_property_and_allows_no_other() -> None:
    text = {"type": "string"}
    assert closed({"a": text}) == {
        "type": "object",
        "properties": {"a": text},
        "required": ["a"],
        "additionalProperties": False,
    }
