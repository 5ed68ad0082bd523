"""A message that is nothing but a role, a text, an id and a time is read by a shorter way: with the same result."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cpa_core.sources import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.turns import drafts
from tests.support.examples import examples

VALUES = st.sampled_from(["user", " Assistant ", "", " ", "Hi", "ä\ud800", None, 0, 1.0, True, [], {}, ["Hi"], "[]"])
TIMES = st.sampled_from([None, "", "2026-03-02T09:00:00Z", "2026-03-02 09:00", 1772442000, "soon", True, []])
IDS = st.sampled_from([None, "", " ", "m1", 7, True, [], "\ud800"])
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "reasoning", "input_text", "", None, 1]),
        "text": VALUES,
        "content": VALUES,
        "x": VALUES,
    },
)
TEXTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "reasoning"]), "content": st.sampled_from(["Hi", "ä", ""])}
)
CONTENTS = st.one_of(VALUES, PARTS, st.lists(st.one_of(PARTS, VALUES), max_size=2), st.lists(TEXTS, max_size=3))
MESSAGES = st.fixed_dictionaries(
    {},
    optional={"role": VALUES, "content": CONTENTS, "parts": CONTENTS, "timestamp": TIMES, "id": IDS, "message_id": IDS},
)


@examples(80)
@given(MESSAGES, st.sampled_from([None, "user"]))
def test_the_shorter_way_reads_what_the_longer_one_reads(message: dict[str, Any], speaker: str | None) -> None:
    longer = File("a.json", b"", names={"user_id": "nowhere"})
    read, carefully = (list(drafts(file, "1", [message], speaker)) for file in (File("a.json", b""), longer))
    assert read == carefully


@examples(80)
@given(st.one_of(CONTENTS, st.lists(st.sampled_from(["Hi", "ä", "", " "]), max_size=3)))
def test_a_message_of_texts_alone_is_read_as_its_parts_are(content: Any) -> None:
    longer = File("a.json", b"", names={"user_id": "nowhere"})
    read, carefully = (list(talks.turn(file, "1", "user", content)) for file in (File("a.json", b""), longer))
    assert read == carefully
