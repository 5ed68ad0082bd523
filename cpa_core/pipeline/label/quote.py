"""Quotes of the due days' cost, before anything is spent."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from cpa_core.llm import ModelName, Request
from cpa_core.models import EventSchema, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.batches.states import AWAITED
from cpa_core.pipeline.budget import tariff
from cpa_core.pipeline.build import build_days
from cpa_core.pipeline.label.questions import questions_and_names
from cpa_core.pipeline.schema.current import read_schema
from cpa_core.store.database import as_json


class QuoteLine(Value):
    """One task by one model. `cost` is in US dollars at list price without any caching, null when unknown.

    `answered` questions have an answer in the ledger; `repeated` ones are equal to another, and share its answer.
    """

    task: str
    model: str
    questions: int
    answered: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    repeated: int = 0


class Quote(Value):
    """The quote of days; `calibrated` is true if lengths of this model's own answers were used."""

    days: tuple[date, ...]
    lines: tuple[QuoteLine, ...]
    calibrated: bool

    @property
    def cost(self) -> float | None:
        """US dollars over all lines, null when any is unknown."""
        known = [line.cost for line in self.lines if line.cost is not None]
        return sum(known) if len(known) == len(self.lines) else None


def quote(
    assistant: Assistant,
    days: Sequence[date],
    schema: EventSchema | None = None,
    *,
    retag: bool = True,
    builds: bool = True,
) -> Quote:
    """Count the questions of the days, built now, by the schema of the settings or by another.

    Without `builds`, the days are counted as they were built last, and nothing is written. Nothing is spent. Raises
    SchemaError, SettingsError.
    """
    schema = schema or read_schema(assistant)[0]
    groups: defaultdict[tuple[str, str, str], list[Request]] = defaultdict(list)
    names: dict[str, str] = {}
    built: set[date] = set()
    with assistant.progress("quote", len(days)) as advance:
        for n, day in enumerate(days):
            if builds and day not in built:
                built |= build_days(assistant, days[n:]).keys()
            for request, name in questions_and_names(assistant, day, schema, retag=retag):
                groups[request.task, request.provider, request.model].append(request)
                names[request.hash] = name
            advance()
    lines = [quote_line(assistant, *key, requests, names) for key, requests in sorted(groups.items())]
    return Quote(days=tuple(days), lines=tuple(line for line, _ in lines), calibrated=all(own for _, own in lines))


def quote_line(
    assistant: Assistant,
    task: str,
    provider: str,
    model: str,
    requests: Sequence[Request],
    names: Mapping[str, str] | None = None,
) -> tuple[QuoteLine, bool]:
    """Return the quote of one task's questions, and whether it used lengths of the model's own answers.

    `names` maps the questions' hashes to those of their answers; null means that they are the same.
    """
    by_hash = {(names or {}).get(request.hash, request.hash): request for request in requests}
    by_hash |= {request.hash: request for request in requests}
    with assistant.store.reading() as view:
        kept = view.answer("label/answers_to_reuse", hashes=as_json(by_hash), conversations="[]")
        kept += view.answer("batches/questions_in_batches", awaited=sorted(AWAITED))
    answered = {by_hash[row["request_hash"]].hash for row in kept if row["request_hash"] in by_hash}
    asked = [request for key, request in by_hash.items() if key == request.hash and key not in answered]
    known = sum(request.hash in answered for request in requests)
    own = tariff(assistant, task, ModelName(provider=provider, model=model))
    usage = own.usage(asked)
    line = QuoteLine(
        task=task,
        model=f"{provider}:{model}",
        questions=len(asked),
        answered=known,
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
        cost=own.cost(asked),
        repeated=len(requests) - known - len(asked),
    )
    return line, own.usual is not None
