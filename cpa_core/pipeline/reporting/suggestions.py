"""Asking a model for a change to each issue of a report; an answered question is not paid for again."""

from collections.abc import Sequence
from functools import partial

from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.label.one_off import inquiry
from cpa_core.suggesting import Evidence, Suggestion, suggest


def suggestions(assistant: Assistant, evidence: Sequence[Evidence]) -> dict[str, Suggestion]:
    """Suggestions by the issue's id; an issue without a valid answer has none. Raises the errors of asking."""
    if not evidence:
        return {}
    model = assistant.model("suggest")
    found: dict[str, Suggestion] = {}
    with inquiry(assistant, "suggest") as made, assistant.progress("suggest", len(evidence)) as advance:
        for one in evidence:
            suggestion, _ = made.settled(partial(suggest, one, model), lambda ended: ended[0] is not None)
            if suggestion:
                found[one.issue] = suggestion
            advance()
    return found
