"""docs/reference/layout.md is what the packages say of themselves; `python -m tools.layout` writes it anew."""

import pytest

from tools.layout import PAGE, QUESTIONS, ROOT, packages, page


def test_the_page_of_the_layout_is_what_the_packages_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m tools.layout writes it anew"


@pytest.mark.parametrize(("question", "file"), QUESTIONS)
def test_each_question_is_answered_by_a_file_that_is_there(question: str, file: str) -> None:
    assert (ROOT / file).is_file(), question


def test_every_package_has_a_folder_of_tests_or_belongs_to_one_that_has() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} | {"tagging"}  # tagging: in label
    for folder in packages():
        names = {"dagster" if part == "cpa_dagster" else part for part in folder.relative_to(ROOT).parts}
        assert names & folders or names == {"cpa_core"}, folder


def test_no_test_stands_outside_a_folder() -> None:
    assert not list((ROOT / "tests").glob("test_*.py"))
