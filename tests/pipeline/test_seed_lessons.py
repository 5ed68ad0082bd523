"""The mistakes measured in the tool that this one surpasses, one test for each: none of them can be made here.

The numbers are the lines of the measurement; each docstring says what went wrong there.
"""

import ast
import json
import re
import signal
import sys
import time
import tomllib
from datetime import UTC, datetime
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cpa_core.destinations import DESTINATIONS, DestinationSpec
from cpa_core.destinations.amplitude import Amplitude
from cpa_core.destinations.posthog import PostHog
from tests.servers.amplitude import AmplitudeServer
from tests.servers.chat_completions import Behaviour, Changed, ChatServer
from tests.servers.loopback import Fault, Hangs, Says
from tests.servers.posthog import PostHogServer
from tests.support.commands import (
    Body,
    about,
    at,
    by_message,
    chat,
    chats,
    cpa,
    ended,
    is_tagging,
    payloads,
    scripted,
    started,
)
from tests.support.homes import Home, turn

ROOT = Path(__file__).parents[2]
Captured = pytest.CaptureFixture[str]


def distribution(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def imported(folder: str) -> set[str]:
    """The packages that a folder's modules import, at any depth of their code."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    return found - sys.stdlib_module_names - {"cpa_core", "cpa_dagster"}


@pytest.mark.parametrize("folder", ["cpa_core", "cpa_dagster"])
def test_line_01_what_is_imported_is_declared(folder: str) -> None:
    """Two imported packages were missing from the requirements, so that the first command failed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {distribution(one) for one in project["dependencies"]}
    optional = project["optional-dependencies"]
    extras = {distribution(one) for extra in optional.values() for one in extra}
    unlocked = {distribution(one) for name in ("snowflake", "bigquery") for one in optional[name]}
    locked = {distribution(line) for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines()}
    providers = packages_distributions()
    names = {name: {one.lower().replace("_", "-") for one in providers.get(name, [name])} for name in imported(folder)}
    assert {name for name, found in names.items() if not found & (declared | extras)} == set()
    assert (declared | extras) - unlocked <= locked


def test_line_02_posthog_has_every_event_when_the_command_ends(home: Home, posthog: PostHogServer) -> None:
    """Events waited in a queue that died with the process, at status 0; a failing last batch took all with it."""
    posthog.latency = 0.3
    home.write("a.json", chats(180, messages=6))
    status, shown = ended(started(home, "run"))
    assert status == 0, shown
    assert (len(posthog.rows), posthog.stored) == (1_260, 1_260)
    assert len(posthog.asked) == 2, "there is no last batch to lose"


def test_line_02_a_last_batch_that_fails_is_told_and_sent_by_the_next_run(
    home: Home, posthog: PostHogServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing last batch lost everything, at status 0."""
    monkeypatch.setitem(
        DESTINATIONS,
        "posthog",
        DestinationSpec("posthog", "", lambda given: PostHog("phc_test", posthog.url, sleep=lambda _: None)),
    )
    posthog.script = lambda asked: Says(503) if asked.number > 1 else None
    home.write("a.json", chats(180, messages=6))
    assert cpa(home, "run") == 1
    assert len(posthog.rows) == 1_000
    posthog.script = lambda asked: None
    assert cpa(home, "run") == 0
    assert (len(posthog.rows), posthog.stored) == (1_260, 1_260)


def test_line_03_amplitude_loses_nothing_and_says_what_it_cuts(
    home: Home, amplitude: AmplitudeServer, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """A failed flush or a dropped connection lost everything in silence, short user ids vanished, texts were cut."""
    home.environ |= at(amplitude)
    monkeypatch.setitem(
        DESTINATIONS,
        "amplitude",
        DestinationSpec("amplitude", "", lambda given: Amplitude("amp_test", amplitude.url, sleep=lambda _: None)),
    )
    home.write("a.json", json.dumps(chat("c1", user="bob") | chat("c2", messages=4)))
    home.write("b.json", {"long": [turn("x" * 1_030)]})
    faults: list[Fault] = [Hangs(stored=False), Hangs(stored=True), Says(500)]
    amplitude.script = lambda asked: faults[asked.number - 1] if asked.number <= len(faults) else None
    assert cpa(home, "run") == 0
    assert len(amplitude.rows) == 7 + 3
    assert [row.get("user_id") for row in amplitude.rows].count("bob") == 3
    shown = capsys.readouterr().out
    assert "accepted with a warning: 2026-03-04 amplitude: 1 event: cut at 1024 characters: Subject, content" in shown


def test_line_03_an_amplitude_that_refuses_is_not_a_success(
    home: Home, amplitude: AmplitudeServer, capsys: Captured
) -> None:
    """A flush that failed for good ended with status 0 as well."""
    home.environ |= at(amplitude)
    home.write("a.json", chats(2))
    amplitude.script = lambda asked: Says(403, {"code": 403, "error": "Forbidden"})
    assert cpa(home, "run") == 2, "a key that is refused is for a person to change"
    assert "amplitude: 403" in capsys.readouterr().err
    amplitude.script = lambda asked: None
    assert cpa(home, "run") == 0
    assert len(amplitude.rows) == 6


def without_a_verdict(tree: Body) -> None:
    tree["goals"].pop()


def test_line_04_a_missing_verdict_holds_its_day_and_no_other(
    home: Home, chat_server: ChatServer, posthog: PostHogServer, capsys: Captured
) -> None:
    """One judge score that was missing broke the upload off in its middle, and running again doubled the first half."""
    home.write("a.json", json.dumps(chat("c1") | chat("once") | chat("never", day="2026-03-05")))

    def script(body: Body, nth: int) -> Changed | None:
        wrong = not is_tagging(body) and (about(body, "never-0") or (about(body, "once-0") and nth == 1))
        return Changed(without_a_verdict) if wrong else None

    scripted(chat_server, script)
    assert cpa(home, "run") == 1
    assert "failed: 2026-03-05 judge never: invalid: goals: T1: missing" in capsys.readouterr().out
    assert {one["conversation_id"] for one in payloads(posthog)} == {"c1", "once"}
    assert len(posthog.rows) == 6
    scripted(chat_server, lambda body, nth: None)
    assert cpa(home, "run --retry-final") == 0
    assert (len(posthog.rows), posthog.stored) == (9, 9)
    assert all("llm_judge_score" in one for one in payloads(posthog))


def test_line_05_a_second_run_sends_nothing(
    home: Home, chat_server: ChatServer, posthog: PostHogServer, amplitude: AmplitudeServer
) -> None:
    """Events had no ids of their own, so that a second run doubled them all."""
    home.environ |= at(amplitude) | {"CPA_DESTINATIONS": "posthog,amplitude"}
    home.write("a.json", chats(5))
    assert cpa(home, "run") == 0
    once = len(posthog.asked), len(amplitude.asked), len(chat_server.calls)
    assert cpa(home, "run") == 0
    assert cpa(home, "run --from 2026-03-01 --to 2026-03-31") == 0
    assert (len(posthog.asked), len(amplitude.asked), len(chat_server.calls)) == once
    (home.folder / "home" / "cpa.duckdb").unlink()  # even without its memory: the ids come from content
    assert cpa(home, "run") == 0
    assert len(posthog.rows) == len(amplitude.rows) == 15


def test_line_06_a_kill_loses_only_what_was_in_flight(home: Home, chat_server: ChatServer) -> None:
    """Nothing was kept between the stages: killed after 36 answers, the next run paid for all of them again."""
    home.write("a.json", chats(60))
    home.environ["CPA_CONCURRENCY"] = "4"
    chat_server.behaviour = Behaviour(latency=0.02)
    killed = started(home, "run")
    until = time.monotonic() + 60
    while len(chat_server.calls) < 36 and time.monotonic() < until:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    ended(killed)
    assert 36 <= len(chat_server.calls) < 120
    assert cpa(home, "run") == 0
    assert 120 <= len(chat_server.calls) <= 120 + 4


def test_line_07_message_ids_may_begin_anew_in_each_conversation_and_file(home: Home, posthog: PostHogServer) -> None:
    """The message id alone was the key: one conversation's properties went to another, two files always collided."""
    for name in ("a", "b", "c"):
        home.write(f"{name}.json", json.dumps(chat(f"{name}1", 4) | chat(f"{name}2", 4)))
    assert cpa(home, "run") == 0
    stored = by_message(posthog)
    assert len(stored) == 24
    for (conversation_id, message_id), payload in stored.items():
        said = f"{conversation_id}-{int(message_id) - 1}"
        assert (payload["Subject"], payload["content"]) == (said, f"{said} is what is said here")


def test_line_08_numbers_in_a_csv_are_ids_like_any_other(home: Home, posthog: PostHogServer) -> None:
    """With numbers for message ids no event of eighty paid answers arrived, at status 0."""
    lines = ["conversation_id,message_id,user_id,role,content,timestamp"]
    lines += [f"{c},{c * 10 + n},{c},user,say {n},2026-03-04T09:00:{n:02}Z" for c in range(1, 5) for n in range(5)]
    home.write("a.csv", "\n".join([*lines, "4,007,4,user,say 7,2026-03-04T09:01:00Z"]))
    assert cpa(home, "run") == 0
    wanted = {(str(c), str(c * 10 + n)) for c in range(1, 5) for n in range(5)} | {("4", "007")}
    assert set(by_message(posthog)) == wanted
    assert {row["distinct_id"] for row in posthog.rows} == {"1", "2", "3", "4"}


@pytest.mark.parametrize("vendor", ["posthog", "amplitude"])
def test_line_09_ids_times_and_users_of_json_reach_the_vendor(
    home: Home, posthog: PostHogServer, amplitude: AmplitudeServer, vendor: str
) -> None:
    """All three were dropped on the way: history collapsed to the time of the run."""
    place: PostHogServer | AmplitudeServer = posthog if vendor == "posthog" else amplitude
    home.environ |= at(place)
    messages = [turn("Hello", "2024-02-29T23:59:58.250+01:00", message_id="m-1"), turn("Hi", "2024-03-01", "assistant")]
    home.write("a.json", json.dumps({"c1": {"user_id": "u-17", "messages": messages}}))
    assert cpa(home, "run") == 0
    sent = [datetime(2024, 2, 29, 22, 59, 58, 250_000, UTC), datetime(2024, 3, 1, tzinfo=UTC)]
    if vendor == "posthog":
        times = [datetime.fromisoformat(row["timestamp"]) for row in place.rows]
    else:
        times = [datetime.fromtimestamp(row["time"] / 1000, UTC) for row in place.rows]
    assert sorted(times) == [*sent, sent[-1]], "the judgment has the time of the last message"
    assert {row.get("distinct_id") or row.get("user_id") for row in place.rows} == {"u-17"}
    assert ("c1", "m-1") in by_message(place)
