"""Japanese, Arabic and Hindi: quotes at their place, personal data beside letters without spaces, pages' direction."""

import sys
import unicodedata
from importlib.resources import files

import pytest

from benchmarks.languages import OWN, cases, texts
from benchmarks.quotes import WAYS, measured
from benchmarks.redaction import unmarked
from cpa_core import evidence
from cpa_core.redaction import Patterns
from tests.support.languages import LANGUAGES, MARKED, Language, conversations

PATTERNS = Patterns(("JP", "SA", "IN"))
ZEROS = [chr(n) for n in range(128, sys.maxunicode) if unicodedata.decimal(chr(n), None) == 0]
"""The zero of every script."""
CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize("language", LANGUAGES)
def test_altered_quotes_are_found_at_their_place(language: Language) -> None:
    messages = texts(language)[:25]
    made = [case for way in (WAYS | OWN[language]).values() for case in cases(messages, language, way)]
    found, wrong, _ = measured(evidence.locate, made)
    assert len(made) > 300 and found - wrong >= 0.99 * len(made)


@pytest.mark.parametrize("marked", [one for texts in MARKED.values() for one in texts if "⟦NAME" not in one])
def test_personal_data_is_found_beside_letters_of_any_script(marked: str) -> None:
    text, spans = unmarked(marked)
    assert {(span.start, span.end, span.kind) for span in PATTERNS.spans(text)} == spans


@pytest.mark.parametrize("zero", ZEROS, ids=lambda zero: unicodedata.name(zero).replace(" ", "-").lower())
def test_a_number_is_a_number_in_the_digits_of_every_script(zero: str) -> None:
    written = "".join(chr(ord(zero) + int(one)) if one.isdigit() else one for one in CARD)
    (span,) = PATTERNS.spans(f"これは{written}です")
    assert (span.start, span.end, span.kind) == (3, 3 + len(written), "CARD")


@pytest.mark.parametrize("letter", "漢ひカ한ไ", ids=lambda letter: unicodedata.name(letter).split()[0].lower())
def test_an_address_ends_where_another_script_begins(letter: str) -> None:
    (span,) = PATTERNS.spans(f"{letter}ada@example.com{letter}")
    assert (span.start, span.end) == (1, 16)
    assert PATTERNS.spans(f"{letter}4111{letter}1111{letter}1111{letter}1111{letter}") == [], "four numbers are no card"


def test_the_conversations_are_the_same_each_time_and_two_hundred_differ() -> None:
    made = conversations(200)
    assert made == conversations(200) and len(made) == 200
    assert len({str(body["messages"]) for body in made.values()}) == 200


def test_words_of_people_have_their_own_direction_in_report_and_workbench() -> None:
    script = files("cpa_core.report").joinpath("page", "report.js").read_text("utf-8")
    assert "element.dir = 'auto'" in script
    folder = files("cpa_core.workbench").joinpath("templates")
    pages = [path.read_text("utf-8") for path in folder.iterdir() if path.name.endswith(".html")]
    shown = [page for page in pages if 'class="words"' in page]
    assert len(shown) >= 5 and all('class="words">' not in page for page in shown)
