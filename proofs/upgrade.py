"""Homes of an earlier revision, upgraded: `python -m proofs.upgrade eed8f36` (two minutes, most of it installing).

The revision is checked out beside the proof, with packages of its own. It makes the demo's homes, and the home of a
month, labelled in batches and delivered to a PostHog, whose last batches are still at the vendor. Labels by people are
in it where the revision has them. Then this revision says what an upgrade does, does it, and runs. Nothing may be
asked, nothing sent, and every column that was there holds the same. Last, the earlier revision meets the new home.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from proofs.figures import Claims, proved, show
from proofs.scene import ROOT, Failed, Scene, scene
from tests.servers.posthog import PostHogServer

START, DAYS, PER_DAY = date(2026, 2, 1), 28, 3
PASSES = 8
"""Runs after which all batches must have been collected."""
KEPT_OPEN = ("migrations", "versions", "home", "settings_fixed")
"""Tables to which an upgrade adds rows of its own."""
SERVER = """
import sys
from tests.servers.batches import OpenAIBatchServer
with OpenAIBatchServer() as server:
    print(server.origin, flush=True)
    for line in sys.stdin:
        if line.startswith("held"):
            server.held = line.split()[1] == "yes"
        kept = server.batches.values()
        at_once = len(server.calls) - sum(len(one.lines) for one in kept if one.results is not None)
        print(at_once + sum(len(one.lines) for one in kept), flush=True)
"""


@dataclass(frozen=True)
class Revision:
    """A checkout with packages of its own."""

    name: str
    folder: Path

    def cpa(self, here: Scene, *words: str, fails: bool = False, **environ: str) -> str:
        """What a command of this revision prints. Raises Failed for a status that is not 0; where it `fails`, for 0."""
        given = here.environ | environ | {"PYTHONPATH": str(self.folder)}
        line = [str(self.folder / ".venv" / "bin" / "cpa"), *words]
        done = subprocess.run(
            line, cwd=self.folder, env=given, capture_output=True, text=True, check=False, timeout=1800
        )
        if bool(done.returncode) is not fails:
            raise Failed(f"{self.name}: cpa {' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr


class Model:
    """The revision's own server of OpenAI's batches, in a process of its own: its address, and what it was asked."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.origin = self._line()

    def hold(self, *, held: bool) -> int:
        """Batches end from now on, or do not; how many questions came so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"held {'yes' if held else 'no'}\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def checkout(name: str, folder: Path) -> Iterator[Revision]:
    """The revision, with the packages that it locks."""
    subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "-q", "--detach", str(folder), name], check=True)
    try:
        python = str(folder / ".venv" / "bin" / "python")
        if uv := shutil.which("uv"):
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder / ".venv")], check=True)
            install = [uv, "pip", "install", "-q", "--python", python]
        else:
            subprocess.run([sys.executable, "-m", "venv", str(folder / ".venv")], check=True)
            install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", str(folder / "requirements.lock")], check=True)
        subprocess.run([*install, "--no-deps", "-e", str(folder)], check=True)
        yield Revision(name, folder)
    finally:
        subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(folder)], check=True)


@contextmanager
def model_of(revision: Revision, here: Scene) -> Iterator[Model]:
    """The revision's server, until it is not needed."""
    python = str(revision.folder / ".venv" / "bin" / "python")
    environ = here.environ | {"PYTHONPATH": str(revision.folder)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([python, "-c", SERVER], cwd=revision.folder, env=environ, **pipes)
    try:
        yield Model(process)
    finally:
        process.kill()
        process.wait()


def chats(day: date) -> dict[str, Any]:
    """The conversations of a day."""
    began = datetime(day.year, day.month, day.day, 9)
    said = (
        "How do I {} my order of {}?",
        "You can {} it under orders of {}.",
        "And then I {} it, of {}?",
        "Yes, {}. {}",
    )
    verbs = ("return", "change", "cancel")
    return {
        f"{day:%m%d}-{n}": {
            "user_id": f"user-{n}",
            "messages": [
                {
                    "role": ("user", "assistant")[turn % 2],
                    "content": words.format(verbs[n % 3], day),
                    "timestamp": (began + timedelta(minutes=n, seconds=20 * turn)).isoformat() + "Z",
                    "message_id": f"m{turn}",
                }
                for turn, words in enumerate(said)
            ],
        }
        for n in range(PER_DAY)
    }


def month(here: Scene, revision: Revision, model: Model, claims: Claims) -> None:
    """The home of a month, delivered, and its last day in batches at the vendor."""
    source = Path(here.environ["CPA_SOURCE"])
    source.mkdir()
    shutil.copy(revision.folder / "examples" / "therapist" / "schema.yml", here.environ["CPA_SCHEMA"])
    days = [START + timedelta(days=n) for n in range(DAYS)]
    for day in days[:-1]:
        (source / f"{day}.json").write_text(json.dumps(chats(day)), "utf-8")
    for _ in range(PASSES):
        if "0 done" in (said := revision.cpa(here, "run")) or "no day is due" in said:
            break
    labelled_by_people(here, revision, claims)
    model.hold(held=True)
    (source / f"{days[-1]}.json").write_text(json.dumps(chats(days[-1])), "utf-8")
    revision.cpa(here, "run", "--no-wait")


def labelled_by_people(here: Scene, revision: Revision, claims: Claims) -> None:
    """A draw and labels of two messages, where the revision has them."""
    if not (revision.folder / "cpa_core" / "cli" / "gold.py").exists():
        print(f"{revision.name} has no labels by people")
        return
    labels = here.folder / "labels.csv"
    name = event_type(here)
    rows = [f"{START:%m%d}-{n},m0,{label},bo" for n, label in enumerate((name, ""))]
    labels.write_text("\n".join(["conversation_id,message_id,event_type,annotator", *rows]) + "\n", "utf-8")
    revision.cpa(here, "gold", "draw", "random", "--size", "5")
    revision.cpa(here, "gold", "import", str(labels))
    claims.claim("the earlier home has labels by people", bool(list((here.home / "gold").glob("*.jsonl"))))


def event_type(here: Scene) -> str:
    """The first type of a user's message in the schema."""
    from cpa_core import schema

    found, _ = schema.load(Path(here.environ["CPA_SCHEMA"]))
    return next(one.name for one in found.event_types if one.role == "user")


def contents(home: Path, columns: dict[str, list[str]], last: date = date.max) -> dict[str, tuple[int, str]]:
    """Rows of each table up to a day, and a sum over the hashes of these columns."""
    with duckdb.connect(str(home / "cpa.duckdb"), read_only=True) as held:
        return {
            table: held.execute(
                f'select count(*), coalesce(sum(hash({", ".join(names)})::hugeint), 0)::varchar from "{table}" '
                f"where {'day' if 'day' in names else 'null'} is null or {'day' if 'day' in names else 'null'} <= ?",
                [last],
            ).fetchall()[0]
            for table, names in columns.items()
            if table not in KEPT_OPEN
        }


def columns_of(home: Path) -> dict[str, list[str]]:
    """The columns of each table."""
    with duckdb.connect(str(home / "cpa.duckdb"), read_only=True) as held:
        rows = held.execute(
            "select table_name, list(column_name order by column_name) from duckdb_columns() "
            "where not internal group by table_name"
        ).fetchall()
    return dict(rows)


def hashes(home: Path) -> dict[str, str]:
    """Every file of a home but the locks."""
    files = [path for path in home.rglob("*") if path.is_file() and path.parent.name != "locks"]
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def upgraded(here: Scene, home: Path, words: Sequence[str], claims: Claims, name: str) -> dict[str, Any]:
    """Preview and upgrade a home; what the preview said."""
    now = Revision("now", ROOT)
    before, columns = hashes(home), columns_of(home)
    rows = contents(home, columns)
    flags = ("--home", str(home), *words)
    told = json.loads(_json(now.cpa(here, "upgrade", "--dry-run", "--json", *flags)))["upgrade"]
    claims.claim(f"{name}: the dry run changes no file", hashes(home) == before)
    print(now.cpa(here, "upgrade", *flags))
    claims.claim(f"{name}: no id changes", not any(one["gone"] or one["added"] for one in told["ids"]))
    changed = [table for table, found in contents(home, columns).items() if found != rows[table]]
    claims.claim(f"{name}: every column that was there holds the same {changed or ''}", not changed)
    show(
        f"{name}: rows that an earlier revision wrote", [{table: found[0] for table, found in rows.items() if found[0]}]
    )
    return dict(told)


def _json(said: str) -> str:
    return said[said.index("{") : said.rindex("}") + 1]


def demo(here: Scene, revision: Revision, claims: Claims) -> None:
    """The homes of the demo."""
    at = here.folder / "demo"
    revision.cpa(here, "demo", "--at", str(at))
    for home in sorted(at.iterdir()):
        example = ROOT / "examples" / home.name
        words = ("--schema", str(example / "schema.yml"), "--model", "reference:annotations")
        told = upgraded(here, home, words, claims, f"demo {home.name}")
        plan = told["next_run"]
        claims.claim("  it said that nothing is due, asked or sent", (plan["days"], plan["sends"]) == ([], 0))
        source = str(example / "example_data.json")
        found = json.loads(_json(Revision("now", ROOT).cpa(here, "run", source, "--home", str(home), *words, "--json")))
        claims.claim("  the next run asks and sends nothing", (found["questions"], found["events_sent"]) == (0, 0))


def proof(claims: Claims) -> None:
    """The homes of a revision under this one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="?", default="eed8f36")
    name = parser.parse_args().revision
    with scene() as here, checkout(name, here.folder / "earlier") as revision:
        demo(here, revision, claims)
        with model_of(revision, here) as model, PostHogServer() as posthog:
            here.environ |= {
                "CPA_SOURCE": str(here.folder / "in"),
                "CPA_SCHEMA": str(here.folder / "schema.yml"),
                "CPA_MODEL": "openai:gpt-6-luna",
                "CPA_LANE": "batch",
                "CPA_POLL": "0.05",
                "OPENAI_API_KEY": "sk-loopback",
                "OPENAI_BASE_URL": f"{model.origin}/v1",
                "CPA_DESTINATIONS": "posthog",
                "POSTHOG_API_KEY": posthog.key,
                "POSTHOG_HOST": posthog.url,
            }
            month(here, revision, model, claims)
            of_month(here, revision, model, posthog, claims)


def of_month(here: Scene, revision: Revision, model: Model, posthog: PostHogServer, claims: Claims) -> None:
    """The home of a month under this revision."""
    asked, sent, now = model.hold(held=True), posthog.stored, Revision("now", ROOT)
    claims.claim(f"the earlier revision asked {asked} questions and sent {sent} events", bool(asked and sent))
    told = upgraded(here, here.home, (), claims, "month")
    plan = told["next_run"]
    questions = sum(line["questions"] for line in plan["asks"]["lines"])
    claims.claim("  it said that nothing is asked or sent", (questions, plan["sends"]) == (0, 0))
    columns, last = columns_of(here.home), START + timedelta(days=DAYS - 2)
    rows = contents(here.home, columns, last)
    model.hold(held=False)
    for _ in range(3):
        now.cpa(here, "run")
    changed = [table for table, found in contents(here.home, columns, last).items() if found != rows[table]]
    claims.claim(
        f"after the next runs, labels, sums and receipts of the days before are equal {changed or ''}", not changed
    )
    claims.claim("the next runs ask nothing: batches under way are collected", model.hold(held=False) == asked)
    own = DAYS * PER_DAY
    with duckdb.connect(str(here.home / "cpa.duckdb"), read_only=True) as held:
        judged = held.execute("select count(*) from judge_scores where outcome = 'ok'").fetchall()[0][0]
    claims.claim(f"all {own} conversations are labelled: {judged}", judged == own)
    claims.claim(
        f"no event was sent again: {posthog.stored} stored, {len(posthog.rows)} different",
        posthog.stored == len(posthog.rows),
    )
    before = hashes(here.home)
    said = revision.cpa(here, "status", fails=True)
    print(f"{revision.name} on the new home: {said.strip()}")
    claims.claim("the earlier revision says so in one line, and changes nothing", len(said.strip().splitlines()) == 1)
    claims.claim("  by the hash of every file", hashes(here.home) == before)


if __name__ == "__main__":
    sys.exit(proved(proof))
