"""Forms as vendors' pages have them, one row each: what is said in them, and what nobody said.

The pages stand in the docstrings of `cpa_core.sources.formats`. A row is the file, what was said, and what was lost.
"""

import json
from typing import Any

import pytest

from cpa_core.errors import SourceError
from cpa_core.sources import File
from cpa_core.sources.formats import time_field
from tests.formats.reading import AT, BOTH, FOUR, HISTORY, Said, lines, message, read_file, roles, said, told

ASK = {"messages": [message("user", "hi")]}
TIME = {"timestamp": AT}
LATER = "2026-03-02T09:01:00Z"


def call(response: Any, request: Any = ASK, **more: Any) -> dict[str, Any]:
    """A request and its answer as a proxy logs them."""
    return {**TIME, "request": request, "response": response, **more}


def invocation(request: Any, response: Any) -> dict[str, Any]:
    """A line of Bedrock's log."""
    about = {"schemaType": "ModelInvocationLog", "operation": "InvokeModel", "modelId": "m", "requestId": "q", **TIME}
    return {**about, "input": {"inputBodyJson": request}, "output": {"outputBodyJson": response}}


def chunk(**choice: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}


CHUNKS = [chunk(delta={"role": "assistant", "content": "h"}), chunk(delta={"content": "o"}), chunk(delta={})]
EVENTS = "".join(f"data: {json.dumps(one)}\n\n" for one in CHUNKS) + "data: [DONE]\n\n"
ANTHROPIC = [
    {"type": "message_start", "message": {"role": "assistant", "content": []}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hmm"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "ho"}},
    {"type": "message_stop"},
]
RESPONSES = [
    {"type": "response.output_text.delta", "delta": "ho"},
    {"type": "response.completed", "response": {"object": "response", "output": [message("assistant", "ho")]}},
]
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
CITED = {"citationsContent": {"content": [{"text": "ho"}], "citations": [{"title": "(nobody)"}]}}
ITEMS = [
    {"type": "mcp_list_tools", "tools": []},
    {"type": "mcp_approval_request", "name": "f", "arguments": "{}"},
    {"type": "mcp_approval_response", "approve": True},
    {"type": "tool_search_output", "tools": []},
    message("user", "hi"),
]
RESPONSE = {"object": "response", "id": "r", "created_at": 1772442000, "input": ITEMS}
RESPONSE |= {"output": [{"type": "message", **message("assistant", [{"type": "output_text", "text": "ho"}])}]}
RUN = {"id": "r", "trace_id": "r", "run_type": "chain", "parent_run_id": None, "start_time": AT}
INNER = {"id": "s", "trace_id": "r", "run_type": "llm", "parent_run_id": "r", "start_time": AT}
CODE = {"sessionId": "s", "uuid": "u", "type": "user", **TIME}
LANGFUSE = {"id": "o", "traceId": "t", "type": "GENERATION", "startTime": AT}
VOICE = {"type": "VoiceComment", "id": 2, "author_id": 9, "body": "Call from: (nobody)", "created_at": LATER}
TICKET = {"id": 1, "requester_id": 9, "assignee_id": 5}
DESK = [
    {"id": 1, "author_id": 9, "plain_body": "hi", "created_at": AT},
    {"id": 3, "author_id": 5, "plain_body": "ho", "created_at": AT},
]
SPOKEN = {"queryResult": {"responseMessages": [{"outputAudioText": {"ssml": "<speak>ho</speak>"}}]}}
TURNS = {"startTime": AT, "interactions": [{"request": {"queryInput": {"text": {"text": "hi"}}}, "response": SPOKEN}]}
THOUGHTS = {"messageId": "2", "parentMessageId": "1", "isCreatedByUser": False, "createdAt": AT}
HEARD = [{"role": "user", "content": "hi", "words": []}, {"role": "agent", "content": "ho", "words": []}]
CHAT = [{**one, "created_timestamp": 1772442000000 + n} for n, one in enumerate(HEARD)]

LEX_V1 = {"botName": "b", "botAlias": "p", "inputTranscript": "hi", "botResponse": "ho", "requestId": "q", **TIME}
LEX_V1 |= {"userId": "u", "sessionId": "s", "messageFormat": "PlainText", "inputDialogMode": "Text"}

DOCUMENTED: dict[str, tuple[Any, list[Said]]] = {
    "a stream of server-sent events": (call(EVENTS), [BOTH]),
    "a stream as a list of chunks": (call(CHUNKS), [BOTH]),
    "a stream of Anthropic's": (call(ANTHROPIC), [BOTH]),
    "a stream of Responses": (call(RESPONSES), [BOTH]),
    "a stream of Ollama's": (
        call('{"message":{"content":"h"},"done":false}\n{"message":{"content":"o"},"done":true}'),
        [BOTH],
    ),
    "a call that was an embedding": (
        lines(
            call({"choices": [{"message": message("assistant", "ho")}]}),
            call({"object": "list", "data": [{"embedding": [0.1]}]}),
        ),
        [BOTH],
    ),
    "req and res": ({"ts": AT, "req": ASK, "res": {"choices": [{"message": message("assistant", "ho")}]}}, [BOTH]),
    "bodies as text": (
        {
            **TIME,
            "requestBody": json.dumps(ASK),
            "responseBody": json.dumps({"choices": [{"message": message("assistant", "ho")}]}),
        },
        [BOTH],
    ),
    "Lex V1": (LEX_V1, [BOTH]),
    "a transcript of Genesys, by offsets": (
        {
            "conversationId": "c",
            "startTime": 1772442000000,
            "transcripts": [
                {
                    "phrases": [
                        {"text": "ho", "participantPurpose": "internal", "startTimeMs": 2000},
                        {"text": "HI", "decoratedText": "hi", "participantPurpose": "external", "startTimeMs": 1000},
                    ]
                }
            ],
        },
        [BOTH],
    ),
    "a transcript of Typebot": (
        {"transcript": [{"role": "user", "type": "text", "text": "hi"}, {"role": "bot", "type": "text", "text": "ho"}]},
        [BOTH],
    ),
    "a prompt that Gemini refused": (call({"promptFeedback": {"blockReason": "SAFETY"}}, GEMINI), [BOTH[:1]]),
    "a batch of Vertex": (
        {
            "processed_time": AT,
            "request": GEMINI,
            "response": {"candidates": [{"content": {"role": "model", "parts": [{"text": "ho"}]}}]},
        },
        [BOTH],
    ),
    "citations of Bedrock": (
        {**TIME, "messages": [message("user", [{"text": "hi"}]), message("assistant", [CITED])]},
        [BOTH],
    ),
    "an embedding in Bedrock's log": (
        lines(
            invocation({"inputText": "hi"}, {"results": [{"outputText": "ho"}]}),
            invocation({"inputText": "(nobody)"}, {"embedding": [0.1]}),
        ),
        [BOTH],
    ),
    "Mistral in Bedrock's log": (invocation({"prompt": "hi"}, {"outputs": [{"text": "ho"}]}), [BOTH]),
    "items of Responses that are tools": (RESPONSE, [BOTH]),
    "what the AI SDK was asked, as text": (
        {**LANGFUSE, "input": '{"system": "be kind", "prompt": "hi"}', "output": "ho"},
        [BOTH],
    ),
    "a chain of own objects": (
        lines(
            {**RUN, "inputs": {"q": 1}, "outputs": {"output": {"x": 1}}},
            {**INNER, "inputs": ASK, "outputs": message("assistant", "ho")},
        ),
        [BOTH],
    ),
    "an example of a data set": ({"inputs": ASK, "outputs": {"answer": "ho"}}, [BOTH]),
    "a message of a chat with a role": (
        [
            {"type": "human", "data": {"content": "hi"}},
            {"type": "chat", "data": {"role": "assistant", "content": "ho"}},
        ],
        [BOTH],
    ),
    "a history in MongoDB": (
        lines(
            *(
                {"SessionId": "s", "History": json.dumps({"type": kind, "data": {"content": text}})}
                for kind, text in (("human", "hi"), ("ai", "ho"))
            )
        ),
        [BOTH],
    ),
    "commands of Claude Code": (
        lines(
            {**CODE, "message": message("user", "hi")},
            {**CODE, "uuid": "v", "message": message("user", "<local-command-stdout>(nobody)</local-command-stdout>")},
            {
                **CODE,
                "uuid": "w",
                "message": message("user", [{"type": "text", "text": "[Request interrupted by user]"}]),
            },
            {
                **CODE,
                "uuid": "x",
                "type": "assistant",
                "isApiErrorMessage": True,
                "message": message("assistant", "(nobody)"),
            },
            {**CODE, "uuid": "y", "type": "assistant", "message": message("assistant", "ho")},
        ),
        [BOTH],
    ),
    "a voice comment without a transcript": ({"ticket": TICKET, "comments": [*DESK, VOICE]}, [BOTH]),
    "a voice comment with one": (
        {"ticket": TICKET, "comments": [*DESK, VOICE | {"data": {"transcription_text": "and?"}}]},
        [FOUR[:3]],
    ),
    "a spoken answer of Dialogflow": (TURNS, [BOTH]),
    "thoughts in a text of LibreChat": (
        {
            "conversationId": "c",
            "messages": [
                {"messageId": "1", "parentMessageId": "0", "isCreatedByUser": True, "createdAt": AT, "text": "hi"},
                {**THOUGHTS, "text": ":::thinking\n(nobody)\n:::\nho"},
            ],
        },
        [BOTH],
    ),
    "a chat of Retell": ({"chat_id": "c", "start_timestamp": 1772442000000, "message_with_tool_calls": CHAT}, [BOTH]),
    "a call of Retell whose tools stand apart": (
        {
            "call_id": "c",
            "start_timestamp": 1772442000000,
            "transcript_object": HEARD,
            "transcript_with_tool_calls": HEARD[:1],
        },
        [BOTH],
    ),
    "characters that Slack escapes": (
        [{"type": "message", "user": "U", "text": "a &lt; b &amp;amp; c", "ts": "1772442000.000100"}],
        [[("user", "a < b &amp; c")]],
    ),
    "text that Opik wraps": (
        {
            "id": "o",
            "thread_id": "t",
            "start_time": AT,
            "end_time": AT,
            "name": "chat",
            "project_id": "p",
            "input": {"input": "hi"},
            "output": {"output": "ho"},
        },
        [BOTH],
    ),
    "ids and times of mongoexport": (
        lines(
            *(
                {"conversation_id": {"$oid": "c"}, "role": role, "content": text, "timestamp": {"$date": AT}}
                for role, text in BOTH
            )
        ),
        [BOTH],
    ),
}


@pytest.mark.parametrize("form", DOCUMENTED)
def test_a_form_is_read_as_its_page_has_it(form: str) -> None:
    content, expected = DOCUMENTED[form]
    assert told(content, "a.jsonl" if isinstance(content, str) else "a.json") == expected


def spans(attributes: dict[str, str], *events: tuple[str, str, str]) -> dict[str, Any]:
    """A span of OTLP with attributes and events of text."""
    heard = [{"name": name, "attributes": [{"key": key, "value": {"stringValue": one}}]} for name, key, one in events]
    given = [{"key": key, "value": {"stringValue": one}} for key, one in attributes.items()]
    times = {"startTimeUnixNano": "1772442000000000000", "endTimeUnixNano": "1772442001000000000"}
    one = {"traceId": "t", "spanId": "s", "attributes": given, "events": heard, **times}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}


PHOENIX = {"context": {"trace_id": "t", "span_id": "s"}, "parent_id": None, "name": "c", "span_kind": "LLM"}
PHOENIX |= {"start_time": AT, "end_time": AT}
PICTURE = {"message_content.type": "image", "message_content.image.image.url": "(nobody)"}
WORDS_OF = {"message_content.type": "text", "message_content.text": "hi"}
TREE = {
    "llm": {
        "input_messages": [
            {"message": {"role": "user", "contents": [{"message_content": {"type": "text", "text": "hi"}}]}}
        ],
        "output_messages": [{"message": {"role": "assistant", "content": "ho"}}],
    },
    "session": {"id": "c"},
}
LITELLM = {"call_type": "acompletion", "startTime": 1772442000.5, "endTime": 1772442001.5, "end_user": "u"}
GRAPH = {
    "created_at": AT,
    "values": {"messages": [{"type": "human", "content": "hi"}, {"type": "ai", "content": "ho"}]},
}
INTERCOM = {
    "type": "conversation",
    "id": "c",
    "created_at": 1772442000,
    "source": {"body": "<p>hi</p>", "author": {"type": "user", "id": "u"}},
    "conversation_parts": {
        "conversation_parts": [
            {"part_type": "comment", "body": "(gone)", "redacted": True, "author": {"type": "user", "id": "u"}},
            {"part_type": "comment", "body": "ho", "created_at": 1772442005, "author": {"type": "bot", "id": "b"}},
        ]
    },
}


def part_of(call_type: str, asked: Any, answered: Any, **more: Any) -> dict[str, Any]:
    """A line of LiteLLM's log."""
    return {"id": "q", **LITELLM, "call_type": call_type, "messages": asked, "response": answered, **more}


BLOCKS = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "In Lund."}, "fields": [{"type": "mrkdwn", "text": "soon"}]},
    {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "(nobody)"}}]},
    {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [{"type": "text", "text": "for "}, {"type": "text", "text": "you"}],
            }
        ],
    },
]
COMPLETED = {"choices": [{"message": message("assistant", "ho")}]}
HO = {"type": "text", "text": "ho"}
FRESH: dict[str, tuple[Any, list[Said]]] = {
    "a picture beside words in a frame of Phoenix": (
        PHOENIX
        | {
            "attributes.llm.input_messages": [{"message.role": "user", "message.contents": [WORDS_OF, PICTURE]}],
            "attributes.llm.output_messages": [{"message.role": "assistant", "message.content": "ho"}],
        },
        [BOTH],
    ),
    "attributes of Phoenix as a tree": (PHOENIX | {"attributes": TREE}, [BOTH]),
    "parts of an answer without a role": (
        {**LANGFUSE, "input": "hi", "output": [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "ho"}]},
        [BOTH],
    ),
    "a state of a graph inside another": (
        lines(
            {**GRAPH, "config": {"configurable": {"thread_id": "c", "checkpoint_ns": ""}}},
            {
                **GRAPH,
                "values": {"messages": [{"type": "human", "content": "(inside)"}]},
                "config": {"configurable": {"thread_id": "c", "checkpoint_ns": "sub:1"}},
            },
        ),
        [BOTH],
    ),
    "LiteLLM's log of Responses": (part_of("aresponses", "hi", {"object": "response", "output": HISTORY[1:2]}), [BOTH]),
    "LiteLLM's table of spends, whose messages are the proxy's": (
        part_of("acompletion", {}, COMPLETED, proxy_server_request=ASK),
        [BOTH],
    ),
    "LiteLLM's calls that each have a trace, and repeat what was said": (
        lines(
            part_of("acompletion", ASK["messages"], COMPLETED, trace_id="t1"),
            part_of("acompletion", HISTORY[:3], {"choices": [{"message": message("assistant", "so")}]})
            | {"id": "r", "trace_id": "t2", "startTime": 1772442060.5, "endTime": 1772442061.5},
        ),
        [FOUR],
    ),
    "a body that is text inside a request": (
        {
            **TIME,
            "request": {"method": "POST", "path": "/v1", "body": json.dumps(ASK)},
            "response": {"status": 200, "body": json.dumps(COMPLETED)},
        },
        [BOTH],
    ),
    "what Claude Code answers by itself": (
        lines(
            {**CODE, "message": message("user", "hi")},
            {**CODE, "uuid": "v", "type": "assistant", "message": message("assistant", "x", model="<synthetic>")},
            {**CODE, "uuid": "w", "type": "assistant", "message": message("assistant", "ho", model="m")},
        ),
        [BOTH],
    ),
    "what Codex puts in when a turn is stopped": (
        lines(
            {**TIME, "type": "session_meta", "payload": {"id": "c"}},
            *(
                {
                    **TIME,
                    "type": "response_item",
                    "payload": {"type": "message", "role": role, "content": [{"type": "text", "text": text}]},
                }
                for role, text in (BOTH[0], ("user", "<turn_aborted>x</turn_aborted>"), BOTH[1])
            ),
        ),
        [BOTH],
    ),
    "a session of OpenCode's subagent beside that of its user": (
        lines(
            {
                "info": {"id": "c"},
                "messages": [
                    {"info": {"role": role}, "parts": [{"type": "text", "text": text}]} for role, text in BOTH
                ],
            },
            {
                "info": {"id": "d", "parentID": "c"},
                "messages": [{"info": {"role": "user"}, "parts": [{"type": "text", "text": "x"}]}],
            },
        ),
        [BOTH],
    ),
    "Twilio's log of messages, as its SDK and its table have it": (
        [
            {"sid": "1", "direction": "inbound", "from": "+46", "to": "+1", "body": "hi", "dateSent": AT},
            {"Sid": "2", "Direction": "outbound-api", "From": "+1", "To": "+46", "Body": "ho", "SentDate": LATER},
        ],
        [BOTH],
    ),
    "blocks of Slack without a text beside them": (
        [
            {"type": "message", "ts": "1772442000.000100", "user": "U", "text": "hi", "thread_ts": "1772442000.000100"},
            {"type": "message", "ts": "1772442001.000100", "bot_id": "B", "text": "", "thread_ts": "1772442000.000100"}
            | {"blocks": BLOCKS},
        ],
        [[("user", "hi"), ("assistant", "In Lund.\nsoon\nfor you")]],
    ),
    "a message of Intercom that was redacted": (INTERCOM, [BOTH]),
    "what Zendesk itself wrote": (
        {
            "ticket": TICKET,
            "comments": [*DESK, {"id": 4, "author_id": -1, "plain_body": "(nobody)", "created_at": LATER}],
        },
        [BOTH],
    ),
    "an interaction of Gemini's and its request": (
        {
            **TIME,
            "request": {"model": "m", "input": "hi", "system_instruction": "(nobody)"},
            "response": {"id": "i", "status": "completed", "steps": [{"type": "model_output", "content": [HO]}]},
        },
        [BOTH],
    ),
    "interactions of Gemini's with outputs, the later first": (
        [
            {
                **{"id": own, "status": "completed", "role": "model", "created": at, "previous_interaction_id": before},
                **{"input": asked, "outputs": [{"type": "thought", "signature": "(nobody)"}, {**HO, "text": text}]},
            }
            for own, before, at, asked, text in (
                ("j", "i", LATER, [{"type": "text", "text": "and?"}], "so"),
                ("i", None, AT, "hi", "ho"),
            )
        ],
        [FOUR],
    ),
    "LlamaIndex's messages": (
        [
            message(role, None, blocks=[{"block_type": "text", "text": text}], additional_kwargs={})
            for role, text in BOTH
        ],
        [BOTH],
    ),
    "Haystack's messages, with a tool": (
        [
            message("user", [{"text": "hi"}], meta={}, name=None),
            message("assistant", [{"tool_call": {"tool_name": "f", "arguments": {"q": "(nobody)"}}}], meta={}),
            message("tool", [{"tool_call_result": {"result": "(nobody)"}}], meta={}),
            message("assistant", [{"text": "ho"}], meta={"model": "m"}),
        ],
        [BOTH],
    ),
    "Pydantic AI's list of messages": (
        [
            {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "hi", **TIME}]},
            {"kind": "response", "parts": [{"part_kind": "text", "content": "ho"}], "timestamp": LATER},
        ],
        [BOTH],
    ),
    "a message left at Zendesk Chat": (
        {"id": "c", "type": "offline_msg", "visitor": {"id": "v"}, "message": "hi", "timestamp": AT},
        [[("user", "hi")]],
    ),
    "a session of OpenAI's agents, with its tools": (
        [
            message("user", "hi"),
            {"type": "reasoning", "id": "r", "summary": []},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "(nobody)", "status": "completed"},
            {"type": "function_call_output", "call_id": "c", "output": "(nobody)"},
            {**message("assistant", [{"type": "output_text", "text": "ho"}]), "type": "message", "status": "completed"},
        ],
        [BOTH],
    ),
    "a thread with its runs": (
        [
            {
                "object": "thread.message",
                "id": "1",
                "created_at": 1772442000,
                "thread_id": "t",
                **message("user", "hi"),
            },
            {"object": "thread.run", "id": "r", "created_at": 1772442000, "thread_id": "t", "instructions": "(nobody)"},
            {"object": "thread.message", "id": "2", "created_at": 1772442001, "thread_id": "t"}
            | message("assistant", "ho"),
        ],
        [BOTH],
    ),
    "Langfuse, a candidate of Gemini's": (
        {**LANGFUSE, "input": GEMINI, "output": {"content": {"role": "model", "parts": [{"text": "ho"}]}}},
        [BOTH],
    ),
    "a collector's spans beside its metrics": (
        lines(spans({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi"}), {"resourceMetrics": []}),
        [[("user", "hi")]],
    ),
    "Dialogflow, in Python's words": (
        {
            "name": "projects/p/conversations/c",
            "start_time": AT,
            "interactions": [
                {
                    "request": {"query_input": {"text": {"text": "hi"}, "language_code": "en"}},
                    "response": {"query_result": {"response_messages": [{"text": {"text": ["ho"]}}]}},
                    "create_time": AT,
                }
            ],
        },
        [BOTH],
    ),
    "Dialogflow, the utterances alone": (
        {
            "name": "projects/p/conversations/c",
            "startTime": AT,
            "interactions": [{"createTime": AT, "requestUtterances": "hi", "responseUtterances": "ho"}],
        },
        [BOTH],
    ),
    "a session of Copilot Studio, with semicolons in it": (
        {"SessionID": "c", "StartDateTime": AT, "ChatTranscript": "User says: a; b; Bot says: c;d;", "TurnCount": 1},
        [[("user", "a; b"), ("assistant", "c;d")]],
    ),
    "Zendesk's audits of several tickets, a row each": (
        lines(
            *(
                {
                    "id": n,
                    "ticket_id": ticket,
                    "author_id": author,
                    "created_at": f"2026-03-02T09:00:0{n}Z",
                    "events": [
                        {"id": 9 * n, "type": "Create", "field_name": "requester_id", "value": "7"},
                        {"id": 9 * n + 1, "type": "Comment", "body": text, "public": True},
                        {"id": 9 * n + 2, "type": "Comment", "body": "(nobody)", "public": False},
                    ],
                }
                for n, ticket, author, text in ((2, 1, 9, "ho"), (0, 1, 7, "hi"), (1, 2, 7, "hi"), (3, 2, 9, "ho"))
            )
        ),
        [BOTH, BOTH],
    ),
    "roles of Dialogflow's conversations": (
        {
            "messages": [
                {**TIME, "role": who, "content": text}
                for who, (_, text) in zip(("END_USER", "AUTOMATED_AGENT"), BOTH, strict=True)
            ]
        },
        [BOTH],
    ),
}


@pytest.mark.parametrize("form", FRESH)
def test_a_form_that_was_missed_once_is_read(form: str) -> None:
    content, expected = FRESH[form]
    assert told(content, "a.jsonl" if isinstance(content, str) else "a.json") == expected


def test_an_object_with_an_empty_list_beside_its_text_is_no_quiet_hour() -> None:
    with pytest.raises(SourceError, match="not recognised"):
        told({"messages": "hi", "request_tags": []})
    assert told({"messages": [], "tags": []}) == told({"data": [], "meta": {}}) == []


ITEMS_OF_A_CONVERSATION = [
    {"type": "message", "id": "m2", **message("assistant", [{"type": "output_text", "text": "ho"}])},
    {"type": "message", "id": "m1", **message("user", [{"type": "input_text", "text": "hi"}])},
]
PAGE = {"object": "list", "first_id": "a", "last_id": "b", "has_more": False}
BRANCHES = [
    {"uuid": "1", "sender": "human", "text": "hi", "created_at": AT, "parent_message_uuid": "0"},
    {"uuid": "2", "sender": "assistant", "text": "(left)", "created_at": AT, "parent_message_uuid": "1"},
    {"uuid": "3", "sender": "assistant", "text": "ho", "created_at": AT, "parent_message_uuid": "1"},
]
SNAKE: list[dict[str, Any]] = [
    {"key": f"gen_ai.{word}.messages", "value": {"string_value": json.dumps([message(*one)])}}
    for word, one in zip(("input", "output"), BOTH, strict=True)
]
WORDS = [{"key": key, "value": {"string_value": value}} for key, value in message("assistant", "ho").items()]
SNAKE[1]["value"] = {"array_value": {"values": [{"kvlist_value": {"values": WORDS}}]}}
SPAN = {"trace_id": "t", "span_id": "s", "start_time_unix_nano": "1772442000000000000", "attributes": SNAKE}
DOCUMENTED |= {
    "items of a conversation, newest first": (PAGE | {"data": ITEMS_OF_A_CONVERSATION}, [BOTH]),
    "items of a conversation, oldest first": (PAGE | {"data": ITEMS_OF_A_CONVERSATION[::-1]}, [BOTH]),
    "rows with parts": (
        lines(
            *(
                {**TIME, "conversation_id": "c", **message(role, [{"type": "text", "text": text}])}
                for role, text in BOTH
            )
        ),
        [BOTH],
    ),
    "branches of Claude.ai without a leaf": ({"uuid": "c", "created_at": AT, "chat_messages": BRANCHES}, [BOTH]),
    "spans in snake case": ({"resource_spans": [{"scope_spans": [{"spans": [SPAN]}]}]}, [BOTH]),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "a template of a model in one text": (
        invocation({"prompt": "<|begin_of_text|>hi"}, {"generation": "ho"}),
        "template",
    ),
    "Titan's template": (invocation({"inputText": "User: hi\nBot:"}, {"results": [{"outputText": "ho"}]}), "template"),
    "an object of the application's own, as text": (
        {**LANGFUSE, "input": '{"question": "hi"}', "output": "ho"},
        "--map",
    ),
    "a call that failed": (call({"error": {"message": "too many"}}), "failed"),
    "an answer of Anthropic alone": (
        {"type": "message", "stop_reason": "end_turn", **message("assistant", [])},
        "only answers",
    ),
    "the chunks of a stream": (CHUNKS, "only answers"),
    "the events of a response": (
        [{"type": "response.created", "response": {"object": "response", "output": []}}, *RESPONSES],
        "only answers",
    ),
    "an answer of Gemini's": ({"candidates": [{"content": {"role": "model", "parts": []}}]}, "only answers"),
    "Dialogflow's list": (
        {"conversations": [{"name": "c", "startTime": AT, "languageCode": "en", "metrics": {"duration": "1s"}}]},
        "get each conversation",
    ),
    "answers of a batch of Gemini": ({"key": "k", "response": {"candidates": []}}, "only answers"),
    "items in no order that can be told": (PAGE | {"data": ITEMS_OF_A_CONVERSATION[:1] * 2}, "order"),
    "prompts of a stored completion": (PAGE | {"data": [{**message("user", "hi"), "content_parts": None}]}, "answers"),
    "two answers to compare": ({"prompt": "hi", "chosen": "ho", "rejected": "no"}, "two answers"),
    "a result of Typebot": ({"typebotId": "t", "answers": [{"blockId": "b", "content": "hi"}]}, "transcript"),
    "a prompt and its completion": ({"prompt": "hi", "completion": "ho"}, "prompt"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_a_form_in_which_nobody_speaks_is_refused_with_the_reason(form: str) -> None:
    content, reason = REFUSED[form]
    with pytest.raises(SourceError, match=reason):
        told(content)


def test_a_part_of_type_function_is_a_call_and_no_result() -> None:
    part = {"type": "function", "id": "c", "function": {"name": "f", "arguments": "{}"}}
    assert roles([message("user", "hi"), message("assistant", [part])]) == ["user", "tool_call"]


USERS = {
    "Anthropic's request": {"request": {**ASK, "system": "s", "metadata": {"user_id": "u"}}},
    "LiteLLM's customer, not the owner of its key": {"end_user": "u", "user": "owner"},
    "Portkey's metadata": {"metadata": {"_user": "u"}},
    "Cloudflare's metadata, as text": {"metadata": '{"user": "u"}'},
}


def test_responses_whose_inputs_hold_the_answers_before_are_one_conversation() -> None:
    def response(n: int, asked: Any, answer: str, before: str | None = None) -> dict[str, Any]:
        output = [{"type": "message", **message("assistant", [{"type": "output_text", "text": answer}])}]
        about = {"object": "response", "id": f"r{n}", "created_at": 1772442000 + n, "previous_response_id": before}
        return {**about, "input": asked, "output": output, "user": "u"}

    first, second = response(1, HISTORY[:1], "ho"), response(2, HISTORY[:3], "so")
    assert told(lines(first, second), "a.jsonl") == [FOUR]
    chained = [response(3, "hi", "ho"), response(4, "and?", "so", "r3")]
    found = said(lines(first, second, *chained), "a.jsonl")
    assert found.pop("r3") == FOUR and list(found.values()) == [FOUR]


EXCHANGES = [("hi", "ho"), ("and?", "so")]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_row_with_a_question_and_its_answer_is_read_where_both_are_named(kind: str) -> None:
    rows = [
        {"chat": "c", "question": q, "answer": a, "at": at} for (q, a), at in zip(EXCHANGES, (AT, LATER), strict=True)
    ]
    table = "\n".join(["chat,question,answer,at", *(",".join(row.values()) for row in rows)])
    names = {"input": "question", "output": "answer", "conversation_id": "chat", "timestamp": "at"}
    file = table if kind == "csv" else lines(*rows)
    assert said(file, f"a.{kind}", names=names) == {"c": FOUR}
    with pytest.raises(SourceError, match="--map input=question,output=answer,conversation_id=chat"):
        read_file(file, f"a.{kind}")


@pytest.mark.parametrize("where", USERS)
def test_the_user_of_a_call_stands_where_its_gateway_keeps_him(where: str) -> None:
    records, _ = read_file(call({"choices": [{"message": message("assistant", "ho")}]}) | USERS[where])
    assert {one.user_id for one in records} == {"u"}


def test_conversations_of_one_content_are_told_apart_by_their_turns() -> None:
    rows = [
        {"conversation_hash": "h", **TIME, "conversation": [{**message(*one), "turn_identifier": n} for one in BOTH]}
        for n in (101, 205)
    ]
    assert said(lines(*rows), "a.jsonl") == {"h-101": BOTH, "h-205": BOTH}
    assert said(lines(rows[1]), "b.jsonl") == {"h-205": BOTH}  # whatever else its file holds


@pytest.mark.parametrize("ids", [True, False])
def test_each_checkpoint_of_a_thread_adds_what_the_one_before_it_had_not(ids: bool) -> None:
    spoken = [("human", "yes"), ("ai", "ok"), ("human", "yes"), ("ai", "ok")]
    listed = [
        {"type": kind, "content": text} | ({"id": f"m{n}"} if ids else {}) for n, (kind, text) in enumerate(spoken)
    ]
    states = [
        {
            "values": {"messages": listed[:n]},
            "created_at": f"2026-03-02T09:0{place}:00Z",
            "checkpoint": {"thread_id": "t"},
        }
        for place, n in enumerate((0, 1, 2, 2, 3, 4))
    ]
    assert told(states[::-1]) == [
        [(who, text) for who, (_, text) in zip(("user", "assistant") * 2, spoken, strict=True)]
    ]


CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "config": {"system_instruction": "s"}}
ANSWERED = {"content": {"role": "model", "parts": [{"text": "ho"}]}}
SPANS = {
    "prompt and completion, whole": spans({"gen_ai.prompt": "hi", "gen_ai.completion": "ho"}),
    "LangSmith's": spans(
        {
            "gen_ai.prompt": json.dumps(ASK),
            "gen_ai.completion": json.dumps({"messages": [message("assistant", "ho")]}),
        }
    ),
    "Google's agents": spans(
        {
            "gcp.vertex.agent.llm_request": json.dumps(CONTENTS),
            "gcp.vertex.agent.llm_response": json.dumps(ANSWERED),
        }
    ),
    "Strands' agents": spans(
        {"gen_ai.operation.name": "chat"},
        ("gen_ai.user.message", "content", '[{"text": "hi"}]'),
        ("gen_ai.choice", "message", '[{"text": "ho"}]'),
    ),
    "Langfuse's": spans(
        {
            "langfuse.observation.input": json.dumps(ASK["messages"]),
            "langfuse.observation.output": json.dumps(message("assistant", "ho")),
        }
    ),
    "Logfire's events in an attribute": spans(
        {
            "events": json.dumps(
                [
                    {"event.name": "gen_ai.system.message", "content": "s", "role": "system"},
                    {"event.name": "gen_ai.user.message", "content": "hi", "role": "user"},
                    {"event.name": "gen_ai.choice", "index": 0, "message": message("assistant", "ho")},
                ]
            )
        }
    ),
    "Logfire's request and response": spans(
        {"request_data": json.dumps(ASK), "response_data": json.dumps({"message": message("assistant", "ho")})}
    ),
    "Logfire's stream": spans(
        {"request_data": json.dumps(ASK), "response_data": json.dumps({"combined_chunk_content": "ho"})}
    ),
    "a workflow of Traceloop's": spans(
        {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.input": json.dumps({"args": [{"question": "hi", "customer": "c"}], "kwargs": {}}),
            "traceloop.entity.output": '"ho"',
        }
    ),
    "a chain of LangChain's at Traceloop": spans(
        {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.input": json.dumps({"inputs": {"input": "hi"}, "tags": [], "kwargs": {}}),
            "traceloop.entity.output": json.dumps({"outputs": {"output": "ho"}, "kwargs": {}}),
        }
    ),
    "Tempo's page": {"trace": spans({"gen_ai.prompt": "hi", "gen_ai.completion": "ho"})},
}


@pytest.mark.parametrize("writer", SPANS)
def test_a_span_is_read_whoever_wrote_it(writer: str) -> None:
    assert told(SPANS[writer]) == [BOTH]


def test_two_texts_among_a_functions_arguments_are_nobodys_and_the_call_inside_speaks() -> None:
    def given(*args: str) -> dict[str, str]:
        asked = json.dumps({"args": args, "kwargs": {}})
        return {"traceloop.span.kind": "workflow", "traceloop.entity.input": asked, "traceloop.entity.output": '"so"'}

    inner = spans(
        {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi", "gen_ai.completion.0.content": "ho"}
    )
    held = inner["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for args, expected in ((("cust-7", "hi"), BOTH), (("and?",), [("user", "and?"), ("assistant", "so")])):
        outer = spans(given(*args))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        both = [outer | {"spanId": "o"}, held[0] | {"parentSpanId": "o"}]
        assert told({"resourceSpans": [{"scopeSpans": [{"spans": both}]}]}) == [expected]


PIECES = [{"candidates": [{"content": {"role": "model", "parts": [{"text": one}]}}]} for one in ("h", "o")]


@pytest.mark.parametrize("contents", [GEMINI["contents"], GEMINI["contents"][0], [{"text": "hi"}], "hi"])
def test_an_answer_of_gemini_in_pieces_is_one_and_its_request_may_be_short(contents: Any) -> None:
    assert told(lines({**TIME, "request": {"contents": contents}, "response": PIECES}), "a.jsonl") == [BOTH]


def test_what_librechat_shows_where_an_answer_failed_is_nobodys() -> None:
    asked = {"messageId": "1", "parentMessageId": None, "isCreatedByUser": True, "text": "hi", "createdAt": AT}
    failed = {"messageId": "2", "parentMessageId": "1", "isCreatedByUser": False, "error": True, "createdAt": AT}
    assert told({"conversationId": "c", "messages": [asked, {**failed, "text": "boom"}]}) == [BOTH[:1]]


def test_a_pressed_button_says_what_stands_on_it() -> None:
    button = {"buttons": [{"title": "Yes", "payload": "/affirm"}]}
    events = [
        {"event": "bot", "text": "Sure?", "data": button, "timestamp": 1772442000},
        {"event": "user", "text": "/affirm", "timestamp": 1772442001},
    ]
    assert told({"sender_id": "s", "events": events}) == [[("assistant", "Sure?"), ("user", "Yes")]]


HEADER = "conversation_id,role,content,timestamp"
ROWS = [f"c,{role},{text},{at}" for (role, text), at in zip(BOTH, (AT, LATER), strict=True)]
APART = [
    "conversation_id,role,content,Date,Time (UTC+1)",
    "c,user,hi,02/13/2026,9:00 AM",
    "c,assistant,ho,02/13/2026,0.5",
]
SHEETS = {
    "a list as NumPy writes it": [
        "conversation_id,conversation,timestamp",
        "c,\"[{'role': 'user', 'content': 'hi'}",
        f" {{'role': 'assistant', 'content': 'ho'}}]\",{AT}",
    ],
    "date and time of day apart": APART,
    "empty columns": [f"{HEADER},,", *(f"{row},," for row in ROWS)],
    "columns of one name that nobody asks for": [f"{HEADER},x,x", *(f"{row},1,2" for row in ROWS)],
    "two exports, one behind the other": [HEADER, ROWS[0], HEADER, ROWS[1]],
    "a list as pandas writes it": [
        "conversation_id,messages",
        f"c,\"[{{'role': 'user', 'content': 'hi', 'timestamp': '{AT}'}}, "
        f"{{'role': 'assistant', 'content': 'ho', 'timestamp': '{LATER}'}}]\"",
    ],
}


@pytest.mark.parametrize("sheet", SHEETS)
def test_tables_as_people_save_them_are_read(sheet: str) -> None:
    assert said("\n".join(SHEETS[sheet]) + "\n", "a.csv") == {"c": BOTH}


EARLY = [
    {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
    for role, kind, text in (
        ("user", "input_text", "<environment_context>x</environment_context>"),
        ("user", "input_text", "hi"),
        ("assistant", "output_text", "ho"),
    )
]


def test_a_rollout_whose_items_stand_bare_is_a_session() -> None:
    file = lines({"id": "s", "timestamp": AT}, *EARLY[:2], {"record_type": "state"}, EARLY[2])
    assert said(file, "rollout.jsonl") == {"s": BOTH}


@pytest.mark.parametrize(
    ("named", "row"),
    [
        ({}, {"Date": "2026-03-02", "Time": "09:00"}),
        ({}, {"Datum": "02.03.2026", "Uhrzeit": "09:00:00"}),
        ({}, {"date": "2026-03-02T00:00:00", "time": "09:00:00"}),
        ({}, {"date": "46083", "time": "0.375"}),
        ({}, {"Date": "2026-03-02", "Time": "2026-03-02T09:00:00"}),
        ({"timestamp": "day+at"}, {"Day": "2026-03-02", "At": "9:00 AM"}),
    ],
)
def test_a_time_whose_date_stands_apart_is_one(named: dict[str, str], row: dict[str, str]) -> None:
    table = f"conversation_id,role,content,{','.join(row)}\nc,user,hi,{','.join(row.values())}\n"
    (record,) = read_file(table, "a.csv", names=named)[0]
    assert (record.sent_at.isoformat(), record.time_assumed) == ("2026-03-02T09:00:00+00:00", False)
    rows = [{**message("user", "hi"), "conversation_id": "c", **row}]
    paths = {"timestamp": "+".join(row)}
    if "46083" in row.values():
        return  # days of spreadsheets are times in tables alone
    (record,) = read_file(rows, names=paths)[0]
    assert record.sent_at.isoformat() == "2026-03-02T09:00:00+00:00"


def test_the_date_that_is_advised_as_the_time_has_its_time_of_day() -> None:
    rows = [{**message("user", "hi"), "conversation_id": "c", "sent": {"date": "2026-03-02", "time": "09:00"}}]
    assert time_field(File("a.json", json.dumps(rows).encode())) == "sent.date+sent.time"


def test_a_long_number_that_lost_digits_is_no_time() -> None:
    def read(at: str) -> list[str]:
        rows = [f'c,user,hi,"{at}"', "c,user,ho,2026-03-02T09:00:00Z"]
        table = "\n".join(["conversation_id,role,content,timestamp", *rows, ""])
        records, rejects = read_file(table, "a.csv")
        return [one.sent_at.isoformat() for one in records[:-1]] + [one.reason[-13:] for one in rejects]

    for lost in ("1.77E+12", "1,77244E+12", "1.772442e+12", "1.7724E+09"):
        assert read(lost) == ["save it again"]
    for whole in ("1.772442E12", "1.772442000000E+12", "1.772442E9", "1.772442000E+09"):
        assert read(whole) == ["2026-03-02T09:00:00+00:00"]


COLUMNS = ["conversation_id", "role", "content", "timestamp"]
CELLS = [["c", role, text, at] for (role, text), at in zip(BOTH, (AT, LATER), strict=True)]
TABLES = {
    "pandas, split": {"columns": COLUMNS, "index": [0, 1], "data": CELLS},
    "ClickHouse, JSONCompact": {"meta": [{"name": name, "type": "String"} for name in COLUMNS], "data": CELLS},
    "a query's answer": {"columns": COLUMNS, "results": CELLS, "types": [], "hasMore": False},
    "pandas, columns": {name: {str(n): row[k] for n, row in enumerate(CELLS)} for k, name in enumerate(COLUMNS)},
    "pandas, list": {name: [row[k] for row in CELLS] for k, name in enumerate(COLUMNS)},
    "pandas, index": {str(n): dict(zip(COLUMNS, row, strict=True)) for n, row in enumerate(CELLS)},
    "rows by their ids": {f"-N{n}": dict(zip(COLUMNS, row, strict=True)) for n, row in enumerate(CELLS)},
    "Metabase": {"data": {"cols": [{"name": name} for name in COLUMNS], "rows": CELLS}},
}


@pytest.mark.parametrize("writer", TABLES)
def test_a_table_saved_as_json_with_its_columns_named_once_is_its_rows(writer: str) -> None:
    assert said(TABLES[writer]) == {"c": BOTH}


def test_of_a_task_only_what_a_person_typed_is_the_users() -> None:
    def texts(*found: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": one} for one in found]

    editor = "<environment_details>\nx\n</environment_details>"
    task = [
        message("user", texts("<task>\nhi\n</task>", editor)),
        message("assistant", texts("<thinking>x</thinking>ho<read_file><path>x</path></read_file>")),
        message("user", texts("[read_file for 'x'] Result:", "x", editor)),
        message("assistant", texts("<ask_followup_question><question>Which?</question></ask_followup_question>")),
        message("user", texts("[ask_followup_question for 'Which?'] Result:", "<answer>\nboth\n</answer>", editor)),
        message("assistant", texts("<attempt_completion><result>Done.</result></attempt_completion>")),
    ]
    assert told(task) == [[*BOTH, ("assistant", "Which?"), ("user", "both"), ("assistant", "Done.")]]


def test_a_session_of_copilot_that_is_written_as_changes_is_what_they_make() -> None:
    one = {"requestId": "r", "message": {"text": "hi"}, "response": [{"value": "no"}], "timestamp": 1772442000000}
    file = lines(
        {"kind": 0, "v": {"version": 3, "sessionId": "s", "creationDate": 1772442000000, "requests": []}},
        {"kind": 2, "k": ["requests"], "v": [one]},
        {"kind": 2, "k": ["requests", 0, "response"], "v": [{"value": "h"}, {"value": "x"}], "i": 0},
        {"kind": 2, "k": ["requests", 0, "response"], "v": [{"kind": "thinking", "value": "x"}], "i": 1},
        {"kind": 2, "k": ["requests", 0, "response"], "v": [{"kind": "inlineReference", "name": "o"}]},
        {"kind": 1, "k": ["customTitle"], "v": "x"},
        {"kind": 1, "k": ["requests", 7, "message"], "v": "nowhere"},
    )
    assert said(file, "s.jsonl") == {"s": BOTH}


FIRESTORE = [{"_seconds": 1772442000, "_nanoseconds": 0}, {"seconds": 1772442000}, {"seconds": 1772442000, "nanos": 5}]


@pytest.mark.parametrize("at", FIRESTORE)
def test_a_time_that_is_an_object_of_seconds_is_one(at: dict[str, int]) -> None:
    (record,) = read_file({"id": "c", "messages": [message("user", "hi", timestamp=at)]})[0]
    assert record.sent_at.isoformat() == "2026-03-02T09:00:00+00:00" and not record.time_assumed


NOBODY = ("anonymous", "null", "0", "undefined", "Guest")


@pytest.mark.parametrize("nobody", NOBODY)
def test_a_user_who_is_nobody_joins_no_talk_of_others(nobody: str) -> None:
    rows = [{"user_id": who, "role": "user", "content": "hi", **TIME} for who in (nobody, "u1", nobody)]
    table = "user_id,role,content,timestamp\n" + "".join(f"{one['user_id']},user,hi,{AT}\n" for one in rows)
    for content, name in ((lines(*rows), "a.jsonl"), (rows, "a.json"), (table, "a.csv")):
        assert said(content, name, lost=2) == {"u1": [("user", "hi")]}
    named = [{**one, "conversation_id": f"c{n}"} for n, one in enumerate(rows)]
    assert len(said(lines(*named), "a.jsonl")) == 3


SLACK_BESIDE: dict[str, Any] = {
    "users": {"id": "U1", "team_id": "T1", "name": "ada", "deleted": False, "profile": {"real_name": "Ada"}},
    "channels": {"id": "C1", "name": "help", "created": 1, "creator": "U1", "members": ["U1"], "topic": {}},
    "dms": {"id": "D1", "created": 1, "members": ["U1", "U2"]},
    "integration_logs": {"user_id": "U1", "user_name": "ada", "date": "1", "change_type": "added"},
}


@pytest.mark.parametrize("name", SLACK_BESIDE)
def test_what_lies_beside_the_messages_of_a_slack_export_is_left_aside(name: str) -> None:
    assert read_file([SLACK_BESIDE[name]], f"{name}.json") == ([], [])


SPOKEN_AS = [{"speaker": who, "text": text, "at": AT} for who, (_, text) in zip(("user", "bot"), BOTH, strict=True)]
LIKE_OURS: dict[str, Any] = {
    "turns of a record": [{"id": "c", "turns": SPOKEN_AS}],
    "turns in an object of it": {"id": "c", "dialog": {"lines": SPOKEN_AS}, "note": "(nobody)"},
    "rows": [{"chat": "c", **one} for one in SPOKEN_AS],
    "rows of questions and answers": [{"chat": "c", "question": "hi", "answer": "ho", "time": AT}],
}


@pytest.mark.parametrize("shape", LIKE_OURS)
def test_the_flag_that_a_refusal_names_reads_the_file(shape: str) -> None:
    with pytest.raises(SourceError, match="not recognised") as refused:
        told(LIKE_OURS[shape])
    words = str(refused.value)
    flag = words.partition("--map ")[2].partition(";")[0]
    assert len(words) < 900 and "..." not in flag
    assert said(LIKE_OURS[shape], names=dict(pair.split("=", 1) for pair in flag.split(","))) == {"c": BOTH}


NEIGHBOURS: dict[str, Any] = {
    "steps of a job": [{"id": "1", "createdAt": AT, "steps": [{"type": "tool", "output": "(nobody)"}]}],
    "texts of senders": [{"sender": who, "text": "(nobody)", "session_id": "s"} for who in ("User", "Bot")],
    "clicks by day": {f"2026-03-0{n}": {"events": [{"event": "click", "timestamp": AT}]} for n in (2, 3)},
    "blocks with a time": lines(*({"role": "user", "created": 1, "content": [{"type": "text"}]} for _ in range(2))),
    "a prompt beside its candidates": {"prompt": "(nobody)", "candidates": [{"content": {"parts": []}}]},
    "sessions with a text in no form that is known": {"SessionId": "s", "StartDateTime": AT, "ChatTranscript": "hi"},
}


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_a_file_that_only_looks_like_a_format_lands_nothing(kind: str) -> None:
    content = NEIGHBOURS[kind]
    with pytest.raises(SourceError):
        told(content, "a.jsonl" if isinstance(content, str) else "a.json")
