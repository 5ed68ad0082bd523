"""`examples`, `not`, `required`, `plain` and `context`: versioned where they are used, and nowhere else."""

from pathlib import Path

import pytest

from cpa_core.errors import SchemaError
from cpa_core.models import EventSchema
from cpa_core.schema import ReaskScope, check_text, compare, dump, load, parse
from tests.schema.test_schema import EXAMPLES, SEEDS, SMALL, found, small
from tests.support.fakes import SCHEMA

SHARED = SEEDS.parent
VERSIONS = {
    EXAMPLES / "tax_advisor" / "schema.yml": "31b8db832173",
    EXAMPLES / "therapist" / "schema.yml": "df2f7088d524",
    SEEDS / "tax_advisor" / "schema.yml": "541e4818d33e",
    SEEDS / "therapist" / "schema.yml": "b7989f63c5c7",
    SHARED / "annomi" / "schema.yml": "7ab91a260d3f",
    SHARED / "mathdial" / "schema.yml": "1891e3d6c284",
    SHARED / "multidogo_finance" / "schema.yml": "582cc7f0ad33",
    SHARED / "star_booking" / "schema.yml": "def7c9783178",
    Path(__file__).parents[1] / "golden" / "proposal.yml": "8466ed146e49",
}
"""Versions as they were before the new words were known: what was tagged by them stays theirs."""

QUESTION = "  - name: Question\n    definition: The user asks something.\n    role: user\n"
WORDS = [
    (QUESTION, QUESTION + "    examples: ['Can I deduct this?', yes]\n"),
    (QUESTION, QUESTION + "    not:\n      - I wonder (that is Small Talk)\n"),
    (QUESTION, QUESTION + "    plain: true\n"),
    ("        definition: Which form.\n", "        definition: Which form.\n        required: true\n"),
    ("event_types:", "context: [task, the plan]\nevent_types:"),
]
WHOLE = {
    word: small(change) for word, change in zip(("examples", "not", "plain", "required", "context"), WORDS, strict=True)
}
USERS, QUESTIONS = ReaskScope(roles=frozenset({"user"})), ReaskScope(types=frozenset({("user", "Question")}))


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_schema_without_the_new_words_keeps_its_version(path: Path) -> None:
    if not path.exists():
        pytest.skip("the shared data are not here")
    assert load(path)[0].version == VERSIONS[path]


def test_the_schema_of_the_tests_keeps_its_version() -> None:
    assert SCHEMA.version == "36adcc8e78ce"


@pytest.mark.parametrize("word", WHOLE)
def test_a_schema_with_a_new_word_has_a_version_of_its_own_and_round_trips(word: str) -> None:
    schema = WHOLE[word]
    assert len({one.version for one in (*WHOLE.values(), small())}) == len(WHOLE) + 1
    assert parse(dump(schema), "again.yml") == (schema, [])


def test_the_words_are_read_as_they_are_written() -> None:
    schema, warnings = found(*WORDS)
    question = schema.event_types[0]
    assert warnings == []
    assert question.examples == ("Can I deduct this?", "yes")
    assert question.counterexamples == ("I wonder (that is Small Talk)",)
    assert question.plain and [p.required for p in question.properties] == [True, False]
    assert schema.context == ("task", "the plan")


@pytest.mark.parametrize("nothing", ["examples: []", "not: null", "plain: false", "plain: no", "plain:"])
def test_a_word_that_says_nothing_changes_no_version(nothing: str) -> None:
    assert small((QUESTION, f"{QUESTION}    {nothing}\n")).version == small().version


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plain: perhaps", "line 13: event_types.0.plain: 'perhaps' is neither true nor false"),
        ("examples: a", "line 13: event_types.0.examples: a list is needed"),
        ("not: ['']", "line 13: event_types.0.not.0: empty"),
    ],
)
def test_what_is_wrong_with_a_word_is_named_with_its_line(line: str, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        small((QUESTION, f"{QUESTION}    {line}\n"))


@pytest.mark.parametrize(
    ("word", "scope", "back"),
    [
        ("examples", USERS, USERS),
        ("not", USERS, USERS),
        ("plain", ReaskScope(), QUESTIONS),
        ("required", QUESTIONS, ReaskScope()),
        ("context", ReaskScope(whole=True), ReaskScope(whole=True)),
    ],
)
def test_a_changed_word_asks_again_what_it_may_change(word: str, scope: ReaskScope, back: ReaskScope) -> None:
    there, again = compare(small(), WHOLE[word]), compare(WHOLE[word], small())
    assert (there.scope, again.scope) == (scope, back)
    assert len(there.changes) == len(again.changes) == 1
    assert there.judges == again.judges == (word == "context")


@pytest.mark.parametrize("word", ["examples", "not"])
def test_a_changed_example_asks_what_a_changed_definition_does_and_keeps_the_labels_of_people(word: str) -> None:
    (definition,) = compare(small(), small(("asks something", "asks anything"))).changes
    (example,) = compare(small(), WHOLE[word]).changes
    assert (example.scope, example.kind) == (definition.scope, definition.kind)
    assert "people's labels stay valid" in example.means and "labels" not in definition.means


def test_examples_in_another_order_or_layout_are_the_same() -> None:
    turned = found((QUESTION, QUESTION + "    examples: [yes, 'Can I  deduct this?']\n"))[0]
    assert compare(WHOLE["examples"], turned).changes == ()


def reasons(*changes: tuple[str, str]) -> list[str]:
    text = SMALL
    for old, new in changes:
        text = text.replace(old, new, 1)
    return [f"{one.line}: {one.level}: {one.reason}" for one in check_text(text, "schema.yml")[1]]


MAINS = [
    "The main thing the user does is ask.",
    "The *main* thing is a question.",
    "Primarily, the user asks.",
    "The user's primary goal is to know.",
    "Above all the user asks.",
    "The message is MAINLY a question.",
]


@pytest.mark.parametrize("definition", MAINS)
def test_what_a_message_mainly_is_under_any_number_of_events_is_a_warning(definition: str) -> None:
    change = ("The user asks something.", f'"{definition}"')
    (said,) = [one for one in reasons(change) if "events_per_message: one?" in one]
    assert said.startswith("11: warning: ")
    one = ("event_types:", "events_per_message: one\nevent_types:")
    assert not [said for said in reasons(change, one) if "events_per_message: one?" in said]


@pytest.mark.parametrize("definition", ["The user names the main reason.", "The user asks.", "A primary school."])
def test_what_is_not_about_the_whole_message_is_no_warning(definition: str) -> None:
    assert not [one for one in reasons(("The user asks something.", definition)) if "events_per_message" in one]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("examples: [a, b, c, d, e, f]", "13: warning: 6 quotes"),
        (f"not: [{'x' * 201}]", "13: warning: a quote longer than 200 characters"),
        ("examples: ['Why not?']\n    not: [why not]", "14: error: 'whynot' is an example as well"),
    ],
)
def test_examples_that_blur_a_type_are_said(line: str, said: str) -> None:
    assert any(one.startswith(said) for one in reasons((QUESTION, f"{QUESTION}    {line}\n")))


def test_no_schema_that_comes_with_the_project_or_the_seed_tool_has_a_plain_type() -> None:
    schemas: list[EventSchema] = [load(path)[0] for path in VERSIONS if path.exists()]
    assert schemas and not any(one.plain for schema in schemas for one in schema.event_types)
