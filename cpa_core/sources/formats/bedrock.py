"""Amazon Bedrock: requests of Converse, and the log of model invocations that it writes to S3, gzip, a call a line.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html. A call of InvokeModel has the body
of the model's own vendor; the answer of a stream is a list of events. Bodies above 100 KB stand in another object.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats.calls import CallAbout, called, prompted
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation, listed
from cpa_core.sources.records import Reject, SourceRecord, moment

SESSIONS = ("sessionId", "session_id", "conversationId", "conversation_id", "threadId", "thread_id")
USERS = ("userId", "user_id", "user")


def _request(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    return conversation(file, place, tree, listed(tree, "messages"), tree.get("system"))


def _invocation(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    if not isinstance(tree, dict) or not isinstance(tree.get("input"), dict):
        raise ValueError("an invocation with input and output is needed")
    fields.once(tree)
    request = tree["input"].get("inputBodyJson")
    output = tree.get("output")
    response = output.get("outputBodyJson") if isinstance(output, dict) else None
    if not isinstance(request, dict):
        raise ValueError("input.inputBodyJson: missing; bodies above 100 KB stand in an object of their own")
    given = request.get("requestMetadata", tree.get("requestMetadata"))
    named = given if isinstance(given, dict) else {}
    started_at, assumed = moment(tree.get("timestamp"), file.zone)
    about = CallAbout(
        place=place,
        conversation_id=fields.identity("session", next((named[k] for k in SESSIONS if named.get(k)), None)),
        user_id=fields.identity("user", next((named[k] for k in USERS if named.get(k)), None)),
        started_at=started_at,
        call_id=fields.identity("requestId", tree.get("requestId")),
        zone_assumed=assumed,
    )
    yield from called(file, about, _asked(request), _answered(response), request.get("system"))


def _asked(request: dict[str, Any]) -> Any:
    """The messages of a request, of Converse or of the model's own vendor."""
    return request.get("messages", prompted(request.get("prompt", request.get("inputText"))))


LISTS = {"results": "outputText", "outputs": "text", "generations": "text"}
"""Where Titan, Mistral and Cohere keep the texts of an answer."""


def _answered(response: Any) -> Any:
    """The answer: Converse's, a vendor's own, or the text of a model without messages."""
    if not isinstance(response, dict):
        return response
    for key, word in LISTS.items():
        if isinstance(listed := response.get(key), list):
            return "".join(str(one[word]) for one in listed if isinstance(one, dict) and word in one)
    return next((response[key] for key in ("generation", "completion") if isinstance(response.get(key), str)), response)


BEDROCK = OPENAI._replace(
    name="bedrock",
    title="requests of Bedrock's Converse",
    signs=(
        "messages[].role messages[].content messages[].content[].text !messages[].content[].type",
        "messages[].role messages[].content messages[].content[].text system[].text !messages[].content[].type",
        "messages[].content[].toolUse messages[].role !messages[].content[].type",
        "messages[].role messages[].content[].text modelId !messages[].content[].type",
    ),
    read=each(_request),
    docs="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    silent="toolUse, toolResult, reasoningContent, documents, the system prompt",
)
BEDROCK_LOGS = Format(
    name="bedrock_logs",
    title="Bedrock's log of model invocations",
    kind="call",
    signs=(
        "schemaType=ModelInvocationLog input",
        "input.inputBodyJson requestId modelId",
        "input.inputBodyJson operation",
    ),
    read=each(_invocation),
    docs="https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html",
    ids="a session in requestMetadata; else calls are chained by history",
    users="a user in requestMetadata; identity.arn is the caller, no user",
    times="timestamp",
    speech="text of the user's messages and of the answer",
    silent=BEDROCK.silent,
)
