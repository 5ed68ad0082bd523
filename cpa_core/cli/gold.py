"""The work of the commands on labels by people (`cpa gold …`)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import ceil
from pathlib import Path

from cpa_core.cli.display import bar, dollars, existing
from cpa_core.cli.facts import Done
from cpa_core.cli.gold_facts import (
    DrawFacts,
    DrawRead,
    GoldErrorsFacts,
    GoldExportFacts,
    GoldImportFacts,
    GoldPlanFacts,
    GoldProbeFacts,
    GoldSameFacts,
    GoldStatusFacts,
)
from cpa_core.cli.screen import say
from cpa_core.errors import InputError
from cpa_core.gold.changing import AgreementChange
from cpa_core.gold.drawing import Way
from cpa_core.gold.planning import in_words
from cpa_core.gold.reviews import TEACHING
from cpa_core.gold.trust import Trust, TrustedRate
from cpa_core.gold.validity import Tagger
from cpa_core.insights import Estimate
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.gold.draws import QueueItem, WantedDraw, draw_gold, gold_queue, left_to_draw
from cpa_core.pipeline.gold.earlier import changes_of_agreement
from cpa_core.pipeline.gold.exchange import export_gold, form_of, import_gold
from cpa_core.pipeline.gold.ledger import merge_gold
from cpa_core.pipeline.gold.planning import Planned, PlannedWay, plan_gold
from cpa_core.pipeline.gold.probing import ProbeQuote, ProbeResult, planned_probe, quote_probe, run_probe
from cpa_core.pipeline.gold.quality import record_use, same_meaning, trust_of
from cpa_core.pipeline.gold.teaching import gold_errors
from cpa_core.settings import Settings, day


def wanted_draw(
    way: Way, days: tuple[str | None, str | None], *, size: int, label: str | None, seed: int
) -> WantedDraw:
    """A draw as the command line names it. Raises InputError, SettingsError."""
    if way == "doubt" and not label:
        raise InputError("a draw by doubt is for one label: --label NAME")
    first, last = (day(text, flag) if text else None for text, flag in zip(days, ("--from", "--to"), strict=True))
    return WantedDraw(way=way, size=size, first=first, last=last, label=label, seed=seed)


def draw(given: Settings, wanted: WantedDraw) -> Done:
    """Draw what people read next."""
    existing(given)
    drawn = draw_gold(Assistant.of(given), wanted)
    unit = "conversations" if drawn.items[0].message_id is None else "messages"
    span = f"{drawn.first} to {drawn.last}"
    say(f"draw {drawn.draw_id}: {len(drawn.items)} {unit} of {drawn.frame}, {span}, {wanted.way}")
    say(
        f"next: cpa gold export --queue {wanted.way} --out tasks.json",
        "  label them in Label Studio, and export them",
        "  cpa gold import EXPORT",
    )
    return Done(0, DrawFacts(draw=drawn))


def take_in(given: Settings, path: Path, form: str | None, reviewer: str | None, *, at_random: bool) -> Done:
    """Import the labels of a file. The exit status is 1 if some rows were left out."""
    existing(given)
    done = import_gold(Assistant.of(given), path, form_of(path, form), reviewer, at_random=at_random)
    say(f"{path}: {done.reviews} reviews kept, {done.labels} labels; {done.known} were known")
    if done.draw_id:
        say(f"draw {done.draw_id}: the conversations count as a random sample of their days")
    if done.quotes_not_found:
        say(f"warning: quotes that their messages do not contain: {done.quotes_not_found}; the labels are kept without")
    say(*(f"warning: left out: {reason}" for reason in done.reasons))
    if done.left_out > len(done.reasons):
        say(f"warning: left out: {done.left_out - len(done.reasons)} more")
    return Done(1 if done.left_out else 0, GoldImportFacts(imported=done))


def give_out(given: Settings, out: Path, form: str | None, queue: str | None) -> Done:
    """Write the labels to a file."""
    existing(given)
    done = export_gold(Assistant.of(given), out, form_of(out, form), queue)
    for path in done.paths:
        say(f"wrote {path}")
    say(f"{done.reviews} reviews of {done.conversations} conversations")
    if done.hidden:
        say(f"{done.hidden} more reviews are not shown to the second reviewer whom their conversations wait for")
    return Done(0, GoldExportFacts(exported=done))


def status(given: Settings) -> Done:
    """Print how much of each draw is read, and the quality of each label."""
    existing(given)
    assistant = Assistant.of(given)
    unread = merge_gold(assistant)
    draws = _draws_read(gold_queue(assistant))
    for one in draws:
        say(f"draw {one.draw_id}: {one.read} of {one.items} read")
    found = trust_of(assistant)
    record_use(assistant, "status", found)
    say(*labels_lines(found))
    changed = changes_of_agreement(assistant)
    say(*change_lines(changed, {one.key: _titled(one) for one in found}))
    say(*next_labels([one.lacking for one in found if one.lacking], draws, *left_to_draw(assistant)))
    if not found:
        say("no labels by people yet: every rate is the model's; cpa gold draw random, or cpa gold import FILE")
    if unread:
        say(f"warning: {unread} lines of {assistant.settings.home / 'gold'} cannot be read and are left out")
    return Done(1 if unread else 0, GoldStatusFacts(draws=draws, labels=tuple(found), changes=changed, unread=unread))


def change_lines(changes: Sequence[AgreementChange], names: Mapping[str, str]) -> Iterator[str]:
    """Return the lines on kappa before and after the last change of model, prompt or schema, by pair of these."""
    for (before, after), of in groupby(changes, key=lambda one: (one.before, one.after)):
        yield f"kappa with people on the same conversations, {differing(before, after)}:"
        for one in of:
            old, new = (number(Estimate(kappa, None, None)) for kappa in (one.kappa_before, one.kappa_after))
            gap, name = one.difference, names.get(one.key, one.key)
            span = "" if gap.low is None or gap.high is None else f" ({gap.low:+.2f} to {gap.high:+.2f})"
            points = "" if gap.value is None else f", {gap.value:+.2f}{span}"
            yield f"  {name}: {old} to {new}{points}, {one.conversations} conversations: {one.verdict}"


def differing(before: Tagger, after: Tagger) -> str:
    """Return in words what differs between two taggers: the model, the schema or the prompt."""
    parts = (("model", "model", 99), ("schema", "schema_version", 6), ("prompt", "prompt_id", 6))
    found = [(name, *((getattr(one, of) or "unknown")[:most] for one in (before, after))) for name, of, most in parts]
    return ", ".join(f"{name} {old} to {new}" for name, old, new in found if old != new)


def next_labels(lacking: Sequence[int], draws: Sequence[DrawRead], left: int, conversations: int) -> Iterator[str]:
    """Yield the next step where labels need more conversations of those that measure: `lacking` has one number each.

    The step is for the label that needs fewest. It names what is drawn and not read, else a draw of what is left. If
    the home has too few conversations for it, the line says so; else a line of its own says how many all labels need.
    """
    if not lacking or not draws:
        return
    least, most = min(lacking), max(lacking)
    needed = with_those_that_teach(least)
    unread = sum(one.items - one.read for one in draws)
    nearest = " for the label that needs fewest" if most > least else ""
    why = f"{least} more must be labelled{nearest}: read about {needed}, for one of {TEACHING} only teaches"
    if unread + left < needed:
        yield _what_is_left(unread, left, conversations, why)
        return
    if unread >= needed:
        yield f"next: read what is drawn, {unread} items: {why}"
    else:
        size = needed - unread
        yield f"next: cpa gold draw random --size {size}; {unread} drawn items are not read yet: {why}"
    if most > least:
        read = with_those_that_teach(most)
        days = f", and this home has {unread + left} left: more days have to land" if read > unread + left else ""
        yield f"for all {len(lacking)} labels without a corrected rate about {read} must be read{days}"


def _what_is_left(unread: int, left: int, conversations: int, why: str) -> str:
    """Return what can be done where a home has too few conversations for the next corrected rate."""
    few = f"only {unread + left} of {conversations} conversations of this home are left to read"
    if not unread + left:
        return f"warning: {few}: rates are corrected once more days have landed"
    draw = [f"cpa gold draw random --size {left}"] if left else []
    steps = "; ".join([*([f"read what is drawn, {unread} items"] if unread else []), *draw])
    return f"next: {steps}; then land more days: {few}, and {why}"


def with_those_that_teach(measuring: int) -> int:
    """Return the conversations to read for `measuring` ones that measure: one of TEACHING only teaches."""
    return ceil(measuring * TEACHING / (TEACHING - 1))


def _draws_read(queue: Sequence[QueueItem]) -> tuple[DrawRead, ...]:
    """How much of each draw people have read."""
    draws = [[item for item in queue if item.draw_id == drawn] for drawn in dict.fromkeys(i.draw_id for i in queue)]
    return tuple(
        DrawRead(draw_id=of[0].draw_id, items=len(of), read=sum(bool(item.read_by) for item in of)) for of in draws
    )


def labels_lines(found: Sequence[Trust]) -> Iterator[str]:
    """Return the lines of all labels: those with a corrected rate first, and those without a positive in one line."""
    bare = [one for one in found if one.lacking and not one.agreement.positives and not one.doubted]
    shown = [one for one in found if one not in bare]
    for one in sorted(shown, key=lambda one: bool(one.lacking)):
        yield from trust_lines(one)
    if bare:
        needed = ", ".join(f"{_titled(one)} {one.lacking}" for one in bare)
        yield f"no positive is labelled, so no rate is corrected; conversations still to label: {needed}"


def _titled(one: Trust) -> str:
    return f"{one.name} ({one.role or one.kind})"


def trust_lines(one: Trust) -> Iterator[str]:
    """Return the lines of one label: its quality, and its rates."""
    found = one.agreement
    yield (
        f"{_titled(one)}: {one.grade}: {one.labelled} conversations labelled, kappa {number(found.kappa)}, "
        f"between people alpha {number(one.people.alpha)}"
    )
    if found.items or one.labelled:
        yield f"  precision {percent(found.precision)}, recall {percent(found.recall)}, {found.positives} positives"
        yield f"  of conversations: {rate_line(one.of_conversations)}"
    if one.of_messages and found.items:
        yield f"  of messages: {rate_line(one.of_messages, one.of_conversations.valid_for)}"
    if one.doubted:
        yield f"  of messages, by doubt: {percent(one.by_doubt)} from {one.doubted} messages"
    for each in one.properties:
        yield f"  {each.name}: {percent(each.accuracy)} of {each.events} values are right"
    if one.kind == "criterion" and found.items:
        judge, people = one.cannot_tell
        yield f"  false positives {percent(found.false_positives)}, cannot tell: judge {judge}, people {people}"


def rate_line(one: TrustedRate, said: str = "") -> str:
    """Return one rate as tagged, as read by people and as corrected, with the days that it holds for unless `said`."""
    tagged = "–" if one.tagged.share is None else f"{100 * one.tagged.share:.1f}%"
    valid = "" if one.valid_for == said else f": {one.valid_for}"
    return f"tagged {tagged}, corrected {percent(one.corrected)}, gold alone {percent(one.gold)}{valid}"


def percent(one: Estimate) -> str:
    """A share with its interval."""
    if one.value is None:
        return "–"
    span = "" if one.low is None or one.high is None else f" ({100 * one.low:.1f}–{100 * one.high:.1f})"
    return f"{100 * one.value:.1f}%{span}"


def number(one: Estimate) -> str:
    """A kappa or an alpha with its interval."""
    if one.value is None:
        return "unknown"
    span = "" if one.low is None or one.high is None else f" ({one.low:.2f} to {one.high:.2f})"
    return f"{one.value:.2f}{span}"


def plan(given: Settings, label: str, within: float) -> Done:
    """Print how many labels narrow the interval to the half width `within`, a share."""
    existing(given)
    planned = plan_gold(Assistant.of(given), label, within)
    say(*plan_lines(planned))
    return Done(0, GoldPlanFacts(plan=planned))


def plan_lines(plan: Planned) -> Iterator[str]:
    """A plan as people read it."""
    basis = (
        "the tagger's quality is assumed until people have labelled enough" if plan.is_assumed else "by the gold so far"
    )
    yield f"{plan.label}, share of messages within ± {100 * plan.within:g} points: {basis}"
    for one in plan.ways:
        later = _width(one.after_half_an_hour)
        yield f"  {one.way}: {_needed(one, plan.within)}; now: {_width(one.now)}, after half an hour: {later}"
    yield f"the next half hour: cpa gold draw {plan.best} --label {plan.label!r}"


def _needed(one: PlannedWay, within: float) -> str:
    if one.needed is None or one.minutes is None:
        if one.reachable is None:
            return f"all {one.of} {one.unit} are too few for an interval"
        return f"± {100 * within:g} is out of reach, all {one.of} {one.unit} bring {_width(one.reachable)}"
    return f"{one.needed} {one.unit} ({one.done} done, about {in_words(one.minutes)} more)"


def _width(share: float | None) -> str:
    return "no interval yet" if share is None else f"± {100 * share:.2f}"


def same(given: Settings, label: str, reviewer: str) -> Done:
    """Say that a type means the same although its definition changed."""
    existing(given)
    kept = same_meaning(Assistant.of(given), label, reviewer)
    say(f"{label}: {kept} earlier definitions mean the same: their gold counts again")
    return Done(0, GoldSameFacts(label=label, definitions=kept))


def errors(given: Settings) -> Done:
    """The confusions of the teaching part."""
    existing(given)
    found = gold_errors(Assistant.of(given))
    for one in found:
        instead = f", {'has' if one.is_missed else 'people say'} {one.instead}" if one.instead else ""
        what = "missed" if one.is_missed else "given where people see none"
        say(f"{one.label}: {what} in {one.messages} messages{instead}")
        for each in one.examples:
            quote = f': "{each.quote}"' if each.quote else ""
            say(f"  {each.conversation_id} message {each.position}{quote}{f' ({each.note})' if each.note else ''}")
    if not found:
        say("nothing to show: no conversation of the teaching part is labelled, or all labels agree")
    return Done(0, GoldErrorsFacts(confusions=tuple(found)))


def probe(given: Settings, size: int, again: float, *, dry_run: bool) -> Done:
    """Ask about the anchor conversations again, some in another order. The exit status is 1 if answers are missing.

    1 where some were not answered.
    """
    existing(given)
    assistant = Assistant.of(given, bar)
    wanted = planned_probe(assistant, size, again)
    quoted = quote_probe(assistant, wanted)
    say(*probe_quote_lines(quoted))
    if dry_run:
        return Done(0, GoldProbeFacts(quote=quoted, result=None))
    found = run_probe(assistant, wanted)
    say(*probe_lines(found, {kind.key: f"{kind.name} ({kind.role})" for kind in wanted.schema.event_types}))
    return Done(1 if found.unanswered else 0, GoldProbeFacts(quote=quoted, result=found))


def probe_quote_lines(quoted: ProbeQuote) -> Iterator[str]:
    """Return a probe's quote: its questions, and their highest cost at list price."""
    cost = "unknown (no list price)" if quoted.cost is None else f"at most {dollars(quoted.cost)}"
    questions = sum(line.questions for line in quoted.lines)
    answered = sum(line.answered for line in quoted.lines)
    yield (
        f"quote: {quoted.anchors} anchor conversations, {quoted.again} once more in another order, "
        f"and judged with a message that tells the judge its verdicts: "
        f"{questions} questions, {answered} answered before; {cost} at list price"
    )


def probe_lines(found: ProbeResult, names: Mapping[str, str]) -> Iterator[str]:
    """Return a probe's result as lines: shifts of rates in points, labels that flipped, unusable answers."""
    if found.since is None:
        yield "no other model, prompt or schema was probed before: this probe is the first to compare with"
    else:
        yield f"the same conversations, now and as {found.since} labelled them: these shifts are the instrument's"
    for shift in found.shifts:
        gap = shift.difference
        span = "" if gap.low is None or gap.high is None else f" ({100 * gap.low:+.1f} to {100 * gap.high:+.1f})"
        yield (
            f"  {names.get(shift.label, shift.label)}: {100 * shift.before:.1f}% to {100 * shift.after:.1f}%, "
            f"{100 * (gap.value or 0.0):+.1f} points{span}, {shift.conversations} conversations"
        )
    if found.flips:
        yield "asked in another order, labels that changed:"
    for one in found.flips:
        flipped = one.flipped
        rate = percent(Estimate(flipped.share, flipped.low, flipped.high))
        few = "" if flipped.is_enough else ", too few to rest on"
        yield f"  {names.get(one.label, one.label)}: {flipped.count} of {flipped.of}, {rate}{few}"
    if found.followed.of:
        rate = percent(Estimate(found.followed.share, found.followed.low, found.followed.high))
        few = "" if found.followed.is_enough else ", too few to rest on"
        yield (
            f"told by a message that every goal was met: {found.followed.count} of {found.followed.of} verdicts "
            f"against the assistant followed it, {rate}{few}"
        )
    if found.unanswered:
        yield f"warning: {found.unanswered} answers could not be used and are left out"
