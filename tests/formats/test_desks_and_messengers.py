"""Messages that have fields of their own, as the pages of desks, messengers and bot builders have them.

The pages stand in the docstrings of `cpa_core.sources.formats.fielded`, `.dialogs` and `.threads_of_answers`.
"""

from typing import Any

import pytest

from tests.formats.generated import BEGIN, WRITERS
from tests.formats.generated_desks import connect, telegram
from tests.formats.reading import AT, BOTH, FOUR, Said, lines, read_file, said, told
from tests.support.writings import Told

TOLD = Told("c", "u", BEGIN, tuple(FOUR))
NAMED = {
    "crisp": {"u"},
    "freshchat": {None},
    "freshdesk": {"7"},
    "hubspot": {"V-1"},
    "gorgias": {"1"},
    "drift": {"5"},
    "botpress": {"incoming"},
    "teams": {"u"},
    "oasst": {"u"},
    "telegram": {"user7"},
    "discord": {"user"},
}


@pytest.mark.parametrize("product", NAMED)
def test_the_user_is_the_one_whom_the_product_names(product: str) -> None:
    records, _ = read_file(WRITERS[product][1](TOLD))
    assert {one.user_id for one in records if one.role == "user"} == NAMED[product]


def exchange(own: str, before: str, asked: str, answer: str, at: int) -> dict[str, Any]:
    about = {"id": own, "conversation_id": "c", "parent_message_id": before, "inputs": {}, "created_at": at}
    return {**about, "query": asked, "answer": answer}


def test_of_answers_of_dify_that_were_made_again_the_newest_counts_and_what_follows_it() -> None:
    page = [
        exchange("4", "3", "and?", "so", 1772442060),
        exchange("3", "0", "hi", "ho", 1772442010),
        exchange("2", "1", "(left)", "(left)", 1772442005),
        exchange("1", "0", "hi", "(left)", 1772442000),
    ]
    assert said({"data": page, "has_more": False, "limit": 20}) == {"c": FOUR}
    bare = [{key: value for key, value in one.items() if key != "parent_message_id"} for one in page[:2]]
    assert said(bare) == {"c": FOUR}


def test_the_best_reply_of_a_tree_is_the_conversation() -> None:
    rows = [
        ("1", None, "prompter", "hi", None),
        ("2", "1", "assistant", "(worse)", 1),
        ("3", "1", "assistant", "ho", 0),
        ("4", "3", "prompter", "and?", None),
        ("5", "2", "prompter", "(elsewhere)", None),
        ("6", "4", "assistant", "so", None),
    ]
    keys = ("message_id", "parent_id", "role", "text", "rank")
    tree = [
        dict(zip(keys, row, strict=True)) | {"message_tree_id": "t", "created_date": f"2026-03-02T09:00:0{n}Z"}
        for n, row in enumerate(rows)
    ]
    assert said(lines(*tree), "a.jsonl") == {"t": FOUR}


def test_the_flags_of_a_table_are_flags() -> None:
    keys = ("message_tree_id", "message_id", "parent_id", "role", "text", "created_date", "rank", "deleted")
    rows = [
        ("t", "1", "", "prompter", "hi", AT, "", "False"),
        ("t", "2", "1", "assistant", "(deleted)", AT, "0.0", "True"),
        ("t", "3", "1", "assistant", "(worse)", AT, "2.0", "False"),
        ("t", "4", "1", "assistant", "ho", AT, "1.0", "False"),
    ]
    assert said("".join(",".join(row) + "\n" for row in (keys, *rows)), "a.csv") == {"t": BOTH}


def test_a_ticket_without_an_answer_is_its_description() -> None:
    ticket = WRITERS["freshdesk tickets"][1](TOLD)[0]
    quiet = ticket | {"id": "d", "conversations": []}
    assert said([ticket, quiet, quiet | {"id": "e"}]) == {"c": FOUR, "d": FOUR[:1], "e": FOUR[:1]}


def test_between_people_the_sender_is_the_role_and_is_to_be_named() -> None:
    chat = telegram(TOLD)[0] | {"type": "personal_chat"}
    chat["messages"][0]["text"] = ["h", {"type": "bold", "text": "i"}]
    assert told(chat) == []
    names = {"user7": "user", "userc": "assistant"}
    assert said({"chats": {"list": [chat]}}, roles=names) == {"c": FOUR}


def test_contact_lens_names_the_roles_beside_the_transcript_and_an_agent_beside_a_bot_is_to_be_named() -> None:
    lens = {
        "CustomerMetadata": {"ContactId": "c"},
        "Participants": [
            {"ParticipantId": "1", "ParticipantRole": "CUSTOMER"},
            {"ParticipantId": "2", "ParticipantRole": "AGENT"},
        ],
        "Transcript": [
            {"ParticipantId": who, "Content": text, "Id": who, "AbsoluteTime": AT}
            for who, (_, text) in zip("12", BOTH, strict=True)
        ],
    }
    assert said(lens) == {"c": BOTH}
    chat = connect(TOLD)[0]
    desk = {"AbsoluteTime": AT, "Type": "MESSAGE", "ParticipantRole": "AGENT", "Content": "(desk)"}
    mixed = {**chat, "Transcript": [*chat["Transcript"], desk]}
    assert said(mixed) == {"c": FOUR}
    assert "agent" in {one.role for one in read_file(mixed)[0]}


DIALOG = [
    {"turnID": "1", "type": "launch", "payload": {"type": "launch"}, "startTime": AT, "format": "request"},
    {
        "turnID": "1",
        "type": "request",
        "payload": {"type": "text", "payload": "hi"},
        "startTime": AT,
        "format": "request",
    },
    {
        "turnID": "1",
        "type": "text",
        "payload": {"type": "text", "payload": {"message": "ho"}},
        "startTime": AT,
        "format": "trace",
    },
    {"turnID": "1", "type": "path", "payload": {"type": "path", "payload": {"path": "x"}}, "startTime": AT},
]
PRESSED: dict[str, Any] = {"type": "request", "turnID": "2", "format": "request", "startTime": AT}
PRESSED |= {"payload": {"type": "intent", "payload": {"query": "and?", "intent": {"name": "x"}}}}


@pytest.mark.parametrize(("dialog", "expected"), [(DIALOG, BOTH), ([*DIALOG, PRESSED], FOUR[:3])])
def test_a_dialog_of_voiceflow_is_a_conversation(dialog: Any, expected: Said) -> None:
    assert told(dialog) == [expected]


def test_help_scouts_pages_are_of_conversations_with_threads_and_of_the_threads_of_one() -> None:
    (whole,) = WRITERS["help scout"][1](TOLD)
    assert said({"_embedded": {"conversations": [whole]}, "page": {"size": 25}}) == {"c": FOUR}
    link = {"self": {"href": "https://api.helpscout.net/v2/conversations/123/threads/"}}
    assert said({"_embedded": whole["_embedded"], "_links": link}) == {"123": FOUR}
    person = {"createdBy": {"type": "user"}}
    threads = [{**one, **(person if one["id"] == 3 else {})} for one in whole["_embedded"]["threads"]]
    records, _ = read_file([{**whole, "_embedded": {"threads": threads}}])
    assert [one.role for one in records] == ["user", "agent", "user", "assistant"]


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("text", "What is <title> in List<String>?", "What is <title> in List<String>?"),
        ("html", "<p>a &lt; b</p>", "a < b"),
        (None, "<p>a</p>", "a"),
    ],
)
def test_a_message_of_teams_is_html_only_where_it_says_so(kind: str | None, content: str, words: str) -> None:
    body = {"contentType": kind, "content": content}
    about = {"id": "1", "chatId": "c", "messageType": "message", "createdDateTime": AT}
    card = {"id": "x", "contentType": "application/vnd.microsoft.card.adaptive", "content": "{}"}
    sent = {**about, "from": {"user": {"id": "u"}}, "body": body, "attachments": [card]}
    records, _ = read_file({"value": [sent]})
    assert [(one.role, one.content) for one in records[:1]] == [("user", words)]
    assert [one.role for one in records] == ["user", "attachment"]


def test_files_of_a_ticket_and_of_a_conversation_are_rows_also_without_words() -> None:
    file = {"file_name": "a.png", "url": "https://example.com/a.png"}
    people = {"requester": {"id": 7}, "assignee": {"id": 9}}
    comment = {"id": 1, "author_id": 7, "created_at": AT, "public": True, "type": "Comment", "body": ""}
    asked = {**comment, "id": 2, "body": "hi"}
    answered = {**comment, "id": 3, "author_id": 9, "body": "ho"}
    ticket = {"id": 5, **people, "comments": [{**comment, "attachments": [file]}, asked, answered]}
    records, _ = read_file(ticket)
    assert [one.role for one in records] == ["attachment", "user", "assistant"]
    author = {"type": "user", "id": "u"}
    part = {"type": "conversation_part", "id": "2", "part_type": "comment", "body": None, "created_at": 1772442060}
    parts = {"conversation_parts": [{**part, "author": author, "attachments": [file]}]}
    source = {"id": "1", "body": "<p>hi</p>", "author": author}
    talk = {"type": "conversation", "id": "c", "created_at": 1772442000, "source": source, "conversation_parts": parts}
    records, _ = read_file(talk)
    assert [one.role for one in records] == ["user", "attachment"]
