"""A real Postgres on loopback, in a temporary folder of its own: never Debian's default cluster."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adbc_driver_postgresql import dbapi

USER, PASSWORD = "chats_reader", "s3cret/p@ss#word?"
"""The login of the tests; its password has every mark that an address must encode."""
FOLDERS = ("/usr/lib/postgresql", "/usr/local/bin", "/usr/bin")
DEBIAN = "postgres"
"""The account of Debian's package: Postgres refuses to run as root."""


def programs() -> Path | None:
    """The folder of Postgres's programs; None where it is not installed."""
    found = [one.parent for top in FOLDERS for one in sorted(Path(top).glob("**/initdb"), reverse=True)]
    return next(iter(found), None)


class Postgres:
    """A server with a database `app`. `url` has the login, `address` has not."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.address = f"postgresql://127.0.0.1:{port}/app"
        self.url = f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/app"

    def run(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        with dbapi.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.executescript(statement)

    def add(self, table: str, rows: Any, *, mode: str = "append") -> None:
        """Add the rows of an Arrow table."""
        with dbapi.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode=mode)  # type: ignore[arg-type]

    def ctl(self, *words: str) -> None:
        """Start or stop the server."""
        log = str(self.folder / "log")
        _as_owner(self.folder, "pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", *words)

    def restart(self) -> None:
        """End the server as a crash would, and start it again."""
        self.ctl("-m", "immediate", "restart")


@contextmanager
def server() -> Iterator[Postgres]:
    """A server that is started, and stopped at the end. Raises FileNotFoundError where Postgres is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="cpa-postgres-"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(DEBIAN)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        made = Postgres(folder, _free_port())
        secret = folder / "secret"
        secret.write_text(PASSWORD, "utf-8")
        secret.chmod(0o644)
        login = ("-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C")
        _as_owner(folder, "initdb", "-D", str(folder / "data"), *login, "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -c port={made.port} -c unix_socket_directories='' -c fsync=off"
        made.ctl("-o", options, "start")
        try:
            template = made.url.removesuffix("app") + "postgres"
            with dbapi.connect(template, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.executescript("create database app")
            yield made
        finally:
            made.ctl("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_owner(folder: Path, program: str, *words: str) -> None:
    where = programs()
    if where is None:
        raise FileNotFoundError("Postgres is not installed: apt-get install postgresql")
    owner = DEBIAN if os.geteuid() == 0 else None
    done = subprocess.run(
        [str(where / program), *words],
        user=owner,
        group=owner,
        extra_groups=[] if owner else None,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
