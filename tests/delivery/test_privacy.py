"""What of a conversation's words leaves the house: nothing by default, placeholders when redacted."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cpa_core.destinations import DESTINATIONS
from cpa_core.models import event_id
from cpa_core.pipeline import Assistant, deliver_day
from cpa_core.schema import dump
from cpa_core.settings import settings
from tests.servers.amplitude import AmplitudeServer
from tests.servers.loopback import Loopback
from tests.servers.mixpanel import MixpanelServer
from tests.servers.posthog import PostHogServer
from tests.servers.webhook import WebhookServer
from tests.support.fakes import QUESTION, SCHEMA

DAY = date(2026, 3, 4)
START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
KNOWN = SCHEMA.model_copy(update={"event_types": (QUESTION,)})
SAID = (
    "My name is Zebulon Quartermain, write to zebulon@quartermain.example about my refund",
    "Canary seven-one-nine sings in the greenhouse",
    "Zebulon, is zebulon@quartermain.example still right?",
    "short one",
)
BECAUSE = "Mr Quartermain says that the canary sings in the greenhouse"

Message = dict[str, Any]


@pytest.fixture
def sent(tmp_path: Path) -> Iterator["Sent"]:
    with PostHogServer() as posthog, AmplitudeServer() as amplitude:
        yield Sent(tmp_path, posthog, amplitude)


@pytest.fixture
def sent_everywhere(sent: "Sent") -> Iterator["Sent"]:
    with MixpanelServer() as mixpanel, WebhookServer() as webhook:
        sent.others = [mixpanel, webhook]
        sent.more = {
            "CPA_DESTINATIONS": ",".join(DESTINATIONS),
            "AMPLITUDE_AGENT": "yes",
            "MIXPANEL_TOKEN": mixpanel.key,
            "MIXPANEL_URL": mixpanel.url,
            "WEBHOOK_URL": webhook.url,
            "WEBHOOK_SECRET": webhook.key,
        }
        yield sent


class Sent:
    """Stores conversations as the stages leave them, delivers them everywhere, and says what arrived."""

    def __init__(self, folder: Path, posthog: PostHogServer, amplitude: AmplitudeServer) -> None:
        self.folder, self.posthog, self.amplitude = folder, posthog, amplitude
        self.others: list[Loopback] = []
        self.more: dict[str, str] = {}

    def assistant(self, home: str, privacy: str) -> Assistant:
        given = {"POSTHOG_API_KEY": "phc_test", "POSTHOG_HOST": self.posthog.url}
        given |= {"AMPLITUDE_API_KEY": "amp_test", "AMPLITUDE_URL": self.amplitude.url}
        given |= {"CPA_DESTINATIONS": "posthog,amplitude,outbox", "CPA_PRIVACY": privacy}
        return Assistant.of(settings({"CPA_HOME": str(self.folder / home), **given, **self.more}))

    def words(self, messages: list[Message], privacy: str = "no_text", home: str = "home", **fields: str) -> str:
        """Everything that reached a destination, as one text."""
        made = self.assistant(home, privacy)
        store(made, messages, **fields)
        servers = [self.posthog, self.amplitude, *self.others]
        before = [len(server.asked) for server in servers]
        assert deliver_day(made, DAY).rejected == 0
        asked = [one for server, count in zip(servers, before, strict=True) for one in server.asked[count:]]
        folder = self.folder / home / "outbox"
        files = [(folder / f"{DAY}.jsonl").read_text("utf-8")]
        files += [str(pq.read_table(path).to_pylist()) for path in folder.glob("*.parquet")]
        assert not self.others or (len(files) == 2 and len({one.path for one in asked}) == 4)
        return "\n".join([*(json.dumps(one.body, ensure_ascii=False) for one in asked), *files])

    def properties(self, messages: list[Message], privacy: str, **fields: str) -> list[Message]:
        """The properties of the questions in the outbox."""
        self.words(messages, privacy, **fields)
        lines = (self.folder / "home" / "outbox" / f"{DAY}.jsonl").read_text("utf-8").splitlines()
        return [one["properties"] for one in map(json.loads, lines) if one["event"] == "Question"]


def said(*texts: str, ids: tuple[str, ...] = ()) -> list[Message]:
    return [{"content": text, "message_id": (ids or [f"m{n}" for n in range(9)])[n]} for n, text in enumerate(texts)]


def store(made: Assistant, messages: list[Message], **fields: str) -> None:
    """One conversation; each message is a question about a Topic and, in the model's own words, a Subject."""
    key = fields.get("conversation_id", "c1")
    one = {"day": DAY, "conversation_id": key}
    done = {**one, "content_hash": "h", "schema_version": KNOWN.version, "prompt_id": "p", "model": "m"}
    rows = [
        {**one, **message, "position": n, "role": "user", "sent_at": START + timedelta(minutes=n)}
        for n, message in enumerate(messages)
    ]
    properties = {"Topic": fields.get("topic", "Tax"), "Subject": messages[0]["content"]}
    tags = [
        {k: row[k] for k in ("day", "conversation_id", "message_id", "position", "role")}
        | {"event_id": event_id("c1", f"n{n}", "Question|user"), "event_type": "Question"}
        | {
            "properties": json.dumps(properties),
            "quote": row["content"],
            "quote_start": 0,
            "quote_end": len(row["content"]),
            "because": fields.get("because", BECAUSE),
        }
        | {"schema_version": KNOWN.version, "model": "m"}
        for n, row in enumerate(rows)
    ]
    intent = {
        "intent": fields.get("because", BECAUSE),
        "intent_delivered": "no",
        "intent_quote": messages[0]["content"],
    }
    score = {
        **done,
        **intent,
        "score": 80.0,
        "because": BECAUSE,
        "verdicts": "{}",
        "dealbreakers": "{}",
        "outcome": "ok",
    }
    user = {"user_id": fields.get("user_id", "u1"), "metadata": fields.get("metadata", "{}")}
    conversation = {**one, **user, "started_at": START, "ended_at": rows[-1]["sent_at"], "content_hash": "h"}
    conversation["message_count"] = len(rows)
    days = {"day": DAY, "generation": 1, "built_generation": 1, "reason": "landed"}
    with made.store.writing() as transaction:
        transaction.insert_day("days", DAY, [days])
        transaction.insert_day("raw_conversations", DAY, [conversation])
        transaction.insert_day("messages", DAY, rows)
        transaction.insert_day("tagged_conversations", DAY, [{**done, "outcome": "ok"}])
        transaction.insert_day("tagged_events", DAY, tags)
        transaction.insert_day("judge_scores", DAY, [score])
        schema = {"version": KNOWN.version, "yaml": dump(KNOWN), "created_at": START, "origin": "schema.yml"}
        transaction.insert("event_schemas", [schema])


def runs(text: str, length: int = 12) -> set[str]:
    return {text[at : at + length] for at in range(len(text) - length + 1)}


def test_without_text_no_twelve_characters_of_a_message_reach_a_destination_in_any_field(sent_everywhere: Sent) -> None:
    sent = sent_everywhere
    texts = [*SAID, "Question about Conversation Judged by schema_version, role user"]
    metadata = json.dumps({"trace_id": SAID[1], "session_id": SAID[0]})
    arrived = sent.words(said(*texts), metadata=metadata)
    baseline = sent.words(said(*[""] * len(texts)), home="baseline", because="")
    leaked = {run for text in [*texts, BECAUSE] for run in runs(text) if run in arrived and run not in baseline}
    assert leaked == set()
    for canary in ("Zebulon", "Quartermain", "greenhouse", "Canary", "sings"):
        assert canary not in arrived


def test_a_property_without_choices_counts_as_text_and_one_with_choices_does_not(sent: Sent) -> None:
    (found,) = sent.properties(said(SAID[1]), "no_text")
    assert found["Topic"] == "Tax" and "Subject" not in found
    assert not {"content", "explanation", "quote", "because"} & found.keys()


def test_a_value_that_is_none_of_the_choices_counts_as_text(sent: Sent) -> None:
    (found,) = sent.properties(said(SAID[1]), "no_text", topic="the greenhouse")
    assert "Topic" not in found
    (found,) = sent.properties(said(SAID[1]), "no_text", topic="not applicable")
    assert found["Topic"] == "not applicable"


@pytest.mark.parametrize("privacy", ["no_text", "redacted"])
@pytest.mark.parametrize(
    "worded",
    [
        SAID[1],
        SAID[1].lower().replace(" ", "-"),
        "chat/canary seven-one-nine/7",
        "short one",
        "c-greenhouse-in-the greenhouse",
    ],
)
def test_an_id_that_holds_words_of_a_message_is_hashed_and_another_is_not(
    sent: Sent, privacy: str, worded: str
) -> None:
    messages = said(*SAID, ids=("m0", worded, "4b0c1e9a-6f0f-4f0e-9a57-0123456789ab", "greenhouse"))
    rows = sent.properties(messages, privacy, conversation_id=worded)
    by_id = [row["message_id"] for row in rows]
    assert (by_id[0], by_id[2:]) == ("m0", ["4b0c1e9a-6f0f-4f0e-9a57-0123456789ab", "greenhouse"])
    assert by_id[1].startswith("h-") and worded not in by_id[1]
    assert {row["conversation_id"] for row in rows} == {by_id[1]}


def test_a_user_is_known_by_the_id_that_was_given_even_where_a_message_says_it(sent: Sent) -> None:
    user = "zebulon@quartermain.example"
    sent.words(said(*SAID), user_id=user)
    assert {row["distinct_id"] for row in sent.posthog.rows} == {user}
    sent.words(said(*SAID), home="other", user_id=SAID[1])
    assert SAID[1] not in json.dumps(sent.posthog.rows)


def test_redacted_text_has_placeholders_that_are_stable_in_the_conversation(sent: Sent) -> None:
    first, second, third, fourth = sent.properties(said(*SAID), "redacted")
    assert first["content"] == "My name is [NAME_1], write to [EMAIL_1] about my refund"
    assert second["content"] == SAID[1]
    assert third["content"] == "[NAME_1], is [EMAIL_1] still right?"
    assert fourth["explanation"] == "Mr [NAME_1] says that the canary sings in the greenhouse"
    assert (first["Topic"], first["Subject"]) == ("Tax", first["content"])


def test_no_identifier_survives_redaction_anywhere(sent: Sent) -> None:
    arrived = sent.words(said(*SAID), "redacted")
    for identifier in ("Zebulon", "Quartermain", "zebulon@"):
        assert identifier not in arrived


def test_names_of_the_metadata_and_a_user_id_that_is_a_name_are_redacted(sent: Sent) -> None:
    metadata = json.dumps({"customer": {"first_name": "Ngozi"}})
    (found,) = sent.properties(
        said("Ngozi and Ada Byron waited"), "redacted", metadata=metadata, user_id="Ada Byron", because=""
    )
    assert found["content"] == "[NAME_1] and [NAME_2] waited"


def test_full_text_is_sent_as_it_was_said(sent: Sent) -> None:
    first, *_ = sent.properties(said(*SAID), "full", conversation_id=SAID[1])
    assert (first["content"], first["explanation"], first["Subject"]) == (SAID[0], BECAUSE, SAID[0])
    assert first["conversation_id"] == SAID[1]
