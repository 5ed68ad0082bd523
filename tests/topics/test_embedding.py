"""Topics in vectors of a model: as the default's with the default's vectors, each text paid for once, and epochs."""

import base64
import json
import shutil
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cpa_core.cli import main
from cpa_core.errors import BudgetReached, ProviderFailed, SettingsError, Stopped
from cpa_core.llm import ModelName
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.forgetting.forget import forget
from cpa_core.pipeline.topics.embedding import AT_ONCE, kept_vectors, request_for
from cpa_core.pipeline.topics.placing import find_topics, first_space, quote_vectors, rename_topic
from cpa_core.providers.embeddings import DIMENSIONS, body, decode
from cpa_core.settings import settings
from cpa_core.topics import same_groups
from cpa_core.topics.vectors import Space
from tests.servers.embeddings import EmbeddingServer, refusal
from tests.servers.loopback import Asked, Fault
from tests.support.homes import Home, turn
from tests.topics.test_finding import DAY, texts
from tests.topics.test_placing import build, landed

pytestmark = pytest.mark.slow

FOUND = "select corpus, item_id, topic_id, distance from topic_items order by all"
TOPICS = "select corpus, topic_id, words, centre, radius, group_id from topics order by all"
PROVIDERS = {
    "compatible": ("compatible:m", "CPA_COMPATIBLE_URL"),
    "openai": ("openai:text-embedding-ada-002", "OPENAI_BASE_URL"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home in which the default has found topics. Tests work on copies of it."""
    made = Home(tmp_path_factory.mktemp("found"))
    landed(made)
    find_topics(made.assistant())
    return made.folder


@pytest.fixture(scope="module")
def space(found: Path) -> Space:
    """The default's space: the server makes its vectors."""
    assistant = Home(found).assistant()
    with assistant.store.reading() as view:
        return first_space(view, "requests", kept_vectors(assistant, ()))


@pytest.fixture
def home(found: Path, tmp_path: Path) -> Home:
    """A home with the same conversations, and no topics yet."""
    made = known(found, tmp_path)
    with made.assistant().store.writing() as tables:
        for table in ("topic_spaces", "topics", "topic_items", "topic_clusterings", "topic_groups"):
            tables.delete(table, "true")
    return made


def known(found: Path, folder: Path) -> Home:
    """A home with the same conversations and the default's topics."""
    shutil.copytree(found, folder / "copy")
    return Home(folder / "copy")


def served(space: Space, script: Callable[[Asked], Fault | None] = lambda asked: None) -> EmbeddingServer:
    """A server of the default's vectors."""
    return EmbeddingServer(lambda some: space.vectors(list(some)).tolist(), script)


def by_model(home: Home, server: EmbeddingServer, provider: str = "compatible", **more: str) -> Assistant:
    """An assistant of a run of its own whose vectors the server makes."""
    model, address = PROVIDERS[provider]
    own = {"CPA_EMBEDDINGS": model, address: server.base, "OPENAI_API_KEY": "k", **more}
    made = home.assistant()
    given = settings({"CPA_HOME": str(made.store.home), **own})
    return replace(made, settings=given, run_id=uuid.uuid4().hex[:16])


def ledger(home: Home) -> list[dict[str, Any]]:
    return [dict(row) for row in home.rows("select * from answers where task = 'embed'")]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_with_the_defaults_vectors_a_model_finds_the_defaults_topics(
    provider: str, found: Path, home: Home, space: Space
) -> None:
    with served(space) as server:
        find_topics(by_model(home, server, provider))
    for rows in (FOUND, TOPICS):
        assert home.rows(rows) == Home(found).rows(rows)
    assert {asked.body["encoding_format"] for asked in server.asked} == {"base64" if provider == "openai" else "float"}


def test_each_text_is_asked_about_once_and_the_price_holds(home: Home, space: Space) -> None:
    """Also a text of a later day, and not those of days before."""
    with served(space) as server:
        assistant = by_model(home, server, "openai")
        quote = quote_vectors(assistant)
        find_topics(assistant)
        rows = ledger(home)
        assert quote is not None and quote.questions == len(server.texts) == len(rows) and quote.answered == 0
        assert sum(row["prompt_tokens"] for row in rows) == server.tokens <= quote.prompt_tokens
        assert quote.cost is not None and 0 < sum(row["cost"] for row in rows) <= quote.cost
        assert all(len(asked.body["input"]) <= AT_ONCE for asked in server.asked)
        later = texts("parcel", 3, DAY, seed=9)
        home.write("later.json", {one.item_id: [turn(one.text, f"{DAY}T12:00:00Z")] for one in later})
        home.land()
        build(home)
        again = quote_vectors(by_model(home, server, "openai"))
        assert again is not None and (again.questions, again.answered) == (3, quote.questions)
        find_topics(by_model(home, server, "openai"))
        find_topics(by_model(home, server, "openai"))
        assert set(Counter(server.texts).values()) == {1} and len(server.texts) == quote.questions + 3


def test_vectors_that_were_made_before_a_stop_are_not_asked_for_again(home: Home, space: Space) -> None:
    def refuses(asked: Asked) -> Fault | None:
        return refusal("Incorrect API key provided", 401) if asked.number in (3, 4, 5) else None

    with served(space, refuses) as server:
        with pytest.raises(Stopped):
            find_topics(by_model(home, server, CPA_CONCURRENCY="1"))
        before = len(ledger(home))
        assert 0 < before == len(server.texts) and home.rows(FOUND) == []
        server.script = lambda asked: None
        find_topics(by_model(home, server))
        assert set(Counter(server.texts).values()) == {1} and len(server.texts) > before


def test_a_budget_stops_before_it_is_exceeded(home: Home, space: Space) -> None:
    with served(space) as server, pytest.raises(BudgetReached):
        find_topics(by_model(home, server, "openai", CPA_BUDGET="0.00011", CPA_CONCURRENCY="1"))
    assert 0 < sum(row["cost"] for row in ledger(home)) <= 0.00011


def test_a_text_that_the_model_does_not_take_costs_only_itself(home: Home, space: Space) -> None:
    poison = texts("parcel", 110)[7].text

    def refuses(asked: Asked) -> Fault | None:
        return refusal("the input is not accepted") if poison in asked.body["input"] else None

    with served(space, refuses) as server:
        done = find_topics(by_model(home, server)).corpora[1]
        assert done.unplaced == 1 and len(home.rows(FOUND)) == done.texts - 1
        assert find_topics(by_model(home, server)).corpora[1].unplaced == 1
        server.script = lambda asked: None
        asked_before = len(server.asked)
        assert find_topics(by_model(home, server)).corpora[1].unplaced == 0
        assert [asked.body["input"] for asked in server.asked[asked_before:]] == [[poison]]
    assert len(home.rows(FOUND)) == done.texts


def test_other_vectors_find_topics_anew_and_known_ones_keep_their_id_and_name(
    found: Path, tmp_path: Path, space: Space
) -> None:
    home = known(found, tmp_path)
    before = {row["topic_id"] for row in home.rows("select * from topics")}
    named = next(iter(sorted(before)))
    rename_topic(home.assistant(), named, "By a person")
    places = home.rows(FOUND)
    with served(space) as server:
        done = find_topics(by_model(home, server))
        assert done.corpora[1].kept == len(before)
        assert home.rows(FOUND) == places
        assert {one.name for one in done.topics if one.topic_id == named} == {"By a person"}
        assert find_topics(by_model(home, server)).corpora[1].kept is None
    halves = EmbeddingServer(lambda some: [[float(len(text) % 2), 1.0 - len(text) % 2] for text in some])
    with halves as server:
        other = find_topics(by_model(home, server, CPA_EMBEDDINGS="compatible:other"))
        assert other.corpora[1].kept is not None and other.corpora[1].kept < len(before)
    now = {one.topic_id for one in other.topics if one.topic_id}
    moved = home.rows("select earlier_id, topic_id, shared from topic_epochs order by all")
    assert {row["earlier_id"] for row in moved} == before and now <= {row["topic_id"] for row in moved}
    assert len(home.rows(FOUND)) == len(places)
    back = find_topics(home.assistant())
    assert back.corpora[1].kept is not None and len(home.rows(FOUND)) == len(places)
    for column, table in (("topic_id", "topics"), ("group_id", "topic_groups")):
        assert home.rows(f"select {column} from {table} group by all having count(*) > 1") == []
    assert sum(one.items for one in back.topics) == len(places)


def test_vectors_of_another_size_under_the_same_name_are_an_error_with_a_way_out(home: Home, space: Space) -> None:
    with served(space) as server:
        find_topics(by_model(home, server))
    home.write("later.json", {"m": [turn("my parcel is late", f"{DAY}T12:00:00Z")]})
    home.land()
    build(home)
    other = EmbeddingServer(lambda some: [[1.0, 0.0]] * len(some))
    with other as server, pytest.raises(SettingsError, match="another name in CPA_EMBEDDINGS"):
        find_topics(by_model(home, server))


def test_a_text_is_sent_redacted(home: Home, space: Space) -> None:
    home.write("mail.json", {"m": [turn("my parcel is late, write to ana@example.com", f"{DAY}T12:00:00Z")]})
    home.land()
    build(home)
    with served(space) as server:
        find_topics(by_model(home, server, CPA_REDACT_BEFORE_MODEL="true"))
    assert any("my parcel is late" in text for text in server.texts)
    assert not any("ana@example.com" in text for text in server.texts)


def test_only_vendors_with_vectors_are_asked_and_the_quote_names_them(
    home: Home, space: Space, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(space) as server:
        with pytest.raises(SettingsError, match="openai and compatible"):
            find_topics(by_model(home, server, CPA_EMBEDDINGS="anthropic:m"))
        own = {"CPA_HOME": str(home.folder / "home"), "CPA_SOURCE": str(home.source), "CPA_MODEL": "openai:gpt-6-luna"}
        schema = Path(__file__).parents[2] / "examples" / "tax_advisor" / "schema.yml"
        model = {"CPA_EMBEDDINGS": "openai:text-embedding-3-small", "OPENAI_API_KEY": "k"}
        status = main(["quote", "--json"], own | model | {"CPA_SCHEMA": str(schema)})
        told = capsys.readouterr()
        assert status == 0, told.err
        assert json.loads(told.out)["vectors"]["questions"] > 0, told.err


def packed(numbers: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_the_wire_form_is_the_vendors() -> None:
    """Numbers in base64 or plain, in any order; another number of them, or of texts, is no answer."""
    small = request_for(ModelName(provider="openai", model="text-embedding-3-small"), ["a", "b"])
    assert body(small, is_openai=True) == {
        "model": "text-embedding-3-small",
        "input": ["a", "b"],
        "encoding_format": "base64",
        "dimensions": DIMENSIONS,
    }
    assert body(small, is_openai=False) == {
        "model": "text-embedding-3-small",
        "input": ["a", "b"],
        "encoding_format": "float",
    }
    one, two = [0.25, -1.5], [3.0, 4.0]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    for rows in ((one, two), (packed(one), packed(two)), (one, packed(two))):
        data = [{"index": nth, "embedding": row} for nth, row in enumerate(rows)]
        reply = decode({"data": data[::-1], "usage": usage}, 2)
        assert reply.outcome == "ok" and json.loads(reply.text)["vectors"] == [packed(one), packed(two)]
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 0)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "?"}],
        [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}],
        [{"index": 0, "embedding": [None]}, {"index": 1, "embedding": [1.0]}],
        [{"index": 0, "embedding": "AAA="}, {"index": 1, "embedding": "AAA="}],
        [{"index": 0, "embedding": [1e400]}, {"index": 1, "embedding": [1.0]}],
        ["x", "y"],
    ],
)
def test_what_is_no_vector_for_each_text_is_no_answer(data: object) -> None:
    with pytest.raises(ProviderFailed):
        decode({"data": data}, 2)


def test_no_two_groups_are_one_earlier_group_and_half_of_either_is_shared() -> None:
    random = Random(1)
    for _ in range(200):
        items = [f"i{nth}" for nth in range(40)]
        found = {item: f"n{random.randrange(4)}" for item in items}
        earlier = {item: random.choice(["a", "b", None, f"a{found[item]}"]) for item in items}
        same = same_groups(found, earlier)
        assert len(set(same.values())) == len(same)
        for group, old in same.items():
            mine, theirs = (
                {item for item in items if groups[item] == name} for groups, name in ((found, group), (earlier, old))
            )
            assert 2 * len(mine & theirs) >= len(mine | theirs)
    assert same_groups({"x": "n"}, {"x": "old"}) == {"n": "old"} and same_groups({"x": "n"}, {"x": None}) == {}


def test_a_conversation_that_is_forgotten_takes_its_vectors_along(home: Home, space: Space) -> None:
    with served(space) as server:
        find_topics(by_model(home, server))
    gone = ledger(home)[0]["conversation_id"]
    forget(home.assistant(), conversations=[gone])
    left = ledger(home)
    assert gone not in {row["conversation_id"] for row in left}
    assert [row["answer"] for row in left if row["conversation_id"] is None] == [None]
