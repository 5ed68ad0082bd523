"""Whose words a message is: the usual words by themselves, others by name, and none of them without a word."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from cpa_core.errors import SettingsError
from cpa_core.pipeline import roles_not_tagged
from cpa_core.settings import ROLES, settings
from cpa_core.sources import File, as_records, read, roles
from cpa_dagster.checks import roles_tagged
from tests.support.commands import cpa
from tests.support.homes import Home

AT = "2026-03-04T09:00:0"
Said = Sequence[tuple[str, str]]
Writer = Callable[[Said], tuple[str, bytes]]


def rows(said: Said) -> list[dict[str, str]]:
    return [
        {"conversation_id": "c", "role": role, "content": text, "timestamp": f"{AT}{n}Z"}
        for n, (role, text) in enumerate(said)
    ]


def _csv(said: Said, separator: str = ",") -> bytes:
    return "\n".join(separator.join(one) for one in [list(rows(said)[0]), *(r.values() for r in rows(said))]).encode()


def _parquet(said: Said) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows(said)), file)
    return file.getvalue()


def _turns(said: Said) -> list[dict[str, str]]:
    return [{"role": role, "content": text, "timestamp": f"{AT}{n}Z"} for n, (role, text) in enumerate(said)]


def _span(said: Said) -> dict[str, object]:
    messages = [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in said]
    attributes = [{"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps(messages)}}]
    span = {"traceId": "t", "startTimeUnixNano": "1772442000000000000", "attributes": attributes}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


WRITERS: dict[str, Writer] = {
    "csv": lambda said: ("a.csv", _csv(said) + b"\n"),
    "csv without its last line end": lambda said: ("a.csv", _csv(said)),
    "tsv": lambda said: ("a.tsv", _csv(said, "\t")),
    "parquet": lambda said: ("a.parquet", _parquet(said)),
    "json": lambda said: ("a.json", json.dumps({"c": {"messages": _turns(said)}}).encode()),
    "jsonl": lambda said: ("a.jsonl", "\n".join(map(json.dumps, rows(said))).encode()),
    "openai": lambda said: ("a.json", json.dumps([{"id": "c", "messages": _turns(said)}]).encode()),
    "sharegpt": lambda said: (
        "a.json",
        json.dumps(
            [{"id": "c", "conversations": [{"from": r, "value": t, "timestamp": f"{AT}0Z"} for r, t in said]}]
        ).encode(),
    ),
    "langfuse": lambda said: (
        "a.json",
        json.dumps([{"id": "t", "sessionId": "c", "timestamp": f"{AT}0Z", "input": _turns(said)}]).encode(),
    ),
    "otlp": lambda said: ("a.json", json.dumps(_span(said)).encode()),
}


def landed(writer: str, said: Said, named: dict[str, str] | None = None) -> list[tuple[str, str]]:
    name, content = WRITERS[writer](said)
    records = as_records(read(File(name, content, roles=named or {}), None))
    return [(r.role, r.content) for r in sorted(records, key=lambda r: r.ordinal)]


@pytest.mark.parametrize("writer", WRITERS)
def test_every_usual_word_is_known_in_every_format_whatever_its_letter_case(writer: str) -> None:
    for n, word in enumerate(roles.DEFAULTS):
        written = (word, word.title(), word.upper(), f" {word}".replace("_", "-"))[n % 4]
        assert landed(writer, [(written, "x")]) == [(roles.DEFAULTS[word], "x")], word


@pytest.mark.parametrize("writer", WRITERS)
def test_a_named_word_wins_in_every_format_and_an_unknown_one_stays_as_it_is(writer: str) -> None:
    said = [("0", "a"), ("1", "b"), ("Support Rep", "c"), ("bot", "d"), ("moderator", "e"), ("boss", "f")]
    named = dict(settings({"CPA_ROLES": "user=0|boss, assistant=1|support rep,system=bot,other=Boss2"}).roles)
    wanted = ["user", "assistant", "assistant", "system", "moderator", "user"]
    assert landed(writer, said, named) == list(zip(wanted, "abcdef", strict=True))


@pytest.mark.parametrize("writer", WRITERS)
def test_an_agent_beside_a_bot_must_be_named(writer: str) -> None:
    beside = [("customer", "a"), ("bot", "b"), ("Agent", "c")]
    assert [role for role, _ in landed(writer, beside)] == ["user", "assistant", "agent"]
    assert [role for role, _ in landed(writer, beside, {"agent": "assistant"})] == ["user", "assistant", "assistant"]
    assert [role for role, _ in landed(writer, beside[::2])] == ["user", "assistant"]


def test_an_agent_is_looked_at_conversation_by_conversation() -> None:
    said = [("one", "bot"), ("one", "agent"), ("two", "user"), ("two", "agent"), ("one", "agent")]
    lines = [
        json.dumps({"conversation_id": key, "role": role, "content": "x", "timestamp": f"{AT}0Z"}) for key, role in said
    ]
    made = sorted(as_records(read(File("a.jsonl", "\n".join(lines).encode()), None)), key=lambda r: r.ordinal)
    assert [(r.conversation_id, r.role) for r in made] == [
        ("one", "assistant"), ("one", "agent"), ("two", "user"), ("two", "assistant"), ("one", "agent"),
    ]  # fmt: skip


def test_records_without_ids_are_conversations_of_their_own_for_an_agent() -> None:
    chats = [[("user", "a"), ("bot", "b"), ("agent", "c")], [("user", "d"), ("agent", "e")]]
    content = json.dumps([{"messages": _turns(said)} for said in chats]).encode()
    made = sorted(as_records(read(File("a.json", content), None)), key=lambda r: r.ordinal)
    assert [r.role for r in made] == ["user", "assistant", "agent", "user", "assistant"]


@pytest.mark.parametrize(
    ("written", "role"), [(0, "user"), (1, "assistant"), (1.0, "assistant"), (True, "yes"), ("0", "user")]
)
def test_a_role_may_be_a_number_or_a_truth_value(written: object, role: str) -> None:
    line = {"conversation_id": "c", "role": written, "content": "x", "timestamp": f"{AT}0Z"}
    named = {"0": "user", "1": "assistant", "true": "yes"}
    (made,) = as_records(read(File("a.jsonl", json.dumps(line).encode(), roles=named), None))
    assert made.role == role


def test_every_role_that_can_be_named_is_one_of_ours_or_left_out() -> None:
    assert set(ROLES) == {*roles.OURS, roles.LEFT}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("usr=customer", "did you mean user"),
        ("customer", "'customer' is none of user, assistant"),
        ("user=", "as in user=customer"),
        ("user=a|b,assistant=B", "'b' is both user and assistant"),
    ],
)
def test_what_cannot_be_understood_is_an_error_with_the_way_out(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says.replace("|", r"\|")):
        settings({"CPA_ROLES": text})


TWO = (
    "conversation_id,role,content,timestamp\n"
    + f"c,shopper,hi,{AT}0Z\nc,clerk,ho,{AT}1Z\nd,shopper,a secret,{AT}0Z\nd,assistant,hm,{AT}1Z\n"
)


def test_landing_and_status_say_which_roles_nobody_tags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    home.write("a.csv", TWO)
    for command in ("land", "status"):
        assert cpa(home, command) == 0
        shown = capsys.readouterr().out
        assert "3 messages have roles that are not tagged: shopper (2), clerk (1)" in shown
        assert "--roles" in shown and "secret" not in shown
    found = roles_tagged(home.assistant(), [])
    assert not found.passed and "shopper (2)" in str(found.description)


def test_quote_and_run_say_it_too_once_and_without_a_new_landing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = Path(__file__).parents[2] / "examples" / "therapist" / "schema.yml"
    home = Home(tmp_path, {"CPA_SCHEMA": str(schema), "CPA_MODEL": "reference:annotations"})
    home.write("a.csv", TWO)
    for command in ("quote", "quote", "run", "run"):
        cpa(home, command)
        assert capsys.readouterr().out.count("roles that are not tagged: shopper (2), clerk (1)") == 1, command


def test_naming_the_roles_reads_again_what_has_landed_and_naming_none_leaves_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.csv", TWO)
    assert home.land().warnings
    home.environ["CPA_ROLES"] = "user=shopper,assistant=clerk"
    landed = home.land()
    assert (landed.read, landed.warnings, len(landed.days)) == (1, (), 1)
    assert roles_not_tagged(home.assistant()) == {}
    assert {r["role"] for r in home.rows("select distinct role from landed_messages")} == {"user", "assistant"}
    assert home.land().read == 0
    del home.environ["CPA_ROLES"]
    assert home.land().read == 0


def test_a_role_that_is_left_out_on_purpose_is_kept_without_a_warning(tmp_path: Path) -> None:
    home = Home(tmp_path, {"CPA_ROLES": "user=shopper,other=Shop Clerk"})
    home.write("a.csv", TWO.replace("clerk", "shop clerk"))
    assert home.land().warnings == ()
    assert roles_not_tagged(home.assistant()) == {} and roles_tagged(home.assistant(), []).passed
    assert {r["role"] for r in home.rows("select distinct role from landed_messages")} == {
        "user",
        "assistant",
        "shop clerk",
    }


def test_a_home_of_an_earlier_version_is_read_again_only_for_what_it_could_not_know(tmp_path: Path) -> None:
    home = Home(tmp_path, {"CPA_MAP": "timestamp=timestamp"})
    home.write("a.csv", TWO)
    home.land()
    with home.assistant().store.writing() as transaction:
        transaction.execute("update landed_files set reading = null")
    assert home.land().read == 0
    home.environ["CPA_ROLES"] = "user=shopper"
    assert home.land().read == 1


def test_a_text_that_stands_where_a_role_should_is_not_shown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.csv", TWO.replace("clerk", "my card was stolen and i do not know what to do"))
    (warning,) = home.land().warnings
    assert "stolen" not in warning and "a text of 47 characters (1)" in warning
