"""Suggesting a change for one issue from its evidence: a model writes it, and the report labels it as such."""

from collections.abc import Sequence
from typing import Any

from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import answer_object, closed
from cpa_core.llm import Ask, ModelName, Reply, Request
from cpa_core.models import Value
from cpa_core.prompts import json_line, render

REPAIRS = 2
"""Times that an invalid suggestion is asked for again."""


class Quoted(Value):
    """Words that the report shows: a message's, or the reason why it was tagged so."""

    role: str
    text: str


class Evidence(Value):
    """One issue as the report shows it, by its id, and no more of the conversations than is in the report."""

    issue: str
    name: str
    description: str
    goals: tuple[str, ...]
    what: str
    how: str
    figures: str
    definitions: tuple[str, ...]
    quotes: tuple[Quoted, ...]


class Suggestion(Value):
    """A model's suggestion for an issue: the change, the reason, and the numbers of the quotes it relies on, from 1."""

    issue: str
    because: str
    change: str
    quotes: tuple[int, ...]
    model: str


def suggest(evidence: Evidence, model: ModelName, ask: Ask) -> tuple[Suggestion | None, Reply]:
    """A suggestion, or none and the reply that ended it. Raises what `ask` raises."""
    problem = ""
    for _ in range(1 + REPAIRS):
        reply = ask(question(evidence, model, problem), lambda text: _check(text, evidence))
        if reply.outcome == "ok":
            return read(reply.text, evidence, str(model)), reply
        if reply.outcome != "invalid":
            break
        problem = reply.detail
    return None, reply


def question(evidence: Evidence, model: ModelName, problem: str = "") -> Request:
    """The question about one issue; `problem` says what was wrong with the previous answer."""
    system, user = render(
        "suggest",
        {},
        {
            "name": evidence.name,
            "description": evidence.description,
            "goals": _listed(evidence.goals),
            "what": evidence.what,
            "how": evidence.how,
            "figures": evidence.figures,
            "definitions": _listed(evidence.definitions),
            "quotes": "\n".join(
                json_line({"m": n, "role": one.role, "text": one.text}) for n, one in enumerate(evidence.quotes, 1)
            ),
            "correction": f"\nYour last answer could not be used: {problem}" if problem else "",
        },
    )
    return Request(
        task="suggest",
        provider=model.provider,
        model=model.model,
        system=system,
        user=user,
        json_schema=json_schema(),
        max_tokens=1_500,
    )


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts) or "(none)"


def json_schema() -> dict[str, Any]:
    """The shape of the answer, evidence and reason before the change."""
    numbers = {"type": "array", "items": {"type": "integer"}}
    return closed({"quotes": numbers, "because": {"type": "string"}, "change": {"type": "string"}})


def read(text: str, evidence: Evidence, model: str) -> Suggestion:
    """The suggestion in an answer. Raises ReplyInvalid: a text is missing, or it names a quote that does not exist."""
    tree = answer_object(text)
    for name in ("because", "change"):
        if not isinstance(tree.get(name), str) or not tree[name].strip():
            raise ReplyInvalid(f"{name}: text is needed")
    numbers = tree.get("quotes")
    if not isinstance(numbers, list) or not all(isinstance(n, int) for n in numbers):
        raise ReplyInvalid("quotes: numbers of quotes are needed")
    if not all(1 <= n <= len(evidence.quotes) for n in numbers):
        raise ReplyInvalid("quotes: a number that no quote has")
    if evidence.quotes and not numbers:
        raise ReplyInvalid("quotes: at least one is needed")
    return Suggestion(
        issue=evidence.issue,
        because=tree["because"].strip(),
        change=tree["change"].strip(),
        quotes=tuple(dict.fromkeys(numbers)),
        model=model,
    )


def _check(text: str, evidence: Evidence) -> None:
    read(text, evidence, "")
