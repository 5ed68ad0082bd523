"""Labels by people in Dagster: two assets, and three checks that warn and hold nothing up."""

from datetime import timedelta
from pathlib import Path

import dagster as dg

from cpa_core.gold.reviews import answers_on_message
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.gold.ledger import append_reviews
from cpa_dagster.gold import CHECKS
from tests.support.homes import NOW
from tests.support.labelled import SCHEMA, LabelledHome, labelled_home, talks
from tests.support.runs import definitions, evaluations, metadata

GOLD = ["gold_labels", "label_quality"]


def materialize(home: LabelledHome) -> dg.ExecuteInProcessResult:
    """Make both assets, with the checks."""
    whole = definitions(home.assistant).resolve_implicit_global_asset_job_def()
    return whole.execute_in_process(asset_selection=[dg.AssetKey(name) for name in GOLD])


def passed(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """The checks that ran."""
    return {name.partition(":")[2]: one.passed for name, one in evaluations(result).items()}


def test_without_labels_by_people_the_assets_are_empty_and_the_checks_pass(tmp_path: Path) -> None:
    result = materialize(labelled_home(tmp_path, talks(3)))
    assert result.success
    assert metadata(result, "gold_labels", None)["reviews"] == 0
    assert passed(result) == {name: True for name, _, _ in CHECKS}


def test_quality_is_shown_and_checks_warn_of_disputes_and_of_old_gold(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(60))
    draw = draw_gold(home.assistant, WantedDraw(way="random", size=60))
    read = home.read([int(item.conversation_id[1:]) for item in draw.items])
    assert passed(materialize(home)) == {name: True for name, _, _ in CHECKS}
    for talk in home.talks[:30]:
        talk.model = "fake:two"
    home.store()  # half of the days' conversations are another model's, with too few labels of its own
    later = NOW + timedelta(hours=1)
    others = [
        one.model_copy(
            update={"reviewer": "bea", "reviewed_at": later, "answers": answers_on_message(SCHEMA, one.role, [])}
        )
        for one in read
        if one.role is not None
    ]
    append_reviews(home.assistant, others)
    result = materialize(home)
    assert metadata(result, "gold_labels", None)["reviews"] == len(read) + len(others)
    assert metadata(result, "label_quality", None)["checked by people"] == 5
    assert passed(result) == {"labels_trusted": True, "people_agree": False, "gold_is_fresh": False}
    assert {one.severity for one in evaluations(result).values()} == {dg.AssetCheckSeverity.WARN}
