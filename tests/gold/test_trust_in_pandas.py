"""The trust in each label, as the report shows it, computed a second time in pandas from the raw tables."""

import json
from datetime import timedelta
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cpa_core.gold.reviews import Labelled, answers_on_message
from cpa_core.gold.trust import Trust, corrected_change
from cpa_core.insights import Estimate, Scope
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.gold.ledger import append_reviews
from cpa_core.pipeline.gold.quality import trust_of
from tests.support.labelled import ASKING, FIRST, SCHEMA, LabelledHome, labelled_home, talks

pytestmark = pytest.mark.slow
DAYS = [FIRST + timedelta(days=n) for n in range(10)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> LabelledHome:
    """150 talks of which 110 were drawn and read, some by a second person who errs."""
    made = labelled_home(tmp_path_factory.mktemp("trust"), talks(150))
    draw = draw_gold(made.assistant, WantedDraw(way="random", size=110))
    numbers = [int(item.conversation_id[1:]) for item in draw.items]
    made.read(numbers, draw_id=draw.draw_id)
    random = Random(5)
    for n in numbers[:15]:
        for one in made.reviews(n, "bea"):
            names = [answer.name for answer in one.answers if answer.present and random.random() < 0.8]
            if one.message_id and one.role:
                answers = answers_on_message(SCHEMA, one.role, [Labelled(event_type=name) for name in names])
                append_reviews(made.assistant, [one.model_copy(update={"answers": answers})])
    return made


@pytest.fixture(scope="module")
def found(home: LabelledHome) -> dict[str, Trust]:
    return {one.name: one for one in trust_of(home.assistant)}


@pytest.fixture(scope="module")
def labels(home: LabelledHome) -> pd.DataFrame:
    """What Ana says of each message and talk of the measuring part, beside the tagger and the judge."""
    said = pd.DataFrame(home.home.rows("select * from gold_labels where reviewer = 'ana' and part = 'measure'"))
    tags = pd.DataFrame(home.home.rows("select conversation_id, message_id, event_type, properties from tagged_events"))
    users = pd.DataFrame(home.home.rows("select conversation_id, user_id, day from raw_conversations"))
    judged = pd.DataFrame(home.home.rows("select conversation_id, verdicts from judge_scores"))
    judged["by_judge"] = [json.loads(one)["P1"]["verdict"] for one in judged.verdicts]
    rows = said.merge(users, on="conversation_id").merge(judged[["conversation_id", "by_judge"]], on="conversation_id")
    tags = tags.rename(columns={"event_type": "name", "properties": "by_tagger"})
    rows = rows.merge(tags, on=["conversation_id", "message_id", "name"], how="left")
    rows["tagged"] = rows.by_tagger.notna()
    return rows


def left_one_out(rows: pd.DataFrame, figure: Any) -> tuple[float, float]:
    """A figure, and half of its interval by leaving each user out (Student's t); the exact bound if all are alike."""
    from scipy.stats import t

    users = rows.user_id.unique()
    left = np.array([figure(rows[rows.user_id != one]) for one in users])
    variance = (len(users) - 1) / len(users) * ((left - left.mean()) ** 2).sum()
    half = t.ppf(0.975, len(users) - 1) * np.sqrt(variance) if variance else 1 - 0.025 ** (1 / len(users))
    return float(figure(rows)), float(half)


def same(one: Estimate, wanted: tuple[float, float], least: float = 0.0) -> None:
    value, half = wanted
    assert one.value == pytest.approx(value)
    assert (one.low, one.high) == (pytest.approx(max(least, value - half)), pytest.approx(min(1.0, value + half)))


def kappa(rows: pd.DataFrame) -> float:
    present, tagged = rows.present.to_numpy(), rows.tagged.to_numpy()
    both = present.mean() * tagged.mean() + (1 - present.mean()) * (1 - tagged.mean())
    return float(((present == tagged).mean() - both) / (1 - both))


FIGURES = {
    "precision": lambda rows: rows[rows.tagged].present.mean(),
    "recall": lambda rows: rows[rows.present].tagged.mean(),
    "false_positives": lambda rows: rows[~rows.present].tagged.mean(),
    "prevalence": lambda rows: rows.present.mean(),
    "positive_agreement": lambda of: 2 * of[of.tagged].present.sum() / (of.present.sum() + of.tagged.sum()),
}


def test_the_agreement_of_an_event_type(found: dict[str, Trust], labels: pd.DataFrame) -> None:
    from sklearn.metrics import cohen_kappa_score

    for name in (kind.name for kind in SCHEMA.event_types[:2]):
        rows = labels[labels.name == name].assign(present=lambda of: of.present.astype(bool))
        of = found[name].agreement
        same(of.kappa, left_one_out(rows, kappa), -1.0)
        assert of.kappa.value == pytest.approx(cohen_kappa_score(rows.present, rows.tagged))
        for figure, ask in FIGURES.items():
            same(getattr(of, figure), left_one_out(rows, ask))
        assert (of.items, of.positives, of.units) == (len(rows), rows.present.sum(), rows.user_id.nunique())


def test_the_agreement_on_a_goal(found: dict[str, Trust], labels: pd.DataFrame) -> None:
    rows = labels[labels.kind == "criterion"].assign(tagged=lambda of: of.by_judge == "met")
    rows["present"] = rows.present.astype(bool)
    one = found["P1"]
    same(one.agreement.recall, left_one_out(rows, FIGURES["recall"]))
    same(one.agreement.false_positives, left_one_out(rows, FIGURES["false_positives"]))
    same(one.agreement.kappa, left_one_out(rows, kappa), -1.0)


def test_the_accuracy_of_a_property(found: dict[str, Trust], labels: pd.DataFrame) -> None:
    both = labels[(labels.name == ASKING) & labels.present.astype(bool) & labels.tagged]
    topics = ([json.loads(one)["Topic"] for one in both[column]] for column in ("properties", "by_tagger"))
    right = [a == b for a, b in zip(*topics, strict=True)]
    (topic,) = found[ASKING].properties
    assert topic.events == len(both)
    same(topic.accuracy, left_one_out(both.assign(right=right), lambda rows: rows.right.mean()))


def test_the_agreement_between_people(found: dict[str, Trust], home: LabelledHome) -> None:
    rows = pd.DataFrame(home.home.rows("select * from gold_labels where kind = 'event' and part = 'measure'"))
    users = pd.DataFrame(home.home.rows("select conversation_id, user_id from raw_conversations"))
    pairs = rows.merge(users, on="conversation_id").pivot_table(
        index=["name", "user_id", "conversation_id", "message_id"],
        columns="reviewer",
        values="present",
        aggfunc="first",
    )
    both = pairs.dropna().astype(bool).reset_index()

    def alpha(of: pd.DataFrame) -> float:
        differ, said = (of.ana != of.bea).sum(), 2 * len(of)
        yes = of.ana.sum() + of.bea.sum()
        return float(1 - differ * 2 / (2 * yes * (said - yes) / (said - 1)))

    for name in (kind.name for kind in SCHEMA.event_types):
        of = both[both.name == name]
        same(found[name].people.alpha, left_one_out(of, alpha), -1.0)
        assert (found[name].people.items, found[name].disputed) == (len(of), (of.ana != of.bea).sum())


def corrected(rows: pd.DataFrame, talks: pd.DataFrame, population: int) -> tuple[float, float]:
    """PPI++ of the share of conversations with an event: its value and variance, over users."""
    tagged_share, read = talks.tagged.mean(), len(rows)
    users = rows.groupby("user_id").agg(y=("present", "sum"), f=("tagged", "sum"), m=("tagged", "size")).astype(float)

    def away(of: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        return of.y - of.y.sum() / of.m.sum() * of.m, of.f - of.f.sum() / of.m.sum() * of.m

    def slope(of: pd.DataFrame) -> float:
        by_people, by_tagger = away(of)
        return float((by_people * by_tagger / of.m).sum() / (by_tagger**2 / of.m).sum())

    by_people, by_tagger = away(users)
    parts = by_tagger * (by_people - slope(users) * by_tagger) / users.m
    doubt = (parts**2).sum() / (by_tagger**2 / users.m).sum() ** 2

    def theta(of: pd.DataFrame) -> float:
        beyond = slope(of) - 1
        weight = np.clip(1 + beyond**3 / (beyond**2 + doubt), 0, 2)
        return float(of.y.sum() / of.m.sum() + weight * (tagged_share - of.f.sum() / of.m.sum()))

    left = np.array([theta(users.drop(one)) for one in users.index])
    count = len(users)
    return theta(users), (count - 1) / count * ((left - left.mean()) ** 2).sum() * (1 - read / population)


def test_corrected_rates_and_their_change(home: LabelledHome, labels: pd.DataFrame) -> None:
    tags = pd.DataFrame(home.home.rows("select distinct conversation_id, event_type from tagged_events"))
    everyone = pd.DataFrame(home.home.rows("select conversation_id, day from raw_conversations"))
    everyone["tagged"] = everyone.conversation_id.isin(tags[tags.event_type == ASKING].conversation_id)
    asked = (
        labels[labels.name == ASKING]
        .groupby(["conversation_id", "user_id", "day"])
        .agg(present=("present", "max"), tagged=("tagged", "max"))
        .reset_index()
    )
    sides = []
    for first, last in ((DAYS[0], DAYS[4]), (DAYS[5], DAYS[9])):
        scope = Scope(first, last)
        (one,) = [one for one in trust_of(home.assistant, scope) if one.name == ASKING]
        inside = [of[of.day.between(first, last)] for of in (asked, everyone)]
        value, variance = corrected(inside[0], inside[1], len(inside[1]))
        rate = one.of_conversations
        assert rate.basis == "sample" and rate.corrected.value == pytest.approx(value)
        assert rate.variance == pytest.approx(variance)
        sides.append((rate, value, variance))
    change = corrected_change(sides[0][0], sides[1][0])
    half = 1.98 * np.sqrt(sides[0][2] + sides[1][2])
    assert change.value == pytest.approx(sides[1][1] - sides[0][1])
    assert change.high is not None and change.high - (change.value or 0.0) == pytest.approx(half)
