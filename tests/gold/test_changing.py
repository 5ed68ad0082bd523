"""Labels before and after another model, prompt or schema, beside the same labels by people."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from cpa_core.cli import main
from cpa_core.gold.agreement import cohen
from cpa_core.gold.changing import SaidLabels, agreement_changes, last_replaced
from cpa_core.gold.reviews import part_of
from cpa_core.llm import ModelName
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.earlier import changes_of_agreement
from cpa_core.pipeline.gold.ledger import gold_folder
from cpa_core.pipeline.label.day import tag_and_judge_day, tag_day
from cpa_core.store.database import Row
from tests.support.labelled import ASKING, THANKS, LabelledHome, labelled_home, talks
from tests.support.models import Model

MESSAGES = [f"m{n}" for n in range(10)]


def said(talk: int, model: str, found: Sequence[str], **more: Any) -> SaidLabels:
    """One tagger's labels of a talk of ten messages."""
    about = {"task": "tag", "schema_version": "v", "prompt_id": "p", "content_hash": "h", "asked": ("k",)}
    return SaidLabels(**about | {"model": model, "conversation_id": f"c{talk}", "said": {"k": tuple(found)}} | more)


def people(talk: int, truth: Sequence[str], user: str | None = None) -> list[Row]:
    """What people say of its messages."""
    about = {"kind": "event", "key": "k", "conversation_id": f"c{talk}", "user_id": user}
    return [about | {"message_id": one, "present": one in truth} for one in MESSAGES]


def simulated(count: int, errors: tuple[float, float], seed: int = 1) -> tuple[list[Row], list[Any]]:
    """Talks of two to a user, whose labels two taggers get wrong with these chances."""
    random = Random(seed)
    items: list[Row] = []
    pairs = []
    for n in range(count):
        truth = [one for one in MESSAGES if random.random() < 0.3]
        items += people(n, truth, f"u{n // 2}")
        by = [[m for m in MESSAGES if (m in truth) != (random.random() < wrong)] for wrong in errors]
        pairs.append((said(n, "one", by[0]), said(n, "two", by[1])))
    return items, pairs


def test_the_difference_of_kappas_and_its_interval_are_computed_a_second_time() -> None:
    from scipy.stats import t
    from sklearn.metrics import cohen_kappa_score

    items, pairs = simulated(40, (0.2, 0.1))
    (found,) = agreement_changes(items, pairs)
    truth = np.array([row["present"] for row in items]).reshape(20, 20)
    one, two = (np.array([m in pair[n].said["k"] for pair in pairs for m in MESSAGES]).reshape(20, 20) for n in (0, 1))

    def gained(users: np.ndarray) -> float:
        kappas = [cohen_kappa_score(truth[users].ravel(), by[users].ravel()) for by in (one, two)]
        return float(kappas[1] - kappas[0])

    everyone = np.arange(20)
    left = np.array([gained(np.delete(everyone, n)) for n in everyone])
    half = t.ppf(0.975, 19) * np.sqrt(19 / 20 * ((left - left.mean()) ** 2).sum())
    assert found.difference.value == pytest.approx(gained(everyone))
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (gained(everyone) - half, gained(everyone) + half)
    )
    assert found.kappa_after == pytest.approx(cohen_kappa_score(truth.ravel(), two.ravel()))
    assert (found.conversations, found.positives, found.verdict) == (40, truth.sum(), "better")


@pytest.mark.parametrize(
    ("count", "errors", "verdict"),
    [
        (40, (0.1, 0.3), "worse"),
        (40, (0.1, 0.1), "no clear difference"),
        (40, (0.0, 0.0), "no clear difference"),  # both are right in everything
        (29, (0.1, 0.4), "too little data"),
        (1, (0.1, 0.4), "too little data"),
    ],
)
def test_a_change_is_better_or_worse_only_beyond_chance(count: int, errors: tuple[float, float], verdict: str) -> None:
    (found,) = agreement_changes(*simulated(count, errors))
    assert found.verdict == verdict
    ends = (found.difference.low, found.difference.high)
    assert ends == (None, None) or -2 <= (ends[0] or 0.0) <= (found.difference.value or 0.0) <= (ends[1] or 0.0) <= 2


def test_pairing_makes_the_interval_narrower_than_two_samples_would() -> None:
    """Where taggers err alike the difference is known better than either kappa."""
    items, pairs = simulated(40, (0.2, 0.2))
    alike = [(old, new.model_copy(update={"said": old.said})) for old, new in pairs[:30]] + pairs[30:]
    widths = []
    for of in (alike, pairs):
        (found,) = agreement_changes(items, of)
        assert found.difference.low is not None and found.difference.high is not None
        widths.append(found.difference.high - found.difference.low)
    assert widths[0] < widths[1]


def test_a_verdict_that_cannot_be_told_is_left_out_on_both_sides() -> None:
    rows = [
        {
            "kind": "criterion",
            "key": "g",
            "conversation_id": f"c{n}",
            "user_id": None,
            "message_id": None,
            "present": n % 2,
        }
        for n in range(4)
    ]

    def verdict(talk: int, model: str, word: str) -> SaidLabels:
        return said(talk, model, (), task="judge", asked=("g",), said={"g": (word,)})

    words = [("met" if n % 2 else "missed", "cannot tell" if n == 3 else "met") for n in range(4)]
    pairs = [(verdict(n, "one", old), verdict(n, "two", new)) for n, (old, new) in enumerate(words)]
    (found,) = agreement_changes(rows, pairs)
    assert (found.conversations, found.kappa_before, found.kappa_after) == (3, 1.0, 0.0)


def test_the_last_change_of_most_conversations_is_the_one_that_is_compared() -> None:
    first = [said(n, "one", ["m1"]) for n in range(6)]
    second = [said(n, "two", ["m2"]) for n in range(5)]
    now = [said(n, "three", ["m3"]) for n in range(5)] + [said(5, "two", ["m2"])]
    other = said(9, "one", [])
    pairs = last_replaced([*first, *second, other], now)
    assert [(old.model, new.model) for old, new in pairs] == [("two", "three")] * 5
    assert last_replaced(second, second) == []
    changed = [one.model_copy(update={"content_hash": "other"}) for one in now]
    assert last_replaced(first, changed) == [], "a conversation that says something else is another"


def test_a_label_that_one_of_both_did_not_know_is_not_compared() -> None:
    items, pairs = simulated(5, (0.1, 0.1))
    old = [(a.model_copy(update={"asked": ()}), b) for a, b in pairs]
    assert agreement_changes(items, old) == ()


def assistant_of(home: LabelledHome, model: Model, name: str) -> Assistant:
    """An assistant whose questions this model answers."""
    home.home.environ["CPA_MODEL"] = f"compatible:{name}"

    def provider(asked: ModelName) -> Model:
        return model

    return home.home.assistant(provider=provider)


def tagged(home: LabelledHome) -> dict[tuple[str, str, str], bool]:
    rows = home.home.rows("select conversation_id, message_id, event_type from tagged_events")
    return {(row["conversation_id"], row["message_id"], row["event_type"]): True for row in rows}


def kappa(home: LabelledHome, name: str, tags: dict[tuple[str, str, str], bool]) -> float | None:
    counts = [0, 0, 0, 0]
    for n, talk in enumerate(home.talks):
        for m, (role, truth, _) in enumerate(talk.messages) if part_of(f"c{n:04}") == "measure" else ():
            if role == "user":
                is_tagged = (f"c{n:04}", f"m{m}", name) in tags
                counts[(name not in truth) + 2 * (not is_tagged)] += 1
    return cohen(*counts)


@pytest.mark.slow
def test_another_model_is_compared_with_the_one_before_on_what_people_labelled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = labelled_home(tmp_path, talks(12, days=2))
    home.read(range(12))
    before = tagged(home)
    days = sorted({talk.day for talk in home.talks})
    assistant = assistant_of(home, Model(), "two")
    assert changes_of_agreement(assistant) == ()
    for day in days:
        tag_and_judge_day(assistant, day)
    found = {(one.kind, one.key.partition("|")[0]): one for one in changes_of_agreement(assistant)}
    after = tagged(home)
    assert before != after
    for name in (ASKING, THANKS):
        one = found["event", name]
        assert one.kappa_before == pytest.approx(kappa(home, name, before))
        assert one.kappa_after == pytest.approx(kappa(home, name, after))
        assert (one.before.model, one.after.model) == ("fake:one", "compatible:two")
    assert {kind for kind, _ in found} == {"event", "criterion", "dealbreaker"}
    path = gold_folder(assistant.settings) / "replaced.jsonl"
    kept = path.read_text("utf-8")
    assert kept.count("\n") == 24 and " at " not in kept, "each conversation once a task, without words of messages"
    tag_day(assistant, days[0])
    assert path.read_text("utf-8") == kept, "the same tagger replaces nothing"
    environ = {**home.home.environ, "CPA_HOME": str(assistant.settings.home)}
    assert main(["gold", "status"], environ) == 0
    assert "model fake:one to compatible:two" in capsys.readouterr().out


@pytest.mark.slow
def test_without_labels_by_people_nothing_is_kept(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(3, days=1))
    assistant = assistant_of(home, Model(), "two")
    tag_and_judge_day(assistant, home.talks[0].day)
    assert not gold_folder(assistant.settings).exists() and changes_of_agreement(assistant) == ()
