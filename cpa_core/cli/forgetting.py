"""The command that forgets a person, a conversation, or what is old."""

from collections.abc import Iterator, Sequence

from cpa_core.cli.display import existing
from cpa_core.cli.facts import Done, ForgetFacts, OutdatedFacts
from cpa_core.cli.screen import say
from cpa_core.destinations.deletions import DELETIONS
from cpa_core.errors import SettingsError
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.forgetting.deletions import HeldElsewhere, askable
from cpa_core.pipeline.forgetting.elsewhere import deletion_requests, receipt_lines
from cpa_core.pipeline.forgetting.forget import Forgetting, forget, forget_older, forgetting, resume_forgetting
from cpa_core.pipeline.forgetting.retention import Outdated, outdated
from cpa_core.settings import Settings


def forget_command(
    given: Settings, users: Sequence[str], conversations: Sequence[str], *, yes: bool, at_destinations: bool
) -> Done:
    """List what the home holds of them; with `yes`, remove it, and with `at_destinations` ask these to delete it first.

    For other copies at destinations and vendors, print the deletion request.
    """
    existing(given)
    assistant = Assistant.of(given)
    if yes and resume_forgetting(assistant):
        say("finished what an earlier removal had begun")
    if not (users or conversations):
        raise SettingsError("name a user or a conversation: cpa forget --user U, --conversation C")
    found = forgetting(assistant, users, conversations)
    asks = askable(given, found.elsewhere) if at_destinations else []
    requests = deletion_requests(found.model_copy(update={"elsewhere": _others(found, asks)}), given)
    say(*_lines(found, requests), *_asking_lines(asks, given))
    if yes:
        found = forget(assistant, users, conversations, at_destinations=at_destinations)
        copied = "the database was copied" if assistant.store.is_file else "the store's files were written anew"
        say(f"removed; {copied} without it")
    elif not found.is_empty:
        say("nothing was changed; the same command with --yes removes it")
    say(*(line for one in found.asked for line in receipt_lines(one, given)))
    return Done(0, ForgetFacts(found=found, done=yes, requests=requests))


def _others(found: Forgetting, asks: Sequence[HeldElsewhere]) -> tuple[HeldElsewhere, ...]:
    return tuple(one for one in found.elsewhere if one not in asks)


def _asking_lines(asks: Sequence[HeldElsewhere], given: Settings) -> Iterator[str]:
    for one in asks:
        request = DELETIONS[one.destination].curl(given, one.sent_as or "")
        yield f"with --yes, asks {one.destination} ({one.project}) to delete the person with all events: {request}"


def forget_older_command(
    given: Settings, days: int, others: Sequence[str], *, yes: bool, at_destinations: bool
) -> Done:
    """List what of the home is older; with `yes`, remove it. The sums of its days stay."""
    if others:
        raise SettingsError(
            "--older-than cannot be combined with --user or --conversation: run the command once for each"
        )
    if at_destinations:
        raise SettingsError(
            "--at-destinations asks about persons, and --older-than is about time: set the retention of each "
            "destination there"
        )
    existing(given)
    assistant = Assistant.of(given)
    if yes and resume_forgetting(assistant):
        say("finished what an earlier removal had begun")
    found = outdated(assistant, days)
    say(*_outdated_lines(found))
    if yes and not found.is_empty:
        forget_older(assistant, days)
        copied = "the database was copied" if assistant.store.is_file else "the store's files were written anew"
        say(f"removed; the sums of these days stay, and {copied} without the rest")
    elif not found.is_empty:
        say("nothing was changed; the same command with --yes removes it")
    return Done(0, OutdatedFacts(found=found, done=yes))


def _outdated_lines(found: Outdated) -> list[str]:
    lines = [f"{found.conversations:,} conversations ended before {found.before}"]
    lines += [f"  table {name}: {count:,} rows" for name, count in found.tables.items()]
    return lines + [f"  file {name}: {count:,} lines or rows" for name, count in found.files.items()]


def _lines(found: Forgetting, requests: Sequence[str]) -> list[str]:
    lines = [f"{len(found.conversations):,} conversations on {len(found.days):,} days"]
    lines += [f"  table {name}: {count:,} rows" for name, count in found.tables.items()]
    lines += [f"  file {name}: {count:,} lines or rows" for name, count in found.files.items()]
    lines += [f"stays: {name} quotes this person; edit it by hand" for name in found.quoting]
    return lines + [f"stays elsewhere: {request}" for request in requests]
