"""Output of the command line: progress bars while a command works, tables when it is done."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from tqdm import tqdm

from cpa_core.cli.facts import DayFacts, FailureFacts, ShowFacts, SpendFacts
from cpa_core.cli.screen import say, show_table
from cpa_core.errors import NotFound
from cpa_core.llm import VALUES
from cpa_core.pipeline import Assistant, Landed, ProposalQuote, Quote, QuoteLine, Rejects, open_work, summaries
from cpa_core.pipeline.assistant import Advance
from cpa_core.pipeline.label.given_up import SHOWN_TIME
from cpa_core.pipeline.overview import LandedDay, RunSpend
from cpa_core.settings import Settings
from cpa_core.store import Store
from cpa_core.store.database import Row

SHOWN_DETAIL = 300
"""Characters of a failure's reason that are shown."""
UNUSABLE = ("invalid", "truncated")
"""Reasons of failures that are final only because the run stopped retrying."""

COLUMNS = (
    ("day", "day"),
    ("conversations", "conversations"),
    ("messages", "messages"),
    ("events", "events"),
    ("mean_score", "mean score"),
    ("spend", "spend"),
    ("receipts", "receipts"),
    ("failures", "failures"),
)


@contextmanager
def bar(stage: str, total: int) -> Iterator[Advance]:
    """A progress bar on the error stream, where that is a terminal."""
    with tqdm(total=total, desc=stage, unit="", file=sys.stderr, disable=None, leave=False) as shown:

        def advance() -> None:
            shown.update()

        yield advance


def existing(given: Settings) -> Store:
    """Return the store of a home that already has one. Raises NotFound."""
    store = Store.of(given)
    if not store.exists():
        raise NotFound(
            f"{given.home}: no store is here yet; begin with cpa land SOURCE, or name another: --home, CPA_HOME"
        )
    return store


def model_line(assistant: Assistant, *tasks: str) -> str:
    """Return a line with the models that are asked, so that nobody mistakes the reference for a model."""
    models = list(dict.fromkeys(assistant.model(task) for task in tasks or ("tag", "judge")))
    note = " (the examples' annotations, no model is called)" if models[0].provider == "reference" else ""
    return f"model {', judge '.join(map(str, models))}{note}"


def landed_lines(landed: Landed) -> list[str]:
    """Return a landing's result as lines: objects read, skipped and removed, warnings, and at most 20 rejects."""
    lines = [f"landed: {landed.read} of {landed.objects} objects new or changed, {landed.records} messages"]
    if landed.skipped:
        more = ", ..." if landed.skipped > len(landed.others) else ""
        lines.append(f"skipped: {landed.skipped} objects of other kinds: {', '.join(landed.others)}{more}")
    lines += [f"removed from the source, its messages stay: {uri}" for uri in landed.removed]
    lines += [f"warning: {warning}" for warning in landed.warnings]
    lines += [f"rejected: {problem}" for problem in landed.problems[:20]]
    if len(landed.problems) > 20:
        lines.append(f"rejected: {len(landed.problems) - 20} more, in rejected_records")
    return lines


def reject_lines(found: Rejects | None) -> list[str]:
    """Return the newest landing's rejected records and unreadable objects as lines; empty if there are none."""
    if found is None or not (found.lost or found.refused):
        return []
    lines = [
        f"newest landing: {found.lost:,} of {found.lost + found.records:,} records rejected, "
        f"{found.refused:,} of {found.objects:,} objects not readable"
    ]
    if not found.is_fine:
        lines.append(f"warning: {found.share:.1%} rejected, more than {found.most:.1%} (CPA_MOST_REJECTED)")
    return lines


def show_days(rows: Sequence[DayFacts], most: int | None = None) -> None:
    """One line a day, the last `most` of them, with a line of sums of all below several."""
    if not rows:
        return
    shown = rows if most is None else rows[-most:]
    cells = [[_cell(row.model_dump(), key) for key, _ in COLUMNS] for row in shown]
    if len(rows) > 1:
        dumped = [row.model_dump() for row in rows]
        cells.append([_sum(dumped, key) for key, _ in COLUMNS])
    show_table([title for _, title in COLUMNS], cells)
    if len(shown) < len(rows):
        say(f"{len(rows) - len(shown)} earlier days are in the sum; cpa status --all shows them")


def day_facts(assistant: Assistant, days: Sequence[date], landed: Sequence[LandedDay] = ()) -> tuple[DayFacts, ...]:
    """The days, those that wait for a run with what has landed of them."""
    counts = {one.day: {"conversations": one.conversations, "messages": one.messages} for one in landed}
    rows = [dict(row) for row in summaries(assistant, days)]
    return tuple(DayFacts(**(row | (counts.get(row["day"], {}) if not row["conversations"] else {}))) for row in rows)


SPEND_COLUMNS = (
    ("task", "task"),
    ("model", "model"),
    ("lane", "lane"),
    ("calls", "calls"),
    ("failed_calls", "failed calls"),
    ("prompt_tokens", "prompt tokens"),
    ("cached_tokens", "of them cached"),
    ("completion_tokens", "answer tokens"),
    ("cost", "cost"),
    ("each", "for a conversation"),
    ("reused", "from the ledger"),
)


def show_spend(rows: Sequence[SpendFacts]) -> None:
    """Print calls, tokens and cost, one line for each task, model and lane."""
    cells = [[_spend_cell(row.model_dump(), key) for key, _ in SPEND_COLUMNS] for row in rows]
    shown = [nth for nth in range(len(SPEND_COLUMNS)) if _says_something(SPEND_COLUMNS[nth][0], cells, nth)]
    titles = [SPEND_COLUMNS[nth][1] for nth in shown]
    show_table(titles, [[row[nth] for nth in shown] for row in cells], left={0, 1, 2})


def _says_something(key: str, cells: Sequence[Sequence[str]], nth: int) -> bool:
    """Return whether a column of the spend table is worth its room: a column of zeros is not."""
    if key == "reused":
        return not all(row[nth] == "" or row[nth].startswith("0% ") for row in cells)
    return key not in ("failed_calls", "cached_tokens") or any(row[nth] != "0" for row in cells)


def _spend_cell(row: Row, key: str) -> str:
    if key == "each":
        known = row["cost"] is not None and row["conversations"]
        return dollars(row["cost"] / row["conversations"]) if known else "unknown"
    if key == "reused":
        return f"{row['reused'] / row['questions']:.0%} of {row['questions']} questions" if row["questions"] else ""
    value = row[key]
    if value is None:
        return "unknown"
    if key == "cost":
        return dollars(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cell(row: Row, key: str) -> str:
    value = row[key]
    if key == "spend":
        return "unknown" if value is None else dollars(value)
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def proposal_line(found: ProposalQuote) -> str:
    """Return a proposal's quote, its questions and approximate cost, shown before any question is asked."""
    cost = "unknown (no list price)" if found.cost is None else f"about {dollars(found.cost)} at list price"
    return (
        f"quote: {found.proposing} questions to propose; then the sample of {found.conversations} conversations is "
        f"tagged to count each type: {found.counting} questions; together {cost}"
    )


def dollars(value: float | None) -> str:
    """US dollars as people read them; null is unknown."""
    if value is None:
        return "unknown"
    return "0" if value == 0 else f"${value:.4f}"


def _sum(rows: Sequence[Row], key: str) -> str:
    if key == "day":
        return "all"
    values = [row[key] for row in rows]
    if key == "spend":
        return "unknown" if None in values else dollars(sum(values))
    if key == "mean_score":
        weighted = [(row["mean_score"], row["judged"]) for row in rows if row["mean_score"] is not None]
        judged = sum(count for _, count in weighted)
        return f"{sum(score * count for score, count in weighted) / judged:.1f}" if judged else "-"
    return str(sum(values))


def spend_lines(spend: RunSpend) -> list[str]:
    """Return a run's spend in US dollars by task, and the totals of its UTC day and month."""
    tasks = "; ".join(
        f"{one.task}: {one.calls} calls, "
        + (f"{one.failed_calls} failed, " if one.failed_calls else "")
        + dollars(one.cost)
        for one in spend.tasks
    )
    totals = f"today {dollars(spend.day)}, this month {dollars(spend.month)} (UTC, all runs of this home)"
    return [f"spend of this run: {dollars(spend.run)}{f' ({tasks})' if tasks else ''}", f"spend: {totals}"]


def quote_lines(quote: Quote) -> list[str]:
    """Return a quote as lines. The cost is an upper estimate: a vendor's cache makes it cheaper."""
    if not quote.days:
        return ["no day is due: nothing to pay"]
    many = len(quote.days) > 1
    lines = [f"{len(quote.days)} days, {quote.days[0]} to {quote.days[-1]}" if many else f"1 day, {quote.days[0]}"]
    lines += map(quote_line, quote.lines)
    total = "unknown" if quote.cost is None else f"at most about {dollars(quote.cost)}"
    basis = (
        "by this model's own answers so far"
        if quote.calibrated
        else "the longest possible, until the model has answered"
    )
    return [*lines, f"together: {total} at list price without caching; lengths of answers are {basis}"]


def quote_line(line: QuoteLine) -> str:
    """Return the quote of one task as a line."""
    known = "unknown (no list price)" if line.cost is None else dollars(line.cost)
    done = f"{line.answered} more are answered already"
    done += f", {line.repeated} are equal to one of these" if line.repeated else ""
    return (
        f"{line.task}, {line.model}: {line.questions} questions ({done}), "
        f"about {line.prompt_tokens:,} + {line.completion_tokens:,} tokens: {known}"
    )


def failures_of(assistant: Assistant, days: Sequence[date]) -> tuple[FailureFacts, ...]:
    """Return the failures of these days, each with the time until which its question waits for a retry."""
    waits = {
        (row["day"], row["stage"], row["conversation_id"]): row["waits_until"] for row in open_work(assistant, days)
    }
    with assistant.store.reading() as view:
        rows = view.answer("status/failures_of_days", days=list(days))
    return tuple(
        FailureFacts(**row, waits_until=waits.get((row["day"], row["stage"], row["conversation_id"]))) for row in rows
    )


def failure_lines(assistant: Assistant, days: Sequence[date]) -> list[str]:
    """Return one line for each kind of failure of these days: place, count, reason, and whether the run retries it."""
    rows = [one.model_dump() for one in failures_of(assistant, days)]
    kinds: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        rule = VALUES.sub("…", row["detail"])
        kinds.setdefault(
            (row["day"], row["stage"], row["reason"], row["retryable"], row["waits_until"], rule), []
        ).append(row)
    return [_failure_line(of_kind) for of_kind in kinds.values()]


def _failure_line(rows: Sequence[Row]) -> str:
    """One failure, or how many of a kind with the first of them."""
    first, others = rows[0], len(rows) - 1
    where = f"{first['day']} {first['stage']} {first['conversation_id']}"
    detail = first["detail"] if len(first["detail"]) <= SHOWN_DETAIL else f"{first['detail'][: SHOWN_DETAIL - 1]}…"
    given_up = "given up: cpa run --retry-final asks again" if first["reason"] in UNUSABLE else "not tried again"
    again = "tried again on the next run"
    if first["waits_until"]:
        again = f"waits until {first['waits_until']:{SHOWN_TIME}}; cpa run --retry-final asks at once"
    after = again if first["retryable"] else given_up
    head = "failed" if first["retryable"] else "final"
    return f"{head}: {where}: {first['reason']}: {detail} ({f'and {others} more like it; ' if others else ''}{after})"


def trouble_lines(assistant: Assistant, days: Sequence[date]) -> list[str]:
    """Return every line about these days that needs a person's attention."""
    return failure_lines(assistant, days) + receipt_lines(assistant.store, days) + unread_lines(assistant.store)


def unread_lines(store: Store) -> list[str]:
    """Return a warning with the folder of answers that could not be read and were set aside."""
    found = sorted((store.home / "answers").glob("*.unread"))
    return [f"answers that cannot be read: {len(path.read_bytes().splitlines())} in {path}" for path in found]


def receipt_lines(store: Store, days: Sequence[date]) -> list[str]:
    """Return the receipts that are not plain acceptances: number of events, day, destination and the reason given."""
    with store.reading() as view:
        rows = view.answer("status/receipts_of_days", days=list(days))
    return [
        f"{row['status'].replace('_', ' with a ')}: {row['day']} {row['destination']}: "
        f"{row['events']} event{'s' if row['events'] > 1 else ''}: {row['detail'] or 'without a reason'}"
        for row in rows
    ]


def event_lines(facts: ShowFacts) -> list[str]:
    """A conversation as people read it."""
    lines = [f"{facts.conversation_id}, day {facts.day}, user {facts.user_id or 'unknown'}"]
    for message in facts.messages:
        lines.append(f"{message['position']:>3} {message['sent_at']:%H:%M:%S} {message['role']}: {message['content']}")
        lines += [_event_line(event) for event in facts.events if event["position"] == message["position"]]
    return lines + (_judgment_lines(facts.judgment, facts.criteria) if facts.judgment else [])


def _event_line(event: Row) -> str:
    properties = ", ".join(f"{name}: {value}" for name, value in event["properties"].items())
    quote = f'"{event["quote"]}"' if event["quote"] is not None else "(quote not found)"
    return f"      = {event['event_type']}{f' ({properties})' if properties else ''}: {quote}: {event['because']}"


def _judgment_lines(judgment: Row, criteria: Mapping[str, str]) -> list[str]:
    score = "unknown" if judgment["score"] is None else f"{judgment['score']:.0f} of 100"
    lines = [f"judged {score}: {judgment['because'] or judgment['outcome']}"]
    if judgment["intent"] is not None:
        lines.append(f"  wanted: {judgment['intent']}; delivered and confirmed: {_delivered(judgment)}")
    for key, found in judgment["verdicts"].items():
        lines.append(f"  {key} {found['verdict']}: {_in_words(key, criteria)}{found['because']}")
    hits = {key: found for key, found in judgment["dealbreakers"].items() if found["hit"]}
    return lines + [f"  {key} hit: {_in_words(key, criteria)}{found['because']}" for key, found in hits.items()]


def _delivered(judgment: Row) -> str:
    """Whether the user got what they wanted, with the user's words about it."""
    quote = judgment["intent_quote"]
    return f"{judgment['intent_delivered']}" + (f': "{quote}"' if quote is not None else "")


def _in_words(key: str, criteria: Mapping[str, str]) -> str:
    """The words of a criterion, where its schema is known."""
    return f"{criteria[key].rstrip('.')}: " if key in criteria else ""
