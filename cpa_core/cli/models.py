"""`cpa check model`, and the recorded abilities of servers of chat completions."""

from collections.abc import Iterator, Sequence
from datetime import date

from cpa_core.cli.facts import Done, ModelFacts
from cpa_core.cli.screen import say
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.model_check import ModelCheck, check_model
from cpa_core.prompts import Task
from cpa_core.providers.advice import answer_advice
from cpa_core.providers.foreign import is_foreign
from cpa_core.settings import Settings
from cpa_core.store.database import Row

NOT_THE_FORM = (
    "the model answered, but not in the form that was asked for: one JSON object by the schema of the question, in "
    "which the list `messages` has an entry for each message; the line above names the place in its answer, and what "
    "is wrong there. A run can use no such answer: try a larger model (CPA_MODEL)"
)
"""The explanation of an answer that breaks its schema."""
FORMS = {
    "strict": "takes a JSON schema",
    "lax": "reads a JSON schema",
    "json_object": "promises JSON only; the schema is written into the prompt",
    "prompt": "promises nothing; the schema is written into the prompt",
}


def check_model_command(given: Settings) -> Done:
    """Ask one small question; print what the server can do, its speed and the estimated cost of a day."""
    found = check_model(Assistant.of(given))
    say(*check_lines(found, given))
    if given.schema_path and not given.schema_path.exists():
        say(f"schema: {given.schema_path} is not there; the questions were those of an example's schema")
    return Done(0 if found.outcome == "ok" else 1, ModelFacts(check=found))


def check_lines(found: ModelCheck, given: Settings) -> Iterator[str]:
    """Return a check's result as lines: the outcome, the server's abilities, speed, and the cost of a day."""
    where = f" at {found.address}" if found.address else ""
    if found.outcome == "ok":
        yield f"{found.model}{where}: answers as a run needs it (calls: {found.calls})"
    else:
        yield f"{found.model}{where}: {found.outcome}: {found.detail} (calls: {found.calls})"
        if found.outcome == "invalid" and not is_foreign(found.detail):
            yield NOT_THE_FORM
        if words := answer_advice(found.detail, found.model.partition(":")[0], given):
            yield words
    if found.abilities:
        form, thinks = found.abilities.structured, "; the model reasons first" if found.abilities.reasons else ""
        yield f"server: {FORMS[form]} (CPA_COMPATIBLE_STRUCTURED={form}){thinks}; remembered for the runs"
    elif found.outcome == "invalid" and found.model.startswith("compatible:"):
        yield "server: no form of a question brought an answer of the schema's shape; try another model (CPA_MODEL)"
    speed = f", {found.speed:.0f} tokens a second" if found.speed else ", the server counts no tokens"
    yield f"speed: {found.seconds:.1f} s for the last call{speed}"
    if found.day is None:
        yield "cost of a day: not known without conversations; name them: cpa check model SOURCE"
        return
    money = "unknown price (CPA_PRICES)" if found.day.cost is None else f"at most about ${found.day.cost:.2f}"
    hours = found.day.hours
    long = f"{hours:.1f} hours" if hours and hours >= 1 else f"{60 * (hours or 0):.1f} minutes"
    took = f", about {long} with CPA_CONCURRENCY={given.concurrency}" if hours else ""
    yield f"cost of a day: {found.day.day}, {found.day.conversations} conversations: {money}{took}"


def server_lines(rows: Sequence[Row]) -> list[str]:
    """Return one line for each model at a server of chat completions: the form of question that works there."""
    return [
        f"server: {row['endpoint']}: {row['model']}: {FORMS[row['structured']]}"
        f" (CPA_COMPATIBLE_STRUCTURED={row['structured']}){'; reasons first' if row['reasons'] else ''},"
        f" found out {row['found_at']:%Y-%m-%d %H:%M}"
        for row in rows
    ]


def address_lines(assistant: Assistant, days: Sequence[date]) -> list[str]:
    """Where questions of these days were answered in the form of another API: what was asked, and what to try."""
    with assistant.store.reading() as view:
        failed = view.answer("status/failures_of_days", days=list(days))
    tasks: tuple[Task, ...] = ("tag", "judge")
    said = (
        answer_advice(row["detail"], assistant.model(task).provider, assistant.settings)
        for task in tasks
        for row in failed
        if row["stage"] == task
    )
    return list(dict.fromkeys(words for words in said if words))
