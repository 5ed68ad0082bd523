"""Damaged files of every format: no crash, and no speech that nobody said. More of it: `benchmarks.fuzz_formats`."""

import pytest

from tests.formats.generated import WRITERS
from tests.formats.mutations import fault
from tests.support.examples import scaled

pytestmark = pytest.mark.slow
SEEDS = scaled(12, 250)
"""Damaged files of each writer."""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_damaged_file_makes_nothing_speech_that_was_none(writer: str) -> None:
    for seed in range(SEEDS):
        assert (seed, fault(writer, seed)) == (seed, "")
