"""What changed between two schemas, what it means, and what a stored tag is in the words of the newer."""

from typing import Any

import pytest

from cpa_core.models import EventSchema, EventType, Property
from cpa_core.schema import ReaskScope, compare, dump, parse
from cpa_core.schema.diff import Carried
from tests.support.fakes import QUESTION, REPLY, SCHEMA, THANKS

TOPIC, SUBJECT = QUESTION.properties
USERS, QUESTIONS = ReaskScope(roles=frozenset({"user"})), ReaskScope(types=frozenset({("user", "Question")}))

ABOUT = "user Question, property "


def types(*event_types: EventType, **fields: Any) -> EventSchema:
    return SCHEMA.model_copy(update={"event_types": event_types, **fields})


def question(**fields: Any) -> EventType:
    return QUESTION.model_copy(update=fields)


def topic(**fields: Any) -> EventType:
    return question(properties=(TOPIC.model_copy(update=fields), SUBJECT))


def test_a_schema_is_no_different_from_itself_in_another_order_or_layout() -> None:
    assert compare(SCHEMA, SCHEMA).changes == ()
    turned = types(
        THANKS, REPLY, question(properties=(SUBJECT, TOPIC.model_copy(update={"choices": ("Other", "Form", "Tax")})))
    )
    assert turned.version != SCHEMA.version
    assert compare(SCHEMA, turned).changes == ()
    spaced = types(question(definition="The user\n asks  something."), THANKS, REPLY)
    assert compare(SCHEMA, spaced).changes == ()


@pytest.mark.parametrize(
    ("newer", "said", "scope"),
    [
        (types(question(definition="Else."), THANKS, REPLY), "* user Question: another definition", USERS),
        (types(QUESTION, THANKS, REPLY, question(name="Wish")), "+ user Wish: a new type", USERS),
        (types(QUESTION, REPLY), "- user Thanks: a type is gone", ReaskScope()),
        (types(question(name="Ask", was=("Question",)), THANKS, REPLY), "~ user Ask: was Question", ReaskScope()),
        (
            types(question(properties=(TOPIC,)), THANKS, REPLY),
            "- user Question, property Subject: a property is gone",
            ReaskScope(),
        ),
        (
            types(question(properties=(TOPIC, SUBJECT, Property(name="Form", definition="d"))), THANKS, REPLY),
            "+ user Question, property Form: a new property",
            QUESTIONS,
        ),
        (types(topic(definition="d"), THANKS, REPLY), "* user Question, property Topic: another definition", QUESTIONS),
        (
            types(topic(choices=("Tax", "Form", "Other", "VAT")), THANKS, REPLY),
            "* user Question, property Topic: new choices: VAT",
            QUESTIONS,
        ),
        (
            types(topic(choices=("Tax", "Other")), THANKS, REPLY),
            "* user Question, property Topic: choices gone: Form",
            ReaskScope(values=frozenset({("user", "Question", "Topic", "Form")})),
        ),
        (
            types(topic(choices=()), THANKS, REPLY),
            "* user Question, property Topic: free text instead of choices",
            QUESTIONS,
        ),
        (
            SCHEMA.model_copy(update={"description": "d"}),
            "* assistant description: other words",
            ReaskScope(whole=True),
        ),
        (
            SCHEMA.model_copy(update={"criteria": SCHEMA.criteria.model_copy(update={"secondary_goals": ()})}),
            "* llm_judge_criteria: secondary_goals: 0 new, 1 gone",
            ReaskScope(),
        ),
        (
            types(QUESTION, THANKS, REPLY, intents=True),
            "+ intents: what users want, and whether they get it",
            ReaskScope(),
        ),
    ],
)
def test_each_change_names_its_place_and_what_is_asked_again(newer: EventSchema, said: str, scope: ReaskScope) -> None:
    (change,) = compare(SCHEMA, newer).changes
    marks = {"added": "+", "removed": "-", "renamed": "~", "changed": "*"}
    assert (f"{marks[change.kind]} {change.place}: {change.said}", change.scope) == (said, scope)
    assert change.judges == (any(one in said for one in ("llm_judge", "intents")) or "assistant description" in said)
    assert change.means


def test_with_one_event_a_message_the_messages_of_a_type_that_went_need_another() -> None:
    older = types(QUESTION, THANKS, REPLY, events_per_message="one")
    assert compare(older, types(QUESTION, REPLY, events_per_message="one")).scope == ReaskScope(
        types=frozenset({("user", "Thanks")})
    )


def test_two_types_that_exchange_their_names_are_two_renames() -> None:
    thanks = THANKS.model_copy(update={"name": "Question", "was": ("Thanks",)})
    newer = types(question(name="Thanks", was=("Question",)), thanks, REPLY)
    diff = compare(SCHEMA, newer)
    assert [change.kind for change in diff.changes] == ["renamed", "renamed"]
    assert diff.carry("user", "Question", {"Topic": "Tax"}) == Carried(
        event_type="Thanks", key="Question|user", properties={"Topic": "Tax"}
    )


def test_a_tag_is_carried_with_the_properties_that_are_left_under_their_new_names() -> None:
    renamed = Property(name="Thing", definition=SUBJECT.definition, was=("Subject",))
    diff = compare(SCHEMA, types(question(properties=(renamed,)), REPLY))
    found = diff.carry("user", "Question", {"Topic": "Tax", "Subject": "house"})
    assert found == Carried(event_type="Question", key="Question|user", properties={"Thing": "house"})
    assert diff.carry("user", "Thanks", {}) is None
    assert diff.carry("assistant", "Reply", {}) is not None


def test_a_former_name_that_is_not_the_first_is_a_warning_that_ids_change() -> None:
    older = types(question(name="Ask", was=("Question",)), THANKS, REPLY)
    diff = compare(older, types(question(name="Request", was=("Ask",)), THANKS, REPLY))
    assert [change.said for change in diff.changes] == ["was Ask", "its first name is no longer Question"]
    assert "was: [Question]" in diff.changes[1].means
    assert diff.scope == ReaskScope()


def test_a_property_with_a_former_name_round_trips_and_without_one_keeps_its_version() -> None:
    renamed = types(question(properties=(Property(name="Thing", definition="d", was=("Subject",)),)))
    assert parse(dump(renamed), "schema.yml") == (renamed, [])
    assert "was" not in SCHEMA.model_dump(mode="json")["event_types"][0]["properties"][0]
