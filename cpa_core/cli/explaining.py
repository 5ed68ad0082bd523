"""`cpa land --explain FILE`: shows the format recognised in a file, and why. It prints message text."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

from cpa_core.cli.facts import Done, ExplainFacts
from cpa_core.cli.screen import quote_texts, say
from cpa_core.errors import DayNeeded, NotRecognised, SourceError
from cpa_core.pipeline import Assistant, roles_warning
from cpa_core.settings import Settings, changed, day
from cpa_core.sources import Object, archives, formats, mapping, roles
from cpa_core.sources.files import File
from cpa_core.sources.formats.explaining import Explained, Recognised, explained, recognised
from cpa_core.sources.reject_table import lost

SHOWN = 20
"""Keys, and messages of the first conversation, that are shown."""
LONGEST = 300
"""Characters of a message that are shown."""


def explain(given: Settings, file: str, only: str | None) -> Done:
    """Show how a file would land, and its first conversation. Nothing is stored.

    Raises what a landing would raise, after it has shown what is recognised: SourceError, DayNeeded.
    """
    assistant = Assistant.of(changed(given, source=file))
    listed = assistant.listing().objects
    if not listed:
        raise SourceError(f"{assistant.settings.source}: the table or query has no rows")
    one = listed[0]
    modified = one.modified_at.astimezone(given.zone).date()
    named = one.day or (day(only, "--day") if only else modified if given.untimed == "modified" else None)
    midnight = datetime.combine(named or modified, time(), given.zone).astimezone(UTC)
    read, seen = recognised_object(assistant, one)
    name = read.name.removeprefix(f"{Path.cwd()}/")
    say(*_seen_lines(name, seen, given))
    found = explained(read, midnight)
    is_refused = found.untimed and named is None
    say(*_lines(found, given, len(listed), is_refused=is_refused))
    quote_texts(*_conversation(found, has_times=not is_refused))
    if is_refused:
        _read_untimed(read, found.field, modified)
    facts = ExplainFacts(
        file=name,
        holds=seen.holds,
        format=seen.form.name,
        title=seen.form.title,
        sign=seen.sign or "",
        keys=tuple(seen.keys),
        conversations=found.conversations,
        messages=dict(found.messages),
        rejected=len(lost(found.rejects)),
        notes=tuple(found.notes),
    )
    return Done(0, facts)


def recognised_object(assistant: Assistant, one: Object) -> tuple[File, Recognised]:
    """The file, or the first member of an archive that is of a known format, with what is recognised in it."""
    if not one.uri.lower().endswith(archives.ENDING):
        file = assistant.file(one.uri, one.read())
        return file, recognised(file)
    for member in archives.opened(one, one.read(), lambda name: True).members:
        file = assistant.file(member.uri, member.read())
        try:
            return file, recognised(file)
        except NotRecognised:
            continue
    raise SourceError(f"{one.uri}: zip: no member is of a format that is known")


def _read_untimed(file: File, field: str | None, modified: date) -> None:
    """Raise the DayNeeded that a landing raises for this file."""
    try:
        formats.read(file, None)
    except DayNeeded as needed:
        raise needed.instead(field, modified) from None


def _spelled(sign: str) -> str:
    """The keys of a sign, and those that must be absent, in words."""
    present = [one for one in sign.split() if one[0] != "!"]
    absent = [one[1:] for one in sign.split() if one[0] == "!"]
    return " ".join(present) + (f", and no {' or '.join(absent)}" if absent else "")


def _seen_lines(name: str, found: Recognised, given: Settings) -> Iterator[str]:
    form = found.form
    why = f"its records have {_spelled(found.sign)}" if found.sign else "named, or by the ending of its name"
    yield f"{name}: {found.holds}; format {form.name} ({form.title}): {why}"
    yield f"source of the format: {form.docs}"
    yield f"a record is a {form.kind}" + (f", at {_place(found.route)}" if found.route else "")
    if found.keys:
        yield f"keys: {', '.join(found.keys[:SHOWN])}{', ...' if len(found.keys) > SHOWN else ''}"
    parts = {"conversation id": form.ids, "user": form.users, "times": form.times}
    parts |= {"speech": form.speech, "not speech": form.silent}
    yield from (f"{title}: {words}" for title, words in parts.items() if words)
    yield from (f"named: {word} at {path}" for word, path in given.names.items())


def _place(route: str) -> str:
    """The place of the records in a file, in words where they are a list: `data[] (each item of the list)`."""
    return f"{route} (each item of the list)" if route.endswith("[]") else route


def _lines(found: Explained, given: Settings, files: int, *, is_refused: bool) -> Iterator[str]:
    yield from (f"note: {note}" for note in found.notes)
    if found.untimed and found.field and not is_refused:
        way = mapping.flag({**given.names, "timestamp": found.field})
        yield f"note: messages without times; they may stand in {found.field}: {way}"
    counts = ", ".join(f"{role} {count:,}" for role, count in found.messages.items())
    would = "would not land as it is" if is_refused else "would land"
    part = f"of the first of {files:,} files {would}" if files > 1 else would
    yield f"{part}: {found.conversations:,} conversations, messages: {counts or 'none'}; {_rejects(found)}"
    untagged = {role: n for role, n in found.messages.items() if role not in roles.known(given.roles)}
    yield from (f"warning: {roles_warning(untagged)}" for _ in range(bool(untagged)))


def _rejects(found: Explained) -> str:
    losses = lost(found.rejects)
    return f"rejected {len(losses):,}" + (f", the first at {losses[0].place}: {losses[0].reason}" if losses else "")


def _conversation(found: Explained, *, has_times: bool) -> Iterator[str]:
    """The first conversation, with its messages' text; without times where none are known."""
    if not found.first:
        return
    head = found.first[0]
    yield f"first conversation: {head.conversation_id}, user {head.user_id or 'unknown'}" + (
        f", {head.sent_at:%Y-%m-%d} UTC" if has_times else ""
    )
    for one in found.first[:SHOWN]:
        text = one.content if len(one.content) <= LONGEST else f"{one.content[:LONGEST]} ..."
        yield f"  {one.sent_at:%H:%M:%S} {one.role}: {text}" if has_times else f"  {one.role}: {text}"
    if len(found.first) > SHOWN:
        yield f"  ... {len(found.first) - SHOWN:,} more messages"
