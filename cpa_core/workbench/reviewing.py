"""Reviewing: what is next, what is said of each message, what the model said, and where reviewers disagree."""

from starlette.responses import JSONResponse, Response

from cpa_core.errors import InputError, NotFound
from cpa_core.gold.reviews import ADJUDICATED, HITS, VERDICTS, Labelled
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.pipeline.gold.ledger import merge_gold
from cpa_core.pipeline.gold.quality import trust_of
from cpa_core.store.database import Row
from cpa_core.workbench.desk import Task, labelled_of, messages_of
from cpa_core.workbench.drafts import DraftStep
from cpa_core.workbench.reading import with_events
from cpa_core.workbench.visit import MOST_NAME, Visit, remember_reviewer, to

MOST_SECONDS = 3_600.0
KEYS = "123456789qwertzsdfgyxcvb"
"""The keys of the event types, in the schema's order; the letters left out are those of the actions."""


def home(visit: Visit) -> Response:
    """The first page: who reviews, what was drawn, how far they are."""
    name = visit.reviewer
    return visit.shown("home", "Workbench", queues=visit.desk.progress(name) if name else [])


def name_reviewer(visit: Visit) -> Response:
    """Keep the reviewer's name."""
    name = visit.form.get("reviewer")
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
    """Go to what the reviewer reads next, or home where all is read."""
    found = visit.desk.next(visit.named(), visit.request.query_params.get("draw"))
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
        types={role: _keyed(list(schema.of_role(role).values())) for role in ("user", "assistant")},
        goals=schema.criteria.goals(),
        dealbreakers=schema.criteria.dealbreakers_by_id(),
        verdicts=VERDICTS,
        hits=HITS,
        given=draft.verdicts,
        has_undo=draft.has_undo,
        open=sum(row["is_asked"] and row["step"] is None for row in shown),
        progress=next(one for one in visit.desk.progress(name) if one.draw_id == task.draw_id),
    )


def _keyed(kinds: list) -> list[tuple[str, object]]:  # type: ignore[type-arg]
    return [(KEYS[n] if n < len(KEYS) else "", kind) for n, kind in enumerate(kinds)]


def say_message(visit: Visit) -> Response:
    """Keep what is said of one message."""
    task, name, schema = visit.task(), visit.named(), visit.schema()
    row = _row(visit, task)
    labelled = labelled_of(schema, row["role"], visit.form.all("type"), visit.form.as_mapping())
    _keep(visit, task, name, message_id=row["message_id"], labelled=tuple(labelled), note=visit.form.get("note"))
    return _kept(visit, task, f"#m{row['position']}")


def say_none_of_rest(visit: Visit) -> Response:
    """Keep that no message without an answer has an event."""
    task, name = visit.task(), visit.named()
    draft = visit.desk.draft(name, task)
    for row in messages_of(task, _messages(visit, task)):
        if row["message_id"] not in draft.messages:
            _keep(visit, task, name, message_id=row["message_id"])
    return _kept(visit, task, "#done")


def say_verdicts(visit: Visit) -> Response:
    """Keep what is said of the conversation as a whole."""
    task, name, schema = visit.task(), visit.named(), visit.schema()
    ids = [*schema.criteria.goals(), *schema.criteria.dealbreakers_by_id()]
    verdicts = {one: visit.form.get(f"verdict {one}") for one in ids if visit.form.get(f"verdict {one}")}
    allowed = {*VERDICTS, *HITS}
    if wrong := sorted(set(verdicts.values()) - allowed):
        raise InputError(f"{len(wrong)} verdicts are none of {', '.join(sorted(allowed))}")
    step = DraftStep(
        step="verdicts",
        reviewer=name,
        draw_id=task.draw_id,
        conversation_id=task.conversation_id,
        verdicts=verdicts,
        seconds=visit.form.number("seconds", 0, MOST_SECONDS),
        said_at=visit.assistant.now(),
    )
    visit.desk.drafts.add(step)
    return _kept(visit, task, "#done")


def undo(visit: Visit) -> Response:
    """Take the last step back."""
    task = visit.task()
    visit.desk.drafts.add(_step(visit, task, "undo"))
    return to(_address(task))


def defer(visit: Visit) -> Response:
    """Read it last, and go on with the next."""
    task = visit.task()
    visit.desk.drafts.add(_step(visit, task, "defer"))
    found = visit.desk.next(visit.named(), task.draw_id)
    return to(_address(found)) if found else to("/")


def finish(visit: Visit) -> Response:
    """Keep the reviews of the conversation, and show what the model said."""
    task, name = visit.task(), visit.named()
    if not visit.desk.is_done(name, task):
        visit.desk.finish(name, task, visit.schema(), _messages(visit, task))
    return to(f"{_address(task)}/labels")


def reveal(visit: Visit) -> Response:
    """What the model found beside what the reviewer said: only after the reviewer has said it."""
    task, name, schema = visit.task(), visit.named(), visit.schema()
    if not visit.desk.is_done(name, task):
        return to(_address(task))
    messages = messages_of(task, _messages(visit, task))
    events = visit.rows("events", conversation=task.conversation_id)
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
        types={role: list(schema.of_role(role)) for role in ("user", "assistant")},
        differing=sum(bool(row["missing"] or row["extra"]) for row in shown),
    )


def after_reveal(visit: Visit) -> Response:
    """Keep what the reviewer says of a message after seeing the model's labels."""
    task, name, schema = visit.task(), visit.named(), visit.schema()
    if not visit.desk.is_done(name, task):
        raise InputError("say what you see first; what the model said comes after it")
    row = _row(visit, task)
    labelled = labelled_of(schema, row["role"], visit.form.all("type"), {})
    kept = "kept" if visit.form.get("decision") == "keep" else "changed"
    visit.desk.after_reveal(name, task, schema, row, labelled, f"{kept} after seeing the model's labels")
    return to(f"{_address(task)}/labels#m{row['position']}")


def disputes(visit: Visit) -> Response:
    """Messages of which reviewers say different things."""
    merge_gold(visit.assistant)
    found = visit.rows("disputes", adjudicated=ADJUDICATED)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((row["conversation_id"], row["message_id"]), []).append(row)
    shown: list[Row] = []
    for (conversation, message), rows in list(groups.items())[:50]:
        said = next(
            (row for row in visit.rows("messages", conversation=conversation) if row["message_id"] == message), None
        )
        if said is not None:
            agreed = _agreed(visit, conversation, message)
            shown.append(said | {"conversation": conversation, "rows": rows, "agreed": agreed})
    return visit.shown("disputes", "Where reviewers disagree", disputes=shown, more=max(0, len(groups) - 50))


def _agreed(visit: Visit, conversation: str, message: str) -> list[str]:
    """The types that every reviewer of a message sees."""
    rows = visit.rows("agreed", conversation=conversation, message=message, adjudicated=ADJUDICATED)
    return [row["name"] for row in rows]


def settle(visit: Visit) -> Response:
    """Keep the answer that stands where reviewers disagree."""
    wanted, message = visit.form.get("conversation"), visit.form.get("message_id")
    row = next((one for one in visit.rows("messages", conversation=wanted) if one["message_id"] == message), None)
    if row is None:
        raise NotFound("there is no such message in any built day")
    schema = visit.schema()
    labelled = labelled_of(schema, row["role"], visit.form.all("type"), {})
    visit.desk.settle(visit.named(), wanted, row, schema, labelled)
    return to("/disputes")


def quality(visit: Visit) -> Response:
    """How far each label can be trusted, and how many more conversations each needs."""
    return visit.shown("quality", "How good the labels are", found=trust_of(visit.assistant))


def _messages(visit: Visit, task: Task) -> list[Row]:
    rows = visit.rows("messages", conversation=task.conversation_id)
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


def _keep(
    visit: Visit, task: Task, name: str, *, message_id: str, labelled: tuple[Labelled, ...] = (), note: str = ""
) -> None:
    step = DraftStep(
        step="message",
        reviewer=name,
        draw_id=task.draw_id,
        conversation_id=task.conversation_id,
        message_id=message_id,
        labelled=labelled,
        note=note,
        seconds=visit.form.number("seconds", 0, MOST_SECONDS),
        said_at=visit.assistant.now(),
    )
    visit.desk.drafts.add(step)


def _step(visit: Visit, task: Task, step: str) -> DraftStep:
    return DraftStep(
        step=step,
        reviewer=visit.named(),
        draw_id=task.draw_id,
        conversation_id=task.conversation_id,
        said_at=visit.assistant.now(),
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
