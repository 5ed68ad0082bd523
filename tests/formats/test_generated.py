"""Generated files of every format: each message that was said lands once, and nothing else is speech."""

import random
from collections import Counter

import pytest

from cpa_core.sources import File
from cpa_core.sources.formats import FORMATS, form_of
from tests.formats.generated import FLAT, TABLES, UNSPOKEN, WRITERS, layouts, talks_of
from tests.formats.marks import INSIDE, SILENT
from tests.formats.reading import SPOKEN, read_file

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("writer", WRITERS)
def test_each_message_is_one_row_and_no_other_row_is_speech(writer: str, seed: int) -> None:
    form, write = WRITERS[writer]
    told = talks_of(writer, random.Random(seed))
    expected = sorted(sorted(one.turns) for one in told)
    for layout, name, text in layouts([record for one in told for record in write(one)], flat=writer in FLAT):
        content = text.encode() if isinstance(text, str) else text
        expected_form = TABLES.get(layout, form) if writer == "rows" else form
        assert form_of(File(name, content)) == expected_form, layout
        records, rejects = read_file(content, name)
        assert [one.reason for one in rejects if one.loss] == [], layout
        spoken: dict[str, list[tuple[str, str]]] = {}
        for one in records:
            if one.role in SPOKEN:
                spoken.setdefault(one.conversation_id, []).append((one.role, one.content))
        assert not any(mark in text for mark in (SILENT, INSIDE) for said in spoken.values() for _, text in said), (
            layout
        )
        assert sorted(map(sorted, spoken.values())) == expected, layout


def test_rows_that_are_no_speech_are_there_too() -> None:
    roles: Counter[str] = Counter()
    for writer, (_, write) in WRITERS.items():
        roles += Counter(one.role for one in read_file(write(talks_of(writer, random.Random(1))[0]))[0])
    assert {"system", "tool", "tool_call", "reasoning", "attachment"} <= roles.keys()


def test_every_format_has_a_writer_or_a_reason_to_have_none() -> None:
    written = {form for form, _ in WRITERS.values()} | set(TABLES.values())
    assert written & UNSPOKEN.keys() == set()
    assert written | UNSPOKEN.keys() == FORMATS.keys()
