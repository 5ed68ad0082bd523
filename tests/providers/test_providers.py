"""The table of providers: names of models, defaults, what each needs, and a day through each of them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date

import pytest

from cpa_core.errors import ProviderStopped, SettingsError
from cpa_core.llm import ModelName
from cpa_core.pipeline import Assistant, land, run_day, summaries
from cpa_core.providers import PROVIDERS, default_model, model_name, provider
from cpa_core.providers.openai import ChatCompletions, body
from cpa_core.providers.wire import schema_in_words
from cpa_core.settings import settings
from cpa_core.tagging import first_requests, tag_conversation
from tests.servers.chat_completions import Behaviour, ChatServer, Status
from tests.servers.messages import MessagesServer
from tests.support.fakes import SCHEMA, asking, conversation

DAY = date(2026, 3, 4)
TALK = conversation("Can I deduct my home office?", "Yes.")
SAMPLING = {"temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"}
AWS = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "s"}
MINIMAL = {
    "openai": {"OPENAI_API_KEY": "k"},
    "anthropic": {"ANTHROPIC_API_KEY": "k"},
    "bedrock": AWS,
    "compatible": {"CPA_COMPATIBLE_URL": "http://127.0.0.1:9/v1"},
    "reference": {},
}
NEEDED = [(name, key) for name, environ in MINIMAL.items() for key in environ]


@pytest.fixture
def messages_server() -> Iterator[MessagesServer]:
    """Claude on loopback."""
    with MessagesServer() as server:
        yield server


@pytest.mark.parametrize(
    ("written", "name", "model"),
    [
        ("openai:gpt-6-luna", "openai", "gpt-6-luna"),
        ("compatible:llama3.2:3b", "compatible", "llama3.2:3b"),
        (
            "bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "bedrock",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        ),
        ("openai:ft:gpt-4o-mini:me::1", "openai", "ft:gpt-4o-mini:me::1"),
        ("reference:annotations", "reference", "annotations"),
    ],
)
def test_a_model_is_split_at_the_first_colon(written: str, name: str, model: str) -> None:
    found = model_name(written)
    assert (found.provider, found.model, str(found)) == (name, model, written)


@pytest.mark.parametrize(
    "written", ["gpt-6-luna", "openai", "openai:", ":gpt-6-luna", "", ":", "OpenAI:x", "azure:gpt-4o"]
)
def test_a_model_without_a_known_provider_is_an_error_that_names_them(written: str) -> None:
    with pytest.raises(SettingsError, match="a provider and a model are needed, as in openai:gpt-6-luna") as error:
        model_name(written)
    assert all(f"{name}:" in str(error.value) for name in PROVIDERS)


@pytest.mark.parametrize(
    ("environ", "model"),
    [
        ({}, "reference:annotations"),
        ({"OPENAI_API_KEY": ""}, "reference:annotations"),
        ({"OPENAI_API_KEY": "k"}, "openai:gpt-6-luna"),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": ""}, "openai:gpt-6-luna"),
        ({"ANTHROPIC_API_KEY": "k"}, "anthropic:claude-haiku-5-5"),
    ],
)
def test_the_default_is_the_model_of_the_one_key_else_the_reference(environ: dict[str, str], model: str) -> None:
    assert str(default_model(settings(environ))) == model


def test_several_keys_without_a_model_are_an_error_that_names_them() -> None:
    with pytest.raises(SettingsError, match=r"OPENAI_API_KEY, ANTHROPIC_API_KEY.*CPA_MODEL"):
        default_model(settings({"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"}))


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_can_be_made_from_what_it_needs(name: str) -> None:
    assert callable(provider(ModelName(provider=name, model="m"), settings(MINIMAL[name])).call)


@pytest.mark.parametrize(("name", "key"), NEEDED)
def test_what_a_provider_lacks_is_named(name: str, key: str) -> None:
    environ = {other: value for other, value in MINIMAL[name].items() if other != key}
    for lacking in (environ, {**environ, key: ""}):
        with pytest.raises(SettingsError, match=key):
            provider(ModelName(provider=name, model="m"), settings(lacking))


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[3:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from cpa_core.errors import SettingsError
from cpa_core.llm import ModelName
from cpa_core.providers import batch_vendor, provider
from cpa_core.settings import settings
environ = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "k") | {"AWS_REGION": "eu-west-1"}
environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
try:
    made = provider(ModelName(provider=sys.argv[2], model="m"), settings(environ)) if sys.argv[1] == "call" else None
    print("made", type(made or batch_vendor(sys.argv[2], settings(environ))).__name__)
except SettingsError as error:
    print(error)
"""


def made_without(what: str, name: str, *packages: str) -> str:
    """What a process says that makes a provider, or its batches, where these packages are not installed."""
    command = [sys.executable, "-c", WITHOUT, what, name, *packages]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("what", "name", "package"),
    [
        ("call", "openai", "openai"),
        ("call", "anthropic", "anthropic"),
        ("call", "bedrock", "boto3"),
        ("batch", "openai", "openai"),
        ("batch", "anthropic", "anthropic"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_what_to_install(what: str, name: str, package: str) -> None:
    said = made_without(what, name, package)
    assert said.endswith(f"needs the package {package}, which is not installed: pip install {package}"), said


@pytest.mark.parametrize(("what", "made"), [("call", "Messages"), ("batch", "MessageBatches")])
def test_anthropic_needs_no_package_of_amazon_or_of_openai(what: str, made: str) -> None:
    assert made_without(what, "anthropic", "boto3", "botocore", "openai") == f"made {made}"


@pytest.mark.parametrize("name", ["gpt-4.1", "gpt-4o", "o3-mini", "o4-mini", "gpt-9-nova"])
def test_older_and_unknown_models_work_without_sampling_parameters(chat_server: ChatServer, name: str) -> None:
    model = ModelName(provider="openai", model=name)
    made = provider(model, settings({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": chat_server.url}))
    assert tag_conversation(TALK, SCHEMA, model, asking(made)).outcome == "ok"
    (sent,) = chat_server.bodies
    assert sent == body(first_requests(TALK, SCHEMA, model)[0], is_openai=True)
    assert not SAMPLING & set(sent)
    assert "reasoning_effort" not in sent


@pytest.mark.parametrize("is_openai", [True, False])
def test_a_model_that_takes_no_schema_is_asked_once_more_in_words_and_then_only_so(
    chat_server: ChatServer, is_openai: bool
) -> None:
    chat_server.behaviour = Behaviour(structured=False)
    asked = first_requests(TALK, SCHEMA, ModelName(provider="compatible", model="m"))[0]
    made = ChatCompletions("key", chat_server.url, is_openai=is_openai)
    assert [made.call(asked).outcome, made.call(asked).outcome] == ["ok", "ok"]
    assert chat_server.faults == ["This model does not support response format `json_schema`."]
    assert [sent["messages"][0]["content"] for sent in chat_server.bodies] == [schema_in_words(asked)] * 2
    assert not any("response_format" in sent for sent in chat_server.bodies)


@pytest.mark.parametrize("words", ["response_format.type is invalid", "json_schema is not supported"])
def test_a_schema_that_is_refused_in_words_as_well_is_an_error(chat_server: ChatServer, words: str) -> None:
    chat_server.behaviour = Behaviour(lambda sent, nth: Status(400, message=words))
    asked = first_requests(TALK, SCHEMA, ModelName(provider="compatible", model="m"))[0]
    assert ChatCompletions("key", chat_server.url, is_openai=False).call(asked).outcome == "error"
    assert (len(chat_server.calls), len(chat_server.faults)) == (1, 1), "with the schema, and in words"


def test_the_reference_answers_for_the_examples_only() -> None:
    made = provider(default_model(settings({})), settings({}))
    with pytest.raises(ProviderStopped, match="examples only"):
        made.call(first_requests(TALK, SCHEMA, default_model(settings({})))[0])


def environ_of(name: str, chat: ChatServer, claude: MessagesServer) -> dict[str, str]:
    """What a provider needs to reach its server on loopback."""
    urls = {
        "openai": {"OPENAI_BASE_URL": chat.url},
        "anthropic": {"ANTHROPIC_BASE_URL": claude.url},
        "bedrock": {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": claude.url},
        "compatible": {"CPA_COMPATIBLE_URL": chat.url},
    }
    return MINIMAL[name] | urls[name]


@pytest.mark.parametrize("structured", [True, False])
@pytest.mark.parametrize(
    ("written", "priced"),
    [
        ("openai:gpt-6-luna", True),
        ("anthropic:claude-haiku-5-5", True),
        ("anthropic:claude-nova-9", False),
        ("bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("compatible:llama3.2:3b", False),
    ],
)
def test_a_day_goes_through_every_provider(
    assistant: Callable[..., Assistant],
    chat_server: ChatServer,
    messages_server: MessagesServer,
    written: str,
    priced: bool,
    structured: bool,
) -> None:
    chat_server.behaviour = messages_server.behaviour = Behaviour(structured=structured)
    environ = environ_of(model_name(written).provider, chat_server, messages_server)
    made = assistant(CPA_MODEL=written, **environ)
    land(made)
    done = run_day(made, DAY)
    assert done.is_whole
    (row,) = summaries(made, [DAY])
    assert (row["conversations"], row["judged"], row["failures"]) == (2, 2, 0)
    assert row["events"] > 0
    assert (done.tagged.cost is not None, done.judged.cost is not None) == (priced, priced)
    assert done.tagged.prompt_tokens
    delivered = (made.settings.home / "outbox" / f"{DAY}.jsonl").read_text("utf-8").splitlines()
    assert len(delivered) == row["events"] + 2


def test_no_file_of_a_home_holds_a_key(assistant: Callable[..., Assistant], messages_server: MessagesServer) -> None:
    environ = {"ANTHROPIC_API_KEY": "sk-ant-0123", "ANTHROPIC_BASE_URL": messages_server.url}
    made = assistant(CPA_MODEL="anthropic:claude-haiku-5-5", **environ)
    land(made)
    run_day(made, DAY)
    assert messages_server.calls
    for path in (path for path in made.settings.home.rglob("*") if path.is_file()):
        assert b"sk-ant-0123" not in path.read_bytes(), path.name
