"""The deployment's files, as far as they can be checked without an engine: they parse, fit each other and the lock."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]

CHART = {
    "": "global generatePostgresqlPasswordSecret postgresql dagster-user-deployments runLauncher dagsterDaemon",
    "global.": "postgresqlSecretName",
    "postgresql.": "enabled postgresqlHost postgresqlUsername postgresqlDatabase postgresqlScheme service service.port",
    "dagster-user-deployments.": "enabled deployments",
    "dagster-user-deployments.deployments[].": (
        "name image image.repository image.tag image.pullPolicy codeServerArgs port envSecrets env "
        "includeConfigInLaunchedRuns includeConfigInLaunchedRuns.enabled"
    ),
    "runLauncher.": "type config config.k8sRunLauncher config.k8sRunLauncher.runK8sConfig",
    "runLauncher.config.k8sRunLauncher.runK8sConfig.": "containerConfig jobSpecConfig",
    "dagsterDaemon.": "runCoordinator runRetries runMonitoring",
    "dagsterDaemon.runCoordinator.": (
        "enabled type config config.queuedRunCoordinator config.queuedRunCoordinator.maxConcurrentRuns"
    ),
    "dagsterDaemon.runRetries.": "enabled maxRetries retryOnAssetOrOpFailure",
    "dagsterDaemon.runMonitoring.": "enabled pollIntervalSeconds",
}
"""The keys of Dagster's chart that our values use, as its schema of 2026-11-28 has them. In its folder
https://github.com/dagster-io/dagster/tree/master/helm/dagster these are schema/schema/charts/dagster/values.py and, in
subschema, global_.py, postgresql.py, run_launcher.py and daemon.py; user_deployments.py beside; for runMonitoring
templates/configmap-instance.yaml. Most places refuse other keys; elsewhere the chart ignores a misspelt one."""
OPEN = {
    "dagster-user-deployments.deployments[].env",
    "dagster-user-deployments.deployments[].envSecrets",
    "runLauncher.config.k8sRunLauncher.runK8sConfig.containerConfig",
    "runLauncher.config.k8sRunLauncher.runK8sConfig.jobSpecConfig",
}


@cache
def programs() -> dict[str, click.Command]:
    """Dagster's programs by name; importing them takes two seconds, which every worker would spend."""
    from dagster._cli import create_dagster_cli
    from dagster._daemon.cli import create_dagster_daemon_cli
    from dagster_webserver.cli import dagster_webserver

    return {
        "dagster": create_dagster_cli(),
        "dagster-daemon": create_dagster_daemon_cli(),
        "dagster-webserver": dagster_webserver,
    }


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def parsed(command: click.Command, arguments: list[str]) -> click.Context:
    """Read a command line as the program does, without doing it. Raises UsageError."""
    name, *rest = [command.name or "", *arguments]
    while isinstance(command, click.Group):
        name, *rest = rest
        found = command.get_command(click.Context(command), name)
        assert found is not None, name
        command = found
    return command.make_context(name, rest)


@pytest.mark.parametrize("name", ["code", "webserver", "daemon"])
def test_the_commands_of_the_services_start_the_processes_directly(name: str) -> None:
    program, *arguments = SERVICES[name]["command"]
    here = [word.replace("/opt/dagster/", f"{DEPLOY}/") for word in arguments]
    given = parsed(programs()[program], here).params
    assert given.get("workspace", (str(DEPLOY / "workspace.yaml"),)) == (str(DEPLOY / "workspace.yaml"),)
    if name == "code":
        assert (given["host"], given["port"], given["module_name"]) == ("0.0.0.0", 4000, "cpa_dagster.definitions")


def test_the_code_server_is_asked_whether_it_is_healthy_by_a_command_that_exists() -> None:
    _, program, *arguments = SERVICES["code"]["healthcheck"]["test"]
    assert parsed(programs()[program], arguments).params["port"] == 4000


def test_the_webserver_and_the_daemon_find_the_code_location(monkeypatch: pytest.MonkeyPatch) -> None:
    (server,) = read(DEPLOY / "workspace.yaml")["load_from"]
    where = server["grpc_server"]
    environment = SERVICES["webserver"]["environment"]
    assert environment[where["host"]["env"]] == "code" and where["port"] == 4000
    assert SERVICES["daemon"]["environment"] == SERVICES["code"]["environment"] == environment


def test_the_instance_is_configured_as_here_but_for_its_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed, here = read(DEPLOY / "dagster.yaml"), read(ROOT / "cpa_dagster" / "dagster.yaml")
    stored = ("storage", "event_log_storage")
    assert [{n: value for n, value in one.items() if n not in stored} for one in (deployed, here)] == [
        {n: value for n, value in here.items() if n not in stored}
    ] * 2
    for name, value in SERVICES["code"]["environment"].items():
        monkeypatch.setenv(name, value)
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text("utf-8"), "utf-8")
    found, _ = dagster_instance_config(str(tmp_path))
    assert found["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"


def test_the_image_is_made_of_files_that_are_there_and_of_the_locked_release() -> None:
    words = (DEPLOY / "Dockerfile").read_text("utf-8")
    copied = [line.split()[1:-1] for line in words.splitlines() if line.startswith("COPY")]
    assert all((ROOT / path).exists() for paths in copied for path in paths)
    locked = re.search(r"^dagster-aws==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.M)
    assert locked and f"dagster-postgres=={locked[1]}" in (DEPLOY / "requirements.txt").read_text("utf-8")


def test_only_the_code_location_has_the_settings_and_the_files_that_they_name() -> None:
    assert "env_file" in SERVICES["code"] and "stop_grace_period" in SERVICES["code"]
    assert not [name for name in ("webserver", "daemon", "postgres") if "env_file" in SERVICES[name]]
    mounted = {volume.split(":")[-2] for volume in SERVICES["code"]["volumes"][1:]}
    assert mounted == {"/opt/cpa/files", "/transcripts"} and (DEPLOY / "files").is_dir()


def test_the_bucket_is_made_before_the_code_location_that_is_pointed_at_it() -> None:
    found = read(DEPLOY / "s3.yaml")["services"]
    assert set(found["code"]["depends_on"]) == {"bucket"} and set(found["bucket"]["depends_on"]) == {"s3"}
    assert found["code"]["environment"] == found["bucket"]["environment"]
    assert found["code"]["environment"]["AWS_ENDPOINT_URL_S3"] == "http://s3:9000"
    assert {"image", "command"} <= set(found["bucket"]) and "profiles" not in found["s3"]


def test_celery_workers_run_with_the_settings_of_the_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`proofs/celery_workers.py` starts the same files."""
    celery, compose = read(DEPLOY / "celery.yaml"), read(DEPLOY / "compose.yaml")
    worker = celery["services"]["worker"]
    for name, value in worker["environment"].items():
        monkeypatch.setenv(name, value)
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "celery" / "dagster.yaml").read_text("utf-8"), "utf-8")
    found, _ = dagster_instance_config(str(tmp_path))
    own, here = read(DEPLOY / "celery" / "dagster.yaml"), read(DEPLOY / "dagster.yaml")
    assert own["storage"] == here["storage"] and found["run_launcher"]["class"] == "CeleryRunLauncher"
    assert {env["env"] for env in own["run_launcher"]["config"].values()} <= worker["environment"].keys()
    assert {"code", "webserver", "daemon"} <= celery["services"].keys() & compose["services"].keys()
    assert {f"--broker={worker['environment']['CELERY_BROKER']}", "--disable-prefetch"} <= set(worker["command"])
    locked = re.search(r"^dagster-aws==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.M)
    assert locked and f"dagster-celery=={locked[1]}" in (DEPLOY / "requirements.txt").read_text("utf-8")


def test_every_setting_that_a_deployment_names_exists() -> None:
    named = {one for path in DEPLOY.rglob("*.yaml") for one in re.findall(r"\bCPA_[A-Z_]+", path.read_text("utf-8"))}
    known = set(re.findall(r"\bCPA_[A-Z_]+", (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")))
    of_compose = {"CPA_CODE_HOST", "CPA_FILES", "CPA_TRANSCRIPTS"}
    assert {"CPA_STORE", "CPA_STORE_DATA"} <= named and named - of_compose <= known


def test_a_run_in_kubernetes_has_the_secret_of_its_code_location() -> None:
    values = read(DEPLOY / "kubernetes" / "values.yaml")
    (code,) = values["dagster-user-deployments"]["deployments"]
    assert code["includeConfigInLaunchedRuns"]["enabled"] and code["envSecrets"] == [{"name": "cpa"}]
    assert values["runLauncher"]["type"] == "K8sRunLauncher"
    given = parsed(programs()["dagster"], ["code-server", "start", *code["codeServerArgs"]]).params
    assert given["module_name"] == "cpa_dagster.definitions"
    assert values["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"


def keys_of(values: Any, path: str = "") -> set[str]:
    """The path of each key, with [] for a member of a list; below the keys of OPEN stand names of Kubernetes."""
    if path in OPEN:
        return set()
    if isinstance(values, list):
        return {key for one in values for key in keys_of(one, f"{path}[]")}
    if not isinstance(values, dict):
        return set()
    named = {f"{path}.{key}".lstrip("."): one for key, one in values.items()}
    return set(named) | {below for key, one in named.items() for below in keys_of(one, key)}


def test_every_key_for_the_helm_chart_is_one_that_the_chart_reads() -> None:
    used = keys_of(read(DEPLOY / "kubernetes" / "values.yaml"))
    known = {f"{place}{key}" for place, keys in CHART.items() for key in keys.split()}
    assert used == known


@pytest.mark.parametrize("slip", ["dagsterDaemon.runMonitor", "runLauncher.config.k8sRunLauncher.resource", "postgres"])
def test_a_key_that_the_helm_chart_does_not_know_is_seen(slip: str) -> None:
    values = read(DEPLOY / "kubernetes" / "values.yaml")
    *places, key = slip.split(".")
    at = values
    for place in places:
        at = at[place]
    before = keys_of(values)
    at[key] = {"enabled": True}
    assert keys_of(values) - before == {slip, f"{slip}.enabled"}
