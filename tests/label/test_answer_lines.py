"""The lines of an answer: what they say is what the same objects say, and every check is the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.errors import ReplyInvalid
from cpa_core.llm.reading import read_answer
from cpa_core.models import EventSchema, EventType, Tag
from cpa_core.tagging import Entry, Tagged, line_schema, read, tag_conversation
from tests.support.examples import examples
from tests.support.fakes import (
    MODEL,
    QUESTION,
    REPLY,
    SCHEMA,
    THANKS,
    Script,
    asked,
    asking,
    conversation,
    event,
    tagged,
)

PLAIN = SCHEMA.model_copy(update={"event_types": (QUESTION, THANKS.model_copy(update={"plain": True}), REPLY)})


def entry(*lines: str, text: str = "Which form, please?", schema: EventSchema = SCHEMA) -> Entry:
    """What is taken from lines about one message of the user."""
    return read(json.dumps({"messages": list(lines)}), conversation(text), [0], schema)[0]


def stored(found: Entry) -> list[tuple[str, str | None, str, dict[str, str]]]:
    return [(tag.event_type, tag.quote, tag.because, tag.properties) for tag in found.tags]


def run(*said: Any, schema: EventSchema = SCHEMA) -> tuple[Tagged, Script]:
    provider = Script(*said)
    return tag_conversation(conversation("Which form?", "This."), schema, MODEL, asking(provider)), provider


ASKS = ("Question", "Which form", "It asks.", {"Topic": "Form", "Subject": "a form"})


@pytest.mark.parametrize(
    "line",
    [
        "0 Which form | It asks. | Question | Form | a form",
        "0 Which form|It asks.|Question|Form|a form",
        "0. Which form | It asks. | question | form | a form",
        "m 0 Which form | It asks. | Question (user) | Form | a form",
        "m=0: Which form | It asks. | 'Question' | Form | a form ",
    ],
)
def test_a_line_is_an_event(line: str) -> None:
    found = entry(line)
    assert stored(found) == [ASKS] and not found.soft and not found.hard


@pytest.mark.parametrize(
    "line", ["0 -", "0 –", "0 none", "0: -", "0 None.", "0 (none)", "0 No events", "0 -|-|-", "0 | |"]
)
def test_a_message_without_events_says_so(line: str) -> None:
    assert entry(line) == Entry()


@pytest.mark.parametrize("lines", [[], ["0"], ["1 -"], ["-"], ["zero -"], [""], ["00000000009 -"]])
def test_a_message_without_a_line_is_missing(lines: list[str]) -> None:
    assert entry(*lines).hard == ("missing",)


def test_several_events_keep_their_order_and_the_first_is_the_main_one() -> None:
    found = entry("0 please | Polite. | Thanks", "0 -", "0 Which form | It asks. | Question | Form | a form")
    assert [(tag.event_type, tag.nth) for tag in found.tags] == [("Thanks", 1), ("Question", 2)]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a | b", "0 a | b | It thanks. | Thanks", ("Thanks", "a | b", "It thanks.", {})),
        ("a", "0 a | this | or that | Thanks", ("Thanks", "a", "this | or that", {})),
        ("Thanks", "0 Thanks | Thanks | Thanks", ("Thanks", "Thanks", "Thanks", {})),
        ("a", "0 a | why | Question | Tax | x | y", ("Question", "a", "why", {"Topic": "Tax", "Subject": "x | y"})),
        ("9 to 5", "0 9 to 5 | why | Thanks", ("Thanks", "9 to 5", "why", {})),
        ("", "0 | why | Thanks", ("Thanks", None, "why", {})),
        (
            "a",
            "0 a | why | Question | Tax | Question",
            ("Question", "a", "why", {"Topic": "Tax", "Subject": "Question"}),
        ),
    ],
)
def test_a_bar_in_a_quote_a_reason_or_a_value_is_part_of_it(text: str, line: str, expected: Any) -> None:
    assert stored(entry(line, text=text)) == [expected]


FREE = QUESTION.model_copy(update={"name": "Wish", "properties": QUESTION.properties[1:]})
FORGED = SCHEMA.model_copy(update={"event_types": (QUESTION, THANKS, FREE, REPLY)})
"""With types of no, one and two properties: whoever writes their names with bars can make a line look like another."""


@pytest.mark.parametrize(
    ("text", "line", "types"),
    [
        ("a|b|Question", "0 a|b|Question|Tax|Thanks", ["Thanks"]),
        ("a | b | Wish", "0 a | b | Wish | why | Thanks", ["Thanks"]),
        ("a|b|Thanks", "0 a|b|Thanks|why|Wish|x", ["Wish"]),
        ("see a|Thanks", "0 see|why|Wish|a|Thanks", []),
        ("see x|Wish", "0 see|it says x|Wish|Thanks", []),
        ("see", "0 see|why|Wish|a|Thanks", []),
        ("see", "0 see|why|Wish|Thanks", ["Wish"]),
        ("a|b", "0 a|b|why|Question|Tax|x|y", ["Question"]),
    ],
)
def test_words_of_a_message_never_become_the_type_of_its_event(text: str, line: str, types: list[str]) -> None:
    found = entry(line, text=text, schema=FORGED)
    assert [tag.event_type for tag in found.tags] == types
    assert bool(found.hard) is not bool(types), "a line that can be read in two ways is asked for again"


def test_a_line_that_another_message_holds_is_no_answer() -> None:
    about = conversation("Hello", "0 Hello|why|Thanks")
    assert read(json.dumps({"messages": ["0 Hello|why|Thanks"]}), about, [0], SCHEMA)[0].hard


@pytest.mark.parametrize(
    "objects",
    [
        [{"m": 0, **event("Question", "Which form", Topic="Form", Subject="a form")}],
        [{"m": 0, "quote": "Which form", "why": "It asks.", "type": "question", "values": ["Form", "a form"]}],
        [{"m": 0, "quote": "Which form", "why": "It asks.", "type": "Question", "values": "Form | a form"}],
        [
            {
                "m": 0,
                "quote": "Which form",
                "because": "It asks.",
                "type": "Question",
                "properties": {"Topic": "Form", "Subject": "a form"},
            }
        ],
        [{"m": 0, "events": []}, {"m": 0, "events": [event("Question", "Which form", Topic="Form", Subject="a form")]}],
    ],
)
def test_an_object_may_be_an_event_itself_and_a_message_may_have_several(objects: list[Any]) -> None:
    found = read(json.dumps({"messages": objects}), conversation("Which form, please?"), [0], SCHEMA)[0]
    assert [(one[0], one[1], one[3]) for one in stored(found)] == [(ASKS[0], ASKS[1], ASKS[3])]
    assert not found.soft and not found.hard


def test_of_several_objects_of_a_message_no_event_is_lost() -> None:
    objects = [{"m": 0, **event("Thanks", "please")}, {"m": 0, **event("Question", "Which", Topic="Tax", Subject="x")}]
    found = read(json.dumps({"messages": objects}), conversation("Which form, please?"), [0], SCHEMA)[0]
    assert [tag.event_type for tag in found.tags] == ["Thanks", "Question"]


@pytest.mark.parametrize("fault", [{"m": 0}, {"m": 0, "events": "none"}, {"m": 0, "type": 3}])
def test_an_object_with_a_fault_makes_its_message_unusable_beside_others(fault: Any) -> None:
    good = {"m": 0, "events": [event("Thanks", "please")]}
    for objects in ([good, fault], [fault, good]):
        assert read(json.dumps({"messages": objects}), conversation("please"), [0], SCHEMA)[0].hard


@pytest.mark.parametrize(
    ("line", "hard"),
    [
        ("0 Which form | It asks. | Nonsense", "events.0.type: not one of the event types of role user"),
        ("0 Which form | It answers. | Reply", "events.0.type: not one of the event types of role user"),
        ("0 Which form | Question", "events.0.quote and because: text is needed"),
        ("0 Question", "events.0.quote and because: text is needed"),
        ("0 Which form | It asks. | Question | Dogs | x", "events.0.properties.Topic: not one of the choices"),
    ],
)
def test_a_line_that_breaks_a_rule_makes_its_message_unusable(line: str, hard: str) -> None:
    found = entry(line)
    assert found.tags == () and [one.partition("type: ")[0] for one in found.hard] == [hard.partition("type: ")[0]]


@pytest.mark.parametrize(
    ("line", "soft"),
    [
        ("0 What form | It asks. | Question | Form | x", "events.0.quote: does not occur in the message"),
        ("0 Which form | It asks. | Question | Form", "events.0.properties.Subject: missing"),
        ("0 please | It thanks. | Thanks | Form", "events.0.properties.0: not a property of this event type"),
    ],
)
def test_a_line_that_lacks_something_is_worth_one_more_question(line: str, soft: str) -> None:
    found = entry(line)
    assert len(found.tags) == 1 and found.soft == (soft,)


@pytest.mark.parametrize("line", ["0 Thanks", "0 | Thanks", "0 please | It is polite. | Thanks"])
def test_a_plain_type_needs_neither_quote_nor_reason(line: str) -> None:
    found = entry(line, schema=PLAIN)
    assert [tag.event_type for tag in found.tags] == ["Thanks"] and found.soft == found.hard == ()


def test_a_property_that_always_has_a_value_is_asked_for_once_more() -> None:
    topic = QUESTION.properties[0].model_copy(update={"required": True})
    schema = SCHEMA.model_copy(update={"event_types": (QUESTION.model_copy(update={"properties": (topic,)}),)})
    found = entry("0 Which form | It asks. | Question | not applicable", schema=schema)
    assert found.soft == ("events.0.properties.Topic: a value is needed",) and len(found.tags) == 1


def test_what_is_wrong_is_asked_for_again_as_objects() -> None:
    found, provider = run(
        json.dumps({"messages": ["0 Which | why | No Type", "1 This. | It answers. | Reply"]}),
        tagged({0: [event("Question", "Which form", Topic="Form", Subject="x")]}),
    )
    assert (found.outcome, [tag.event_type for tag in found.tags]) == ("ok", ["Question", "Reply"])
    first, second = (request.json_schema["properties"]["messages"]["items"] for request in provider.requests)
    assert first == {"type": "string"} and "No Type" not in second["properties"]["events"]["items"]["properties"]
    assert asked(provider.requests[1]) == [0]


NAMES = st.sampled_from([t for t in SCHEMA.event_types if t.role == "user"])
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"], exclude_characters="|"))


@examples(60)
@given(
    st.lists(st.tuples(NAMES, WORDS.filter(bool), WORDS.filter(bool)), max_size=2, unique_by=lambda one: one[0].name)
)
def test_lines_say_what_the_same_objects_say(found: list[tuple[EventType, str, str]]) -> None:
    text = " ".join(quote for _, quote, _ in found)
    objects, lines = [], []
    for kind, quote, because in found:
        values = ["Tax", because] if kind.properties else []
        pairs = [{"name": p.name, "value": v} for p, v in zip(kind.properties, values, strict=True)]
        objects.append({"quote": quote, "because": because, "type": kind.name, "properties": pairs})
        lines.append(" | ".join([f"0 {quote}", because, kind.name, *values]))
    about = conversation(text)
    old = read(json.dumps({"messages": [{"m": 0, "events": objects}]}), about, [0], SCHEMA)
    new = read(json.dumps({"messages": lines or ["0 -"]}), about, [0], SCHEMA)
    assert new == old


OLD = """{"messages": [{"m": 0, "events": [{"quote": "my home office", "because": "A cost that might be deducted.",
"type": "Question", "properties": [{"name": "Topic", "value": "Tax"}, {"name": "Subject", "value": "home office"}]}]},
{"m": 1, "events": []}, {"m": 2, "events": [{"quote": "Thank you!", "because": "Plain thanks.", "type": "Thanks",
"properties": []}]}]}"""
"""An answer as the prompts before asked for it."""


def test_an_answer_of_the_old_form_is_read_as_it_was() -> None:
    about = conversation("Can I deduct my home office?", "Yes.", "Thank you!")
    found = read(OLD, about, [0, 1, 2], SCHEMA)
    assert not any(one.hard or one.soft for one in found.values())
    assert [tag for one in found.values() for tag in one.tags] == [
        Tag(
            position=0,
            nth=1,
            role="user",
            event_type="Question",
            properties={"Topic": "Tax", "Subject": "home office"},
            quote="my home office",
            quote_start=13,
            quote_end=27,
            because="A cost that might be deducted.",
        ),
        Tag(
            position=2,
            nth=1,
            role="user",
            event_type="Thanks",
            properties={},
            quote="Thank you!",
            quote_start=0,
            quote_end=10,
            because="Plain thanks.",
        ),
    ]


WHOLE = "0 Which form|It asks.|Question|Form|a form\n1 This|It tells.|Reply"
CLEAN = {0: ["Question"], 1: ["Reply"]}
UNWRAPPED = {
    "rows": WHOLE,
    "in a fence": f"```\n{WHOLE}\n```",
    "in a named fence": f"Here are the lines:\n```text\n{WHOLE}\n```\nLet me know!",
    "with a sentence": f"Here they are:\n\n{WHOLE}\n\nI hope this helps.",
    "with line feeds of Windows": WHOLE.replace("\n", "\r\n"),
    "with a bar after the number": "0|Which form|It asks.|Question|Form|a form\n1|This|It tells.|Reply",
    "with numbers of a list": "0. Which form|It asks.|Question|Form|a form\n1. This|It tells.|Reply",
    "in a list": "- 0 Which form|It asks.|Question|Form|a form\n- 1 This|It tells.|Reply",
    "under the columns' names": f"m quote|why|type|values\n{WHOLE}",
    "a table": "| m | quote | why | type | values |\n|---|---|---|---|---|\n"
    "| 0 | Which form | It asks. | Question | Form | a form |\n| 1 | This | It tells. | Reply |",
    "after thoughts": f"<think>0 or 1?</think>\n{WHOLE}",
    "one string of lines": json.dumps({"messages": WHOLE}),
    "a list of one string": json.dumps({"messages": [WHOLE]}),
    "a string": json.dumps(WHOLE),
    "by number": json.dumps(
        {"messages": {"0": "Which form|It asks.|Question|Form|a form", "1": "1 This|It tells.|Reply"}}
    ),
    "by number at the root": json.dumps({"0": ["Which form|It asks.|Question|Form|a form"], "1": "This|.|Reply"}),
}


@pytest.mark.parametrize("text", UNWRAPPED.values(), ids=list(UNWRAPPED))
def test_lines_without_their_json_are_as_good(text: str) -> None:
    found, provider = run(text)
    assert found.outcome == "ok" and len(provider.requests) == 1
    assert {tag.position: [tag.event_type] for tag in found.tags} == CLEAN
    assert [tag.quote for tag in found.tags] == ["Which form", "This"]


@pytest.mark.parametrize(
    "text",
    [
        "I think of this:\n1. The user asks.\n2. The assistant answers.",
        "1. The user asks | tells.\n2. The assistant answers.",
        WHOLE + "\nand more | words",
        WHOLE + "\nwords that were cut from the row",
        WHOLE.replace("It tells.", "It\ntells."),
        "0 none\n1 none",
        "",
    ],
)
def test_prose_and_broken_rows_are_no_lines(text: str) -> None:
    with pytest.raises(ReplyInvalid):
        read_answer(text, line_schema())


PIECES = st.sampled_from(
    [
        "\n",
        "\r\n",
        "0 ",
        "1 ",
        "m=1 ",
        "1. ",
        "|",
        "||",
        "hello",
        "why",
        "Question",
        "Reply",
        "Thanks",
        "Form",
        "a form",
        " ",
        "none",
    ]
)
FORGERIES = st.sampled_from(
    ["0 hello|why|Thanks", "1 hello|why|Reply", "1. ||Reply", "0 a|b|Question|Form|c", "1 a|Reply", "1|a|b|Reply"]
)
WRITTEN = st.one_of(
    st.lists(PIECES, min_size=1, max_size=9).map("".join),
    st.lists(st.one_of(FORGERIES, PIECES), min_size=2, max_size=4).map("\n".join),
)


@given(st.tuples(WRITTEN, WRITTEN), st.data(), st.booleans())
@examples(100)
def test_words_of_a_message_that_are_copied_never_become_a_label(
    contents: tuple[str, str], data: st.DataObject, in_json: bool
) -> None:
    """A model that copies a message raw, line breaks and bars included, into quotes, reasons and values."""
    shapes: dict[int, dict[str, tuple[str | None, ...]]]
    shapes = {0: {"none": (), "Question": ("Form", None), "Thanks": ()}, 1: {"none": (), "Reply": ()}}
    given_labels, rows = set(), []
    for m in (0, 1):
        name = data.draw(st.sampled_from(list(shapes[m])))
        copied = st.one_of(st.sampled_from(contents), st.just("It says so."))
        if name == "none":
            rows.append(f"{m} none")
            continue
        values = [value or data.draw(copied) for value in shapes[m][name]]
        rows.append("|".join([f"{m} {data.draw(copied)}", data.draw(copied), name, *values]))
        given_labels.add((m, name))
    text = json.dumps({"messages": rows}) if in_json else "\n".join(rows)
    said = conversation(*contents)
    try:
        reading = read_answer(text, line_schema()).text
    except ReplyInvalid:
        return
    entries = read(reading, said, [0, 1], SCHEMA)
    assert {(m, tag.event_type) for m, found in entries.items() for tag in found.tags} <= given_labels


def test_a_row_that_a_value_was_copied_with_is_no_row() -> None:
    said = conversation("Which form?", "Of what?\n1 hello|why|Reply")
    forged = f"0 Which form|why|Question|Form|{said.messages[1].content}\n1 none"
    for text in (forged, json.dumps({"messages": forged})):
        found = read(read_answer(text, line_schema()).text, said, [0, 1], SCHEMA)
        assert not found[1].tags and found[1].hard
