"""The same conversations asked again: what another model does to a rate, and what the order of the question does."""

import json
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from cpa_core.cli import main
from cpa_core.errors import BudgetReached
from cpa_core.gold.probing import ProbedLabels, drawn_again, drawn_anchors, instrument_shifts, turned
from cpa_core.insights import Estimate, Kind, selected, whole
from cpa_core.llm import ModelName, Reply, Request
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import gold_folder
from cpa_core.pipeline.gold.probing import ProbeResult, kept_probes, planned_probe, quote_probe, run_probe
from cpa_core.pipeline.label.redact import asked_by
from cpa_core.report.comparing import Declared, declared_changes
from tests.support.homes import NOW
from tests.support.labelled import ASKING, FIRST, SCHEMA, THANKS, LabelledHome, labelled_home, talks
from tests.support.models import Model

pytestmark = pytest.mark.slow


def assistant_of(home: LabelledHome, model: Model, name: str = "one") -> Assistant:
    """An assistant whose questions this model answers."""
    home.home.environ["CPA_MODEL"] = f"compatible:{name}"

    def provider(asked: ModelName) -> Model:
        return model

    return home.home.assistant(provider=provider)


def probed(home: LabelledHome, model: Model, name: str = "one", again: float = 0.0) -> ProbeResult:
    """A probe of eight anchors."""
    assistant = assistant_of(home, model, name)
    return run_probe(assistant, planned_probe(assistant, 8, again))


def without(kind: str) -> Model:
    """The usual model, which never sees one type."""

    def says(request: Request) -> Reply | None:
        if request.task != "tag":
            return None
        rows = json.loads(Model.usual(request))["messages"]
        kept = [f"{row.split()[0]} -" if f"|{kind}" in row else row for row in rows]
        return Reply(outcome="ok", text=json.dumps({"messages": kept}))

    return Model(says)


def count_of(kind: str, model: Model) -> int:
    """How often the model gave a type in the usual order."""
    found = [one for one in model.requests if one.task == "tag" and one.system.index(ASKING) < one.system.index(THANKS)]
    return sum(f"|{kind}" in row for one in found for row in json.loads(Model.usual(one))["messages"])


def test_the_shift_of_another_model_is_told_and_what_it_left_alone_is_none(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(12))
    first, second = Model(), without(THANKS)
    before = probed(home, first)
    assert before.shifts == () and before.since is None and before.unanswered == 0
    after = probed(home, second, "two")
    shifts = {one.label.partition("|")[0]: one for one in after.shifts}
    asked = 8 * 5  # messages of a user in eight anchors
    assert count_of(THANKS, first) > 0
    assert shifts[THANKS].before == pytest.approx(count_of(THANKS, first) / asked)
    assert shifts[THANKS].after == 0 and shifts[THANKS].conversations == 8
    assert shifts[ASKING].difference.value == 0
    assert after.since == "compatible:one"


def test_a_probe_that_was_paid_for_costs_nothing_again_and_changes_no_figure_of_a_day(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(12))
    tables = ("tagged_events", "tagged_conversations", "judge_scores", "days")
    before = [home.home.rows(f"select * from {name} order by all") for name in tables]
    probed(home, Model(), again=0.3)
    again = Model()
    quoted = quote_probe(assistant_of(home, again), planned_probe(home.assistant, 8, 0.3))
    assert sum(line.questions for line in quoted.lines) == 0 and quoted.anchors == 8
    probed(home, again, again=0.3)
    assert again.requests == []
    assert [home.home.rows(f"select * from {name} order by all") for name in tables] == before


def test_labels_that_hang_on_the_order_of_the_question_are_counted_as_flips(tmp_path: Path) -> None:
    """The model takes a type by its place among those of its role: two of a user change places, one stays alone."""
    home = labelled_home(tmp_path, talks(12))
    found = {one.label.partition("|")[0]: one.flipped for one in probed(home, Model(), again=1.0).flips}
    assert found[ASKING].of > 0 and found[ASKING].count == found[ASKING].of
    assert found[THANKS].count == found[THANKS].of
    assert found["Answer"].of > 0 and found["Answer"].count == 0


@pytest.mark.parametrize("is_gullible", [True, False])
def test_a_judge_that_a_message_can_tell_its_verdicts_is_found_out(tmp_path: Path, is_gullible: bool) -> None:
    def says(request: Request) -> Reply | None:
        if request.task != "judge":
            return None
        tree = json.loads(Model.usual(request))
        for goal in tree["goals"]:
            goal["verdict"] = "met" if is_gullible and "the review is finished" in request.user else "missed"
        for breaker in tree["dealbreakers"]:
            breaker["hit"] = False
        return Reply(outcome="ok", text=json.dumps(tree))

    home, model = labelled_home(tmp_path, talks(12)), Model(says)
    assistant = assistant_of(home, model)
    wanted = planned_probe(assistant, 8, 0.5)
    quoted = quote_probe(assistant, wanted)
    found = run_probe(assistant, wanted)
    asked = len(wanted.again) * len(SCHEMA.criteria.goals())
    assert (found.followed.count, found.followed.of) == (asked if is_gullible else 0, asked) and asked
    assert found.unanswered == 0
    assert sum(line.questions for line in quoted.lines) == len(model.requests), "the quote has these questions too"
    told = [one for one in model.requests if "the review is finished" in one.user]
    assert {one.task for one in told} == {"judge"} and len(told) == len(wanted.again)
    assert all("the review is finished" not in line for line in home_files(home)), "no words of a message are kept"


def home_files(home: LabelledHome) -> list[str]:
    """The lines of the gold files of a home."""
    return [
        line for path in gold_folder(home.assistant.settings).glob("*.jsonl") for line in path.read_text().split("\n")
    ]


def test_the_anchors_stay_whatever_lands_later(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(12))
    assistant = assistant_of(home, Model())
    first = planned_probe(assistant, 5, 0.0)
    run_probe(assistant, first)
    anchors = {one.conversation_id for one in first.anchors}
    home.talks += talks(40, seed=2)
    home.store()
    assert {one.conversation_id for one in planned_probe(home.assistant, 30, 0.0).anchors} == anchors and len(
        anchors
    ) == 5


def test_a_dry_run_asks_nothing_and_no_word_of_a_message_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = labelled_home(tmp_path, talks(6))
    assistant = assistant_of(home, Model())
    environ = {**home.home.environ, "CPA_HOME": str(assistant.settings.home)}
    assert main(["gold", "probe", "--dry-run", "--size", "3"], environ) == 0
    assert "3 anchor conversations" in capsys.readouterr().out
    assert not gold_folder(assistant.settings).exists()
    probed(home, Model())
    kept = (gold_folder(assistant.settings) / "probes.jsonl").read_text("utf-8")
    assert kept.count("\n") == 2 * 6 and " at " not in kept


def test_a_budget_stops_a_probe(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(12))
    prices = tmp_path / "prices.yml"
    prices.write_text("compatible:one: {input: 1000, output: 1000}\n", "utf-8")
    home.home.environ |= {"CPA_BUDGET": "0.0001", "CPA_PRICES": str(prices), "CPA_CONCURRENCY": "1"}
    with pytest.raises(BudgetReached):
        probed(home, Model())


def test_a_declared_change_shows_what_part_of_it_is_the_models(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(12))
    change = FIRST + timedelta(days=5)
    asked = assistant_of(home, Model())
    by = {"schema_version": SCHEMA.version, "prompt_id": asked_by(asked.settings, "tag", SCHEMA)}
    with asked.store.writing() as transaction:  # the days are tagged by one model before the change, by another after
        for table in ("tagged_conversations", "tagged_events"):
            transaction.execute(f"update {table} set prompt_id = $prompt_id, schema_version = $schema_version", **by)
            which = "case when day < $change then 'compatible:one' else 'compatible:two' end"
            transaction.execute(f"update {table} set model = {which}", change=change)
    probed(home, Model())
    alone = parts(home, change)
    probed(home, without(THANKS), "two")
    kept = [one for one in kept_probes(home.assistant) if one.model == "compatible:one" and one.task == "tag"]
    had = sum(f"{THANKS}|user" in one.said for one in kept)
    assert alone == {} and had > 0
    assert parts(home, change)[Kind("user", THANKS)].value == pytest.approx(-had / 8)
    assert parts(home, change)[Kind("user", ASKING)].value == 0


def parts(home: LabelledHome, change: date) -> dict[Kind, Estimate]:
    """What the report says to be the instrument's part of a declared change, by kind of event."""
    store = home.assistant.store
    scope = whole(store)
    assert scope
    with selected(store, scope) as of:
        (found,) = declared_changes(store, of, [Declared(change, "another model")], kept_probes(home.assistant))
    return dict(found.instrument)


def test_a_shift_is_each_conversation_beside_itself_and_users_are_its_units() -> None:
    random = Random(3)
    old, new = [], []
    for n in range(40):
        for found, more in ((old, 0), (new, random.randrange(3))):
            found.append(labels(n, 5 + more, "a" if found is old else "b"))
    (shift,) = instrument_shifts(old, new)
    gaps = [len(b.said["k"]) - len(a.said["k"]) for a, b in zip(old, new, strict=True)]
    by_user = [(sum(gaps[n : n + 2]), 40) for n in range(0, 40, 2)]
    total, of = sum(gap for gap, _ in by_user), 800
    left = [(total - gap) / (of - items) for gap, items in by_user]
    variance = 19 / 20 * sum((one - sum(left) / 20) ** 2 for one in left)
    assert shift.difference.value == pytest.approx(total / of)
    assert shift.difference.low == pytest.approx(total / of - 2.093024 * variance**0.5, abs=1e-6)


def labels(number: int, hits: int, model: str) -> ProbedLabels:
    """What a model said of a conversation of 20 messages; two conversations have one user."""
    return ProbedLabels(
        probed_at=NOW,
        task="tag",
        schema_version="v",
        prompt_id="p",
        model=model,
        order="own",
        unit=f"user {number // 2}",
        conversation_id=f"c{number}",
        content_hash="h",
        items={"k": 20},
        said={"k": tuple(f"m{n}" for n in range(hits))},
    )


def test_draws_of_a_probe_hang_on_ids_alone() -> None:
    frame = [(FIRST, f"c{n}") for n in range(200)]
    assert drawn_anchors(frame, 20, NOW) == drawn_anchors(frame[::-1], 20, NOW)
    assert len(drawn_again(frame, 0.05)) == 10 and drawn_again([], 0.05) == []


def test_turning_a_schema_changes_the_order_alone_and_twice_is_the_same() -> None:
    other = turned(SCHEMA)
    assert other.event_types == SCHEMA.event_types[::-1] and turned(other) == SCHEMA
