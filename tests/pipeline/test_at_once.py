"""Runs at once, in threads that share nothing but the home: no row is lost, no question asked twice."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from cpa_core.pipeline import Assistant, due_days, land, run_day, summaries
from cpa_core.store import Store
from tests.servers.chat_completions import ChatServer

DAYS = [date(2026, 3, day) for day in range(4, 8)]


def turns(day: date, which: int) -> list[tuple[str, str, str]]:
    said = ("user", f"Which form is for case {which}?"), ("assistant", "That one.")
    return [(role, words, f"{day}T09:00:0{n}Z") for n, (role, words) in enumerate(said)]


def all_at_once(calls: Sequence[Callable[[], object]]) -> list[Exception]:
    """What they raised."""
    raised: list[Exception] = []
    start = threading.Barrier(len(calls))

    def work(call: Callable[[], object]) -> None:
        start.wait()
        try:
            call()
        except Exception as error:  # noqa: BLE001
            raised.append(error)

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def another(one: Assistant, run_id: str) -> Assistant:
    """The assistant as another process has it."""
    return replace(one, store=Store(one.settings.home), run_id=run_id)


def test_four_days_at_once_beside_a_reader_lose_nothing(
    assistant: Callable[..., Assistant], chat_server: ChatServer
) -> None:
    made = assistant({f"c{n}": turns(DAYS[n], n) for n in range(4)})
    land(made)
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.05):
            due_days(another(made, "reader"))

    def runs() -> None:
        raised.extend(all_at_once([lambda n=n: run_day(another(made, f"r{n}"), DAYS[n]) for n in range(4)]))  # type: ignore[misc]
        over.set()

    raised: list[Exception] = []
    raised += all_at_once([read, runs])
    assert raised == []
    assert [(row["conversations"], row["undelivered"], row["failures"]) for row in summaries(made, DAYS)] == [
        (1, 0, 0)
    ] * 4
    assert len(chat_server.calls) == 8
    assert due_days(made) == []


def test_eight_runs_of_one_day_at_once_have_one_result(
    assistant: Callable[..., Assistant], chat_server: ChatServer
) -> None:
    made = assistant({f"c{n}": turns(DAYS[0], n) for n in range(2)})
    land(made)
    calls = [lambda n=n: run_day(another(made, f"r{n}"), DAYS[0]) for n in range(8)]  # type: ignore[misc]
    assert all_at_once(calls) == []
    (found,) = summaries(made, DAYS[:1])
    assert (found["conversations"], found["failures"], found["undelivered"]) == (2, 0, 0)
    assert len(chat_server.calls) == 4
    outbox = (made.settings.home / "outbox" / f"{DAYS[0]}.jsonl").read_text("utf-8").splitlines()
    assert len(outbox) == found["receipts"] == found["events"] + 2
