"""What is sent is chosen: types, roles and properties are left out by destination, and nothing looks missing for it."""

import json
from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.destinations.sending import EventRate
from cpa_core.errors import SettingsError
from cpa_core.pipeline import deliver_day, due_days, expected_events, preview_day, ready, reconciled
from cpa_core.selection import load
from tests.servers.amplitude import AmplitudeServer
from tests.servers.posthog import PostHogServer
from tests.support.deliveries import DAY, assistant, counts, ledger, store_day, to_amplitude, to_posthog


def chosen(folder: Path, text: str) -> dict[str, str]:
    path = folder / "delivery.yml"
    path.write_text(text, "utf-8")
    return {"CPA_DELIVERY": str(path)}


def test_a_type_left_out_of_one_destination_goes_to_the_other(
    tmp_path: Path, posthog: PostHogServer, amplitude: AmplitudeServer
) -> None:
    store_day(tmp_path, messages=3)
    both = to_posthog(posthog) | to_amplitude(amplitude) | {"CPA_DESTINATIONS": "posthog,amplitude"}
    environ = both | chosen(tmp_path, "posthog: {leave_out: {event_types: [Question]}}")
    delivered = deliver_day(assistant(tmp_path, **environ), DAY)
    assert [row["event"] for row in posthog.rows] == ["Conversation Judged"]
    assert len(amplitude.rows) == 4
    assert (delivered.sent, delivered.left_out, delivered.accepted) == (5, 3, 5)
    assert due_days(assistant(tmp_path, **environ)) == []
    lines = {one.destination: one for one in reconciled(assistant(tmp_path, **environ), [DAY])}
    assert (lines["posthog"].events, lines["posthog"].left_out, lines["posthog"].accepted) == (1, 3, 1)
    assert (lines["amplitude"].events, lines["amplitude"].left_out) == (4, 0)
    assert {one.difference for one in lines.values()} == {0}


def test_roles_and_properties_are_left_out(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path)
    some = chosen(tmp_path, "posthog: {leave_out: {properties: [Topic, model, llm_judge_score]}}")
    deliver_day(assistant(tmp_path, **to_posthog(posthog), **some), DAY)
    for row in posthog.rows:
        assert not {"Topic", "model", "llm_judge_score"} & row["properties"].keys()
        assert row["properties"]["conversation_id"] == "c1"
    users = chosen(tmp_path, "posthog: {leave_out: {roles: [user], event_types: [Conversation Judged]}}")
    (preview,) = preview_day(assistant(tmp_path, **to_posthog(posthog), **users), DAY)
    assert (preview.types, preview.left_out) == ({}, 3)


def test_what_was_delivered_before_it_was_left_out_is_neither_missing_nor_stale(
    tmp_path: Path, posthog: PostHogServer
) -> None:
    store_day(tmp_path)
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    environ = to_posthog(posthog) | chosen(tmp_path, "posthog: {leave_out: {event_types: [Question]}}")
    again = deliver_day(assistant(tmp_path, **environ), DAY)
    assert (again.sent, again.stale) == (0, 0) and counts(tmp_path) == {"accepted": 3}
    (line,) = reconciled(assistant(tmp_path, **environ), [DAY])
    assert (line.events, line.accepted, line.left_out, line.difference) == (1, 1, 2, 0)


def test_the_dry_run_and_the_quote_say_how_many_events_a_day_would_send(
    tmp_path: Path, posthog: PostHogServer, capsys: pytest.CaptureFixture[str]
) -> None:
    store_day(tmp_path, messages=4)
    given = assistant(tmp_path, **to_posthog(posthog))
    assert [one.events_a_day for one in expected_events(given, [DAY])] == [None], "messages_asked is not known"
    with given.store.writing() as transaction:
        transaction.execute("update tagged_conversations set messages_asked = 8")
    assert [one.events_a_day for one in expected_events(given, [DAY])] == [3.0]
    environ = to_posthog(posthog) | chosen(tmp_path, "posthog: {leave_out: {event_types: [Conversation Judged]}}")
    assert [one.events_a_day for one in expected_events(assistant(tmp_path, **environ), [DAY])] == [2.0]
    assert main(["run", "--dry-run"], {"CPA_HOME": str(tmp_path), **environ}) == 0
    assert "posthog: 4 events to send, 0 need not be sent, 1 left out" in capsys.readouterr().out
    assert not ledger(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("posthog: {leave_out: {rolls: [user]}}", "posthog.leave_out.rolls: Extra inputs"),
        ("posthog: {leave_out: {roles: [tool]}}", r"posthog.leave_out.roles.0: .*'user' or 'assistant'"),
        ("posthog: {events_per_second: 0}", "posthog.events_per_second"),
        ("- posthog", "the file: .*dictionary"),
        ("a: [", "line 1: not YAML"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_with_its_place(tmp_path: Path, text: str, reason: str) -> None:
    path = chosen(tmp_path, text)["CPA_DELIVERY"]
    with pytest.raises(SettingsError, match=reason):
        load(Path(path))
    with pytest.raises(SettingsError, match="no such file"):
        load(tmp_path / "nowhere.yml")


def test_a_name_that_nothing_bears_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    store_day(tmp_path)
    with assistant(tmp_path).store.reading() as view:
        schema = view.rows("select yaml from event_schemas")[0]["yaml"]
    (tmp_path / "schema.yml").write_text(schema, "utf-8")
    environ = {"CPA_SCHEMA": str(tmp_path / "schema.yml"), "CPA_MODEL": "reference:annotations"}
    misspelt = chosen(tmp_path, json.dumps({"outbox": {"leave_out": {"event_types": ["Qestion", "Question"]}}}))
    warnings = ready(assistant(tmp_path, **environ, **misspelt))
    assert [w for w in warnings if "leaves out" in w] == [
        "outbox leaves out 'Qestion', which is no event type of the schema"
    ]
    with pytest.raises(SettingsError, match="posthogg: it must be one of outbox"):
        ready(assistant(tmp_path, **environ, **chosen(tmp_path, "posthogg: {}")))


def test_a_pace_is_kept() -> None:
    slept: list[float] = []
    clock = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    pace = EventRate(100, lambda: clock[0], sleep)
    assert pace.most(1_000) == 100
    for _ in range(3):
        pace.wait(100)
    assert slept == [1.0, 1.0]
    assert EventRate(None).most(1_000) == 1_000
