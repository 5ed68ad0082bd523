"""What models and gateways really answer, each shape from a report at github.com, on an example of two conversations.

A right answer that is wrapped brings the same events and scores as a clean one, at no more calls; a server that does
not take a JSON schema takes two calls more, once. A shape without an answer ends in one failure after three calls.
"""

import json
import re
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cpa_core import schema as schemas
from cpa_core.judging import judge_conversation
from cpa_core.llm import ModelName
from cpa_core.models import Conversation
from cpa_core.providers.openai import ChatCompletions
from cpa_core.tagging import json_schema, tag_conversation
from tests.servers import brain
from tests.servers.brain import Body, Question
from tests.servers.chat_completions import Behaviour, ChatServer, Status, answer, question
from tests.servers.scripted import Garbage, Scripted, json_object
from tests.support.fakes import asking, conversation

EXAMPLE = Path(__file__).parents[2] / "examples" / "therapist"
SCHEMA = schemas.load(EXAMPLE / "schema.yml")[0].model_copy(update={"events_per_message": "one"})
MODEL = ModelName(provider="compatible", model="m")

Shape = Callable[[Body, str], Scripted]
"""What a server answers, given the body of a call and the text of a clean answer."""


class Tolerant(ChatServer):
    """A server that takes every form of a question, but those in `refused`; `sent` are the forms of its calls."""

    refused: dict[str, Scripted]
    sent: list[str]

    def checked(self, path: str, headers: Message, content: bytes) -> Body:
        """Whatever it is."""
        return json_object(content)

    def question(self, body: Body) -> Question:
        """With the schema, where one is sent."""
        shape = body.get("response_format") or {}
        return question(body if "json_schema" in shape else {**body, "response_format": None})


class Came(NamedTuple):
    """What came of the example: events by message, scores, calls, and how each conversation ended."""

    events: list[tuple[int, str]]
    scores: list[float | None]
    calls: int
    ends: list[str]


def messages() -> Iterator[Conversation]:
    """The first two conversations of the example."""
    given: dict[str, Any] = json.loads((EXAMPLE / "example_data.json").read_text("utf-8"))
    for key, one in list(given.items())[:2]:
        said = one["messages"] if isinstance(one, dict) else one
        yield conversation(*[(turn["role"], turn["content"]) for turn in said], conversation_id=key)


def came(shape: Shape, how: Any = "strict", said: Callable[[Body], str] = answer) -> Came:
    """What comes of the example at a server whose answers have this shape."""

    def script(body: Body, number: int) -> Scripted:
        return shape(body, said({**body, "response_format": None} if "json_schema" not in _form(body) else body))

    with Tolerant(Behaviour(script)) as server:
        ask = asking(ChatCompletions("k", server.url, is_openai=False, how=how))
        tagged = [tag_conversation(one, SCHEMA, MODEL, ask) for one in messages()]
        judged = [judge_conversation(one, SCHEMA, MODEL, ask) for one in messages()]
        calls = len(server.calls)
    events = [(tag.position, tag.event_type) for one in tagged for tag in one.tags]
    scores = [one.judgment.score if one.judgment else None for one in judged]
    return Came(events, scores, calls, [one.outcome for one in (*tagged, *judged)])


def _form(body: Body) -> dict[str, Any]:
    return body.get("response_format") or {}


def completed(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> Garbage:
    """A completion with this message."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 900, "completion_tokens": 200}
    return Garbage(json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage, **more}).encode())


def content(wrap: Callable[[str], Any]) -> Shape:
    """The answer in the content, wrapped."""
    return lambda body, text: completed({"content": wrap(text)})


def tree(change: Callable[[Any], Any]) -> Shape:
    """The answer with a change to its JSON."""
    return content(lambda text: json.dumps(change(json.loads(text))))


def message(wrap: Callable[[str], dict[str, Any]], finish: str | None = "stop") -> Shape:
    """The answer elsewhere in the message."""
    return lambda body, text: completed(wrap(text), finish)


def called(arguments: Any, name: str = "json_tool_call") -> dict[str, Any]:
    """A message that is a tool call."""
    return {"content": None, "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}]}


def streamed(*, reasons: bool = False, usage: bool = True) -> Shape:
    """In server-sent events, a few characters each."""

    def shape(body: Body, text: str) -> Garbage:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": "I think {of} it"}] if reasons else []
        deltas += [{"content": text[n : n + 7]} for n in range(0, len(text), 7)]
        chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
        chunks += [{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}] if usage else []
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        return Garbage(("".join([": ping\n\n", *lines]) + "data: [DONE]\n\n").encode(), "text/event-stream")

    return shape


def quoted(value: Any) -> Any:
    """With numbers, true and false in strings."""
    if isinstance(value, dict):
        return {name: quoted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [quoted(one) for one in value]
    return str(value) if isinstance(value, bool | int) else value


def shorter(answered: dict[str, Any]) -> dict[str, Any]:
    """The same without the last item of each list."""
    return {name: one[:-1] if isinstance(one, list) else one for name, one in answered.items()}


DRAFT = '{"messages": [], "goals": [], "dealbreakers": [], "because": "a draft"}'
THINKING = f"Okay, the user wants {{ some }} JSON, perhaps {DRAFT}."
CHUNKS = [{"type": "thinking", "thinking": [{"type": "text", "text": THINKING}]}]

WRAPPED: dict[str, tuple[str, Shape]] = {
    "reasoning before": ("666ghj/MiroFish/issues/209", content(lambda t: f"<think>\n{THINKING}\n</think>\n\n{t}")),
    "reasoning, begun by the template": ("vllm-project/vllm/issues/18255", content(lambda t: f"{THINKING}</think>{t}")),
    "empty reasoning": ("IBM/AssetOpsBench/issues/418", content(lambda t: f"<think>\n\n</think>\n\n{t}")),
    "reasoning in a custom server": (
        "admonstrator/zettelrobbe/issues/74",
        content(lambda t: f"<think>reasoning...</think>{t}"),
    ),
    "thinking tags": (
        "langchain-ai/local-deep-researcher/pull/88",
        content(lambda t: f"<thinking>{THINKING}</thinking>```json\n{t}\n```"),
    ),
    "harmony channels": (
        "kekzl/imp/pull/768",
        content(
            lambda t: f"<|channel|>analysis<|message|>{THINKING}<|end|><|start|>assistant<|channel|>final<|message|>{t}"
        ),
    ),
    "a constrained channel": (
        "ml-explore/mlx-lm/pull/1867",
        content(lambda t: f"<|channel|>final <|constrain|>json<|message|>{t}<|return|>"),
    ),
    "the commentary channel alone": (
        "NVIDIA/TensorRT-LLM/issues/9256",
        content(lambda t: f"<|channel|>commentary<|message|>{t}<|end|>"),
    ),
    "channels without marks": (
        "Augustas11/macprovider/issues/743",
        content(lambda t: f"analysisWe need to answer with JSON. And nothing else.assistantfinal{t}"),
    ),
    "prose around a fence": (
        "IBM/ai4rag/issues/107",
        content(lambda t: f"Here is the JSON you asked for:\n```json\n{t}\n```\nLet me know if you need more."),
    ),
    "a fence": ("vectorize-io/hindsight/issues/645", content(lambda t: f"```json\n{t}\n```")),
    "a fence without a name": ("microsoft/essex-toolkit/issues/437", content(lambda t: f"```\n{t}\n```")),
    "an upper-case fence": (
        "lightspeed-core/lightspeed-evaluation/issues/285",
        content(lambda t: f"```JSON\n{t}\n```"),
    ),
    "a fence of Claude through a gateway": (
        "Mercor-Intelligence/archipelago/pull/103",
        content(lambda t: f"\n```json\n{t}\n```\n"),
    ),
    "a fence of a local server": ("laravel/ai/pull/879", content(lambda t: f"```json\n{t}```")),
    "an analysis and a fence": (
        "dspy-community/dspy-template-adapter/issues/2",
        content(lambda t: f"Let me analyze this...\n\n```json\n{t}\n```"),
    ),
    "prose without a fence": ("sreerevanth/repopilot/issues/157", content(lambda t: f"Sure! The result: {t}")),
    "prose after": (
        "Mirascope/mirascope/issues/939",
        content(lambda t: f"{t}\n\nNote: I've focused on the 2 best [1]."),
    ),
    "rubbish after": ("tya5/reyn/issues/1057", content(lambda t: f"{t}}}\n")),
    "tokens after": (
        "noamgat/lm-format-enforcer/issues/134",
        content(lambda t: f"{t}\r\n \n<|end_of_text|><|end_of_text|>"),
    ),
    "tokens of Llama": ("vllm-project/vllm/issues/14623", content(lambda t: f"<|python_tag|>{t}<|eom_id|>")),
    "a trailing comma": ("mem0ai/mem0/pull/5623", content(lambda t: f"{t[:-1]}, }}")),
    "trailing commas in lists": ("ducroo/SICTIC-AI/pull/37", content(lambda t: t.replace("]}", "],}"))),
    "comments": ("mangiucugna/json_repair/issues/137", content(lambda t: f"// the answer\n/* all of it */ {t} // so")),
    "as Python writes it": ("mangiucugna/json_repair/issues/10", content(lambda t: repr(json.loads(t)))),
    "Python's names": (
        "microsoft/RD-Agent/pull/1374",
        content(lambda t: repr(json.loads(t)).replace("true", "True").replace("false", "False")),
    ),
    "single quotes from a tool": ("ml-explore/mlx-lm/pull/1004", message(lambda t: called(repr(json.loads(t))))),
    "line breaks in strings": (
        "open-telemetry/opentelemetry-collector-contrib/issues/16261",
        content(lambda t: t.replace('"because": "', '"because": "so it is:\n')),
    ),
    "JSON in a reasoning field": (
        "vllm-project/vllm/issues/16182",
        message(lambda t: {"content": None, "reasoning_content": t}),
    ),
    "an empty content beside it": (
        "lmstudio-ai/lmstudio-bug-tracker/issues/1698",
        message(lambda t: {"content": "", "reasoning_content": t}),
    ),
    "JSON in reasoning": ("chunkhound/chunkhound/issues/415", message(lambda t: {"content": None, "reasoning": t})),
    "JSON in thinking": ("rohitg00/pro-workflow/issues/98", message(lambda t: {"content": None, "thinking": t})),
    "reasoning beside the content": (
        "ollama/ollama/issues/8529",
        message(lambda t: {"content": t, "reasoning_content": THINKING}),
    ),
    "chunks with thinking": (
        "mistralai/client-python/issues/621",
        content(lambda t: [*CHUNKS, {"type": "text", "text": t}]),
    ),
    "chunks of text": (
        "microsoft/agent-framework/issues/6978",
        content(lambda t: [{"type": "text", "text": t[:30]}, {"type": "text", "text": t[30:]}]),
    ),
    "chunks of output": ("openlit/openlit/issues/1597", content(lambda t: [{"type": "output", "text": t}])),
    "a tool call": ("BerriAI/litellm/pull/24095", message(called, "tool_calls")),
    "arguments that are an object": (
        "BerriAI/litellm/issues/8313",
        message(lambda t: called(json.loads(t)), "tool_calls"),
    ),
    "the older function call": (
        "ollama/ollama/issues/6155",
        message(lambda t: {"content": None, "function_call": {"name": "f", "arguments": t}}, "function_call"),
    ),
    "a tool call in the content": (
        "sgomez/ollama-ai-provider/pull/11",
        content(lambda t: json.dumps({"name": "tag", "arguments": json.loads(t)})),
    ),
    "a tool call in tags": (
        "NousResearch/hermes-agent/pull/83023",
        content(lambda t: f"<tool_call>\n{json.dumps({'name': 'tag', 'arguments': json.loads(t)})}\n</tool_call>"),
    ),
    "a tool call's tags that stand in a string": (
        "NousResearch/hermes-agent/pull/23508",
        content(lambda t: "<tool_use>" + t.replace('"because": "', '"because": "</tool_use> ') + "</tool_use>"),
    ),
    "a wrapper: args": ("BerriAI/litellm/issues/8022", tree(lambda t: {"args": t})),
    "a wrapper: values": ("BerriAI/litellm/issues/9011", tree(lambda t: {"values": t})),
    "a wrapper named as the task": ("phenobarbital/ai-parrot/pull/338", tree(lambda t: {"dinner_plan": t})),
    "a wrapper from a template": ("SpringCare/VERA-MH/pull/171", tree(lambda t: {"$PARAMETER_NAME": t})),
    "in the place of the schema": (
        "bespokelabsai/curator/issues/655",
        tree(lambda t: {"type": "object", "properties": t}),
    ),
    "encoded twice": ("iterative/datachain/issues/1930", content(json.dumps)),
    "a field encoded": (
        "anthropics/claude-agent-sdk-python/issues/510",
        tree(lambda t: {k: json.dumps(v) if isinstance(v, list) else v for k, v in t.items()}),
    ),
    "numbers and booleans quoted": ("langfuse/langfuse/issues/13502", tree(quoted)),
    "a list at the root": ("langfuse/langfuse/issues/8756", tree(lambda t: t.get("messages", [t]))),
    "objects for lists of pairs": (
        "567-labs/instructor/issues/1341",
        tree(lambda t: t if "messages" in t else {**t, "goals": {g.pop("id"): g for g in t["goals"]}}),
    ),
    "names in small letters": (
        "aryamthecodebreaker/FixMap/issues/278",
        tree(
            lambda t: (
                {**t, "goals": [{**g, "verdict": g["verdict"].upper()} for g in t["goals"]]} if "goals" in t else t
            )
        ),
    ),
    "one field more": (
        "langchain-ai/langchain/pull/37216",
        lambda body, text: completed(
            {"content": text, "annotations": None}, prompt_logprobs=None, kv_transfer_params=None
        ),
    ),
    "a stream although not asked": ("open-webui/computer/issues/193", streamed()),
    "a stream with reasoning": ("thomwebb/gac/issues/78", streamed(reasons=True)),
    "a stream without usage": ("sgl-project/sglang/issues/3912", streamed(usage=False)),
    "a kind after the channel": (
        "openai/harmony/issues/56",
        content(
            lambda t: (
                f"<|channel|>analysis<|message|>{THINKING}<|end|><|start|>assistant<|channel|>final json<|message|>{t}"
            )
        ),
    ),
    "a channel of reasoning, then none": (
        "ggml-org/llama.cpp/pull/15181",
        content(lambda t: f"<|channel|>analysis<|message|>{THINKING}<|end|>{t}"),
    ),
    "a channel of Gemma": (
        "lmstudio-ai/lmstudio-bug-tracker/issues/2013",
        content(lambda t: f"<|channel>thought\n{THINKING}<channel|>{t}"),
    ),
    "sentences of Granite": (
        "vllm-project/vllm/pull/14202",
        content(lambda t: f"Here is my thought process: {THINKING}\n\nHere is my response: {t}"),
    ),
    "tags of Magistral": ("RooCodeInc/Roo-Code/issues/8522", content(lambda t: f"[THINK]{THINKING}[/THINK]{t}")),
    "tags of Seed": (
        "open-webui/open-webui/issues/16856",
        content(lambda t: f"<seed:think>{THINKING}</seed:think>{t}"),
    ),
    "no last bracket": ("tenstorrent/tt-inference-server/issues/3199", content(lambda t: t[:-1])),
    "a token in its place": ("NVIDIA/TensorRT-LLM/issues/10612", content(lambda t: f"{t[:-1]}<|return|>")),
    "an end twice": ("MemberJunction/MJ/issues/3065", content(lambda t: f'{t}."\n}}')),
    "the schema before it": (
        "dotnet/extensions/issues/6212",
        lambda body, text: completed({"content": f"{json.dumps(_form(body)['json_schema']['schema'])}\n{text}"}),
    ),
    "names without quotation marks": (
        "Project-N-E-K-O/N.E.K.O/pull/718",
        content(lambda t: re.sub(r'"(\w+)":', r"\1:", t)),
    ),
    "brackets doubled": (
        "run-llama/llama_index/issues/7886",
        content(lambda t: t.replace("{", "{{").replace("}", "}}")),
    ),
    "backslashes": (
        "marcusgreen/moodle-qtype_aitext/issues/53",
        content(
            lambda t: t.replace("These words are", "These \\(words\\) aren\\'t").replace('"The con', '"The \\(con')
        ),
    ),
    "typographic quotation marks": (
        "BoundaryML/baml/issues/1074",
        content(lambda t: re.sub(r'"(messages|goals|because|verdict)"', "“\\1”", t)),
    ),
    "a hard space": ("structuredllm/syncode/issues/171", content(lambda t: f"{t[:-1]} \xa0}}")),
    "tokens of DeepSeek's tools": (
        "google/adk-python/pull/5654",
        content(
            lambda t: (
                f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>tag\n```json\n{t}\n```"
                "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            )
        ),
    ),
    "the name of a fence in a tool call": (
        "tenstorrent/tt-inference-server/issues/3683",
        message(lambda t: called(f"json\n{t}"), "tool_calls"),
    ),
    "no finish reason": ("openai/openai-openapi/pull/20", message(lambda t: {"content": t}, None)),
    "an empty finish reason": ("BerriAI/litellm/pull/20732", message(lambda t: {"content": t}, "")),
    "another finish reason": ("vibrantlabsai/ragas/issues/1548", message(lambda t: {"content": t}, "eos")),
    "no usage": (
        "confident-ai/deepeval/issues/2036",
        lambda body, text: completed({"content": text}, usage=None),
    ),
}

CLEAN = came(content(lambda text: text))


def test_the_clean_answer_gives_eighteen_events_two_scores_and_four_calls() -> None:
    assert (len(CLEAN.events), len(CLEAN.scores), CLEAN.calls) == (18, 2, 4)
    assert None not in CLEAN.scores and set(CLEAN.ends) == {"ok"}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_right_answer_that_is_wrapped_brings_the_same_at_no_more_calls(name: str) -> None:
    assert came(WRAPPED[name][1]) == CLEAN


@pytest.mark.parametrize("name", list(WRAPPED)[::8])
def test_it_takes_no_more_calls_to_find_out_what_such_a_server_does(name: str) -> None:
    assert came(WRAPPED[name][1], how=None) == CLEAN


def in_objects(body: Body) -> str:
    """The same answer in objects, as earlier versions asked for it, whatever is asked for."""
    asked = question(body)
    if asked.task != "tag":
        return answer(body)
    return json.dumps(brain.tags(asked.system, asked.user, json_schema(SCHEMA)["properties"]["messages"]["items"]))


@pytest.mark.parametrize("name", WRAPPED)
def test_an_answer_in_the_earlier_form_is_as_good_and_costs_no_more_calls(name: str) -> None:
    assert came(WRAPPED[name][1], None, in_objects) == CLEAN


def takes(*forms: str, otherwise: Shape) -> Shape:
    """A server that answers well when asked in one of these forms."""

    def shape(body: Body, text: str) -> Scripted:
        form = _form(body).get("type", "prompt")
        return completed({"content": text}) if form in forms else otherwise(body, text)

    return shape


def prose(body: Body, text: str) -> Scripted:
    """No JSON at all."""
    return completed({"content": "The user is greeting the assistant, who greets back."})


def refusing(words: str, status: int = 400) -> Shape:
    """An error with these words."""
    return lambda body, text: Status(status, body={"error": words})


NO_CHOICES: Shape = lambda body, text: Garbage(json.dumps({"choices": None, "usage": None}).encode())  # noqa: E731
SERVERS: dict[str, tuple[str, Shape, int]] = {
    "no choices for a schema": ("modelscope/modelscope/issues/1801", takes("json_object", otherwise=NO_CHOICES), 5),
    "the schema is ignored": ("ggml-org/llama.cpp/issues/24097", takes("json_object", otherwise=prose), 5),
    "schema and JSON are ignored": ("ollama/ollama/issues/13371", takes("prompt", otherwise=prose), 6),
    "a schema is refused": (
        "ItzCrazyKns/Vane/issues/969",
        takes("json_object", otherwise=refusing("This response_format type is unavailable now")),
        5,
    ),
    "every form but words is refused": (
        "lfnovo/esperanto/issues/46",
        takes("prompt", otherwise=refusing("response_format is not supported")),
        6,
    ),
    "only a schema is taken": (
        "lmstudio-ai/lmstudio-bug-tracker/issues/189",
        takes("json_schema", otherwise=refusing("'response_format.type' must be 'json_schema'")),
        4,
    ),
}


@pytest.mark.parametrize("name", SERVERS)
def test_what_a_server_takes_is_found_out_in_two_calls_more_at_most(name: str) -> None:
    _, shape, calls = SERVERS[name]
    assert came(shape, how=None) == CLEAN._replace(calls=calls)


HOPELESS: dict[str, tuple[str, Shape]] = {
    "prose": ("ggml-org/llama.cpp/issues/24097", prose),
    "half of it": ("josdejong/jsonrepair/issues/117", content(lambda t: t[: len(t) // 2])),
    "two different answers": (
        "sgomez/ollama-ai-provider/pull/11",
        content(lambda t: t + json.dumps(shorter(json.loads(t)))),
    ),
    "an ended answer": ("maximhq/bifrost/issues/5425", message(lambda t: {"content": t[: len(t) // 2]}, "error")),
    "nothing": ("ollama/ollama/issues/13371", message(lambda t: {"content": None})),
    "an answer only in thoughts": ("mem0ai/mem0/pull/4937", content(lambda t: f"<think>{t}</think>")),
    "prose in the reasoning": (
        "temm1e-labs/temm1e/issues/49",
        message(lambda t: {"content": "", "reasoning": THINKING}),
    ),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_a_shape_without_an_answer_ends_in_one_failure_after_three_calls(name: str) -> None:
    found = came(HOPELESS[name][1])
    assert set(found.ends) <= {"invalid", "error"} and not found.events
    assert found.calls <= 3 * CLEAN.calls


def test_every_shape_names_its_report() -> None:
    reports = [report for report, *_ in (*WRAPPED.values(), *SERVERS.values(), *HOPELESS.values())]
    assert len(reports) >= 60
    assert all(report.split("/")[2] in ("issues", "pull") and report.split("/")[3].isdigit() for report in reports)
