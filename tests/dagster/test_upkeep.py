"""The asset that looks after a lake: there for a lake alone, and it tells what it saved."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from cpa_core.settings import settings
from cpa_dagster.assistant import assistant_definitions
from tests.servers.postgres import PASSWORD, Postgres, programs, server
from tests.support.homes import Home, turn
from tests.support.lakes import Lakes


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with server() as one:
        yield one


def names(made: dg.Definitions) -> set[str]:
    return {key.to_user_string() for key in made.resolve_asset_graph().get_all_asset_keys()}


@pytest.mark.parametrize("more", [{}, {"CPA_KEEP_DAYS": "30"}])
def test_a_code_location_loads_with_what_the_settings_switch_on(tmp_path: Path, more: dict[str, str]) -> None:
    """An asset and a job of one name can be loaded each alone, and not together."""
    dg.Definitions.validate_loadable(assistant_definitions(settings({"CPA_HOME": str(tmp_path), **more})))


def test_a_file_has_no_upkeep(tmp_path: Path) -> None:
    assert "store_upkeep" not in names(assistant_definitions(settings({"CPA_HOME": str(tmp_path)})))


@pytest.mark.skipif(programs() is None, reason="Postgres is not installed: apt-get install postgresql")
def test_a_lake_is_looked_after_and_its_rows_are_checked(postgres: Postgres, tmp_path: Path) -> None:
    lakes = Lakes(postgres)
    home = Home(tmp_path, lakes.environ(tmp_path / "home"))
    home.write("a.json", {"c1": [turn("Hi")]})
    home.land()
    made = assistant_definitions(home.assistant().settings)
    assert "store_upkeep" in names(made)
    dg.Definitions.validate_loadable(made)
    ran = made.resolve_job_def("store_upkeep_job").execute_in_process(raise_on_error=True)
    (check,) = ran.get_asset_check_evaluations()
    (event,) = ran.get_asset_materialization_events()
    told = event.materialization.metadata
    assert check.passed and told["files"].value and told["snapshots before"].value
    assert PASSWORD not in repr(ran.all_events) and "s3cret" not in repr(ran.all_events)
    lakes.engine(tmp_path / "home").close()
