"""One schema is in force, for every reader: a rename that is taken into use and back again leaves no trace."""

import csv
import json
from pathlib import Path

import pytest

from cpa_core.cli import main
from cpa_core.insights import selected, whole
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.schema.stale import schema_in_force
from cpa_core.report.compose import known_schemas
from cpa_core.settings import settings

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "therapist"
OLD, NEW = "Resistance", "Pushback"
TITLE = "A title that was tried once"


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    return tmp_path / "schema.yml"


def run(home: Path, schema: Path, words: str) -> None:
    """The example's days, by a schema of these words."""
    schema.write_text(words, "utf-8")
    days = ["--from", "2026-03-02", "--to", "2026-03-06"]
    model = ["--model", "reference:annotations", "--home", str(home)]
    assert main(["run", str(EXAMPLE / "example_data.json"), "--schema", str(schema), *model, *days, "--retag"]) == 0


def names_in(path: Path) -> set[str]:
    """The event types that a table of sums names."""
    with path.open(encoding="utf-8") as file:
        return {value for row in csv.DictReader(file) for value in row.values()} & {OLD, NEW}


def test_a_rename_that_is_taken_back_is_taken_back_for_every_reader(tmp_path: Path, schema: Path) -> None:
    first = (EXAMPLE / "schema.yml").read_text("utf-8")
    second = first.replace(f"- name: {OLD}\n", f"- name: {NEW}\n    was: [{OLD}]\n").replace("name: ", "name: ", 1)
    assert second != first
    home = tmp_path / "home"
    for words, name in ((first, OLD), (second, NEW), (first, OLD)):
        run(home, schema, words)
        made = Assistant.of(settings({}, home=str(home), schema=str(schema)))
        unnamed = Assistant.of(settings({}, home=str(home)))
        in_force = schema_in_force(unnamed)
        assert in_force and in_force.version == made_version(made)
        scope = whole(made.store)
        assert scope
        with selected(made.store, scope) as chosen:
            assert name in {kind.event_type for kind in chosen.kinds.values()}
            assert not {OLD, NEW} - {name} & {kind.event_type for kind in chosen.kinds.values()}
            assert known_schemas(chosen)[-1].version == in_force.version
        assert main(["export", "--home", str(home), "--out", str(tmp_path / name), "--format", "csv"]) == 0
        assert names_in(tmp_path / name / "events.csv") == {name}
        sent = (home / "outbox").rglob("*.jsonl")
        last = {json.loads(line)["event"] for path in sent for line in path.read_text("utf-8").splitlines()}
        assert name in last


def made_version(made: Assistant) -> str:
    """The version of the schema in the file."""
    found = schema_in_force(made)
    assert found
    return found.version
