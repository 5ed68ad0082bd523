"""One conversation of an export: its messages as drafts, and the record that they make.

For formats whose messages are not `{role, content}`: a module says who said what and when, this file does the rest.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from cpa_core.sources import fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import turns
from cpa_core.sources.records import Draft, Reject, SourceRecord, as_json, moment, tupled, whole

Made = Draft | Reject


class Head(NamedTuple):
    """The fields of a conversation about itself: its place, id, user, start, and metadata as JSON."""

    place: str
    conversation_id: str | None
    user_id: str | None = None
    started_at: datetime | None = None
    metadata: str | None = None
    zone_assumed: bool = False


def record(tree: Any) -> dict[str, Any]:
    """A record that is an object, each key once. Raises ValueError for anything else."""
    if not isinstance(tree, dict):
        raise ValueError(f"an object is needed, this is a {fields.kind(tree)}")
    fields.once(tree)
    return tree


def head(
    file: File, place: str, tree: Mapping[str, Any], id_: str, user: str = "", start: str = "", **metadata: Any
) -> Head:
    """Return the head of a record, read under these keys. Raises ValueError."""
    started_at, assumed = moment(tree.get(start), file.zone) if start else (None, False)
    about = {name: value for name, value in metadata.items() if value not in (None, "", [], {})}
    return Head(
        place=place,
        conversation_id=fields.identity(id_, tree.get(id_)),
        user_id=fields.identity(user, tree.get(user)) if user else None,
        started_at=started_at,
        metadata=as_json(about) if about else None,
        zone_assumed=assumed,
    )


def talk(about: Head, messages: Iterable[Made]) -> Iterator[SourceRecord | Reject]:
    """The conversation of these messages; those that are none as rejects, and a conversation without any as well."""
    said: list[Draft] = []
    rejects = 0
    for made in messages:
        if isinstance(made, Draft):
            said.append(made)
        else:
            rejects += 1
            yield made
    if said:
        yield SourceRecord(
            place=about.place,
            kind="conversation",
            conversation_id=about.conversation_id,
            user_id=about.user_id,
            started_at=about.started_at,
            ended_at=None,
            messages=tuple(said),
            metadata=about.metadata,
            zone_assumed=about.zone_assumed,
        )
    elif not rejects:
        yield Reject(about.place, "no messages", "{}", loss=False)


def said(file: File, place: str, role: str, text: Any, at: Any = None, message_id: Any = None) -> list[Made]:
    """One message of plain text, at a time as the file writes it; nothing where the text is empty."""
    if text is None or text == "":
        return []
    try:
        if not isinstance(text, str):
            raise ValueError(f"content: text is needed, this is a {fields.kind(text)}")
        sent_at, assumed = moment(at, file.zone)
        own = fields.identity("message_id", message_id)
    except ValueError as error:
        return [Reject(place, str(error), raw({"role": role, "text": text, "time": at}))]
    return [tupled(Draft, (place, "", own, None, role, whole(text), sent_at, None, None, False, assumed))]


def turn(file: File, place: str, role: str, content: Any, at: Any = None, message_id: Any = None) -> Iterable[Made]:
    """One message whose content is text or a list of parts, as vendors write them."""
    if content in (None, "", []):
        return []
    if not file.names and type(content) is list and len(content) > 1 and all(type(part) is str for part in content):
        content = "\n".join(content)
    return turns.drafts_of(file, place, {"role": role, "content": content, "timestamp": at, "id": message_id})


def silent(file: File, place: str, role: str, value: Any, at: Any = None) -> list[Made]:
    """Something that nobody said, such as a call of a tool, as a row of a role of its own."""
    return said(file, place, role, value if isinstance(value, str) else as_json(value), at)


def in_conversation(made: Iterable[Made], conversation_id: str | None, user_id: str | None = None) -> list[Made]:
    """The same messages in this conversation, said by this user; what is no message stays as it is."""
    return [
        tupled(Draft, (one[0], conversation_id, one[2], user_id, *one[4:])) if isinstance(one, Draft) else one
        for one in made
    ]


def branch(leaf: Any, parents: Mapping[Any, Any]) -> list[Any]:
    """The ids from the root of a tree of messages to this leaf. `parents` has each node's; a circle ends the way."""
    way: list[Any] = []
    seen: set[Any] = set()
    while leaf in parents and leaf not in seen:
        seen.add(leaf)
        way.append(leaf)
        leaf = parents[leaf]
    return way[::-1]


def latest_leaf(parents: Mapping[Any, Any], times: Mapping[Any, Any]) -> Any:
    """The newest of the nodes that no other has for its parent; of equals the last one given. None: there is none."""
    inner = set(parents.values())
    leaves = [node for node in parents if node not in inner]
    numbers = {node: times[node] for node in leaves if isinstance(times.get(node), int | float)}
    return max(leaves, key=lambda node: (numbers.get(node, 0.0), leaves.index(node)), default=None)


def object_at(tree: Any, *keys: str) -> dict[str, Any]:
    """The object at these keys, one inside another; an empty one where something else stands there."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def list_at(tree: Any, *keys: str) -> list[Any]:
    """The list at these keys, one inside another; an empty one where something else stands there."""
    held = object_at(tree, *keys[:-1])
    found = held.get(keys[-1])
    return found if isinstance(found, list) else []
