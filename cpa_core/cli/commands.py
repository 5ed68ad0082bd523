"""The commands that run and read the store."""

import sys
from collections.abc import Sequence
from datetime import date
from os.path import relpath
from pathlib import Path
from shutil import which
from typing import NamedTuple

from cpa_core.cli.batches import run_days, status_lines
from cpa_core.cli.delivery import expected_lines, preview_lines, reconciled_lines
from cpa_core.cli.display import (
    bar,
    day_table,
    event_lines,
    existing,
    landed_lines,
    model_line,
    quote_lines,
    reject_lines,
    spend_table,
    trouble_lines,
)
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

NEXT_STEP = """
Look at one:  {cpa} show {conversation} --home {home}

Next, your own transcripts (JSON as in {example}, or CSV):
  {cpa} schema propose chats.json --out schema.yml --model openai:gpt-6-luna    with OPENAI_API_KEY
  {cpa} run chats.json --schema schema.yml --model openai:gpt-6-luna
  {cpa} run chats.json --schema schema.yml --model compatible:llama3.2          with Ollama and
                                           CPA_COMPATIBLE_URL=http://127.0.0.1:11434/v1"""

LOOKED_BACK = 7
"""Days that `cpa status` compares with those before them."""


class NamedDays(NamedTuple):
    """The days that a command line names, as it writes them: one, or a first and a last, or none."""

    only: str | None = None
    first: str | None = None
    last: str | None = None

    @property
    def day(self) -> date | None:
        """The one day. Raises SettingsError."""
        return day(self.only, "--day") if self.only else None


class How(NamedTuple):
    """How days are run beyond what is due."""

    deliver_incomplete: bool = False
    retry_rejected: bool = False
    correct: bool = False
    retag: bool = False
    retry_final: bool = False
    wait: bool = True


def demo(root: Path) -> int:
    """Run every example in a home of its own, with its reference annotations for a model."""
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


def land_command(given: Settings, only: str | None) -> int:
    """Read what is new in the source, and say which days changed."""
    assistant = Assistant.of(given, bar)
    landed = land(assistant, NamedDays(only).day)
    print("\n".join(landed_lines(landed) + (reject_lines(rejects(assistant)) if landed.read else [])))
    return 1 if landed.lost else 0


def run_command(given: Settings, named: NamedDays, how: How) -> int:
    """Land, then every day that is due, or the days that are named."""
    assistant = Assistant.of(given, bar)
    only = named.day
    print(model_line(assistant))
    for warning in ready(assistant):
        print(f"warning: {warning}")
    landed = land(assistant, only) if given.source else None
    said = landed_lines(landed) if landed else []
    for line in [*said, *_roles_lines(assistant, said)]:
        print(line)
    if how.retry_final and (found := ask_again(assistant)):
        print(f"asked again: {found} questions that were given up")
    days = _named_days(named, how, assistant)
    for line in _retag_lines(assistant, days, retag=how.retag):
        print(line)
    whole = not (landed and landed.lost)
    switches = {name: getattr(how, name) for name in ("deliver_incomplete", "retry_rejected", "correct", "retag")}
    try:
        whole &= run_days(assistant, days, lambda one: run_day(assistant, one, **switches), wait=how.wait)
    except (BudgetReached, DeadlineReached):
        left = quote(assistant, days, retag=how.retag)
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


def dry_run(given: Settings, named: NamedDays, *, retry_rejected: bool) -> int:
    """Show what would be sent of what is tagged by now; nothing is landed, asked or sent."""
    existing(given)
    assistant = Assistant.of(given, bar)
    for one in _named_days(named, How(retry_rejected=retry_rejected), assistant):
        for preview in preview_day(assistant, one, retry_rejected=retry_rejected):
            print("\n".join(preview_lines(preview)))
    print("dry run: nothing was landed, asked or sent")
    return 0


def quote_command(given: Settings, named: NamedDays, *, retag: bool) -> int:
    """Land and build, which cost nothing, and say what asking would cost."""
    assistant = Assistant.of(given, bar)
    for warning in ready(assistant):
        print(f"warning: {warning}")
    said = landed_lines(land(assistant, named.day)) if given.source else []
    for line in [*said, *_roles_lines(assistant, said)]:
        print(line)
    days = _named_days(named, How(retag=retag), assistant)
    lines = quote_lines(quote(assistant, days, retag=retag))
    if not retag:
        lines += _retag_lines(assistant, days, retag=False)
    print("\n".join(lines + expected_lines(expected_events(assistant, days))))
    return 0


def _named_days(named: NamedDays, how: How, assistant: Assistant) -> list[date]:
    """The days to run: those named, of which at least one must exist, else every day that is due."""
    if bool(named.first) != bool(named.last):
        raise SettingsError("--from and --to belong together")
    if not named.first and not named.only:
        rejected = rejected_days(assistant) if how.retry_rejected else []
        stale = days_to_correct(assistant) if how.correct else []
        older = [one.day for one in stale_days(assistant)] if how.retag else []
        return sorted({row["day"] for row in due_days(assistant)}.union(rejected, stale, older))
    first = named.day or day(named.first or "", "--from")
    last = named.day or day(named.last or "", "--to")
    if last < first:
        raise SettingsError(f"--to {last} is before --from {first}")
    with assistant.store.reading() as view:
        known = [row["day"] for row in view.rows("select day from days order by day")]
    found = [one for one in known if first <= one <= last]
    if not found:
        here = f"days here: {known[0]} to {known[-1]}" if known else "no day is here yet"
        raise NotFound(f"{first if first == last else f'{first} to {last}'}: no conversation began on that day; {here}")
    return found


def status(given: Settings) -> int:
    """What the store holds, day by day, what failed, and what is due."""
    store = existing(given)
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


def show(given: Settings, conversation: str) -> int:
    """One conversation, message by message, with its events, and its judgment."""
    store = existing(given)
    with store.reading() as view:
        messages = view.answer("status/shown_messages", conversation=conversation)
        events = view.answer("status/shown_events", conversation=conversation)
        judgments = view.answer("status/shown_judgment", conversation=conversation)
    if not messages:
        raise NotFound(f"{given.home}: no conversation {conversation!r} in any built day")
    print("\n".join(event_lines(messages, events, judgments)))
    return 0
