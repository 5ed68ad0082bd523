"""One run may have other settings than the home: what the Launchpad offers, refuses, and does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import dagster as dg
import pytest

from cpa_core.pipeline import Assistant, land, quote
from cpa_core.settings import Settings
from cpa_dagster.options import OVERRIDDEN, OWN, SECRETS, Keys, Options, keys_that_are_set
from tests.dagster.test_dagster_arrivals import days_of, words_of
from tests.support.models import Model
from tests.support.runs import counts, definitions, job, materialized, metadata, run

DAY = "2026-03-04"


def config(**options: Any) -> dict[str, Any]:
    return {"resources": {"options": {"config": options}}}


def test_every_choice_is_typed_described_and_a_setting_or_a_runs_own() -> None:
    fields = Options.model_fields
    assert {*OVERRIDDEN, *OWN} <= set(fields)
    assert set(OVERRIDDEN) <= set(Settings.model_fields)
    assert all(fields[name].description for name in (*OVERRIDDEN, *OWN))
    assert not {name.lower() for name in SECRETS}.intersection(fields), "secrets are no run's configuration"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"lane": "flx"}, "not in enum type"),
        ({"privacy": "all"}, "not in enum type"),
        ({"budget": "much"}, "budget"),
        ({"retag": "maybe"}, "retag"),
        ({"modle": "openai:x"}, 'Received unexpected config entry "modle"'),
        ({"most_conversations": 1.5}, "most_conversations"),
    ],
)
def test_what_no_run_can_have_is_refused_before_it_is_launched(
    demo: Assistant, options: dict[str, Any], reason: str
) -> None:
    assert dg.validate_run_config(job(demo), config())
    with pytest.raises(dg.DagsterInvalidConfigError, match=reason):
        dg.validate_run_config(job(demo), config(**options))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"budget": -1.0}, "CPA_BUDGET is '-1.0'"),
        ({"concurrency": 0}, "CPA_CONCURRENCY is '0'"),
        ({"most_conversations": 0}, "at least 1 is needed"),
        ({"destinations": ["nowhere"]}, "nowhere"),
        ({"model": "no-provider"}, "no-provider"),
    ],
)
def test_a_value_that_makes_no_sense_fails_the_run_with_the_settings_words(
    assistant: Callable[..., Assistant], options: dict[str, Any], reason: str
) -> None:
    made = assistant(days_of(DAY))
    land(made)
    result = run(made, DAY, **options)
    assert not result.success and reason in words_of(result)


def test_a_run_has_another_model_and_the_next_has_the_homes_again(assistant: Callable[..., Assistant]) -> None:
    model = Model()
    made = replace(assistant(days_of(DAY)), provider=lambda name: model)
    land(made)
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(made, DAY, instance=instance, model="compatible:other", judge_model="compatible:strict")
        tags = instance.get_run_by_id(result.run_id).tags  # type: ignore[union-attr]
    assert {request.model for request in model.requests} == {"other", "strict"}
    assert metadata(result, "tagged_events", DAY)["model"] == "compatible:other"
    assert (tags["cpa/tag.model"], tags["cpa/tag.questions"], tags["cpa/judge.failures"]) == (
        "compatible:other",
        "1",
        "0",
    )
    assert run(made, DAY).success and len(model.requests) == 2, "what is done is not asked again"
    again = run(made, DAY, retag=True)
    assert again.success and len(model.requests) == 4


def test_a_dry_run_shows_questions_and_price_of_each_day_and_asks_and_sends_nothing(
    assistant: Callable[..., Assistant],
) -> None:
    model = Model()
    made = replace(assistant(days_of(DAY, "2026-03-06"), CPA_MODEL="openai:gpt-4.1"), provider=lambda name: model)
    land(made)
    result = run(made, DAY, until="2026-03-06", dry_run=True)
    assert result.success and model.requests == [] and counts(made)["upload_receipts"] == 0
    assert {asset for asset, _ in materialized(result)} == {"landed_files", "raw_conversations", "event_schema"}
    seen = result.filter_events(lambda event: event.event_type_value == "ASSET_OBSERVATION")
    found = [event.event_specific_data.asset_observation for event in seen]
    assert {(one.asset_key.to_user_string(), one.partition) for one in found} == {
        (asset, day) for asset in ("tagged_events", "judge_scores") for day in (DAY, "2026-03-06")
    }
    for one in found:
        assert one.metadata["questions"].value == 1 and 0 < one.metadata["cost"].value < 1


def test_at_most_so_many_conversations_of_a_day_are_asked_about(assistant: Callable[..., Assistant]) -> None:
    model = Model()
    made = replace(assistant(days_of(*[DAY] * 5)), provider=lambda name: model)
    land(made)
    trial = run(made, DAY, most_conversations=2)
    assert (not trial.success and "3 open" in words_of(trial)) or "6 open" in words_of(trial)
    assert sorted(model.tasks()) == ["judge", "judge", "tag", "tag"]
    assert run(made, DAY).success and len(model.requests) == 10


def test_keys_are_references_to_the_environment(demo: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOG_API_KEY", "phc_secret")
    referred = keys_that_are_set()
    assert "phc_secret" not in repr(referred) and Keys().texts() == {}
    assert referred.process_config_and_initialize().texts() == {"POSTHOG_API_KEY": "phc_secret"}


def test_a_range_is_quoted_by_the_asset_whole_and_by_day_and_nothing_is_asked(
    assistant: Callable[..., Assistant],
) -> None:
    made = assistant(days_of("2026-03-04", "2026-03-05", "2026-03-08"))
    land(made)
    chosen = {
        "ops": {"quote": {"config": {"first": "2026-03-05", "last": "2026-03-08"}}},
        **config(model="openai:gpt-4o"),
    }
    whole = definitions(made).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = whole.execute_in_process(
            run_config=chosen, asset_selection=[dg.AssetKey("quote")], instance=instance, raise_on_error=False
        )
    shown = metadata(result, "quote", None)
    other = replace(made, settings=Options(model="openai:gpt-4o").applied(made.settings))
    expected = quote(other, [date(2026, 3, 5), date(2026, 3, 8)], retag=False)
    assert (shown["days"], shown["questions"], shown["cost"]) == (2, 4, expected.cost)
    assert [row.data["day"] for row in shown["by day"].records] == ["2026-03-05", "2026-03-08"]
    assert {row.data["model"] for row in shown["by task"].records} == {"openai:gpt-4o"}
    assert counts(made)["answers"] == counts(made)["tagged_events"] == 0
