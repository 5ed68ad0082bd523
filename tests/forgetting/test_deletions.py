"""`cpa forget --at-destinations` asks each destination about the person's own id, and keeps what it answered."""

import json
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli import main
from cpa_core.destinations import destination
from cpa_core.destinations.deletions import DELETIONS, ask_deletion
from cpa_core.errors import DestinationStopped, SettingsError
from cpa_core.events import hashed_identity
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.forgetting.elsewhere import deletion_requests
from cpa_core.pipeline.forgetting.forget import forget, forgetting
from cpa_core.settings import settings
from tests.servers.deletions import AMPLITUDE, KEYS, MIXPANEL, POSTHOG, DeletionServer
from tests.servers.loopback import Asked, Fault, Hangs, Says
from tests.support.clocks import unhurried
from tests.support.commands import cpa, ended, environ, started
from tests.support.homes import NOW, Home, turn

USER, TALK, NOBODY = "maja-person-7", "conv-of-maja", "conv-of-nobody"
OF_MAJA = f"select 1 from landed_messages where user_id = '{USER}'"
PLACES = {"posthog": POSTHOG, "amplitude": AMPLITUDE, "mixpanel": MIXPANEL}


@pytest.fixture
def server() -> Iterator[DeletionServer]:
    with DeletionServer(persons=[USER, "otto"]) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, server: DeletionServer) -> Home:
    """A home that has delivered two talks of Maja, one of nobody and one that Otto shared with her."""
    made = Home(tmp_path, {"CPA_DESTINATIONS": "posthog,amplitude,mixpanel", **server.environ()})
    talks = {TALK: USER, "second": USER, NOBODY: None, "others": "otto"}
    made.write("a.json", json.dumps({name: talk(user) for name, user in talks.items()}))
    made.land()
    delivered(made, *((name, user or name, user is not None) for name, user in talks.items()))
    return made


def talk(user: str | None) -> dict[str, Any]:
    return {**({"user_id": user} if user else {}), "messages": [turn("Where do I find the form?", message_id="1")]}


def delivered(home: Home, *events: tuple[str, str, bool]) -> None:
    """Receipts of an event each, as a delivery leaves them: conversation, id there, whether it is a user's."""
    assistant = asking(home)
    with assistant.store.writing() as transaction:
        for name in PLACES:
            project = destination(name, assistant.settings).project
            about = {"destination": name, "project": project, "payload_hash": "p", "status": "accepted"}
            rows = [
                {"event_id": f"e-{c}", "conversation_id": c, "distinct_id": d, "identified": i} for c, d, i in events
            ]
            times = {"receipted_at": NOW - timedelta(days=1), "day": NOW.date()}
            transaction.insert("upload_receipts", [{**about, **times, **row} for row in rows])


def asking(home: Home) -> Assistant:
    return home.assistant(pacing=unhurried())


def receipts(home: Home) -> dict[str, tuple[Any, ...]]:
    rows = home.rows("select destination, status, http_status, task from deletion_receipts order by 1, 2")
    return {row["destination"]: (row["status"], row["http_status"], row["task"]) for row in rows}


def test_each_destination_is_asked_about_the_person_and_promises(home: Home, server: DeletionServer) -> None:
    forget(asking(home), users=[USER], at_destinations=True)
    assert server.deleted == {(place, USER) for place in PLACES.values()}, "and about nobody else"
    assert receipts(home) == {
        "posthog": ("promised", 202, None),
        "amplitude": ("promised", 200, "2026-03-21"),
        "mixpanel": ("promised", 200, "1583792934719392965"),
    }
    found = [
        path for path in (home.folder / "home").rglob("*") if path.is_file() and USER.encode() in path.read_bytes()
    ]
    assert found == []


def test_a_later_command_says_what_was_promised_and_asks_nobody(home: Home, server: DeletionServer) -> None:
    forget(asking(home), users=[USER], at_destinations=True)
    count = len(server.asked)
    found = forget(asking(home), users=[USER], at_destinations=True)
    assert len(server.asked) == count
    for one in (found, forgetting(asking(home), users=[USER])):
        assert {receipt.destination for receipt in one.asked} == PLACES.keys()
    assert found.is_empty and forgetting(asking(home), users=["otto"]).asked == ()


def test_the_list_shows_each_request_with_variables_and_asks_nobody(
    home: Home, server: DeletionServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for flag in ("", " --at-destinations"):
        assert cpa(home, f"forget --user {USER}{flag}") == 0
        out = capsys.readouterr().out
        lines = [line for line in out.splitlines() if "curl -X POST" in line]
        assert len(lines) == 3 and all(
            line.startswith("with --yes, asks" if flag else "stays elsewhere") for line in lines
        )
        keys = ("phx_personal", "amp_secret", "gdpr_token", "mp_test", "phc_test")
        assert not any(key in out for key in keys)
        words = [shlex.split(line[line.index("curl") :]) for line in lines]
        assert all(USER in json.dumps(json.loads(one[one.index("-d") + 1])) for one in words)
    assert server.asked == [] and receipts(home) == {}


@pytest.mark.parametrize("name", sorted(PLACES))
@pytest.mark.parametrize(
    ("fault", "status", "tries"),
    [
        (Says(400, {"error": f"no {USER}"}), "refused", 1),
        (Says(401, {"detail": USER}), "refused", 1),
        (Says(403), "refused", 1),
        (Says(404, "<html>"), "refused", 1),
        (Says(302, "", {"Location": "https://example.com"}), "refused", 1),
        (Says(200, "<html>fine</html>"), "refused", 1),
        (Says(200, "[]"), "refused", 1),
        (Says(429, {"detail": "slow down"}, {"Retry-After": "2"}), "unanswered", 5),
        (Says(500, "oops"), "unanswered", 5),
        (Says(503), "unanswered", 5),
        (Hangs(stored=False), "unanswered", 5),
    ],
)
def test_a_refusal_is_kept_without_the_vendors_words_and_a_busy_server_is_asked_again(
    server: DeletionServer, name: str, fault: Fault, status: str, tries: int
) -> None:
    server.script = lambda asked: fault
    waits: list[float] = []
    answer = ask_deletion(DELETIONS[name], settings(server.environ()), USER, waits.append)
    assert (answer.status, len(server.asked), len(waits)) == (status, tries, tries - 1)
    assert USER not in repr(answer) and waits == sorted(waits)


@pytest.mark.parametrize(
    "fault", [Says(429, "", {"Retry-After": "0"}), Says(502), Hangs(stored=True), Hangs(stored=False)]
)
def test_a_server_that_answers_later_is_asked_until_it_does(home: Home, server: DeletionServer, fault: Fault) -> None:
    server.script = lambda asked: fault if asked.number % 3 else None
    forget(asking(home), users=[USER], at_destinations=True)
    assert {status for status, *_ in receipts(home).values()} == {"promised"}
    assert server.deleted == {(place, USER) for place in PLACES.values()}


def test_where_one_refuses_nothing_is_removed_and_the_next_command_asks_it_alone(
    home: Home, server: DeletionServer
) -> None:
    before = home.rows("select * from landed_messages order by all")
    server.script = lambda asked: Says(403, {"detail": USER}) if asked.path == AMPLITUDE else None
    with pytest.raises(DestinationStopped, match="amplitude: 403: the key lacks the scope"):
        forget(asking(home), users=[USER], at_destinations=True)
    assert home.rows("select * from landed_messages order by all") == before
    assert receipts(home)["amplitude"] == ("refused", 403, None)
    count, server.script = len(server.asked), lambda asked: None
    forget(asking(home), users=[USER], at_destinations=True)
    assert [asked.path for asked in server.asked[count:]] == [AMPLITUDE]
    assert receipts(home)["amplitude"] == ("promised", 200, "2026-03-21")


@pytest.mark.parametrize("name", ["POSTHOG_PERSONAL_API_KEY", "AMPLITUDE_SECRET_KEY", "MIXPANEL_GDPR_TOKEN"])
def test_a_missing_key_is_named_before_anything_is_asked_or_removed(
    home: Home, server: DeletionServer, name: str
) -> None:
    del home.environ[name]
    with pytest.raises(SettingsError, match=name):
        forget(asking(home), users=[USER], at_destinations=True)
    assert server.asked == [] and home.rows(OF_MAJA)


def test_a_conversation_of_a_user_is_no_person_and_that_of_an_unknown_user_is(
    home: Home, server: DeletionServer
) -> None:
    found = forget(asking(home), conversations=[TALK, NOBODY], at_destinations=True)
    assert server.deleted == {(MIXPANEL, f"$device:{NOBODY}")}, "PostHog has no profile of it, Amplitude a device alone"
    words = "\n".join(deletion_requests(found, asking(home).settings))
    assert words.count("vendors delete a person, not a conversation") == 3 and "amplitude_ids" in words
    assert receipts(home) == {
        "posthog": ("not_found", 202, None),
        "mixpanel": ("promised", 200, "1583792934719392965"),
    }


def test_another_user_of_a_shared_conversation_is_not_deleted(home: Home, server: DeletionServer) -> None:
    delivered(home, (TALK, "otto", True))
    forget(asking(home), users=[USER], at_destinations=True)
    assert {person for _, person in server.deleted} == {USER}


def test_a_project_that_is_not_the_one_set_now_is_not_asked(home: Home, server: DeletionServer) -> None:
    home.environ["AMPLITUDE_API_KEY"] = "another"
    found = forget(asking(home), users=[USER], at_destinations=True)
    assert {place for place, _ in server.deleted} == {POSTHOG, MIXPANEL}
    assert any(one.destination == "amplitude" for one in found.elsewhere)


def test_the_id_that_was_sent_is_the_one_that_is_deleted(tmp_path: Path, server: DeletionServer) -> None:
    """Where ids hold words of messages, events leave under a hash: that is the person there, and in the outbox."""
    user, name = "Maja of Gothenburg", "Where do I find the form for Maja?"
    sent, known = hashed_identity(user), hashed_identity(name)
    server.persons |= {sent}
    home = Home(tmp_path, {"CPA_DESTINATIONS": "posthog,amplitude,mixpanel", **server.environ()})
    home.write("a.json", json.dumps({name: talk(user), "others": talk("otto")}))
    home.land()
    delivered(home, (known, sent, True), ("others", "otto", True))
    outbox = tmp_path / "home" / "outbox" / "2026-03-04.jsonl"
    outbox.parent.mkdir()
    lines = [{"distinct_id": d, "properties": {"conversation_id": c}} for d, c in ((sent, known), ("otto", "others"))]
    outbox.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    forget(asking(home), users=[user], at_destinations=True)
    assert server.deleted == {(place, sent) for place in PLACES.values()}
    assert [json.loads(line)["distinct_id"] for line in outbox.read_text("utf-8").splitlines()] == ["otto"]
    assert {row["distinct_id"] for row in home.rows("select distinct_id from upload_receipts")} == {"otto"}


def test_what_is_old_is_nobodys_person(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert cpa(home, "forget --older-than 3 --at-destinations") == 2
    assert "set the retention of each destination there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "written", "address"),
    [
        ("posthog", {"POSTHOG_HOST": "https://eu.i.posthog.com"}, "https://eu.posthog.com/api/projects/"),
        ("posthog", {"POSTHOG_HOST": "eu.posthog.com"}, "https://eu.posthog.com/api/projects/"),
        ("posthog", {}, "https://us.posthog.com/api/projects/"),
        ("posthog", {"POSTHOG_HOST": "https://app.posthog.com"}, "https://us.posthog.com/api/projects/"),
        ("posthog", {"POSTHOG_HOST": "https://ph.example.org"}, "https://ph.example.org/api/projects/"),
        ("amplitude", {}, "https://amplitude.com/api/2/"),
        ("amplitude", {"AMPLITUDE_URL": "eu"}, "https://analytics.eu.amplitude.com/api/2/"),
        (
            "amplitude",
            {"AMPLITUDE_URL": "https://api.eu.amplitude.com/batch"},
            "https://analytics.eu.amplitude.com/api/",
        ),
        ("amplitude", {"AMPLITUDE_URL": "https://api2.amplitude.com/2/httpapi"}, "https://amplitude.com/api/2/"),
        ("mixpanel", {}, "https://mixpanel.com/api/app/"),
        ("mixpanel", {"MIXPANEL_URL": "EU"}, "https://eu.mixpanel.com/api/app/"),
        ("mixpanel", {"MIXPANEL_URL": "https://api-in.mixpanel.com"}, "https://in.mixpanel.com/api/app/"),
    ],
)
def test_the_deletion_goes_to_the_region_of_the_events(name: str, written: dict[str, str], address: str) -> None:
    assert f'"{address}' in DELETIONS[name].curl(settings(written), USER)


@pytest.mark.slow
def test_killed_between_the_question_and_the_receipt_it_asks_again_and_ends_the_same(
    home: Home, server: DeletionServer
) -> None:
    process = None

    def killed(asked: Asked) -> Fault | None:
        if asked.path == AMPLITUDE and process is not None and process.poll() is None:
            server.answer(asked)
            process.kill()
            process.wait()
        return None

    server.script = killed
    process = started(home, f"forget --user {USER} --at-destinations --yes")
    assert ended(process)[0] == -9
    assert receipts(home)["amplitude"] == ("asked", None, None)
    assert main(["forget", "--user", USER, "--at-destinations", "--yes"], environ(home)) == 0
    assert {status for status, *_ in receipts(home).values()} == {"promised"}
    assert server.deleted == {(place, USER) for place in PLACES.values()}
    assert [asked.path for asked in server.asked].count(AMPLITUDE) == 2
    assert home.rows(OF_MAJA) == []


def test_every_key_of_the_servers_is_one_that_a_vendor_reads() -> None:
    assert KEYS.keys() == set(PLACES.values()) and PLACES.keys() == DELETIONS.keys()
