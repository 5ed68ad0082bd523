"""Damaged files of every format: no crash, and no speech that nobody said. More of it: `benchmarks.fuzz_formats`."""

import pytest

from tests.formats.generated import WRITERS
from tests.formats.mutations import fault

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("writer", WRITERS)
def test_a_damaged_file_makes_nothing_speech_that_was_none(writer: str) -> None:
    for seed in range(25):
        assert (seed, fault(writer, seed)) == (seed, "")
