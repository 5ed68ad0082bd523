"""The commands that run and read the store."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from cpa_core.cli.display import bar, day_table, event_lines, failure_lines, landed_lines, model_line
from cpa_core.demo import EXAMPLES, demo_settings
from cpa_core.errors import NotFound, SettingsError
from cpa_core.pipeline import (
    Assistant,
    DayDone,
    Landed,
    current_schema,
    due_days,
    land,
    run_day,
    summaries,
)
from cpa_core.settings import Settings, day
from cpa_core.store import Store

NEXT_STEP = """
Next, your own transcripts (JSON as in {example}, or CSV):
  cpa run chats.json --schema {schema} --model openai:gpt-6-luna       with OPENAI_API_KEY
  cpa run chats.json --schema {schema} --model compatible:llama3.2     with CPA_COMPATIBLE_URL=http://127.0.0.1:11434/v1"""


def demo(options: argparse.Namespace, given: Settings) -> int:
    """Run every example in a home of its own, with its reference annotations for a model."""
    root = Path(options.at)
    whole = True
    for name in EXAMPLES:
        assistant = Assistant.of(demo_settings(name, root), bar)
        print(f"\n{name}: home {assistant.settings.home}, {model_line(assistant)}")
        done = _run(assistant, None, None, deliver_incomplete=False)
        whole &= all(result.is_whole for result in done)
        with assistant.store.reading() as view:
            days = [row["day"] for row in view.rows("select day from days order by day")]
        print(day_table(summaries(assistant, days)))
        asked = sum(result.tagged.asked + result.judged.asked for result in done)
        sent = sum(result.delivered.sent for result in done if result.delivered)
        print(f"questions asked: {asked}, events delivered in this run: {sent}")
    folder = demo_settings("therapist", root).source
    schema = demo_settings("therapist", root).schema_path
    print(NEXT_STEP.format(example=folder, schema=schema))
    return 0 if whole else 1


def land_command(options: argparse.Namespace, given: Settings) -> int:
    """Read what is new in the source, and say which days changed."""
    assistant = Assistant.of(given, bar)
    landed = land(assistant, day(options.day, "--day") if options.day else None)
    print("\n".join(landed_lines(landed)))
    return 1 if landed.lost else 0


def run_command(options: argparse.Namespace, given: Settings) -> int:
    """Land, then every day that is due, or the days that are named."""
    assistant = Assistant.of(given, bar)
    print(model_line(assistant))
    for warning in current_schema(assistant)[1]:
        print(f"warning: {warning}")
    only = day(options.day, "--day") if options.day else None
    landed = land(assistant, only) if given.source else None
    if landed:
        print("\n".join(landed_lines(landed)))
    days = _named_days(options, only, assistant, landed)
    done = _run_days(assistant, days, deliver_incomplete=options.deliver_incomplete)
    print(day_table(summaries(assistant, days)))
    for line in failure_lines(assistant.store, days):
        print(line)
    for result in done:
        if result.held:
            print(f"held back: {result.held}")
    whole = all(result.is_whole for result in done) and not (landed and landed.lost)
    return 0 if whole else 1


def _named_days(
    options: argparse.Namespace, only: date | None, assistant: Assistant, landed: Landed | None
) -> list[date]:
    if bool(options.first) != bool(options.last):
        raise SettingsError("--from and --to belong together")
    if options.first:
        first, last = day(options.first, "--from"), day(options.last, "--to")
        if last < first:
            raise SettingsError(f"--to {last} is before --from {first}")
        span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        with assistant.store.reading() as view:
            known = {row["day"] for row in view.rows("select day from days")}
        return [one for one in span if one in known]
    if only:
        return [only]
    return [row["day"] for row in due_days(assistant)]


def _run(assistant: Assistant, first: date | None, last: date | None, *, deliver_incomplete: bool) -> list[DayDone]:
    land(assistant)
    days = [row["day"] for row in due_days(assistant)]
    return _run_days(assistant, days, deliver_incomplete=deliver_incomplete)


def _run_days(assistant: Assistant, days: Sequence[date], *, deliver_incomplete: bool) -> list[DayDone]:
    return [run_day(assistant, one, deliver_incomplete=deliver_incomplete) for one in days]


def status(options: argparse.Namespace, given: Settings) -> int:
    """What the store holds, day by day, what failed, and what is due."""
    store = _existing(given)
    assistant = Assistant.of(given)
    with store.reading() as view:
        days = [row["day"] for row in view.rows("select day from days order by day")]
        files = view.rows(
            "select count(*) as files, coalesce(sum(records), 0) as records, "
            "count(*) filter (where removed_at is not null) as removed from landed_files where replaced_at is null"
        )[0]
        rejects = view.rows("select reason, count(*) as n from rejected_records group by reason order by reason")
    print(f"files: {files['files']} ({files['removed']} removed since), records: {files['records']}")
    for reject in rejects:
        print(f"rejected records: {reject['n']}: {reject['reason']}")
    print(day_table(summaries(assistant, days)))
    for line in failure_lines(store, days):
        print(line)
    for row in due_days(assistant):
        print(f"due: {row['day']}: {row['reason']}")
    return 0


def show(options: argparse.Namespace, given: Settings) -> int:
    """One conversation, message by message, with its events, and its judgment."""
    store = _existing(given)
    with store.reading() as view:
        messages = view.answer("shown_messages", conversation=options.conversation)
        events = view.answer("shown_events", conversation=options.conversation)
        judgments = view.answer("shown_judgment", conversation=options.conversation)
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
