"""docs/formats.md is made from the registry; WRITE_GOLDEN=1 writes it anew."""

import os
import re
from pathlib import Path

import pytest

from cpa_core.sources.formats import FORMATS
from cpa_core.sources.formats.page import page

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def test_the_page_of_formats_is_current() -> None:
    if os.environ.get("WRITE_GOLDEN"):
        PAGE.write_text(page(), "utf-8")
    assert PAGE.read_text("utf-8") == page()


def test_every_format_says_what_is_speech_and_where_ids_and_times_come_from() -> None:
    for form in FORMATS.values():
        assert form.ids and form.times and form.speech and form.silent and form.docs, form.name


@pytest.mark.parametrize("page", ["README.md", "docs/start/own-data.md"])
def test_a_page_that_says_how_many_formats_there_are_says_the_true_number_rounded_down(page: str) -> None:
    said = re.findall(r"(\d+) (?:other )?formats", (PAGE.parents[1] / page).read_text("utf-8"))
    assert said == [str(len(FORMATS) // 10 * 10)]
