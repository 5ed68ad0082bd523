"""`cpa init`: from five answers, or flags, to `.env`, a first schema and the commands that follow."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from cpa_core.cli.display import proposal_line
from cpa_core.cli.facts import Done, InitFacts
from cpa_core.cli.schemas import ProposalWanted, propose
from cpa_core.cli.screen import say
from cpa_core.destinations import DESTINATIONS
from cpa_core.errors import SettingsError
from cpa_core.pipeline import Assistant, quote_proposal, source_conversations
from cpa_core.proposing import SAMPLE_CONVERSATIONS
from cpa_core.providers import PROVIDERS, model_name
from cpa_core.settings import TABLE, Settings, changed, lacking

ENV = Path(".env")
SCHEMA = Path("schema.yml")
WRITTEN = (
    *("CPA_HOME", "CPA_SOURCE", "CPA_FORMAT", "CPA_MAP", "CPA_ROLES", "CPA_TIMES", "CPA_INCLUDE", "CPA_EXCLUDE"),
    *("CPA_TABLE", "CPA_QUERY", "CPA_WATERMARK", "CPA_SESSION_GAP", "CPA_SCHEMA", "CPA_MODEL", "CPA_DESTINATIONS"),
)
"""The settings that are written, where they are given."""
FLAGS = {"source": "SOURCE", "model": "--model", "destinations": "--destination", "about": "--about TEXT"}


def init(given: Settings, about: str | None, *, yes: bool) -> Done:
    """Ask for what no flag and no setting says, write `.env` and a first schema, and name the next commands.

    Nothing that is there is overwritten. Raises SettingsError where `.env` is there, or nobody can be asked.
    """
    if ENV.exists():
        raise SettingsError(
            f"{ENV.absolute()} is there already and stays as it is; edit it, or begin in another folder"
        )
    given, about = _answered(given, about)
    made = given if given.schema_path else changed(given, schema=str(SCHEMA))
    missing = _missing(made)
    conversations = source_conversations(Assistant.of(made))
    say(
        f"{made.source}: {len(conversations)} conversations, {sum(len(one.messages) for one in conversations)} messages"
    )
    missing = _missing(made)
    _write(made, missing)
    place = made.schema_path or SCHEMA
    proposed = _propose(made, place, about, yes=yes) if not missing and not place.exists() else False
    steps = _next_steps(place, missing, is_there=place.exists(), proposed=proposed)
    say(f"next: {steps[0]}", *(f"  {step}" for step in steps[1:]))
    facts = InitFacts(settings=ENV.absolute(), schema_file=place, proposed=proposed, missing=missing, next=tuple(steps))
    return Done(0, facts)


def _answered(given: Settings, about: str | None) -> tuple[Settings, str]:
    """The settings with an answer for each that is not set, and what the assistant is for."""
    found: dict[str, str] = {}
    if not given.source:
        found["source"] = _asked("source", "Where are your transcripts (a file, a folder, s3://bucket/prefix)?")
    if not given.model:
        found["model"] = _asked("model", "Which model labels them (openai:gpt-6-luna, compatible:qwen3:8b, ...)?")
    if "destinations" not in given.model_fields_set:
        words = f"Where do events go ({', '.join(DESTINATIONS)}; several by comma)?"
        found["destinations"] = _asked("destinations", words, "outbox")
    if about is None:
        about = _asked("about", "What does the assistant do, and what will you count (a sentence)?", "")
    return changed(given, **found), about


def _asked(name: str, words: str, default: str | None = None) -> str:
    """Return the person's answer. Raises SettingsError where there is no terminal, naming the flag."""
    if sys.stdin.isatty():
        return str(typer.prompt(words, default=default, show_default=bool(default), err=True)).strip()
    if default is None:
        raise SettingsError(f"init has no terminal to ask in: give {FLAGS[name]}")
    return default


def _missing(given: Settings) -> tuple[str, ...]:
    """The keys and addresses that the model and the destinations still need."""
    model = model_name(given.model or "")
    if unknown := [name for name in given.destinations if name not in DESTINATIONS]:
        raise SettingsError(f"destination {unknown[0]!r}: it must be one of {', '.join(DESTINATIONS)}")
    needs = [PROVIDERS[model.provider].needs, *(DESTINATIONS[name].needs for name in given.destinations)]
    return tuple(dict.fromkeys(name for one in needs for name in lacking(given, one)))


def _write(given: Settings, missing: Sequence[str]) -> None:
    """Write `.env`, for this user alone; what is missing stands there as a comment to fill in."""
    set_here = {TABLE[name].path: name for name in WRITTEN if TABLE[name].path in given.model_fields_set}
    lines = ["# Written by cpa init. Every setting: docs/reference/settings.md. A flag wins over the environment,"]
    lines += ["# and the environment over this file."]
    lines += [f"{name}={_quoted(given.written(name))}" for name in set_here.values()]
    lines += [f"# {name}=" for name in missing]
    with os.fdopen(os.open(ENV, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    say(f"{ENV}: {len(set_here)} settings" + (f"; fill in {', '.join(missing)}" if missing else ""))


def _quoted(value: str) -> str:
    """A value as python-dotenv reads it back: in single quotes, where only quote and backslash are escaped."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _propose(given: Settings, place: Path, about: str, *, yes: bool) -> bool:
    """Propose a schema once the person has seen the cost. Return whether a file was written."""
    if not yes:
        assistant = Assistant.of(given)
        say(proposal_line(quote_proposal(assistant, source_conversations(assistant), 0, SAMPLE_CONVERSATIONS)))
        if not sys.stdin.isatty() or not typer.confirm("Propose a schema now?", default=True, err=True):
            return False
    propose(given, None, ProposalWanted(place, 0, SAMPLE_CONVERSATIONS, about, False), is_last=False)
    return place.exists()


def _next_steps(place: Path, missing: Sequence[str], *, is_there: bool, proposed: bool) -> list[str]:
    """The commands that follow; `.env` says the rest."""
    first = [f"fill in {', '.join(missing)} in {ENV}"] if missing else []
    first += [f"edit {place}, then"] if proposed else []
    first += [] if is_there else [f"cpa schema propose --out {shlex.quote(str(place))}"]
    return [*first, f"cpa schema check {shlex.quote(str(place))}", "cpa quote", "cpa run"]
