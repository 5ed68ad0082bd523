"""The totals of a landing over its parts, its warnings, and its result."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice

from cpa_core.models import Value
from cpa_core.pipeline.landing.fetch import Parsed
from cpa_core.pipeline.landing.roles import roles_warning
from cpa_core.pipeline.landing.unlanded import Unlanded
from cpa_core.settings import Settings
from cpa_core.sources.reject_table import lost
from cpa_core.store.database import Row

MOST_NOTES = 5
"""Notes about files that a landing prints."""
CONTRADICTED = "another object, newer, says something else under the same ids"


class Landed(Value):
    """The result of a landing. `lost` counts records rejected now that contain a person's text.

    `removed` lists objects that have disappeared since the last landing; their messages stay. `warnings` list
    assumptions and suspicious findings. `untold` counts conversations that cannot be distinguished from known ones:
    each stays separate.
    """

    objects: int
    read: int
    skipped: int
    others: tuple[str, ...]
    removed: tuple[str, ...]
    records: int
    rejected: int
    lost: int
    problems: tuple[str, ...]
    days: tuple[date, ...]
    warnings: tuple[str, ...] = ()
    untold: int = 0


@dataclass(frozen=True)
class PartWritten:
    """The changes of one part: days, and the contradictions that it caused or ended."""

    days: frozenset[date] = frozenset()
    contradicting: tuple[Row, ...] = ()
    agreeing: tuple[Row, ...] = ()
    spanning: Mapping[str, tuple[date, date]] = field(default_factory=dict)


@dataclass
class LandingTotals:
    """The totals over the parts of a landing."""

    found: Unlanded
    read: int = 0
    records: int = 0
    harmless: int = 0
    problems: list[str] = field(default_factory=list)
    contradictions: dict[tuple[str, ...], str] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    spanning: dict[str, tuple[date, date]] = field(default_factory=dict)
    zoneless: int = 0
    untagged: Counter[str] = field(default_factory=Counter)
    untold: int = 0
    guessed: int = 0
    notes: list[str] = field(default_factory=list)
    future: int = 0
    latest: datetime | None = None
    outdated: int = 0

    def add(self, part: Sequence[Parsed], wrote: PartWritten) -> None:
        """Add a part of the landing."""
        self.read += sum(p.arrived and not p.within for p in part)
        self.records += sum(p.records for p in part)
        self.harmless += sum(len(p.rejects) - len(lost(p.rejects)) for p in part)
        self.problems += [p.problem for p in part if p.problem]
        self.problems += [f"{p.object.uri}: {r.place}: {r.reason}" for p in part for r in lost(p.rejects)]
        self.days |= wrote.days
        self.spanning.update(wrote.spanning)
        self.zoneless += sum(p.zoneless for p in part)
        self.untold += sum(p.untold for p in part)
        self.guessed += sum(p.guessed for p in part)
        for p in part:
            self.untagged.update(p.untagged)
        self.notes += [note for p in part for note in p.notes]
        self.future += sum(p.future for p in part)
        self.outdated += sum(p.outdated for p in part)
        self.latest = max((at for at in (self.latest, *(p.latest for p in part)) if at), default=None)
        for row in wrote.agreeing:
            self.contradictions.pop(place_of(row), None)
        for row in wrote.contradicting:
            self.contradictions[place_of(row)] = f"{row['uri']}: {row['place']}: {CONTRADICTED}"

    def landed(self, given: Settings) -> Landed:
        """Return the result of the landing."""
        problems = (*self.problems, *self.contradictions.values())
        return Landed(
            objects=len(self.found.listing.objects),
            read=self.read,
            skipped=self.found.listing.skipped,
            others=self.found.listing.others,
            removed=self.found.removed,
            records=self.records,
            rejected=len(problems) + self.harmless,
            lost=len(problems),
            problems=problems,
            days=tuple(sorted(self.days)),
            warnings=tuple(self.warnings(given)),
            untold=self.untold,
        )

    def warnings(self, given: Settings) -> Iterator[str]:
        """Yield the assumptions and suspicious findings, a line each."""
        if self.untold:
            yield (
                f"{self.untold:,} conversations cannot be told apart from known ones, and were taken as new: they "
                "begin alike, and name neither a user nor a start that would tell"
            )
        if self.guessed:
            yield (
                f"{self.guessed:,} calls without a session and user were taken as the next ones of conversations that "
                "begin with words that many people say. If not all calls were logged, two people may be one: log a "
                "session or user id"
            )
        yield from self.notes[:MOST_NOTES]
        if len(self.notes) > MOST_NOTES:
            yield f"{len(self.notes) - MOST_NOTES:,} more files with such notes"
        if self.untagged:
            yield roles_warning(self.untagged)
        if self.outdated:
            yield (
                f"{self.outdated:,} messages were left out: they are older than what this home keeps (cpa forget "
                "--older-than, CPA_KEEP_DAYS)"
            )
        if self.latest:
            yield (
                f"{self.future:,} messages have times in the future, the latest {self.latest:%Y-%m-%dT%H:%M:%SZ}; "
                "vendors rewrite such times or drop the events; is the clock right, and the order of day and month?"
            )
        if self.zoneless:
            yield f"{self.zoneless:,} times without a zone were taken as {given.assumed_zone} (CPA_ASSUMED_ZONE)"
        for name, (first, last) in islice(self.spanning.items(), 1):
            yield (
                f"{len(self.spanning):,} conversations are all that a user ever said, over days ({name}: {first} to "
                f"{last}): --session-gap 30 (CPA_SESSION_GAP) cuts them after 30 silent minutes"
            )


def place_of(row: Row) -> tuple[str, ...]:
    """Return the object and the place in it of a contradiction."""
    return row["uri"], row["etag"], row["place"]
