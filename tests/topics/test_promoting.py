"""A topic becomes an event type: proposed beside the schema, read at its border, and asked for at the quoted price."""

import json
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.errors import CpaError, InputError, NotFound, ReplyInvalid, SchemaError
from cpa_core.llm import Reply, Request
from cpa_core.models import EventType
from cpa_core.pipeline import Assistant, accept_proposal, run_day, write_report
from cpa_core.pipeline.gold.draws import gold_queue
from cpa_core.pipeline.topics.listing import topics_now
from cpa_core.pipeline.topics.placing import find_topics
from cpa_core.pipeline.topics.promoting import Promotion, WantedType, promote_topic
from cpa_core.proposing.promoting import TopicEvidence, drafted
from cpa_core.schema import dump, load
from tests.support import fakes
from tests.support.homes import Home
from tests.support.models import Model
from tests.topics.test_finding import DAY
from tests.topics.test_placing import landed

pytestmark = pytest.mark.slow

DRAFT = {"border_texts": [9], "because": "Alike.", "definition": "The user wants money back.", "name": "Refund Wish"}
SCHEMA = fakes.SCHEMA.model_copy(update={"intents": True})
EVIDENCE = TopicEvidence(role="user", central=tuple("abcdefgh"), border=tuple("ijkl"), base=SCHEMA)


class Promoted:
    """A home whose topic was promoted, the model that it asked, and what came of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "schema.yml"
        self.path.write_text("# ours\n" + dump(SCHEMA), "utf-8")
        self.home = Home(folder, {"CPA_SCHEMA": str(self.path), "CPA_MODEL": "openai:gpt-6-luna"})
        self.model = Model()
        landed(self.home)
        run_day(self.assistant, DAY)
        find_topics(self.assistant)
        self.topic = next(one for one in topics_now(self.assistant) if one.topic_id and one.corpus == "requests")
        self.before = self.sent()
        self.found: Promotion = promote_topic(self.assistant, WantedType(topic_id=str(self.topic.topic_id)))

    @property
    def assistant(self) -> Assistant:
        """An assistant of a run of its own."""
        return replace(self.home.assistant(provider=lambda _: self.model), run_id=uuid.uuid4().hex[:16])

    def sent(self) -> Counter[str]:
        """How often each event id is in the outbox."""
        lines = (self.home.folder / "home" / "outbox" / f"{DAY}.jsonl").read_text("utf-8").splitlines()
        return Counter(str(json.loads(line)["event_id"]) for line in lines)


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Promoted:
    return Promoted(tmp_path_factory.mktemp("promoted"))


def test_the_type_stands_beside_the_schema_with_its_diff_and_the_schema_stays(promoted: Promoted) -> None:
    found = promoted.found
    assert load(promoted.path)[0] == SCHEMA and Path(found.path).name == "schema.proposed.yml"
    proposed = load(Path(found.path))[0]
    assert proposed.event_types[:-1] == SCHEMA.event_types and proposed.event_types[-1] == found.event_type
    assert [(one.kind, one.place) for one in found.changes] == [("added", "user Drafted")]
    text = Path(found.path).read_text("utf-8")
    assert "# ours" in text and str(promoted.topic.topic_id) in text.splitlines()[0]
    assert all(one in text for one in found.border)
    shown = {one.topic_id: one.event_key for one in topics_now(promoted.assistant)}
    assert shown[promoted.topic.topic_id] == found.event_type.key


def test_the_draft_rests_on_eight_central_and_four_border_texts(promoted: Promoted) -> None:
    asked = [request for request in promoted.model.requests if request.task == "promote"]
    assert len(asked) == 1
    rows = [json.loads(row) for row in asked[0].user.partition("<texts>\n")[2].partition("\n</texts>")[0].split("\n")]
    assert Counter(row["place"] for row in rows) == {"central": 8, "border": 4}
    sql = f"select conversation_id from topic_items where topic_id = '{promoted.topic.topic_id}' order by distance"
    by_distance = [row["conversation_id"] for row in promoted.home.rows(sql)]
    assert set(promoted.found.border) == set(by_distance[-4:])


def test_the_border_texts_wait_for_review_and_make_no_rate(promoted: Promoted) -> None:
    queue = gold_queue(promoted.assistant, f"topic {promoted.topic.topic_id}")
    assert [one.conversation_id for one in queue] == list(promoted.found.border)
    assert all(one.chance is None for one in queue)


def test_the_report_shows_topics_with_their_ends_and_names_no_word_where_no_text_may_leave(promoted: Promoted) -> None:
    name = next(one.name for one in topics_now(promoted.assistant) if one.topic_id == promoted.topic.topic_id)
    for privacy, shown, hidden in (("redacted", name, None), ("no_text", promoted.topic.topic_id, name)):
        made = promoted.assistant
        made = replace(made, settings=made.settings.model_copy(update={"report_privacy": privacy}))
        page = write_report(made, out=promoted.path.with_name("report.html")).path.read_text("utf-8")
        section = page.partition('id="topics"')[2].partition("</section>")[0]
        assert f">{shown}<" in section and (hidden is None or hidden not in page)
        quality = page.partition('id="quality"')[2].partition("</section>")[0]
        assert "Did users get what they wanted" in quality and "delivered" in section
        assert "event type Drafted" in section and "topic:requests:" in section


def test_old_days_ask_what_was_quoted_and_each_event_is_delivered_once(promoted: Promoted) -> None:
    accept_proposal(Path(promoted.found.path), promoted.path)
    quote = promoted.found.quote
    assert quote is not None
    before = len(promoted.model.requests)
    run_day(promoted.assistant, DAY, retag=True)
    asked = Counter(request.task for request in promoted.model.requests[before:])
    assert dict(asked) == {line.task: line.questions for line in quote.lines if line.questions}
    assert asked["tag"] > 0
    after = promoted.sent()
    assert set(after.values()) == {1} and promoted.before.keys() < after.keys()
    run_day(promoted.assistant, DAY, retag=True)
    assert promoted.sent() == after and len(promoted.model.requests) == before + asked.total()


def test_a_person_may_give_name_and_definition_and_no_model_is_asked(
    tmp_path: Path, promoted: Promoted, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "schema.yml"
    path.write_text(dump(SCHEMA), "utf-8")
    given = ["--home", str(promoted.home.folder / "home"), "--schema", str(path)]
    given += ["--name", "Lost", "--definition", "It is lost."]
    assert main(["topics", "promote", str(promoted.topic.topic_id), *given], {}) == 0
    shown = capsys.readouterr().out
    assert "+ user Lost: a new type" in shown
    assert f"cpa schema accept --home {promoted.home.folder / 'home'} {path.with_suffix('.proposed.yml')}" in shown
    assert load(path.with_suffix(".proposed.yml"))[0].event_types[-1] == EventType(
        name="Lost", definition="It is lost.", role="user"
    )
    assert main(["topics", "promote", "nothing", *given], {}) == 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"topic_id": "nothing"}, NotFound),
        ({"name": SCHEMA.event_types[0].name, "definition": "Again.", "role": SCHEMA.event_types[0].role}, SchemaError),
        ({"name": "  ", "definition": "Nameless."}, SchemaError),
    ],
)
def test_a_promotion_needs_a_topic_and_a_type_that_the_schema_may_have(
    promoted: Promoted, change: dict[str, str], error: type[CpaError]
) -> None:
    promoted.path.write_text(dump(SCHEMA), "utf-8")
    with pytest.raises(error):
        promote_topic(promoted.assistant, WantedType(**{"topic_id": str(promoted.topic.topic_id)} | change))


def test_too_few_conversations_are_no_event_type(promoted: Promoted) -> None:
    with promoted.assistant.store.writing() as tables:
        tables.insert("topics", [{"topic_id": "small", "corpus": "requests", "topic_name": "small"}])
    with pytest.raises(InputError, match="too few"):
        promote_topic(promoted.assistant, WantedType(topic_id="small"))


@pytest.mark.parametrize(
    "change",
    [
        {"border_texts": [8]},  # a central text
        {"border_texts": [13]},
        {"border_texts": [True]},
        {"border_texts": "9"},
        {"because": " "},
        {"definition": ""},
        {"definition": None},
        {"name": 3},
        {"name": SCHEMA.event_types[0].name},
    ],
)
def test_an_unusable_draft_is_refused_with_its_reason(change: dict[str, object]) -> None:
    with pytest.raises(ReplyInvalid):
        drafted(json.dumps(DRAFT | change), EVIDENCE)


def test_a_draft_names_the_border_texts_by_their_place() -> None:
    made = drafted(json.dumps(DRAFT | {"border_texts": [12, 9, 12]}), EVIDENCE)
    assert made.border == (4, 1) and made.event_type.name == "Refund Wish"


def test_a_model_that_drafts_nothing_usable_leaves_no_file(promoted: Promoted, tmp_path: Path) -> None:
    def useless(request: Request) -> Reply | None:
        return Reply(outcome="invalid", detail="no") if request.task == "promote" else None

    path = tmp_path / "schema.yml"
    path.write_text(dump(SCHEMA), "utf-8")
    made = replace(promoted.assistant, provider=lambda _: Model(useless))
    made = replace(made, settings=made.settings.model_copy(update={"schema_path": path}))
    with pytest.raises(CpaError, match="no valid event type"):
        promote_topic(made, WantedType(topic_id=str(promoted.topic.topic_id), role="assistant"))
    assert [one.name for one in tmp_path.iterdir()] == ["schema.yml"]
