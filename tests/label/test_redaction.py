"""Redaction: the same thing gets the same placeholder, and what it finds is measured on a corpus of our own."""

from pathlib import Path

import pytest

from benchmarks.redaction import MARK, measured, read, table, unmarked
from cpa_core.errors import SettingsError
from cpa_core.redaction import KINDS, Patterns, Pseudonyms, Span, names_of, redactor
from cpa_core.settings import settings

LEAST = {"KEY": 0.90, "EMAIL": 0.93, "IBAN": 0.95, "CARD": 0.95, "SSN": 0.95, "IP": 0.93, "PHONE": 0.93, "NAME": 0.70}
"""Recall that is not to be lost again; names are best effort."""


class Shouting:
    """A redactor of somebody else's: words in capitals."""

    def names(self, text: str) -> list[str]:
        """None."""
        return []

    def spans(self, text: str, names: object) -> list[Span]:
        """The first word, when it is in capitals."""
        word = text.split(maxsplit=1)[0]
        return [Span(start=0, end=len(word), kind="SHOUT")] if word.isupper() else []


def redacted(*texts: str, names: tuple[str, ...] = ()) -> list[str]:
    pseudonyms = Pseudonyms(Patterns(), texts, names)
    return [pseudonyms(text) for text in texts]


def test_a_marked_text_is_read_as_text_and_places() -> None:
    assert unmarked("to ⟦EMAIL:a@b.io⟧!") == ("to a@b.io!", {(3, 9, "EMAIL")})


def test_the_corpus_is_large_enough_and_no_text_is_in_it_twice() -> None:
    texts = list(read())
    assert sum(len(spans) for _, spans in texts) >= 300
    assert sum(not spans for _, spans in texts) >= 300
    assert len({text for text, _ in texts}) == len(texts)
    assert {kind for _, spans in texts for _, _, kind in spans} == set(KINDS)
    assert not any(MARK.search(text) for text, _ in texts)


def test_precision_and_recall_on_the_corpus_are_not_lost_again() -> None:
    counts, _ = measured()
    for kind, least in LEAST.items():
        assert counts[kind]["exact"] / counts[kind]["spans"] >= least, kind
        assert counts[kind]["exact"] / (counts[kind]["exact"] + counts[kind]["other"]) >= 0.9, kind
    assert sum(count["clean"] for count in counts.values()) <= 5


def test_the_figures_in_the_docs_are_those_of_the_corpus() -> None:
    page = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text("utf-8")
    assert "\n".join(table()) in page


def test_the_same_thing_has_the_same_placeholder_in_a_conversation() -> None:
    assert redacted("from a@b.io to c@d.io", "C@D.io or a@b.io?") == [
        "from [EMAIL_1] to [EMAIL_2]",
        "[EMAIL_2] or [EMAIL_1]?",
    ]
    assert redacted("4111 1111 1111 1111", "4111-1111-1111-1111") == ["[CARD_1]", "[CARD_1]"]


def test_a_name_that_was_introduced_is_hidden_everywhere_in_the_conversation() -> None:
    assert redacted("Hello Anna, how can I help?", "My name is Anna Smith.", "Thank you, Ms SMITH") == [
        "Hello [NAME_1], how can I help?",
        "My name is [NAME_1].",
        "Thank you, Ms [NAME_1]",
    ]


def test_names_of_metadata_are_known() -> None:
    metadata = {"customer": {"first_name": "Ngozi", "plan": "Basic"}, "file_name": "Report", "username": "u7"}
    assert names_of(metadata) == ["Ngozi", "u7"]
    assert redacted("Is Ngozi there?", names=("Ngozi",)) == ["Is [NAME_1] there?"]


def test_numbers_do_not_depend_on_what_is_asked_for_first() -> None:
    texts = ["a@b.io", "c@d.io"]
    assert Pseudonyms(Patterns(), texts)("c@d.io") == "[EMAIL_2]"


def test_a_hidden_thing_is_hidden_whole_where_two_forms_overlap() -> None:
    assert redacted("postgres://root:s3cret9@10.1.2.3/app") == ["postgres://root:[KEY_1]@[IP_1]/app"]


def test_placeholders_are_not_redacted_again() -> None:
    (once,) = redacted("I'm Anna, a@b.io, +1 212 736 5000, DE89370400440532013000, 10.2.3.4")
    assert redacted(once) == [once]


def test_another_redactor_can_be_named() -> None:
    other = redactor(settings({"CPA_REDACTOR": "tests.label.test_redaction:Shouting"}))
    assert Pseudonyms(other)("HELP me") == "[SHOUT_1] me"
    with pytest.raises(SettingsError, match=r"CPA_REDACTOR is 'nowhere:at_all': package.module:name is needed"):
        redactor(settings({"CPA_REDACTOR": "nowhere:at_all"}))


def test_countries_whose_numbers_need_no_plus_can_be_named() -> None:
    text = "call 02 9374 4000"
    assert not [s for s in redactor(settings({"CPA_PHONE_REGIONS": "us"})).spans(text, ()) if s.kind == "PHONE"]
    assert [s.kind for s in redactor(settings({"CPA_PHONE_REGIONS": "au"})).spans(text, ())] == ["PHONE"]


@pytest.mark.parametrize(
    "text", ["1" * 20_000, "a@" * 10_000, "A1" * 10_000, "I'm A" * 4_000, "::" * 5_000, "+1 " * 5_000]
)
def test_a_long_text_of_one_pattern_takes_no_time(text: str) -> None:
    Patterns().spans(text[:20_000])


def test_a_part_of_a_text_is_redacted_by_what_all_of_it_says() -> None:
    text = "Please call me on 0151 23456789 tonight"
    redact = Pseudonyms(Patterns(), [text])
    start = text.index("0151")
    assert redact.part(text, start, start + 8) == "[PHONE_1]"
    assert redact.part(text, 0, start + 4) == "Please call me on [PHONE_1]"
    assert redact.part(text, 7, 14) == "call me"
    assert redact.part(text, 0, len(text)) == redact(text)
