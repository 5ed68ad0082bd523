"""A schema that a run proposed reaches no vendor before a person accepts it; to name a file is to accept it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from cpa_core.cli import main
from cpa_core.errors import SchemaError, SettingsError
from cpa_core.pipeline import (
    Assistant,
    accept_schema,
    current_schema,
    due_days,
    ensure_schema,
    land,
    ready,
    run_day,
    schema_path,
    stale_days,
    waiting_days,
    waiting_versions,
)
from cpa_core.schema import dump
from cpa_core.settings import settings
from tests.dagster.test_automation import carried_out, tick
from tests.servers.posthog import PostHogServer
from tests.support.commands import at
from tests.support.fakes import SCHEMA
from tests.support.models import Model
from tests.support.runs import evaluations, run

DAY = date(2026, 3, 4)
TEXT = {"c1": {"messages": [{"role": "user", "content": "Which form?", "timestamp": "2026-03-04T09:00:00Z"}]}}


@pytest.fixture
def unnamed(tmp_path: Path, posthog: PostHogServer) -> Callable[..., Assistant]:
    """Makes an assistant over one home that names no schema and delivers to PostHog on loopback."""
    (tmp_path / "in.json").write_text(json.dumps(TEXT), "utf-8")
    own = {"CPA_HOME": str(tmp_path / "home"), "CPA_SOURCE": str(tmp_path / "in.json"), "CPA_MODEL": "compatible:m"}

    def make(**more: str) -> Assistant:
        made = Assistant.of(settings(own | at(posthog) | {"CPA_START_DATE": "2026-03-01"} | more))
        return replace(made, provider=lambda name: Model())

    return make


def proposed(made: Assistant) -> None:
    """Land, propose and run the day, as Dagster does."""
    land(made)
    ensure_schema(made)
    run_day(made, DAY)


def receipts(made: Assistant) -> dict[str, int]:
    with made.store.reading() as view:
        rows = view.rows("select destination, count(*) as n from upload_receipts group by destination")
    return {row["destination"]: row["n"] for row in rows}


@pytest.mark.parametrize("use", [ensure_schema, current_schema, ready, stale_days, due_days], ids=lambda f: f.__name__)
def test_a_named_schema_that_is_absent_is_an_error_and_nothing_is_asked(
    unnamed: Callable[..., Assistant], tmp_path: Path, use: Callable[[Assistant], object]
) -> None:
    proposed(unnamed())
    model = Model()
    absent = replace(unnamed(CPA_SCHEMA=str(tmp_path / "typo.yml")), provider=lambda name: model)
    with pytest.raises(SchemaError, match=r"typo\.yml: no such file"):
        use(absent)
    assert model.requests == [] and not (tmp_path / "typo.yml").exists()


def test_in_dagster_an_absent_schema_fails_the_run_before_a_model_is_asked(
    unnamed: Callable[..., Assistant], tmp_path: Path
) -> None:
    model = Model()
    absent = replace(unnamed(CPA_SCHEMA=str(tmp_path / "typo.yml")), provider=lambda name: model)
    result = run(absent, str(DAY))
    assert not result.success and model.requests == []
    failed = [e.step_failure_data.user_failure_data for e in result.filter_events(lambda e: e.is_step_failure)]
    assert any("typo.yml: no such file" in (one.description or "") for one in failed if one)


def test_events_of_a_proposal_go_to_the_outbox_alone_and_one_act_sends_the_rest(
    unnamed: Callable[..., Assistant], posthog: PostHogServer, capsys: pytest.CaptureFixture[str]
) -> None:
    made = unnamed()
    proposed(made)
    assert set(receipts(made)) == {"outbox"} and posthog.rows == []
    assert waiting_days(made) == [DAY] and due_days(made) == []
    assert "is not accepted" in " ".join(ready(made))
    texts = at(posthog) | {"CPA_START_DATE": "2026-03-01"}
    assert main(["schema", "accept", "--home", str(made.settings.home)], texts) == 0
    assert "1 days, 2026-03-04 to 2026-03-04, now go to posthog" in capsys.readouterr().out
    assert [row["day"] for row in due_days(made)] == [DAY] and waiting_versions(made) == []
    run_day(made, DAY)
    assert len(posthog.rows) == receipts(made)["posthog"] > 0 and due_days(made) == []
    assert accept_schema(made).versions == ()


def test_the_sensor_delivers_what_was_accepted_at_its_next_tick(
    unnamed: Callable[..., Assistant], posthog: PostHogServer
) -> None:
    made = unnamed()
    land(made)
    with dg.DagsterInstance.ephemeral() as instance:
        carried_out(made, tick(made, instance), instance)
        assert set(receipts(made)) == {"outbox"} and tick(made, instance).run_requests == []
        accept_schema(made)
        again = tick(made, instance)
        assert [one.partition_key for one in again.run_requests] == [str(DAY)], "a run that succeeded is no failed try"
        carried_out(made, again, instance)
        assert tick(made, instance).run_requests == [] and len(posthog.rows) == receipts(made)["posthog"] > 0


@pytest.mark.parametrize("how", ["setting", "named", "copied and named", "edited", "written by a person"])
def test_what_counts_as_acceptance(
    unnamed: Callable[..., Assistant], posthog: PostHogServer, tmp_path: Path, how: str
) -> None:
    made = unnamed()
    if how == "written by a person":
        schema_path(made).parent.mkdir(parents=True)
        schema_path(made).write_text(dump(SCHEMA), "utf-8")
    proposed(made)
    if how == "setting":
        made = unnamed(CPA_ACCEPT_PROPOSALS="yes")
    if how == "named":
        made = unnamed(CPA_SCHEMA=str(schema_path(made)))
    if how == "copied and named":
        (tmp_path / "mine.yml").write_text(schema_path(made).read_text("utf-8"), "utf-8")
        made = unnamed(CPA_SCHEMA=str(tmp_path / "mine.yml"))
    if how == "edited":
        schema_path(made).write_text(dump(SCHEMA), "utf-8")
        assert waiting_days(made) == [DAY], "what the proposal labelled waits until it is labelled anew"
    run_day(made, DAY, retag=True)
    assert posthog.rows and waiting_days(made) == []
    assert waiting_days(unnamed()) == [], "accepted once is accepted, whatever is set later"


def test_a_comment_is_no_acceptance_and_a_kill_between_record_and_file_neither(
    unnamed: Callable[..., Assistant],
) -> None:
    made = unnamed()
    land(made)
    ensure_schema(made)
    path = schema_path(made)
    path.write_text("# looked at\n" + path.read_text("utf-8"), "utf-8")
    assert waiting_versions(made) == [current_schema(made)[0].version]
    path.unlink()
    again, _ = ensure_schema(unnamed())
    assert waiting_versions(made) == [again.version]


def test_a_home_of_an_earlier_version_that_delivered_its_proposal_goes_on(
    unnamed: Callable[..., Assistant], posthog: PostHogServer
) -> None:
    made = unnamed(CPA_ACCEPT_PROPOSALS="yes")
    proposed(made)
    with made.store.writing() as transaction:
        transaction.execute("update event_schemas set proposed = null, accepted_at = null")
    assert waiting_days(unnamed()) == [] and due_days(unnamed()) == []


def test_without_a_schema_the_command_still_stops(unnamed: Callable[..., Assistant]) -> None:
    with pytest.raises(SettingsError, match="no event schema is named"):
        ready(unnamed())


def test_in_dagster_a_check_says_that_a_proposal_waits(unnamed: Callable[..., Assistant]) -> None:
    made = unnamed()
    land(made)
    result = run(made, str(DAY))
    assert result.success
    found = evaluations(result)["event_schema:accepted"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    accept_schema(made)
    assert evaluations(run(made, str(DAY)))["event_schema:accepted"].passed
