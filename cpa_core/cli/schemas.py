"""The commands on the event schema."""

import argparse

from cpa_core import schema
from cpa_core.cli.display import bar, model_line
from cpa_core.pipeline import Assistant, propose_schema, source_conversations, write_proposal
from cpa_core.settings import Settings


def check(options: argparse.Namespace, given: Settings) -> int:
    """Read a schema; its mistakes are errors with line and key."""
    found, warnings = schema.load(options.file)
    for warning in warnings:
        print(f"warning: {warning}")
    counts = ", ".join(f"{len(found.of_role(role))} {role}" for role in ("user", "assistant"))
    print(f"{options.file}: version {found.version}, event types: {counts}, goals: {len(found.criteria.goals())}")
    return 0


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
