"""The command: what it prints, how it ends, and what bad input gets."""

import json
import os
from pathlib import Path

import pytest
from typer.main import get_command

from cpa_core.cli import main
from cpa_core.cli.app import app
from cpa_core.cli.commands import asked_words
from cpa_core.cli.facts import RunFacts
from cpa_core.cli.flags import SOURCE
from cpa_core.cli.reference import commands
from cpa_core.schema import dump
from cpa_core.settings import TABLE
from cpa_core.store import Store
from tests.servers.chat_completions import Behaviour, ChatServer, by_substring
from tests.servers.posthog import PostHogServer
from tests.support.fakes import SCHEMA

CHATS = {
    "c1": {
        "user_id": "u1",
        "messages": [
            {"role": "user", "content": "Where is my refund?", "timestamp": "2026-03-04T09:00:00Z"},
            {"role": "assistant", "content": "On its way.", "timestamp": "2026-03-04T09:00:03Z"},
        ],
    }
}
UNTIMED = {"c1": {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"}]}}
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chats.json").write_text(json.dumps(CHATS), "utf-8")
    Path("untimed.json").write_text(json.dumps(UNTIMED), "utf-8")
    Path("schema.yml").write_text(dump(SCHEMA), "utf-8")


def cpa(line: str, **environ: str) -> int:
    return main(line.split(), {**environ})


def run(chat_server: ChatServer, more: str = "", source: str = "chats.json") -> int:
    line = f"run {source} --schema schema.yml --model compatible:test-model {more}"
    return cpa(line, CPA_COMPATIBLE_URL=chat_server.url)


def test_the_demo_prints_each_day_and_the_next_step_and_a_second_one_does_nothing(capsys: Captured) -> None:
    assert cpa("demo") == 0
    shown = capsys.readouterr().out
    for word in ("conversations", "messages", "events", "mean score", "spend", "receipts", "failures"):
        assert word in shown
    assert shown.count("2026-03-") == 5
    assert shown.count("2026-02-") == 4
    assert "run chats.json --schema schema.yml" in shown
    assert cpa("demo") == 0
    again = capsys.readouterr().out
    assert again.count("questions asked: 0, events delivered in this run: 0") == 2
    assert [line for line in again.splitlines() if line.startswith("20")] == [
        line for line in shown.splitlines() if line.startswith("20")
    ]


def test_the_demo_reaches_no_model_whatever_keys_are_set(capsys: Captured) -> None:
    assert cpa("demo", OPENAI_API_KEY="k", ANTHROPIC_API_KEY="k", CPA_MODEL="openai:gpt-6-luna") == 0
    assert "no model is called" in capsys.readouterr().out


def test_a_run_of_a_file_shows_its_day_and_ends_with_zero(chat_server: ChatServer, capsys: Captured) -> None:
    assert run(chat_server) == 0
    assert "2026-03-04" in capsys.readouterr().out
    assert cpa("status") == 0
    assert "files: 1" in capsys.readouterr().out
    assert cpa("show c1") == 0
    shown = capsys.readouterr().out
    assert "Where is my refund?" in shown
    assert "judged" in shown


def test_a_key_without_a_destination_is_mentioned(chat_server: ChatServer, capsys: Captured) -> None:
    line = "run chats.json --schema schema.yml --model compatible:test-model"
    environ = {"CPA_COMPATIBLE_URL": chat_server.url, "POSTHOG_API_KEY": "phc_secret"}
    assert cpa(line, **environ) == 0
    shown = capsys.readouterr().out
    assert "POSTHOG_API_KEY is set, but events go to the outbox: --destination posthog" in shown
    assert "phc_secret" not in shown
    assert cpa(line, **environ, CPA_DESTINATIONS="outbox") == 0
    assert "POSTHOG_API_KEY" not in capsys.readouterr().out


def test_what_a_destination_rejects_is_shown_and_ends_with_one(
    chat_server: ChatServer, posthog: PostHogServer, capsys: Captured
) -> None:
    posthog.results = lambda event: (
        ("drop", "event_too_old") if event["event"] == "Conversation Judged" else ("ok", None)
    )
    line = "run chats.json --schema schema.yml --model compatible:test-model --destination posthog"
    environ = {"CPA_COMPATIBLE_URL": chat_server.url, "POSTHOG_API_KEY": "phc_test", "POSTHOG_HOST": posthog.url}
    assert cpa(line, **environ) == 1
    rejected = "rejected: 2026-03-04 posthog: 1 event: "
    assert rejected in (shown := capsys.readouterr().out)
    assert "event_too_old" in shown.partition(rejected)[2]
    assert cpa("status") == 0
    assert rejected in capsys.readouterr().out


def test_a_quote_asks_nothing_and_says_exactly_how_many_questions_a_run_will_ask(
    chat_server: ChatServer, capsys: Captured
) -> None:
    line = "quote chats.json --schema schema.yml --model compatible:test-model"
    assert cpa(line, CPA_COMPATIBLE_URL=chat_server.url) == 0
    shown = capsys.readouterr().out
    assert "tag, compatible:test-model: 1 questions (0 more" in shown
    assert "judge, compatible:test-model: 1 questions (0 more" in shown
    assert "together: unknown" in shown
    assert chat_server.calls == []
    assert run(chat_server) == 0
    assert len(chat_server.calls) == 2
    capsys.readouterr()
    assert cpa(line, CPA_COMPATIBLE_URL=chat_server.url) == 0
    assert "nothing to pay" in capsys.readouterr().out
    assert cpa(line + " --home other", CPA_COMPATIBLE_URL=chat_server.url) == 0
    assert cpa(line.replace("compatible:test-model", "openai:gpt-6-luna"), OPENAI_API_KEY="k") == 0
    assert len(chat_server.calls) == 2


@pytest.mark.parametrize(
    ("model", "more", "lacking"),
    [
        ("openai:gpt-6-luna", "", ["OPENAI_API_KEY"]),
        ("anthropic:claude-haiku-5-5", "", ["ANTHROPIC_API_KEY"]),
        ("openai:gpt-6-luna", "--destination posthog", ["OPENAI_API_KEY", "POSTHOG_API_KEY"]),
        ("compatible:mine", "--destination amplitude", ["CPA_COMPATIBLE_URL", "AMPLITUDE_API_KEY"]),
    ],
)
def test_a_quote_needs_no_key_and_says_which_a_run_will_need(
    capsys: Captured, model: str, more: str, lacking: list[str]
) -> None:
    line = f"chats.json --schema schema.yml --model {model} {more}"
    assert cpa(f"quote {line}") == 0
    shown = capsys.readouterr().out
    warned = [one for one in shown.splitlines() if one.startswith("warning: a run cannot begin yet: ")]
    assert len(warned) == len(lacking) and all(key in one for key, one in zip(lacking, warned, strict=True))
    assert f"tag, {model}: 1 questions" in shown
    assert cpa(f"run {line}") == 2
    assert lacking[0] in capsys.readouterr().err


def test_equal_conversations_are_quoted_as_equal_and_not_as_answered(chat_server: ChatServer, capsys: Captured) -> None:
    Path("chats.json").write_text(json.dumps(dict.fromkeys(("c1", "c2", "c3"), CHATS["c1"])), "utf-8")
    line = "quote chats.json --schema schema.yml --model compatible:test-model"
    assert cpa(line, CPA_COMPATIBLE_URL=chat_server.url) == 0
    shown = capsys.readouterr().out
    for task in ("tag", "judge"):
        assert f"{task}, compatible:test-model: 1 questions (0 more are answered already, 2 are equal to one" in shown
    assert run(chat_server) == 0
    assert len(chat_server.calls) == 2


def test_a_quote_of_a_model_with_a_list_price_is_in_dollars(capsys: Captured) -> None:
    line = "quote chats.json --schema schema.yml --model openai:gpt-6-luna"
    assert cpa(line, OPENAI_API_KEY="k") == 0
    shown = capsys.readouterr().out
    assert "together: at most about $0.0" in shown and "cannot begin" not in shown


def test_a_failure_is_shown_and_ends_with_one(chat_server: ChatServer, capsys: Captured) -> None:
    chat_server.behaviour = Behaviour(by_substring("refund", None))
    assert run(chat_server) == 1
    shown = capsys.readouterr().out
    assert "failed: 2026-03-04 tag c1: invalid" in shown
    assert "held back" in shown
    assert "next: cpa status --schema schema.yml says why; the same command asks again only what is open" in shown
    assert "events: " not in shown and not Path(".cpa/outbox").exists(), "nothing was delivered, so there is no place"
    assert cpa("status") == 0
    assert "due: 2026-03-04: 1 conversations not finished" in capsys.readouterr().out


def test_a_run_says_how_long_its_failures_wait_and_which_flag_asks_them_at_once(
    chat_server: ChatServer, capsys: Captured
) -> None:
    other = {"c2": json.loads(json.dumps(CHATS["c1"]).replace("refund", "parcel"))}
    Path("chats.json").write_text(json.dumps({**other, **CHATS}), "utf-8")
    chat_server.behaviour = Behaviour(by_substring("refund", None))
    assert run(chat_server) == 1
    shown = capsys.readouterr().out
    (said,) = [line for line in shown.splitlines() if line.startswith("next: ")]
    assert "2 questions wait until " in said and "(6 hours, CPA_GIVE_UP_HOURS)" in said
    assert said.endswith("the same command with --retry-final asks them at once") and "only what is open" not in said
    calls = len(chat_server.calls)
    assert run(chat_server) == 1
    assert len(chat_server.calls) == calls, "it waits, as was said"
    chat_server.behaviour = Behaviour()
    assert run(chat_server, "--retry-final") == 0
    assert len(chat_server.calls) > calls


def test_a_home_before_its_first_landing_says_so_and_names_the_command(capsys: Captured) -> None:
    with Store(Path(".cpa")).writing():
        pass
    assert cpa("status") == 0
    shown = capsys.readouterr().out
    assert "to do: nothing has landed yet: cpa land SOURCE" in shown and "nothing needs a hand" not in shown
    assert cpa("land chats.json") == 0 and cpa("status") == 0
    assert "nothing has landed yet" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("done", "held", "waiting", "is_whole"), [(2, 0, 0, True), (1, 1, 0, True), (1, 0, 1, True), (0, 0, 0, False)]
)
def test_a_run_that_stops_says_of_which_days_it_counts_the_questions(
    done: int, held: int, waiting: int, is_whole: bool
) -> None:
    facts = RunFacts.model_construct(
        days=(None,) * 2, done=(None,) * done, held=dict.fromkeys(map(str, range(held)), ""), questions=7,
        waiting=(None,) * waiting, reused=0,
    )  # fmt: skip
    assert asked_words(facts).startswith("questions asked: 7")
    assert ("the calls below are of all days" in asked_words(facts)) is not is_whole


def test_a_refusal_ends_with_one_although_it_holds_nothing_back(chat_server: ChatServer, capsys: Captured) -> None:
    chat_server.behaviour = Behaviour(by_substring(None, "refund"))
    assert run(chat_server) == 1
    shown = capsys.readouterr().out
    assert "final: 2026-03-04 tag c1: refused" in shown
    assert "held back" not in shown


def test_a_day_that_is_needed_but_not_given_prints_the_exact_command(
    chat_server: ChatServer, capsys: Captured, tmp_path: Path
) -> None:
    os.utime("untimed.json", (1_780_000_000, 1_780_000_000))
    assert run(chat_server, source="untimed.json") == 2
    error = capsys.readouterr().err
    assert "untimed.json: c1: messages.0: timestamp" in error
    command = error.strip().splitlines()[-1].strip()
    assert command.startswith("cpa run untimed.json")
    assert command.endswith("--day 2026-05-28")
    assert not list(tmp_path.glob("**/cpa.duckdb"))
    assert main(command.split()[1:], {"CPA_COMPATIBLE_URL": chat_server.url}) == 0
    assert "2026-05-28" in capsys.readouterr().out


def test_days_can_be_named_one_by_one_or_as_a_range(chat_server: ChatServer, capsys: Captured) -> None:
    assert run(chat_server) == 0
    assert run(chat_server, "--from 2026-03-01 --to 2026-03-31") == 0
    assert "2026-03-04" in capsys.readouterr().out
    assert run(chat_server, "--day 2026-03-05") == 2
    assert "2026-03-05: no conversation began on that day" in capsys.readouterr().err
    assert run(chat_server, "--from 2026-03-31 --to 2026-03-01") == 2
    assert run(chat_server, "--from 2026-03-01") == 2


def written(name: str, text: str) -> str:
    Path(name).write_text(text, "utf-8")
    return name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not json", "bad.json: line 1: not JSON"),
        ('{"c1": []}', "bad.json: the format is not recognised. Keys seen: c1"),
        ('{"c1": {"messages": [{"speaker": "user", "content": "x"}]}}', "bad.json: c1: messages.0: role: missing"),
        ('{"c1": {"messages": [{"role": "user"}]}}', "bad.json: c1: messages.0: content: missing"),
    ],
)
def test_a_bad_file_gets_an_error_with_file_place_and_reason(
    text: str, words: str, chat_server: ChatServer, capsys: Captured, tmp_path: Path
) -> None:
    assert run(chat_server, source=written("bad.json", text)) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("**/cpa.duckdb"))


def test_missing_columns_are_named(chat_server: ChatServer, capsys: Captured) -> None:
    assert run(chat_server, source=written("bad.csv", "user_id,text\nu,hello\n")) == 2
    assert "bad.csv: line 1: missing columns: role, content" in capsys.readouterr().err


def test_a_missing_file_is_an_error_and_nothing_is_written(
    chat_server: ChatServer, capsys: Captured, tmp_path: Path
) -> None:
    assert run(chat_server, source="nowhere.json") == 2
    assert "nowhere.json: no such file or folder" in capsys.readouterr().err
    assert not list(tmp_path.glob("**/cpa.duckdb"))


@pytest.mark.parametrize(
    ("line", "environ", "words"),
    [
        ("run chats.json --schema schema.yml --model gpt-6-luna", {}, "a provider and a model are needed"),
        ("run chats.json --schema schema.yml --model nobody:x", {}, "a provider and a model are needed"),
        ("run chats.json --schema schema.yml --model openai:gpt-6-luna", {}, "OPENAI_API_KEY is not set"),
        ("run chats.json --schema schema.yml --model anthropic:claude-haiku-5-5", {}, "ANTHROPIC_API_KEY is not set"),
        ("run chats.json --schema schema.yml --model bedrock:x", {}, "AWS_REGION is not set"),
        ("run chats.json --schema schema.yml --model compatible:x", {}, "CPA_COMPATIBLE_URL is not set"),
        (
            "run chats.json --schema schema.yml",
            {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"},
            "several keys are set (OPENAI_API_KEY, ANTHROPIC_API_KEY)",
        ),
        ("run chats.json --model reference:annotations", {}, "cpa schema propose SOURCE --out schema.yml"),
        ("run --schema schema.yml --day 2026-02-30 --model reference:x", {}, "--day is '2026-02-30'"),
        (
            "run chats.json --schema schema.yml --model compatible:x",
            {"CPA_COMPATIBLE_URL": "http://127.0.0.1:9/v1", "CPA_TIMEOUT": "soon"},
            "CPA_TIMEOUT is 'soon': it must be a number of seconds above 0",
        ),
        ("run chats.json --schema none.yml --model reference:x", {}, "none.yml: no such file"),
        ("run chats.json --schema schema.yml --model reference:x --privacy some", {}, "CPA_PRIVACY is 'some'"),
        ("run chats.json --schema schema.yml --model reference:x --concurrency 0", {}, "CPA_CONCURRENCY is '0'"),
        ("run chats.json --schema schema.yml --model reference:x --destination fax", {}, "destination 'fax'"),
        ("status", {}, "no store"),
        ("show c9", {"CPA_TIMEZONE": "Mars/Base"}, "CPA_TIMEZONE is 'Mars/Base'"),
    ],
)
def test_what_a_person_must_change_ends_with_two_and_says_what(
    line: str, environ: dict[str, str], words: str, capsys: Captured, tmp_path: Path
) -> None:
    assert cpa(line, **environ) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("**/cpa.duckdb"))


def test_the_reference_model_says_that_it_knows_the_examples_only(capsys: Captured) -> None:
    assert cpa("run chats.json --schema schema.yml") == 1
    assert "answers from the annotations of the examples only" in capsys.readouterr().err


def test_a_schema_with_a_type_twice_is_refused_with_its_line(capsys: Captured) -> None:
    text = Path("schema.yml").read_text("utf-8")
    twice = text + "- name: Thanks\n  definition: Again.\n  role: user\n"
    assert cpa(f"schema check {written('twice.yml', twice)}") == 2
    error = capsys.readouterr().err
    assert "twice.yml: line " in error
    assert "'Thanks' occurs twice in role user" in error
    assert cpa("schema check schema.yml") == 0


def test_flags_win_over_the_environment_and_the_environment_over_dotenv(capsys: Captured) -> None:
    written(".env", "CPA_HOME=from-dotenv\nCPA_MODEL=reference:annotations\n")
    assert cpa("status") == 2
    assert "from-dotenv" in capsys.readouterr().err
    assert cpa("status", CPA_HOME="from-environment") == 2
    assert "from-environment" in capsys.readouterr().err
    assert cpa("status --home from-flag", CPA_HOME="from-environment") == 2
    assert "from-flag" in capsys.readouterr().err


def test_every_command_has_help_with_an_example(capsys: Captured) -> None:
    for line in ("", "demo", "run", "land", "quote", "status", "show", "schema", "schema check", "schema propose"):
        assert cpa(f"{line} --help") == 0
        assert "example: cpa" in capsys.readouterr().out


def test_a_dry_run_shows_the_questions_of_the_run_after_it_and_asks_none(
    chat_server: ChatServer, capsys: Captured
) -> None:
    assert cpa("land chats.json") == 0
    asked = {"CPA_COMPATIBLE_URL": chat_server.url, "CPA_SCHEMA": "schema.yml", "CPA_MODEL": "compatible:test-model"}
    assert cpa("run", **asked) == 0
    changed = SCHEMA.event_types[0].model_copy(update={"definition": "Somebody asks for something new."})
    others = SCHEMA.event_types[1:]
    Path("schema.yml").write_text(dump(SCHEMA.model_copy(update={"event_types": (changed, *others)})), "utf-8")
    before = len(chat_server.calls)
    capsys.readouterr()
    assert cpa("run --retag --dry-run --json", **asked) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(chat_server.calls) == before
    assert cpa("run --retag --json", **asked) == 0
    questions = json.loads(capsys.readouterr().out)["questions"]
    assert questions == sum(line["questions"] - line["answered"] for line in shown["quote"]["lines"]) > 0


def test_every_command_with_a_source_takes_every_flag_that_says_how_to_read_it() -> None:
    reading = {TABLE[name].flag for name in SOURCE if name != "CPA_SOURCE"}
    lacking = {
        name: reading - {flag for option in one.params for flag in option.opts}
        for name, one in commands(get_command(app), "cpa")
        if any(option.param_type_name == "argument" and option.metavar == "SOURCE" for option in one.params)
    }
    assert {"cpa run", "cpa schema propose", "cpa check model"} <= lacking.keys()
    assert {name: flags for name, flags in lacking.items() if flags} == {}


DESK = "chat,who,said\n1,shopper,Where is my box?\n1,clerk,It left us today.\n"
"""A table with other names for columns and roles."""


@pytest.mark.parametrize("roles", ["", "user=buyer", "other=shopper|clerk"])
def test_a_proposal_asks_nothing_where_no_message_has_a_role_that_is_tagged(
    roles: str, chat_server: ChatServer, capsys: Captured
) -> None:
    written("desk.csv", DESK)
    line = "schema propose desk.csv --map role=who,content=said,conversation_id=chat --out new.yml --model compatible:m"
    assert cpa(line + (f" --roles {roles}" if roles else ""), CPA_COMPATIBLE_URL=chat_server.url) == 2
    said = capsys.readouterr()
    assert "no message of a user or of the assistant to propose from" in said.err
    assert ("--roles" in said.err) == (not roles.startswith("other"))
    assert "quote:" not in said.out and not chat_server.bodies and not Path("new.yml").exists()


def test_a_proposal_names_the_roles_that_nobody_tags_and_its_next_commands_have_its_flags(
    chat_server: ChatServer, capsys: Captured
) -> None:
    written("desk.csv", DESK)
    flags = "--map role=who,content=said,conversation_id=chat --roles user=shopper"
    environ = {"CPA_COMPATIBLE_URL": chat_server.url, "CPA_TIMES": "dmy"}
    assert cpa(f"schema propose desk.csv {flags} --out new.yml --model compatible:m", **environ) == 0
    said = capsys.readouterr().out
    assert said.index("1 messages have roles that are not tagged: clerk (1)") < said.index("quote:")
    assert f"  cpa quote desk.csv {flags} --schema new.yml --model compatible:m\n" in said


def test_a_proposal_is_written_once_and_then_beside(capsys: Captured) -> None:
    from cpa_core.providers.reference import examples

    source = examples() / "therapist" / "example_data.json"
    assert cpa(f"schema propose {source} --out mine.yml --model reference:annotations") == 0
    assert cpa("schema check mine.yml") == 0
    before = Path("mine.yml").read_text("utf-8")
    assert cpa(f"schema propose {source} --out mine.yml --model reference:annotations") == 0
    assert "mine.yml is in use" in capsys.readouterr().out
    assert Path("mine.yml").read_text("utf-8") == before
    assert Path("mine.proposed.yml").exists()
