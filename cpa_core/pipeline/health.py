"""Whether an assistant can run: machine, home, store, schema, source, model, destinations; nothing is sent."""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from cpa_core import __version__
from cpa_core.destinations import DESTINATIONS, destination
from cpa_core.errors import CpaError
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.landing.roles import roles_warning
from cpa_core.pipeline.model_check import check_model
from cpa_core.pipeline.overview import spend_of_run
from cpa_core.pipeline.schema.current import schema_path
from cpa_core.schema import check
from cpa_core.sources import Object
from cpa_core.sources.formats.explaining import explained
from cpa_core.sources.roles import known as known_roles
from cpa_core.store.compaction import FileRoom, room_of

State = Literal["ok", "warning", "error"]
PACKAGES = ("duckdb", "pyarrow", "openai", "anthropic", "dagster", "posthog", "amplitude-analytics")
GIB = 1 << 30
LOCK_WAIT = 2.0
"""Seconds that the store's lock is waited for."""
CONNECT_WAIT = 5.0
"""Seconds that a destination's address may take to accept a connection."""
LEAST_FREE = 1 * GIB
"""Free bytes below which a run may fill the disk."""
LARGE_STORE = 20 * GIB
"""Bytes of the database above which questions over all days take minutes on two cores: an estimate."""
MANY_FILES = 5_000
"""Files of answers, or of the outbox, above which each run lists for long."""
LARGE_OUTBOX = 5 * GIB
LARGE_LOG = 5 * GIB
"""Bytes of Dagster's event log above which its pages get slow: an estimate."""
LEAST_GIVEN_BACK = 64 << 20
"""Free bytes within the database's file that are worth compacting, where they are also a quarter of it."""
LEAST_DAYS = 60
"""Days for which the free disk must last at the rate at which the home has grown."""


class HealthCheck(Value):
    """One check: its finding, and its remedy if the state is not ok."""

    name: str
    state: State
    found: str
    remedy: str = ""


def health(assistant: Assistant, *, ask: bool = True, event_log: Path | None = None) -> Iterator[HealthCheck]:
    """Check everything that a run needs, in the order of need. Nothing is delivered.

    With `ask`, the model is asked one small question, which is stored and counted like any other. `event_log` is the
    folder in which Dagster keeps its event log, where it runs beside.
    """
    parts: Sequence[tuple[str, Callable[[Assistant], Iterator[HealthCheck]]]] = [
        ("machine", _machine),
        ("home", _home),
        ("store", _store),
        ("event log", partial(_event_log, event_log)),
        ("schema", _schema),
        ("source", _source),
        ("model", _model if ask else _named_model),
        ("destinations", _destinations),
    ]
    for name, look in parts:
        try:
            yield from look(assistant)
        except CpaError as error:
            yield HealthCheck(name=name, state="error", found=str(error), remedy=REMEDIES[name])
        except OSError as error:
            said = f"{error.filename or name}: {error.strerror or error}"
            yield HealthCheck(name=name, state="error", found=said, remedy=REMEDIES[name])


REMEDIES = {
    "machine": "install Python 3.11 or newer",
    "home": "make the folder writable, or name another: --home, CPA_HOME",
    "store": "wait for the other run, or close the program that holds the file",
    "schema": "cpa schema check FILE names every problem; cpa schema propose SOURCE --out schema.yml makes one",
    "event log": "make the folder readable (DAGSTER_HOME)",
    "source": "cpa land --explain FILE shows what is recognised and what would help",
    "model": "set CPA_MODEL and the key of its provider (docs/guides/models.md)",
    "destinations": "set the key, or name another: --destination, CPA_DESTINATIONS",
}
"""The remedy if a check itself fails, shown after the error."""


def _machine(assistant: Assistant) -> Iterator[HealthCheck]:
    number = ".".join(map(str, sys.version_info[:3]))
    is_new = sys.version_info >= (3, 11)
    yield HealthCheck(
        name="python", state="ok" if is_new else "error", found=number, remedy="" if is_new else REMEDIES["machine"]
    )
    others = (f"{name} {_version(name)}" for name in PACKAGES)
    found = ", ".join((f"conversational-product-analytics {__version__}", *others))
    yield HealthCheck(name="versions", state="ok", found=found)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _home(assistant: Assistant) -> Iterator[HealthCheck]:
    home = assistant.settings.home
    there = next(place for place in (home, *home.absolute().parents) if place.exists())
    may_write = os.access(there, os.W_OK)
    words = f"{home}" if home.exists() else f"{home} (will be made)"
    state: State = "ok" if may_write else "error"
    yield HealthCheck(name="home", state=state, found=words, remedy="" if may_write else REMEDIES["home"])
    free = shutil.disk_usage(there).free
    needs = max(LEAST_FREE, 2 * _size(assistant.store.path))
    yield HealthCheck(
        name="disk",
        state="ok" if free >= needs else "warning",
        found=f"{bytes_shown(free)} free",
        remedy="" if free >= needs else f"a run may need {bytes_shown(needs)}: make room, or move the home (CPA_HOME)",
    )
    yield from _growth(assistant)


def _growth(assistant: Assistant) -> Iterator[HealthCheck]:
    """Yield checks of the files that grow, with the size at which they become a problem."""
    home = assistant.settings.home
    store = _size(assistant.store.path)
    yield HealthCheck(
        name="database",
        state="warning" if store > LARGE_STORE else "ok",
        found=bytes_shown(store),
        remedy="cpa compact gives back what it can; use a larger machine, or begin a new home"
        if store > LARGE_STORE
        else "",
    )
    for name, most in (("answers", LARGE_STORE), ("outbox", LARGE_OUTBOX)):
        files = [path for path in (home / name).rglob("*") if path.is_file()]
        size = sum(map(_size, files))
        is_large = size > most or len(files) > MANY_FILES
        yield HealthCheck(
            name=name,
            state="warning" if is_large else "ok",
            found=f"{bytes_shown(size)} in {len(files):,} files",
            remedy=GROWN[name] if is_large else "",
        )
    unread = sorted((home / "answers").glob("*.unread"))
    if unread:
        way = "paid answers that could not be read are set aside there: keep the files, and report them"
        yield HealthCheck(name="answers set aside", state="warning", found=str(unread[0]), remedy=way)


GROWN = {
    "answers": "they are paid for, so delete none: cpa compact merges their files; move the home to a larger disk",
    "outbox": "move the files of old days elsewhere once they are loaded; the receipts stay",
}


def _store(assistant: Assistant) -> Iterator[HealthCheck]:
    if not assistant.store.exists():
        yield HealthCheck(name="store", state="ok", found="none yet; the first landing makes it")
        return
    with assistant.store.reading(LOCK_WAIT) as view:
        row = view.answer("status/newest_migration")[0]
        days = view.answer("status/days_counted")[0]["days"]
        room = room_of(view)
    yield HealthCheck(name="store", state="ok", found=f"{days} days, migration {row['migration']}, not locked")
    yield free_room(room)
    if days:
        yield _growth_a_day(assistant.settings.home, days)


def free_room(room: FileRoom) -> HealthCheck:
    """Return the check of free space in the database's file: DuckDB reuses it; only a copy returns it to the disk."""
    is_much = room.free > max(LEAST_GIVEN_BACK, room.size // 4)
    words = f"{bytes_shown(room.free)} of the database's {bytes_shown(room.size)} are free for new rows"
    remedy = "cpa compact gives them back to the disk" if is_much else ""
    return HealthCheck(name="room", state="warning" if is_much else "ok", found=words, remedy=remedy)


def _growth_a_day(home: Path, days: int) -> HealthCheck:
    """Return the check of the home's growth, and of the days that the disk lasts at that rate."""
    rate = max(1, sum(_size(path) for path in home.rglob("*") if path.is_file()) // days)
    left = shutil.disk_usage(home).free // rate
    words = f"{bytes_shown(rate)} a day over {days} days; "
    words += f"the disk is full in {left:,} days" if left < 10 * 365 else "the disk lasts for more than ten years"
    is_short = left < LEAST_DAYS
    remedy = "make room, or move the home to a larger disk (CPA_HOME); cpa compact gives back what it can"
    return HealthCheck(
        name="growth", state="warning" if is_short else "ok", found=words, remedy=remedy if is_short else ""
    )


def _event_log(folder: Path | None, assistant: Assistant) -> Iterator[HealthCheck]:
    """Yield the check of Dagster's event log, which is in files of its own."""
    if folder is None or not folder.exists():
        return
    size = sum(_size(path) for path in folder.rglob("*") if path.is_file())
    is_large = size > LARGE_LOG
    remedy = "delete runs that nobody looks at: dagster run delete RUN_ID; no event and no receipt depends on them"
    yield HealthCheck(
        name="event log",
        state="warning" if is_large else "ok",
        found=f"{folder}: {bytes_shown(size)}",
        remedy=remedy if is_large else "",
    )


def _schema(assistant: Assistant) -> Iterator[HealthCheck]:
    path = schema_path(assistant)
    if not path.exists() and assistant.settings.schema_path is None:
        yield HealthCheck(name="schema", state="warning", found="none is named", remedy=REMEDIES["schema"])
        return
    schema, findings = check(path)
    errors = [one for one in findings if one.level == "error"]
    words = f"{path}: version {schema.version[:12]}, {len(schema.event_types)} event types, {len(findings)} findings"
    state: State = "error" if errors else "warning" if findings else "ok"
    yield HealthCheck(name="schema", state=state, found=words, remedy=f"cpa schema check {path}" if findings else "")


def _source(assistant: Assistant) -> Iterator[HealthCheck]:
    """The source listed, and its smallest object read."""
    if not assistant.settings.source:
        way = "name it: cpa doctor SOURCE, or CPA_SOURCE"
        yield HealthCheck(name="source", state="warning", found="none is named", remedy=way)
        return
    objects = assistant.listing().objects
    if not objects:
        yield HealthCheck(
            name="source",
            state="error",
            found=f"{assistant.settings.source}: nothing is there",
            remedy=REMEDIES["source"],
        )
        return
    yield _read(assistant, min(objects, key=lambda one: one.size), len(objects))


def _read(assistant: Assistant, one: Object, count: int) -> HealthCheck:
    found = explained(assistant.file(one.uri, one.read()), one.modified_at)
    heads = f"{count} objects; {one.uri.rpartition('/')[2]}: {found.form.title}, {found.conversations} conversations"
    untagged = {role: n for role, n in found.messages.items() if role not in known_roles(assistant.settings.roles)}
    warning = roles_warning(untagged)
    return HealthCheck(name="source", state="warning" if warning else "ok", found=heads, remedy=warning)


def _named_model(assistant: Assistant) -> Iterator[HealthCheck]:
    model = assistant.model("tag")
    assistant.provider_of(model)
    yield HealthCheck(name="model", state="ok", found=f"{model}: configured, not asked")


def _model(assistant: Assistant) -> Iterator[HealthCheck]:
    if assistant.model("tag").provider == "reference":
        yield HealthCheck(
            name="model",
            state="warning",
            found="reference: no key is set, so only the examples' annotations answer",
            remedy=REMEDIES["model"],
        )
        return
    made = check_model(assistant)
    spent = spend_of_run(assistant).run
    cost = "unknown price (CPA_PRICES)" if spent is None else f"${spent:.4f}"
    words = f"{made.model}{f' at {made.address}' if made.address else ''}: {made.outcome}, {made.calls} calls, {cost}"
    if made.outcome == "ok":
        yield HealthCheck(name="model", state="ok", found=f"{words}, {made.seconds:.1f} s")
        return
    yield HealthCheck(name="model", state="error", found=f"{words}: {made.detail}", remedy="cpa check model says more")


def _destinations(assistant: Assistant) -> Iterator[HealthCheck]:
    """Yield the check of each destination: it is configured, and its address accepts a connection.

    No vendor offers a check of a key alone.
    """
    for name in assistant.settings.destinations:
        try:
            made = destination(name, assistant.settings)
        except CpaError as error:
            yield HealthCheck(name=name, state="error", found=str(error), remedy=REMEDIES["destinations"])
            continue
        address = str(getattr(made, "url", "") or getattr(made, "host", ""))
        yield _reached(name, address) if address else _folder(name, Path(getattr(made, "folder", ".")))


def _reached(name: str, address: str) -> HealthCheck:
    """Whether an address takes a connection. Nothing is sent: the key shows at the first delivery."""
    place = urlsplit(address)
    port = place.port or (443 if place.scheme == "https" else 80)
    title = DESTINATIONS[name].title
    try:
        socket.create_connection((place.hostname or "", port), CONNECT_WAIT).close()
    except OSError as error:
        way = "check the address, the network and a proxy"
        return HealthCheck(
            name=name, state="error", found=f"{place.hostname}:{port}: {error.strerror or error}", remedy=way
        )
    return HealthCheck(name=name, state="ok", found=f"{title} at {place.hostname}:{port} is reached; nothing was sent")


def _folder(name: str, folder: Path) -> HealthCheck:
    return HealthCheck(name=name, state="ok", found=f"{folder}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def bytes_shown(count: int) -> str:
    """Bytes as people read them."""
    size, units = float(count), ["B", "KB", "MB", "GB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:,.0f} {units[0]}" if units[0] in ("B", "KB") else f"{size:,.1f} {units[0]}"
