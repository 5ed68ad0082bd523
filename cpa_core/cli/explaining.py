"""`cpa land --explain FILE`: shows the format recognised in a file, and why. It prints message text."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path

from cpa_core.cli.facts import Done, ExplainFacts
from cpa_core.cli.screen import say
from cpa_core.errors import NotRecognised, SourceError
from cpa_core.pipeline import Assistant, roles_warning
from cpa_core.settings import Settings, changed, day
from cpa_core.sources import Object, archives, mapping, roles
from cpa_core.sources.formats.explaining import Explained, explained
from cpa_core.sources.reject_table import lost

SHOWN = 20
"""Keys, and messages of the first conversation, that are shown."""
LONGEST = 300
"""Characters of a message that are shown."""


def explain(given: Settings, file: str, only: str | None) -> Done:
    """Show how a file would land, and its first conversation. Nothing is stored."""
    assistant = Assistant.of(changed(given, source=file))
    listed = assistant.listing().objects
    if not listed:
        raise SourceError(f"{assistant.settings.source}: the table or query has no rows")
    one = listed[0]
    named = one.day or (day(only, "--day") if only else one.modified_at.astimezone(given.zone).date())
    midnight = datetime.combine(named, time(), given.zone).astimezone(UTC)
    name, found = explained_object(assistant, one, midnight)
    name = name.removeprefix(f"{Path.cwd()}/")
    say(*_lines(name, found, given, len(listed)))
    facts = ExplainFacts(
        file=name,
        holds=found.holds,
        format=found.form.name,
        title=found.form.title,
        sign=found.sign or "",
        keys=tuple(found.keys),
        conversations=found.conversations,
        messages=dict(found.messages),
        rejected=len(lost(found.rejects)),
        notes=tuple(found.notes),
    )
    return Done(0, facts)


def explained_object(assistant: Assistant, one: Object, midnight: datetime) -> tuple[str, Explained]:
    """The file, or the first member of an archive that is of a known format."""
    if not one.uri.lower().endswith(archives.ENDING):
        return one.uri, explained(assistant.file(one.uri, one.read()), midnight)
    for member in archives.opened(one, one.read(), lambda name: True).members:
        try:
            return member.uri, explained(assistant.file(member.uri, member.read()), midnight)
        except NotRecognised:
            continue
    raise SourceError(f"{one.uri}: zip: no member is of a format that is known")


def _spelled(sign: str) -> str:
    """The keys of a sign, and those that must be absent, in words."""
    present = [one for one in sign.split() if one[0] != "!"]
    absent = [one[1:] for one in sign.split() if one[0] == "!"]
    return " ".join(present) + (f", and no {' or '.join(absent)}" if absent else "")


def _lines(name: str, found: Explained, given: Settings, files: int) -> Iterator[str]:
    form = found.form
    why = f"its records have {_spelled(found.sign)}" if found.sign else "named, or by the ending of its name"
    yield f"{name}: {found.holds}; format {form.name} ({form.title}): {why}"
    yield f"source of the format: {form.docs}"
    yield f"a record is a {form.kind}" + (f", at {found.route}" if found.route else "")
    yield f"keys: {', '.join(found.keys[:SHOWN])}{', ...' if len(found.keys) > SHOWN else ''}"
    parts = {"conversation id": form.ids, "user": form.users, "times": form.times}
    parts |= {"speech": form.speech, "not speech": form.silent}
    yield from (f"{title}: {words}" for title, words in parts.items() if words)
    yield from (f"named: {word} at {path}" for word, path in given.names.items())
    yield from (f"note: {note}" for note in found.notes)
    if found.untimed:
        way = (
            f"they may stand in {found.field}: {mapping.flag({**given.names, 'timestamp': found.field})}"
            if found.field
            else "name the day: --day"
        )
        yield f"note: messages without times; {way}"
    counts = ", ".join(f"{role} {count:,}" for role, count in found.messages.items())
    part = f"of the first of {files:,} files would land" if files > 1 else "would land"
    yield f"{part}: {found.conversations:,} conversations, messages: {counts or 'none'}; {_rejects(found)}"
    untagged = {role: n for role, n in found.messages.items() if role not in roles.known(given.roles)}
    yield from (f"warning: {roles_warning(untagged)}" for _ in range(bool(untagged)))
    yield from _conversation(found)


def _rejects(found: Explained) -> str:
    losses = lost(found.rejects)
    return f"rejected {len(losses):,}" + (f", the first at {losses[0].place}: {losses[0].reason}" if losses else "")


def _conversation(found: Explained) -> Iterator[str]:
    if not found.first:
        return
    head = found.first[0]
    yield f"first conversation: {head.conversation_id}, user {head.user_id or 'unknown'}, {head.sent_at:%Y-%m-%d} UTC"
    for one in found.first[:SHOWN]:
        text = one.content if len(one.content) <= LONGEST else f"{one.content[:LONGEST]} ..."
        yield f"  {one.sent_at:%H:%M:%S} {one.role}: {text}"
    if len(found.first) > SHOWN:
        yield f"  ... {len(found.first) - SHOWN:,} more messages"
