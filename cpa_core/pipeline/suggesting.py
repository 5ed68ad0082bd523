"""Asking a model for a change to each issue of a report; what was answered once is not paid for again."""

from collections.abc import Sequence
from contextlib import closing

from cpa_core.llm import About, Engine
from cpa_core.pipeline.context import Assistant
from cpa_core.pipeline.spending import budgets, limiter, reserve, tariff
from cpa_core.store import AnswerBook
from cpa_core.suggesting import Evidence, Suggestion, question, suggest


def suggestions(assistant: Assistant, evidence: Sequence[Evidence]) -> dict[str, Suggestion]:
    """Suggestions by the issue's id; an issue without a valid answer has none. Raises what asking raises."""
    if not evidence:
        return {}
    model = assistant.model("suggest")
    about = About(day="", conversation_id="")
    found: dict[str, Suggestion] = {}
    with (
        closing(AnswerBook(assistant.store, f"{assistant.run_id}-suggest")) as book,
        assistant.progress("suggest", len(evidence)) as advance,
    ):
        book.preload([question(one, model).hash for one in evidence], [])
        own = tariff(assistant, "suggest", model)
        limits = limiter(assistant, model)
        engine = Engine(
            assistant.provider_of(model), book, limits, own.price, reserve(budgets(assistant, own), lambda _: own)
        )
        for one in evidence:
            suggestion, _ = suggest(one, model, lambda request, check: engine.ask(request, check, about))
            if suggestion:
                found[one.issue] = suggestion
            advance()
    return found
