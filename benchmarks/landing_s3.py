"""5,000 objects of 60 days in a bucket: landed through kills, refusals, broken connections and changes, each once.

    python -m benchmarks.landing_s3 [--objects 5000] [--days 60]

The bucket is moto's, on loopback, behind a relay that counts what was served whole. What must be in the store is
kept apart, message by message, by whoever puts the objects.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from cpa_core.pipeline import Assistant, Landed, land
from cpa_core.pipeline.landing import fetch
from cpa_core.settings import settings
from cpa_core.sources import s3
from cpa_core.store.database import Row
from tests.servers.s3 import Relay, relayed

BUCKET = "chats"
FIRST = date(2026, 1, 1)
CONVERSATIONS, TURNS = 5, 4
PART = fetch.MOST_OBJECTS
Message = dict[str, Any]


@dataclass
class Bucket:
    """The bucket, and what every object of it says by now; `truth` also holds what was deleted."""

    relay: Relay
    environ: Mapping[str, str]
    present: dict[str, str] = field(default_factory=dict)
    truth: dict[str, list[Message]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = s3.client(
            settings({**self.environ, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.relay.port}"}).aws
        )
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, key: str, messages: list[Message]) -> None:
        """One object, as JSON Lines."""
        answer = self.client.put_object(Bucket=BUCKET, Key=key, Body="\n".join(map(json.dumps, messages)).encode())
        self.present[f"s3://{BUCKET}/{key}"] = answer["ETag"].strip('"')
        self.truth[key] = messages

    def delete(self, key: str) -> None:
        """Remove an object; what it said stays true."""
        self.client.delete_object(Bucket=BUCKET, Key=key)
        del self.present[f"s3://{BUCKET}/{key}"]

    def said(self) -> list[tuple[str, str, str]]:
        """Every message that must be in the store, once."""
        return sorted((m["conversation_id"], m["message_id"], m["content"]) for one in self.truth.values() for m in one)


def written(key: str, day: date, number: int, version: int = 1) -> list[Message]:
    """What an object says. Every tenth goes on with the last conversation of the one before it."""
    at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(minutes=7 * number % 1300)
    names = [f"{day} {number} {c}" for c in range(CONVERSATIONS)]
    if number % 10 == 9:
        names[0] = f"{day} {number - 1} {CONVERSATIONS - 1}"
    return [
        {
            "conversation_id": name,
            "message_id": f"{number}-{turn}",
            "role": ("user", "assistant")[turn % 2],
            "content": f"version {version} of {turn} in {name} of {key}: " + "words and words " * 12,
            "timestamp": (at + timedelta(seconds=turn)).isoformat(),
        }
        for name in names
        for turn in range(TURNS)
    ]


def said(fine: bool, title: str, text: str) -> bool:
    """One line of the report."""
    print(f"{title:34} {text}: {'met' if fine else 'NOT met'}", flush=True)
    return fine


class Bench:
    """One home, one bucket, and the steps of the story."""

    def __init__(self, bucket: Bucket, folder: Path, objects: int, days: int) -> None:
        self.bucket, self.folder = bucket, folder
        self.environ = {**bucket.environ, "CPA_HOME": str(folder / "home"), "CPA_SOURCE": f"s3://{BUCKET}/in/"}
        self.assistant = Assistant.of(settings(self.environ))
        self.keys = [f"in/{FIRST + timedelta(n % days)}/{n // days:03}.jsonl" for n in range(objects)]
        self.keys.sort()

    def rows(self, sql: str) -> list[Row]:
        """What the store says; nothing before there is one."""
        if not self.assistant.store.exists():
            return []
        with self.assistant.store.reading() as view:
            return view.rows(sql)

    def kept(self) -> set[str]:
        """The objects that the store holds."""
        return {row["uri"] for row in self.rows("select uri from landed_files where replaced_at is null")}

    def fill(self) -> None:
        """Put every object, eight at once."""
        begin = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: self.bucket.put(key, self.original(key)), self.keys))
        changed = self.bucket.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        seconds = Counter(
            entry["LastModified"].replace(microsecond=0) for page in changed for entry in page["Contents"]
        )
        days = len({key.split("/")[1] for key in self.keys})
        print(
            f"{len(self.keys):,} objects of {days} days put in {time.perf_counter() - begin:.0f} s, "
            f"up to {max(seconds.values())} in one second"
        )

    def original(self, key: str, version: int = 1) -> list[Message]:
        """The words of an object by its key."""
        _, day, name = key.split("/")
        return written(key, date.fromisoformat(day), int(name.removesuffix(".jsonl")), version)

    def killed_after(self, served: int) -> int:
        """A landing that is killed when so many objects were served whole; how many the store keeps."""
        process = self.command()
        while sum(self.bucket.relay.whole.values()) < served and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return len(self.kept())

    def command(self) -> subprocess.Popen[str]:
        """`cpa land`, as people run it."""
        return subprocess.Popen(
            [sys.executable, "-m", "cpa_core.cli", "land"],
            env={**os.environ, **self.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def through_kills(self) -> bool:
        """Two kills, faults all the way, then a landing that ends, and one after the faults are over."""
        relay, uris = self.bucket.relay, len(self.keys)
        for key in self.keys[5::200]:
            relay.faults[key] = ["break"]
        for key in self.keys[7:1500:500]:
            relay.faults[key] = ["refuse"] * 50
        relay.faults[self.keys[-3]] = ["break"] * 50
        closed = len(self.keys[7:1500:500]) + 1
        kept: list[int] = []
        again = 0
        for served in (uris * 3 // 10, uris * 8 // 10):
            kept.append(self.killed_after(served))
            before = {uri: relay.asked[uri.split("/", 3)[3]] for uri in self.kept()}
        begin = time.perf_counter()
        process = self.command()
        process.communicate()
        seconds = time.perf_counter() - begin
        again = sum(relay.asked[uri.split("/", 3)[3]] - count for uri, count in before.items())
        fine = [
            said(
                0 < kept[0] < kept[1] < uris,
                "SIGKILL in the middle, twice",
                f"{kept[0]:,} and {kept[1]:,} objects kept",
            ),
            said(again == 0, "after a kill", f"{again} of {len(before):,} kept objects asked for again"),
            said(
                process.returncode == 1 and len(self.kept()) == uris - closed,
                "403 and broken connections",
                f"{uris - len(self.kept())} objects told and left ({closed} are closed), exit {process.returncode}, "
                f"the others landed in {seconds:.0f} s; breaking once: {len(self.keys[5::200])}, all landed",
            ),
        ]
        relay.faults.clear()
        landed = land(self.assistant)
        twice = sum(count - 1 for count in relay.whole.values() if count > 1)
        most = 2 * (PART + 2 * fetch.THREADS)
        fine += [
            said(landed.read == closed and not landed.lost, "when the faults are over", f"{landed.read} objects read"),
            said(twice <= most, "served whole a second time", f"{twice} objects (two kills cost at most {most})"),
            self.exact("every object once"),
        ]
        return all(fine)

    def exact(self, title: str) -> bool:
        """Whether the store holds the bucket's versions, and every message once, as it was put."""
        files = self.rows("select uri, etag, removed_at from landed_files where replaced_at is null")
        versions = {row["uri"]: row["etag"] for row in files if row["removed_at"] is None}
        rows = self.rows("select conversation_id, message_id, content from landed_messages where superseded_at is null")
        found = sorted((row["conversation_id"], row["message_id"], row["content"]) for row in rows)
        same = found == self.bucket.said() and versions == self.bucket.present
        return said(same, title, f"{len(versions):,} versions, {len(found):,} messages, compared one by one")

    def changes(self) -> bool:
        """Overwritten twice in one second, while it is listed, late, removed: all in one landing and the next."""
        bucket, keys = self.bucket, self.keys
        overwritten, removed = keys[100::100], keys[50::500]
        for key in overwritten:
            bucket.put(key, self.original(key, 2))
            bucket.put(key, self.original(key, 3))
        late = FIRST + timedelta(2)
        for n in range(5):
            bucket.put(f"in/late-{n}/{900 + n}.jsonl", written(f"late {n}", late, 900 + n))
        for key in removed:
            bucket.delete(key)
        during = keys[33::1000]
        landed = self.landing_meanwhile(during)
        expected = {key.split("/")[1] for key in overwritten} | {str(late)}
        fine = [
            said(
                landed.read == len(overwritten) + 5 and {str(d) for d in landed.days} == expected,
                "overwritten and late",
                f"{landed.read} objects read, {len(landed.days)} days dirty, the late one among them",
            ),
            said(
                set(landed.removed) == {f"s3://{BUCKET}/{key}" for key in removed},
                "removed",
                f"{len(landed.removed)} objects told, their messages stay",
            ),
        ]
        arrived = land(self.assistant)
        nothing = land(self.assistant)
        fine += [
            said(
                arrived.read == len(during) + 1 and not arrived.lost,
                "after the listing, same second",
                f"{arrived.read} objects that came while the others landed are read by the next landing",
            ),
            said(nothing.read == 0 and not nothing.removed, "once more", f"{nothing.read} objects read"),
            self.exact("every version once, at the end"),
        ]
        return all(fine)

    def landing_meanwhile(self, overwritten: list[str]) -> Landed:
        """A landing during which these objects are written again, and a new one comes."""
        pending = [(key, self.original(key, 4)) for key in overwritten]
        pending.append(("in/a-new/950.jsonl", written("new", FIRST, 950)))

        @contextmanager
        def progress(stage: str, total: int) -> Iterator[Any]:
            for key, content in pending:
                self.bucket.put(key, content)
            yield lambda: None

        return land(replace(self.assistant, progress=progress))


def main() -> int:
    """The whole story; 1 when a line is not met."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--objects", type=int, default=5000)
    options.add_argument("--days", type=int, default=60)
    given = options.parse_args()
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    with relayed() as relay, tempfile.TemporaryDirectory() as folder:
        environ = {
            "AWS_ENDPOINT_URL_S3": relay.url,
            "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
            "AWS_SECRET_ACCESS_KEY": "very-secret",
            "AWS_REGION": "us-east-1",
        }
        bench = Bench(Bucket(relay, environ), Path(folder), given.objects, given.days)
        bench.fill()
        fine = [bench.through_kills(), bench.changes()]
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        fine.append(said(peak < 500, "memory of cpa land", f"peak {peak:.0f} MB (below 500)"))
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
