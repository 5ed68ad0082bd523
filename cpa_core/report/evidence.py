"""The evidence of each issue for a model: only the report's own contents."""

from collections.abc import Iterable, Mapping, Sequence

from cpa_core.insights import Issue
from cpa_core.models import EventSchema
from cpa_core.report import words
from cpa_core.report.document import Drill
from cpa_core.report.examples import Example
from cpa_core.report.sections import Asked
from cpa_core.report.sections.issues import WRONG, drill_of, title
from cpa_core.suggesting import Evidence, Quoted

MOST_ISSUES = 5
"""Issues that a change is suggested for: the most costly ones."""

MOST_QUOTES = 12


def evidence_of(
    asked: Asked, schema: EventSchema, drills: Mapping[str, Drill], shown: Sequence[Example]
) -> list[Evidence]:
    """The evidence of the most costly issues."""
    return [_evidence(asked, issue, schema, drills, shown) for issue in asked.issues[:MOST_ISSUES]]


def _evidence(
    asked: Asked, issue: Issue, schema: EventSchema, drills: Mapping[str, Drill], shown: Sequence[Example]
) -> Evidence:
    drill = drills.get(drill_of(asked, issue) or "")
    examples = [shown[n] for n in drill.examples] if drill else []
    quotes = _quotes(examples, drill.focus) if drill and drill.focus else _findings(examples, issue.words)
    kinds = [schema.find(kind.event_type, kind.role) for kind in issue.kinds]
    return Evidence(
        issue=issue.id,
        name=schema.name,
        description=schema.description,
        goals=tuple(schema.criteria.goals().values()),
        what=title(issue),
        how=f"{WRONG[issue.cause].capitalize()}.",
        figures=_figures(issue),
        definitions=tuple(f"{kind.name} ({kind.role}): {kind.definition}" for kind in kinds if kind),
        quotes=tuple(quotes[: 2 * MOST_QUOTES]),
    )


def _figures(issue: Issue) -> str:
    unit = "steps" if issue.cause == "path" else "conversations"
    seen = f"Seen in {words.rate_of(issue.met).split(' · ')[0]} {unit}."
    if issue.cause == "dealbreaker":
        return seen
    return f"{seen} These end so more often by {words.change(issue.badness, ' points', 100)}."


def _quotes(examples: Iterable[Example], focus: Sequence[str]) -> list[Quoted]:
    """Return the quotes of these events, each with its reason, one from each conversation."""
    found: list[Quoted] = []
    for one in examples:
        for turn in one["turns"]:
            hit = {n for n, event in enumerate(turn["events"]) if event["key"] in focus}
            said = "".join(text for text, events in turn["parts"] if hit & set(events)).strip()
            if hit and said:
                found.append(Quoted(role=turn["role"], text=said))
                reason = turn["events"][min(hit)]["because"]
                found += [Quoted(role="reason", text=reason)] if reason else []
                break
    return found


def _findings(examples: Iterable[Example], criterion: str) -> list[Quoted]:
    """Return the judge's quotes for a dealbreaker, with the reasons."""
    found: list[Quoted] = []
    for one in examples:
        for finding in one["judgment"]["findings"] if one["judgment"] else ():
            if finding["criterion"] == criterion and finding["verdict"] == "hit":
                said = (("conversation", finding["quote"]), ("reason", finding["because"]))
                found += [Quoted(role=role, text=text) for role, text in said if text]
    return found
