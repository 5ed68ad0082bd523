"""The commands on the event schema."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cpa_core import schema
from cpa_core.cli.display import bar, existing, model_line, proposal_line, quote_lines
from cpa_core.errors import SettingsError
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
    source_conversations,
    uncovered_conversations,
    weights,
    write_proposal,
)
from cpa_core.pipeline.gold.teaching import measured_examples
from cpa_core.schema import Diff
from cpa_core.settings import Settings

SHOWN_DAYS = 10
MARKS = {"added": "+", "removed": "-", "renamed": "~", "changed": "*"}


def check(given: Settings, file: Path) -> int:
    """Read a schema, and say with line and key what is wrong with it, in itself and beside the home's labels."""
    found, findings = schema.check(file)
    findings = [*findings, *measured_examples(Assistant.of(given), file)]
    for one in findings:
        print(f"{one.level}: {file}: line {one.line}: {one.key}: {one.reason}")
    counts = ", ".join(f"{len(found.of_role(role))} {role}" for role in ("user", "assistant"))
    print(f"{file}: version {found.version}, event types: {counts}, goals: {len(found.criteria.goals())}")
    return 2 if any(one.level == "error" for one in findings) else 0


class ProposalWanted(NamedTuple):
    """What a person wants of a proposal: where it goes, the sample, and what it is for."""

    out: Path
    seed: int
    sample: int
    about: str
    from_uncovered: bool


def propose(given: Settings, model: str | None, wanted: ProposalWanted) -> int:
    """Propose a schema from the source and write it where nothing is yet; beside it, with a diff, where one is."""
    if model:
        given = given.model_copy(update={"schema_model": model, "model": given.model or model})
    assistant = Assistant.of(given, bar)
    print(model_line(assistant, "propose"))
    base = schema.load(wanted.out)[0] if wanted.out.exists() else None
    if wanted.from_uncovered and base is None:
        raise SettingsError(f"{wanted.out}: there is no schema yet to add to; leave --from-uncovered out")
    conversations = uncovered_conversations(assistant) if wanted.from_uncovered else source_conversations(assistant)
    added_to = base if wanted.from_uncovered else None
    print(proposal_line(quote_proposal(assistant, conversations, wanted.seed, wanted.sample, added_to)), flush=True)
    proposal = propose_schema(assistant, conversations, wanted.seed, wanted.sample, added_to, wanted.about)
    path = write_proposal(proposal, wanted.out)
    if base:
        print(f"{wanted.out} is in use and was left as it is; beside it is what would change:")
        print("\n".join(diff_lines(schema.compare(base, proposal.schema), ())))
        print(f"To take it over: cpa schema accept {path} --as {wanted.out}")
    print("\n".join(proposal.head[:-1]))
    print(f"{path}: {len(proposal.schema.event_types)} event types. Next: cpa run SOURCE --schema {wanted.out}")
    return 1 if proposal.counted.lost else 0


def accept(given: Settings, file: Path | None, place: Path | None, *, yes: bool) -> int:
    """Accept what runs proposed in the home; or show what a file changes, and take it over when that is said."""
    if file is None:
        return _accept_waiting(given)
    if place is None:
        raise SettingsError(f"{file}: --as FILE names the schema that it becomes")
    proposed = schema.load(file)[0]
    if place.exists():
        print("\n".join(diff_lines(schema.compare(schema.load(place)[0], proposed), ())))
    else:
        print(f"{place} is new: {len(proposed.event_types)} event types")
    if not yes:
        print("nothing was changed; to take it over, say it again with --yes")
        return 0
    before = accept_proposal(file, place)
    print(f"{place} is version {proposed.version} now" + (f"; what it was is {before}" if before else ""))
    return 0


def _accept_waiting(given: Settings) -> int:
    """Accept the proposals of a home."""
    assistant = Assistant.of(given, bar)
    existing(given)
    found = accept_schema(assistant)
    for version in found.versions:
        types = len(named_schema(assistant, version).event_types)
        print(f"accepted: schema {version}, {types} event types")
    if not found.versions:
        print(f"{given.home}: no proposed schema waits to be accepted")
    elif found.days:
        span = f"{found.days[0]} to {found.days[-1]}"
        print(f"{len(found.days)} days, {span}, now go to {', '.join(given.destinations)}: cpa run")
    return 0


def diff(given: Settings, older: str, newer: str) -> int:
    """What changed between two schemas, what it means for what is stored, and what re-tagging would cost."""
    assistant = Assistant.of(given, bar)
    found = schema.compare(named_schema(assistant, older), named_schema(assistant, newer))
    is_stored = assistant.store.exists()
    print("\n".join(diff_lines(found, weights(assistant, found) if is_stored else ())))
    if is_stored:
        try:
            print(
                "\n".join(
                    [
                        "every day that is here, run again by the newer:",
                        *quote_lines(quote_of_history(assistant, found.newer)),
                    ]
                )
            )
        except SettingsError as missing:
            print(f"what it would cost is not known: {missing}")
    return 0


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
    for one in found[:SHOWN_DAYS]:
        versions = ", ".join(one.versions)
        yield f"stale: {one.day}: {one.tagged} conversations tagged and {one.judged} judged by schema {versions}"
    if len(found) > SHOWN_DAYS:
        yield f"stale: {len(found) - SHOWN_DAYS} more days, to {found[-1].day}"
    if found:
        span = f"--from {found[0].day} --to {found[-1].day}"
        yield f"they stay as they are; what it would cost: cpa quote {span} --retag; to re-tag: cpa run {span} --retag"


def drift_lines(found: Sequence[Drift]) -> Iterator[str]:
    """What of the days is out of the ordinary, with conversations to look at."""
    for one in found:
        it = one.measured
        share = f"{it.hits / it.trials:.1%}, usually {it.usual:.1%} ({it.low:.1%} to {it.high:.1%})"
        yield f"drift: {it.day}: {it.name}: {share}; see {', '.join(one.examples)}"
    if any(one.measured.name.startswith("no event") for one in found):
        yield "to propose types for what has none: cpa schema propose --from-uncovered --out SCHEMA"
