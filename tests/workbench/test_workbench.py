"""The workbench: what is said is kept at once, blind comes first, no other page can speak, and no word is markup."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from cpa_core.gold.reviews import Review
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.gold.ledger import gold_folder, merge_gold
from cpa_core.workbench.drafts import Drafts, DraftStep
from cpa_core.workbench.guard import QUESTIONS
from cpa_core.workbench.highlights import pieces
from cpa_core.workbench.serving import ACTIONS, PAGES, application
from tests.support.examples import examples
from tests.support.inbox import ISSUE, put_issue
from tests.support.labelled import ASKING, THANKS, LabelledHome, labelled_home, talks

pytestmark = pytest.mark.slow

HOST, TOKEN = "127.0.0.1:8123", "the-token-of-this-start"
ORIGIN = {"origin": f"http://{HOST}"}


def browser(home: LabelledHome, reviewer: str = "ana", *, read_only: bool = False) -> TestClient:
    """A browser that was given the token, of a reviewer with a name."""
    app = application(home.assistant, token=TOKEN, hosts=[HOST], read_only=read_only)
    client = TestClient(app, base_url=f"http://{HOST}", headers=ORIGIN)
    client.get(f"/?token={TOKEN}")
    if reviewer and not read_only:
        client.post("/reviewer", data={"reviewer": reviewer})
    return client


@pytest.fixture
def home(tmp_path: Path) -> LabelledHome:
    found = labelled_home(tmp_path, talks(6))
    draw_gold(found.assistant, WantedDraw(way="random", size=4))
    return found


def reviews(home: LabelledHome) -> list[Review]:
    """What is on the disk."""
    path = gold_folder(home.assistant.settings) / "reviews.jsonl"
    return [Review.model_validate_json(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def item(client: TestClient) -> str:
    """The address of what is next."""
    return str(client.get("/review").url.path)


def asked(client: TestClient, address: str) -> list[str]:
    """The messages that an item asks about."""
    return [unescape(one) for one in re.findall(r'name="message_id" value="([^"]*)"', client.get(address).text)]


def answer_all(client: TestClient, address: str) -> None:
    """The first message has an event, the others none."""
    for n, message in enumerate(asked(client, address)):
        said = {"type": ASKING, f"quote {ASKING}": "at 0", f"property {ASKING} Topic": "tax"} if n == 0 else {}
        client.post(f"{address}/message", data={"message_id": message, "seconds": "2", **said})


def test_a_conversation_is_read_blind_kept_and_then_shown_beside_the_models_labels(home: LabelledHome) -> None:
    client = browser(home)
    address = item(client)
    page = client.get(address).text
    assert "because" not in page and "score" not in page.lower()
    assert client.get(f"{address}/labels").url.path == address  # nothing is shown before it is finished
    answer_all(client, address)
    client.post(f"{address}/verdicts", data={"verdict P1": "met", "verdict D1": "cannot tell"})
    after = client.post(f"{address}/finish")
    assert after.url.path == f"{address}/labels"
    kept = reviews(home)
    assert {one.reviewer for one in kept} == {"ana"} and all(one.blind and one.chance for one in kept)
    first = next(one for one in kept if any(answer.present and answer.kind == "event" for answer in one.answers))
    assert {answer.name: answer.present for answer in first.answers} == {ASKING: True, THANKS: False}
    assert next(answer.quote for answer in first.answers if answer.present) == "at 0"
    assert item(client) != address
    merge_gold(home.assistant)
    assert home.home.rows("select count(distinct message_id) as n from gold_labels where kind = 'event'")[0]["n"] > 0


def test_a_conversation_with_an_open_message_is_not_finished(home: LabelledHome) -> None:
    client = browser(home)
    address = item(client)
    client.post(f"{address}/message", data={"message_id": asked(client, address)[0]})
    answer = client.post(f"{address}/finish")
    assert answer.status_code == 400 and "no answer yet" in answer.text and reviews(home) == []


def test_what_was_said_is_there_after_a_kill_and_an_undo_takes_back_one_step(home: LabelledHome) -> None:
    client = browser(home)
    address = item(client)
    first, second, *_ = asked(client, address)
    client.post(f"{address}/message", data={"message_id": first, "type": ASKING})
    client.post(f"{address}/message", data={"message_id": second})
    again = browser(home)  # another process: nothing but the files is left
    assert item(again) == address
    assert again.get(address).text.count('data-answered="yes"') == 2
    again.post(f"{address}/undo")
    assert again.get(address).text.count('data-answered="yes"') == 1
    again.post(f"{address}/undo")
    again.post(f"{address}/undo")  # nothing is left to take back
    assert again.get(address).text.count('data-answered="yes"') == 0


def test_what_is_put_off_comes_last(home: LabelledHome) -> None:
    client = browser(home)
    first = item(client)
    client.post(f"{first}/defer")
    seen = []
    while (address := item(client)) != "/":
        seen.append(address)
        client.post(f"{address}/rest")
        client.post(f"{address}/finish")
    assert len(seen) == 4 and seen[-1] == first


def test_what_changes_after_the_models_labels_is_stored_and_not_blind(home: LabelledHome) -> None:
    client = browser(home)
    address = item(client)
    message = asked(client, address)[0]
    client.post(f"{address}/rest")
    early = client.post(f"{address}/labels", data={"message_id": message, "type": THANKS})
    assert early.status_code == 400
    client.post(f"{address}/finish")
    before = len(reviews(home))
    client.post(f"{address}/labels", data={"message_id": message, "type": THANKS, "decision": "change"})
    *_, last = reviews(home)
    assert len(reviews(home)) == before + 1 and not last.blind and last.note.startswith("changed")


def test_two_reviewers_who_differ_are_settled(home: LabelledHome) -> None:
    ana, ben = browser(home), browser(home, "ben")
    address = item(ana)
    message = asked(ana, address)[0]
    seen = {"type": ASKING, f"quote {ASKING}": "at 0", f"property {ASKING} Topic": "tax"}
    for client, said in ((ana, seen), (ben, {})):
        client.post(f"{address}/message", data={"message_id": message, **said})
        client.post(f"{address}/rest")
        client.post(f"{address}/finish")
    page = ana.get("/disputes").text
    conversation = re.search(r'name="conversation" value="([^"]*)"', page)
    assert conversation and "yes: ana; no: ben" in page
    ana.post("/disputes", data={"conversation": conversation[1], "message_id": message, "type": ASKING})
    assert "say the same" in ana.get("/disputes").text
    *_, settled = reviews(home)
    answer = next(one for one in settled.answers if one.present)
    assert settled.queue == "adjudicated" and (answer.quote, answer.properties) == ("at 0", {"Topic": "tax"})


@pytest.mark.parametrize("verdict", [{"verdict P1": "hit"}, {"verdict D1": "met"}, {"verdict P1": "yes"}])
def test_a_verdict_of_another_kind_is_refused_before_it_is_kept(home: LabelledHome, verdict: dict[str, str]) -> None:
    client = browser(home)
    address = item(client)
    assert client.post(f"{address}/verdicts", data=verdict).status_code == 400
    client.post(f"{address}/rest")
    assert client.post(f"{address}/finish").url.path == f"{address}/labels"


def test_conversations_are_found_by_what_is_in_them(home: LabelledHome) -> None:
    client = browser(home)
    everything = client.get("/read").text
    assert everything.count('href="/c/') == 6
    assert client.post("/read", data={"words": "no such words anywhere"}).text.count('href="/c/') == 0
    assert client.post("/read", data={"least": "101"}).status_code == 400
    assert client.post("/read", data={"first": "yesterday"}).status_code == 400
    page = client.get("/c/c0000")
    assert page.status_code == 200 and 'id="m0"' in page.text and "Wanted" not in page.text
    with home.assistant.store.writing() as tables:
        told = {
            "intent": "a <b>refund</b>",
            "intent_delivered": "no",
            "intent_quote": "<i>no</i>",
            "intent_position": 0,
        }
        day = tables.rows("select day from raw_conversations where conversation_id = 'c0000'")[0]
        tables.execute("delete from judge_scores where conversation_id = 'c0000'")
        row = {"conversation_id": "c0000", "outcome": "ok", "verdicts": "{}", "dealbreakers": "{}"}
        tables.insert("judge_scores", [day | row | told])
    page = client.get("/c/c0000")
    assert "a &lt;b&gt;refund" in page.text and "no: <q>&lt;i&gt;no" in page.text and 'href="#m0">#0</a>' in page.text


def test_what_looks_wrong_is_in_the_queue_once_and_is_read_there(home: LabelledHome) -> None:
    client = browser(home)
    for _ in range(2):
        client.post("/reported", data={"conversation": "c0000"})
        client.post("/reported", data={"conversation": "c0001", "message_id": "m2"})
    assert client.post("/reported", data={"conversation": "c0001", "message_id": "no such"}).status_code == 404
    seen = []
    while (address := str(client.get("/review?queue=reported").url.path)) != "/":
        seen.append(asked(client, address))
        client.post(f"{address}/rest")
        client.post(f"{address}/finish")
    assert len(seen) == 2 and len(seen[0]) > 1 and seen[1] == ["m2"]
    assert all(one.chance is None for one in reviews(home))  # no part of a random sample


def test_the_schema_is_checked_compared_and_saved_with_its_comments_and_never_over_another_edit(
    home: LabelledHome,
) -> None:
    path = Path(home.home.environ["CPA_SCHEMA"])
    path.write_text("# kept by hand\n" + path.read_text("utf-8"), "utf-8")
    client = browser(home)
    mark = re.search(r'name="mark" value="([^"]*)"', client.get("/schema").text)
    assert mark
    edited = path.read_text("utf-8").replace("The user says thanks.", "The user thanks the assistant in words.")
    checked = client.post("/schema", data={"yaml": edited, "mark": mark[1], "action": "check"}).text
    assert THANKS in checked and "What this changes" in checked and path.read_text("utf-8") != edited
    broken = client.post("/schema", data={"yaml": "name: [", "mark": mark[1], "action": "check"})
    assert broken.status_code == 200 and "banner" in broken.text
    client.post("/schema", data={"yaml": edited, "mark": mark[1], "action": "save"})
    assert path.read_text("utf-8") == edited and edited.startswith("# kept by hand")
    late = client.post("/schema", data={"yaml": edited + "# mine\n", "mark": mark[1], "action": "save"})
    assert late.status_code == 400 and "changed meanwhile" in late.text and path.read_text("utf-8") == edited


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1:9"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": f"http://{HOST}.evil.example"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"cookie": "cpa_workbench=guessed"}, 403),
    ],
)
def test_no_other_page_can_speak_to_it(home: LabelledHome, headers: dict[str, str], status: int) -> None:
    client = browser(home)
    for path in ACTIONS:
        answer = client.post(_filled(path), data={"reviewer": "mallory"}, headers=headers)
        assert answer.status_code == status, path
    assert reviews(home) == []


def test_without_the_token_nothing_can_be_read(home: LabelledHome) -> None:
    stranger = TestClient(application(home.assistant, token=TOKEN, hosts=[HOST]), base_url=f"http://{HOST}")
    for path in [*map(_filled, PAGES), "/static/workbench.js", "/?token=guessed", "/nowhere"]:
        answer = stranger.get(path)
        assert answer.status_code == 403, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_page_that_only_reads_stores_nothing(home: LabelledHome) -> None:
    client = browser(home, read_only=True)
    assert client.get("/read").status_code == 200
    assert client.post("/read", data={"words": "x"}).status_code == 200
    for path in set(ACTIONS) - QUESTIONS:
        assert client.post(_filled(path), data={"size": "1"}).status_code == 403, path
    path = Path(home.home.environ["CPA_SCHEMA"])
    before = path.read_text("utf-8")
    client.post("/schema", data={"yaml": before + "# more\n", "mark": "", "action": "save"})
    assert path.read_text("utf-8") == before


def _filled(path: str) -> str:
    for name, value in (("{draw}", "abc"), ("{place:int}", "0"), ("{conversation:path}", "c0000"), ("{issue}", ISSUE)):
        path = path.replace(name, value)
    return path


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '" onfocus="alert(1)', "</textarea><b>x", "{{ 7 * 7 }}"]
)
def test_no_word_is_markup(home: LabelledHome, hostile: str) -> None:
    with home.assistant.store.writing() as transaction:
        transaction.execute(
            "update messages set content = $words, message_id = $words where position = 0", words=hostile
        )
    client = browser(home, hostile[:60])
    address = item(client)
    pages = [client.get(path).text for path in ("/", address, "/c/c0000", f"/c/{quote(hostile, safe='')}", "/read")]
    pages.append(client.post("/read", data={"words": hostile, "type": hostile}).text)
    pages.append(client.post(f"{address}/message", data={"message_id": hostile, "note": hostile}).text)
    for page in pages:
        for piece in ("<script>alert", 'onfocus="alert', "</textarea><b>"):
            assert piece not in page
        assert "49" not in re.findall(r"value=\"([^\"]*)\"", page)


FIELDS = ["message_id", "type", "size", "way", "skip", "least", "first", "yaml", "mark", "action", "conversation"]
FIELDS += ["pasted", "proposal", "take", "file", "decision", "password", "reviewer"]
FIELDS += ["owner", "note", "status", "fixed_on", "was status"]


@examples(30)
@given(
    path=st.sampled_from([*PAGES, *ACTIONS]),
    part=st.text(max_size=20),
    fields=st.dictionaries(
        st.sampled_from(FIELDS),
        st.text(max_size=20)
        | st.sampled_from(["-1", "nan", "1e999", "9" * 30, "random", "save", "price", "ask", "c0000", "[{"])
        | st.sampled_from(["open", "fixed", "0001-01-01", "9999-12-31"]),
        max_size=4,
    ),
)
def test_no_request_breaks_it(fuzzed: TestClient, path: str, part: str, fields: dict[str, str]) -> None:
    address = _filled(path) if part == "" else path.replace("{draw}", quote(part, safe="")).replace("{place:int}", "0")
    address = address.replace("{conversation:path}", quote(part, safe=""))
    address = address.replace("{issue}", quote(part, safe="")) or "/"
    if path in PAGES:
        assert fuzzed.get(address).status_code < 500
    if path in ACTIONS:
        body = "&".join(f"{quote(k)}={quote(v.encode('utf-8', 'replace'))}" for k, v in fields.items())
        answer = fuzzed.post(address, content=body, headers={"content-type": "application/x-www-form-urlencoded"})
        assert answer.status_code < 500


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    found = labelled_home(tmp_path_factory.mktemp("fuzzed"), talks(3))
    draw_gold(found.assistant, WantedDraw(way="random", size=1))
    put_issue(found.assistant)
    yield browser(found)


@given(spans=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5), content=st.text(max_size=25))
def test_pieces_are_the_text_and_every_quote_is_marked(spans: list[tuple[int, int]], content: str) -> None:
    events = [{"quote_start": min(s), "quote_end": max(s), "event_type": str(n)} for n, s in enumerate(spans)]
    found = pieces(content, events)
    assert "".join(piece.text for piece in found) == content
    for n, event in enumerate(events):
        marked = "".join(piece.text for piece in found if str(n) in piece.names)
        assert marked == content[event["quote_start"] : event["quote_end"]]


def test_a_line_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "drafts.jsonl"
    about = {"reviewer": "ana", "draw_id": "d", "conversation_id": "c", "said_at": datetime(2026, 3, 1, tzinfo=UTC)}
    step = DraftStep(step="message", message_id="m0", **about)
    path.write_text("{torn\n" + json.dumps({"step": "unknown"}) + "\n" + step.model_dump_json() + "\n", "utf-8")
    assert set(Drafts(path).of("ana", "d", "c").messages) == {"m0"}
