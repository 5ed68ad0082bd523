"""The base of the figures: coverage, versions, costs and failures; and whether users came back."""

from dataclasses import dataclass
from datetime import date

from cpa_core.insights.selection import Selection
from cpa_core.insights.statistics import Estimate, Rate, UnitSums, difference, rate, share

WITHIN = 14
"""Days within which a user counts as having come back."""


@dataclass(frozen=True)
class Coverage:
    """How many of a day's conversations are tagged, judged and scored. `refused` were refused by a model for good."""

    day: date
    conversations: int
    tagged: Rate
    judged: Rate
    scored: Rate
    refused: int
    messages_with_event: Rate


@dataclass(frozen=True)
class Version:
    """The schema, prompt and model of tagged conversations, with the days: figures across versions may not compare."""

    schema_version: str
    prompt_id: str
    model: str
    first_day: date
    last_day: date
    conversations: int


@dataclass(frozen=True)
class Cost:
    """The cost of asking about the conversations by task and model, in US dollars; null is unknown."""

    task: str
    model: str
    calls: int
    conversations: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None


@dataclass(frozen=True)
class Failed:
    """Conversations that a stage failed on, and whether it may pass."""

    stage: str
    reason: str
    retryable: bool
    conversations: int


@dataclass(frozen=True)
class Returns:
    """Users who came back within `within` days of their first judged conversation, by its score.

    `too_recent` users are left out: their return is not known yet.
    """

    within: int
    after_bad: Rate
    after_other: Rate
    difference: Estimate
    too_recent: int


def coverage(of: Selection) -> tuple[Coverage, ...]:
    """The coverage of each day that has conversations, in order."""
    found: list[Coverage] = []
    for row in of.answer("coverage"):
        rates = {name: rate(row[name], row["conversations"]) for name in ("tagged", "judged", "scored")}
        words = rate(row["messages_with_event"], row["messages"])
        found.append(
            Coverage(row["day"], row["conversations"], **rates, refused=row["refused"], messages_with_event=words)
        )
    return tuple(found)


def versions(of: Selection) -> tuple[Version, ...]:
    """The schemas, prompts and models of the tags, by their first day."""
    return tuple(Version(**row) for row in of.answer("versions"))


def costs(of: Selection) -> tuple[Cost, ...]:
    """The costs by task and model."""
    return tuple(Cost(**row) for row in of.answer("costs"))


def failures(of: Selection) -> tuple[Failed, ...]:
    """Return the failures, the most frequent first."""
    return tuple(Failed(**row) for row in of.answer("failures"))


def returns(of: Selection, within: int = WITHIN) -> Returns:
    """Whether users came back, after a bad conversation and after another. Only users with an id are known."""
    rows = of.answer("returns", within=within)
    known = {row["is_bad"]: share(UnitSums(**row["of_users"])) for row in rows if not row["is_too_recent"]}
    bad, other = known.get(True, rate(0, 0)), known.get(False, rate(0, 0))
    too_recent = sum(row["users"] for row in rows if row["is_too_recent"])
    return Returns(within, bad, other, difference(bad, other), too_recent)
