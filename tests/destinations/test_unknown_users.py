"""Words that programs write for a user whom they do not know: nobody's profile, and no event lost for them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from cpa_core.destinations.amplitude import Amplitude
from cpa_core.destinations.mixpanel import Mixpanel
from cpa_core.destinations.posthog import PostHog
from cpa_core.events import JudgedRow, TaggedRow, full_view, of_judgment, of_tag
from cpa_core.models import NOBODY, Event, event_id, is_person
from tests.servers.amplitude import AmplitudeServer
from tests.servers.mixpanel import MixpanelServer
from tests.servers.posthog import PostHogServer

AT = datetime(2026, 3, 4, 9, tzinfo=UTC)
DAY = date(2026, 3, 4)

# As they are in PostHog's source, in any letter case and in these; quotes of both kinds are tried there too.
POSTHOG = ["anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email", "undefined"]
POSTHOG += ["true", "false", "user", "system", "backend", "anonymous-user"]
POSTHOG_AS_WRITTEN = ["[object Object]", "NaN", "None", "none", "null", "0", "undefined"]
ILLEGAL = [
    *(form for word in POSTHOG for form in (word, word.upper(), f'"{word}"', f"'{word.title()}'")),
    *(form for word in POSTHOG_AS_WRITTEN for form in (word, f'"{word}"', f" {word} ")),
    *("", "  ", "\t", "nil", "n/a", "NA", "unknown", "-1", "nan", "00000000-0000-0000-0000-000000000000"),
]
PERSONS = ["u1", "a@b.com", "00", "42", "Noel Null", "nonell", "[object]", "anonymous-7f3a", "idris", "\u00b5"]


@pytest.fixture
def posthog() -> Iterator[PostHogServer]:
    with PostHogServer() as running:
        yield running


@pytest.fixture
def amplitude() -> Iterator[AmplitudeServer]:
    with AmplitudeServer(refused_users={"u-refused", *ILLEGAL}) as running:
        yield running


@pytest.fixture
def mixpanel() -> Iterator[MixpanelServer]:
    with MixpanelServer() as running:
        yield running


def known_id(n: int) -> str:
    return event_id("c1", f"m{n}", "Question|user")


def tagged(user_id: str | None, conversation_id: str = "c1", n: int = 0) -> Event:
    row = TaggedRow(
        day=DAY, event_id=known_id(n), conversation_id=conversation_id, message_id=f"m{n}", user_id=user_id,
        role="user", event_type="Question", properties={}, because="b", content="x", sent_at=AT, schema_version="v",
        model="m",
    )  # fmt: skip
    return of_tag(row, None, full_view(), {})


def judged(user_id: str | None) -> Event:
    row = JudgedRow(
        day=DAY, conversation_id="c1", user_id=user_id, score=50.0, because="b", verdicts={}, dealbreakers={},
        ended_at=AT, schema_version="v", model="m",
    )  # fmt: skip
    return of_judgment(row, full_view())


@pytest.mark.parametrize("user_id", [None, *ILLEGAL])
def test_such_an_id_is_an_unknown_user(user_id: str | None) -> None:
    assert not is_person(user_id)
    for event in (tagged(user_id), judged(user_id)):
        assert (event.distinct_id, event.identified) == ("c1", False)


@pytest.mark.parametrize("user_id", PERSONS)
def test_any_other_id_is_a_persons(user_id: str) -> None:
    for event in (tagged(user_id), judged(user_id)):
        assert (event.distinct_id, event.identified) == (user_id, True)


def test_a_conversation_that_is_called_so_has_an_id_that_vendors_take() -> None:
    for conversation_id in ("0", "None", "id"):
        event = tagged(None, conversation_id)
        assert event.distinct_id == f"conversation-{conversation_id}" and is_person(event.distinct_id)
        assert event.conversation_id == conversation_id


def test_no_word_of_the_table_hides_behind_its_own_folding() -> None:
    assert all(word == word.strip().lower() and not is_person(word) for word in NOBODY)


def statuses(place: Any, events: list[Event]) -> list[str]:
    return [receipt.status for receipt in place.send(events)]


def test_every_event_is_accepted_and_none_makes_a_profile(
    posthog: PostHogServer, amplitude: AmplitudeServer, mixpanel: MixpanelServer
) -> None:
    events = [tagged(user_id, n=n) for n, user_id in enumerate(ILLEGAL)]
    for place in (
        PostHog(posthog.key, posthog.url),
        Amplitude(amplitude.key, amplitude.url),
        Mixpanel(mixpanel.key, "", url=mixpanel.url),
    ):
        assert set(statuses(place, events)) == {"accepted"}
    assert len(posthog.rows) == len(events) and not any(row["person"] for row in posthog.rows)
    assert not any("user_id" in row for row in amplitude.rows) and len(amplitude.rows) == len(events)


def test_an_event_that_amplitude_refuses_for_its_user_goes_to_its_device(amplitude: AmplitudeServer) -> None:
    events = [tagged("u1", n=1), tagged("u-refused", n=2), tagged("u2", n=3)]
    receipts = {r.event_id: r for r in Amplitude(amplitude.key, amplitude.url).send(events)}
    assert [receipts[known_id(n)].status for n in (1, 2, 3)] == ["accepted", "accepted_warning", "accepted"]
    assert "without its user id" in receipts[known_id(2)].detail
    by_id = {row["insert_id"]: row for row in amplitude.rows}
    assert (
        "user_id" not in by_id[known_id(2)]
        and by_id[known_id(2)]["device_id"]
        and by_id[known_id(1)]["user_id"] == "u1"
    )


def test_an_event_that_is_wrong_in_another_way_too_is_rejected(amplitude: AmplitudeServer) -> None:
    broken = tagged("u-refused").model_copy(update={"name": ""})
    assert statuses(Amplitude(amplitude.key, amplitude.url), [broken]) == ["rejected"]
    assert amplitude.rows == []
