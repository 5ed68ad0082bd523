"""The component in a new Dagster project: scaffolded by `create-dagster`, checked by `dg check`, run by `dg launch`.

Two assistants, each a `defs.yaml`; nothing of the project's other files is touched. Without a network: the scaffold's
own templates, this environment's packages. Needs `create-dagster` of Dagster's release (the dev group has it).
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from proofs.figures import Claims, of_days, proved, show
from proofs.scene import BIN, ROOT, Failed, Scene, scene
from proofs.served import ASSETS, records

PROJECT = "support"
LIMIT = 400.0

DEFS = """type: cpa_dagster.ConversationAnalytics
attributes:
  name: {name}
  source: example_data.json
  schema: schema.yml
  model: reference:annotations
  destinations: [outbox]
  timezone: UTC
  start_date: "2026-02-01"
"""
"""An assistant in nine lines; what it names lies beside it."""

ASSISTANTS: Mapping[str, tuple[str, str]] = {
    "coaching": ("therapist", "2026-03-02"),
    "taxes": ("tax_advisor", "2026-02-09"),
}
"""Their names, the examples whose conversations they have, and a day of these."""


def scaffolded(here: Scene) -> Path:
    """The project as `create-dagster project` makes it; its package can be imported as after an installation."""
    here.environ |= {"PATH": f"{BIN}:{here.environ['PATH']}", "XDG_CONFIG_HOME": str(here.folder / "config")}
    here.run("create-dagster", "project", PROJECT, "--no-uv-sync", limit=LIMIT)
    project = here.folder / PROJECT
    here.started_in = project
    here.environ["PYTHONPATH"] = f"{project / 'src'}:{ROOT}"
    return project


def add(project: Path, name: str, example: str) -> Path:
    """An assistant: a folder with its `defs.yaml`, conversations and schema."""
    folder = project / "src" / PROJECT / "defs" / name
    folder.mkdir()
    for file in ("example_data.json", "schema.yml", "annotations.yml"):
        shutil.copy(ROOT / "examples" / example / file, folder)
    (folder / "defs.yaml").write_text(DEFS.format(name=name), "utf-8")
    return folder


def checked(here: Scene) -> str:
    """What `dg check defs` says of the project, or why it refuses it."""
    try:
        here.run("dg", "check", "defs", limit=LIMIT)
    except Failed as refused:
        return str(refused)
    return "loaded"


def component(claims: Claims) -> None:
    """Scaffold, add, check, run."""
    with scene() as here:
        here.prepare_dagster()
        project = scaffolded(here)
        folders = {name: add(project, name, example) for name, (example, _) in ASSISTANTS.items()}
        claims.claim("an assistant is a file of at most ten lines", len(DEFS.splitlines()) <= 10)
        claims.claim("`dg check defs` takes both", checked(here) == "loaded")
        claims.claim("and opens no store", not list(project.rglob("*.duckdb")))
        mistyped = folders["taxes"] / "defs.yaml"
        mistyped.write_text(DEFS.format(name="taxes").replace("timezone: UTC", "timezone: Mars/Base"), "utf-8")
        claims.claim("a time zone that is none is refused with its words", "Mars/Base" in checked(here))
        mistyped.write_text(DEFS.format(name="taxes"), "utf-8")
        for name, (_, day) in ASSISTANTS.items():
            here.run("dg", "launch", "--assets", f"group:{name}_conversations", "--partition", day, limit=LIMIT)
            days = of_days(project / ".cpa" / name)
            show(f"{name}: {day}", days)
            claims.claim("that day alone is built", [row["day"] for row in days] == [day])
            claims.whole(days)
        with records(here) as instance:
            keys = sorted(key.to_user_string() for key in instance.all_asset_keys())
        expected = sorted(f"{name}/{asset}" for name in ASSISTANTS for asset in ASSETS)
        claims.claim("each has its own six assets", keys == expected)


if __name__ == "__main__":
    sys.exit(proved(component))
