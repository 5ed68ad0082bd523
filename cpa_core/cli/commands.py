"""The commands that run and read the store."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from os.path import relpath
from pathlib import Path
from shutil import which

from cpa_core.cli.batches import run_days, status_lines
from cpa_core.cli.delivery import expected_lines, preview_lines, reconciled_lines
from cpa_core.cli.display import (
    bar,
    day_table,
    event_lines,
    landed_lines,
    model_line,
    quote_lines,
    reject_lines,
    spend_table,
    trouble_lines,
)
from cpa_core.cli.explaining import explain
from cpa_core.cli.models import server_lines
from cpa_core.cli.schemas import drift_lines, stale_lines
from cpa_core.demo import EXAMPLES, demo_settings
from cpa_core.errors import BudgetReached, DeadlineReached, NotFound, SchemaError, SettingsError
from cpa_core.pipeline import (
    Assistant,
    ask_again,
    days_to_correct,
    drift,
    due_days,
    expected_events,
    land,
    preview_day,
    quote,
    ready,
    reconciled,
    rejected_days,
    rejects,
    roles_not_tagged,
    roles_warning,
    run_day,
    spending,
    stale_days,
    summaries,
)
from cpa_core.pipeline.abilities import known_servers
from cpa_core.settings import Settings, day
from cpa_core.store import Store

NEXT_STEP = """
Look at one:  {cpa} show {conversation} --home {home}

Next, your own transcripts (JSON as in {example}, or CSV):
  {cpa} schema propose chats.json --out schema.yml --model openai:gpt-6-luna    with OPENAI_API_KEY
  {cpa} run chats.json --schema schema.yml --model openai:gpt-6-luna
  {cpa} run chats.json --schema schema.yml --model compatible:llama3.2          with Ollama and
                                           CPA_COMPATIBLE_URL=http://127.0.0.1:11434/v1"""

LOOKED_BACK = 7
"""Days that `cpa status` compares with those before them."""


def demo(options: argparse.Namespace, given: Settings) -> int:
    """Run every example in a home of its own, with its reference annotations for a model."""
    root = Path(options.at)
    whole = True
    for name in EXAMPLES:
        assistant = Assistant.of(demo_settings(name, root), bar)
        print(f"\n{name}: home {assistant.settings.home}, {model_line(assistant)}")
        land(assistant)
        done = [run_day(assistant, row["day"]) for row in due_days(assistant)]
        whole &= all(result.is_whole for result in done)
        with assistant.store.reading() as view:
            days = [row["day"] for row in view.rows("select day from days order by day")]
        print(day_table(summaries(assistant, days)))
        asked = sum(result.tagged.asked + result.judged.asked for result in done)
        sent = sum(result.delivered.sent for result in done if result.delivered)
        print(f"questions asked: {asked}, events delivered in this run: {sent}")
    print(_next_step(root))
    return 0 if whole else 1


def _next_step(root: Path) -> str:
    """What to do after the demo, with the command and the paths as they are from here."""
    first = demo_settings("therapist", root)
    return NEXT_STEP.format(
        cpa="cpa" if which("cpa") else relpath(sys.argv[0]),
        conversation="therapist-08",
        home=first.home,
        example=relpath(str(first.source)),
    )


def land_command(options: argparse.Namespace, given: Settings) -> int:
    """Read what is new in the source, and say which days changed; or only explain a file."""
    if options.explain:
        return explain(options, given)
    assistant = Assistant.of(given, bar)
    landed = land(assistant, day(options.day, "--day") if options.day else None)
    print("\n".join(landed_lines(landed) + (reject_lines(rejects(assistant)) if landed.read else [])))
    return 1 if landed.lost else 0


def run_command(options: argparse.Namespace, given: Settings) -> int:
    """Land, then every day that is due, or the days that are named."""
    only = day(options.day, "--day") if options.day else None
    assistant = Assistant.of(given, bar)
    if options.dry_run:
        return _dry_run(options, assistant, only)
    print(model_line(assistant))
    for warning in ready(assistant):
        print(f"warning: {warning}")
    landed = land(assistant, only) if given.source else None
    said = landed_lines(landed) if landed else []
    for line in [*said, *_roles_lines(assistant, said)]:
        print(line)
    if options.retry_final and (found := ask_again(assistant)):
        print(f"asked again: {found} questions that were given up")
    days = _named_days(options, only, assistant)
    retag = options.retag
    for line in _retag_lines(assistant, days, retag=retag):
        print(line)
    whole = not (landed and landed.lost)
    how = {name: getattr(options, name) for name in ("deliver_incomplete", "retry_rejected", "correct")}
    try:
        whole &= run_days(
            assistant, days, lambda one: run_day(assistant, one, retag=retag, **how), wait=not options.no_wait
        )
    except (BudgetReached, DeadlineReached):
        left = quote(assistant, days, retag=retag)
        print("\n".join(["left to do, by the same command:", *quote_lines(left)]))
        raise
    finally:
        print(day_table(summaries(assistant, days)))
        for line in trouble_lines(assistant.store, days):
            print(line)
    return 0 if whole else 1


def _retag_lines(assistant: Assistant, days: Sequence[date], *, retag: bool) -> list[str]:
    """What bringing these days to the schema in force costs, where another labelled any of them."""
    stale = [one.day for one in stale_days(assistant) if one.day in days]
    if not stale:
        return []
    count = f"{len(stale)} of {len(days)} days"
    left = f"of another schema, and left as they are: {count}; with --retag:"
    head = f"of another schema, and now re-tagged: {count}" if retag else left
    return [head, *quote_lines(quote(assistant, days if retag else stale))]


def _dry_run(options: argparse.Namespace, assistant: Assistant, only: date | None) -> int:
    """Show what would be sent of what is tagged by now; nothing is landed, asked or sent."""
    _existing(assistant.settings)
    for one in _named_days(options, only, assistant):
        for preview in preview_day(assistant, one, retry_rejected=options.retry_rejected):
            print("\n".join(preview_lines(preview)))
    print("dry run: nothing was landed, asked or sent")
    return 0


def quote_command(options: argparse.Namespace, given: Settings) -> int:
    """Land and build, which cost nothing, and say what asking would cost."""
    only = day(options.day, "--day") if options.day else None
    assistant = Assistant.of(given, bar)
    for warning in ready(assistant):
        print(f"warning: {warning}")
    said = landed_lines(land(assistant, only)) if given.source else []
    for line in [*said, *_roles_lines(assistant, said)]:
        print(line)
    days = _named_days(options, only, assistant)
    lines = quote_lines(quote(assistant, days, retag=options.retag))
    if not options.retag:
        lines += _retag_lines(assistant, days, retag=False)
    print("\n".join(lines + expected_lines(expected_events(assistant, days))))
    return 0


def _named_days(options: argparse.Namespace, only: date | None, assistant: Assistant) -> list[date]:
    """The days to run: those named, of which at least one must exist, else every day that is due."""
    if bool(options.first) != bool(options.last):
        raise SettingsError("--from and --to belong together")
    if not options.first and not only:
        rejected = rejected_days(assistant) if getattr(options, "retry_rejected", False) else []
        stale = days_to_correct(assistant) if getattr(options, "correct", False) else []
        older = [one.day for one in stale_days(assistant)] if getattr(options, "retag", False) else []
        return sorted({row["day"] for row in due_days(assistant)}.union(rejected, stale, older))
    first = only or day(options.first, "--from")
    last = only or day(options.last, "--to")
    if last < first:
        raise SettingsError(f"--to {last} is before --from {first}")
    with assistant.store.reading() as view:
        known = [row["day"] for row in view.rows("select day from days order by day")]
    named = [one for one in known if first <= one <= last]
    if not named:
        span = f"days here: {known[0]} to {known[-1]}" if known else "no day is here yet"
        raise NotFound(f"{first if first == last else f'{first} to {last}'}: no conversation began on that day; {span}")
    return named


def status(options: argparse.Namespace, given: Settings) -> int:
    """What the store holds, day by day, what failed, and what is due."""
    store = _existing(given)
    assistant = Assistant.of(given)
    batches = status_lines(assistant)
    with store.reading() as view:
        days = [row["day"] for row in view.rows("select day from days order by day")]
        files = view.rows(
            "select count(*) as files, coalesce(sum(records), 0) as records, "
            "count(*) filter (where removed_at is not null) as removed from landed_files where replaced_at is null"
        )[0]
        reasons = view.rows("select reason, count(*) as n from rejected_records group by reason order by reason")
    print(f"files: {files['files']} ({files['removed']} removed since), records: {files['records']}")
    for reject in reasons:
        print(f"rejected records: {reject['n']}: {reject['reason']}")
    for line in [*reject_lines(rejects(assistant)), *_roles_lines(assistant)]:
        print(line)
    print(day_table(summaries(assistant, days)))
    if spent := spending(assistant):
        print(spend_table(spent))
    for line in server_lines(known_servers(store)):
        print(line)
    for line in trouble_lines(store, days):
        print(line)
    for line in reconciled_lines(reconciled(assistant, days)):
        print(line)
    for line in batches:
        print(line)
    for row in due_days(assistant):
        print(f"due: {row['day']}: {row['reason']}")
    for line in _stale(assistant):
        print(line)
    for line in drift_lines(drift(assistant, days[-LOOKED_BACK:])):
        print(line)
    return 0


def _roles_lines(assistant: Assistant, said: Sequence[str] = ()) -> list[str]:
    """What the store holds of roles that nobody tags, unless the landing has `said` it in the same words."""
    warning = roles_warning(roles_not_tagged(assistant))
    return [line for line in [f"warning: {warning}"] if warning and line not in said]


def _stale(assistant: Assistant) -> list[str]:
    """Days of another schema. A schema that cannot be read does not keep the rest from being shown."""
    try:
        return list(stale_lines(stale_days(assistant)))
    except SchemaError as error:
        return [f"which days are of another schema is not known: {error}"]


def show(options: argparse.Namespace, given: Settings) -> int:
    """One conversation, message by message, with its events, and its judgment."""
    store = _existing(given)
    with store.reading() as view:
        messages = view.answer("status/shown_messages", conversation=options.conversation)
        events = view.answer("status/shown_events", conversation=options.conversation)
        judgments = view.answer("status/shown_judgment", conversation=options.conversation)
    if not messages:
        raise NotFound(f"{given.home}: no conversation {options.conversation!r} in any built day")
    print("\n".join(event_lines(messages, events, judgments)))
    return 0


def _existing(given: Settings) -> Store:
    store = Store(given.home, given.timezone)
    if not store.exists():
        print(f"nothing was stored in {given.home} yet", file=sys.stderr)
        raise NotFound(f"{given.home}: no store; cpa run or CPA_HOME")
    return store
