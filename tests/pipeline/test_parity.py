"""The seed tool's two commands, whatever the model, the destination and the place of the file: propose, edit, run."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from cpa_core.schema import load
from cpa_core.settings import settings
from cpa_core.sources import s3
from cpa_dagster.assistant import assistant_definitions
from tests.servers.amplitude import AmplitudeServer
from tests.servers.chat_completions import ChatServer
from tests.servers.messages import MessagesServer
from tests.servers.posthog import PostHogServer
from tests.servers.scripted import ModelServer
from tests.support.commands import Body, at, cpa, payloads
from tests.support.examples import scaled
from tests.support.homes import Home, turn

SEED_KEYS = {"conversation_id", "message_id", "content", "role", "explanation", "llm_judge_score"}
TEXT = {"content", "explanation", "quote", "because"}
OURS = {"schema_version", "model"}
MODELS = {
    "openai": "openai:gpt-4.1",
    "anthropic": "anthropic:claude-haiku-5-5",
    "bedrock": "bedrock:us.anthropic.claude-haiku-5-5",
    "compatible": "compatible:llama3.2",
}
VENDORS = ("posthog", "amplitude")
PLACES = ("file", "s3")
EVERY_PAIR = [(model, VENDORS[v], PLACES[(n + v) % 2]) for n, model in enumerate(MODELS) for v in range(2)]
"""Every model meets every destination and every place, and every destination every place."""
ONCE = scaled([EVERY_PAIR[n] for n in (0, 2, 5, 7)], EVERY_PAIR)
"""Every model once, every destination at every place: for the assets, whose stages are those of the command."""


def _timed(texts: list[str]) -> list[Body]:
    return [
        turn(text, f"2026-03-04T09:00:{n:02}Z", ("user", "assistant")[n % 2], message_id=n)
        for n, text in enumerate(texts)
    ]


EDITED = "A person has defined it anew."
SAID = {
    "bob": ["Where is my refund of March?", "It left us on Monday, Bob.", "Thank you so much!", "You are welcome."],
    "u-2": ["Can I deduct my home office?", "Only what is used for work.", "That is not an answer.", "Sorry for that."],
}
CHATS = {f"chat of {user}": {"user_id": user, "messages": _timed(texts)} for user, texts in SAID.items()}


@dataclass(frozen=True)
class Person:
    """Somebody who has a key for everything, set as the seed tool names it."""

    home: Home
    models: dict[str, ModelServer]
    vendors: dict[str, PostHogServer | AmplitudeServer]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """S3 on loopback."""
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def aws(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The keys of a person at AWS, on a machine that has none of its own."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    keys = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}
    return {**keys, "AWS_ENDPOINT_URL_S3": s3_server}


@pytest.fixture
def claude() -> Iterator[MessagesServer]:
    """Anthropic and Bedrock on loopback."""
    with MessagesServer() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, aws: dict[str, str], chat_server: ChatServer, claude: MessagesServer) -> Home:
    """A home with the keys of every model."""
    keys = {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": claude.url,
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": chat_server.url,
        "ANTHROPIC_API_KEY": "k",
        "ANTHROPIC_BASE_URL": claude.url,
        "CPA_COMPATIBLE_URL": chat_server.url,
    }
    return Home(tmp_path, aws | keys)


@pytest.fixture
def person(
    home: Home, chat_server: ChatServer, claude: MessagesServer, posthog: PostHogServer, amplitude: AmplitudeServer
) -> Person:
    """The home, and of every destination too. Where events go is said by a flag."""
    home.environ |= at(posthog) | at(amplitude)
    home.environ.pop("CPA_DESTINATIONS")
    models: dict[str, ModelServer] = dict.fromkeys(("openai", "compatible"), chat_server)
    models |= dict.fromkeys(("anthropic", "bedrock"), claude)
    return Person(home, models, {"posthog": posthog, "amplitude": amplitude})


def put(home: Home, place: str) -> str:
    """The transcripts in a file or in a bucket: what SOURCE is."""
    text = json.dumps(CHATS)
    if place == "file":
        return str(home.write("chats.json", text))
    client = s3.client(settings(home.environ).aws)
    bucket = f"chats-{home.folder.name.strip('_').replace('_', '-').lower()}"[:60]
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_object(Bucket=bucket, Key="in/chats.json", Body=text.encode())
    return f"s3://{bucket}/in/chats.json"


def proposed_and_edited(home: Home, source: str, model: str) -> Path:
    """The schema that the model proposed, with one definition changed by hand."""
    file = home.folder / "schema.yml"
    assert cpa(home, f"schema propose {source} --out {file} --model {model}") == 0
    first = load(file)[0].event_types[0].definition
    text = file.read_text("utf-8")
    assert text.count(first) == 1
    file.write_text(text.replace(first, EDITED), "utf-8")
    return file


def receipts(home: Home) -> dict[str, int]:
    """How many receipts of each status there are."""
    rows = home.rows("select status, count(*) as n from upload_receipts group by all")
    return {row["status"]: row["n"] for row in rows}


def vendors_events(vendor: PostHogServer | AmplitudeServer) -> tuple[list[Body], list[Body]]:
    """The payloads of tagged events, and of judgments."""
    stored = payloads(vendor)
    return [one for one in stored if "message_id" in one], [one for one in stored if "message_id" not in one]


def words_of(chats: Body) -> list[str]:
    return [message["content"] for one in chats.values() for message in one["messages"]]


@pytest.mark.parametrize(("provider", "vendor", "place"), EVERY_PAIR)
def test_propose_edit_and_run_end_in_accepted_receipts(person: Person, provider: str, vendor: str, place: str) -> None:
    home, asked, target = person.home, person.models[provider], person.vendors[vendor]
    source, model = put(home, place), MODELS[provider]
    schema = proposed_and_edited(home, source, model)
    line = f"run {source} --schema {schema} --destination {vendor} --model {model}"
    first = len(asked.calls)

    assert cpa(home, line) == 0
    tags = [body for body in asked.bodies[first:] if asked.question(body).task == "tag"]
    assert len(tags) == 2, "the model that was named is the one that is asked"
    assert all(EDITED in json.dumps(body) for body in tags)
    tagged = home.rows("select count(*) as n from tagged_events")[0]["n"]
    assert tagged >= 4
    assert receipts(home) == {"accepted": tagged + 2}
    assert len(target.rows) == tagged + 2
    events, judgments = vendors_events(target)
    assert (len(events), len(judgments)) == (tagged, 2)
    assert all(one["model"] == model and one["schema_version"] == load(schema)[0].version for one in events)

    before = len(target.asked), len(asked.calls)
    assert cpa(home, line) == 0
    assert (len(target.asked), len(asked.calls)) == before, "a second run asks and sends nothing"


@pytest.mark.parametrize(("provider", "vendor", "place"), ONCE)
def test_the_same_through_dagsters_assets(person: Person, provider: str, vendor: str, place: str) -> None:
    home, asked, target = person.home, person.models[provider], person.vendors[vendor]
    schema, model = home.folder / "home" / "schema.yml", MODELS[provider]
    own = {"CPA_HOME": str(home.folder / "home"), "CPA_SOURCE": put(home, place), "CPA_ACCEPT_PROPOSALS": "yes"}
    chosen = {"CPA_MODEL": model, "CPA_DESTINATIONS": vendor, "CPA_START_DATE": "2026-03-01"}
    job = assistant_definitions(settings(home.environ | own | chosen)).resolve_job_def("conversations")

    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(partition_key="2026-03-04", instance=instance).success
        before = len(target.asked), len(asked.calls)
        assert job.execute_in_process(partition_key="2026-03-04", instance=instance).success
    assert "Edit it" in schema.read_text("utf-8"), "no schema was there: the first proposal is in use"
    tagged = home.rows("select count(*) as n from tagged_events")[0]["n"]
    assert tagged >= 4
    assert receipts(home) == {"accepted": tagged + 2}
    assert len(target.rows) == tagged + 2
    assert (len(target.asked), len(asked.calls)) == before, "a second materialization asks and sends nothing"


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("privacy", ["no_text", "full"])
def test_the_payload_has_the_keys_of_the_seed_tool_in_full_and_no_text_by_default(
    person: Person, vendor: str, privacy: str
) -> None:
    home, target, model = person.home, person.vendors[vendor], MODELS["openai"]
    home.environ |= {"CPA_PRIVACY": "full"} if privacy == "full" else {}
    source = put(home, "file")
    schema = proposed_and_edited(home, source, model)
    assert cpa(home, f"run {source} --schema {schema} --destination {vendor} --model {model}") == 0
    types = {(t.name, t.role): {p.name for p in t.properties} for t in load(schema)[0].event_types}
    rows = home.rows("select message_id, conversation_id, event_type, role from tagged_events")
    kinds = {(row["conversation_id"], row["message_id"]): types[row["event_type"], row["role"]] for row in rows}
    events, judgments = vendors_events(target)
    kept = SEED_KEYS if privacy == "full" else SEED_KEYS - TEXT
    assert events
    for one in events:
        assert set(one) == kept | OURS | kinds[one["conversation_id"], one["message_id"]]
    said = [word for body in map(_raw, target.asked) for word in words_of(CHATS) if word in body]
    assert bool(said) == (privacy == "full")
    assert all(bool(TEXT & set(one)) == (privacy == "full") for one in [*events, *judgments])
    if privacy == "no_text":
        quotes = home.rows("select quote as words from tagged_events union select because from tagged_events")
        assert not any(row["words"] in body for row in quotes for body in map(_raw, target.asked))


def _raw(asked: Any) -> str:
    return json.dumps(asked.body, ensure_ascii=False)
