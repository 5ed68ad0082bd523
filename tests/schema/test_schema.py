"""`schema.yml`: the seed tool's form unchanged, scalars as written, and complaints with line and key."""

from pathlib import Path

import pytest

from cpa_core.errors import SchemaError
from cpa_core.models import EventSchema
from cpa_core.schema import dump, load, parse

SEEDS = Path(__file__).parents[3] / "shared" / "data" / "seed_examples"
EXAMPLES = Path(__file__).parents[2] / "examples"

SMALL = """\
assistant:
  name: Filing Finch
  description: A helper for tax returns.
llm_judge_criteria:
  primary_goals:
    - Be right
  dealbreakers:
    - Gives a wrong figure
event_types:
  - name: Question
    definition: The user asks something.
    role: user
    properties:
      Form:
        definition: Which form.
        choices: [1040, 1099-K, Yes, No, 010, 1.50, null, 2026-01-01]
      Subject:
        definition: In a word.
  - name: Small Talk
    definition: Chat.
    role: user
  - name: Small Talk
    definition: Chat back.
    role: assistant
"""


def small(*changes: tuple[str, str]) -> EventSchema:
    return found(*changes)[0]


def found(*changes: tuple[str, str]) -> tuple[EventSchema, list[str]]:
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return parse(text, "schema.yml")


def test_every_scalar_stays_as_it_is_written() -> None:
    choices = small().event_types[0].properties[0].choices
    assert choices == ("1040", "1099-K", "Yes", "No", "010", "1.50", "null", "2026-01-01")


def test_types_of_one_name_and_different_roles_are_kept_apart() -> None:
    schema = small()
    user, assistant = schema.find("Small Talk", "user"), schema.find("Small Talk", "assistant")
    assert user is not None and assistant is not None
    assert (user.definition, assistant.definition) == ("Chat.", "Chat back.")
    assert user.key != assistant.key


def test_criteria_and_properties_are_read_in_order() -> None:
    schema = small()
    assert schema.criteria.primary_goals == ("Be right",) and schema.criteria.secondary_goals == ()
    assert [p.name for p in schema.event_types[0].properties] == ["Form", "Subject"]
    assert schema.event_types[0].properties[1].choices == ()
    assert schema.events_per_message == "many"


def test_one_event_per_message_is_a_choice() -> None:
    assert small(("event_types:", "events_per_message: one\nevent_types:")).events_per_message == "one"
    assert small(("event_types:", "events_per_message: one\nevent_types:")).version != small().version


def test_the_version_is_of_the_content_and_not_of_the_layout() -> None:
    laid_out = small(("    - Be right", "    # a comment\n    - 'Be right'"), ("name: Question", 'name: "Question"'))
    assert laid_out.version == small().version and len(small().version) == 12
    assert small(("Be right", "Be kind")).version != small().version


def test_a_renamed_type_keeps_its_key() -> None:
    renamed = small(("name: Question\n", "name: Ask\n    was: [Question]\n"))
    assert renamed.event_types[0].key == small().event_types[0].key


def test_writing_and_reading_back_gives_the_same_version() -> None:
    for schema in (small(), small(("event_types:", "events_per_message: one\nevent_types:"))):
        assert parse(dump(schema), "again.yml") == (schema, [])
    odd = small(("In a word.", '\'a: b # c   d "é" 😀 ' + "long " * 40 + "'"), ("Question", "'Yes'"))
    assert parse(dump(odd), "again.yml")[0].version == odd.version


def test_unknown_keys_are_a_warning_with_their_line() -> None:
    schema, warnings = found(("  name: Filing", "  colour: red\n  name: Filing"))
    assert schema == small()
    assert warnings == ["schema.yml: line 2: assistant.colour: unknown key, kept but not used"]


def test_a_choice_that_is_listed_twice_is_a_warning() -> None:
    schema, warnings = found(("Yes, No", "Yes, No, Yes"))
    assert schema == small()
    assert warnings == ["schema.yml: line 16: event_types.0.properties.Form.choices: 'Yes' listed more than once"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("assistant:", "assistent:", "line 1: assistant: missing"),
        ("  name: Filing Finch\n", "", "line 2: assistant.name: missing"),
        ("A helper for tax returns.", "", "line 3: assistant.description: empty"),
        ("    - Be right", "    Be right", "line 6: llm_judge_criteria.primary_goals: a list is needed"),
        ("    - Be right", "    - [Be right]", "line 6: llm_judge_criteria.primary_goals.0: text is needed"),
        (
            "Small Talk\n    definition: Chat.",
            "Question\n    definition: x",
            "line 19: event_types.1.name: 'Question' occurs",
        ),
        ("role: assistant", "role: user", "line 22: event_types.2.name: 'Small Talk' occurs twice in role user"),
        ("role: assistant", "role: bot", "line 24: event_types.2.role: 'bot' is neither user nor assistant"),
        ("    role: assistant\n", "", "line 22: event_types.2.role: missing"),
        ("definition: Chat back.", "definition: ''", "line 23: event_types.2.definition: empty"),
        (
            "Small Talk\n    definition: Chat.",
            "Other\n    was: [Question]\n    definition: x",
            "line 19: event_types.1.was: ",
        ),
        (
            "name: Question",
            "name: Conversation Judged",
            "line 10: event_types.0.name: 'Conversation Judged' is the event",
        ),
        (
            "      Form:",
            "      content:",
            "event_types.0.properties.content: this name is a key of every event's payload",
        ),
        ("      Subject:", "      Form:", "line 17: event_types.0.properties.Form: this key occurs twice"),
        (
            "        definition: In a word.",
            "        choices: []",
            "event_types.0.properties.Subject.definition: missing",
        ),
        ("[1040, 1099-K, Yes", "[{a: b}, Yes", "line 16: event_types.0.properties.Form.choices.0: text is needed"),
        ("[1040, 1099-K, Yes", "['', Yes", "line 16: event_types.0.properties.Form.choices.0: empty"),
        ("event_types:", "events_per_message: two\nevent_types:", "line 9: events_per_message: must be many or one"),
        ("assistant:\n", "assistant: x\nold:\n", "line 1: assistant: a mapping of keys to values is needed"),
        ("  name: Filing", "  name: [x\n  name: Filing", "not YAML"),
        ("assistant:", "\tassistant:", "line 1: not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_line_and_key(old: str, new: str, said: str) -> None:
    with pytest.raises(SchemaError) as refused:
        found((old, new))
    assert str(refused.value).startswith("schema.yml: line ") and said in str(refused.value)


def test_no_event_types_is_an_error() -> None:
    with pytest.raises(SchemaError, match="line 3: event_types: a list of event types is needed"):
        parse("assistant: {name: a, description: b}\nllm_judge_criteria: {}\nevent_types: []\n", "schema.yml")


@pytest.mark.parametrize(("text", "said"), [("", "line 1: empty"), ("- a", "a mapping"), ("a\0", "not YAML")])
def test_what_is_no_schema_at_all_is_an_error(text: str, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        parse(text, "schema.yml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"none\.yml: no such file"):
        load(tmp_path / "none.yml")
    with pytest.raises(SchemaError, match="cannot be read: IsADirectoryError"):
        load(tmp_path)
    (tmp_path / "latin.yml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(SchemaError, match=r"latin\.yml: cannot be read: UnicodeDecodeError"):
        load(tmp_path / "latin.yml")


def test_a_byte_order_mark_and_crlf_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "schema.yml").write_bytes(("\ufeff" + SMALL).replace("\n", "\r\n").encode())
    assert load(tmp_path / "schema.yml")[0].version == small().version


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/schema.yml")), ids=lambda path: path.parent.name)
def test_the_examples_load_without_a_warning(path: Path) -> None:
    schema, warnings = load(path)
    assert warnings == [] and schema.of_role("user") and schema.of_role("assistant")


@pytest.mark.skipif(not SEEDS.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("example", ["therapist", "tax_advisor"])
def test_the_schemas_of_the_seed_tool_load_unchanged(example: str) -> None:
    path = SEEDS / example / "schema.yml"
    schema, warnings = load(path)
    assert warnings == []
    assert parse(dump(schema), "again.yml")[0] == schema
    assert len({t.key for t in schema.event_types}) == len(schema.event_types)
    if example == "therapist":
        assert schema.find("Small Talk", "user") != schema.find("Small Talk", "assistant")
