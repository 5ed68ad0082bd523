"""Dagster as a person runs it: a webserver and a daemon, asked and told over GraphQL as the UI does it."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from proofs.scene import ROOT, Failed, Scene, free_port, wait

Body = dict[str, Any]

LOCATION = "cpa"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
JOB = "conversations"
ASSETS = ("landed_files", "raw_conversations", "event_schema", "tagged_events", "judge_scores", "upload_receipts")

OF_DAYS = ("raw_conversations", "tagged_events", "judge_scores", "upload_receipts")
"""Those with partitions: the job `history`."""

WRONG = ("Error", "NotFound", "Invalid", "Conflict")
"""How the names of answers end that are no success."""

LOADING = 300.0
"""Seconds that the webserver may take to load the code location."""

EVALUATION = (
    "evaluationResult { skipReason error { message } runRequests { tags { key value } assetSelection { path } } }"
)

BACKFILL = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename ... on PartitionBackfill {
    status numPartitions error { message } runs { id } } } }"""


@dataclass(frozen=True)
class Requested:
    """A run that a tick asks for."""

    assets: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def day(self) -> str | None:
        """Its partition."""
        return self.tags.get("dagster/partition")


@dataclass(frozen=True)
class Dagster:
    """A webserver that runs; the daemon comes and goes."""

    here: Scene
    url: str

    def start_daemon(self) -> None:
        """Start `dagster-daemon run`."""
        self.here.start("daemon", "dagster-daemon", "run", "-w", str(ROOT / "workspace.yaml"))

    def ask(self, query: str, **variables: Any) -> Any:
        """The only field of the answer to a query. Raises Failed for an error in either form."""
        content = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", content, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as response:
            answer = json.loads(response.read())
        if answer.get("errors"):
            raise Failed(str(answer["errors"])[:1000])
        (found,) = answer["data"].values()
        kind = found.get("__typename", "") if isinstance(found, dict) else ""
        if kind.endswith(WRONG):
            raise Failed(f"{query[:60]}: {found}")
        return found

    def loaded(self) -> bool:
        """Whether the webserver answers and the job can be run."""
        query = "{ repositoriesOrError { __typename ... on RepositoryConnection { nodes { name } } } }"
        try:
            return bool(self.ask(query)["nodes"])
        except (urllib.error.URLError, ConnectionError, Failed):
            return False

    def switch_on(self, kind: str, name: str) -> None:
        """Switch a sensor or a schedule on, as its switch in the UI does."""
        selector = {**REPOSITORY, f"{kind.lower()}Name": name}
        started = f"start{kind}({kind.lower()}Selector: $of) {{ __typename ... on Error {{ message }} }}"
        self.ask(f"mutation($of: {kind}Selector!) {{ {started} }}", of=selector)

    def switch_off_sensor(self, name: str) -> None:
        """Switch a sensor off, as its switch in the UI does."""
        query = "query($of: SensorSelector!) { sensorOrError(sensorSelector: $of) { __typename ... on Sensor { id } } }"
        sensor = self.ask(query, of={**REPOSITORY, "sensorName": name})
        self.ask(
            "mutation($id: String!) { stopSensor(id: $id) { __typename ... on Error { message } } }", id=sensor["id"]
        )

    def schedule_tick(self, name: str, at: float) -> list[Requested]:
        """What a schedule asks for at a time, as "Test schedule" in the UI shows it."""
        tick = self.ask(
            "mutation($of: ScheduleSelector!, $at: Float) { scheduleDryRun(selectorData: $of, timestamp: $at) "
            f"{{ __typename ... on DryRunInstigationTick {{ {EVALUATION} }} }} }}",
            of={**REPOSITORY, "scheduleName": name},
            at=at,
        )["evaluationResult"]
        if tick["error"]:
            raise Failed(tick["error"]["message"])
        return [
            Requested(
                tuple(key["path"][-1] for key in one["assetSelection"] or []),
                {tag["key"]: tag["value"] for tag in one["tags"]},
            )
            for one in tick["runRequests"] or []
        ]

    def launch(self, wanted: Requested) -> None:
        """Launch a requested run, as the UI does."""
        self.ask(
            "mutation($given: ExecutionParams!) "
            "{ launchRun(executionParams: $given) { __typename ... on Error { message } } }",
            given={
                "selector": {**REPOSITORY, "pipelineName": JOB, "assetSelection": _paths(wanted.assets)},
                "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in wanted.tags.items()]},
            },
        )

    def backfill(self, days: Sequence[str], limit: float) -> Body:
        """Backfill every asset over these days, to its end: status, number of partitions, runs."""
        launched = self.launch_backfill(days, ASSETS)
        return wait(lambda: self.ended(launched), limit, "the backfill to end")

    def launch_backfill(self, days: Sequence[str], assets: Sequence[str]) -> str:
        """Backfill assets over these days: its id."""
        launched = self.ask(
            "mutation($given: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $given) "
            "{ __typename ... on LaunchBackfillSuccess { backfillId } ... on Error { message } } }",
            given={"assetSelection": _paths(assets), "partitionNames": list(days)},
        )
        return str(launched["backfillId"])

    def ended(self, backfill: str) -> Body | None:
        """How a backfill ended, null before."""
        found: Body = self.ask(BACKFILL, id=backfill)
        return found if found["status"] not in ("REQUESTED", "CANCELING") else None

    def runs(self) -> list[dg.RunRecord]:
        """Every run of the instance, the first first."""
        with records(self.here) as instance:
            return list(reversed(instance.get_run_records()))

    def runs_of_days(self) -> list[dg.RunRecord]:
        """The runs, without those that Dagster starts after them: of the insights, the report and the topics."""
        follow = {dg.AssetKey(name) for name in ("insights", "report", "topics")}
        return [one for one in self.runs() if not set(one.dagster_run.asset_selection or ()).intersection(follow)]


@contextmanager
def records(here: Scene) -> Iterator[dg.DagsterInstance]:
    """Dagster's own records of a scene, whose dagster.yaml names DAGSTER_HOME."""
    os.environ["DAGSTER_HOME"] = str(here.dagster_home)
    with dg.DagsterInstance.from_config(str(here.dagster_home)) as instance:
        yield instance


def _paths(assets: Sequence[str]) -> list[Body]:
    return [{"path": [asset]} for asset in assets]


def webserver(here: Scene) -> Dagster:
    """`dagster-webserver` with the workspace of the repository; it ends with its scene."""
    return _served(here, "dagster-webserver", "-w", str(ROOT / "workspace.yaml"))


def dev(here: Scene) -> Dagster:
    """`dg dev`, webserver and daemon in one, as `make dev` starts it; it ends with its scene."""
    return _served(here, "dg", "dev")


def _served(here: Scene, program: str, *arguments: str) -> Dagster:
    port = free_port()
    here.start("webserver", program, *arguments, "--host", "127.0.0.1", "--port", str(port))
    dagster = Dagster(here, f"http://127.0.0.1:{port}")
    wait(dagster.loaded, LOADING, "the code location to be loaded", pause=1.0)
    return dagster
