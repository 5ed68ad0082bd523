"""An input or output that holds messages is known by its keys, before it is read."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cpa_core.sources.formats import parts
from cpa_core.sources.formats.calls import HELD, is_readable, spoken
from tests.support.examples import examples

KEYS = st.sampled_from(sorted({*HELD, *parts.NAMED_CALLS, "q", "score", "id", "kwargs", "data", "system", "object"}))
VALUES = st.sampled_from(
    ["", "Hi", "human", "tool_call", "error", "response", 1, True, None, [], {}, ["Hi"], [{"role": "user"}]]
)
OBJECTS = st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=2)), max_size=3)


@examples(150)
@given(OBJECTS)
def test_an_object_is_readable_if_it_can_be_read(value: dict[str, Any]) -> None:
    try:
        read = bool(spoken(value, ""))
    except ValueError:
        read = False
    assert is_readable(value) is read
