"""What frameworks of agents write: the pages stand in the docstring of `cpa_core.sources.formats.frameworks`."""

from typing import Any

import pytest

from tests.formats.reading import AT, read_file

ASKED = {"source": "user", "type": "TextMessage", "content": "hi", "created_at": AT}


@pytest.mark.parametrize(
    ("message", "roles"),
    [
        (ASKED, ["user"]),
        ({**ASKED, "source": "user_proxy"}, ["user"]),
        ({**ASKED, "source": "helper"}, ["assistant"]),
        ({**ASKED, "type": "MultiModalMessage", "content": ["hi", {"data": "x"}]}, ["user", "attachment"]),
        ({**ASKED, "source": "helper", "type": "ThoughtEvent"}, ["reasoning"]),
        ({**ASKED, "source": "helper", "type": "MemoryQueryEvent"}, ["tool"]),
    ],
    ids=lambda one: "/".join(one) if isinstance(one, list) else one["type"],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_message_of_autogen_is_of_who_it_comes_from_and_an_event_is_no_speech(
    message: dict[str, Any], roles: list[str], wrapped: bool
) -> None:
    listed = [{**ASKED, "content": "before"}, message]
    records, rejects = read_file({"messages": listed, "stop_reason": None} if wrapped else listed)
    assert ([one.role for one in records], rejects) == (["user", *roles], [])


def test_each_key_of_a_chat_store_is_a_conversation() -> None:
    kept = {key: [{"role": "user", "blocks": [{"block_type": "text", "text": key}]}] for key in "ab"}
    records, _ = read_file({"store": kept, "class_name": "SimpleChatStore"})
    assert [(one.conversation_id, one.content) for one in records] == [("a", "a"), ("b", "b")]
