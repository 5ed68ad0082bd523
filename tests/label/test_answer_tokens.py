"""What an answer costs: lines are half of the old form, for the same events, quotes and reasons."""

from pathlib import Path

import pytest

from benchmarks.llm_tokens import are_the_same, count, lines, lines_of


def test_every_bound_of_the_table_is_met(tmp_path: Path) -> None:
    found = lines(tmp_path)
    assert {met for *_, met in found} == {True, None} and sum(met is True for *_, met in found) >= 2


@pytest.mark.parametrize("example", ["therapist", "tax_advisor"])
def test_both_forms_are_read_as_the_same(example: str) -> None:
    assert are_the_same(example)
    assert not are_the_same(example, lambda entries: lines_of({m: found[:1] for m, found in entries.items()}))


def test_the_tokenizer_is_a_vendors() -> None:
    assert [count(text) for text in ("", "hello world", '"because":"', '"w":"')] == [0, 2, 3, 3]
