"""Reviewing: the next item, the labels of each message, the model's labels, and disputes between reviewers."""

import json
from typing import Any

from starlette.responses import JSONResponse, Response

from cpa_core.errors import InputError, NotFound
from cpa_core.gold.reviews import ADJUDICATED, HITS, VERDICTS, Labelled, answers_on_conversation
from cpa_core.models import TAGGED_ROLES, EventType
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.gold.ledger import merge_gold
from cpa_core.store.database import Row
from cpa_core.workbench.desk import Task, labelled_of, messages_of
from cpa_core.workbench.drafts import DraftStep, Step
from cpa_core.workbench.figures import FIRST, NEWER, LabelFigures
from cpa_core.workbench.reading import with_events
from cpa_core.workbench.visit import MOST_NAME, Visit, remember_reviewer, to

MOST_SECONDS = 3_600.0
KEYS = "123456789qwertzsdfgyxcvb"
"""The keys of the event types, in the schema's order; the letters left out are those of the actions."""


def home(visit: Visit) -> Response:
    """Show the first page: reviewers, draws, progress, and the effect of reading more."""
    name = visit.reviewer
    found = visit.desk.figures.newest(0.0)
    return visit.shown("home", "Workbench", queues=visit.desk.progress(name) if name else [], widths=_widths(found))


def _widths(found: LabelFigures | None) -> list[Row]:
    """Return for each event type the width of its interval, and the effort for the next width."""
    if found is None:
        return []
    names = {one.key: one.name for one in found.trust}
    return [{"name": names.get(key) or key.rpartition("|")[0], "width": one} for key, one in found.widths.items()]


def name_reviewer(visit: Visit) -> Response:
    """Keep the reviewer's name."""
    name = visit.form.get("reviewer")
    if visit.is_named_by_proxy:
        raise InputError("the proxy in front of this workbench says who you are")
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise InputError(f"a name of 1 to {MOST_NAME} characters is needed")
    return remember_reviewer(to("/"), name)


def draw(visit: Visit) -> Response:
    """Draw conversations at random, or for a second reviewer."""
    size = int(visit.form.number("size", 1, 10_000) or 50)
    way = visit.form.get("way")
    if way not in ("random", "second", "disagreement"):
        raise InputError("draw at random, for a second reviewer, or by disagreement")
    seed = len(visit.desk.draws())
    draw_gold(visit.assistant, WantedDraw(way=way, size=size, seed=seed))
    return to("/")


def next_item(visit: Visit) -> Response:
    """Go to the reviewer's next item, or home if all are read."""
    asked = visit.request.query_params
    found = visit.desk.next(visit.named(), asked.get("draw"), asked.get("queue"))
    return to(_address(found)) if found else to("/")


def item(visit: Visit) -> Response:
    """One conversation to read, blind: no label, no score, no other reviewer."""
    task, name, schema = visit.task(), visit.named(), visit.schema()
    if visit.desk.is_done(name, task):
        return to(f"{_address(task)}/labels")
    messages = _messages(visit, task)
    draft = visit.desk.draft(name, task)
    asked = {row["message_id"] for row in messages_of(task, messages)}
    shown = [
        row
        | {
            "is_asked": row["message_id"] in asked,
            "step": draft.messages.get(row["message_id"]),
            "chosen": {one.event_type: one for one in _labelled(draft.messages.get(row["message_id"]))},
        }
        for row in messages
    ]
    return visit.shown(
        "review",
        "Review",
        task=task,
        address=_address(task),
        messages=shown,
        types={role: _keyed(list(schema.of_role(role).values())) for role in TAGGED_ROLES},
        goals=schema.criteria.goals(),
        dealbreakers=schema.criteria.dealbreakers_by_id(),
        verdicts=VERDICTS,
        hits=HITS,
        given=draft.verdicts,
        has_undo=draft.has_undo,
        open=sum(row["is_asked"] and row["step"] is None for row in shown),
        progress=visit.desk.progress_of(name, task),
    )


def _keyed(kinds: list[EventType]) -> list[tuple[str, EventType]]:
    return [(KEYS[n] if n < len(KEYS) else "", kind) for n, kind in enumerate(kinds)]


def say_message(visit: Visit) -> Response:
    """Store the labels of one message."""
    task = visit.task()
    row = _row(visit, task)
    labelled = labelled_of(visit.schema(), row["role"], visit.form.all("type"), visit.form.as_mapping())
    _keep(visit, task, "message", message_id=row["message_id"], labelled=labelled, note=visit.form.get("note"))
    return _kept(visit, task, f"#m{row['position']}")


def say_none_of_rest(visit: Visit) -> Response:
    """Keep that no message without an answer has an event."""
    task, name = visit.task(), visit.named()
    draft = visit.desk.draft(name, task)
    for row in messages_of(task, _messages(visit, task)):
        if row["message_id"] not in draft.messages:
            _keep(visit, task, "message", message_id=row["message_id"])
    return _kept(visit, task, "#done")


def say_verdicts(visit: Visit) -> Response:
    """Store the verdicts on the conversation as a whole."""
    task, schema = visit.task(), visit.schema()
    ids = [*schema.criteria.goals(), *schema.criteria.dealbreakers_by_id()]
    verdicts = {one: visit.form.get(f"verdict {one}") for one in ids if visit.form.get(f"verdict {one}")}
    answers_on_conversation(schema, verdicts)  # a wrong verdict is refused here, before it is kept
    _keep(visit, task, "verdicts", verdicts=verdicts)
    return _kept(visit, task, "#done")


def undo(visit: Visit) -> Response:
    """Take the last step back."""
    task = visit.task()
    _keep(visit, task, "undo")
    return to(_address(task))


def defer(visit: Visit) -> Response:
    """Defer the item to the end, and continue with the next."""
    task = visit.task()
    _keep(visit, task, "defer")
    found = visit.desk.next(visit.named(), task.draw_id)
    return to(_address(found)) if found else to("/")


def finish(visit: Visit) -> Response:
    """Store the reviews of the conversation, and show the model's labels."""
    task, name = visit.task(), visit.named()
    if not visit.desk.is_done(name, task):
        visit.desk.finish(name, task, visit.schema(), _messages(visit, task))
    return to(f"{_address(task)}/labels")


def reveal(visit: Visit) -> Response:
    """Show the model's labels beside the reviewer's, only after the reviewer has finished."""
    task, name, schema = visit.task(), visit.named(), visit.schema()
    if not visit.desk.is_done(name, task):
        return to(_address(task))
    messages = messages_of(task, _messages(visit, task))
    events = visit.rows("status/shown_events", conversation=task.conversation_id)
    draft = visit.desk.draft(name, task)
    shown = [row | {"own": _labelled(draft.messages.get(row["message_id"]))} for row in with_events(messages, events)]
    for row in shown:
        own, model = {one.event_type for one in row["own"]}, {event["event_type"] for event in row["events"]}
        row["missing"], row["extra"], row["chosen"] = sorted(own - model), sorted(model - own), own
    return visit.shown(
        "reveal",
        "What the model said",
        task=task,
        address=_address(task),
        messages=shown,
        types={role: list(schema.of_role(role)) for role in TAGGED_ROLES},
        differing=sum(bool(row["missing"] or row["extra"]) for row in shown),
    )


def after_reveal(visit: Visit) -> Response:
    """Store the reviewer's labels of a message after seeing the model's."""
    task, name, schema = visit.task(), visit.named(), visit.schema()
    if not visit.desk.is_done(name, task):
        raise InputError("label the message first; the model's labels are shown afterwards")
    row = _row(visit, task)
    before = {one.event_type: one for one in _labelled(visit.desk.draft(name, task).messages.get(row["message_id"]))}
    labelled = [before.get(one.event_type, one) for one in labelled_of(schema, row["role"], visit.form.all("type"), {})]
    kept = "kept" if visit.form.get("decision") == "keep" else "changed"
    note = f"{kept} after seeing the model's labels"
    step = _step(visit, task, "message", message_id=row["message_id"], labelled=labelled, note=note)
    visit.desk.after_reveal(step, task, schema, row)
    return to(f"{_address(task)}/labels#m{row['position']}")


def disputes(visit: Visit) -> Response:
    """Messages of which reviewers say different things."""
    merge_gold(visit.assistant)
    found = visit.rows("workbench/disputes", adjudicated=ADJUDICATED)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((row["conversation_id"], row["message_id"]), []).append(row)
    shown: list[Row] = []
    for (conversation, message), rows in list(groups.items())[:50]:
        said = _message(visit, conversation, message)
        if said is not None:
            agreed = [row["name"] for row in _said_before(visit, conversation, message) if row["is_agreed"]]
            shown.append(said | {"conversation": conversation, "rows": rows, "agreed": agreed})
    return visit.shown("disputes", "Where reviewers disagree", disputes=shown, more=max(0, len(groups) - 50))


def _said_before(visit: Visit, conversation: str, message: str) -> list[Row]:
    """The types that a reviewer sees in a message, with the first quote and properties, and whether all see them."""
    rows = visit.rows("workbench/said", conversation=conversation, message=message, adjudicated=ADJUDICATED)
    return [row | {"properties": json.loads(row["properties"])} for row in rows]


def settle(visit: Visit) -> Response:
    """Keep the answer that stands where reviewers disagree."""
    wanted, message = visit.form.get("conversation"), visit.form.get("message_id")
    row = next(
        (one for one in visit.rows("status/shown_messages", conversation=wanted) if one["message_id"] == message), None
    )
    if row is None:
        raise NotFound("there is no such message in any built day")
    schema = visit.schema()
    said = {one["name"]: one for one in _said_before(visit, wanted, message)}
    labelled = [
        one.model_copy(update={name: said[one.event_type][name] for name in ("quote", "properties")})
        if one.event_type in said
        else one
        for one in labelled_of(schema, row["role"], visit.form.all("type"), {})
    ]
    visit.desk.settle(visit.named(), row, schema, labelled)
    return to("/disputes")


def quality(visit: Visit) -> Response:
    """Show the trust in each label, and the conversations that each still needs."""
    found = visit.desk.figures.newest(NEWER, FIRST)
    current = visit.desk.figures.is_current()
    about = {"found": found, "widths": _widths(found), "is_current": current}
    return visit.shown("quality", "How good the labels are", **about)


def _message(visit: Visit, conversation: str, message: str) -> Row | None:
    """One message of a conversation; none where it is in no built day any more."""
    rows = visit.rows("status/shown_messages", conversation=conversation)
    return next((row for row in rows if row["message_id"] == message), None)


def _messages(visit: Visit, task: Task) -> list[Row]:
    rows = visit.rows("status/shown_messages", conversation=task.conversation_id)
    if not rows:
        raise NotFound("this conversation is in no built day any more")
    return rows


def _row(visit: Visit, task: Task) -> Row:
    """The message that the form names, if it is asked about. Raises NotFound."""
    wanted = visit.form.get("message_id")
    found = [row for row in messages_of(task, _messages(visit, task)) if row["message_id"] == wanted]
    if not found:
        raise NotFound("there is no such message in this item")
    return found[0]


def _keep(visit: Visit, task: Task, step: Step, **said: Any) -> None:
    """Keep a step of the reviewer, on the disk when this returns."""
    visit.desk.drafts.add(_step(visit, task, step, **said))


def _step(visit: Visit, task: Task, step: Step, **said: Any) -> DraftStep:
    return DraftStep(
        step=step,
        reviewer=visit.named(),
        draw_id=task.draw_id,
        conversation_id=task.conversation_id,
        seconds=visit.form.number("seconds", 0, MOST_SECONDS),
        said_at=visit.assistant.now(),
        **said,
    )


def _labelled(step: DraftStep | None) -> tuple[Labelled, ...]:
    return step.labelled if step else ()


def _kept(visit: Visit, task: Task, place: str) -> Response:
    """For the page's script a word, else the page again at the same place."""
    if visit.request.headers.get("accept") == "application/json":
        return JSONResponse({"kept": True})
    return to(_address(task) + place)


def _address(task: Task) -> str:
    return f"/review/{task.draw_id}/{task.place}"
