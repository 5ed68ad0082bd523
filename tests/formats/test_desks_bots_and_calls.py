"""Support desks, bot builders, voice agents, Slack and coding agents."""

from typing import Any

import pytest

from cpa_core.errors import SourceError
from cpa_core.sources import markup
from tests.formats.landed import landed, turns

START = 1772442000


def part(kind: str, author: str, body: str | None, second: int) -> dict[str, Any]:
    about = {"type": "conversation_part", "id": f"p{second}", "part_type": kind, "created_at": START + second}
    return {**about, "body": body, "author": {"type": author, "id": f"{author}-1"}}


def intercom(*parts: dict[str, Any]) -> dict[str, Any]:
    source = {"body": "<p>My bill &amp; me</p>", "author": {"type": "user", "id": "c1"}, "id": "s"}
    inside = {"type": "conversation_part.list", "conversation_parts": list(parts)}
    one = {"type": "conversation", "id": "901", "created_at": START, "source": source, "conversation_parts": inside}
    return {"type": "conversation.list", "conversations": [one]}


def test_intercoms_notes_and_assignments_are_no_speech_and_html_is_no_text() -> None:
    tree = intercom(
        part("comment", "bot", "<p>Which<br>month?</p>", 10),
        part("assignment", "bot", None, 11),
        part("note", "admin", "<p>VIP</p>", 12),
        part("comment", "user", "<p>May</p>", 20),
    )
    said = landed(tree)
    assert said.speech == {"901": turns("My bill & me", "Which\nmonth?", "May")} and said.records[0].user_id == "c1"


def test_a_person_at_the_desk_beside_a_bot_must_be_named() -> None:
    said = landed(intercom(part("comment", "bot", "Hello", 10), part("comment", "admin", "This is Ann", 20)))
    assert said.only == turns("My bill & me", "Hello") and said.roles == ["agent"]
    assert landed(intercom(part("comment", "admin", "Ann here", 20))).only == turns("My bill & me", "Ann here")


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("a < b and b > c", "a < b and b > c"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<style>p{}</style><div>seen<script>alert(1)</script></div>", "seen"),
        ("3 &lt; 4 &amp; 5", "3 < 4 & 5"),
        ("plain", "plain"),
    ],
)
def test_the_words_of_html_are_what_a_person_reads(html: str, words: str) -> None:
    assert markup.words(html) == words


def comment(author: int, text: str, second: int, *, public: bool = True) -> dict[str, Any]:
    at = f"2026-03-02T09:00:{second:02}Z"
    return {"id": second, "author_id": author, "plain_body": text, "public": public, "created_at": at}


COMMENTS = [comment(7, "It broke", 0), comment(9, "secret", 1, public=False), comment(9, "Restart it", 2)]


def test_zendesks_requester_is_the_user_and_private_comments_are_notes() -> None:
    said = landed({"ticket": {"id": 35, "requester_id": 7}, "comments": COMMENTS})
    assert said.speech == {"35": turns("It broke", "Restart it")} and said.records[0].user_id == "7"


def test_users_beside_zendesks_comments_say_who_is_who() -> None:
    users = [{"id": 7, "role": "end-user"}, {"id": 9, "role": "agent"}]
    assert landed({"comments": COMMENTS, "users": users}).only == turns("It broke", "Restart it")


def test_without_either_the_authors_are_roles_to_be_named() -> None:
    said = landed({"comments": COMMENTS})
    assert not said.speech and said.roles == ["7", "9"]


def test_who_is_in_copy_of_a_zendesk_ticket_is_not_the_desk() -> None:
    comments = [*COMMENTS, comment(11, "Me too", 3)]
    known = landed({"ticket": {"id": 35, "requester_id": 7, "assignee_id": 9}, "comments": comments})
    assert known.only == turns("It broke", "Restart it") and "11" in known.roles
    copied = landed({"ticket": {"id": 35, "requester_id": 7, "email_cc_ids": [11]}, "comments": comments})
    assert copied.only == turns("It broke", "Restart it") and "11" in copied.roles
    either = landed({"ticket": {"id": 35, "requester_id": 7}, "comments": comments})
    assert either.only == turns("It broke") and {"9", "11"} <= set(either.roles)
    alone = landed({"ticket": {"id": 35, "requester_id": 7, "collaborator_ids": [11]}, "comments": comments[0:4:3]})
    assert alone.only == turns("It broke") and alone.roles == ["11"]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (
            {
                "custom_id": "1",
                "method": "POST",
                "url": "/v1",
                "body": {"messages": [{"role": "user", "content": "x"}]},
            },
            "output",
        ),
        ({"custom_id": "1", "params": {"messages": [{"role": "user", "content": "x"}]}}, "output"),
        (
            {
                "type": "conversation",
                "id": "1",
                "created_at": 1772442000,
                "source": {"body": "x", "author": {"type": "user"}},
            },
            "GET /conversations",
        ),
        ({"tickets": [{"id": 1, "requester_id": 7, "subject": "x", "description": "x", "via": {}}]}, "comments"),
    ],
)
def test_one_side_of_conversations_is_refused_with_the_way_out(held: Any, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        landed(held)
    with pytest.raises(SourceError, match=words):
        landed({"data": [held]}) if "tickets" not in held else landed(held)


def woot(kind: int, text: str, second: int, sender: str | None = None, **more: Any) -> dict[str, Any]:
    about = {"id": second, "content": text, "message_type": kind, "created_at": START + second, "conversation_id": 7}
    return {**about, "private": False, **({"sender": {"id": 3, "type": sender}} if sender else {}), **more}


def test_chatwoots_numbers_are_sides_and_activities_are_none() -> None:
    messages = [
        woot(0, "Hallo", 0, "contact"),
        woot(2, "Conversation was assigned", 1),
        woot(1, "internal", 2, "user", private=True),
        woot(1, "This message was deleted", 3, "agent_bot", content_attributes={"deleted": True}),
        woot(1, "Guten Tag", 5, "agent_bot"),
    ]
    assert landed({"meta": {}, "payload": messages}).speech == {"7": turns("Hallo", "Guten Tag")}


def test_rasas_actions_are_no_speech() -> None:
    events = [
        {"event": "action", "timestamp": START, "name": "action_listen"},
        {"event": "user", "timestamp": START, "text": "book", "message_id": "m"},
        {"event": "slot", "timestamp": START, "name": "n", "value": 2},
        {"event": "bot", "timestamp": START + 1, "text": "For how many?", "data": {}},
        {"event": "bot", "timestamp": START + 2, "text": None, "data": {"image": "x"}},
    ]
    assert landed({"sender_id": "r", "slots": {}, "events": events}).speech == {"r": turns("book", "For how many?")}


def test_an_interaction_of_dialogflow_holds_both_sides_in_the_order_of_time() -> None:
    def both(asked: str, answered: str, second: int) -> dict[str, Any]:
        result = {"responseMessages": [{"text": {"text": [answered]}}, {"payload": {"x": 1}}]}
        request = {"queryInput": {"text": {"text": asked}, "languageCode": "en"}}
        return {"request": request, "response": {"queryResult": result}, "createTime": f"2026-03-02T09:00:{second:02}Z"}

    name = "projects/p/locations/l/agents/a/conversations/c-5"
    tree = {
        "name": name,
        "startTime": "2026-03-02T09:00:00Z",
        "interactions": [both("More?", "No.", 9), both("Hi", "Ho", 1)],
    }
    assert landed(tree).speech == {"c-5": turns("Hi", "Ho", "More?", "No.")}


def activity(kind: str, role: Any, text: str | None, second: int) -> dict[str, Any]:
    return {
        "id": f"{second}",
        "type": kind,
        "timestamp": START + second,
        "from": {"id": f"x{role}", "role": role},
        "text": text,
    }


@pytest.mark.parametrize("roles", [(1, 0), ("user", "bot")])
def test_copilot_studios_messages_are_speech_and_traces_none(roles: tuple[Any, Any]) -> None:
    user, bot = roles
    activities = [
        activity("trace", bot, None, 0),
        activity("message", user, "days left?", 1),
        activity("message", bot, "11", 2),
    ]
    said = landed({"activities": activities})
    assert said.only == turns("days left?", "11") and {one.user_id for one in said.records} == {f"x{user}"}


def test_vapis_message_is_the_text_and_tools_are_no_speech() -> None:
    turns_ = [
        {"role": "system", "message": "You are kind.", "time": START * 1000, "secondsFromStart": 0},
        {"role": "bot", "message": "Hello.", "time": START * 1000 + 1000, "secondsFromStart": 1},
        {"role": "user", "message": "A slot?", "time": START * 1000 + 3000, "secondsFromStart": 3},
        {
            "role": "tool_calls",
            "toolCalls": [{"id": "1"}],
            "message": "",
            "time": START * 1000 + 4000,
            "secondsFromStart": 4,
        },
    ]
    for tree in ({"id": "v", "messages": turns_}, {"id": "v", "artifact": {"messages": turns_}}):
        said = landed(tree)
        assert said.speech == {"v": [("assistant", "Hello."), ("user", "A slot?")]}
        assert said.roles == ["system", "tool_call"]


def test_retells_agent_is_the_assistant_and_a_turns_time_is_that_of_its_first_word() -> None:
    words = [{"word": "Hi", "start": 2.5, "end": 3.0}]
    transcript = [{"role": "agent", "content": "Hello", "words": []}, {"role": "user", "content": "Hi", "words": words}]
    said = landed({"call_id": "c", "start_timestamp": START * 1000, "transcript": "x", "transcript_object": transcript})
    assert said.speech == {"c": [("assistant", "Hello"), ("user", "Hi")]} and said.times[1] == "2026-03-02T09:00:02"


def test_a_thread_of_slack_is_a_conversation_and_notices_are_none() -> None:
    def message(second: int, **more: Any) -> dict[str, Any]:
        return {"type": "message", "ts": f"{START + second}.000100", **more}

    thread = {"thread_ts": f"{START}.000100"}
    day = [
        message(-9, subtype="channel_join", user="U2", text="<@U2> has joined"),
        message(0, user="U1", text="printer is stuck", **thread),
        message(4, subtype="bot_message", bot_id="B1", text="Open the tray.", **thread),
        message(9, user="U3", text="unrelated"),
    ]
    said = landed(day)
    assert list(said.speech.values()) == [turns("printer is stuck", "Open the tray."), [("user", "unrelated")]]
    assert not said.losses


def test_claude_codes_tools_summaries_and_subagents_are_no_speech() -> None:
    def line(kind: str, content: Any, second: int, **more: Any) -> dict[str, Any]:
        about = {"type": kind, "sessionId": "s", "uuid": f"u{second}", "timestamp": f"2026-03-02T09:00:{second:02}Z"}
        return {**about, "message": {"role": kind, "content": content}, **more}

    said = landed(
        {"type": "summary", "summary": "A talk", "leafUuid": "x"},
        line("user", "Fix the test", 0),
        line(
            "assistant",
            [{"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "id": "t", "name": "Read", "input": {}}],
            1,
        ),
        line("user", [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}], 2),
        line("assistant", [{"type": "text", "text": "inner"}], 3, isSidechain=True),
        line("assistant", [{"type": "text", "text": "Done."}], 4),
        lines=True,
    )
    assert said.speech == {"s": turns("Fix the test", "Done.")} and not said.losses


def test_what_codex_puts_before_the_users_words_is_no_speech() -> None:
    def item(role: str, text: str, second: int) -> dict[str, Any]:
        content = [{"type": "input_text" if role == "user" else "output_text", "text": text}]
        payload = {"type": "message", "role": role, "content": content}
        return {"timestamp": f"2026-03-02T09:00:{second:02}Z", "type": "response_item", "payload": payload}

    said = landed(
        {"timestamp": "2026-03-02T09:00:00Z", "type": "session_meta", "payload": {"id": "s", "cwd": "/x"}},
        item("user", "<environment_context>\n<cwd>/x</cwd>\n</environment_context>", 1),
        item("user", "Fix it", 2),
        {"timestamp": "2026-03-02T09:00:03Z", "type": "event_msg", "payload": {"type": "token_count"}},
        item("assistant", "Done.", 4),
        lines=True,
    )
    assert said.speech == {"s": turns("Fix it", "Done.")} and said.roles == ["system"]
