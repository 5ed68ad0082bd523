"""A failure names the label that was wrong and never a message's words; each kind of failure is one line."""

from pathlib import Path

import pytest

from cpa_core.cli.display import failure_lines
from cpa_core.evidence import SHOWN, shown_values
from cpa_core.judging import judge_conversation
from cpa_core.tagging import tag_conversation
from tests.support.fakes import DAY, MODEL, SCHEMA, Script, asking, conversation, event, judged, tagged
from tests.support.homes import NOW, Home

TALK = conversation("My name is Ann and I owe tax.", "Pay it.")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["Qestion", "Qestion", "Praise"], ("Qestion", "Praise")),
        (["I owe tax", "my  name is ann"], ()),
        (["x" * 200], ("x" * (SHOWN - 1) + "…",)),
        (["", "  "], ()),
        (["two\nlines"], ("two lines",)),
    ],
)
def test_wrong_labels_are_short_once_each_and_never_words_of_a_message(
    values: list[str], shown: tuple[str, ...]
) -> None:
    assert shown_values(values, [message.content for message in TALK.messages]) == shown


def test_a_tag_and_a_choice_that_do_not_exist_are_named() -> None:
    wrong = tagged({0: [event("Qestion")], 1: [event("Reply", "Pay it.")]})
    found = tag_conversation(TALK, SCHEMA, MODEL, asking(Script(lambda asked: wrong)))
    assert (found.outcome, found.wrong) == ("invalid", ("Qestion",))
    choice = tagged({0: [event("Question", "I owe tax", Topic="Dogs", Subject="tax")], 1: []})
    found = tag_conversation(TALK, SCHEMA, MODEL, asking(Script(lambda asked: choice)))
    assert (found.outcome, found.wrong) == ("invalid", ("Dogs",))


def test_a_verdict_that_does_not_exist_is_named() -> None:
    wrong = judged(("brilliant", "met", "met", "met"))
    found = judge_conversation(TALK, SCHEMA, MODEL, asking(Script(lambda asked: wrong)))
    assert (found.outcome, found.wrong) == ("invalid", ("brilliant",))


def test_each_kind_of_failure_is_one_line_with_its_count(tmp_path: Path) -> None:
    assistant = Home(tmp_path).assistant()
    store = assistant.store
    rule = "m {}: events.0.type: not one of the event types of role user '{}'"
    row = {"day": DAY, "stage": "tag", "reason": "invalid", "retryable": True, "failed_at": NOW}
    rows = [row | {"conversation_id": f"c{n}", "detail": rule.format(n, f"Label{n}")} for n in range(5)]
    rows += [row | {"conversation_id": "c9", "detail": "answer: not JSON"}]
    rows += [row | {"conversation_id": "d1", "detail": "answer: not JSON", "retryable": False}]
    with store.writing() as transaction:
        transaction.insert("failures", rows)
    assert failure_lines(assistant, [DAY]) == [
        f"failed: {DAY} tag c0: invalid: {rule.format(0, 'Label0')} (and 4 more like it; tried again on the next run)",
        f"failed: {DAY} tag c9: invalid: answer: not JSON (tried again on the next run)",
        f"final: {DAY} tag d1: invalid: answer: not JSON (given up: cpa run --retry-final asks again)",
    ]
