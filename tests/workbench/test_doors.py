"""Who comes in: never another machine without a password; a link from elsewhere leads to the conversation."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from cpa_core.errors import SettingsError
from cpa_core.pipeline import write_report
from cpa_core.settings import settings
from cpa_core.workbench import guard
from cpa_core.workbench.door import Door, door_of
from cpa_core.workbench.serving import application
from tests.support.labelled import LabelledHome, labelled_home, talks

pytestmark = pytest.mark.slow

TOKEN, PASSWORD = "the-token-of-this-start", "a long enough password"
OUTSIDE = "https://workbench.example.com"
HOST = OUTSIDE.removeprefix("https://")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> LabelledHome:
    return labelled_home(tmp_path_factory.mktemp("doors"), talks(3))


def stranger(home: LabelledHome, **door: str) -> TestClient:
    """A browser without the token, at a workbench behind a proxy."""
    app = application(home.assistant, token=TOKEN, hosts=[HOST], door=Door(address=OUTSIDE, **door))
    return TestClient(app, base_url=OUTSIDE, headers={"origin": OUTSIDE})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "workbench.internal"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"CPA_WORKBENCH_PASSWORD": PASSWORD},
        {"CPA_WORKBENCH_URL": OUTSIDE},
        {"CPA_WORKBENCH_URL": OUTSIDE, "CPA_WORKBENCH_PASSWORD": "short"},
    ],
)
def test_another_machine_is_let_in_only_with_a_password_and_an_address(host: str, given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="CPA_WORKBENCH_"):
        door_of(settings(given), host, 0)


@pytest.mark.parametrize(
    "address", ["workbench.example.com", "ftp://a", "https://a/b", "https://user:pass@a", "http://"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="CPA_WORKBENCH_URL"):
        door_of(settings({"CPA_WORKBENCH_URL": address}), "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("127.0.0.1", {"127.0.0.1:80", "localhost:80", HOST}),
        ("localhost", {"127.0.0.1:80", "localhost:80", HOST}),
        ("::1", {"[::1]:80", "127.0.0.1:80", "localhost:80", HOST}),
        ("0.0.0.0", {HOST}),
    ],
)
def test_it_answers_under_the_bound_address_and_the_named_one(host: str, hosts: set[str]) -> None:
    given = settings({"CPA_WORKBENCH_URL": OUTSIDE, "CPA_WORKBENCH_PASSWORD": PASSWORD})
    assert set(door_of(given, host, 0).hosts(80)) == hosts


def test_the_password_lets_in_and_nothing_else_does(home: LabelledHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "WRONG_PASSWORD_SECONDS", 0.0)
    client = stranger(home, password=PASSWORD)
    page = client.get("/c/c0000")
    assert page.status_code == 401 and "Password" in page.text and "because" not in page.text
    assert client.post("/enter", data={"password": "guessed", "goes_to": "/c/c0000"}).status_code == 403
    assert (
        client.post("/enter", data={"password": PASSWORD}, headers={"origin": "https://evil.example"}).status_code
        == 403
    )
    assert client.post("/enter", data={"password": PASSWORD}, headers={"host": "evil.example"}).status_code == 421
    assert client.get("/").status_code == 401 and client.post("/draw").status_code == 403
    answer = client.post("/enter", data={"password": PASSWORD, "goes_to": "/c/c0000"}, follow_redirects=False)
    said = answer.headers["set-cookie"]
    assert answer.headers["location"] == "/c/c0000" and {"HttpOnly", "Secure"} <= set(re.split(r";\s*", said))
    assert client.get("/c/c0000").status_code == 200


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "", "x", "/a\r\nx: y"])
def test_the_door_leads_to_no_other_place(home: LabelledHome, wanted: str) -> None:
    client = stranger(home, password=PASSWORD)
    answer = client.post("/enter", data={"password": PASSWORD, "goes_to": wanted}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_the_proxys_header_names_the_reviewer_and_nobody_else_does(home: LabelledHome) -> None:
    client = stranger(home, reviewer_header="X-Forwarded-User")
    client.get(f"/?token={TOKEN}")
    assert client.post("/reviewer", data={"reviewer": "mallory"}).status_code == 400
    client.cookies.set("cpa_reviewer", "mallory", domain=HOST)
    assert "has not said who you are" in client.get("/").text
    named = client.get("/", headers={"x-forwarded-user": "Zoë".encode()}).text
    assert "Zoë" in named and "mallory" not in named
    unnamed = stranger(home)
    unnamed.get(f"/?token={TOKEN}")
    assert "mallory" not in unnamed.get("/", headers={"x-forwarded-user": "mallory"}).text


@pytest.mark.parametrize(
    ("conversation", "position", "link"),
    [
        ("c-1", 7, f"{OUTSIDE}/c/c-1#m7"),
        ("a/b?c#d", None, f"{OUTSIDE}/c/a%2Fb%3Fc%23d"),
        ('"><script>', 0, f"{OUTSIDE}/c/%22%3E%3Cscript%3E#m0"),
    ],
)
def test_a_link_leads_to_a_conversation_or_a_message(conversation: str, position: int | None, link: str) -> None:
    assert settings({"CPA_WORKBENCH_URL": f"{OUTSIDE}/"}).conversation_link(conversation, position) == link
    assert settings({}).conversation_link(conversation, position) is None


def test_the_report_leads_to_the_workbench_only_where_its_address_is_set_and_the_id_is_shown(
    home: LabelledHome, tmp_path: Path
) -> None:
    plain = write_report(home.assistant, out=tmp_path / "plain.html").path.read_text("utf-8")
    home.home.environ["CPA_WORKBENCH_URL"] = OUTSIDE
    linked = write_report(home.assistant, out=tmp_path / "linked.html").path.read_text("utf-8")
    assert OUTSIDE not in plain and f'"link":"{OUTSIDE}/c/c0000"' in linked
    said = "what ann said"
    home.home.environ["CPA_PRIVACY"] = "no_text"
    with home.assistant.store.writing() as transaction:
        for table in ("raw_conversations", "messages", "tagged_conversations", "tagged_events", "judge_scores"):
            transaction.execute(
                f"update {table} set conversation_id = $said where conversation_id = 'c0001'", said=said
            )
        transaction.execute("update messages set content = $said where conversation_id = $said", said=said)
    hidden = write_report(home.assistant, out=tmp_path / "hidden.html").path.read_text("utf-8")
    assert f"{OUTSIDE}/c/c0000" in hidden and quote(said) not in hidden and said not in hidden


def test_a_link_from_another_place_opens_the_page_and_changes_nothing(home: LabelledHome) -> None:
    client = stranger(home)
    said = client.get(f"/?token={TOKEN}", follow_redirects=False).headers["set-cookie"]
    assert "samesite=lax" in said.lower()  # a strict cookie does not go with links from a report or from Dagster
    from_dagster = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/c/c0000", headers=from_dagster).status_code == 200
    assert client.post("/reported", data={"conversation": "c0000"}, headers=from_dagster).status_code == 403
