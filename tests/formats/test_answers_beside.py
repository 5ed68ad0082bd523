"""An answer beside its request is speech, wherever a log keeps it; a bare list of messages is a conversation."""

from typing import Any

import pytest

from cpa_core.errors import SourceError
from cpa_core.sources import parse
from tests.formats.landed import landed, turns
from tests.formats.reading import MIDNIGHT

START = 1772442000
ASKED = [{"role": "user", "content": "Open?"}]
ANSWER = {"role": "assistant", "content": "Until six."}


@pytest.mark.parametrize(
    "answered",
    [
        {"message": ANSWER},
        {"choices": [{"index": 0, "message": ANSWER}]},
        {"response": {"choices": [{"message": ANSWER}]}},
        {"response": "Until six."},
        {"completion": "Until six."},
        {"output": ANSWER},
        {"answer": "Until six."},
    ],
    ids="/".join,
)
@pytest.mark.parametrize("time", ["timestamp", "created_at", "created"])
def test_no_answer_beside_its_messages_is_lost(answered: dict[str, Any], time: str) -> None:
    said = landed({"id": "1", time: START, "messages": ASKED, **answered}, lines=True)
    assert said.only == turns("Open?", "Until six.") and said.times == ["2026-03-02T09:00:00"] * 2


def test_a_list_of_messages_is_a_conversation_and_so_is_each_list_in_a_list() -> None:
    assert landed([*ASKED, ANSWER], midnight=MIDNIGHT).only == turns("Open?", "Until six.")
    found = landed([[*ASKED, ANSWER], [*ASKED, {"role": "assistant", "content": "No."}]], midnight=MIDNIGHT)
    assert sorted(found.speech.values()) == [turns("Open?", "No."), turns("Open?", "Until six.")]


def test_rows_whose_conversation_has_another_name_are_never_one_conversation() -> None:
    rows = [{"ticket_no": f"{n}", **ASKED[0]} for n in range(2)]
    with pytest.raises(SourceError, match="--map conversation_id=ticket_no"):
        landed(rows, midnight=MIDNIGHT)


@pytest.mark.parametrize("value", [None, "", [], {}, True, ["a", "b"], {"a": 1}], ids=str)
def test_a_field_that_can_hold_no_id_names_no_conversation(value: Any) -> None:
    said = [{**one, "options": value} for one in (*ASKED, ANSWER)]
    assert landed(said, midnight=MIDNIGHT).only == turns("Open?", "Until six.")


def test_a_log_record_with_the_time_of_its_event_alone_is_read() -> None:
    def text(key: str, value: str) -> dict[str, Any]:
        return {"key": key, "value": {"stringValue": value}}

    said = '[{"role": "%s", "parts": [{"type": "text", "content": "%s"}]}]'
    attributes = [
        text("gen_ai.conversation.id", "c1"),
        text("gen_ai.input.messages", said % ("user", "Open?")),
        text("gen_ai.output.messages", said % ("assistant", "Until six.")),
    ]
    name = "gen_ai.client.inference.operation.details"
    record = {"timeUnixNano": f"{START}000000000", "eventName": name, "traceId": "t", "attributes": attributes}
    tree = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    assert landed(tree).speech == {"c1": turns("Open?", "Until six.")}


def test_chatwoots_table_is_read_as_its_messages_are() -> None:
    table = "id,content,message_type,created_at,conversation_id,private\n1,Hallo,0,1772442000,7,false\n"
    records, rejects = parse(
        "a.csv", table.encode() + b"2,Tag,1,1772442005,7,false\n3,assigned,2,1772442006,7,false\n", None
    )
    assert [(one.role, one.content) for one in records] == turns("Hallo", "Tag") and not [r for r in rejects if r.loss]
