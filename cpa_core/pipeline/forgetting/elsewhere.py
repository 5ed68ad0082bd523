"""The deletion requests for copies that a home cannot remove: events at destinations, and batches at vendors.

Batches: https://platform.openai.com/docs/api-reference/files/delete and
https://docs.anthropic.com/en/api/deleting-message-batches.
"""

from collections.abc import Iterator

from cpa_core.destinations.deletions import DELETIONS
from cpa_core.pipeline.forgetting.deletions import DeletionReceipt, HeldElsewhere, stays_because
from cpa_core.pipeline.forgetting.forget import Forgetting
from cpa_core.settings import Settings

VENDORS = {
    "openai": 'curl -X DELETE "https://api.openai.com/v1/files/FILE" -H "Authorization: Bearer $OPENAI_API_KEY" '
    "(FILE: the input and output file of batch {batch})",
    "anthropic": 'curl -X DELETE "https://api.anthropic.com/v1/messages/batches/{batch}" '
    '-H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01"',
}


def deletion_requests(found: Forgetting, given: Settings) -> tuple[str, ...]:
    """The requests to send by hand, one a line, with variables for keys. They delete a person with all events."""
    asked = (line for one in found.elsewhere for line in _by_hand(one, given))
    return (*asked, *batch_requests(found))


def batch_requests(found: Forgetting) -> Iterator[str]:
    """The requests for batches at vendors of models, one a line."""
    for one in found.batches:
        words = VENDORS.get(one.provider, "delete batch {batch} there").format(batch=one.batch_id)
        yield f"{one.provider}: {words}"


def _by_hand(one: HeldElsewhere, given: Settings) -> Iterator[str]:
    name = f"{one.destination} ({one.project}), {one.events:,} events"
    vendor = DELETIONS.get(one.destination)
    if vendor is None or one.sent_as is None or not one.is_own:
        yield f"{name} of {one.distinct_id}: {stays_because(one, given)}"
    else:
        yield f"{name}: {vendor.curl(given, one.sent_as)}"


def receipt_lines(asked: DeletionReceipt, given: Settings) -> Iterator[str]:
    """The answer of a destination, its promise, and the request that shows the state there."""
    vendor = DELETIONS[asked.destination]
    place = f"{asked.destination} ({asked.project}), asked at {asked.asked_at:%Y-%m-%d %H:%M} UTC"
    status = f"{asked.status}{f' ({asked.http_status})' if asked.http_status else ''}"
    if asked.status == "promised":
        yield f"{place}: {status}, not yet deleted: {vendor.promise}"
        yield f"  its state: {vendor.state_curl(given, asked.task)}"
    elif asked.status == "not_found":
        yield f"{place}: {status}: {asked.detail or vendor.nobody}"
    else:
        yield f"{place}: {status}: {asked.detail or 'no answer was kept: ask again'}"
