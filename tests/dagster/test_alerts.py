"""Alerts: one message for each cause at a webhook on loopback, with numbers and a link and no message's words."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from cpa_core.errors import CpaError
from cpa_core.pipeline import Assistant, land
from cpa_dagster.alerts import missed_ticks, silence, spend
from tests.dagster.test_automation import carried_out, later, tick
from tests.dagster.test_dagster_arrivals import days_of
from tests.support.fakes import Failing
from tests.support.runs import definitions, pipeline, run, scheduled


class Receiver:
    """A webhook; while `refuses`, it takes no message."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refuses = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not outer.refuses:
                    outer.texts.append(body["text"])
                self.send_response(500 if outer.refuses else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    thread = Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def look(assistant: Assistant, instance: dg.DagsterInstance, cursor: str | None) -> str:
    """One tick of the sensor: the cursor that it leaves."""
    defs = definitions(assistant)
    sensor = defs.resolve_sensor_def("alerts")
    context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=defs.get_repository_def())
    sensor.evaluate_tick(context)
    return context.cursor or ""


def told(assistant: Assistant, receiver: Receiver) -> Assistant:
    given = assistant.settings.model_copy(update={"alerts": receiver.url, "dagster_url": "https://dagster.example"})
    return Assistant(settings=given, store=assistant.store, provider=assistant.provider, now=assistant.now)


def test_a_failing_day_is_told_once_however_often_it_is_tried_and_given_up_once(
    failing: Assistant, receiver: Receiver
) -> None:
    made = told(replace(failing, provider=lambda model: Failing("poisoned", "error")), receiver)
    with scheduled() as instance:
        land(made)
        cursor = None
        for minutes in (0.0, 5.1, 30.1):
            carried_out(made, tick(later(made, minutes), instance), instance)
            for _ in range(2):
                cursor = look(made, instance, cursor)
        day = [text for text in receiver.texts if "2026-03-04 failed" in text]
        given_up = [text for text in receiver.texts if "given up after 3 runs" in text]
        assert len(day) == len(given_up) == 1
        assert len(receiver.texts) == len(set(receiver.texts)), "the check that warns is told once too"
        assert (
            "held back: upload_receipts: 2026-03-04: not delivered: 2 open" in day[0]
            and "https://dagster.example/runs/" in day[0]
        )
        assert not [text for text in receiver.texts if "poisoned" in text]


def test_a_receiver_that_is_away_is_told_later(failing: Assistant, receiver: Receiver) -> None:
    made = told(failing, receiver)
    with scheduled() as instance:
        land(made)
        carried_out(made, tick(made, instance), instance)
        receiver.refuses = True
        with pytest.raises(CpaError, match="did not take the message"):
            look(made, instance, None)
        receiver.refuses = False
        cursor = look(made, instance, None)
        told_later = list(receiver.texts)
        assert sum("2026-03-04 failed" in text for text in told_later) == 1
        look(made, instance, cursor)
        assert receiver.texts == told_later, "each cause is told once"


def test_spend_and_silence_are_causes_past_the_line_that_is_set(
    failing: Assistant, receiver: Receiver, assistant: Callable[..., Assistant]
) -> None:
    land(failing)
    with failing.store.writing() as transaction:
        transaction.insert("answers", [{"run_id": "r", "cost": 0.9, "created_at": failing.now()}])
    lines = {"alert_spend": 0.5, "alert_silent_hours": 2.0}
    strict = Assistant(settings=failing.settings.model_copy(update=lines), store=failing.store)
    (over,) = spend(strict)
    assert "$0.90 spent, more than $0.5" in over.words
    assert list(spend(failing)) == list(silence(failing)) == list(silence(strict)) == []
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    (silent,) = silence(Assistant(settings=strict.settings, store=failing.store, now=lambda: tomorrow))
    assert "for more than 2" in silent.words


def test_a_red_check_of_a_run_that_succeeded_is_a_cause_until_it_is_green(
    assistant: Callable[..., Assistant], receiver: Receiver
) -> None:
    made = told(assistant(days_of("2019-05-06", "2026-03-04")), receiver)
    with scheduled() as instance:
        assert run(made, None, only="landed_files", instance=instance).success
        cursor = look(made, instance, look(made, instance, None))
        (red,) = receiver.texts
        assert "check in_partitions of landed_files: error: " in red and "outside 1" in red
        wider = told(assistant(days_of("2026-03-04"), CPA_START_DATE="2019-01-01"), receiver)
        assert run(wider, None, only="landed_files", instance=instance).success
        assert json.loads(look(wider, instance, cursor)) == [], "told again when it comes back"


def test_a_schedule_that_is_on_and_does_not_tick_is_a_cause(failing: Assistant) -> None:
    hours = timedelta(hours=1)
    with scheduled() as instance:
        for since, told_of in ((24 * hours, []), (26 * hours, ["the schedule nightly has not ticked since"])):
            begun = (datetime.now(UTC) - since).timestamp()
            begin(instance, "nightly", begun)
            found = list(missed_ticks(instance, pipeline(failing)))
            assert [cause.words[: len(words)] for cause, words in zip(found, told_of, strict=True)] == told_of
        begin(instance, "theirs", begun)
        assert len(list(missed_ticks(instance, pipeline(failing)))) == 1


def begin(instance: dg.DagsterInstance, schedule: str, at: float) -> None:
    """Let a schedule be on since then, without a tick."""
    where = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="m")), "r")
    origin = RemoteInstigatorOrigin(where, schedule)
    data = ScheduleInstigatorData("0 2 * * *", at)
    state = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
    if instance.get_instigator_state(origin.get_id(), state.selector_id):
        instance.update_instigator_state(state)
    else:
        instance.add_instigator_state(state)


def test_an_issue_is_told_by_its_name_once_for_each_spell(failing: Assistant, receiver: Receiver) -> None:
    made, first = told(failing, receiver), date(2026, 3, 4)
    issue = {"issue_id": "i1", "cause": "path", "title": "Refusal → Complaint", "words": "", "first_found": first}
    issue |= {"owner": "", "note": "", "status": "open"}
    with made.store.writing() as tables:
        tables.insert("issues", [issue])
    cursor = None
    with scheduled() as instance:
        for nth, (state, told_on) in enumerate((("new", 0), ("new", 0), ("gone", 2), ("come back", 3), ("steady", 3))):
            day = {"issue_id": "i1", "day": first + timedelta(days=nth), "state": state, "since": first}
            day |= {
                "told_on": first + timedelta(days=told_on),
                "last_found": first,
                "harmed": 9,
                "of_conversations": 90,
            }
            with made.store.writing() as tables:
                tables.insert("issue_days", [day])
            cursor = look(made, instance, cursor)
        words = [text.partition(": ")[2].partition(" https")[0] for text in receiver.texts]
        assert words == ["new issue: Refusal → Complaint", "issue came back: Refusal → Complaint"]
        with made.store.writing() as tables:
            tables.execute("update issues set status = 'accepted'")
        assert json.loads(look(made, instance, cursor)) == []
