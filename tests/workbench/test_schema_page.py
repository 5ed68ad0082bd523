"""The schema's page: badges, confusions and examples of each type; additions one by one; problems while typing."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cpa_core.errors import InputError
from cpa_core.gold.reviews import part_of
from cpa_core.models import EventSchema
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.gold.planning import NextWidth, plan_gold
from cpa_core.pipeline.schema.stale import quote_of_history
from cpa_core.schema import dump, parse
from cpa_core.schema.additions import additions, with_addition
from cpa_core.workbench.figures import FigureDesk, figures
from cpa_core.workbench.pages import width
from cpa_core.workbench.serving import application
from tests.support.labelled import ASKING, SCHEMA, LabelledHome, labelled_home, talks

HOST = "127.0.0.1:8123"
EXAMPLES = Path(__file__).parents[2] / "examples"


def browser(home: LabelledHome) -> TestClient:
    app = application(home.assistant, token="t", hosts=[HOST])
    client = TestClient(app, base_url=f"http://{HOST}", headers={"origin": f"http://{HOST}"})
    client.get("/?token=t")
    client.post("/reviewer", data={"reviewer": "ana"})
    return client


def wait_for_figures(client: TestClient) -> None:
    """Pages wait for the first figures only so long; a busy machine may need longer."""
    while "being computed" in client.get("/quality").text:
        pass


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> LabelledHome:
    """A home in which a person has read 60 of 80 conversations that were drawn at random."""
    found = labelled_home(tmp_path_factory.mktemp("read"), talks(80))
    drawn = draw_gold(found.assistant, WantedDraw(way="random", size=60))
    about = {"draw_id": drawn.draw_id, "seconds": 6.0}
    found.read([int(item.conversation_id[1:]) for item in drawn.items], **about)
    return found


@pytest.mark.slow
def test_each_type_has_its_badge_its_confusions_and_examples_for_and_against(read: LabelledHome) -> None:
    client = browser(read)
    wait_for_figures(client)
    page = client.get("/schema").text
    card = page[page.index(f'aria-label="{ASKING}"') : page.index('aria-label="Thanks"')]
    assert 'class="pill' in card and "precision" in card and "Confusions" in card
    for_it, against = card.split("<h4>Against</h4>")
    assert 'href="/c/c' in for_it and "people see none here" in against
    shown = {one for one in range(80) if f"/c/c{one:04}#" in against}
    assert shown and all(part_of(f"c{one:04}") == "teach" for one in shown)  # what measures is shown to nobody


@pytest.mark.slow
def test_progress_is_the_planners_width_and_what_the_next_one_takes(read: LabelledHome) -> None:
    found = figures(read.assistant)
    for kind in SCHEMA.event_types:
        one = found.widths[kind.key]
        (planned,) = [way for way in plan_gold(read.assistant, kind.name, one.within).ways if way.way == "random"]
        needed = None if planned.needed is None else max(0, planned.needed - planned.done)
        assert (one.now, one.more, one.minutes) == (planned.now, needed, planned.minutes)
        assert one.now is not None and one.within < one.now
    client = browser(read)
    wait_for_figures(client)
    assert width(ASKING, found.widths[f"{ASKING}|user"]) in client.get("/").text


@pytest.mark.slow
def test_figures_that_are_behind_what_people_said_say_so(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(3))
    desk = FigureDesk(home.assistant)
    found = desk.newest(60.0, 60.0)
    assert found and desk.is_current() and all(one.more is None for one in found.widths.values())  # too small a home
    assert found.widths.keys() == {kind.key for kind in SCHEMA.event_types}
    home.read([0])
    assert not desk.is_current()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            NextWidth(now=0.021, within=0.015, more=14, minutes=42.0),
            "Refund ± 2.1 points, 14 more to ± 1.5, about 42 minutes",
        ),
        (NextWidth(now=0.02, within=0.015, more=None, minutes=None), "this home has too few conversations for ± 1.5"),
        (NextWidth(now=None, within=0.04, more=30, minutes=90.0), "too few labels for an interval, 30 more to ± 4.0"),
    ],
)
def test_progress_in_words(found: NextWidth, said: str) -> None:
    assert said in width("Refund", found)


@pytest.mark.slow
def test_problems_are_said_by_line_while_somebody_types_and_changes_in_words(read: LabelledHome) -> None:
    client = browser(read)
    text = Path(read.home.environ["CPA_SCHEMA"]).read_text("utf-8")
    edited = text.replace("The user says thanks.", "Words of thanks.").replace("role: assistant", "role: nobody")
    found = client.post("/schema/problems", data={"yaml": edited}).json()
    (problem,) = [one for one in found["problems"] if one["level"] == "error"]
    assert text.splitlines()[problem["line"] - 1].strip() == "role: assistant"
    edited = text.replace("The user says thanks.", "Words of thanks.")
    (change,) = client.post("/schema/problems", data={"yaml": edited}).json()["changes"]
    assert change["place"] == "user Thanks" and "asked about again" in change["means"]
    assert client.post("/schema/problems", data={"yaml": "a: ["}).json()["broken"]


@pytest.mark.slow
def test_a_price_builds_no_day(tmp_path: Path) -> None:
    home = labelled_home(tmp_path, talks(4))
    home.home.environ |= {"CPA_MODEL": "openai:gpt-5-mini", "OPENAI_API_KEY": "none"}
    file = home.assistant.store.path
    before = file.stat().st_mtime_ns, file.read_bytes()
    edited = SCHEMA.model_copy(update={"description": "Answers other questions."})
    quoted = quote_of_history(home.assistant, edited)
    assert sum(line.questions for line in quoted.lines) > 4
    assert (file.stat().st_mtime_ns, file.read_bytes()) == before


def proposed(current: EventSchema) -> EventSchema:
    """Another definition, a new type whose name needs quotes, a new goal."""
    first, *rest = current.event_types
    types = (first.model_copy(update={"definition": "Other: words, é # and"}), *rest)
    new = first.model_copy(update={"name": "Yes", "was": ()})
    goals = current.criteria.model_copy(update={"primary_goals": (*current.criteria.primary_goals, "Be: kind # now")})
    return current.model_copy(update={"event_types": (*types, new), "criteria": goals})


SCHEMAS = sorted(EXAMPLES.glob("*/schema.yml"))


@pytest.mark.parametrize("ending", ["", "\n# the end\n", "\n\n"])
@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.parent.name)
def test_each_addition_goes_in_alone_and_all_of_them_make_the_proposal(path: Path, ending: str) -> None:
    text = (
        "# by hand\n" + path.read_text("utf-8").rstrip("\n").replace("\n  - name", "\n  # about it\n  - name") + ending
    )
    current, _ = parse(text, "schema")
    proposal = dump(proposed(current))
    found = additions(current, proposal)
    assert {one.kind for one in found} == {"new type", "changed type", "new goal"}
    for one in found:
        alone = with_addition(text, "schema", one.id, proposal)
        assert len(additions(parse(alone, "schema")[0], proposal)) == len(found) - 1
        lines = iter(alone.splitlines())
        if one.kind != "changed type":
            assert all(line in lines for line in text.splitlines())  # nothing is gone, and the order stays
        assert alone.count("# about it") == text.count("# about it")
    for one in found:
        text = with_addition(text, "schema", one.id, proposal)
    assert parse(text, "schema")[0].version == proposed(current).version


@pytest.mark.parametrize("addition", ["", "type", "type 99", "type -1", "name 0", "primary_goals 9", "type x"])
def test_an_addition_that_is_not_there_is_refused(addition: str) -> None:
    with pytest.raises(InputError):
        with_addition(dump(SCHEMA), "schema", addition, dump(proposed(SCHEMA)))


def test_a_schema_in_one_line_is_left_to_a_person() -> None:
    text = dump(SCHEMA).replace("primary_goals:\n  - Answers the question.", "primary_goals: [Answers the question.]")
    proposal = dump(proposed(SCHEMA))
    (goal,) = [one.id for one in additions(SCHEMA, proposal) if one.kind == "new goal"]
    with pytest.raises(InputError, match="by hand"):
        with_addition(text, "schema", goal, proposal)


@pytest.mark.slow
def test_an_addition_is_shown_taken_over_into_the_edited_text_and_saved_only_then(read: LabelledHome) -> None:
    client = browser(read)
    path = Path(read.home.environ["CPA_SCHEMA"])
    text = path.read_text("utf-8")
    path.with_suffix(".proposed.yml").write_text(dump(proposed(SCHEMA)), "utf-8")
    assert "schema.proposed.yml" in client.get("/schema/additions").text
    shown = client.post("/schema/additions", data={"file": "schema.proposed.yml"}).text
    assert shown.count("Accept this one") == 3
    took = client.post("/schema/additions", data={"proposal": dump(proposed(SCHEMA)), "take": "type 3"}).text
    assert "a new type" in took and path.read_text("utf-8") == text
    for name in ("../schema.yml", "/etc/passwd", "schema.yml"):
        assert client.post("/schema/additions", data={"file": name}).status_code == 404
