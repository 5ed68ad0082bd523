"""Every page works by keyboard and with a screen reader: named controls, one heading, landmarks, tables with heads."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.reporting.inbox import IssueChange, set_issue
from cpa_core.schema import dump
from cpa_core.workbench.door import Door
from cpa_core.workbench.serving import application
from tests.support.inbox import ISSUE, put_issue
from tests.support.labelled import SCHEMA, labelled_home, talks

HOST = "127.0.0.1:8123"
VOID = frozenset({"meta", "link", "input", "br", "img", "hr", "option"})
Attributes = dict[str, str | None]


@dataclass
class Node:
    """An element with its text, which is what a screen reader says of it."""

    tag: str
    attributes: Attributes
    parents: tuple[str, ...]
    label: bool = False
    words: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return (self.attributes.get("aria-label") or " ".join(self.words)).strip()


class Reader(HTMLParser):
    """The elements of a page in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self._open: list[Node] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        within = any(one.tag == "label" for one in self._open)
        node = Node(tag, dict(attrs), tuple(one.tag for one in self._open), within)
        self.nodes.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        for node in self._open:
            node.words.append(data.strip())

    def of(self, *tags: str) -> list[Node]:
        return [one for one in self.nodes if one.tag in tags]


def wrong(text: str) -> Iterator[str]:
    """What of a page does not work without a mouse or without eyes."""
    page = Reader(text)
    ids = [one.attributes["id"] for one in page.nodes if "id" in one.attributes]
    named = {one.attributes.get("for") for one in page.of("label")}
    if page.of("html")[0].attributes.get("lang") != "en":
        yield "no language"
    if len(page.of("h1")) != 1 or len(page.of("main")) != 1 or not page.of("title")[0].name:
        yield "not one heading, one main part and a title"
    yield from (f"{one} stands twice" for one in set(ids) if ids.count(one) > 1)
    for one in page.of("input", "select", "textarea"):
        hidden = one.attributes.get("type") == "hidden" or "hidden" in one.attributes
        if not hidden and not one.label and one.attributes.get("id") not in named and not one.name:
            yield f"{one.tag} {one.attributes.get('name')} has no label"
    yield from (f"a {one.tag} has no name" for one in page.of("button", "a") if not one.name)
    yield from ("a column has no name" for one in page.of("th") if not one.name)
    yield from ("a navigation has no name" for one in page.of("nav") if not one.name)
    for one in page.nodes:
        for reference in ("aria-labelledby", "aria-describedby"):
            if reference in one.attributes and one.attributes[reference] not in ids:
                yield f"{reference} {one.attributes[reference]} names nothing"
    levels = [int(one.tag[1]) for one in page.of("h1", "h2", "h3", "h4")]
    yield from (f"h{b} follows h{a}" for a, b in pairwise(levels) if b > a + 1)
    for table in page.of("table"):
        if not [one for one in page.of("th") if one.parents[: len(table.parents)] == table.parents]:
            yield "a table has no heads"
    yield from ("a style or a script stands in the page" for one in page.nodes if "style" in one.attributes)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    home = labelled_home(tmp_path_factory.mktemp("accessible"), talks(6))
    draw_gold(home.assistant, WantedDraw(way="random", size=4))
    home.read([0, 1, 2], "ben")
    home.read([0, 1], "eve")
    put_issue(home.assistant)
    set_issue(home.assistant, ISSUE, IssueChange(status="fixed", fixed_on=date(2026, 3, 2)))
    path = Path(home.home.environ["CPA_SCHEMA"])
    path.with_suffix(".proposed.yml").write_text(dump(SCHEMA.model_copy(update={"name": "Other"})), "utf-8")
    app = application(home.assistant, token="t", hosts=[HOST], door=Door(password="a long password"))
    client = TestClient(app, base_url=f"http://{HOST}", headers={"origin": f"http://{HOST}"})
    assert not list(wrong(client.get("/").text))  # the page that asks for the password
    client.get("/?token=t")
    client.post("/reviewer", data={"reviewer": "ana"})
    return client


PATHS = [
    "/",
    "/review",
    "/quality",
    "/disputes",
    "/read",
    "/c/c0000",
    "/schema",
    "/schema/additions",
    "/try",
    "/issues",
    f"/issues/{ISSUE}",
    "/nothing",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_can_be_used_without_a_mouse_and_without_eyes(client: TestClient, path: str) -> None:
    assert list(wrong(client.get(path).text)) == []


def test_pages_that_follow_a_form_can_be_used_so_too(client: TestClient) -> None:
    address = str(client.get("/review").url.path)
    text = dump(SCHEMA.model_copy(update={"description": "Other words."}))
    pages = [
        client.post("/schema", data={"yaml": text, "action": "check"}),
        client.post("/schema", data={"yaml": "a: [", "action": "check"}),
        client.post("/schema/additions", data={"proposal": text.replace("name: Thanks", "name: More")}),
        client.post("/read", data={"words": "nothing"}),
        client.post("/try", data={"yaml": text}),
    ]
    client.post(f"{address}/rest")
    pages.append(client.post(f"{address}/finish"))
    assert [found for page in pages for found in wrong(page.text)] == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ('<html lang="en"><title>t</title><main><h1>a</h1><input name="x"></main>', "input x has no label"),
        ('<html lang="en"><title>t</title><main><h1>a</h1><button></button></main>', "a button has no name"),
        ('<html lang="en"><title>t</title><main><h1>a</h1><h3>b</h3></main>', "h3 follows h1"),
    ],
)
def test_the_rules_find_what_breaks_them(broken: str, said: str) -> None:
    assert said in list(wrong(broken))
