"""Proposing an event schema from a sample of conversations, for people to edit."""

from collections.abc import Iterator, Sequence
from itertools import islice

from cpa_core.llm import Ask, ModelName, Request
from cpa_core.models import Criteria, EventSchema, EventType, Property
from cpa_core.proposing.consolidating import MOST_CANDIDATES, MOST_TYPES, Made, Told, consolidate
from cpa_core.proposing.consolidating import question as consolidation
from cpa_core.proposing.counting import Counted, counted
from cpa_core.proposing.drafting import BatchDraft, CandidateType, draft, question
from cpa_core.proposing.sampling import SAMPLE_CONVERSATIONS, Sample, sample
from cpa_core.proposing.writing import completed, written
from cpa_core.schema import are_near

__all__ = [
    "SAMPLE_CONVERSATIONS",
    "Counted",
    "Made",
    "Sample",
    "completed",
    "counted",
    "drafting_questions",
    "full_schema",
    "propose",
    "sample",
    "written",
]

USUAL_WORDS = "The user says in words of their own what has happened, what they need, and what they have tried so far."
"""A text of the usual length of a definition."""


def drafting_questions(shown: Sample, catalogue: EventSchema, model: ModelName) -> list[Request]:
    """Return roughly the questions of a proposal: a catalogue stands for the types that later questions will know."""
    types = [CandidateType(event_type=one) for one in catalogue.event_types]
    drafts = [question(batch, model, types if n else ()) for n, batch in enumerate(shown.batches)]
    return [*drafts, consolidation([], types, model)]


def full_schema() -> EventSchema:
    """Return a schema of the most types that a proposal can have, to estimate the cost of a catalogue."""
    topic = Property(name="Topic", definition="What it is about.", choices=tuple(f"Topic {n}" for n in range(6)))
    kinds = [(role, n) for role, most in MOST_TYPES.items() for n in range(most)]
    types = [EventType(name=f"Kind {n}", definition=USUAL_WORDS, role=role, properties=(topic,)) for role, n in kinds]
    goals = tuple(f"Goal {n}: {USUAL_WORDS}" for n in range(3))
    criteria = Criteria(primary_goals=goals, secondary_goals=goals, dealbreakers=goals)
    return EventSchema(name="Assistant", description=USUAL_WORDS, criteria=criteria, event_types=tuple(types))


def propose(shown: Sample, base: EventSchema | None, model: ModelName, ask: Ask, about: str = "") -> Made:
    """A schema from a sample: a draft of each batch with the types known so far, and one consolidation of all.

    With a `base`, it is the base plus the types that the sample adds. `about` is the team's statement of its purpose.
    Null if no answer is valid, with the last reply. Raises what `ask` raises.
    """
    owned = len(base.event_types) if base else 0
    known = [CandidateType(event_type=one) for one in base.event_types] if base else []
    drafts: list[BatchDraft] = []
    for batch in shown.batches:
        found, reply = draft(batch, known, model, ask, about)
        if found is None:
            return Made(None, reply)
        drafts.append(found)
        known = _mended(known, found, owned)
        known += islice(_new(known, found.candidates), max(0, MOST_CANDIDATES - len(known)))
    candidates = known[owned:]
    if base and not candidates:
        return Made(base, reply)
    told = Told(about, len(shown.conversations))
    made = consolidate(drafts, candidates, model, ask, told)
    if made.schema is None or base is None:
        return made
    added = _beside(base.event_types, made.schema.event_types)
    repeated = [one for one in made.schema.event_types if one not in added]
    words = tuple(
        f"{one.name} ({one.role}) was left out: the schema has a type that says nearly the same" for one in repeated
    )
    whole = base.model_copy(update={"event_types": (*base.event_types, *added)})
    return made._replace(schema=whole, joined=(*made.joined, *words))


def _mended(known: Sequence[CandidateType], found: BatchDraft, owned: int) -> list[CandidateType]:
    """Return the known types with a later batch's changes. The first `owned` are people's, and stay unchanged."""
    mended = list(known)
    for n, seen, definition in found.known:
        one = mended[n - 1]
        own = one.event_type
        if definition and n > owned:
            own = own.model_copy(update={"definition": definition})
        mended[n - 1] = one.model_copy(update={"seen": one.seen + max(seen, 0), "event_type": own})
    return mended


def _new(known: Sequence[CandidateType], found: Sequence[CandidateType]) -> Iterator[CandidateType]:
    """Yield the types that are not known literally."""
    types = [one.event_type for one in known]
    for one in found:
        if one.event_type not in types:
            yield one


def _beside(base: Sequence[EventType], found: Sequence[EventType]) -> list[EventType]:
    """Return the types that repeat none of the base. The base stays as people wrote it."""
    return [one for one in found if not any(one.role == own.role and are_near(own, one) for own in base)]
