"""The inbox in the workbench: listed, changed field by field, never over another's change, and no word is markup."""

import re
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cpa_core.pipeline.reporting.inbox import IssueChange, issue_named, set_issue
from cpa_core.workbench.issues_page import MOST_NOTE
from tests.support.inbox import ISSUE, put_issue
from tests.support.labelled import ASKING, LabelledHome, labelled_home, talks
from tests.workbench.test_workbench import browser

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> LabelledHome:
    found = labelled_home(tmp_path, talks(3))
    put_issue(found.assistant, ASKING)
    return found


def form_of(client: TestClient, issue: str = ISSUE) -> dict[str, str]:
    """The form of an issue's page as a browser sends it back unchanged."""
    page = client.get(f"/issues/{issue}").text
    sent = {name: unescape(value) for name, value in re.findall(r'name="(was [^"]*)" value="([^"]*)"', page)}
    return sent | {name: sent[f"was {name}"] for name in ("owner", "note", "status", "fixed_on")}


def post(client: TestClient, sent: dict[str, str]) -> int:
    return client.post(f"/issues/{ISSUE}", data=sent).status_code


def test_an_issue_is_listed_opened_changed_and_set_aside(home: LabelledHome) -> None:
    client = browser(home)
    listed = client.get("/issues").text
    assert f'href="/issues/{ISSUE}"' in listed and "growing" in listed and "10 of 100" in listed
    sent = form_of(client) | {"owner": "Zoë", "note": "two\r\nlines", "status": "accepted"}
    assert client.post(f"/issues/{ISSUE}", data=sent).url.path == f"/issues/{ISSUE}"
    one = issue_named(home.assistant, ISSUE)
    assert (one.owner, one.note, one.status, one.fixed_on) == ("Zoë", "two\nlines", "accepted", None)
    assert ISSUE not in client.get("/issues").text and "1 set aside" in client.get("/issues").text
    assert ISSUE in client.get("/issues?all").text
    assert post(client, form_of(client)) == 200 and issue_named(home.assistant, ISSUE) == one


def test_a_fixed_issue_has_its_day_and_a_comparison_and_loses_both_when_it_is_open(home: LabelledHome) -> None:
    client = browser(home)
    assert "Before and after" not in client.get(f"/issues/{ISSUE}").text
    assert post(client, form_of(client) | {"status": "fixed", "fixed_on": "2026-03-02"}) == 200
    assert str(issue_named(home.assistant, ISSUE).fixed_on) == "2026-03-02"
    page = client.get(f"/issues/{ISSUE}").text
    assert "Before and after the fix" in page and "since, 2026-03-02" in page
    assert post(client, form_of(client) | {"fixed_on": "2026-03-01"}) == 200
    assert str(issue_named(home.assistant, ISSUE).fixed_on) == "2026-03-01"
    assert post(client, form_of(client) | {"status": "open"}) == 200
    assert issue_named(home.assistant, ISSUE).fixed_on is None


@pytest.mark.parametrize(
    ("mine", "theirs", "status"),
    [
        ({"owner": "ana"}, IssueChange(note="read"), 200),  # another field
        ({"owner": "ana"}, IssueChange(owner="ana"), 200),  # the same
        ({"owner": "ana"}, IssueChange(owner="ben"), 400),
        ({"note": "mine", "owner": "ana"}, IssueChange(note="theirs"), 400),
        ({"status": "not an issue"}, IssueChange(status="accepted"), 400),
    ],
)
def test_a_change_never_undoes_anothers(
    home: LabelledHome, mine: dict[str, str], theirs: IssueChange, status: int
) -> None:
    client = browser(home)
    sent = form_of(client) | mine
    before = set_issue(home.assistant, ISSUE, theirs)
    assert post(client, sent) == status
    kept = issue_named(home.assistant, ISSUE)
    assert kept == (before if status == 400 else before.model_copy(update=mine))


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "fixed"},
        {"status": "gone"},
        {"status": ""},
        {"fixed_on": "soon", "status": "fixed"},
        *({"fixed_on": day, "status": "fixed"} for day in ("0001-01-01", "9999-12-31")),
        {"owner": "a" * 61},
        {"owner": "a\x07b"},
        {"note": "a" * (MOST_NOTE + 1)},
    ],
)
def test_a_change_that_cannot_be_is_refused_whole(home: LabelledHome, wrong: dict[str, str]) -> None:
    client = browser(home)
    before = issue_named(home.assistant, ISSUE)
    assert post(client, form_of(client) | {"owner": "ana"} | wrong) == 400
    assert issue_named(home.assistant, ISSUE) == before and client.get(f"/issues/{ISSUE}").status_code == 200


def test_an_issue_that_is_not_there_is_not_found_and_an_empty_inbox_has_a_page(tmp_path: Path) -> None:
    client = browser(labelled_home(tmp_path, talks(3)))
    assert client.get("/issues/none").status_code == 404
    assert client.post("/issues/none", data={"status": "open"}).status_code == 404
    assert "no issue is established" in client.get("/issues").text
    assert client.post("/issues/follow").url.path == "/issues"


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '" onfocus="alert(1)', "</textarea><b>x", "{{ 7 * 7 }}"]
)
def test_no_word_of_an_issue_is_markup(home: LabelledHome, hostile: str) -> None:
    put_issue(home.assistant, hostile, "ffff")
    client = browser(home)
    assert client.post("/issues/ffff", data=form_of(client, "ffff") | {"owner": hostile, "note": hostile}).is_success
    assert issue_named(home.assistant, "ffff").note == hostile
    for page in (client.get("/issues").text, client.get("/issues/ffff").text):
        for piece in ("<script>alert", 'onfocus="alert', "</textarea><b>", ">49<"):
            assert piece not in page


def test_the_type_of_an_issue_leads_to_its_conversations(home: LabelledHome) -> None:
    put_issue(home.assistant, "a type that is gone", "ffff")
    client = browser(home)
    assert f'name="type" value="{ASKING}"' in client.get(f"/issues/{ISSUE}").text
    assert 'action="/read"' not in client.get("/issues/ffff").text
