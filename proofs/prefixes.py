"""Prefixes in S3 as vendors' exports have them, landed and worked through by the sensor: the right days, nothing red.

`python -m proofs.prefixes chatgpt langfuse`, or one of them:
- chatgpt: shards `conversations-000.json` ..., beside the other files of an export of ChatGPT; then one shard more.
- langfuse: a blob export (traces, observations, enriched observations, scores, manifests) with foreign files beside it,
  which `CPA_EXCLUDE` names; then the next hour of it.

S3 is spoken by a server on loopback, the model is one too, and events go to the outbox. The sensor is evaluated against
an instance of Dagster, and what it requests is carried out there, until it requests nothing.
"""

import argparse
import json
import logging
import random
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from moto.server import ThreadedMotoServer

from cpa_core.pipeline import Assistant
from cpa_core.schema import dump
from cpa_core.settings import settings
from cpa_core.sources import s3
from cpa_dagster.assistant import assistant_definitions
from proofs.figures import Claims, of_days, proved, show
from tests.formats.generated import blob, chatgpt, talks, traces
from tests.servers.chat_completions import ChatServer
from tests.support.commands import ONE_EACH
from tests.support.writings import Told

BUCKET, PREFIX = "exports", "in/"
FIRST = datetime(2026, 3, 2, 9, tzinfo=UTC)
TALKS, MOST_TICKS = 6, 8
BESIDE_CHATGPT: Mapping[str, Any] = {
    "user.json": {"id": "user-1", "email": "x@example.org", "chatgpt_plus_user": False},
    "message_feedback.json": [{"id": "f", "conversation_id": "c", "user_id": "user-1", "rating": "thumbs_up"}],
    "shared_conversations.json": [{"id": "s", "conversation_id": "c", "title": "x", "is_anonymous": True}],
    "user_settings.json": [{"user_id": "user-1", "settings": {}}],
    "export_manifest.json": {"export_files": [{"path": "conversations-000.json", "size_bytes": 1}]},
    "chat.html": "<html></html>",
    "file-abc-photo.jpeg": "not a picture",
}
FOREIGN: Mapping[str, Any] = {
    "billing/2026-03.csv": "invoice,amount\n1,2\n",
    "README.md": "exports of our project",
    "config/alerts.json": {"alerts": [{"name": "latency", "threshold": 2}]},
}


def told(days: Sequence[int], name: str) -> list[Told]:
    """Conversations that begin on these days after the first, a few each."""
    chance = random.Random(name)
    found = [one for n in days for one in _of_day(chance, n, name)]
    return [replace(one, key=f"{name}-{n}", user=f"user-{n % 3}") for n, one in enumerate(found)]


def _of_day(chance: random.Random, day: int, name: str) -> Iterator[Told]:
    made = [one for _ in range(TALKS) for one in talks(chance, 1)]
    for n, one in enumerate(made):
        yield replace(one, begins=FIRST + timedelta(days=day, hours=n))


class World:
    """A bucket on loopback, a home whose source is a prefix in it, and an instance of Dagster."""

    def __init__(self, client: Any, assistant: Assistant, instance: dg.DagsterInstance) -> None:
        self.client, self.assistant, self.instance = client, assistant, instance
        self.rows: list[dict[str, Any]] = []
        self.red: list[str] = []

    def put(self, key: str, value: Any) -> None:
        """Put an object: text, a list of records as JSON Lines where its name says so, or a value as JSON."""
        lines = key.endswith(".jsonl") and isinstance(value, list)
        text = "".join(json.dumps(one) + "\n" for one in value) if lines else json.dumps(value)
        body = value if isinstance(value, str) else text
        self.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}{key}", Body=body.encode())

    def settle(self) -> None:
        """Carry out what the sensor requests, as the daemon would, until it requests nothing."""
        for _ in range(MOST_TICKS):
            defs = assistant_definitions(self.assistant.settings, assistant=self.assistant)
            context = dg.build_sensor_context(instance=self.instance, repository_def=defs.get_repository_def())
            found: Any = defs.resolve_sensor_def("new_files").evaluate_tick(context)
            if not found.run_requests:
                return
            for request in found.run_requests:
                result = defs.resolve_job_def("conversations").execute_in_process(
                    partition_key=request.partition_key,
                    tags=request.tags,
                    asset_selection=request.asset_selection,
                    instance=self.instance,
                    raise_on_error=False,
                )
                self._note(request, result)
        self.red.append(f"the sensor still requests runs after {MOST_TICKS} ticks")

    def _note(self, request: Any, result: dg.ExecuteInProcessResult) -> None:
        checks = result.get_asset_check_evaluations()
        failed = [one.check_name for one in checks if not one.passed and one.severity == dg.AssetCheckSeverity.ERROR]
        work = request.partition_key or request.tags.get("cpa/days") or "landing"
        self.rows.append({"run": work, "succeeded": result.success, "checks": len(checks), "red": ", ".join(failed)})
        self.red += [f"{work}: {name}" for name in failed] + ([] if result.success else [f"{work}: failed"])

    def speech(self) -> dict[str, list[tuple[str, str]]]:
        """What was said in each conversation of the store, in order."""
        found: dict[str, list[tuple[str, str]]] = {}
        with self.assistant.store.reading() as view:
            for row in view.rows(
                "select conversation_id, role, content from messages where role in ('user', 'assistant') "
                "order by conversation_id, position"
            ):
                found.setdefault(row["conversation_id"], []).append((row["role"], row["content"]))
        return found


@contextmanager
def world(**environ: str) -> Iterator[World]:
    """The servers, an empty bucket, and a home of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        with tempfile.TemporaryDirectory() as folder, ChatServer() as model, dg.instance_for_test() as instance:
            host, port = moto.get_host_and_port()
            # moto keeps its buckets for as long as the process lives; docs.getmoto.org, "Server mode", Reset API
            urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", b"")).close()
            (Path(folder) / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
            given = settings(
                {
                    "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
                    "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
                    "AWS_SECRET_ACCESS_KEY": "secret",
                    "AWS_REGION": "eu-west-1",
                    "CPA_HOME": f"{folder}/home",
                    "CPA_SOURCE": f"s3://{BUCKET}/{PREFIX}",
                    "CPA_SCHEMA": f"{folder}/schema.yml",
                    "CPA_MODEL": "compatible:test-model",
                    "CPA_COMPATIBLE_URL": model.url,
                }
                | environ
            )
            client = s3.client(given.aws)
            client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            yield World(client, Assistant.of(given), instance)
    finally:
        moto.stop()


def stated(claims: Claims, here: World, expected: Sequence[Told], what: str) -> None:
    """State that the store and Dagster hold exactly these conversations, on their days, with nothing red."""
    here.settle()
    show(f"{what}: runs that the sensor requested", here.rows)
    days = of_days(here.assistant.settings.home)
    show(f"{what}: what the store holds", days)
    wanted = sorted({str(one.begins.date()) for one in expected})
    claims.claim(f"the days are {', '.join(wanted)}", [day["day"] for day in days] == wanted)
    said = {key: sorted(turns) for key, turns in here.speech().items()}
    claims.claim(
        f"{len(expected)} conversations say exactly what was said, once",
        said == {one.key: sorted(one.turns) for one in expected},
    )
    partitions = here.instance.get_materialized_partitions(dg.AssetKey("upload_receipts"))
    claims.claim("Dagster has these days materialized", sorted(partitions) == wanted)
    claims.claim(f"nothing is red: {'; '.join(here.red) or 'no check, no run'}", not here.red)
    claims.claim("messages are tagged on each day", all(day["tagged"] > 0 for day in days))  # tools' rows are not
    claims.claim("every conversation has its judgment", all(d["judged"] == d["conversations"] > 0 for d in days))
    claims.claim("every event has its receipt", all(d["receipts"] == d["events"] + d["judged"] > 0 for d in days))
    claims.claim("nothing failed", not any(day["failures"] for day in days))


def shards(claims: Claims) -> None:
    """ChatGPT's shards beside the other files of its export; then one shard more."""
    with world() as here:
        first, more = told([0, 1], "gpt"), told([3], "later")
        for n in range(0, len(first), TALKS):
            records = [record for one in first[n : n + TALKS] for record in chatgpt(one)]
            here.put(f"conversations-{n // TALKS:03}.json", records)
        for name, value in BESIDE_CHATGPT.items():
            here.put(name, value)
        stated(claims, here, first, "ChatGPT")
        here.put("conversations-002.json", [record for one in more for record in chatgpt(one)])
        stated(claims, here, [*first, *more], "one shard more")


def exported(here: World, hour: str, said: Sequence[Told]) -> None:
    """What Langfuse writes of an hour: three tables that hold the same, scores, and last a manifest."""
    where = {name: f"project/{name}/{hour}.jsonl" for name in ("scores", "traces", "observations", "observations_v2")}
    rows = [row for one in said for row in blob(one)]
    legacy = [{key: value for key, value in row.items() if key not in ("session_id", "user_id")} for row in rows]
    score = {"id": "s", "timestamp": "2026-03-02 09:00:00.000000", "trace_id": "t", "name": "good", "value": 1}
    here.put(where["scores"], [score | {"source": "API", "data_type": "NUMERIC"}])
    here.put(where["traces"], [{WORDS.get(k, k): v for k, v in row.items()} for one in said for row in traces(one)])
    here.put(where["observations"], legacy)
    here.put(where["observations_v2"], rows)
    files = [{"key": key, "table": name, "fileType": "JSONL"} for name, key in where.items()]
    here.put(
        f"project/manifests/{hour}.json", {"version": 1, "projectId": "project", "exportSource": "ALL", "files": files}
    )


WORDS = {"sessionId": "session_id", "userId": "user_id"}


def hours(claims: Claims) -> None:
    """Langfuse's blob export with foreign files beside it; then the next hour of it."""
    with world(CPA_EXCLUDE="billing/*,config/*") as here:
        first, more = told([0, 1], "lf"), told([2], "next")
        exported(here, "2026-03-03T10-00-00", first)
        for name, value in FOREIGN.items():
            here.put(name, value)
        stated(claims, here, first, "Langfuse")
        exported(here, "2026-03-04T10-00-00", more)
        stated(claims, here, [*first, *more], "the next hour")


PARTS: dict[str, Callable[[Claims], None]] = {"chatgpt": shards, "langfuse": hours}


def prefixes(claims: Claims) -> None:
    """The parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    for name in parser.parse_args().parts:
        PARTS[name](claims)


if __name__ == "__main__":
    sys.exit(proved(prefixes))
