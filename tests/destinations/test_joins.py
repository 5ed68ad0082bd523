"""Events join what the application itself has sent: trace, session, person, by each vendor's documented form."""

import json
from pathlib import Path

import pytest

from cpa_core.destinations import destination
from cpa_core.errors import SettingsError
from cpa_core.pipeline import deliver_day
from cpa_core.settings import settings
from tests.servers.amplitude import AmplitudeServer
from tests.servers.posthog import PostHogServer
from tests.support.deliveries import DAY, START, assistant, store_day, to_amplitude, to_posthog

SESSION = "1772614800000"


def store(home: Path) -> None:
    """A day whose application has said which trace a message is of, and which session the conversation."""
    store_day(home)
    with assistant(home).store.writing() as transaction:
        transaction.execute("update raw_conversations set metadata = $m", m=json.dumps({"session_id": int(SESSION)}))
        noted = {"conversation_id": "c1", "message_id": "m0", "sent_at": START}
        transaction.insert("landed_messages", [noted | {"metadata": json.dumps({"trace_id": "t-17", "lang": "en"})}])


def test_posthogs_events_carry_the_applications_trace_and_session(tmp_path: Path, posthog: PostHogServer) -> None:
    store(tmp_path)
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    shown = {row["properties"].get("message_id"): row["properties"] for row in posthog.rows}
    assert shown["m0"]["$ai_trace_id"] == "t-17" and "$ai_trace_id" not in shown["m1"]
    assert {properties["$ai_session_id"] for properties in shown.values()} == {SESSION}
    assert deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY).sent == 0


@pytest.mark.parametrize(("persons", "made"), [("known", True), ("always", True), ("never", False)])
def test_whose_person_profiles_are_made_is_a_setting(
    tmp_path: Path, posthog: PostHogServer, persons: str, made: bool
) -> None:
    store_day(tmp_path)
    deliver_day(assistant(tmp_path, **to_posthog(posthog, POSTHOG_PERSONS=persons)), DAY)
    assert {row["person"] for row in posthog.rows} == {made}
    with pytest.raises(SettingsError, match="POSTHOG_PERSONS is 'some'"):
        destination("posthog", settings({"POSTHOG_API_KEY": "k", "POSTHOG_PERSONS": "some"}))


def test_amplitudes_events_are_of_the_applications_session(tmp_path: Path, amplitude: AmplitudeServer) -> None:
    store(tmp_path)
    deliver_day(assistant(tmp_path, **to_amplitude(amplitude)), DAY)
    assert {row["session_id"] for row in amplitude.rows} == {int(SESSION)}
    assert not [name for row in amplitude.rows for name in row["event_properties"] if name.startswith("[Agent]")]


def test_by_choice_amplitudes_events_follow_agent_analytics(tmp_path: Path, amplitude: AmplitudeServer) -> None:
    store(tmp_path)
    deliver_day(assistant(tmp_path, **to_amplitude(amplitude), AMPLITUDE_AGENT="yes"), DAY)
    by_name = {(row["event_type"], row["event_properties"].get("message_id")): row for row in amplitude.rows}
    assert by_name["Question", "m0"]["event_properties"]["[Agent] Trace ID"] == "t-17"
    assert {row["event_properties"]["[Agent] Session ID"] for row in amplitude.rows} == {SESSION}
    score = by_name["[Agent] Score", None]["event_properties"]
    assert (score["[Agent] Score Value"], score["[Agent] Target ID"]) == (80.0, SESSION)
    assert (score["[Agent] Target Type"], score["[Agent] Evaluation Source"]) == ("session", "ai")


def test_the_shortest_id_is_a_setting(tmp_path: Path, amplitude: AmplitudeServer) -> None:
    store_day(tmp_path)
    deliver_day(assistant(tmp_path, **to_amplitude(amplitude), AMPLITUDE_MIN_ID_LENGTH="3"), DAY)
    assert {asked.body["options"]["min_id_length"] for asked in amplitude.asked} == {3}
    for wrong in ({"AMPLITUDE_MIN_ID_LENGTH": "few"}, {"AMPLITUDE_AGENT": "maybe"}):
        with pytest.raises(SettingsError, match=r"AMPLITUDE_(MIN_ID_LENGTH|AGENT) is .* it must be"):
            destination("amplitude", settings({"AMPLITUDE_API_KEY": "k", **wrong}))


def test_an_id_that_holds_the_words_of_a_message_is_hashed(tmp_path: Path, posthog: PostHogServer) -> None:
    store_day(tmp_path)
    with assistant(tmp_path).store.writing() as transaction:
        words = json.dumps({"traceId": "Can I deduct my home office?", "sessionId": ["no", "id"]})
        transaction.execute("update raw_conversations set metadata = $m", m=words)
    deliver_day(assistant(tmp_path, **to_posthog(posthog)), DAY)
    assert {row["properties"]["$ai_trace_id"][:2] for row in posthog.rows} == {"h-"}
    assert not [row for row in posthog.rows if "$ai_session_id" in row["properties"]]
