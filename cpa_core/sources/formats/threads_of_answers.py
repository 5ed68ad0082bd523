"""Messages that name the one before them, in a tree: Dify's messages, and the trees of OpenAssistant.

Sources: https://docs.dify.ai/api-reference/chats/get-conversation-history-messages (a message is a question with its
answer), https://github.com/langgenius/dify (models/model.py, `parent_message_id`);
https://huggingface.co/datasets/OpenAssistant/oasst1 (message trees, and messages one a line; `rank` 0 is the best).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, attempted, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject
from cpa_core.sources.trees import Placed, Trees

LEFT = "another answer of the same tree, which the conversation does not go through"


def _grouped(records: Trees, key: str) -> Iterator[list[Placed] | Reject]:
    """The records by the value under this key, in the order in which each first occurs."""
    groups: defaultdict[str, list[Placed]] = defaultdict(list)
    for one in records:
        if isinstance(one, Reject):
            yield one
        else:
            groups[str(object_at(one[1]).get(key))].append(one)
    yield from groups.values()


def _dify(file: File, records: Trees) -> Iterator[columns.Found]:
    for group in _grouped(records, "conversation_id"):
        if isinstance(group, Reject):
            yield group
            continue
        shown = _shown(group)
        for one in _in_order(group):
            if shown is None or object_at(one[1]).get("id") in shown:
                yield from attempted(file, one, _exchange)
            else:
                yield Reject(one[0], LEFT, "{}", loss=False)


def _in_order(group: list[Placed]) -> list[Placed]:
    """The messages oldest first: a question and its answer have one time, so no order of times tells them later."""
    times: list[Any] = [object_at(one[1]).get("created_at") for one in group]
    if any(type(at) is not type(times[0]) or not isinstance(at, int | float | str) for at in times):
        return group
    pairs = list(zip(times, group, strict=True))
    return [one for _, one in sorted(pairs[::-1] if times[0] > times[-1] else pairs, key=itemgetter(0))]


def _shown(group: list[Placed]) -> set[Any] | None:
    """The ids of the messages from the first to the newest; None where they do not name the one before them."""
    trees = [object_at(one[1]) for one in group]
    if not all(one.get("parent_message_id") for one in trees):
        return None
    parents = {one.get("id"): one["parent_message_id"] for one in trees}
    return set(
        talks.branch(talks.latest_leaf(parents, {one.get("id"): one.get("created_at") for one in trees}), parents)
    )


def _exchange(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    tree = talks.record(tree)
    conversation_id = fields.needed("conversation_id", tree.get("conversation_id"))
    user = fields.identity("user", tree.get("from_end_user_id") or tree.get("user"))
    at, own = tree.get("created_at"), tree.get("id")
    thoughts = (object_at(one).get("thought") for one in list_at(tree, "agent_thoughts"))
    sides = chain(
        talks.said(file, f"{place}: query", "user", tree.get("query"), at, own),
        *(talks.said(file, f"{place}: agent_thoughts", "reasoning", one, at) for one in thoughts if one),
        *(talks.silent(file, f"{place}: files", "attachment", one, at) for one in list_at(tree, "message_files")),
        talks.said(file, f"{place}: answer", "assistant", tree.get("answer"), at, f"{own}-answer" if own else None),
    )
    yield from talks.in_conversation(sides, conversation_id, user)


OASST_ROLES = {"prompter": "user", "assistant": "assistant"}


def _rank(tree: dict[str, Any]) -> tuple[bool, float]:
    """The best of several answers first; those without a rank after all others."""
    try:
        rank = float(str(tree.get("rank")))
    except ValueError:
        rank = -1.0
    return (False, rank) if rank >= 0 else (True, 0.0)


def _tree(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """The conversation of a tree: its prompt, and of each reply the best."""
    tree = talks.record(tree)
    one, way = object_at(tree, "prompt"), []
    while one:
        way.append(one)
        replies = [
            reply
            for reply in list_at(one, "replies")
            if isinstance(reply, dict) and not fields.truth(reply.get("deleted"))
        ]
        one = min(replies, key=_rank, default={})
    return _told(file, place, tree.get("message_tree_id"), way)


def _told(file: File, place: str, name: Any, way: Iterable[dict[str, Any]]) -> Iterator[columns.Found]:
    listed = list(way)
    user = listed[0].get("user_id") if listed else None
    about = talks.Head(place, fields.identity("message_tree_id", name), fields.identity("user_id", user))
    made: Iterator[Made] = (
        found
        for n, one in enumerate(listed)
        for found in talks.said(
            file,
            f"{place}: {n}",
            OASST_ROLES.get(str(one.get("role")), str(one.get("role"))),
            one.get("text"),
            one.get("created_date"),
            one.get("message_id"),
        )
    )
    return talks.talk(about, made)


def _trees(file: File, records: Trees) -> Iterator[columns.Found]:
    """Messages of trees, one a record, put together."""
    for group in _grouped(records, "message_tree_id"):
        if isinstance(group, Reject):
            yield group
            continue
        way = _best_way([object_at(one[1]) for one in group])
        ids = {one.get("message_id") for one in way}
        name = object_at(group[0][1]).get("message_tree_id")
        yield from attempted(file, group[0], lambda f, place, _, way=way, name=name: _told(f, place, name, way))  # type: ignore[misc]
        for one in group:
            if object_at(one[1]).get("message_id") not in ids:
                yield Reject(one[0], LEFT, "{}", loss=False)


def _best_way(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages from the one without a parent on, by the best reply to each."""
    replies: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    known = {one.get("message_id") for one in messages}
    for one in messages:
        if not fields.truth(one.get("deleted")):
            replies[one.get("parent_id") if one.get("parent_id") in known else None].append(one)
    way: list[dict[str, Any]] = []
    parent = None
    while replies.get(parent):
        way.append(min(replies.pop(parent), key=_rank))
        parent = way[-1].get("message_id")
    return way


DIFY = Format(
    name="dify",
    title="messages of Dify",
    kind="message",
    signs=(
        "conversation_id query answer inputs",
        "conversation_id query answer inputs created_at",
        "conversation_id query answer inputs created_at retriever_resources",
    ),
    read=_dify,
    docs="https://docs.dify.ai/api-reference/chats/get-conversation-history-messages",
    ids="conversation_id",
    users="from_end_user_id or user",
    times="created_at, of the question and the answer",
    speech="query and answer; where an answer was made again, the newest",
    silent="inputs, agent_thoughts, files, sources",
    texts=frozenset({"query", "answer"}),
)
OASST = Format(
    name="oasst",
    title="messages of OpenAssistant",
    kind="message",
    signs=("message_tree_id message_id parent_id text role=prompter|assistant", "message_tree_id message_id text role"),
    read=_trees,
    docs="https://huggingface.co/datasets/OpenAssistant/oasst1",
    ids="message_tree_id",
    users="user_id of the first message",
    times="created_date",
    speech="text of prompter and assistant, by the best reply to each message",
    silent="other replies, deleted messages",
)
OASST_TREES = OASST._replace(
    name="oasst_trees",
    title="message trees of OpenAssistant",
    kind="conversation",
    signs=("message_tree_id prompt.text prompt.replies[]", "message_tree_id tree_state prompt.text prompt.role"),
    read=each(_tree),
)
