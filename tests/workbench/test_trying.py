"""Trying a schema: priced first, asked once, within the budget, in the ledger, and no day changes."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cpa_core.errors import InputError
from cpa_core.llm import Reply, Request, Usage
from cpa_core.pipeline.label.trial import pasted_conversation
from cpa_core.workbench.serving import application
from tests.support.labelled import THANKS, LabelledHome, labelled_home, talks
from tests.support.models import Model

pytestmark = pytest.mark.slow
HOST = "127.0.0.1:8123"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> LabelledHome:
    found = labelled_home(tmp_path_factory.mktemp("trying"), talks(2))
    found.home.environ |= {"CPA_MODEL": "openai:gpt-5-mini", "OPENAI_API_KEY": "none"}
    return found


def paid(request: Request) -> Reply:
    return Reply(outcome="ok", text=Model.usual(request), usage=Usage(prompt_tokens=1000, completion_tokens=100))


def browser(home: LabelledHome, model: Model, **environ: str) -> TestClient:
    """A browser at a workbench whose model is this one."""
    home.home.environ |= environ
    assistant = home.home.assistant(provider=lambda _: model)
    for name in environ:
        del home.home.environ[name]
    app = application(assistant, token="t", hosts=[HOST])
    client = TestClient(app, base_url=f"http://{HOST}", headers={"origin": f"http://{HOST}"})
    client.get("/?token=t")
    return client


def test_a_trial_is_priced_before_asked_once_kept_in_the_ledger_and_changes_no_day(home: LabelledHome) -> None:
    model = Model(paid)
    client = browser(home, model)
    before = home.home.rows("select * from tagged_events order by all"), home.home.rows("select * from days")
    edited = Path(home.home.environ["CPA_SCHEMA"]).read_text("utf-8").replace("name: Thanks", "name: Gratitude")
    given = {"conversation": "c0000", "yaml": edited}
    priced = client.post("/try", data=given | {"action": "price"}).text
    assert re.search(r"1 question to openai:gpt-5-mini, about 0\.\d+ dollars", priced) and model.requests == []
    shown = client.post("/try", data=given | {"action": "ask"}).text
    assert len(model.requests) == 1 and "Gratitude" in model.requests[0].system and shown.count("<dt>Stored</dt>") == 10
    assert "1 answered before, at no cost" in client.post("/try", data=given | {"action": "price"}).text
    client.post("/try", data=given | {"action": "ask"})
    assert len(model.requests) == 1
    assert (home.home.rows("select * from tagged_events order by all"), home.home.rows("select * from days")) == before
    assert home.home.rows("select count(*) as n from answers where task = 'tag' and cost > 0")[0]["n"] == 1
    assert Path(home.home.environ["CPA_SCHEMA"]).read_text("utf-8") != edited and THANKS not in model.requests[0].system


@pytest.mark.parametrize("limit", ["CPA_BUDGET", "CPA_DAILY_BUDGET"])
def test_a_trial_beyond_the_budget_asks_nothing(home: LabelledHome, limit: str) -> None:
    model = Model(paid)
    client = browser(home, model, **{limit: "0.000001"})
    answer = client.post("/try", data={"conversation": "c0001", "action": "ask"})
    assert answer.status_code == 402 and limit in answer.text and model.requests == []


def test_the_trials_of_one_workbench_share_its_budget(home: LabelledHome) -> None:
    model = Model(paid)
    client = browser(home, model, CPA_BUDGET="0.004")
    answers = [client.post("/try", data={"pasted": f"user: text {n}", "action": "ask"}).status_code for n in range(40)]
    assert answers[0] == 200 and answers[-1] == 402 and len(model.requests) == answers.count(200)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user: Hello\nassistant: Hi\nthere", [("user", "Hello"), ("assistant", "Hi\nthere")]),
        ("Customer: a: b\nBot: c", [("user", "a: b"), ("assistant", "c")]),
        ("no role at all", [("user", "no role at all")]),
        (
            '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]',
            [("user", "a"), ("assistant", "b")],
        ),
        ('{"messages": [{"role": "user", "content": "a"}]}', [("user", "a")]),
    ],
)
def test_a_pasted_conversation_is_read_in_lines_or_in_json(
    home: LabelledHome, text: str, said: list[tuple[str, str]]
) -> None:
    found = pasted_conversation(home.assistant, text)
    assert [(one.role, one.content) for one in found.messages] == said
    assert found.conversation_id == pasted_conversation(home.assistant, text).conversation_id


@pytest.mark.parametrize("text", ["", "system: only this", "[]", "{", '{"a": 1}', '[{"conversation_id": "a"}]'])
def test_what_holds_no_conversation_is_refused(home: LabelledHome, text: str) -> None:
    with pytest.raises(InputError):
        pasted_conversation(home.assistant, text)


@pytest.mark.parametrize(
    "given", [{}, {"conversation": "none such"}, {"conversation": "c0000", "pasted": "user: a"}, {"pasted": "{"}]
)
def test_a_trial_of_nothing_asks_nothing(home: LabelledHome, given: dict[str, str]) -> None:
    model = Model(paid)
    assert browser(home, model).post("/try", data=given | {"action": "ask"}).status_code in (400, 404)
    assert model.requests == []
