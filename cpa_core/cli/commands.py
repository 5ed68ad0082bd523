"""The commands that land, quote and run days."""

import time
from collections.abc import Sequence
from datetime import date
from os.path import relpath
from pathlib import Path
from typing import NamedTuple

from cpa_core.cli.batches import RanDays
from cpa_core.cli.delivery import again_lines, expected_lines, preview_lines
from cpa_core.cli.display import (
    UNUSABLE,
    bar,
    day_facts,
    existing,
    failures_of,
    landed_lines,
    model_line,
    quote_line,
    quote_lines,
    reject_lines,
    show_days,
    spend_lines,
    trouble_lines,
)
from cpa_core.cli.facts import DemoFacts, DemoHome, Done, FailureFacts, LandFacts, PreviewFacts, QuoteFacts, RunFacts
from cpa_core.cli.models import address_lines
from cpa_core.cli.screen import say
from cpa_core.demo import EXAMPLES, demo_settings
from cpa_core.destinations.shared import outbox_place
from cpa_core.errors import BudgetReached, DeadlineReached, InputError, NotFound, SettingsError
from cpa_core.pipeline import (
    Assistant,
    Landed,
    Quote,
    ask_again,
    days_to_correct,
    due_days,
    expected_events,
    known_days,
    land,
    preview_day,
    quote,
    ready,
    reconciled,
    rejected_days,
    rejects,
    roles_not_tagged,
    roles_warning,
    run_days,
    stale_days,
)
from cpa_core.pipeline.label.given_up import SHOWN_TIME
from cpa_core.pipeline.overview import spend_of_run
from cpa_core.pipeline.topics.placing import quote_vectors
from cpa_core.settings import Settings, day

NEXT_STEP = """
Look at one:  cpa show {conversation} --home {home}

Next, your own transcripts (more than 100 formats; {example} is one of the simplest):
  cpa land --explain chats.json    shows how the file is read, and stores nothing
  cpa schema propose chats.json --out schema.yml --model openai:gpt-6-luna    with OPENAI_API_KEY
  cpa schema check schema.yml
  cpa quote chats.json --schema schema.yml --model openai:gpt-6-luna
  cpa run chats.json --schema schema.yml --model openai:gpt-6-luna
With Ollama: --model compatible:llama3.2 and CPA_COMPATIBLE_URL=http://127.0.0.1:11434/v1"""


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
    """The options of a run: which days and failures it takes beyond those that are due."""

    deliver_incomplete: bool = False
    retry_rejected: bool = False
    correct: bool = False
    retag: bool = False
    retry_final: bool = False
    wait: bool = True


def demo(root: Path) -> Done:
    """Run every example in a home of its own, with its reference annotations for a model."""
    whole, homes = True, []
    for name in EXAMPLES:
        assistant = Assistant.of(demo_settings(name, root), bar)
        say("", f"{name}: home {assistant.settings.home}, {model_line(assistant)}")
        land(assistant)
        done = list(run_days(assistant, [row["day"] for row in due_days(assistant)]))
        whole &= all(result.is_whole for result in done)
        days = day_facts(assistant, known_days(assistant))
        show_days(days)
        asked = sum(result.tagged.asked + result.judged.asked for result in done)
        sent = sum(result.delivered.sent for result in done if result.delivered)
        say(f"questions asked: {asked}, events delivered in this run: {sent}")
        homes.append(DemoHome(name=name, home=assistant.settings.home, days=days, questions=asked, events_sent=sent))
    say(*_next_step(root).splitlines())
    return Done(0 if whole else 1, DemoFacts(homes=tuple(homes)))


def _next_step(root: Path) -> str:
    """Return the next steps after the demo, with the paths relative to the working directory."""
    first = demo_settings("therapist", root)
    return NEXT_STEP.format(
        conversation="therapist-08",
        home=first.home,
        example=relpath(str(first.source)),
    )


def land_command(given: Settings, only: str | None) -> Done:
    """Read what is new in the source, and say which days changed."""
    assistant = Assistant.of(given, bar)
    landed = land(assistant, NamedDays(only).day)
    found = rejects(assistant) if landed.read else None
    say(*landed_lines(landed), *reject_lines(found))
    if landed.days:
        say("next: cpa status shows what waits; cpa quote what labelling it would cost")
    return Done(1 if landed.lost else 0, LandFacts(landed=landed, rejects=found))


def run_command(given: Settings, named: NamedDays, how: How) -> Done:
    """Land, then run every day that is due, or the days that are named."""
    began = time.monotonic()
    assistant = Assistant.of(given, bar)
    say(model_line(assistant))
    say(*(f"warning: {warning}" for warning in ready(assistant)))
    landed = _landed(assistant, named.day)
    if how.retry_final and (found := ask_again(assistant)):
        say(f"asked again: {found} questions that were given up or waited")
    days = _named_days(named, how, assistant)
    say(*_retag_lines(assistant, days, retag=how.retag)[1])
    switches = {name: getattr(how, name) for name in ("deliver_incomplete", "retry_rejected", "correct", "retag")}
    ran = RanDays()
    try:
        ran.run(assistant, days, lambda some: run_days(assistant, some, **switches), wait=how.wait)
    except (BudgetReached, DeadlineReached):
        say("left to do, by the same command:", *quote_lines(quote(assistant, days, retag=how.retag)))
        raise
    finally:
        facts = _run_facts(assistant, landed, days, ran, time.monotonic() - began)
        _show_run(assistant, facts)
    return Done(0 if ran.is_whole and not (landed and landed.lost) else 1, facts)


def _landed(assistant: Assistant, only: date | None) -> Landed | None:
    """Land if a source is named, and print the landing's result."""
    landed = land(assistant, only) if assistant.settings.source else None
    said = landed_lines(landed) if landed else []
    say(*said, *roles_lines(assistant, said))
    return landed


def _run_facts(
    assistant: Assistant, landed: Landed | None, days: Sequence[date], ran: RanDays, seconds: float
) -> RunFacts:
    stages = [stage for one in ran.done for stage in (one.tagged, one.judged)]
    return RunFacts(
        landed=landed,
        days=day_facts(assistant, days),
        done=tuple(one.day for one in ran.done if not one.held),
        held={str(one.day): one.held for one in ran.done if one.held},
        waiting=tuple(ran.waiting),
        questions=sum(stage.asked for stage in stages),
        reused=sum(stage.reused for stage in stages),
        events_sent=sum(one.delivered.sent for one in ran.done if one.delivered),
        spend=spend_of_run(assistant),
        seconds=round(seconds, 1),
        outbox=_outbox(assistant.settings),
        failures=failures_of(assistant, days),
    )


def _outbox(given: Settings) -> Path | None:
    """Return the folder with events in files; null if no destination writes files, or nothing was written yet."""
    place = outbox_place(given)
    writes_files = not {"outbox", "parquet"}.isdisjoint(given.destinations)
    return place if writes_files and isinstance(place, Path) and place.is_dir() else None


def _show_run(assistant: Assistant, facts: RunFacts) -> None:
    """Print the end of a run: its days, its questions and spend, the place of the events, and the next command."""
    if not facts.days:
        say("no day is due", *stale_hint(assistant))
        return
    show_days(facts.days)
    shown = [one.day for one in facts.days]
    say(*trouble_lines(assistant, shown), *address_lines(assistant, shown))
    ended = f"{len(facts.done)} done" + (f", {len(facts.held)} held back" if facts.held else "")
    ended += f", {len(facts.waiting)} waiting for batches" if facts.waiting else ""
    say(f"days: {ended}; {asked_words(facts)}; events delivered: {facts.events_sent}; {facts.seconds:.1f} s")
    say(*spend_lines(facts.spend))
    if facts.outbox:
        say(f"events: {facts.outbox} (one file a day)")
    say(f"next: {_after_run(assistant.settings, facts)}")


def asked_words(facts: RunFacts) -> str:
    """Return the count of questions in words: of a run that stopped, only those of the days that it ended."""
    asked = f"questions asked: {facts.questions}" + (f" ({facts.reused} more from the ledger)" if facts.reused else "")
    if len(facts.done) + len(facts.held) + len(facts.waiting) < len(facts.days):
        asked += " on the days that ended; the calls below are of all days"
    return asked


def _after_run(settings: Settings, facts: RunFacts) -> str:
    """The command that helps most after a run."""
    if facts.held or facts.failures:
        return f"cpa status says why; {_again(settings, facts.failures)}"
    return "cpa conversations lists them; cpa report writes the report"


def _again(settings: Settings, failures: Sequence[FailureFacts]) -> str:
    """Return what the same command does about a run's failures: when it asks which of them again."""
    waits = [one.waits_until for one in failures if one.waits_until]
    given_up = sum(not one.retryable and one.reason in UNUSABLE for one in failures)
    parts = []
    if not failures or any(one.retryable and not one.waits_until for one in failures):
        parts.append("the same command asks again only what is open")
    if waits:
        hours = f"{settings.give_up_hours:g} hours, CPA_GIVE_UP_HOURS"
        parts.append(f"{len(waits)} questions wait until {max(waits):{SHOWN_TIME}} ({hours})")
    if given_up:
        parts.append(f"{given_up} are given up")
    if waits or given_up:
        parts.append("the same command with --retry-final asks them at once")
    return "; ".join(parts) or "what failed for good is not asked again"


def stale_hint(assistant: Assistant) -> list[str]:
    """Return a hint if days of another schema, prompt or model stay as they are; empty if there are none."""
    stale = [one.day for one in stale_days(assistant)] if assistant.store.exists() else []
    if not stale:
        return []
    span = f"{stale[0]} to {stale[-1]}" if len(stale) > 1 else f"{stale[0]}"
    return [
        f"stale: {len(stale)} days ({span}) were labelled by another version of the schema and stay as they are",
        "next: cpa quote --retag shows what re-tagging would cost, cpa run --retag does it; a type that only has "
        "another name costs nothing with `was: [Old Name]`",
    ]


def _retag_lines(
    assistant: Assistant, days: Sequence[date], *, retag: bool, builds: bool = True
) -> tuple[Quote | None, list[str]]:
    """Quote the cost to re-tag those of the days that another schema labelled; null and no lines if there are none.

    The lines also say how many delivered events are sent again.
    """
    stale = [one.day for one in stale_days(assistant) if one.day in days]
    if not stale:
        return None, []
    count = f"{len(stale)} of {len(days)} days"
    left = f"of another schema, and left as they are: {count}; with --retag:"
    head = f"of another schema, and now re-tagged: {count}" if retag else left
    found = quote(assistant, days if retag else stale, builds=builds)
    return found, [head, *again_lines(reconciled(assistant, stale)), *quote_lines(found)]


def dry_run(given: Settings, named: NamedDays, how: How) -> Done:
    """Show a run's questions and price, and the events to send of what is tagged; nothing is landed, asked or sent."""
    existing(given)
    assistant = Assistant.of(given, bar)
    days = _named_days(named, how, assistant)
    price = _price_of(assistant, days, retag=how.retag)
    previews = [preview for one in days for preview in preview_day(assistant, one, retry_rejected=how.retry_rejected)]
    for preview in previews:
        say(*preview_lines(preview))
    say("dry run: nothing was landed, asked or sent")
    bare = tuple(one.model_copy(update={"samples": ()}) for one in previews)
    return Done(0, PreviewFacts(previews=bare, quote=price))


def _price_of(assistant: Assistant, days: Sequence[date], *, retag: bool) -> Quote | None:
    """Print the questions and the price of a run of these days; null where schema or model are not known."""
    try:
        found = quote(assistant, days, retag=retag, builds=False)
        again, lines = _retag_lines(assistant, days, retag=retag, builds=False)
        say(*([] if again and retag else quote_lines(found)), *lines)
    except InputError as missing:
        say(f"what the questions would cost is not known: {missing}")
        return None
    return found


def quote_command(given: Settings, named: NamedDays, *, retag: bool) -> Done:
    """Land and build, which cost nothing, and print a quote of the model's cost. It needs no key: it asks nothing."""
    assistant = Assistant.of(given, bar)
    say(*(f"warning: {warning}" for warning in ready(assistant, asks=False)))
    _landed(assistant, named.day)
    days = _named_days(named, How(retag=retag), assistant)
    found = quote(assistant, days, retag=retag)
    expected = expected_events(assistant, days)
    stale, lines = (None, []) if retag else _retag_lines(assistant, days, retag=False)
    hint = [] if days else stale_hint(assistant)
    vectors = quote_vectors(assistant)
    of_topics = [f"cpa topics find, at most: {quote_line(vectors)}"] if vectors else []
    say(*quote_lines(found), *lines, *hint, *expected_lines(expected), *of_topics)
    return Done(0, QuoteFacts(quote=found, cost=found.cost, retag=stale, expected=tuple(expected), vectors=vectors))


def _named_days(named: NamedDays, how: How, assistant: Assistant) -> list[date]:
    """The days to run: those named, of which at least one must exist, else every day that is due."""
    if bool(named.first) != bool(named.last):
        raise SettingsError("--from and --to must be given together")
    if not named.first and not named.only:
        rejected = rejected_days(assistant) if how.retry_rejected else []
        stale = days_to_correct(assistant) if how.correct else []
        older = [one.day for one in stale_days(assistant)] if how.retag else []
        return sorted({row["day"] for row in due_days(assistant)}.union(rejected, stale, older))
    first = named.day or day(named.first or "", "--from")
    last = named.day or day(named.last or "", "--to")
    if last < first:
        raise SettingsError(f"--to {last} is before --from {first}")
    known = known_days(assistant)
    found = [one for one in known if first <= one <= last]
    if not found:
        here = f"days here: {known[0]} to {known[-1]}" if known else "no day is here yet"
        raise NotFound(f"{first if first == last else f'{first} to {last}'}: no conversation began on that day; {here}")
    return found


def roles_lines(assistant: Assistant, said: Sequence[str] = ()) -> list[str]:
    """Return a warning about stored roles that nobody tags, unless the landing has printed it (`said`)."""
    warning = roles_warning(roles_not_tagged(assistant))
    return [line for line in [f"warning: {warning}"] if warning and line not in said]
