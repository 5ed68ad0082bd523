"""Files of known products that hold only one side of conversations: refused, with the name of the file that is meant.

Sources: https://platform.openai.com/docs/guides/batch (inputs), https://docs.anthropic.com/en/docs/build-with-claude/batch-processing,
https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations (the list has no parts),
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/,
https://github.com/baptisteArno/typebot.io (packages/results: the first column of the table is "Submitted at").
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns
from cpa_core.sources.files import File
from cpa_core.sources.formats.form import Format, Reader, each

NOWHERE = "none is read: such a file is refused"


def _refusing(reason: str) -> Reader:
    def refuse(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
        raise ValueError(reason)
        yield  # a reader of records

    return each(refuse)


def _refused(name: str, title: str, *signs: str, reason: str, docs: str) -> Format:
    read = _refusing(reason)
    return Format(
        name, title, "conversation", signs, read, docs, NOWHERE, NOWHERE, NOWHERE, f"none: {reason}", "all of it"
    )


BATCH_INPUTS = _refused(
    "batch_inputs",
    "requests of a batch",
    "custom_id body.messages[]",
    "custom_id method url body",
    "custom_id params.messages[]",
    reason="only requests stand here; the batch's output file has their answers under the same custom_id: "
    "join the two by it, each as {request, response}; for the requests alone say --map messages=body.messages "
    "--format openai",
    docs="https://platform.openai.com/docs/guides/batch",
)
STORED_PROMPTS = _refused(
    "stored_prompts",
    "the messages of a stored completion of OpenAI's",
    "object=list data[].content_parts data[].role first_id",
    reason="only what was asked stands here; the answers are those of the list of completions: join the two by the "
    "completion's id, each as {request, response}",
    docs="https://platform.openai.com/docs/api-reference/chat/getMessages",
)
COMPARED = _refused(
    "compared_answers",
    "preferences between two answers, as models are trained on them",
    "input.messages[] preferred_output[] non_preferred_output[]",
    "prompt chosen rejected",
    "chosen[].role rejected[].role",
    "conversation_a[].role conversation_b[].role",
    reason="each record holds two answers to one question, of which nobody may have read either; to take one of them, "
    "name its messages: --map messages=conversation_a --format openai, or messages=chosen",
    docs="https://platform.openai.com/docs/guides/direct-preference-optimization",
)
COMPLETIONS = _refused(
    "prompts_and_completions",
    "prompts and completions, as models are trained on them",
    "prompt completion !messages",
    reason="a prompt is a text that a program made, and no message; if these are a user's words and the answer, "
    "write each as {messages: [{role, content}, ...]}",
    docs="https://platform.openai.com/docs/api-reference/completions",
)
INTERCOM_LIST = _refused(
    "intercom_list",
    "Intercom's list of conversations without their parts",
    "source.body source.author !conversation_parts",
    "id source.body source.author.type created_at !conversation_parts",
    reason="only the first message of each conversation stands here: retrieve each conversation "
    "(GET /conversations/{id}), which has its conversation_parts",
    docs="https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations",
)
ZENDESK_TICKETS = _refused(
    "zendesk_tickets",
    "Zendesk's tickets without their comments",
    "id requester_id subject description !comments",
    "ticket.id ticket.requester_id ticket.description !comments",
    reason="only the first words of each ticket stand here: export its comments as well "
    "(GET /api/v2/tickets/{id}/comments.json?include=users)",
    docs="https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/",
)
TYPEBOT_RESULTS = _refused(
    "typebot_results",
    "Typebot's table of results",
    "Submitted+at !role !content !messages",
    "typebotId answers[].blockId answers[].content !transcript",
    reason="only what visitors answered stands here, not what the bot asked: fetch the transcript of each result "
    "(GET /v1/typebots/{typebotId}/results/{resultId}/transcript), which is read",
    docs="https://docs.typebot.com/results/overview",
)
DIALOGFLOW_LIST = _refused(
    "dialogflow_list",
    "Dialogflow's list of conversations without their interactions",
    "name startTime languageCode metrics !interactions !turns",
    "name start_time language_code metrics !interactions !turns",
    reason="only how long each conversation was stands here, not what was said: get each conversation by its name "
    "(projects.locations.agents.conversations.get), which has its interactions",
    docs="https://docs.cloud.google.com/dialogflow/cx/docs/reference/rest/v3beta1/"
    "projects.locations.agents.conversations/list",
)
