"""Copies that a home cannot remove: events at destinations and batches at vendors, each with its deletion request.

PostHog: https://posthog.com/docs/privacy/data-deletion, bulk deletion by distinct id. Amplitude:
https://amplitude.com/docs/apis/analytics/user-privacy. Mixpanel: https://developer.mixpanel.com/reference/gdpr-api.
"""

import json
from collections.abc import Iterator

from cpa_core.pipeline.forgetting.forget import Forgetting

VENDORS = {
    "openai": "DELETE https://api.openai.com/v1/files/{{input and output file of batch {batch}}}",
    "anthropic": "DELETE https://api.anthropic.com/v1/messages/batches/{batch}",
}


def deletion_requests(found: Forgetting) -> tuple[str, ...]:
    """The requests to send, one a line, with names for the keys. They delete a person with all their events."""
    people: dict[tuple[str, str], list[str]] = {}
    for one in found.elsewhere:
        people.setdefault((one.destination, one.project), []).append(one.distinct_id)
    asked = [line for (name, project), ids in people.items() for line in _at(name, project, ids)]
    batches = [
        f"{one.provider}: {VENDORS.get(one.provider, 'delete batch {batch} there').format(batch=one.batch_id)}"
        for one in found.batches
    ]
    return (*asked, *batches)


def _at(destination: str, project: str, ids: list[str]) -> Iterator[str]:
    if destination == "posthog":
        body = json.dumps({"distinct_ids": ids, "delete_events": True}, ensure_ascii=False)
        yield (
            f"posthog: POST $POSTHOG_APP/api/projects/$PROJECT_ID/persons/bulk_delete/ "
            f"(Authorization: Bearer $PERSONAL_API_KEY) {body}"
        )
    elif destination == "amplitude":
        body = json.dumps({"user_ids": ids, "requester": "cpa forget"}, ensure_ascii=False)
        yield (
            f"amplitude: POST https://amplitude.com/api/2/deletions/users, in the EU "
            f"https://analytics.eu.amplitude.com/api/2/deletions/users (basic: $API_KEY:$SECRET_KEY) {body}"
        )
    elif destination == "mixpanel":
        body = json.dumps({"distinct_ids": ids, "compliance_type": "GDPR"}, ensure_ascii=False)
        yield (
            f"mixpanel: POST https://mixpanel.com/api/app/data-deletions/v3.0/?token=$MIXPANEL_TOKEN "
            f"(Authorization: Bearer $GDPR_OAUTH_TOKEN) {body}"
        )
    else:
        yield f"{destination} ({project}): delete the events of {json.dumps(ids, ensure_ascii=False)} there"
