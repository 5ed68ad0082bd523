"""Plain sentences of the field's words, in everything that a person reads: pages, docstrings, errors and help."""

import ast
import re
from collections.abc import Iterator
from inspect import cleandoc
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
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    )
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
SUSPECT = re.compile(r"What|That which|One that|So much|\btold\b|comes to|goes on|as of when|by itself|by themselves")
"""A word of each of these, wherever it stands."""


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


def written(node: ast.expr) -> str:
    """The text of an expression; a value within it stands as a letter."""
    if isinstance(node, ast.JoinedStr):
        return "".join(written(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return written(node.left) + written(node.right)
    return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else "x"


def said(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The texts for people in a module, each with its line: docstrings, also of values, errors, help of flags."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield (
                    node.lineno,
                    "\n".join(line for line in cleandoc(text).splitlines() if not line.startswith("    ")),
                )
            case ast.Raise(exc=ast.Call(args=[first, *_])):
                yield node.lineno, written(first)
            case (
                ast.Call(func=ast.Name(id="Setting"), args=[_, _, *told])
                | ast.Call(func=ast.Name(id="switch"), args=[_, *told])
            ):
                yield from ((node.lineno, written(one)) for one in told)
            case ast.keyword(arg="help" | "description" | "epilog", value=told):
                yield told.lineno, written(told)


def offences(text: str) -> list[str]:
    """The sentences that hide their subject, or hold more than one idea. Short texts without such a word are quick."""
    if len(text.split()) <= LONGEST and not SUSPECT.search(text):
        return []
    return [one for one in sentences(text) if AVOIDED.search(one) or len(words(one)) > LONGEST]


@pytest.mark.parametrize("package", ["cpa_core", "cpa_dagster"])
def test_docstrings_errors_and_help_are_plain_sentences(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {one}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in said(ast.parse(path.read_text("utf-8")))
        for one in offences(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_rules_find_what_a_module_hides() -> None:
    """An offence of each kind, planted in a module."""
    planted = """
X = 1
'''What a landing found.'''
def f(a: Annotated[str, Option(help="the run that goes on")]):
    '''Return it. It comes to more.'''
    raise ValueError(f"{a}: What is there " + "stays as it was, by itself")
switch("--all", "every day that is told")
Setting("CPA_X", GROUP, "What the run may cost.", example="What this is may stay")
"""
    found = [one for _, text in said(ast.parse(planted)) for one in offences(text)]
    assert len(found) == 6, found
    assert not offences(
        "\n".join(text for _, text in said(ast.parse("'''One.\n\n    What code says here.\n\nTwo.\n'''")))
    )


def test_the_rules_find_what_they_forbid() -> None:
    """Offences planted on purpose: a rule that finds nothing here would find nothing anywhere."""
    assert AVOIDED.search("What is sent is chosen.") and AVOIDED.search("It is told once.")
    assert not AVOIDED.search("What does a word mean?")
    hard = "Organisational considerations necessitate comprehensive reconsideration of interdepartmental communication."
    assert reading(hard).ease < 0 < LEAST_EASE < reading("The cat sat on the mat. It was warm.").ease
    assert len(words(sentences("one " * (LONGEST + 1))[0])) > LONGEST
    assert sentences("# Title here now\n\n| a table | of words |\n\n```\ncode that is long\n```\n") == []
