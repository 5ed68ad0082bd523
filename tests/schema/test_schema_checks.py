"""`cpa schema check`: errors lose events, warnings blur them, and each names its line."""

from pathlib import Path

import pytest

from cpa_core.schema import Finding, check, check_text
from tests.schema.test_schema import SEEDS, SMALL


def found(*changes: tuple[str, str]) -> list[Finding]:
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return check_text(text, "schema.yml")[1]


SMALL_TALK = "'Small Talk' is of both roles: one event name at a destination, told apart by the key role"
LONG = "x" * 201
ASK = ("role: user\n  - name: Small", "role: user\n  - name: {}\n    definition: {}\n    role: user\n  - name: Small")


def asking(name: str, definition: str) -> tuple[str, str]:
    """A further type of role user."""
    return ASK[0], ASK[1].format(name, definition)


def test_a_schema_with_a_name_in_both_roles_has_that_warning_alone() -> None:
    assert found() == [Finding(level="warning", line=22, key="event_types.2.name", reason=SMALL_TALK)]


@pytest.mark.parametrize(
    ("change", "level", "line", "said"),
    [
        (("name: Question", f"name: {LONG}"), "error", 10, "longer than 200 bytes"),
        (("name: Question", "name: $pageview"), "error", 10, "names with $"),
        (("name: Question", "name: '[Amplitude] Start'"), "error", 10, "belong to Amplitude"),
        (("name: Question", 'name: "a\\tb"'), "error", 10, "control character"),
        (("      Subject:", f"      {LONG}:"), "error", 17, "longer than 200 bytes"),
        (("[1040, 1099-K, Yes, No", f"[{'y' * 1025}, No"), "error", 16, "longer than 1,024 characters"),
        (asking("small talk", "They chat."), "error", 22, "'small talk' and 'Small Talk' are one name"),
        (asking("Chatting", "chat"), "error", 23, "that of 'Small Talk' again"),
        (("[1040, 1099-K, Yes, No, 010, 1.50, null, 2026-01-01]", "[1040]"), "warning", 16, "a single choice"),
        (("[1040, 1099-K, Yes, No, 010, 1.50, null, 2026-01-01]", "[]"), "warning", 16, "no choices"),
        (("[1040", "[N/A, 1040"), "warning", 16, "'N/A' competes with 'not applicable'"),
        (("[1040", "[yes, 1040"), "warning", 16, "'yes', 'Yes' look the same"),
        (("[1040", f"[{', '.join(f'c{n}' for n in range(20))}, 1040"), "warning", 16, "28 choices"),
        (("  primary_goals:\n    - Be right\n", ""), "warning", 4, "no primary goals"),
        (("event_types:", "events_per_message: one\nevent_types:"), "warning", 9, "role user has no type"),
        (
            asking("Query", "The user asks something new."),
            "warning",
            23,
            "shares 80% of its words with that of 'Question'",
        ),
        (asking("Questions", "A thing is wanted."), "warning", 22, "the same words as 'Question'"),
    ],
)
def test_what_will_go_wrong_is_said_with_its_line(change: tuple[str, str], level: str, line: int, said: str) -> None:
    others = [one for one in found(change) if one.reason != SMALL_TALK]
    assert [(one.level, one.line) for one in others if said in one.reason] == [(level, line)], others


def test_a_role_without_types_and_one_with_too_many_are_warnings() -> None:
    kinds = "".join(f"  - {{name: T{n}, definition: d{n}, role: user}}\n" for n in range(26))
    head = SMALL.partition("event_types:")[0]
    reasons = [one.reason for one in check_text(f"{head}event_types:\n{kinds}", "schema.yml")[1]]
    assert any("no event type of role assistant" in reason for reason in reasons)
    assert any("26 event types of role user" in reason for reason in reasons)


@pytest.mark.skipif(not SEEDS.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("example", ["therapist", "tax_advisor"])
def test_the_schemas_of_the_seed_tool_check_with_warnings_only(example: str) -> None:
    _, findings = check(Path(SEEDS / example / "schema.yml"))
    assert {one.level for one in findings} == {"warning"}
    assert all(one.line > 0 for one in findings)
