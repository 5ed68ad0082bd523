"""How everything reads that a person reads: plain sentences of the field's words, on every page."""

import re
from pathlib import Path

import pytest

from tests.support.prose import reading, sentences, words

ROOT = Path(__file__).parents[2]
MADE = {
    "docs/formats.md",
    "docs/reference/settings.md",
    "docs/reference/cli.md",
    "docs/reference/tables.md",
    "docs/reference/layout.md",
}
"""Pages that are made from tables: their sentences are short, and stand elsewhere."""
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "decisions" not in path.parts
]
TASKS = [page for page in PAGES if page.startswith(("README", "CONTRIBUTING", "docs/start", "docs/guides"))]
LEAST_EASE = 55
"""Flesch's reading ease of a page that people follow."""
LONGEST, USUAL = 35, 20
"""Words of the longest sentence, and of a sentence on average."""
AVOIDED = re.compile(
    r"^(What|That which|One that|So much) (?!if\b)[^?]*$"
    r"|\b(is told|are told(?! apart)|comes to|goes on|as of when|by itself|by themselves)\b"
)
"""The subject hides, or the verb says too little (CONTRIBUTING, style card)."""


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_hides_its_subject_or_is_longer_than_one_idea(page: str) -> None:
    found = sentences((ROOT / page).read_text("utf-8"))
    wrong = [one for one in found if AVOIDED.search(one) or (page not in MADE and len(words(one)) > LONGEST)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in MADE])
def test_sentences_are_short_on_average(page: str) -> None:
    found = reading((ROOT / page).read_text("utf-8"))
    assert not found.sentences or found.words / found.sentences <= USUAL


@pytest.mark.parametrize("page", TASKS)
def test_a_page_that_people_follow_is_plain_english(page: str) -> None:
    assert reading((ROOT / page).read_text("utf-8")).ease >= LEAST_EASE


def test_the_rules_find_what_they_forbid() -> None:
    """Offences planted on purpose: a rule that finds nothing here would find nothing anywhere."""
    assert AVOIDED.search("What is sent is chosen.") and AVOIDED.search("It is told once.")
    assert not AVOIDED.search("What does a word mean?")
    hard = "Organisational considerations necessitate comprehensive reconsideration of interdepartmental communication."
    assert reading(hard).ease < 0 < LEAST_EASE < reading("The cat sat on the mat. It was warm.").ease
    assert len(words(sentences("one " * (LONGEST + 1))[0])) > LONGEST
    assert sentences("# Title here now\n\n| a table | of words |\n\n```\ncode that is long\n```\n") == []
