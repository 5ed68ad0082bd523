"""Redacting before the model: what leaves for the provider, and how quotes find back to what was said."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.errors import SettingsError
from cpa_core.models import Tag
from cpa_core.pipeline import Assistant, build_day, due_days, judge_day, land, quote, tag_day
from cpa_core.pipeline.label.redact import as_sent, redacted, restored, said
from cpa_core.redaction import Patterns, Pseudonyms
from cpa_core.settings import settings as settings_of
from cpa_core.tagging import Tagged
from tests.servers.chat_completions import Behaviour, ChatServer
from tests.support.examples import examples
from tests.support.fakes import conversation

MAIL, CARD = "ana.silva@example.org", "4111 1111 1111 1111"
TALK = [
    ("user", f"{MAIL} is where to write to me, I am Ana Silva.", "2026-03-04T09:00:00Z"),
    ("assistant", f"Write to {MAIL}, yes, and is {CARD} still your card?", "2026-03-04T09:00:05Z"),
    ("user", "It is, thank you.", "2026-03-04T09:00:09Z"),
]
ON = {"CPA_REDACT_BEFORE_MODEL": "yes"}
Make = Callable[..., Assistant]


def asked(made: Assistant) -> int:
    land(made)
    day = due_days(made)[0]["day"]
    build_day(made, day)
    return tag_day(made, day).asked + judge_day(made, day).asked


def test_what_identifies_a_person_never_reaches_the_model_and_quotes_are_of_what_was_said(
    assistant: Make, chat_server: ChatServer
) -> None:
    bodies: list[object] = []
    chat_server.behaviour = Behaviour(lambda body, nth: bodies.append(body))
    made = assistant({"c1": TALK}, **ON)
    assert asked(made) == 2
    sent = str(bodies)
    assert not any(words in sent for words in (MAIL, CARD, "Ana", "Silva"))
    assert "[EMAIL_1]" in sent and "[CARD_1]" in sent and "[NAME_1]" in sent
    with made.store.reading() as view:
        events = view.rows(
            "select e.quote, e.quote_start, e.quote_end, m.content from tagged_events e "
            "join messages m using (day, conversation_id, position) order by position"
        )
    assert events and all(row["quote"] == row["content"][row["quote_start"] : row["quote_end"]] for row in events)
    assert any(MAIL in row["quote"] for row in events)


def test_the_choice_changes_the_question_so_that_a_named_day_is_asked_again(assistant: Make) -> None:
    assert asked(assistant({"c1": TALK})) == 2
    made = assistant({"c1": TALK}, **ON)
    (day,) = [row["day"] for row in due_days(made)]
    assert sum(line.questions for line in quote(made, [day]).lines) == 2
    assert tag_day(made, day).asked + judge_day(made, day).asked == 2
    assert tag_day(made, day).asked == 0


def test_without_the_choice_the_conversation_is_as_it_was(assistant: Make) -> None:
    one = conversation("write to ana@example.org")
    assert as_sent(assistant(), [one]) == [one]
    with pytest.raises(SettingsError, match="CPA_REDACT_BEFORE_MODEL"):
        settings_of({"CPA_REDACT_BEFORE_MODEL": "perhaps"})


PIECES = st.sampled_from(["write to ", "ana@example.org", " and ", CARD, ", or ", "10.1.2.3", " é\U0001f600 ", "no"])


@examples(30)
@given(st.lists(PIECES, min_size=1, max_size=7), st.data())
def test_every_part_of_the_redacted_text_has_its_place_in_what_was_said(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    sent = redacted(conversation(text), Pseudonyms(Patterns(), [text]))
    message = sent.messages[0]
    assert said(message) == text
    start = data.draw(st.integers(0, len(message.content)))
    end = data.draw(st.integers(start, len(message.content)))
    tag = Tag(
        position=0,
        role="user",
        event_type="Question",
        properties={},
        quote=message.content[start:end],
        quote_start=start,
        quote_end=end,
        because="",
    )
    result = Tagged(outcome="ok", detail="", tags=(tag,), messages_asked=1, questions=1, cost=None)
    (found,) = restored(sent, result).tags
    assert found.quote_start is not None and found.quote == text[found.quote_start : found.quote_end]
    touched = [one for one in message.hidden if one.start < end and one.end > start]
    assert all(one.said in (found.quote or "") for one in touched)
    if not touched:
        assert found.quote == tag.quote
