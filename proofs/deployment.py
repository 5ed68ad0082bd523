"""The deployment's processes without an engine: the compose file's own commands, with Postgres where it is installed.

Needs `pip install -r deploy/requirements.txt` and Postgres's programs; without them Dagster's records are in SQLite.
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from proofs.figures import Claims, of_days, proved, show
from proofs.scene import ROOT, Scene, free_port, scene, wait
from proofs.served import ASSETS, Dagster, Requested

DAY = "2026-03-02"
NOBODY = "nobody"
"""Postgres does not run as root."""


def postgres(here: Scene, port: int) -> bool:
    """Postgres with an empty database, if it is there."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found or find_spec("dagster_postgres") is None:
        return False
    data = here.folder / "postgres"
    data.mkdir()
    here.folder.chmod(0o755)
    as_nobody: list[str] = []
    if os.getuid() == 0:
        shutil.chown(data, NOBODY)
        as_nobody = ["runuser", "-u", NOBODY, "--"]
    made = [*as_nobody, str(found[-1] / "initdb"), "-D", str(data), "-U", "dagster", "--auth=trust"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd="/")
    served = [str(found[-1] / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data)]
    here.start("postgres", *as_nobody, *served)
    created = [str(found[-1] / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "dagster", "dagster"]
    wait(lambda: not subprocess.run(created, check=False, capture_output=True).returncode, 60, "Postgres", pause=1.0)
    return True


def deployed(claims: Claims) -> None:
    """Start what the compose file starts, and materialize a day through it."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))["services"]
    with scene() as here:
        ports = {"3000": str(free_port()), "4000": str(free_port()), "5432": str(free_port())}
        here.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        here.environ |= {
            "DAGSTER_POSTGRES_" + n: v for n, v in {"USER": "dagster", "PASSWORD": "-", "DB": "dagster"}.items()
        }
        here.environ |= {"DAGSTER_POSTGRES_HOST": "127.0.0.1", "CPA_CODE_HOST": "127.0.0.1"}
        here.dagster_home.mkdir()
        (here.dagster_home / "workspace.yaml").write_text(
            (ROOT / "deploy" / "workspace.yaml").read_text("utf-8").replace("4000", ports["4000"]), "utf-8"
        )
        config = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text("utf-8"))
        stored = postgres(here, int(ports["5432"]))
        if stored:
            config["storage"]["postgres"]["postgres_db"]["port"] = int(ports["5432"])
        else:
            del config["storage"]
        (here.dagster_home / "dagster.yaml").write_text(yaml.safe_dump(config), "utf-8")
        here.run("dagster", "instance", "info", limit=120)

        def start(name: str) -> None:
            words = [str(word).replace("/opt/dagster", str(here.dagster_home)) for word in compose[name]["command"]]
            here.start(name, *(ports.get(word, word).replace("0.0.0.0", "127.0.0.1") for word in words))

        start("code")
        asked = [ports.get(word, word) for word in compose["code"]["healthcheck"]["test"][1:]]
        healthy = [str(Path(sys.executable).parent / asked[0]), *asked[1:]]
        wait(lambda: not subprocess.run(healthy, check=False, capture_output=True).returncode, 90, "the code location")
        claims.claim("the code location says that it is healthy", True)
        start("webserver")
        start("daemon")
        dagster = Dagster(here, f"http://127.0.0.1:{ports['3000']}")
        wait(dagster.loaded, 90, "the webserver to find the code location", pause=1.0)
        dagster.launch(Requested(ASSETS, {"dagster/partition": DAY}))
        home = here.started_in / ".demo" / "therapist"
        wait(lambda: (home / "cpa.duckdb").exists() and any(d["receipts"] for d in of_days(home)), 180, "the day")
        show("a day through code location, webserver and daemon", of_days(home))
        claims.claim(f"Dagster's records are in {'Postgres' if stored else 'SQLite: no Postgres here'}", True)
        size = sum(path.stat().st_size for path in here.dagster_home.rglob("*.db"))
        claims.claim("and nowhere else", not stored or size == 0)


if __name__ == "__main__":
    sys.exit(proved(deployed))
