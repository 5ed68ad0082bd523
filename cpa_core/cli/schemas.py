"""The commands on the event schema."""

import argparse
from collections.abc import Iterator, Sequence

from cpa_core import schema
from cpa_core.cli.display import bar, model_line, quote_lines
from cpa_core.errors import SettingsError
from cpa_core.pipeline import (
    Assistant,
    Stale,
    Weight,
    named_schema,
    propose_schema,
    quote_of_history,
    source_conversations,
    weights,
    write_proposal,
)
from cpa_core.schema import Diff
from cpa_core.settings import Settings

SHOWN_DAYS = 10
MARKS = {"added": "+", "removed": "-", "renamed": "~", "changed": "*"}


def check(options: argparse.Namespace, given: Settings) -> int:
    """Read a schema, and say with line and key what is wrong with it."""
    found, findings = schema.check(options.file)
    for one in findings:
        print(f"{one.level}: {options.file}: line {one.line}: {one.key}: {one.reason}")
    counts = ", ".join(f"{len(found.of_role(role))} {role}" for role in ("user", "assistant"))
    print(f"{options.file}: version {found.version}, event types: {counts}, goals: {len(found.criteria.goals())}")
    return 2 if any(one.level == "error" for one in findings) else 0


def propose(options: argparse.Namespace, given: Settings) -> int:
    """Propose a schema from the source and write it where nothing is yet."""
    if options.model:
        given = given.model_copy(update={"schema_model": options.model})
    assistant = Assistant.of(given, bar)
    print(model_line(assistant, "propose"))
    proposal = propose_schema(assistant, source_conversations(assistant), options.seed)
    path = write_proposal(proposal, options.out)
    if path != options.out:
        print(f"{options.out} is in use and was left as it is")
    found = f"{len(proposal.schema.event_types)} event types"
    print(f"{path}: {found}, from {proposal.sampled} of {proposal.conversations} conversations")
    print(f"Edit it: it decides what you will see. Then: cpa run SOURCE --schema {path}")
    return 0


def diff(options: argparse.Namespace, given: Settings) -> int:
    """What changed between two schemas, what it means for what is stored, and what re-tagging would cost."""
    assistant = Assistant.of(given, bar)
    found = schema.compare(named_schema(assistant, options.older), named_schema(assistant, options.newer))
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
        yield "no day is re-tagged by itself: cpa run --from DAY --to DAY does it, cpa quote says first what it costs"


def stale_lines(found: Sequence[Stale]) -> Iterator[str]:
    """Days that another schema made, and how they are brought to the one in force."""
    for one in found[:SHOWN_DAYS]:
        versions = ", ".join(one.versions)
        yield f"stale: {one.day}: {one.tagged} conversations tagged and {one.judged} judged by schema {versions}"
    if len(found) > SHOWN_DAYS:
        yield f"stale: {len(found) - SHOWN_DAYS} more days, to {found[-1].day}"
    if found:
        span = f"--from {found[0].day} --to {found[-1].day}"
        yield f"nothing re-tags them by itself; what it would cost: cpa quote {span}; to do it: cpa run {span}"
