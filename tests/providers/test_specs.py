"""One line a vendor: what stands in the tables of providers and destinations is whole, and costs nothing unused."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpa_core.destinations import DESTINATIONS, DestinationSpec, destination, unused
from cpa_core.errors import SettingsError
from cpa_core.extras import extra_of, not_installed
from cpa_core.llm import ModelName
from cpa_core.providers import PROVIDERS, ProviderSpec, batch_vendor, provider
from cpa_core.settings import TABLE, lacking, settings

SPECS: list[ProviderSpec | DestinationSpec] = [*PROVIDERS.values(), *DESTINATIONS.values()]
TEXTS = {
    "CPA_COMPATIBLE_URL": "http://127.0.0.1:9/v1",
    "AWS_REGION": "eu-west-1",
    "WEBHOOK_URL": "https://example.com",
    "MIXPANEL_SERVICE_ACCOUNT": "ana:secret",
}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}


def ways(spec: ProviderSpec | DestinationSpec) -> Iterator[dict[str, str]]:
    """The texts of each way to configure it."""
    for way in spec.needs or ((),):
        yield {name: TEXTS.get(name, "k") for name in way}


def made(spec: ProviderSpec | DestinationSpec, texts: dict[str, str], home: Path) -> object:
    given = settings(texts | CREDENTIALS | {"CPA_HOME": str(home)})
    if isinstance(spec, ProviderSpec):
        return provider(ModelName(provider=spec.name, model="m"), given)
    return destination(spec.name, given)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_each_can_be_made_in_each_way_and_names_what_is_missing(
    spec: ProviderSpec | DestinationSpec, tmp_path: Path
) -> None:
    assert spec.title and all(name in TABLE for way in spec.needs for name in way)
    for texts in ways(spec):
        assert lacking(settings(texts), spec.needs) == ()
        assert hasattr(made(spec, texts, tmp_path), "call" if isinstance(spec, ProviderSpec) else "send")
        for name in texts:
            less = {other: text for other, text in texts.items() if other != name}
            assert lacking(settings(less), spec.needs)
            with pytest.raises(SettingsError, match=f"{name}|{spec.needs[0][0]}"):
                made(spec, less, tmp_path)


@pytest.mark.parametrize("spec", PROVIDERS.values(), ids=lambda spec: spec.name)
def test_a_lane_that_a_provider_has_is_asked_and_any_other_is_an_error(spec: ProviderSpec) -> None:
    (texts, *_) = ways(spec)
    assert "standard" in spec.lanes and ("batch" in spec.lanes) == (spec.make_batches is not None)
    for lane in ("standard", "flex", "batch"):
        given = settings(texts | CREDENTIALS | {"CPA_LANE": lane})
        if lane in spec.lanes or spec.is_free:
            assert provider(ModelName(provider=spec.name, model="m"), given)
        else:
            with pytest.raises(SettingsError, match=f"CPA_LANE is {lane}, which only .* has"):
                provider(ModelName(provider=spec.name, model="m"), given)
    given = settings(texts)
    if spec.make_batches:
        assert hasattr(batch_vendor(spec.name, given), "form")
    else:
        with pytest.raises(SettingsError, match=f"provider {spec.name} has no batches"):
            batch_vendor(spec.name, given)


@pytest.mark.parametrize("spec", PROVIDERS.values(), ids=lambda spec: spec.name)
def test_another_address_is_another_endpoint(spec: ProviderSpec) -> None:
    """Every setting of a provider's own that holds an address, and what Bedrock is configured by."""
    own = [line.name for line in TABLE.values() if line.path in (f"{spec.name}.url", f"{spec.name}.host")]
    own += ["AWS_REGION", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] if spec.name == "bedrock" else []
    for name in own:
        here, there = (spec.endpoint(settings({name: f"http://{host}:9"})) for host in ("127.0.0.1", "127.0.0.2"))
        assert here and here != there
    assert own or spec.is_free


def test_a_configured_destination_that_gets_nothing_is_named_in_each_way() -> None:
    for spec in DESTINATIONS.values():
        for texts in ways(spec):
            assert unused(settings(texts)) == ([spec.name] if spec.needs else [])
            assert unused(settings(texts | {"CPA_DESTINATIONS": spec.name})) == []


BLOCKED = ("dagster", "dagster_aws", "posthog", "amplitude", "anthropic", "openai", "boto3", "botocore")
WITHOUT = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
IMPORTS = """
import importlib, pkgutil, cpa_core
for found in pkgutil.walk_packages(cpa_core.__path__, "cpa_core."):
    if not found.name.endswith("__main__"):
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as missing:
            print(found.name)
"""


def blocked(code: str, folder: Path) -> str:
    """What a process prints in which no vendor's package can be imported."""
    command = [sys.executable, "-c", WITHOUT + code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout


def test_only_a_vendors_own_module_needs_its_package(tmp_path: Path) -> None:
    """Each module that fails is one vendor's: in the folder of providers or of destinations, and not its `__init__`."""
    failed = blocked(IMPORTS, tmp_path).split()
    assert {name.rpartition(".")[0] for name in failed} == {"cpa_core.providers", "cpa_core.destinations"}


def test_the_demo_runs_where_no_vendors_package_is_installed(tmp_path: Path) -> None:
    assert "2026-03-" in blocked("from cpa_core.cli import main\nsys.exit(main(['demo'], {}))", tmp_path)


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        ("openpyxl", "excel"),
        ("psycopg", "postgres"),
        ("snowflake", "snowflake"),
        ("google", "bigquery"),
        ("duckdb", ""),
        ("goog", ""),
        ("unheard_of", ""),
    ],
)
def test_the_extra_that_brings_a_package_is_found_in_the_projects_own_metadata(package: str, extra: str) -> None:
    requirements = [
        "duckdb<3,>=1.5.5",
        'openpyxl>=3.1; extra == "excel"',
        "psycopg[binary]>=3 ; extra == 'postgres'",
        'snowflake-connector-python>=4; python_version < "3.14" and extra == "snowflake"',
        'google_cloud-bigquery>=3; extra == "bigquery"',
    ]
    assert extra_of(package, requirements) == extra


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    said = str(not_installed(ModuleNotFoundError("no", name="unheard_of.part"), "x:y"))
    assert said == "x:y needs the package unheard_of, which is not installed: pip install unheard_of"
