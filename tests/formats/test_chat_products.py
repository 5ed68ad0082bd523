"""Exports of chat products: ChatGPT, Claude.ai, Open WebUI, LibreChat, LM Studio, the AI SDK, published chats."""

from typing import Any

import pytest

from tests.formats.landed import landed, turns, without

START = 1772442000
"""2026-03-02 09:00 UTC, in seconds."""


def node(key: str, parent: str | None, role: str, *parts: Any, at: int | None = START, **more: Any) -> dict[str, Any]:
    content = {"content_type": more.pop("content_type", "text"), "parts": list(parts), **more.pop("content", {})}
    message = {"id": key, "author": {"role": role}, "create_time": at, "content": content, "recipient": "all", **more}
    return {"id": key, "message": message, "parent": parent, "children": []}


def chat(*nodes: dict[str, Any], current: str | None, **more: Any) -> dict[str, Any]:
    root: dict[str, Any] = {"id": "root", "message": None, "parent": None, "children": []}
    mapping = {one["id"]: one for one in (root, *nodes)}
    return {"title": "t", "create_time": START, "mapping": mapping, "current_node": current, "id": "c1", **more}


BRANCHES = (
    node("u", "root", "user", "Is it open?"),
    node("a", "u", "assistant", "No.", at=START + 1),
    node("b", "u", "assistant", "Until six.", at=START + 2),
)


def test_of_chatgpts_tree_the_branch_that_ends_at_the_current_node_is_the_conversation() -> None:
    assert landed([chat(*BRANCHES, current="b")]).only == turns("Is it open?", "Until six.")
    assert landed([chat(*BRANCHES, current="a")]).only == turns("Is it open?", "No.")


def test_a_shard_without_current_node_ends_at_its_newest_message() -> None:
    assert landed([without(chat(*BRANCHES, current=None), ["current_node"])]).only == turns("Is it open?", "Until six.")


def test_a_circle_in_a_tree_ends_where_it_begins() -> None:
    circle = chat(node("u", "a", "user", "Hi"), node("a", "u", "assistant", "Ho", at=START + 1), current="a")
    assert landed([circle]).only == turns("Hi", "Ho")


@pytest.mark.parametrize(
    ("silent", "role"),
    [
        (node("s", "u", "assistant", content_type="thoughts", content={"thoughts": [{"content": "hmm"}]}), "reasoning"),
        (node("s", "u", "assistant", "search('x')", recipient="browser"), "tool_call"),
        (node("s", "u", "tool", "42", content_type="execution_output", content={"text": "42"}), "tool"),
        (node("s", "u", "system", "You are helpful."), "system"),
        (node("s", "u", "user", "about me", metadata={"is_visually_hidden_from_conversation": True}), "system"),
        (node("s", "u", "user", content_type="user_editable_context", content={"text": "be brief"}), "system"),
        (node("s", "u", "assistant", "thinking aloud", channel="analysis"), "reasoning"),
    ],
)
def test_what_nobody_said_in_chatgpt_has_a_role_of_its_own(silent: dict[str, Any], role: str) -> None:
    said = landed([chat(BRANCHES[0], silent, node("a", "s", "assistant", "Yes.", at=START + 3), current="a")])
    assert said.only == turns("Is it open?", "Yes.")
    assert said.roles in ([role], []) and not said.losses


def test_a_picture_is_an_attachment_and_a_transcript_of_speech_is_speech() -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://f1"}
    voice = {"content_type": "audio_transcription", "text": "Is this one too old?", "direction": "in"}
    said = landed([chat(node("u", "root", "user", picture, voice, content_type="multimodal_text"), current="u")])
    assert said.only == [("user", "Is this one too old?")] and said.roles == ["attachment"]


def claude(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    at = "2026-03-02T09:00:00.000000Z"
    return {
        "uuid": "k1",
        "name": "",
        "created_at": at,
        "account": {"uuid": "acc"},
        "chat_messages": list(messages),
        **more,
    }


def claude_message(sender: str, text: str, second: int, **more: Any) -> dict[str, Any]:
    at = f"2026-03-02T09:00:{second:02}.000000Z"
    return {"uuid": f"m{second}", "sender": sender, "text": text, "created_at": at, "content": [], **more}


def test_claude_says_a_text_once_and_thinking_is_no_speech() -> None:
    blocks = [{"type": "thinking", "thinking": "dry"}, {"type": "text", "text": "Sandy."}]
    said = landed(
        [claude(claude_message("human", "Soil?", 0), claude_message("assistant", "Sandy.", 4, content=blocks))]
    )
    assert said.only == turns("Soil?", "Sandy.") and said.roles == ["reasoning"]
    assert {one.user_id for one in said.records} == {"acc"} and said.times == [
        "2026-03-02T09:00:00",
        "2026-03-02T09:00:04",
    ]


def test_an_empty_conversation_is_none_and_no_loss() -> None:
    said = landed([claude(), claude(claude_message("human", "Hi", 0), uuid="k2")])
    assert list(said.speech) == ["k2"] and not said.losses


def test_an_attached_text_is_no_speech() -> None:
    attached = claude_message(
        "human", "Sum this up", 0, attachments=[{"file_name": "a.txt", "extracted_content": "long"}]
    )
    said = landed([claude(attached)])
    assert said.only == [("user", "Sum this up")] and said.roles == ["attachment"]


def web_ui(*messages: dict[str, Any], current: str | None) -> dict[str, Any]:
    history = {"messages": {one["id"]: one for one in messages}, "currentId": current}
    return {"id": "w", "user_id": "u9", "created_at": START, "chat": {"history": history, "messages": list(messages)}}


def web_message(key: str, parent: str | None, role: str, content: str, second: int) -> dict[str, Any]:
    return {
        "id": key,
        "parentId": parent,
        "childrenIds": [],
        "role": role,
        "content": content,
        "timestamp": START + second,
    }


def test_open_webuis_branch_is_the_conversation_and_its_details_are_no_speech() -> None:
    thought = (
        '<details type="reasoning" done="true" duration="2">\n<summary>Thought</summary>\n> hmm\n</details>\nHeron Bay.'
    )
    tree = web_ui(
        web_message("a", None, "user", "A beach?", 0),
        web_message("b", "a", "assistant", "Gull Cove.", 2),
        web_message("c", "a", "assistant", thought, 9),
        current="c",
    )
    said = landed([tree])
    assert said.only == turns("A beach?", "Heron Bay.") and said.roles == ["reasoning"]
    assert said.records[0].user_id == "u9"


def test_a_user_who_writes_about_details_is_quoted_whole() -> None:
    words = 'What does <details type="reasoning">x</details> do?'
    assert landed([web_ui(web_message("a", None, "user", words, 0), current="a")]).only == [("user", words)]


def libre(key: str, parent: str, text: str, *, user: bool, second: int) -> dict[str, Any]:
    at = f"2026-03-02T09:00:{second:02}.000Z"
    about = {"messageId": key, "parentMessageId": parent, "sender": "You" if user else "GPT", "createdAt": at}
    return {**about, "conversationId": "l1", "text": text, "isCreatedByUser": user}


ROOT = "00000000-0000-0000-0000-000000000000"
LIBRE = [
    libre("1", ROOT, "Hello", user=True, second=0),
    libre("2", "1", "Old answer", user=False, second=1),
    libre("3", "1", "New answer", user=False, second=2),
]


def test_librechat_names_the_user_by_a_flag_and_ends_at_its_last_message() -> None:
    assert landed({"conversationId": "l1", "messages": LIBRE}).speech == {"l1": turns("Hello", "New answer")}


def test_librechats_nested_export_is_the_same() -> None:
    nested = [{**LIBRE[0], "children": LIBRE[1:]}]
    assert landed({"conversationId": "l1", "recursive": True, "messagesTree": nested}).only == turns(
        "Hello", "New answer"
    )


def studio(role: str, *contents: str, chosen: int = 0) -> dict[str, Any]:
    versions = [{"type": "singleStep", "role": role, "content": [{"type": "text", "text": one}]} for one in contents]
    return {"versions": versions, "currentlySelected": chosen}


def test_lm_studios_selected_version_counts_and_thinking_is_none() -> None:
    text = [{"type": "text", "text": "Cold."}]
    thought = {"type": "contentBlock", "style": {"type": "thinking"}, "content": [{"type": "text", "text": "hm"}]}
    steps = {"type": "multiStep", "role": "assistant", "steps": [thought, {"type": "contentBlock", "content": text}]}
    answer = {"versions": [steps], "currentlySelected": 0}
    tree = {"name": "t", "createdAt": START * 1000, "messages": [studio("user", "Hot?", "Cold?", chosen=1), answer]}
    said = landed(tree)
    assert said.only == turns("Cold?", "Cold.") and said.roles == ["reasoning"]


def ui(role: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": f"{role}1", "role": role, "parts": list(parts), **more}


def test_the_ai_sdks_parts_are_speech_or_not_and_its_time_stands_in_the_metadata() -> None:
    tool = {
        "type": "tool-getWeather",
        "toolCallId": "c",
        "state": "output-available",
        "input": {},
        "output": {"sky": "r"},
    }
    answer = ui(
        "assistant",
        {"type": "step-start"},
        tool,
        {"type": "text", "text": "Rain."},
        metadata={"createdAt": START * 1000},
    )
    asked = ui("user", {"type": "text", "text": "Weather?"}, metadata={"createdAt": START * 1000 - 4000})
    said = landed({"id": "chat-1", "messages": [asked, answer]})
    assert said.only == turns("Weather?", "Rain.") and said.times == ["2026-03-02T08:59:56", "2026-03-02T09:00:00"]
    assert said.roles == ["tool", "tool_call"]


def test_version_four_of_the_ai_sdk_says_a_text_once() -> None:
    at = "2026-03-02T09:00:00.000Z"
    asked = {"id": "1", "role": "user", "content": "Hi", "parts": [{"type": "text", "text": "Hi"}], "createdAt": at}
    said = landed({"id": "chat-4", "messages": [asked]})
    assert said.only == [("user", "Hi")] and said.times == ["2026-03-02T09:00:00"]


def test_a_published_chat_is_a_conversation_by_its_hash() -> None:
    row = {"conversation_hash": "h1", "timestamp": "2026-03-02T09:00:00Z", "model": "m"}
    talk = [{"role": "user", "content": "A fish?", "toxic": False}, {"role": "assistant", "content": "Pike"}]
    assert landed({**row, "conversation": talk}, lines=True).speech == {"h1": turns("A fish?", "Pike")}
