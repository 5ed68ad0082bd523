"""The drill-downs of a document: a title, the events to highlight, and the conversations, for each key that is used."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from cpa_core.insights import Kind
from cpa_core.report import words
from cpa_core.report.behind import Group
from cpa_core.report.document import Drill, Headline, Section
from cpa_core.report.examples import Example, event_key
from cpa_core.report.sections.asked import Asked
from cpa_core.report.sections.changes import FIGURES
from cpa_core.report.sections.conversations import WEEKDAYS
from cpa_core.report.sections.flow import ribbons
from cpa_core.report.sections.topics import topic_title
from cpa_core.report.sections.trust import gold_groups, gold_title

ARROW = " → "
QUOTES = 2
LONGEST_QUOTE = 110
Titled = tuple[str, Sequence[int]]
"""A title, and the kinds of event to highlight."""


def used_keys(headlines: Iterable[Headline], sections: Iterable[Section]) -> set[str]:
    """Every key that a figure, a cell or a mark of a chart names."""
    found = {one.drill for one in headlines}
    for section in sections:
        tables = [*section.tables, *(chart.table for chart in section.charts)]
        found |= {cell.drill for table in tables for row in table.rows for cell in row}
        for chart in section.charts:
            found |= set(_named(chart.spec))
    return {key for key in found if key}


def _named(tree: object) -> Iterable[str]:
    if isinstance(tree, Mapping):
        if isinstance(tree.get("drill"), str):
            yield tree["drill"]
        for value in tree.values():
            yield from _named(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _named(value)


def groups_of(asked: Asked) -> dict[str, Group]:
    """Return the group of conversations behind every key, including the flow's links."""
    links, _ = ribbons(asked)
    return {
        **asked.behind.groups,
        **gold_groups(asked),
        **{link["drill"]: Group(link["total"], tuple(link["places"])) for link in links},
    }


def drills(
    asked: Asked, groups: Mapping[str, Group], at: Mapping[int, int], shown: Sequence[Example]
) -> dict[str, Drill]:
    """The drill-downs by key. `at` gives the number among those `shown` of the conversation at each place."""
    found: dict[str, Drill] = {}
    for key, group in groups.items():
        title, kinds = titled(asked, key)
        examples = sorted(at[place] for place in group.places)
        focus = [event_key(kind) for kind in kinds]
        last = key.startswith("ended:")
        found[key] = Drill(title, group.total, examples, focus, _quotes([shown[n] for n in examples], focus, last=last))
    return found


def _quotes(conversations: Iterable[Example], focus: Sequence[str], *, last: bool) -> list[str]:
    """Quotes of these events, the first or the last of each conversation."""
    found: list[str] = []
    for one in conversations:
        for turn in reversed(one["turns"]) if last else one["turns"]:
            hit = {n for n, event in enumerate(turn["events"]) if event["key"] in focus}
            said = "".join(text for text, events in turn["parts"] if hit & set(events)).strip()
            if said and said not in found:
                found.append(said if len(said) <= LONGEST_QUOTE else f"{said[:LONGEST_QUOTE].rstrip()}…")
                break
        if len(found) == QUOTES:
            break
    return found


def titled(asked: Asked, key: str) -> Titled:
    """Return the title of a key, and the events in focus."""
    prefix, _, rest = key.partition(":")
    return (TITLES[prefix](asked, rest)) if prefix in TITLES else (PLAIN[prefix], ())


def _kinds(asked: Asked, rest: str) -> list[int]:
    return [number for number in map(int, rest.split(":")) if number]


def _name(asked: Asked, number: int) -> str:
    kind: Kind | None = asked.kinds.get(number)
    return kind.event_type if kind else ""


def _path(asked: Asked, rest: str) -> Titled:
    kinds = _kinds(asked, rest)
    return ARROW.join(_name(asked, kind) for kind in kinds), kinds


def _event(asked: Asked, rest: str) -> Titled:
    return _name(asked, int(rest)), [int(rest)]


def _pair(asked: Asked, rest: str) -> Titled:
    first, then = map(int, rest.split(":"))
    return f"{_name(asked, first) or '(begin)'}{ARROW}{_name(asked, then) or '(end)'}", _kinds(asked, rest)


def _mix(asked: Asked, rest: str) -> Titled:
    bucket, _, kind = rest.partition(":")
    return f"{_name(asked, int(kind))}, {_from(asked, bucket)}", [int(kind)]


def _from(asked: Asked, bucket: str) -> str:
    said = words.day(date.fromisoformat(bucket))
    return said if asked.unit == "day" else f"{asked.unit} from {said}"


def _judged(asked: Asked, rest: str) -> Titled:
    criterion, verdict, said = rest.split(":", 2)
    return f"{criterion} {verdict}: {said}", ()


def _property(asked: Asked, rest: str) -> Titled:
    kind, name, value = rest.split(":", 2)
    return f"{_name(asked, int(kind))}, {name}: {value.removeprefix('=') or 'words of their own'}", [int(kind)]


def _friction(asked: Asked, rest: str) -> Titled:
    return f"Friction at message {int(rest) + 1}", [asked.behind.numbers[kind] for kind in asked.behind.friction]


def _hour(asked: Asked, rest: str) -> Titled:
    weekday, _, hour = rest.partition(":")
    return f"Begun on a {WEEKDAYS[int(weekday) - 1]} at {int(hour):02}:00", ()


def _length(asked: Asked, rest: str) -> Titled:
    (band,) = [one for one in asked.lengths if one.messages_from == int(rest)]
    return f"{rest} messages and more" if band.messages_to is None else f"{rest} to {band.messages_to} messages", ()


def _turn(asked: Asked, rest: str) -> Titled:
    return f"Ended at the user's message {rest}", ()


def _flow(asked: Asked, rest: str) -> Titled:
    step, names = rest.split(":", 1)
    first, _, then = names.rpartition(":")
    return f"Message {int(step) + 1}: {first}{ARROW}{then}", [
        n for n, kind in asked.kinds.items() if kind.event_type in (first, then)
    ]


def _change(asked: Asked, rest: str) -> Titled:
    day, side, figure = rest.split(":", 2)
    said = f"{side} {words.day(date.fromisoformat(day))}"
    if figure.startswith("event:"):
        name, kinds = _event(asked, figure.removeprefix("event:"))
        return f"{name}, {said}", kinds
    return f"{FIGURES[figure]}, {said}", ()


def _before(words_before: str, then: Callable[[Asked, str], Titled]) -> Callable[[Asked, str], Titled]:
    def title(asked: Asked, rest: str) -> Titled:
        said, kinds = then(asked, rest)
        return f"{words_before} {said}", kinds

    return title


PLAIN = {
    "all": "All conversations",
    "with-user": "Conversations of known users",
    "scored": "Scored conversations",
    "good": "Good conversations",
    "bad": "Bad conversations",
    "dealbreaker": "Conversations with a dealbreaker",
    "first-bad": "Users whose first judged conversation was bad",
    "first-other": "Users whose first judged conversation was not bad",
}
TITLES: dict[str, Callable[[Asked, str], Titled]] = {
    "event": _event,
    "gold": gold_title,
    "scored-event": _before("Scored conversations with", _event),
    "change": _change,
    "bad-event": _before("Bad conversations with", _event),
    "mix": _mix,
    "on": lambda asked, rest: (f"Conversations of {_from(asked, rest)}", ()),
    "scored-on": lambda asked, rest: (f"Scored conversations of {_from(asked, rest)}", ()),
    "pair": _pair,
    "ending": _before("Ended with", _path),
    "bad-ending": _before("Ended badly with", _path),
    "good-ending": _before("Ended well with", _path),
    "ended": _before("Ended after", _path),
    "judged": _judged,
    "delivered": lambda asked, rest: (f"Delivered and confirmed: {rest}", ()),
    "property": _property,
    "friction": _friction,
    "hour": _hour,
    "bad-hour": _before("Bad:", _hour),
    "flow": _flow,
    "score": lambda asked, rest: (f"Score from {rest} to {int(rest) + 10}", ()),
    "length": _length,
    "bad-length": _before("Bad:", _length),
    "turn": _turn,
    "bad-turn": _before("Bad:", _turn),
    "topic": topic_title,
    "topic-group": topic_title,
    "cost": lambda asked, rest: (f"Asked: {rest}", ()),
    "failure": lambda asked, rest: (f"Failed: {rest}", ()),
}
