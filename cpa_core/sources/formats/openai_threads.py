"""Messages of OpenAI's Assistants threads, as the list of a thread's messages has them, newest first.

Sources: https://platform.openai.com/docs/api-reference/messages/object (the text is an object, `text.value`) and
https://platform.openai.com/docs/api-reference/messages/listMessages (`order`: newest first, unless asked otherwise).
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import turns
from cpa_core.sources.formats.form import Format
from cpa_core.sources.records import Draft, Reject, SourceRecord, moment
from cpa_core.sources.trees import Trees


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    """One conversation a thread, its messages in the order of time, those of one second as the list has them."""
    threads: defaultdict[str, list[Draft]] = defaultdict(list)
    falls, rises, listed = False, False, False
    last = None
    for one in records:
        if isinstance(one, Reject):
            yield one
            continue
        place, tree = one
        try:
            if not isinstance(tree, dict):
                raise ValueError(f"a message is needed, this is a {fields.kind(tree)}")
            if str(tree.get("object")).startswith(BESIDE):
                yield Reject(place, "a run or a step of a thread: no message", "{}", loss=False)
                continue
            thread = fields.needed("thread_id", tree.get("thread_id"))
            at, _ = moment(tree.get("created_at"), file.zone)
        except ValueError as error:
            yield Reject(place, str(error), raw(tree))
            continue
        if last is not None and at is not None:
            falls, rises = falls or at < last, rises or at > last
        listed, last = listed or place.startswith("data"), at
        said = list(turns.drafts_of(file, place, {key: value for key, value in tree.items() if key in KEPT}))
        yield from (made for made in said if isinstance(made, Reject))
        threads[thread] += [made._replace(sent_at=at) for made in said if isinstance(made, Draft)]
    for thread, drafts in threads.items():
        ordered = sorted(
            _as_said(drafts, falls or (listed and not rises)),
            key=lambda draft: draft.sent_at.timestamp() if draft.sent_at else 0,
        )
        if ordered:
            first = ordered[0]
            spread = _spread(ordered)
            yield SourceRecord(first.place, "conversation", thread, None, first.sent_at, None, tuple(spread))


BESIDE = ("thread.run", "assistant", "thread.deleted")
"""Objects that a dump of threads has beside their messages: https://platform.openai.com/docs/api-reference/runs."""

KEPT = frozenset({"id", "role", "content"})


def _as_said(drafts: list[Draft], descending: bool) -> list[Draft]:
    """The drafts of a thread in the order in which they were said; the parts of one message stay in theirs."""
    if not descending:
        return drafts
    messages: dict[str, list[Draft]] = {}
    for draft in drafts:
        messages.setdefault(draft.place, []).append(draft)
    return [draft for parts in reversed(messages.values()) for draft in parts]


def _spread(drafts: list[Draft]) -> list[Draft]:
    """The drafts with times that rise by a microsecond from message to message of one second (see identity.pages)."""
    places: defaultdict[datetime | None, list[str]] = defaultdict(list)
    found: list[Draft] = []
    for draft in drafts:
        same = places[draft.sent_at]
        if draft.place not in same[-1:]:
            same.append(draft.place)
        later = timedelta(microseconds=len(same) - 1)
        found.append(draft._replace(sent_at=draft.sent_at + later) if draft.sent_at else draft)
    return found


THREADS = Format(
    name="openai_threads",
    title="messages of OpenAI's Assistants threads",
    kind="message",
    signs=(
        "thread_id role content",
        "thread_id role content object=thread.message",
        "thread_id role content[].text.value",
    ),
    read=_read,
    docs="https://platform.openai.com/docs/api-reference/messages/object",
    ids="thread_id",
    users="none",
    times="created_at",
    speech="text of user and assistant",
    silent="images and files",
)
