"""Several days in one pass: the same rows and figures as each day alone, with fewer transactions, and one end a day."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cpa_core.destinations import DESTINATIONS, DestinationSpec
from cpa_core.errors import BudgetReached, CpaError, DayIncomplete, DestinationStopped, ProviderStopped, Stopped
from cpa_core.llm import Reply, Request
from cpa_core.models import Event, Receipt
from cpa_core.pipeline import (
    Assistant,
    DayDone,
    Stage,
    build_days,
    deliver_day,
    deliver_days,
    judge_day,
    judge_days,
    land,
    run_day,
    run_days,
    summaries,
    tag_day,
    tag_days,
)
from cpa_core.pipeline.build import ENOUGH
from cpa_core.pipeline.label.questions import CHUNK
from cpa_core.schema import dump
from cpa_core.store import Store
from cpa_core.store.engine import FileEngine
from cpa_core.store.transaction import Transaction
from tests.support.commands import ONE_EACH, chat
from tests.support.deliveries import Scripted
from tests.support.fakes import DAY
from tests.support.homes import Home
from tests.support.models import Model

pytestmark = pytest.mark.slow

TABLES = {
    "tagged_events": "select * exclude (prompt_id) from tagged_events order by all",
    "tagged_conversations": "select * exclude (tagged_at, prompt_id) from tagged_conversations order by all",
    "judge_scores": "select * exclude (judged_at, prompt_id) from judge_scores order by all",
    "failures": "select * exclude (failed_at) from failures order by all",
    "days": "select * from days order by all",
    "upload_receipts": "select * exclude (receipted_at, batch_id) from upload_receipts order by all",
}


class Counted(FileEngine):
    """The engine of a file that counts how often the file is opened."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, home / "cpa.duckdb", 1.0)
        self.opened = self.depth = 0

    @contextmanager
    def _open(self, wait: float | None, *, read_only: bool) -> Iterator[Any]:
        self.opened += not self.depth
        self.depth += 1
        with super()._open(wait, read_only=read_only) as connection:
            yield connection
        self.depth -= 1


def days_of(count: int) -> list[date]:
    return [DAY + timedelta(days=n) for n in range(count)]


def built(folder: Path, model: Model, days: int, conversations: Callable[[int], int] = lambda n: 2) -> Assistant:
    """An assistant over a home of so many built days; `conversations` are those of the nth."""
    home = Home(folder)
    folder.mkdir(exist_ok=True)
    (folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    home.environ |= {
        "CPA_SCHEMA": str(folder / "schema.yml"),
        "CPA_MODEL": "compatible:test-model",
        "CPA_CONCURRENCY": "1",
        "CPA_DESTINATIONS": "scripted",
    }
    talks: dict[str, Any] = {}
    for n, day in enumerate(days_of(days)):
        for one in range(conversations(n)):
            talks |= chat(f"c{n}-{one}", 2, str(day))
    home.write("a.json", json.dumps(talks))
    given = home.assistant(provider=lambda name: model)
    land(given)
    done: list[date] = []
    while len(done) < days:
        done += build_days(given, days_of(days)[len(done) :])
    return given


def rows(given: Assistant) -> dict[str, Any]:
    with given.store.reading() as view:
        return {name: view.rows(sql) for name, sql in TABLES.items()}


def counted(given: Assistant, work: Callable[[Assistant], object]) -> int:
    """How often the work opens the database."""
    engine = Counted(given.store.home)
    store = Store(given.store.home, engine=engine)
    with store.reading():
        pass  # what the first use of a store needs
    engine.opened = 0
    work(Assistant(given.settings, store, now=given.now, provider=given.provider, pacing=given.pacing))
    return engine.opened


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted()
    spec = DestinationSpec("scripted", "", lambda given: made)
    monkeypatch.setitem(DESTINATIONS, "scripted", spec)
    return made


def fails_once_in_three(request: Request) -> Reply | None:
    return Reply(outcome="refused", text="") if "-1-0" in request.user else None


def test_a_pass_over_days_writes_and_reports_what_each_day_alone_does(tmp_path: Path, scripted: Scripted) -> None:
    """Labels, failures, receipts, counts and tokens, whether the pass ends at the last day or before."""
    together, alone = (
        built(tmp_path / name, Model(fails_once_in_three), 4, lambda n: n + 1) for name in ("one", "other")
    )
    days = days_of(4)
    assert tag_days(together, days) == {day: tag_day(alone, day) for day in days}
    assert judge_days(together, days) == {day: judge_day(alone, day) for day in days}
    assert rows(together) == rows(alone) and rows(together)["tagged_events"] and rows(together)["failures"]
    scripted.statuses = {"judged": "rejected"}
    assert deliver_days(together, days) == {day: deliver_day(alone, day) for day in days}
    assert rows(together) == rows(alone) and len(rows(together)["upload_receipts"]) > 20
    assert summaries(together, days) == summaries(alone, days)
    again = deliver_days(together, days)
    assert [one.sent for one in again.values() if not isinstance(one, CpaError)] == [0] * 4
    kept = tag_days(together, days)
    assert [one.asked for one in kept.values() if isinstance(one, Stage)] == [0] * 4


def whole_run(assistant: Assistant, days: Sequence[date]) -> list[DayDone]:
    return list(run_days(assistant, days))


@pytest.mark.parametrize("stages", [(tag_days, judge_days, deliver_days), (whole_run,)])
def test_the_database_is_opened_as_often_for_many_days_as_for_few(
    tmp_path: Path, scripted: Scripted, stages: Sequence[Callable[[Assistant, Sequence[date]], object]]
) -> None:
    opened = []
    for count in (2, 7):
        given = built(tmp_path / str(count), Model(), count)
        opened.append([counted(given, lambda a, s=stage, n=count: s(a, days_of(n))) for stage in stages])  # type: ignore[misc]
    assert opened[0] == opened[1] and sum(opened[0]) <= 50, opened


def test_a_run_over_days_writes_and_reports_what_a_run_of_each_does(tmp_path: Path, scripted: Scripted) -> None:
    """A day that is held back, one whose events are refused, and what a second run leaves as it is."""
    together, alone = (
        built(tmp_path / name, Model(fails_once_in_three), 3, lambda n: n + 1) for name in ("one", "other")
    )
    scripted.statuses = {"judged": "rejected"}
    days = days_of(3)
    for _ in range(2):
        assert whole_run(together, days) == [run_day(alone, day) for day in days]
        assert rows(together) == rows(alone) and rows(together)["upload_receipts"] and rows(together)["failures"]


@pytest.mark.parametrize("at", [0, 5])
def test_a_run_that_stops_has_done_the_days_before(tmp_path: Path, scripted: Scripted, at: int) -> None:
    """Four questions a day; the model stops after so many. The next run asks and sends the rest, and nothing twice."""

    def says(request: Request) -> None:
        if len(model.requests) > at:
            raise ProviderStopped("status 401: no such key")

    model = Model(says)
    given = built(tmp_path, model, 3)
    days, done = days_of(3), list[DayDone]()
    with pytest.raises(ProviderStopped):
        done.extend(run_days(given, days))
    model.says = lambda request: None
    whole_run(given, days)
    assert sum(one.delivered is not None for one in done) == at // 4
    ids = [event.event_id for event in scripted.sent]
    assert len(ids) == len(set(ids)) == 18 and len(model.requests) == 12 + 1


def test_a_transaction_that_builds_takes_no_day_after_many_conversations(tmp_path: Path) -> None:
    given = built(tmp_path, Model(), 3, lambda n: ENOUGH if n == 1 else 1)
    assert list(build_days(given, days_of(3))) == days_of(2)


def test_a_pass_ends_before_a_day_that_another_run_holds_and_after_many_conversations(
    tmp_path: Path, scripted: Scripted
) -> None:
    given = built(tmp_path, Model(), 5, lambda n: CHUNK if n == 1 else 1)
    days = days_of(5)
    with given.store.day_lock(days[3]):
        assert list(tag_days(given, days[2:])) == days[2:3]
        assert list(deliver_days(given, days[2:], deliver_incomplete=True)) == days[2:3]
    assert list(tag_days(given, days)) == days[:2], "the second has as many as fit"
    assert list(tag_days(given, days)) == days, "nothing is left to ask"


@pytest.mark.parametrize("at", [1, 3, 5, 6])
def test_a_stop_ends_the_days_that_it_leaves_open_and_no_other(tmp_path: Path, at: int) -> None:
    """Two conversations a day, one question at a time: the question after `at` is the last that is asked."""

    def says(request: Request) -> None:
        if len(model.requests) > at:
            raise ProviderStopped("status 401: no such key")

    model = Model(says)
    given = built(tmp_path, model, 3)
    days = days_of(3)
    ended = tag_days(given, days)
    finished = [day for day, end in ended.items() if isinstance(end, Stage)]
    assert finished == days[: at // 2]
    assert all("no such key" in str(end) for end in ended.values() if isinstance(end, Stopped))
    assert len(rows(given)["tagged_conversations"]) == min(at, 6) and rows(given)["failures"] == []
    model.says = lambda request: None
    asked = [end.asked for end in tag_days(given, days).values() if isinstance(end, Stage)]
    assert sum(asked) == 6 - at, "each is paid for once"


def test_a_budget_says_what_each_open_day_has_left(tmp_path: Path) -> None:
    def says(request: Request) -> Reply:
        usage = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 500}
        return Reply(outcome="ok", text=Model.usual(request), usage=usage)  # type: ignore[arg-type]

    given = built(tmp_path, Model(says), 4, lambda n: 5)
    (tmp_path / "prices.yml").write_text("compatible:test-model: {input: 0, output: 1000}\n", "utf-8")
    limits = {"prices_path": tmp_path / "prices.yml", "budget": 6.0}
    limited = Assistant(
        given.settings.model_copy(update=limits), given.store, provider=given.provider, pacing=given.pacing
    )
    ended = tag_days(limited, days_of(4))
    left = {day: end for day, end in ended.items() if isinstance(end, BudgetReached)}
    assert 0 < len(left) < 4 and list(left) == days_of(4)[-len(left) :]
    assert all(f"{day}: " in str(end) and "of 5 conversations are left to tag" in str(end) for day, end in left.items())


def test_an_incomplete_day_holds_no_other_back(tmp_path: Path, scripted: Scripted) -> None:
    given = built(tmp_path, Model(), 3)
    days = days_of(3)
    tag_days(given, days)
    for day in (days[0], days[2]):
        judge_day(given, day)
    delivered = deliver_days(given, days)
    assert [isinstance(end, DayIncomplete) for end in delivered.values()] == [False, True, False]
    assert {event.day for event in scripted.sent} == {days[0], days[2]}


class StopsAt(Scripted):
    """A destination that stops at an event, and takes several at once."""

    batch = 4

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def send(self, events: Sequence[Event]) -> Iterator[Receipt]:
        """As scripted, up to the event."""
        for event in events:
            if len(self.sent) >= self.at:
                raise DestinationStopped("scripted: 401: not with this key")
            yield from super().send([event])


@pytest.mark.parametrize("at", [0, 3, 6, 13, 18])
def test_a_destination_that_stops_ends_the_days_that_it_leaves_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Six events a day. What was answered is kept; the rest is sent by the next run, and each once."""
    given = built(tmp_path, Model(), 3)
    days = days_of(3)
    tag_days(given, days)
    judge_days(given, days)
    place = StopsAt(at)
    monkeypatch.setitem(DESTINATIONS, "scripted", DestinationSpec("scripted", "", lambda given: place))
    ended = deliver_days(given, days)
    assert [day for day, end in ended.items() if not isinstance(end, CpaError)] == days[: at // 6]
    assert all(str(end).startswith(f"{day}: ") for day, end in ended.items() if isinstance(end, DestinationStopped))
    delivered = [day["day"] for day in rows(given)["days"] if day["delivered_to"]]
    assert delivered == days[: at // 6]
    place.at = 1_000
    deliver_days(given, days)
    ids = [event.event_id for event in place.sent]
    assert len(ids) == len(set(ids)) == 18 and {row["status"] for row in rows(given)["upload_receipts"]} == {"accepted"}


def test_readings_within_a_reading_see_the_same(tmp_path: Path) -> None:
    """A pass plans its days in one reading, with others inside it."""
    given = built(tmp_path, Model(), 1)

    def count(view: Transaction) -> int:
        return int(view.rows("select count(*) as n from messages")[0]["n"])

    with given.store.reading() as outer, given.store.reading() as inner:
        assert count(outer) == count(inner) == 4
