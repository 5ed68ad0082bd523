"""Sessions of OpenAI's Realtime API, event by event, and chats that WhatsApp exports as text.

The pages stand in the docstrings of `cpa_core.sources.formats.realtime` and `cpa_core.sources.whatsapp`.
"""

from typing import Any

import pytest

from cpa_core.errors import SourceError
from cpa_core.sources.objects import is_read
from tests.formats.reading import AT, BOTH, Said, lines, read_file, roles, said, told


def item(key: str, role: str, *parts: dict[str, Any], kind: str = "added", before: str | None = None) -> dict[str, Any]:
    made = {"id": key, "type": "message", "role": role, "content": list(parts)}
    return {"type": f"conversation.item.{kind}", "previous_item_id": before, "item": made}


def response(*output: dict[str, Any], conversation: str | None = "conv") -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": "r", "conversation_id": conversation, "output": list(output)}}


def text(words: str, kind: str = "input_text") -> dict[str, Any]:
    return {"type": kind, "text": words}


HEARD = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "1", "transcript": "hi"}
SPOKEN = {"type": "response.output_audio_transcript.done", "item_id": "2", "content_index": 0, "transcript": "ho"}
SOUND = {"type": "input_audio", "transcript": None}
ANSWER = {"id": "2", "type": "message", "role": "assistant", "content": [{"type": "audio", "transcript": "ho"}]}
ASKED = {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [text("hi")]}}
SESSION = {"type": "session.created", "session": {"id": "s"}}
TYPED = item("1", "user", text("hi"))

SESSIONS: dict[str, list[dict[str, Any]]] = {
    "typed": [SESSION, TYPED, response(ANSWER)],
    "heard after the answer began": [
        SESSION,
        item("1", "user", SOUND),
        item("2", "assistant", before="1"),
        SPOKEN,
        {**HEARD, "content_index": 0},
    ],
    "of the first version": [SESSION, item("1", "user", SOUND, kind="created"), HEARD, response(ANSWER)],
    "sent by the client, and echoed": [SESSION, ASKED, TYPED, response(ANSWER)],
    "sent by the client alone": [SESSION, ASKED, {"type": "response.create"}, response(ANSWER)],
    "with an item that was deleted": [
        SESSION,
        TYPED,
        response(ANSWER),
        item("3", "user", text("(gone)")),
        {"type": "conversation.item.deleted", "item_id": "3"},
    ],
    "with an answer outside the conversation": [
        SESSION,
        TYPED,
        response(ANSWER),
        response({**ANSWER, "id": "9", "content": [text("(a label)", "text")]}, conversation=None),
    ],
}


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_of_realtime_is_what_was_said_in_its_conversation(session: str) -> None:
    events = [{"event_id": f"e{n}", **one, "timestamp": AT} for n, one in enumerate(SESSIONS[session])]
    assert said(lines(*events), "a.jsonl") == {"s": BOTH}
    assert said(events) == {"s": BOTH}


def test_an_item_stands_behind_the_one_that_its_event_names() -> None:
    late = [SESSION, TYPED, item("3", "user", text("and?"), before="1"), item("2", "assistant", before="1"), SPOKEN]
    events = [{"event_id": f"e{n}", **one} for n, one in enumerate(late)]
    assert told(events) == [[*BOTH, ("user", "and?")]]


def test_each_session_of_a_log_is_a_conversation_and_tools_are_no_speech() -> None:
    call = {"id": "4", "type": "function_call", "name": "f", "arguments": "{}"}
    result = {"type": "conversation.item.added", "item": {"id": "5", "type": "function_call_output", "output": "x"}}
    other = {"type": "session.created", "session": {"id": "t"}}
    events = [SESSION, TYPED, response(call), result, response(ANSWER), other, TYPED]
    file = [{"event_id": f"e{n}", **one} for n, one in enumerate(events)]
    assert said(file) == {"s": BOTH, "t": BOTH[:1]}
    assert roles(file) == ["user", "tool_call", "tool", "assistant", "user"]


FIRST = "2026-03-02 09:00:00"
CHATS: dict[str, str] = {
    "Android, Britain": "02/03/2026, 09:00 - Ada: hi\n25/03/2026, 09:01 - Bo: ho\n",
    "Android, United States": "3/2/26, 9:00 AM - Ada: hi\n3/25/26, 9:01 AM - Bo: ho\n",
    "Android, Germany": "02.03.26, 09:00 - Ada: hi\n03.03.26, 09:01 - Bo: ho\n",
    "Android, Spain": "2/3/26, 9:00 a. m. - Ada: hi\n25/3/26, 9:01 p. m. - Bo: ho\n",
    "Android, Brazil": "02/03/2026 09:00 - Ada: hi\n25/03/2026 09:01 - Bo: ho\n",
    "Android, Sweden": "2026-03-02 09:00 - Ada: hi\n2026-03-03 09:01 - Bo: ho\n",
    "iPhone, United States": "[3/2/26, 9:00:00\u202fAM] Ada: hi\n[3/25/26, 9:01:00\u202fAM] Bo: ho\n",
    "iPhone, Germany": "\u200e[02.03.26, 09:00:00] Ada: hi\r\n[03.03.26, 09:01:00] Bo: ho\r\n",
    "iPhone, China": "[2026/3/2 上午9:00:00] Ada: hi\n[2026/3/25 下午1:01:00] Bo: ho\n",
    "Android, Taiwan": "2026/3/2 上午9:00 - Ada: hi\n2026/3/25 下午1:01 - Bo: ho\n",
    "Android, Korea": "2026. 3. 2. 오전 9:00 - Ada: hi\n2026. 3. 25. 오후 1:01 - Bo: ho\n",
    "Android, Egypt": "٢\u200f/٣\u200f/٢٠٢٦، ٩:٠٠ ص - Ada: hi\n٢٥\u200f/٣\u200f/٢٠٢٦، ١:٠١ م - Bo: ho\n",
    "Android, Iran": "2026/3/2،\u200f 9:00 ق.ظ. - Ada: hi\n2026/3/25، 1:01 ب.ظ. - Bo: ho\n",
    "Android, Greece": "2/3/26, 9:00 π.μ. - Ada: hi\n25/3/26, 1:01 μ.μ. - Bo: ho\n",
    "Android, Thailand": "2/3/2569 09:00 - Ada: hi\n25/3/2569 13:01 - Bo: ho\n",
    "iPhone, Finland": "[2.3.2026 klo 9.00.00] Ada: hi\n[3.3.2026 klo 9.01.00] Bo: ho\n",
}
NAME = "WhatsApp Chat with Bo.txt"
SIDES = {"ada": "user", "bo": "assistant"}


@pytest.mark.parametrize("phone", CHATS)
def test_a_chat_of_whatsapp_is_read_in_the_words_of_each_phone(phone: str) -> None:
    records, rejects = read_file(CHATS[phone], NAME, roles=SIDES)
    assert [(one.role, one.content) for one in records] == BOTH and not rejects
    assert {one.user_id for one in records} == {"Ada"}
    assert f"{records[0].sent_at:%Y-%m-%d %H:%M:%S}" == FIRST and not records[0].time_assumed


NOTICED = """[02.03.26, 09:00:00] Bo: \u200eMessages and calls are end-to-end encrypted.
[02.03.26, 09:00:00] \u200eAda changed this group's icon
[02.03.26, 09:00:00] Ada created group "Help: shop"
[02.03.26, 09:00:00] Ada: hi

with: a colon
[02.03.26, 09:00:01] Ada: <Media omitted>
[02.03.26, 09:00:02] Ada: This message was deleted.
[02.03.26, 09:00:03] Bo: ho <This message was edited>
\u200e[02.03.26, 09:00:04] Bo: \u200eimage omitted
[02.03.26, 09:00:05] Bo: see \u200e<attached: 1.jpg>
"""


def test_notices_pictures_and_deleted_messages_of_whatsapp_are_no_speech() -> None:
    found: list[Said] = told(NOTICED, "_chat.txt", roles=SIDES)
    assert found == [[("user", "hi\n\nwith: a colon"), ("assistant", "ho"), ("assistant", "see")]]


def test_without_roles_the_sender_is_the_role_and_days_are_not_guessed() -> None:
    assert roles(CHATS["Android, Germany"], NAME) == ["Ada", "Bo"]
    either = "2/3/26, 9:00 - Ada: hi\n3/3/26, 9:01 - Bo: ho\n"
    assert [one.loss for one in read_file(either, NAME)[1]] == [True]
    assert told(either, NAME, roles=SIDES, times="dmy") == [BOTH]


def test_a_chat_is_found_by_its_name_and_another_text_is_none() -> None:
    assert all(map(is_read, ("x/_chat.txt", "WhatsApp-Chat mit Bo.txt", "Chat de WhatsApp con Bo.txt")))
    assert not is_read("readme.txt")
    with pytest.raises(SourceError, match="none of the kinds"):
        read_file("hello\n", "readme.txt")


HALVES = [(1, "上午9:05", "09:05"), (2, "下午12:05", "12:05"), (3, "凌晨12:05", "00:05"), (4, "9:05 م", "21:05")]


@pytest.mark.parametrize(("day", "written", "clock"), HALVES)
def test_a_half_of_the_day_is_that_of_its_word(day: int, written: str, clock: str) -> None:
    (record,) = read_file(f"[2026/3/{day:02} {written}] Ada: 12 ٩\n", "_chat.txt", roles=SIDES)[0]
    assert f"{record.sent_at:%d %H:%M}" == f"{day:02} {clock}" and record.content == "12 ٩"


AIDER = """
# aider chat started at 2026-03-02 09:00:00

> Aider v0.86.1{0}
> Added hello.py to the chat{0}

#### hi{0}
#### there{0}

# A heading

> a quotation

#### A smaller heading
ho

> Tokens: 2.1k sent, 120 received.{0}

#### /run pytest{0}

> 1 passed{0}

#### /ask and?{0}

so

# aider chat started at 2026-03-03 10:00:00

#### hi{0}

ho
"""


def test_marks_that_end_in_two_spaces_say_whose_the_lines_of_aiders_history_are() -> None:
    name = ".aider.chat.history.md"
    answer = "# A heading\n\n> a quotation\n\n#### A smaller heading\nho"
    first: Said = [("user", "hi\nthere"), ("assistant", answer), ("user", "and?"), ("assistant", "so")]
    assert told(AIDER.format("  "), name) == [first, BOTH]
    assert {f"{one.sent_at:%m-%d %H}" for one in read_file(AIDER.format("  "), name)[0]} == {"03-02 09", "03-03 10"}
    assert is_read(name) and not is_read("README.md")
    with pytest.raises(SourceError, match="none of the kinds"):
        read_file("# A project\n", "README.md")
