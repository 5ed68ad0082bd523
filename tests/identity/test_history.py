"""A history that holds answers in another form than its own calls gave them: the user's messages decide."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations

import pytest

from cpa_core.sources import File, opened
from cpa_core.sources.identity.history import Questions, unknown
from tests.support.remembered import Remembered
from tests.support.writings import WITH_ID, Sent, Told, Turns, calls, full, lines

LONG, COMMON = 50, 3
"""The characters of a message that tells a conversation, and of one that many people say."""


@pytest.mark.parametrize(
    ("history", "known", "size", "expected"),
    [
        ("1ab", "1x", COMMON, ""),  # one answer in two pieces
        ("1ab3c", "1x", LONG, "3c"),  # and a call that is not known
        ("1ab3c", "1x", COMMON, "1ab3c"),  # which may also be what was said again
        ("1ab3cd", "1x3y", COMMON, ""),
        ("1ab3cd", "13y", COMMON, "ab"),  # the first question had no answer
        ("3ab5cd", "1x3y5z", COMMON, ""),  # a window
        ("w3ab5cd", "1x3y5z", COMMON, ""),
        ("w3ab5cd", "3y5z", COMMON, "w"),  # a greeting that only the history has
        ("5ab7cd", "1x3y", LONG, "5ab7cd"),  # other questions
        ("3ab1cd", "1x3y", COMMON, "3ab1cd"),  # in another order
        ("1a", "1x3y", LONG, ""),  # before a question that is asked again
    ],
)
def test_answers_in_another_form_are_told_by_the_questions_around_them(
    history: str, known: str, size: int, expected: str
) -> None:
    """Digits are the user's messages, letters are answers."""
    asked = dict.fromkeys(map(ord, "1357"), size)
    found = unknown([*map(ord, history)], [*map(ord, known)], lambda: Questions(asked, asked.keys()))
    assert "".join(history[n] for n in found) == expected


def rewritten(turns: Turns, ways: Sequence[str]) -> Turns:
    """A history whose answers are written in these ways, in turn."""
    found: list[tuple[str, str]] = []
    answers = 0
    for role, text in turns:
        if role == "user":
            found.append((role, text))
            continue
        way = ways[answers % len(ways)]
        pieces = {
            "same": [text],
            "cut": [f"{text[:5]}..."],
            "pieces": [text[:4], text[4:]],
            "more": ["Well.", f"{text}!"],
        }
        found += [(role, piece) for piece in pieces[way]]
        answers += 1
    return found


@pytest.mark.parametrize("question", ["My order number {} of last week has not arrived yet", "Q{}"])
@pytest.mark.parametrize("form", ["langfuse", "otlp"])
@pytest.mark.parametrize("ways", [("cut",), ("pieces",), ("more",), ("cut", "more", "same"), ("pieces", "same")])
def test_each_message_lands_once_though_histories_write_answers_in_another_form(
    question: str, form: str, ways: Sequence[str]
) -> None:
    turns = [turn for n in range(3) for turn in (("user", question.format(n)), ("assistant", f"The answer is {n}."))]
    each = list(calls(Told("s", "u", datetime(2026, 3, 4, 9, tzinfo=UTC), turns)))

    def sent(call: Sent) -> Turns:
        return rewritten(full(call), ways)

    for order in [[[0, 1, 2]], *([[n] for n in numbers] for numbers in permutations(range(3)))]:
        one = Remembered()
        for part in order:
            content = lines([WITH_ID[form](each[n], sent) for n in part])
            one.land(f"{part}", opened(File("a.jsonl", content.encode()), None))
        assert list(one.said().values()) == [turns], order


def test_another_answer_stands_under_its_question_though_the_history_is_cut() -> None:
    first, more = "My order of last week has not arrived yet", "Where is it?"
    cut = [("user", first), ("assistant", "one..."), ("user", more)]
    sent = [([cut[0]], "one long"), (cut, "two long"), (cut, "three long")]
    sent.append(([*cut, ("assistant", "three..."), ("user", "ok")], "bye"))
    told = Told("s", "u", datetime(2026, 3, 4, 9, tzinfo=UTC), ())
    one = Remembered()
    for n, (asked, answer) in enumerate(sent):
        record = WITH_ID["langfuse"](Sent(told, n, asked, (), [("assistant", answer)]), full)
        one.land(f"{n}", opened(File("a.jsonl", lines([record]).encode()), None))
    texts = [first, "one long", more, "two long", "three long", "ok", "bye"]
    assert [[text for _, text in said] for said in one.said().values()] == [texts]
