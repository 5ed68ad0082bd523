"""The answer object in what a model wrote: found wherever it stands, and never taken from what it repeats."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core import judging, tagging
from cpa_core.errors import ReplyInvalid
from cpa_core.llm.reading import conforms, matched_name, read_answer
from tests.support.examples import examples
from tests.support.fakes import SCHEMA, event, judged, tagged

TAGS = tagging.json_schema(SCHEMA)
VERDICT = judging.json_schema(SCHEMA)
QUOTE = 'braces {"m": 1}, a fence ```, </think> and <think> \\ in a quote'
ANSWER = tagged({0: [event("Question", QUOTE, Topic="Tax")], 1: [event("Reply", "Yes.")], 2: []})
TREE = json.loads(ANSWER)
OTHER = ANSWER.replace("Tax", "Form")
PLAIN = ANSWER.replace(json.dumps(QUOTE), '"{braces}, and [more]"')
DRAFT = '{"messages": []}'

WRAPPED = {
    "as it is": ANSWER,
    "indented": json.dumps(TREE, indent=2),
    "with a byte order mark": "\ufeff" + ANSWER,
    "after reasoning": f"<think>\nThe user wants {{ some }} JSON: {DRAFT} [1\n</think>\n\n{ANSWER}",
    "after reasoning whose beginning is in the prompt": f"Let me see, {DRAFT}\n</think>\n{ANSWER}",
    "after reasoning that repeats the marks": f"<think>it says </think> {DRAFT} so</think>{ANSWER}",
    "after a mark that was never closed": f"<think>\n\n{PLAIN}",
    "after a channel": f"<|channel|>analysis<|message|>{DRAFT}<|end|>"
    f"<|start|>assistant<|channel|>final<|message|>{ANSWER}",
    "after [THINK]": f"[THINK]maybe {DRAFT}[/THINK]{ANSWER}",
    "after ◁think▷": f"◁think▷maybe {DRAFT}◁/think▷{ANSWER}",
    "in a fence": f"```json\n{ANSWER}\n```",
    "in an upper-case fence": f"```JSON\n{ANSWER}\n```",
    "in a fence that is not closed": f"```\n{ANSWER}",
    "in prose": f'Here is the "JSON", as [you] asked:\n```json\n{ANSWER}\n```\nLet me know if you need {{more}}!',
    "before prose": f"{ANSWER}\n\nI hope this helps!",
    "with the tokens of a template": f"{ANSWER}<|im_end|>",
    "in a tag": f"<answer>{ANSWER}</answer>",
    "twice the same": f"{ANSWER}\n{json.dumps(TREE, indent=1)}",
    "in a string": json.dumps(ANSWER),
    "in a string in a string": json.dumps(json.dumps(ANSWER)),
    "a list in a string": json.dumps({"messages": json.dumps(TREE["messages"])}),
    "a list at the root": json.dumps(TREE["messages"]),
    "a list at the root in a fence": f"```\n{json.dumps(TREE['messages'])}\n```",
    "a line for each entry": "\n".join(json.dumps(entry) for entry in TREE["messages"]),
    "in a list of one": f"[{ANSWER}]",
    "under another name": json.dumps({"answer": TREE}),
    "under another name, in a string": json.dumps({"response": ANSWER}),
    "as a tool call": json.dumps({"name": "tag", "arguments": TREE}),
    "as a tool call in a string": f"<tool_call>{json.dumps({'name': 'tag', 'arguments': ANSWER})}</tool_call>",
    "in the place of the schema": json.dumps({"type": "object", "properties": TREE, "required": ["messages"]}),
    "with numbers in strings": ANSWER.replace('"m": 0', '"m": "0"').replace('"m": 1', '"m": "1.0"'),
    "with numbers with a point": ANSWER.replace('"m": 1', '"m": 1.0'),
    "with names in another case": ANSWER.replace('"messages"', '"Messages"').replace('"Question"', '"QUESTION"'),
    "with a comma too many": ANSWER[:-1] + ", }",
    "with a comma too many in prose": f"Here it is:\n{ANSWER[:-2]},]}}\nThank you",
    "with a comma missing": PLAIN.replace(', "because"', ' "because"'),
    "with comments": PLAIN.replace('"type"', '/* which one */ "type"')[:-1] + "// that is all\n}",
    "as Python writes it": repr(json.loads(PLAIN)),
    "with more than was asked": json.dumps({**TREE, "confidence": 0.9, "note": DRAFT}),
    "by number": json.dumps({"messages": {str(e["m"]): {"events": e["events"]} for e in TREE["messages"]}}),
    "lists by number": json.dumps({"messages": {str(e["m"]): e["events"] for e in TREE["messages"]}}),
    "properties as an object": ANSWER.replace('[{"name": "Topic", "value": "Tax"}]', '{"Topic": "Tax"}'),
    "one event for a list of one": ANSWER.replace('"events": [{', '"events": {').replace("}]}, {", "}}, {"),
    "null for an empty list": ANSWER.replace('"events": []', '"events": null'),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_an_answer_that_is_right_is_read_wherever_it_stands(name: str) -> None:
    found = read_answer(WRAPPED[name], TAGS)
    own = {key: found.tree[key] for key in ("messages",)}
    assert own in (TREE, json.loads(PLAIN))
    assert found.whole
    assert conforms(json.loads(found.text), TAGS)


JUDGED = json.loads(judged(quote="x", m=0))
BY_ID = {
    **JUDGED,
    "goals": {one["id"]: {k: v for k, v in one.items() if k != "id"} for one in JUDGED["goals"]},
    "dealbreakers": JUDGED["dealbreakers"][0],
}


@pytest.mark.parametrize(
    "text",
    [
        judged(quote="x", m=0).replace("false", '"False"'),
        judged(quote="x", m=0).replace('"met"', '"MET"'),
        json.dumps(BY_ID),
        json.dumps([JUDGED]),
        json.dumps({**JUDGED, "goals": json.dumps(JUDGED["goals"])}),
    ],
)
def test_a_judgment_is_read_by_the_shape_of_its_schema(text: str) -> None:
    assert read_answer(text, VERDICT).tree == JUDGED


NEVER = {
    "two different answers": ANSWER + OTHER,
    "an echo before the answer": f"The user wrote {DRAFT}, so: {ANSWER}",
    "an echo after it": f"{ANSWER}\nNot {DRAFT}.",
    "a name said twice": ANSWER.replace('"type": "Question"', '"type": "Question", "type": "Thanks"'),
    "a quote that is not escaped": f'{{"messages": [{{"m": 0, "events": [{{"quote": "{OTHER}", "because": "b"}}]}}]}}',
    "a mark of reasoning in such a quote": (
        f'{{"messages": [{{"m": 0, "events": [{{"quote": "</think> {OTHER} ", "because": "b"}}]}}]}}'
    ),
    "brackets closed in such a quote": f'{{"messages": [{{"events": [{{"quote": "x}}]}}]}} {OTHER} ", "b": 1}}]}}]}}',
    "cut off": ANSWER[:-3],
    "cut off after the first entry": ANSWER[: ANSWER.index('{"m": 1')],
    "cut off, a comma too many": ANSWER[:-3] + ",",
    "an answer in thoughts that go on": f"<think>maybe {ANSWER}, but the user",
    "only in thoughts": f"<think>maybe {ANSWER}</think> I cannot do that.",
    "no JSON": "I cannot do that.",
    "nothing": "",
    "brackets": "[" * 50_000 + "{" * 50_000,
    "no number": ANSWER.replace('"m": 0', '"m": NaN'),
}


@pytest.mark.parametrize("name", NEVER)
def test_what_is_not_the_only_whole_answer_is_never_taken_for_one(name: str) -> None:
    began = time.process_time()
    with pytest.raises(ReplyInvalid):
        read_answer(NEVER[name], TAGS)
    assert time.process_time() - began < 2


def test_an_object_in_a_quote_is_never_looked_into() -> None:
    said = {"verdicts": [{"quote": judged(hit=True), "because": judged()}], "quote": judged(), "because": judged()}
    found = read_answer(json.dumps(said), VERDICT)
    assert (found.tree, found.whole) == (said, False), "it stays as it is, and the judge's checks name the fault"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Sign-up", "Sign Up"),
        ("sign_up", "Sign Up"),
        ("SIGNUP", "Sign Up"),
        ("“Sign–Up”", "Sign Up"),
        ("**Sign Up**.", "Sign Up"),
        ("User’s Name", "User's Name"),
        ("Sign Out", None),
        ("Sign Ups", None),
        ("Sig Up", None),
        ("sign", None),
        ("", None),
        ("--", None),
        ("AB", None),
        ("a b", "a b"),
    ],
)
def test_a_name_is_matched_by_case_spaces_dashes_and_signs_and_never_by_likeness(
    written: str, name: str | None
) -> None:
    assert matched_name(written, ["Sign Up", "Sign In", "User's Name", "a b", "A-B"]) == name


@pytest.mark.parametrize(
    ("value", "kind", "read"),
    [
        ("3", "integer", 3),
        (" 12 ", "integer", 12),
        (4.0, "integer", 4),
        ("3.5", "integer", "3.5"),
        ("three", "integer", "three"),
        (True, "integer", True),
        ("TRUE", "boolean", True),
        ("yes", "boolean", "yes"),
        (1, "boolean", 1),
        (3, "string", 3),
        (None, "string", None),
    ],
)
def test_a_type_is_changed_only_where_the_meaning_is_certain(value: Any, kind: str, read: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": kind}}, "required": ["a"]}
    found = read_answer(json.dumps({"a": value}), schema).tree["a"]
    assert (found, type(found)) == (read, type(read))


def test_what_was_changed_is_counted() -> None:
    assert read_answer(ANSWER, TAGS).folded.total() == 0
    assert read_answer(WRAPPED["with names in another case"], TAGS).folded == {"name": 2}
    assert read_answer(WRAPPED["with numbers in strings"], TAGS).folded == {"number": 2}


TEXTS = st.text(max_size=30) | st.sampled_from([ANSWER, OTHER, DRAFT, "</think>", "<think>", '"}]}', "{", "[", "```"])
EVENTS = st.lists(
    st.builds(lambda quote, kind: event(kind, quote, Topic="Tax"), TEXTS, st.sampled_from(["Question", "Thanks"])),
    max_size=3,
)
WRAPPERS: dict[str, Callable[[str], str]] = {
    "nothing": lambda answer: answer,
    "prose": lambda answer: f"Here it is:\n```JSON\n{answer}\n```\nDone.",
    "reasoning": lambda answer: f"<think>a {{draft}}: {DRAFT}</think>\n{answer}",
    "its end": lambda answer: f"a draft: {DRAFT}</think>{answer} I hope this helps!",
    "a string": json.dumps,
    "a tool call": lambda answer: json.dumps({"name": "tag", "arguments": answer}),
    "a list": lambda answer: f"[{answer}]",
    "twice": lambda answer: f"{answer}\n{answer}",
}


@examples(50)
@given(st.dictionaries(st.integers(0, 9), EVENTS, max_size=4), st.sampled_from(list(WRAPPERS)))
def test_whatever_stands_in_its_strings_an_answer_is_read_as_it_was_written(
    entries: dict[int, list[dict[str, Any]]], wrapper: str
) -> None:
    answer = tagged(entries)
    assert read_answer(WRAPPERS[wrapper](answer), TAGS).tree == json.loads(answer)


@examples(50)
@given(TEXTS, TEXTS, TEXTS)
def test_whatever_is_read_was_written_as_one_whole_value(before: str, between: str, after: str) -> None:
    """No answer is made of pieces: what is read out of any rubble is one of the answers that stand in it."""
    try:
        found = read_answer(before + ANSWER + between + OTHER + after, TAGS).tree
    except ReplyInvalid:
        return
    assert found in (TREE, json.loads(OTHER), json.loads(DRAFT))
