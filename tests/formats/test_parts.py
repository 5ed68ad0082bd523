"""A message of parts: the short way of reading one finds what the careful way finds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cpa_core.sources.files import File
from cpa_core.sources.formats import turns
from tests.support.examples import examples

TEXT = st.sampled_from(["hi", "", " ", "\ud83d", "é"])
PARTS = st.one_of(
    TEXT,
    st.none(),
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["text", "input_text", "thinking", "tool_use", "tool-x", "function", "image", "refusal"]
            )
        },
        optional={"text": TEXT, "thought": st.booleans(), "refusal": TEXT, "function": st.just({"name": "f"})},
    ),
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "Human", "", None, 1])},
    optional={
        "content": st.one_of(TEXT, st.lists(PARTS, max_size=4)),
        "parts": st.lists(PARTS, max_size=4),
        "type": st.sampled_from(["message", "human", "reasoning", "text", None]),
        "id": st.sampled_from(["m1", "", None, 7, ["x"]]),
        "timestamp": st.sampled_from(["2026-03-04T09:00:00Z", "2026-03-04 09:00", "soon", None]),
    },
)


@examples(300)
@given(MESSAGES)
def test_the_short_way_finds_what_the_careful_way_finds(message: dict[str, Any]) -> None:
    file = File("a.jsonl", b"")
    careful = list(turns._carefully(file, "place", message, None))
    assert list(turns.drafts_of(file, "place", message)) == careful
    listed = list(turns.drafts(file, "place", [message]))
    assert [one._replace(place="place") for one in listed] == careful
