"""The relay: questions in files, answers from files, and the score of what came of them."""

from pathlib import Path

import pytest

from proofs.relay import Relay, example, kappa, scored
from tests.servers.chat_completions import Says
from tests.servers.scripted import Status


def body(user: str) -> dict[str, object]:
    shape = {"json_schema": {"schema": {"type": "object", "properties": {"messages": {}}}}}
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": user}]
    return {"messages": messages, "response_format": shape}


def test_a_question_is_written_once_and_answered_from_its_file(tmp_path: Path) -> None:
    relay = Relay(tmp_path)
    assert relay.script(body("one"), 1) == relay.script(body("one"), 2) == Status(503)
    relay.script(body("two"), 1)
    first, second = relay.open()
    assert {path.read_text("utf-8").split("\n\n===\n\n")[1] for path in (first, second)} == {"one", "two"}
    asked = "one" if "\n\none\n\n" in first.read_text("utf-8") else "two"
    first.with_name(first.name.replace(".question.md", ".answer.json")).write_text('{"a": 1}', "utf-8")
    assert relay.script(body(asked), 3) == Says('{"a": 1}')
    assert relay.open() == [second]


def test_an_example_answered_from_its_annotations_agrees_with_them(tmp_path: Path) -> None:
    scores = example("therapist", tmp_path, at_once=True)
    assert [(s.role, s.kappa, s.agreed) for s in scores] == [("assistant", 1.0, 1.0), ("user", 1.0, 1.0)]
    assert sum(s.messages for s in scores) > 100


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a", "a"), ("b", "b")], 1.0),
        ([("a", "b"), ("b", "a")], -1.0),
        ([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")], 0.0),
        ([("a", "a"), ("a", "a")], 1.0),
        ([("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15, 0.4),
    ],
)
def test_kappa_is_cohens(pairs: list[tuple[str, str]], expected: float) -> None:
    assert kappa(pairs) == pytest.approx(expected)


def test_a_score_counts_only_messages_with_a_label_and_no_event_is_one() -> None:
    gold = [(("c", "0"), "user", "Thanks"), (("c", "1"), "user", ""), (("c", "2"), "assistant", "Reply")]
    found = scored({("c", "0"): "Thanks", ("c", "2"): "Other", ("c", "9"): "Thanks"}, gold)
    assert [(s.role, s.messages, s.agreed) for s in found] == [("assistant", 1, 0.0), ("user", 2, 1.0)]
