"""The commands on the event schema."""

import shlex
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cpa_core import schema
from cpa_core.cli.display import bar, existing, model_line, proposal_line, quote_lines, spend_lines
from cpa_core.cli.facts import AcceptFacts, DiffFacts, Done, ProposeFacts, SchemaFacts
from cpa_core.cli.flags import SOURCE
from cpa_core.cli.screen import complain, say
from cpa_core.errors import SchemaError, SettingsError
from cpa_core.models import TAGGED_ROLES
from cpa_core.pipeline import (
    Assistant,
    Drift,
    Stale,
    Weight,
    accept_proposal,
    accept_schema,
    named_schema,
    propose_schema,
    quote_of_history,
    quote_proposal,
    roles_warning,
    source_conversations,
    uncovered_conversations,
    untagged_roles,
    weights,
    write_proposal,
)
from cpa_core.pipeline.gold.teaching import measured_examples
from cpa_core.pipeline.overview import spend_of_run
from cpa_core.schema import Diff
from cpa_core.settings import TABLE, Settings

MARKS = {"added": "+", "removed": "-", "renamed": "~", "changed": "*"}


def check(given: Settings, file: Path) -> Done:
    """Read a schema, and print each problem with its line and key, including conflicts with the home's labels."""
    try:
        found, findings = schema.check(file)
    except SchemaError as refused:
        if not refused.problems:
            raise
        return _refused(file, refused)
    findings = [*findings, *measured_examples(Assistant.of(given), file)]
    say(*(f"{one.level}: {file}: line {one.line}: {one.key}: {one.reason}" for one in findings))
    types = {role: len(found.of_role(role)) for role in TAGGED_ROLES}
    goals = len(found.criteria.goals())
    counts = ", ".join(f"{count} {role}" for role, count in types.items())
    say(f"{file}: version {found.version}, event types: {counts}, goals: {goals}")
    facts = SchemaFacts(file=file, version=found.version, types=types, goals=goals, findings=tuple(findings))
    return Done(2 if any(one.level == "error" for one in findings) else 0, facts)


def _refused(file: Path, refused: SchemaError) -> Done:
    """Every problem of a schema that cannot be used, as errors, and what else was seen."""
    findings = schema.findings_of(refused, str(file))
    for one in findings:
        line = f"{file}: line {one.line}: {one.key}: {one.reason}"
        complain(line) if one.level == "error" else say(f"warning: {line}")
    facts = SchemaFacts(file=file, version=None, types=None, goals=None, findings=tuple(findings))
    return Done(2, facts)


class ProposalWanted(NamedTuple):
    """The options of a proposal: the file to write, the sample, and its purpose."""

    out: Path
    seed: int
    sample: int
    about: str
    from_uncovered: bool


def propose(
    given: Settings,
    model: str | None,
    wanted: ProposalWanted,
    *,
    is_last: bool = True,
    said_elsewhere: Container[str] = (),
) -> Done:
    """Propose a schema from the source and write it where nothing is yet; beside it, with a diff, where one is.

    The commands that follow are shown where nothing is said after it (`is_last`). They repeat the flags that say how to
    read the source, without the settings that stand elsewhere: in the environment or in `.env`.
    """
    if model:
        given = given.model_copy(update={"schema_model": model, "model": given.model or model})
    assistant = Assistant.of(given, bar)
    say(model_line(assistant, "propose"))
    base = schema.load(wanted.out)[0] if wanted.out.exists() else None
    if wanted.from_uncovered and base is None:
        raise SettingsError(f"{wanted.out}: there is no schema yet to add to; leave --from-uncovered out")
    conversations = (
        uncovered_conversations(assistant.store) if wanted.from_uncovered else source_conversations(assistant)
    )
    added_to = base if wanted.from_uncovered else None
    quoted = quote_proposal(assistant, conversations, wanted.seed, wanted.sample, added_to)
    if warning := roles_warning(untagged_roles(assistant, conversations)):
        say(f"warning: {warning}")
    say(proposal_line(quoted))
    proposal = propose_schema(assistant, conversations, wanted.seed, wanted.sample, added_to, wanted.about)
    if added_to:
        proposal = replace(proposal, base=wanted.out.read_text("utf-8"))
    path = write_proposal(proposal, wanted.out)
    if base:
        say(f"{wanted.out} is in use and was left as it is; beside it is what would change:")
        say(*diff_lines(schema.compare(base, proposal.schema), ()))
        say(f"To take it over: cpa schema accept {path} --as {wanted.out}")
    say(*proposal.head[:-1])
    spend = spend_of_run(assistant)
    types = len(proposal.schema.event_types)
    say(f"{path}: {types} event types", *spend_lines(spend))
    if lost := proposal.counted.lost:
        say(f"warning: {path} is written, but {lost} conversations were not counted, so the exit status is 1")
    say(*(_after_proposal(given, wanted.out, model, said_elsewhere) if is_last else ()))
    facts = ProposeFacts(file=path, types=types, conversations=quoted.conversations, quoted=quoted.cost, spend=spend)
    return Done(1 if lost else 0, facts)


def _after_proposal(given: Settings, file: Path, model: str | None, said_elsewhere: Container[str]) -> list[str]:
    """The commands that follow a proposal: edit, check, quote, run."""
    named = [name for name in SOURCE[1:] if TABLE[name].path in given.model_fields_set and name not in said_elsewhere]
    flags = [f" {TABLE[name].flag} {shlex.quote(given.written(name))}" for name in named]
    asked = f"{given.source or 'SOURCE'}{''.join(flags)} --schema {file}" + (f" --model {model}" if model else "")
    steps = (f"edit {file}", f"cpa schema check {file}", f"cpa quote {asked}", f"cpa run {asked}")
    return [f"next: {steps[0]}, then", *(f"  {step}" for step in steps[1:])]


def accept(given: Settings, file: Path | None, place: Path | None, *, yes: bool) -> Done:
    """Accept the proposals of the home's runs; or show the changes in `file`, and with `yes` take it over."""
    if file is None:
        return _accept_waiting(given)
    if place is None:
        raise SettingsError(f"{file}: name the schema that the proposal becomes: --as FILE")
    proposed = schema.load(file)[0]
    if place.exists():
        say(*diff_lines(schema.compare(schema.load(place)[0], proposed), ()))
    else:
        say(f"{place} is new: {len(proposed.event_types)} event types")
    if not yes:
        say("nothing was changed; to take it over, say it again with --yes")
        return Done(0, AcceptFacts(versions=(), days=(), before=None))
    before = accept_proposal(file, place)
    say(f"{place} is version {proposed.version} now" + (f"; what it was is {before}" if before else ""))
    return Done(0, AcceptFacts(versions=(proposed.version,), days=(), before=before))


def _accept_waiting(given: Settings) -> Done:
    """Accept the proposals of a home."""
    assistant = Assistant.of(given, bar)
    existing(given)
    found = accept_schema(assistant)
    for version in found.versions:
        types = len(named_schema(assistant, version).event_types)
        say(f"accepted: schema {version}, {types} event types")
    if not found.versions:
        say(f"{given.home}: no proposed schema waits to be accepted")
    elif found.days:
        span = f"{found.days[0]} to {found.days[-1]}"
        say(f"{len(found.days)} days, {span}, now go to {', '.join(given.destinations)}: cpa run")
    return Done(0, AcceptFacts(versions=tuple(found.versions), days=tuple(found.days), before=None))


def diff(given: Settings, older: str, newer: str) -> Done:
    """Print the changes between two schemas, their effect on stored days, and the cost to re-tag."""
    assistant = Assistant.of(given, bar)
    found = schema.compare(named_schema(assistant, older), named_schema(assistant, newer))
    is_stored = assistant.store.exists()
    say(*diff_lines(found, weights(assistant, found) if is_stored else ()), *rename_lines(found))
    price = None
    if is_stored:
        try:
            price = quote_of_history(assistant, found.newer)
            say("every day that is here, run again by the newer:", *quote_lines(price))
        except SettingsError as missing:
            say(f"what it would cost is not known: {missing}")
    facts = DiffFacts(older=found.older.version, newer=found.newer.version, changes=tuple(found.changes), quote=price)
    return Done(0, facts)


def rename_lines(found: Diff) -> Iterator[str]:
    """Types that look renamed but do not say so: the same definition under another name."""
    names = {(one.role, one.name) for one in found.newer.event_types}
    gone = [one for one in found.older.event_types if (one.role, one.name) not in names]
    for new in found.newer.event_types:
        for old in gone:
            if (old.role, old.definition, new.was) == (new.role, new.definition, ()) and old.name != new.name:
                way = f"`was: [{old.name}]` makes it a rename, which asks nothing"
                yield f"hint: {new.name} has {old.name}'s definition; {way}"


def diff_lines(found: Diff, weighed: Sequence[Weight]) -> Iterator[str]:
    """The changes as people read them, each with what it touches where that is known."""
    yield f"{found.older.version} -> {found.newer.version}"
    if not found.changes:
        yield "nothing that matters: another order or layout at most; nothing is asked"
    for nth, change in enumerate(found.changes):
        yield f"{MARKS[change.kind]} {change.place}: {change.said}"
        yield f"    {change.means}"
        if weighed:
            yield f"    here: {weighed[nth].messages} messages; {weighed[nth].questions} questions if it were alone"
    if found.touched or found.judges:
        yield "no day is re-tagged unasked: cpa run --from DAY --to DAY --retag does it, cpa quote --retag the price"


def stale_lines(found: Sequence[Stale]) -> Iterator[str]:
    """Days that another schema made, and how they are brought to the one in force."""
    for versions in dict.fromkeys(one.versions for one in found):
        days = [one for one in found if one.versions == versions]
        span = f"{days[0].day}" + (f" to {days[-1].day} ({len(days)} days)" if len(days) > 1 else "")
        tagged, judged = sum(one.tagged for one in days), sum(one.judged for one in days)
        yield f"stale: {span}: {tagged} conversations tagged and {judged} judged by schema {', '.join(versions)}"
    if found:
        span = f"--from {found[0].day} --to {found[-1].day}"
        yield f"they stay as they are; what it would cost: cpa quote {span} --retag; to re-tag: cpa run {span} --retag"


def drift_lines(found: Sequence[Drift]) -> Iterator[str]:
    """Return the rates that left their usual range, with conversations to look at."""
    for one in found:
        it = one.measured
        share = f"{it.hits / it.trials:.1%}, usually {it.usual:.1%} ({it.low:.1%} to {it.high:.1%})"
        yield f"drift: {it.day}: {it.name}: {share}; see {', '.join(one.examples)}"
    if any(one.measured.name.startswith("no event") for one in found):
        yield "to propose types for what has none: cpa schema propose --from-uncovered --out SCHEMA"
