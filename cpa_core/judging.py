"""Judging: one question for a conversation, a verdict for every criterion, and a score that code computes."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import answer_object, closed, listed, locate, shown_values
from cpa_core.llm import Ask, ModelName, Request
from cpa_core.models import (
    Conversation,
    DealbreakerFinding,
    EventSchema,
    Intent,
    Judgment,
    Outcome,
    Value,
    Verdict,
)
from cpa_core.prompts import known, render, transcript, words

REPAIRS = 2
"""Times that an invalid answer is asked for again."""

Finding = TypeVar("Finding", Verdict, DealbreakerFinding)

INTENT_WORDS = 12
"""Words of an intent; further ones are cut off."""
DELIVERED = ("yes", "partly", "no", "cannot tell")
"""Whether the user got what they wanted."""
WEIGHTS = {"P": 3.0, "S": 2.0, "T": 1.0}
WORTH = {"met": 1.0, "partly": 0.5, "missed": 0.0}
DEALBREAKER_CAP = 20.0


class Judged(Value):
    """The result of judging one conversation. `cost` is in US dollars, null when a price is unknown.

    `wrong` is the last disallowed verdict of the model, shortened, without words of a message.
    """

    outcome: Outcome
    detail: str
    judgment: Judgment | None
    questions: int
    cost: float | None
    wrong: tuple[str, ...] = ()


def judge_conversation(conversation: Conversation, schema: EventSchema, model: ModelName, ask: Ask) -> Judged:
    """Judge a conversation by the schema's criteria; the tags are not read. Raises what `ask` raises."""
    costs: list[float | None] = []
    problem = wrong = ""
    held: Judgment | None = None

    @cache
    def found(text: str) -> tuple[Judgment, str]:
        return read(text, conversation, schema)

    for round_ in range(1 + REPAIRS):
        request = question(conversation, schema, model, problem)
        reply = ask(request, lambda text: _check(found, text))
        costs.append(reply.cost)
        if reply.is_cut_off:
            reply = ask(request.roomier(), lambda text: _check(found, text))
            costs.append(reply.cost)
        if reply.outcome not in ("ok", "invalid"):
            is_lost = held is None or reply.outcome == "error"
            return _judged(reply.outcome, reply.detail, None, costs) if is_lost else _judged("ok", "", held, costs)
        try:  # an answer that an earlier version kept may break a rule of this one
            held, problem = found(reply.text)
        except ReplyInvalid as invalid:
            wrong = invalid.value
            problem = str(invalid) if reply.text else reply.detail
        if held and (round_ > 0 or not problem):
            return _judged("ok", "", held, costs)
    shown = shown_values([wrong], [message.content for message in conversation.messages])
    return _judged("invalid", problem, None, costs).model_copy(update={"wrong": shown})


def _check(found: Callable[[str], tuple[Judgment, str]], text: str) -> None:
    found(text)


def _judged(outcome: Outcome, detail: str, judgment: Judgment | None, costs: list[float | None]) -> Judged:
    known = [cost for cost in costs if cost is not None]
    cost = sum(known) if len(known) == len(costs) else None
    return Judged(outcome=outcome, detail=detail, judgment=judgment, questions=len(costs), cost=cost)


def question(conversation: Conversation, schema: EventSchema, model: ModelName, problem: str = "") -> Request:
    """The question about a conversation; `problem` says what was wrong with the previous answer."""
    goals, dealbreakers = schema.criteria.goals(), schema.criteria.dealbreakers_by_id()
    system, user = render(
        "judge",
        {
            "name": schema.name,
            "description": schema.description,
            "goals": _numbered(goals),
            "dealbreakers": _numbered(dealbreakers),
        },
        {
            "context": known(conversation.context),
            "transcript": transcript(conversation.messages),
            "correction": f"\nYour last answer could not be used: {problem}" if problem else "",
        },
    )
    return Request(
        task="judge",
        provider=model.provider,
        model=model.model,
        system=f"{system}\n\n{words('judge_intent').strip()}" if schema.intents else system,
        user=user,
        json_schema=json_schema(schema),
        max_tokens=600 + 150 * (len(goals) + len(dealbreakers) + schema.intents),
    )


def _numbered(texts: dict[str, str]) -> str:
    return "\n".join(f"- {key}: {text}" for key, text in texts.items()) or "(none)"


def json_schema(schema: EventSchema) -> dict[str, Any]:
    """The shape of the answer, reasons before verdicts. It depends on the event schema only."""
    goals = {"verdict": {"type": "string", "enum": ["met", "partly", "missed", "cannot tell"]}}
    dealbreakers = {"hit": {"type": "boolean"}}
    return closed(
        {
            "goals": _findings(list(schema.criteria.goals()), goals),
            "dealbreakers": _findings(list(schema.criteria.dealbreakers_by_id()), dealbreakers),
            "because": {"type": "string"},
            **({"intent": _intent_schema()} if schema.intents else {}),
        }
    )


def _intent_schema() -> dict[str, Any]:
    text = {"type": "string"}
    delivered = {"type": "string", "enum": list(DELIVERED)}
    return closed({"m": {"type": "integer"}, "quote": text, "wanted": text, "delivered": delivered})


def _findings(ids: list[str], finding: dict[str, Any]) -> dict[str, Any]:
    key = {"type": "string", "enum": ids} if ids else {"type": "string"}
    item = closed(
        {"id": key, "m": {"type": "integer"}, "quote": {"type": "string"}, "because": {"type": "string"}, **finding}
    )
    return {"type": "array", "items": item}


def read(text: str, conversation: Conversation, schema: EventSchema) -> tuple[Judgment, str]:
    """Return the judgment in an answer, and the problem in it that is worth one more question; empty if there is none.

    Raises ReplyInvalid when a criterion is missing or its finding is not allowed. An unusable intent costs no judgment.
    """
    tree = answer_object(text)
    if not isinstance(tree.get("because"), str):
        raise ReplyInvalid("because: text is needed")
    whole = {m.position: m.content for m in conversation.messages}
    verdicts = _read(tree, "goals", list(schema.criteria.goals()), whole, _verdict)
    findings = _read(tree, "dealbreakers", list(schema.criteria.dealbreakers_by_id()), whole, _finding)
    unproven = [key for key, finding in findings.items() if finding.hit and finding.quote is None]
    problem = f"dealbreakers: {unproven[0]}: a hit needs m and a quote that stands in that message" if unproven else ""
    reached = score(verdicts, findings)
    intent, unusable = _intent(tree.get("intent"), conversation) if schema.intents else (None, "")
    judgment = Judgment(because=tree["because"], verdicts=verdicts, dealbreakers=findings, score=reached, intent=intent)
    return judgment, problem or unusable


def _intent(found: Any, conversation: Conversation) -> tuple[Intent | None, str]:
    """Return the intent in an answer, null where the user wanted nothing, and the problem in it.

    Only a message of the user can confirm a delivery: without a quote of one, `yes` becomes `cannot tell`.
    """
    fields = found if isinstance(found, dict) else {}
    wanted, quote, delivered = (fields.get(name) for name in ("wanted", "quote", "delivered"))
    if not isinstance(wanted, str) or not isinstance(quote, str) or delivered not in DELIVERED:
        return None, f"intent: m, quote, wanted, and delivered as one of {', '.join(DELIVERED)} are needed"
    said = {m.position: m.content for m in conversation.messages if m.role == "user"}
    position, own = _quoted(quote, fields.get("m"), said)
    shown = wanted.split()[:INTENT_WORDS]
    if delivered == "yes" and own is None:
        delivered = "cannot tell"
    intent = Intent(position=position, quote=own, wanted=" ".join(shown), delivered=cast(Any, delivered))
    return intent if shown else None, ""


Quoted = tuple[int | None, str | None]
"""The position of the message that holds a quote, and the quote as the message has it."""


def _read(
    tree: dict[str, Any],
    key: str,
    ids: list[str],
    contents: dict[int, str],
    build: Callable[[dict[str, Any], Quoted], Finding],
) -> dict[str, Finding]:
    items = [item for item in listed(tree, key) if isinstance(item, dict)]
    given = {item["id"]: item for item in items if isinstance(item.get("id"), str)}
    found: dict[str, Finding] = {}
    for criterion in ids:
        item = given.get(criterion)
        if item is None:
            raise ReplyInvalid(f"{key}: {criterion}: missing")
        if not isinstance(item.get("because"), str) or not isinstance(item.get("quote"), str):
            raise ReplyInvalid(f"{key}: {criterion}: quote and because: text is needed")
        try:
            found[criterion] = build(item, _quoted(item["quote"], item.get("m"), contents))
        except ReplyInvalid as invalid:
            raise ReplyInvalid(f"{key}: {criterion}: {invalid}", invalid.value) from None
    return found


def _quoted(quote: str, m: Any, contents: dict[int, str]) -> Quoted:
    """Return the quote as it stands in the message that it names, with the message's position.

    Older answers name no message: the quote is searched word for word in all messages, then in folded form.
    """
    if type(m) is int:
        place = locate(quote, contents.get(m, ""))
        return (m, contents[m][place[0] : place[1]]) if place else (None, None)
    if quote.strip() and any(quote in content for content in contents.values()):
        return None, quote
    for content in contents.values():
        if place := locate(quote, content):
            return None, content[place[0] : place[1]]
    return None, None


def _verdict(item: dict[str, Any], quoted: Quoted) -> Verdict:
    verdict = item.get("verdict")
    if verdict not in (*WORTH, "cannot tell"):
        given = verdict if isinstance(verdict, str) else ""
        raise ReplyInvalid("verdict: not one of met, partly, missed, cannot tell", given)
    position, quote = quoted
    return Verdict(position=position, quote=quote, because=item["because"], verdict=cast(Any, verdict))


def _finding(item: dict[str, Any], quoted: Quoted) -> DealbreakerFinding:
    if not isinstance(item.get("hit"), bool):
        raise ReplyInvalid("hit: true or false is needed")
    position, quote = quoted
    return DealbreakerFinding(position=position, quote=quote, because=item["because"], hit=item["hit"])


def score(verdicts: dict[str, Verdict], dealbreakers: dict[str, DealbreakerFinding]) -> float | None:
    """100 * sum(w*v) / sum(w): w = 3/2/1 by rank, v = 1/0.5/0; "cannot tell" is left out; null without primaries.

    A dealbreaker caps the score at 20.
    """
    told = {key: found.verdict for key, found in verdicts.items() if found.verdict != "cannot tell"}
    primaries = [key for key in verdicts if key.startswith("P")]
    if not told or (primaries and not any(key in told for key in primaries)):
        return None
    weights = sum(WEIGHTS[key[0]] for key in told)
    points = sum(WEIGHTS[key[0]] * WORTH[verdict] for key, verdict in told.items())
    capped = any(finding.hit for finding in dealbreakers.values())
    return min(100 * points / weights, DEALBREAKER_CAP if capped else 100.0)
