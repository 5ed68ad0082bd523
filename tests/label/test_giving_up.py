"""A hopeless conversation costs few calls and holds no other's events back; no innocent one is given up."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from cpa_core.cli.display import failure_lines
from cpa_core.errors import ProviderFailed, ProviderStopped
from cpa_core.llm import Reply, Request
from cpa_core.llm.abilities import Abilities
from cpa_core.pipeline import DayDone, ask_again, due_days, land, run_day
from cpa_core.pipeline.abilities import remember
from cpa_core.schema import dump
from tests.llm.test_stopping import home_of
from tests.servers.chat_completions import Behaviour, ChatServer, Says
from tests.support.commands import ONE_EACH, cpa
from tests.support.fakes import DAY
from tests.support.homes import NOW, Home, turn
from tests.support.models import Model

HOPELESS = "c003-0"
NIGHT = timedelta(hours=24)


class Weak(Model):
    """A model that answers one conversation in prose, or cut off, and the others well."""

    def __init__(self, word: str = HOPELESS, outcome: str = "invalid") -> None:
        super().__init__()
        self.word, self.outcome = word, outcome

    def call(self, request: Request) -> Reply:
        """Its answer."""
        self.requests.append(request)
        if self.word in request.user and request.task == "tag":
            return Reply(outcome="truncated") if self.outcome == "truncated" else Reply(outcome="ok", text="Prose.")
        return Reply(outcome="ok", text=self.usual(request))

    def about_hopeless(self) -> int:
        """Calls for it so far."""
        return sum(self.word in request.user for request in self.requests)


def night(home: Home, model: Model, number: int, after: timedelta = NIGHT) -> DayDone | None:
    """A run on the day, if it is due, that many nights later."""
    at = NOW + number * after
    assistant = home.assistant(provider=lambda name: model, now=lambda: at)
    land(assistant)
    due = [row["day"] for row in due_days(assistant)]
    done = [run_day(assistant, day, retag=False) for day in due]
    return next((one for one in done if one.day == DAY), None)


def counted(home: Home) -> list[int]:
    """How often failures counted, by question."""
    return [row["counted"] for row in home.rows("select counted from unusable_answers order by all")]


@pytest.mark.parametrize("outcome", ["invalid", "truncated"])
@pytest.mark.parametrize("others", [True, False], ids=["beside new conversations", "alone"])
def test_a_hopeless_conversation_is_given_up_after_the_third_failure_and_the_others_are_delivered(
    tmp_path: Path, outcome: str, others: bool
) -> None:
    home, model = home_of(tmp_path, 8), Weak(outcome=outcome)
    sent = []
    for number in range(5):
        if others:
            home.write(f"n{number}.json", {f"n{number}": [turn("Hello there", f"2026-03-0{5 + number}T09:00:00Z")]})
        done = night(home, model, number)
        sent.append(done and done.delivered and done.delivered.accepted)
        if number == 2:
            before = model.about_hopeless()
            assert done and done.tagged.final_failures == 1 and not done.is_whole
    assert sent == [None, None, 22, None, None] and model.about_hopeless() == before
    assert home.rows("select retryable from failures") == [{"retryable": False}]
    assert counted(home) == [3]


@pytest.mark.parametrize("outcome", ["invalid", "truncated"])
def test_a_failure_that_counted_is_neither_asked_nor_paid_again_within_six_hours(tmp_path: Path, outcome: str) -> None:
    home, model = home_of(tmp_path, 8), Weak(outcome=outcome)
    night(home, model, 0)
    calls = len(model.requests)
    kept = home.rows("select * from failures") + home.rows("select * from tagged_conversations order by all")
    for number in range(1, 6):
        done = night(home, model, number, timedelta(hours=1))
        assert done and (done.tagged.failures, done.tagged.postponed, done.judged.failures) == (1, 1, 0)
        assert done.held and "waits until 2026-03-10 18:00 UTC" in done.held and not done.is_whole
    assert len(model.requests) == calls and counted(home) == [1]
    assert home.rows("select * from failures") + home.rows("select * from tagged_conversations order by all") == kept
    night(home, model, 6, timedelta(hours=1))
    assert len(model.requests) > calls and counted(home) == [2]


def test_a_day_that_waits_says_until_when_and_one_that_does_not_is_asked(tmp_path: Path) -> None:
    home, model = home_of(tmp_path, 8), Weak()
    night(home, model, 0)
    made = home.assistant(now=lambda: NOW + timedelta(hours=1))
    (row,) = due_days(made)
    assert row["reason"] == "1 conversations not finished, waits until 2026-03-10 18:00 UTC" and row["waits_until"]
    with made.store.writing() as transaction:
        transaction.execute("delete from judge_scores where conversation_id = 'c001'")
    (row,) = due_days(made)
    assert row["reason"] == "2 conversations not finished" and row["waits_until"] is None
    with made.store.writing() as transaction:
        transaction.execute("delete from judge_scores where conversation_id = 'c003'")
    night(home, model, 1, timedelta(hours=1))
    assert home.rows("select count(*) as n from judge_scores") == [{"n": 8}], "only what failed waits"


def test_a_person_or_another_way_of_asking_ends_the_wait(tmp_path: Path) -> None:
    home, model = home_of(tmp_path, 8), Weak()
    night(home, model, 0)
    assert ask_again(home.assistant()) == 1
    calls = model.about_hopeless()
    night(home, model, 1, timedelta(hours=1))
    assert model.about_hopeless() > calls and counted(home) == [1]
    home.environ["CPA_MODEL"] = "compatible:another"
    calls = model.about_hopeless()
    night(home, model, 2, timedelta(hours=1))
    assert model.about_hopeless() > calls


def test_a_wait_is_shown_with_its_time(tmp_path: Path) -> None:
    home = home_of(tmp_path, 8)
    night(home, Weak(), 0)
    (line,) = failure_lines(home.assistant(now=lambda: NOW + timedelta(hours=1)), [DAY])
    assert line.endswith("(waits until 2026-03-10 18:00 UTC; cpa run --retry-final asks at once)")
    (line,) = failure_lines(home.assistant(now=lambda: NOW + timedelta(hours=7)), [DAY])
    assert line.endswith("(tried again on the next run)")


def test_how_long_is_a_setting(tmp_path: Path) -> None:
    home, model = home_of(tmp_path, 8, CPA_GIVE_UP_HOURS="0"), Weak()
    for number in range(3):
        night(home, model, number, timedelta(minutes=1))
    assert counted(home) == [3] and night(home, model, 4) is None


class Down(Model):
    """A server that answers nobody."""

    def call(self, request: Request) -> Reply:
        """Nothing."""
        self.requests.append(request)
        raise ProviderFailed("status 503")


class Useless(Model):
    """A model whose every answer is prose."""

    def call(self, request: Request) -> Reply:
        """Prose."""
        self.requests.append(request)
        return Reply(outcome="ok", text="Prose.")


@pytest.mark.parametrize("model", [Down(), Useless()], ids=["down", "useless"])
def test_a_server_that_is_down_or_useless_for_three_nights_makes_nothing_final(tmp_path: Path, model: Model) -> None:
    home = home_of(tmp_path, 2)
    for number in range(4):
        with suppress(ProviderStopped):
            night(home, model, number)
    assert counted(home) == []
    done = night(home, Model(), 5)
    assert done and done.is_whole


@pytest.mark.parametrize("model", [Down(), Useless()], ids=["down", "useless"])
def test_a_bad_night_in_between_counts_as_none(tmp_path: Path, model: Model) -> None:
    home, weak = home_of(tmp_path, 8), Weak()
    night(home, weak, 0)
    night(home, model, 1)
    night(home, weak, 2)
    assert counted(home) == [2]


def test_another_kind_of_failure_begins_anew(tmp_path: Path) -> None:
    home = home_of(tmp_path, 8)
    for number, outcome in enumerate(("invalid", "invalid", "truncated", "invalid", "invalid")):
        night(home, Weak(outcome=outcome), number)
    assert counted(home) == [2]


def given_up(home: Home) -> Weak:
    """The home once its hopeless conversation is given up, and the model that did it."""
    model = Weak()
    for number in range(3):
        night(home, model, number)
    assert counted(home) == [3] and night(home, model, 3) is None
    model.requests.clear()
    return model


@pytest.mark.parametrize(
    "given",
    [
        {"CPA_MODEL": "compatible:another"},
        {"CPA_COMPATIBLE_URL": "http://127.0.0.1:9/v1"},
        {"CPA_COMPATIBLE_STRUCTURED": "prompt"},
    ],
    ids=["model", "endpoint", "structure"],
)
def test_what_is_given_up_is_asked_again_alone_when_the_way_of_asking_changes(
    tmp_path: Path, given: dict[str, str]
) -> None:
    home = home_of(tmp_path, 8)
    model = given_up(home)
    home.environ |= given
    night(home, model, 4)
    assert model.about_hopeless() > 0 and {r.task for r in model.requests} == {"tag"}
    assert counted(home) == [1]


def test_what_is_given_up_is_asked_again_when_the_schema_changes_and_when_the_conversation_does(tmp_path: Path) -> None:
    home = home_of(tmp_path, 8)
    model = given_up(home)
    newer = ONE_EACH.model_copy(update={"description": "Another description."})
    (tmp_path / "schema.yml").write_text(dump(newer), "utf-8")
    night(home, model, 4)
    assert model.about_hopeless() == len(model.requests) - 1, "the other is the control, about a greeting"
    home.write("later.json", {"c003": [turn("c003-0 is said later", "2026-03-04T10:00:00Z")]})
    night(home, model, 5)
    assert counted(home) == [1]


def test_what_is_given_up_is_asked_again_when_a_person_says_so(tmp_path: Path) -> None:
    home = home_of(tmp_path, 8)
    model = given_up(home)
    assert ask_again(home.assistant()) == 1
    done = night(home, Model(), 4)
    assert done and done.is_whole and model.requests == []


def test_a_day_of_which_everything_is_given_up_is_reported_and_not_delivered(tmp_path: Path) -> None:
    class Hopeless(Weak):
        def call(self, request: Request) -> Reply:
            self.requests.append(request)
            if "c00" in request.user:
                return Reply(outcome="ok", text="Prose.")
            return Reply(outcome="ok", text=self.usual(request))

    home, model = home_of(tmp_path, 2), Hopeless()
    for number in range(4):
        done = night(home, model, number)
    assert done and done.delivered is None and "4 are given up" in done.held and not done.is_whole
    calls = len(model.requests)
    done = night(home, model, 5)
    assert done and "4 are given up" in done.held and len(model.requests) == calls


def test_an_open_day_names_both_ways_out_and_one_of_them_delivers_it(
    tmp_path: Path, chat_server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_of(tmp_path, 8, CPA_COMPATIBLE_URL=chat_server.url)
    chat_server.behaviour = Behaviour(lambda body, nth: Says("Prose.") if HOPELESS in str(body) else None)
    assert cpa(home, "run") == 1
    (held,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("held back: ")]
    assert "cpa run asks for them again" in held and "cpa run --deliver-incomplete" in held
    assert cpa(home, "run --deliver-incomplete") == 1
    assert home.rows("select count(*) as n from upload_receipts")[0]["n"] > 0


def test_the_command_asks_again_what_was_given_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = home_of(tmp_path, 2)
    with home.assistant().store.writing() as transaction:
        transaction.insert("unusable_answers", [{"task": "tag", "conversation_id": "c1", "is_final": True}])
    home.environ["CPA_MODEL"] = "reference:annotations"
    cpa(home, "run --retry-final")
    assert "asked again: 1 questions that were given up or waited" in capsys.readouterr().out
    assert home.rows("select * from unusable_answers") == []


def test_a_question_that_was_given_up_is_asked_again_once_the_server_is_found_to_take_another_form(
    tmp_path: Path,
) -> None:
    home, model = home_of(tmp_path, 8, CPA_COMPATIBLE_URL="http://h/v1"), Weak()
    remembered = remember, home.assistant().store, lambda: NOW, "http://h/v1", "test-model"
    for number in range(3):
        night(home, model, number)
        remembered[0](*remembered[1:], Abilities(structured="prompt"))
    assert counted(home) == [2], "the first run began without knowing how the server is asked"
    night(home, model, 3)
    assert counted(home) == [3]
    remembered[0](*remembered[1:], Abilities(structured="strict"))
    asked = model.about_hopeless()
    home.write("new.json", {"n1": [turn("Hello there", "2026-03-04T09:00:00Z")]})
    night(home, model, 4)
    assert model.about_hopeless() > asked and counted(home) == [1]
