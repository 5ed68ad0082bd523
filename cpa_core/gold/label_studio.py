"""Gold in Label Studio's form: a task for each conversation, a region for each event, choices for each verdict.

Sources: labelstud.io/guide/task_format, labelstud.io/tags/paragraphs, labelstud.io/tags/paragraphlabels.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from cpa_core.errors import InputError
from cpa_core.gold.raw import RawReview, list_of
from cpa_core.gold.reviews import HITS, VERDICTS, GoldAnswer, Labelled, Review
from cpa_core.models import NOT_APPLICABLE, TAGGED_ROLES, EventSchema, Value, digest

LABELS, DIALOGUE = "event", "dialogue"
"""The names of the control for events, and of the conversation."""
LABEL_THIS = "(label this message)"
"""The mark beside the role of a message that was drawn."""


class SpokenMessage(Value):
    """One message as a task shows it."""

    message_id: str
    role: str
    content: str


def tasks(
    conversations: Mapping[str, Sequence[SpokenMessage]],
    reviews: Iterable[Review],
    draws: Mapping[str, str] | None = None,
    asked: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The JSON of tasks, one a conversation, with an annotation for each reviewer. `draws`: draw by conversation.

    `asked` has the ids of drawn messages by conversation, where not all messages were drawn. The data of a task keep
    these and what each reviewer has read, because an annotation shows only what was found.
    """
    by: dict[str, dict[str, list[Review]]] = {}
    for review in reviews:
        by.setdefault(review.conversation_id, {}).setdefault(review.reviewer, []).append(review)
    found = []
    for conversation, messages in conversations.items():
        drawn = (asked or {}).get(conversation, ())
        shown = [_shown(m, is_asked=m.message_id in drawn) for m in messages]
        data: dict[str, Any] = {"conversation_id": conversation, DIALOGUE: shown}
        if drawn:
            data["asked"] = list(drawn)
        if read := {name: _read_by(of) for name, of in by.get(conversation, {}).items()}:
            data["read"] = read
        if draws and conversation in draws:
            data["draw_id"] = draws[conversation]
        given = [_annotation(name, of, messages) for name, of in by.get(conversation, {}).items()]
        found.append({"data": data, "annotations": given})
    return json.dumps(found, ensure_ascii=False, indent=1)


def _shown(message: SpokenMessage, *, is_asked: bool) -> dict[str, str]:
    author = f"{message.role} {LABEL_THIS}" if is_asked else message.role
    return {"author": author, "text": message.content, "message_id": message.message_id, "role": message.role}


def _read_by(reviews: Sequence[Review]) -> list[str]:
    return list(dict.fromkeys(one.message_id for one in reviews if one.message_id is not None))


def _annotation(reviewer: str, reviews: Sequence[Review], messages: Sequence[SpokenMessage]) -> dict[str, Any]:
    places = {m.message_id: (n, m.content) for n, m in enumerate(messages)}
    last = {review.message_id: review for review in sorted(reviews, key=lambda one: one.reviewed_at)}
    results = [one for review in last.values() for one in _results(review, places)]
    times = [review.seconds for review in reviews if review.seconds is not None]
    return {
        "completed_by": {"email": reviewer},
        "created_at": max(review.reviewed_at for review in reviews).isoformat(),
        "was_cancelled": False,
        **({"lead_time": sum(times)} if times else {}),
        "result": results,
    }


def _results(review: Review, places: Mapping[str, tuple[int, str]]) -> Iterator[dict[str, Any]]:
    for answer in review.answers:
        if review.message_id is None:
            yield _result(answer.name, answer.name, "choices", {"choices": [answer.verdict]})
        elif answer.present and review.message_id in places:
            yield from _region(answer, *places[review.message_id])


def _region(answer: GoldAnswer, place: int, content: str) -> Iterator[dict[str, Any]]:
    """The event's region, the quote or the whole message, and its properties under the same id."""
    start = content.find(answer.quote) if answer.quote else -1
    begin, end = (start, start + len(answer.quote or "")) if start >= 0 else (0, len(content))
    at = {"start": str(place), "end": str(place), "startOffset": begin, "endOffset": end, "text": content[begin:end]}
    one = digest([answer.key, place])[:10]
    yield _result(one, LABELS, "paragraphlabels", at | {"paragraphlabels": [answer.name]})
    for name, value in answer.properties.items():
        yield _result(one, f"{answer.name}: {name}", "choices", at | {"choices": [value]})


def _result(one: str, name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": one, "from_name": name, "to_name": DIALOGUE, "type": kind, "value": value}


def configuration(schema: EventSchema) -> str:
    """The labelling interface of a schema, to paste into the project's settings."""
    lines = ["<View>", f'  <ParagraphLabels name="{LABELS}" toName="{DIALOGUE}" choice="multiple">']
    for name in dict.fromkeys(kind.name for kind in schema.event_types):
        hint = "; ".join(f"{kind.role}: {kind.definition}" for kind in schema.event_types if kind.name == name)
        lines.append(f"    <Label value={quoteattr(name)} hint={quoteattr(hint)} />")
    lines += ["  </ParagraphLabels>", f'  <Paragraphs name="{DIALOGUE}" value="${DIALOGUE}" layout="dialogue" />']
    lines += [line for kind in schema.event_types for p in kind.properties for line in _property(kind.name, p)]
    for name, words in schema.criteria.goals().items():
        lines += [f"  <Header value={quoteattr(words)} />", *_choices(name, VERDICTS, "")]
    for name, words in schema.criteria.dealbreakers_by_id().items():
        lines += [f"  <Header value={quoteattr(words)} />", *_choices(name, HITS, "")]
    return "\n".join([*lines, "</View>", ""])


def _property(kind: str, found: Any) -> list[str]:
    when = f' perRegion="true" whenTagName="{LABELS}" whenLabelValue={quoteattr(kind)}'
    name = f"{kind}: {found.name}"
    if found.choices:
        return _choices(name, (*found.choices, NOT_APPLICABLE), when)
    return [f'  <TextArea name={quoteattr(name)} toName="{DIALOGUE}"{when} />']


def _choices(name: str, choices: Sequence[str], when: str) -> list[str]:
    shown = [f"    <Choice value={quoteattr(one)} />" for one in choices]
    return [f'  <Choices name={quoteattr(name)} toName="{DIALOGUE}"{when}>', *shown, "  </Choices>"]


def read_tasks(text: str, name: str) -> list[RawReview]:
    """The reviews in an export of Label Studio (JSON): each annotation answers for every message of its task.

    Where the task names the messages that were drawn, or those that its reviewer has read, it answers for these and for
    those with an event. Relations and regions without a label say nothing. Skipped annotations are left out. Raises
    InputError with file and task.
    """
    found = list_of(text, name, "an export of Label Studio is a list of tasks")
    return [review for number, task in enumerate(found, 1) for review in _of_task(task, f"{name}: task {number}")]


def _of_task(task: Any, place: str) -> Iterator[RawReview]:
    try:
        data, annotations = task["data"], task.get("annotations") or []
        for annotation in annotations:
            if not annotation.get("was_cancelled"):
                yield from _of_annotation(annotation, data, place)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as wrong:
        reason = f"{type(wrong).__name__}: {wrong}"
        hint = "; export as JSON, not as JSON-MIN" if isinstance(task, dict) and "data" not in task else ""
        raise InputError(f"{place}: not a task that cpa gold export wrote: {reason}{hint}") from None


def _of_annotation(annotation: Any, data: Any, place: str) -> Iterator[RawReview]:
    shown = data[DIALOGUE]
    by = annotation.get("completed_by")
    reviewer = str(by.get("email") or by.get("id")) if isinstance(by, dict) else str(by) if by is not None else None
    when = annotation.get("updated_at") or annotation.get("created_at")
    at = datetime.fromisoformat(when) if when else None
    about: dict[str, Any] = {"place": place, "conversation_id": data["conversation_id"], "reviewer": reviewer}
    about |= {"draw_id": data.get("draw_id"), "reviewed_at": at.replace(tzinfo=UTC) if at and not at.tzinfo else at}
    results = [one for one in annotation["result"] if "value" in one]
    regions: dict[int, list[Labelled]] = {}
    verdicts: dict[str, str] = {}
    for result in results:
        value = result["value"]
        if result["type"] == "paragraphlabels":
            at_place = int(value["start"])
            regions.setdefault(at_place, []).extend(_labelled(result, results, shown[at_place]["text"]))
        elif result["type"] == "choices" and "start" not in value:
            verdicts[result["from_name"]] = value["choices"][0]
    only = (data.get("read") or {}).get(reviewer, data.get("asked"))
    spoken = [
        (n, one["message_id"])
        for n, one in enumerate(shown)
        if one.get("role", one["author"]) in TAGGED_ROLES
        and (only is None or one["message_id"] in only or n in regions)
    ]
    seconds = annotation["lead_time"] / max(1, len(spoken)) if annotation.get("lead_time") else None
    for n, message in spoken:
        yield RawReview(message_id=message, labelled=tuple(regions.get(n, ())), seconds=seconds, **about)
    if verdicts:
        yield RawReview(verdicts=verdicts, **about)


def _labelled(result: Any, results: Sequence[Any], content: str) -> Iterator[Labelled]:
    value = result["value"]
    begin, end = value["startOffset"], value["endOffset"]
    quote = None if (begin, end) == (0, len(content)) else content[begin:end]
    for name in value.get("paragraphlabels", ()):
        found: dict[str, str] = {}
        for other in results:
            before, _, own = other["from_name"].partition(": ")
            if other is not result and other.get("id") == result.get("id") and before == name and own:
                given = other["value"].get("choices") or other["value"].get("text") or [""]
                found[own] = given[0] if isinstance(given, list) else str(given)
        yield Labelled(event_type=name, quote=quote, properties=found)
