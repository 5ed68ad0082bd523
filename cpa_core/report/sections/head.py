"""The head of the report: its figures, and a summary in a sentence or two."""

from collections.abc import Sequence
from typing import Any

from cpa_core.insights import ENOUGH, ENOUGH_UNITS, Rate
from cpa_core.report import words
from cpa_core.report.document import Headline
from cpa_core.report.sections.asked import Asked
from cpa_core.report.sections.changes import growth, trend
from cpa_core.report.sections.trust import checked


def headlines(asked: Asked) -> list[Headline]:
    """The figures at the head."""
    all_of, behind = asked.overview, asked.behind
    daily = asked.stretches
    return [
        *_counts(asked),
        Headline(
            "Mean score",
            words.points(all_of.score.mean),
            unit="of 100",
            of=words.mean_of(all_of.score, "scored"),
            **_trend(asked, "score"),
            is_few=not all_of.score.is_enough,
            drill=behind.has("scored"),
            daily=[one.score.mean for one in daily],
        ),
        _share("Good conversations (80 and above)", all_of.good, "good", asked),
        _share("Bad conversations (below 50)", all_of.bad, "bad", asked, [one.bad.share for one in daily]),
        _share("With a dealbreaker", all_of.with_dealbreaker, "with_dealbreaker", asked),
        Headline(
            "Messages per conversation",
            words.points(all_of.messages_per_conversation.mean),
            of=words.mean_of(all_of.messages_per_conversation, "conversations"),
            **_trend(asked, "messages_per_conversation"),
            is_few=not all_of.messages_per_conversation.is_enough,
            drill=behind.has("all"),
            daily=[one.messages / one.conversations for one in daily],
        ),
        _cost(asked),
    ]


def _counts(asked: Asked) -> list[Headline]:
    all_of, behind, daily, compared = asked.overview, asked.behind, asked.stretches, asked.compared
    return [
        Headline(
            "Conversations",
            words.count(all_of.conversations),
            of=f"{words.count(all_of.messages)} messages, {words.count(all_of.events)} events",
            trend=growth(asked, compared.old.conversations, compared.new.conversations) if compared else "",
            drill=behind.has("all"),
            daily=[one.conversations for one in daily],
        ),
        Headline(
            "Users",
            words.count(all_of.users) if all_of.users else words.UNKNOWN,
            of="" if all_of.users else "no conversation has a user's id",
            trend=growth(asked, compared.old.users, compared.new.users) if compared else "",
            drill=behind.has("with-user"),
            daily=[one.users for one in daily] if all_of.users else (),
        ),
    ]


def _share(name: str, rate: Rate, key: str, asked: Asked, daily: Sequence[float | None] = ()) -> Headline:
    return Headline(
        name,
        words.percent(rate.share),
        of=words.rate_of(rate),
        **_trend(asked, key),
        is_few=not rate.is_enough,
        drill=asked.behind.has(key.removeprefix("with_")),
        daily=daily,
    )


def _trend(asked: Asked, figure: str) -> dict[str, Any]:
    said, is_better = trend(asked, figure)
    return {"trend": said, "is_better": is_better}


def _cost(asked: Asked) -> Headline:
    cost, of = asked.cost, asked.overview.conversations
    each = f"{words.dollars(cost / of)} a conversation, at list price" if cost is not None and of else ""
    return Headline("Cost of asking", words.dollars(cost), of=each or "a price is not known", drill=None)


def summary(asked: Asked) -> str:
    """Return a summary of the figures, in words that code writes."""
    all_of = asked.overview
    said = [f"{words.count(all_of.conversations)} conversations with {words.count(all_of.messages)} messages."]
    if all_of.score.mean is not None:
        said.append(
            f"The judge gave {words.points(all_of.score.mean)} of 100 on average; of {words.count(all_of.scored)} "
            f"scored conversations, {words.count(all_of.bad.count)} were bad (below 50) and "
            f"{words.count(all_of.good.count)} good (80 and above)."
        )
    worst = max(asked.criteria, key=lambda one: one.missed.share or 0.0, default=None)
    if worst and worst.missed.share:
        said.append(f"The goal missed most often: “{worst.words.rstrip('.')}”, in {words.percent(worst.missed.share)}.")
    findings = [effect for effect in asked.effects if effect.is_finding]
    if findings:
        worse = findings[0]
        said.append(
            f"Of the events, {worse.kind.event_type} goes most clearly with bad ends: "
            f"{words.percent(worse.bad_with.share)} of conversations with it, {words.percent(worse.bad_without.share)} "
            "without."
        )
    return " ".join(said)


def banner(asked: Asked) -> str:
    """Return a caution about untagged or unjudged conversations, or too few of them; empty if there is none."""
    of, said = asked.overview, []
    if asked.kept_days:
        said.append(
            f"Of {words.count(asked.kept_days)} earlier days only sums are kept: they are in the charts over time, and "
            "in no other figure."
        )
    if min(of.tagged, of.judged) < of.conversations:
        said.append(
            f"Of {words.count(of.conversations)} conversations {words.count(of.tagged)} are tagged and "
            f"{words.count(of.judged)} judged; the others have no part in what stands on that."
        )
    if of.conversations < ENOUGH:
        said.append(
            f"{of.conversations} conversations are fewer than {ENOUGH}: shares and means are greyed. Read the "
            "conversations behind them; the rates themselves may be chance."
        )
    elif of.messages_per_conversation.units < ENOUGH_UNITS:
        said.append(
            f"A few users make most of these conversations, which count as {of.messages_per_conversation.units:.0f} "
            f"{of.basis.unit}s, fewer than {ENOUGH_UNITS}: shares and means are greyed, and no issue is established."
        )
    if of.conversations and not of.users:
        said.append("No conversation has a user's id: intervals count each as independent of the others.")
    elif of.basis.is_mixed:
        without = words.count(of.conversations - of.basis.with_user)
        said.append(
            f"{without} of {words.count(of.conversations)} conversations are without a user, counted as independent."
        )
    return " ".join(said)


def about(asked: Asked, privacy: str) -> list[str]:
    """Return notes on the computation of the figures."""
    text = {
        "no_text": "No word of any message is in this file: types, properties with choices, verdicts and scores.",
        "redacted": "Of the messages, this file holds quotes and reasons, with placeholders for what tells who it was.",
        "full": "This file holds whole messages, as they were said. Keep it as you keep the conversations.",
    }
    return [
        "A conversation counts on the day of its first message. Scores are computed from the judge's verdicts: weights "
        "of 3, 2 and 1 for primary, secondary and tertiary goals, and at most 20 where a dealbreaker was hit. Below 50 "
        "a conversation is bad, from 80 it is good. What was not judged has no score, and is not counted as zero.",
        "Intervals are of 95 % and by user, who may come back; a conversation without a user's id counts as a user of "
        "its own. Each figure says as how many users of equal size it counts: the variance comes from leaving one out "
        "at a time. Shares and scores have Wilson's interval at that size with Student's t, other means Student's. "
        "What goes with bad ends is compared at equal length, and corrected for the number of comparisons "
        "(Blanchard and Roquain). It says what goes together, not what causes what.",
        f"A figure that stands on fewer than {ENOUGH} conversations, or on fewer than {ENOUGH_UNITS} effective users, "
        "is grey. Behind every underlined number are at most 20 conversations, chosen by a hash of their ids, worst "
        "score first.",
        checked(asked.trust),
        text[privacy],
    ]
