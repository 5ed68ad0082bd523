"""Who comes when, how long they stay, where friction shows, and whether they come back."""

from cpa_core.insights import Length
from cpa_core.report import charts, words
from cpa_core.report.cells import change_cell, number_cell, share_cell
from cpa_core.report.document import Cell, Chart, Column, Section, Table
from cpa_core.report.sections.asked import Asked

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TURNS = 20
"""Turns that the drop-off shows."""


def conversations(asked: Asked) -> Section:
    """The section."""
    shown = [_turns(asked)]
    if asked.behind.friction:
        shown.append(_friction(asked))
    if asked.hours:
        shown.append(_hours(asked))
    shown.append(_lengths(asked))
    users = [_returns(asked)] if asked.overview.users else []
    return Section(
        name="course",
        short="Course",
        title="How they run",
        lead="After which turn people leave, where friction shows, when they come, and whether they come back.",
        charts=shown,
        tables=users,
        notes=[] if asked.hours else ["No times of day: the times of these messages are assumed."],
    )


def _turns(asked: Asked) -> Chart:
    rows = [
        {
            "x": one.turn,
            "value": one.ended.share,
            "low": one.ended.low,
            "high": one.ended.high,
            "said": words.rate_of(one.ended),
            "few": not one.ended.is_enough,
            "drill": asked.behind.has(f"turn:{one.turn}"),
        }
        for one in asked.turns[:TURNS]
    ]
    table = [
        [
            Cell(str(one.turn), sort=one.turn),
            number_cell(one.reached),
            share_cell(one.ended, asked.behind.has(f"turn:{one.turn}"), has_bar=False),
            share_cell(one.bad, asked.behind.has(f"bad-turn:{one.turn}"), has_bar=False),
        ]
        for one in asked.turns
    ]
    columns = [
        Column("turn", "number"),
        Column("reached it", "number"),
        Column("ended there", "number"),
        Column("of them bad", "number"),
    ]
    return Chart(
        name="turns",
        title="Where conversations end",
        caption="Of the conversations that reach a user's n-th message, how many go no further.",
        spec=charts.bars(rows, ("the user's n-th message", "end there"), share=True),
        table=Table("turns-table", "Where conversations end", columns, table),
    )


def _friction(asked: Asked) -> Chart:
    names = ", ".join(kind.event_type for kind in asked.behind.friction)
    rows = [
        {
            "x": one.position + 1,
            "value": one.messages.share,
            "low": one.messages.low,
            "high": one.messages.high,
            "said": words.rate_of(one.messages),
            "few": not one.messages.is_enough,
            "drill": asked.behind.has(f"friction:{one.position}"),
        }
        for one in asked.friction
    ]
    table = [
        [
            Cell(str(one.position + 1), sort=one.position),
            share_cell(one.messages, asked.behind.has(f"friction:{one.position}"), has_bar=False),
        ]
        for one in asked.friction
    ]
    found = any(effect.is_finding for effect in asked.effects)
    sure = "established to go with bad ends" if found else "those most often in bad conversations here, not established"
    return Chart(
        name="friction",
        title="Where friction shows",
        caption=f"Messages at each position that are {names} ({sure}).",
        spec=charts.bars(rows, ("n-th message", "with friction"), share=True, colour="var(--bad)"),
        table=Table(
            "friction-table",
            "Where friction shows",
            [Column("message", "number"), Column("with friction", "number")],
            table,
        ),
    )


def _hours(asked: Asked) -> Chart:
    most = max(one.conversations for one in asked.hours)
    rows = [
        {
            "x": f"{one.hour:02}",
            "y": WEEKDAYS[one.weekday - 1],
            "weight": one.conversations / most,
            "text": words.count(one.conversations) if most < 1000 else "",
            "said": f"{words.count(one.conversations)}, bad: {words.rate_of(one.bad)}",
            "drill": asked.behind.has(f"hour:{one.weekday}:{one.hour}"),
        }
        for one in asked.hours
    ]
    table = [
        [
            Cell(WEEKDAYS[one.weekday - 1], sort=one.weekday),
            Cell(f"{one.hour:02}:00"),
            number_cell(one.conversations, asked.behind.has(f"hour:{one.weekday}:{one.hour}")),
            share_cell(one.bad, asked.behind.has(f"bad-hour:{one.weekday}:{one.hour}"), has_bar=False),
        ]
        for one in asked.hours
    ]
    columns = [Column("weekday"), Column("hour"), Column("conversations", "number"), Column("of them bad", "number")]
    hours = [one.hour for one in asked.hours]
    across = [f"{hour:02}" for hour in range(min(hours), max(hours) + 1)]
    days = [day for day in WEEKDAYS if any(row["y"] == day for row in rows)]
    return Chart(
        name="hours",
        title="When they begin",
        caption="Conversations by weekday and hour, in the time zone of this store.",
        spec=charts.heat(rows, across, days, ("hour", "weekday"), "conversations"),
        table=Table("hours-table", "When conversations begin", columns, table),
    )


def _lengths(asked: Asked) -> Chart:
    rows = [
        {
            "x": _band(one),
            "value": one.conversations,
            "said": words.count(one.conversations),
            "drill": asked.behind.has(f"length:{one.messages_from}"),
        }
        for one in asked.lengths
    ]
    table = [
        [
            Cell(_band(one), sort=one.messages_from),
            number_cell(one.conversations, asked.behind.has(f"length:{one.messages_from}")),
            share_cell(one.bad, asked.behind.has(f"bad-length:{one.messages_from}"), has_bar=False),
            Cell(words.points(one.median_minutes), sort=one.median_minutes),
        ]
        for one in asked.lengths
    ]
    columns = [
        Column("messages"),
        Column("conversations", "number"),
        Column("of them bad", "number"),
        Column("median minutes", "number"),
    ]
    return Chart(
        name="lengths",
        title="How long they are",
        caption="Conversations by their number of messages.",
        spec=charts.bars(rows, ("messages", "conversations")),
        table=Table("lengths-table", "How long conversations are", columns, table),
    )


def _band(one: Length) -> str:
    if one.messages_to is None:
        return f"{one.messages_from} and more"
    return str(one.messages_from) if one.messages_from == one.messages_to else f"{one.messages_from}–{one.messages_to}"


def _returns(asked: Asked) -> Table:
    found = asked.returns
    columns = [Column("first judged conversation"), Column("came back", "number")]
    ends = (("was bad", found.after_bad, "first-bad"), ("was not", found.after_other, "first-other"))
    rows = [[Cell(said), share_cell(rate, asked.behind.has(key))] for said, rate, key in ends]
    rows.append([Cell("difference, in points"), change_cell(found.difference, factor=100)])
    caption = f"Users who came back within {found.within} days"
    if found.too_recent:
        caption += f"; {words.count(found.too_recent)} users are too recent to tell"
    return Table("returns-table", caption, columns, rows)
