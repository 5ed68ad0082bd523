"""The quality of conversations: scores, goals and dealbreakers, and the events associated with low scores."""

from dataclasses import replace

from cpa_core.insights import DealbreakerResult, Effect, GoalResult, ScoreBand
from cpa_core.insights.statistics import UNKNOWN
from cpa_core.report import charts, words
from cpa_core.report.behind import judged_key
from cpa_core.report.cells import change_cell, number_cell, share_cell
from cpa_core.report.document import Cell, Chart, Column, Section, Table
from cpa_core.report.sections.asked import Asked, Stretch
from cpa_core.report.sections.mix import label
from cpa_core.report.sections.trust import met_note, with_correction

VERDICTS = ("met", "partly", "missed", "cannot tell")


def quality(asked: Asked) -> Section:
    """The section."""
    scores = [_scores(asked)] if asked.overview.scored else []
    over_time = [_over_time(asked)] if scores and len(asked.stretches) > 1 else []
    return Section(
        name="quality",
        short="Quality",
        title="How good they are",
        lead="What the judge found: scores, verdicts on each goal, and what must never happen.",
        charts=[*scores, *over_time, *([_goals(asked)] if asked.criteria else [])],
        tables=[*([_intents(asked)] if asked.intents else []), _dealbreakers(asked), _effects(asked)],
    )


def _scores(asked: Asked) -> Chart:
    rows = [
        {
            "x": _band(one),
            "value": one.conversations,
            "said": words.count(one.conversations),
            "colour": _colour(one),
            "drill": asked.behind.has(f"score:{one.score_from}"),
        }
        for one in asked.scores
    ]
    table = [
        [
            Cell(_band(one), sort=one.score_from),
            number_cell(one.conversations, asked.behind.has(f"score:{one.score_from}")),
        ]
        for one in asked.scores
    ]
    scored = words.count(asked.overview.scored)
    return Chart(
        name="scores",
        title="Scores",
        caption=f"{scored} conversations. Red is bad (below 50), green good (80 and above).",
        spec=charts.bars(rows, ("score", "conversations")),
        table=Table(
            "scores-table", "Conversations by score", [Column("score"), Column("conversations", "number")], table
        ),
    )


def _band(one: ScoreBand) -> str:
    return f"{one.score_from}–{one.score_to if one.score_to == 100 else one.score_to - 1}"


def _colour(one: ScoreBand) -> str:
    if one.score_from >= 80:
        return "var(--good)"
    return "var(--bad)" if one.score_from < 50 else "var(--amber)"


def _over_time(asked: Asked) -> Chart:
    scored = [one for one in asked.stretches if one.score.mean is not None]
    table = [
        [
            Cell(label(one.bucket, asked), sort=n),
            Cell(
                words.points(one.score.mean),
                of=words.mean_of(one.score, "conversations"),
                drill=asked.behind.has(f"scored-on:{one.bucket}"),
                sort=one.score.mean,
                is_few=not one.score.is_enough,
            ),
        ]
        for n, one in enumerate(scored)
    ]
    return Chart(
        name="score-trend",
        title="Mean score over time",
        caption=f"By {asked.unit}, with intervals of 95 %.",
        spec=charts.trend([_point(asked, one) for one in scored], "mean score", 100),
        table=Table(
            "score-trend-table", "Mean score over time", [Column("from"), Column("mean score", "number")], table
        ),
    )


def _point(asked: Asked, one: Stretch) -> dict[str, object]:
    return {
        "bucket": label(one.bucket, asked),
        "value": one.score.mean,
        "low": None if one.score.low is None else max(0.0, one.score.low),
        "high": None if one.score.high is None else min(100.0, one.score.high),
        "said": words.points(one.score.mean),
        "of": words.mean_of(one.score, "conversations"),
        "drill": asked.behind.has(f"scored-on:{one.bucket}"),
    }


def _goals(asked: Asked) -> Chart:
    rows = [
        {
            "criterion": f"{one.criterion} {one.words}",
            "words": one.words,
            "verdict": verdict,
            "count": number,
            "place": place,
            "said": words.count(number),
            "drill": asked.behind.has(judged_key(one.criterion, one.words, verdict)),
        }
        for one in asked.criteria
        for place, (verdict, number) in enumerate(_counts(one).items())
        if number
    ]
    columns = [Column("goal"), *(Column(verdict, "number") for verdict in VERDICTS), Column("missed, of those told")]
    return Chart(
        name="goals",
        title="Goals",
        caption="Verdicts on each goal. P are primary goals, S secondary, T tertiary.",
        spec=charts.verdicts(rows, [f"{one.criterion} {one.words}" for one in asked.criteria]),
        table=Table("goals-table", "Verdicts by goal", columns, [_goal(asked, one) for one in asked.criteria]),
        is_wide=True,
    )


def _counts(one: GoalResult) -> dict[str, int]:
    told = (one.met.count, one.partly.count, one.missed.count, one.cannot_tell)
    return dict(zip(VERDICTS, told, strict=True))


def _goal(asked: Asked, one: GoalResult) -> list[Cell]:
    cells = [Cell(f"{one.criterion} {one.words}")]
    for verdict, number in _counts(one).items():
        cells.append(number_cell(number, asked.behind.has(judged_key(one.criterion, one.words, verdict))))
    return [*cells, replace(share_cell(one.missed, is_bad=True), note=met_note(asked, one.words))]


def _intents(asked: Asked) -> Table:
    columns = [Column("delivered and confirmed"), Column("conversations", "number"), Column("of those with an intent")]
    rows = [
        [
            Cell(one.outcome),
            number_cell(one.share.count, asked.behind.has(f"delivered:{one.outcome}")),
            share_cell(one.share, is_bad=one.outcome == "no"),
        ]
        for one in asked.intents
    ]
    return Table("intents-table", "Did users get what they wanted, and say so?", columns, rows)


def _dealbreakers(asked: Asked) -> Table:
    columns = [Column("dealbreaker"), Column("conversations", "number"), Column("of those judged")]
    rows = [_dealbreaker(asked, one) for one in asked.dealbreakers]
    return Table("dealbreakers-table", "What must never happen, and how often it did", columns, rows)


def _dealbreaker(asked: Asked, one: DealbreakerResult) -> list[Cell]:
    key = judged_key(one.criterion, one.words, "hit")
    return [
        Cell(f"{one.criterion} {one.words}"),
        number_cell(one.hit.count, asked.behind.has(key)),
        with_correction(asked, one.words, share_cell(one.hit, is_bad=True)),
    ]


def _effects(asked: Asked) -> Table:
    columns = [
        Column("event"),
        Column("bad with it"),
        Column("bad without it"),
        Column("difference at equal length", "number"),
        Column("score", "number"),
        Column("established?"),
    ]
    rows = [_effect(asked, one) for one in asked.effects]
    return Table("effects-table", "Which events go with bad ends", columns, rows, filters=len(rows) > 8)


def _effect(asked: Asked, one: Effect) -> list[Cell]:
    return [
        Cell(one.kind.event_type, of=one.kind.role),
        share_cell(one.bad_with, asked.behind.has(f"bad-event:{asked.behind.numbers[one.kind]}"), is_bad=True),
        share_cell(one.bad_without, has_bar=False),
        change_cell(one.at_equal_length, " points", 100),
        change_cell(one.score_difference if one.is_enough else UNKNOWN),
        _established(one),
    ]


def _established(one: Effect) -> Cell:
    if one.is_finding:
        return Cell("yes", pill="bad", sort=2)
    if not one.is_enough:
        return Cell("too little data", pill="few", sort=0)
    return Cell("no", pill="not", sort=1)
