"""Quotes found in the text, and the one JSON object that an answer is."""

import html
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core import evidence
from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import answer_object, closed, listed, locate
from tests.support.examples import examples


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


ALTERED = [
    ("I can't log in", "Well, I can’t log in!", "I can’t log in"),
    ("I can’t log in", "Well, I can't log in!", "I can't log in"),
    ("says 'no'", "he says “no” to it", "says “no”"),
    ("a - b", "it is a – b here", "a – b"),
    ("so -- yes", "so — yes", "so — yes"),
    ("wait...", "oh wait… what", "wait…"),
    ("We got to", "and we got to it", "we got to"),
    ("WE GOT", "and we got to it", "we got"),
    ("straße", "die STRASSE", "STRASSE"),
    ("password", "my pass\u00adword", "pass\u00adword"),
    ("pass\u200bword", "my password", "password"),
    ("\u200fshalom\u200e", "so shalom", "shalom"),
    ("I ❤ it!", "I ❤\ufe0f it!", "I ❤\ufe0f it!"),
    ("Love ❤", "I love ❤\ufe0f it", "love ❤\ufe0f"),
    ("take care now", "please **take care** now", "take care** now"),
    ("**take** _care_", "please take care now", "take care"),
    ("这是重要的", "这是**重要**的", "这是**重要**的"),
    ("`take care`", "please take care now", "take care"),
    ("Please take care.", "please take care, now", "please take care"),
    ('"take care."', "please take care now", "take care"),
    ("“Please take care”", "please take care now", "please take care"),
    ("I think ... so", "I think it is so", None),
    ("I think ... right", "So I think that it is right now", "I think that it is right"),
    ("I think […] right…", "I think no. I think it is right", "I think it is right"),
    ("it is right ... I think", "So I think that it is right now", None),
    ("... is right ...", "that it is right now", "is right"),
    ("23", "2*3 and 2 * 3 and 2**3", None),
    ("snakecase", "my snake_case", None),
    ("nothanks", "no thanks", None),
    ("well known", "well-known", None),
    ("cant", "can't", None),
]


@pytest.mark.parametrize(("quote", "text", "own"), ALTERED)
def test_what_models_alter_without_meaning_to_is_folded_and_nothing_else(
    quote: str, text: str, own: str | None
) -> None:
    assert found(quote, text) == own


MARKED = [
    ("run npm install now", "please run `npm install` now", "run `npm install` now"),
    ("run npm install", "please run ``npm install`` now", "run ``npm install"),
    ("see the docs here", "see [the docs](https://a.b/c_(d)?e=f) here", "see [the docs](https://a.b/c_(d)?e=f) here"),
    ("the docs", 'see [the docs](https://a.b "A title") here', "the docs"),
    ("see the logo here", "see ![the logo](a.png) here", "see ![the logo](a.png) here"),
    ("it works—most days", "it works - most days", "it works - most days"),
    ("it works—most days", "it works -- most days", "it works -- most days"),
    ("it works -- most days", "it works – most days", "it works – most days"),
    ("it works – most days", "it works—most days", "it works—most days"),
    ("he said ''no'' twice", 'he said "no" twice', 'he said "no" twice'),
    ("take care,", "take care now", "take care"),
    ("take care!", "take care now", "take care"),
    ("take care?!", "Take care, now", "Take care"),
    ("take care;", "take care.", "take care"),
    ("“take care,”", "take care now", "take care"),
    ("Tom &amp; Jerry", "see Tom & Jerry run", "Tom & Jerry"),
    ("Tom & Jerry", "see Tom &amp; Jerry run", "Tom &amp; Jerry"),
    ("a &lt; b", "so a < b it is", "a < b"),
    ("it&#39;s late", "well it's late", "it's late"),
    ("it's &quot;late&quot;", 'well it&#x27;s "late" now', 'it&#x27;s "late"'),
    (r"one\ntwo", "so one\ntwo it is", "one\ntwo"),
    (r"say \"no\" now", 'I say "no" now', 'say "no" now'),
    (r"a \u003c b", "so a < b it is", "a < b"),
    (r"so \ud83d\ude00 happy", "I am so 😀 happy", "so 😀 happy"),
    (r"C:\\new\\one", r"in C:\new\one now", r"C:\new\one"),
    ("first one second one", "Do:\n- first one\n- second one\n", "first one\n- second one"),
    ("first one second one", "Do:\n1. first one\n2) second one\n", "first one\n2) second one"),
    ("- first one", "Do:\n* first one", "first one"),
    ("A title and words", "## A title\n> and words", "A title\n> and words"),
    ("run `npm i`!", "do: run npm i, then", "run npm i"),
    ("café au lait", "un cafe\u0301 au `lait`", "cafe\u0301 au `lait"),
    # nothing else is left out
    ("2. do that", "1. do that\n3. do this", None),
    ("the docs at a.b", "see [the docs](https://a.b) here", None),
    ("care now", "careful now", None),
    ("take car!", "take care now", None),
    ("a b", "a-b and a - b", None),
    ("5 3", "5 - 3", None),
    ("cafe au lait", "un café au lait", None),
    ("say no", 'say "no" now', None),
    ("ab", "a&amp;b", None),
    ("&amp;", "a", None),
    ("!?", "what!? no", "!?"),
    (";", "a, b", None),
    ("``", "a", None),
]


@pytest.mark.parametrize(("quote", "text", "own"), MARKED)
def test_marks_that_models_leave_out_or_write_otherwise_are_folded_and_nothing_else(
    quote: str, text: str, own: str | None
) -> None:
    assert found(quote, text) == own


PIECES = st.text(
    st.sampled_from("abcXYZ ÄßéİΣ한重要\u0301'’\"“”-–—.…*_~`\u200b\u00ad\u200f\ufe0f\u00a0\n\tﬁ①😀[]"),
    min_size=1,
    max_size=40,
)


@given(PIECES, PIECES, PIECES)
def test_what_is_folded_is_found_at_a_place_that_folds_to_the_same(before: str, quote: str, after: str) -> None:
    text = before + quote + after
    assert found(quote, text) == (quote if quote.strip() else None)
    for altered in (quote.upper(), quote.replace("'", "’"), unicodedata.normalize("NFC", quote), f"“{quote}”"):
        place = locate(altered, text)
        if place is not None:
            own, wanted = (evidence._folded(one).plain.strip(" '.") for one in (text[slice(*place)], altered))
            assert _letters(own) == _letters(wanted)


SAID = ["we", "can’t", "log", "in", "so—yes", "“no”", "wait…", "**now**", "①", "é"]
MARKUP = ["`code`", "[a link](https://a.b/c)", "a - b", "Q&A"]
WORDS = st.lists(st.sampled_from([*SAID, *MARKUP]), min_size=1)
ALTERATIONS: list[Callable[[str], str]] = [
    str.upper,
    str.capitalize,
    lambda quote: quote.translate(str.maketrans({"’": "'", "“": '"', "”": '"', "—": "-", "…": "..."})),
    lambda quote: quote.replace("**", ""),
    "\u200b".join,
    lambda quote: quote.replace(" ", "\u00a0 \n"),
    lambda quote: f"“{quote}”",
    lambda quote: f"{quote}.",
    lambda quote: unicodedata.normalize("NFD", quote),
    lambda quote: quote.replace("`", ""),
    lambda quote: re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", quote),
    lambda quote: quote.replace(" - ", "—"),
    lambda quote: quote.replace("“", "''").replace("”", "''"),
    lambda quote: f"{quote}!",
    lambda quote: f"{quote},",
]
ESCAPES: list[Callable[[str], str]] = [str, html.escape, lambda quote: json.dumps(quote)[1:-1]]


@examples(50)
@given(WORDS, WORDS, WORDS, st.lists(st.sampled_from(ALTERATIONS), max_size=3, unique=True), st.sampled_from(ESCAPES))
def test_whatever_was_altered_is_found_at_its_place(
    before: list[str],
    words: list[str],
    after: list[str],
    alterations: list[Callable[[str], str]],
    escape: Callable[[str], str],
) -> None:
    quote = " ".join(["first", *words, "last"])
    text = " ".join([*before, quote, *after])
    altered = quote
    for alter in alterations:
        altered = alter(altered)
    assert found(escape(altered), text) == quote


@examples(50)
@given(WORDS, WORDS)
def test_what_is_not_in_the_text_is_never_found(words: list[str], others: list[str]) -> None:
    text = " ".join(words)
    for alter in (*ESCAPES, *ALTERATIONS):
        for quote in ("absent " + " ".join(others), " ".join(others) + " absent", "absent ... " + " ".join(others)):
            assert found(alter(quote), text) is None


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


@pytest.mark.parametrize(("composed", "decomposed"), [("café", "cafe\u0301"), ("한국", "한국"), ("ệ", "e\u0323\u0302")])
def test_a_letter_and_its_parts_are_the_same(composed: str, decomposed: str) -> None:
    assert found(composed, f"le {decomposed}!") == decomposed
    assert found(decomposed, f"le {composed}!") == composed


def test_half_a_letter_is_not_quoted() -> None:
    assert found("cafe ", "le café") is None
    assert found("cafe\u00a0x", "café x") is None
    assert found("cafe\u00a0x", "café x cafe x") == "cafe x"


@pytest.mark.parametrize(
    "quote", ["", "   ", "\n", "something else", "ok now", "*", "**", ".", "...", "\u200b", "''", "h t..."]
)
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
