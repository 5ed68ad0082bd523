"""Where a proof takes place: a temporary folder, processes that end with it, and waits that end by themselves."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

FOREIGN = ("OPENAI_", "ANTHROPIC_", "AWS_", "POSTHOG_", "AMPLITUDE_", "CPA_", "DAGSTER_")
"""Names of the machine's environment that must not reach a proof; neither must a proxy."""

ENDING = 15.0
"""Seconds that a process has to end before it is killed."""

SHOWN = 3000
"""Characters of a failed process's output that are shown."""


class Failed(Exception):
    """The proof cannot go on: a command failed, or what was waited for did not come."""


@dataclass
class Scene:
    """A folder, the environment of the processes of a proof, where they are started, and those that still run."""

    folder: Path
    environ: dict[str, str]
    started_in: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """CPA_HOME, unless a proof sets another."""
        return Path(self.environ["CPA_HOME"])

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME."""
        return Path(self.environ["DAGSTER_HOME"])

    def prepare_dagster(self) -> None:
        """An empty DAGSTER_HOME, prepared as `make dev` does it."""
        self.dagster_home.mkdir(parents=True)
        shutil.copy(ROOT / "cpa_dagster" / "dagster.yaml", self.dagster_home)
        self.run("dagster", "instance", "info", limit=120)

    def run(self, program: str, *arguments: str, limit: float) -> float:
        """Run a program of the virtual environment to its end: the seconds that it took. Raises Failed."""
        began = time.monotonic()
        name = f"{program}-{len(list(self.folder.glob('*.log')))}"
        self.start(name, program, *arguments)
        process = self.running[name]
        wait(lambda: process.poll() is not None, limit, f"{program} {' '.join(arguments[:3])} to end")
        took = time.monotonic() - began
        self.end(name)
        if process.returncode:
            raise Failed(f"{program} {' '.join(arguments)}: exit status {process.returncode}\n{self.said(name)}")
        return took

    def start(self, name: str, program: str, *arguments: str) -> None:
        """Start a program of the virtual environment, or of the system, in a process group of its own."""
        command = [str(BIN / program) if (BIN / program).exists() else program, *arguments]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=self.started_in, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def cpu(self) -> float:
        """Seconds of processor that the processes which still run have used, their ended children's with them."""
        sessions = {process.pid for process in self.running.values()}
        return sum(_cpu_of(path, sessions) for path in Path("/proc").glob("[0-9]*/stat"))

    def said(self, name: str) -> str:
        """The last words of a process."""
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")[-SHOWN:]

    def end_all(self) -> None:
        """End every process that still runs, with its children; the last started first."""
        for name in reversed(list(self.running)):
            self.end(name)

    def end(self, name: str) -> None:
        """End a process with its children."""
        process = self.running.pop(name)
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING)
        _signal(process, signal.SIGKILL)
        process.wait(ENDING)


def _cpu_of(stat: Path, sessions: set[int]) -> float:
    """What /proc says of a process of one of the sessions: times 14 to 17 of proc(5), its own and its children's."""
    try:
        fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") if int(fields[3]) in sessions else 0.0


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole group: what is left of it, when its leader has ended."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


@contextmanager
def scene() -> Iterator[Scene]:
    """A new scene. No key, host or proxy of the machine is in it; all is ended and removed afterwards."""
    machine = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN) and not k.lower().endswith("_proxy")}
    signal.signal(signal.SIGTERM, _leave)
    with tempfile.TemporaryDirectory(prefix="proof-") as name:
        folder = Path(name)
        own = {
            "HOME": name,
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "CPA_HOME": str(folder / "home"),
            "DAGSTER_HOME": str(folder / "dagster"),
            "DAGSTER_EVENT_BATCH_SIZE": "500",
            "DAGSTER_GRPC_TIMEOUT_SECONDS": "600",  # 60 is too short for a run's process to start on a busy machine
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        here = Scene(folder, machine | own, folder)
        try:
            yield here
        finally:
            here.end_all()


def _leave(number: int, frame: FrameType | None) -> None:
    """A proof that is asked to end cleans up first."""
    raise SystemExit(128 + number)


def wait(found: Callable[[], T | None], limit: float, what: str, pause: float = 0.5) -> T:
    """What `found` gives as soon as it is true. Raises Failed after `limit` seconds, naming what did not come."""
    until = time.monotonic() + limit
    while True:
        result = found()
        if result:
            return result
        if time.monotonic() > until:
            raise Failed(f"waited {limit:.0f} s in vain for {what}")
        time.sleep(pause)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
