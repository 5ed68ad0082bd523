"""Every format that is read: one small module each, one line in this table, one test file.

A file is recognised by the keys of its first parsed records (`recognition`), cut into records whatever holds them
(`trees`), and read by the module of its format.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from cpa_core.errors import DayNeeded, SourceError
from cpa_core.sources import (
    aider,
    columns,
    dialects,
    documents,
    filling,
    headers,
    mapping,
    roles,
    times,
    whatsapp,
    workbooks,
)
from cpa_core.sources.files import File
from cpa_core.sources.formats import (
    agent_sessions,
    ai_studio,
    anthropic_messages,
    bedrock,
    bots,
    calls_by_voice,
    chat_datasets,
    chatgpt,
    claude_ai,
    cline,
    coding_agents,
    copilot_chat,
    dialogflow,
    dialogs,
    fielded,
    frameworks,
    gemini,
    gemini_cli,
    gemini_interactions,
    goose,
    helpdesks,
    hints,
    jaeger,
    langchain,
    langfuse,
    langsmith,
    librechat,
    live_chats,
    lm_studio,
    message_lists,
    open_webui,
    openai_chat,
    openai_logs,
    openai_responses,
    openai_threads,
    otel_genai,
    own,
    product_events,
    realtime,
    recognition,
    refused,
    sharegpt,
    slack,
    threads_of_answers,
    traced,
    ui_messages,
    zendesk_audits,
    zendesk_messaging,
)
from cpa_core.sources.formats.companions import HOLDS_NONE
from cpa_core.sources.formats.form import Format
from cpa_core.sources.identity import Decided, Nothing, Opened, identified
from cpa_core.sources.newest_first import oldest_first
from cpa_core.sources.owners import Owners, settled
from cpa_core.sources.records import Record, Reject
from cpa_core.sources.reject_table import lost, table_of
from cpa_core.sources.trees import Records

FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        own.MAP,
        *own.TABLES,
        own.ROWS,
        openai_chat.OPENAI,
        anthropic_messages.ANTHROPIC,
        sharegpt.SHAREGPT,
        gemini.GEMINI,
        gemini.GEMINI_HISTORY,
        gemini.GEMINI_LOGS,
        gemini_interactions.INTERACTIONS,
        ai_studio.AI_STUDIO,
        bedrock.BEDROCK,
        bedrock.BEDROCK_LOGS,
        openai_responses.RESPONSES,
        openai_responses.ITEMS,
        openai_threads.THREADS,
        realtime.REALTIME,
        openai_logs.PAIRS,
        openai_logs.ANSWERS,
        openai_logs.AZURE,
        langfuse.LANGFUSE,
        otel_genai.OTLP,
        otel_genai.LOGS,
        jaeger.JAEGER,
        ui_messages.UI_MESSAGES,
        ui_messages.UI_ROWS,
        ui_messages.UI_LISTS,
        langchain.LANGCHAIN,
        langchain.LANGCHAIN_LISTS,
        langchain.LANGCHAIN_ROWS,
        langchain.LANGGRAPH,
        frameworks.ADK,
        frameworks.PYDANTIC_AI,
        frameworks.CHAINLIT,
        frameworks.AUTOGEN,
        frameworks.SEMANTIC_KERNEL,
        frameworks.CHAT_STORE,
        langsmith.LANGSMITH,
        traced.OPIK,
        traced.BRAINTRUST,
        traced.HELICONE,
        traced.WEAVE,
        traced.DATADOG,
        traced.MLFLOW,
        product_events.POSTHOG,
        product_events.AMPLITUDE,
        chatgpt.CHATGPT,
        claude_ai.CLAUDE_AI,
        open_webui.OPEN_WEBUI,
        librechat.LIBRECHAT,
        librechat.LIBRECHAT_ROWS,
        lm_studio.LM_STUDIO,
        helpdesks.INTERCOM,
        helpdesks.HELP_SCOUT,
        helpdesks.ZENDESK,
        zendesk_audits.AUDITS,
        live_chats.ZENDESK_CHAT,
        live_chats.LIVECHAT,
        zendesk_messaging.MESSAGING,
        zendesk_messaging.EVENTS,
        helpdesks.CHATWOOT,
        helpdesks.TWILIO,
        helpdesks.TWILIO_MESSAGES,
        bots.RASA,
        bots.RASA_EVENTS,
        dialogflow.DIALOGFLOW,
        dialogflow.DIALOGFLOW_LOG,
        dialogflow.STUDIO,
        dialogflow.INSIGHTS,
        bots.COPILOT,
        bots.COPILOT_SESSIONS,
        bots.TYPEBOT,
        calls_by_voice.VAPI,
        calls_by_voice.RETELL,
        calls_by_voice.ELEVENLABS,
        calls_by_voice.GENESYS,
        slack.SLACK,
        coding_agents.CLAUDE_CODE,
        coding_agents.CODEX,
        coding_agents.CODEX_EARLY,
        gemini_cli.GEMINI_CLI,
        cline.CLINE,
        agent_sessions.OPENCODE,
        agent_sessions.OPENCODE_LIST,
        agent_sessions.PI,
        agent_sessions.AIDER,
        goose.GOOSE,
        goose.GOOSE_LINES,
        copilot_chat.COPILOT_CHAT,
        *fielded.BY_FIELDS,
        dialogs.TELEGRAM,
        dialogs.WHATSAPP,
        dialogs.DISCORD,
        dialogs.CONNECT,
        dialogs.VOICEFLOW,
        dialogs.LEX,
        threads_of_answers.DIFY,
        threads_of_answers.OASST,
        threads_of_answers.OASST_TREES,
        chat_datasets.CHAT_DATASET,
        message_lists.MESSAGES,
        message_lists.LINES,
        refused.BATCH_INPUTS,
        refused.STORED_PROMPTS,
        refused.COMPARED,
        refused.COMPLETIONS,
        refused.INTERCOM_LIST,
        refused.ZENDESK_TICKETS,
        refused.DIALOGFLOW_LIST,
        refused.TYPEBOT_RESULTS,
        own.LISTS,
    )
}
"""One line a format. Of formats that fit a file equally well, the first is taken."""


class ParsedFile(NamedTuple):
    """The records of a file as columns of `landed_messages`, and those that it rejects."""

    records: columns.Table
    rejects: Sequence[Reject]


def opened(file: File, midnight: datetime | None, day: date | None = None) -> Opened:
    """A file cut into records, before identity. `midnight` begins the day of messages without times.

    `day` is that day where the path or the caller named it. Raises SourceError when the file as a whole cannot be read
    or none of its records can, and DayNeeded when a time is missing and no day is given.
    """
    file, notes = prepared(file)
    try:
        chosen = recognition.choice(file, FORMATS)
        file = recognition.logged(file, chosen)
        if chosen.form.kind == "none":
            notes = (*notes, f"{file.name}: {chosen.form.title}: {HOLDS_NONE}")
        found, count = _gathered(file, chosen)
        (drafts, records, rejects), shared = settled(found, file.sessions.owners or Owners(), file.roles)
        notes = (*notes, *hints.shared_sessions(file, shared), *hints.one_conversation(file, chosen, records))
    except UnicodeDecodeError:
        raise documents.not_utf8(file.name, file.content) from None
    if drafts.num_rows or rejects:
        hints.check_names(file, chosen)
    losses = lost(rejects)
    if losses and not (drafts.num_rows or file.continues):
        raise SourceError(
            f"{file.name}: {losses[0].place}: {losses[0].reason}{hints.for_missing(file, chosen, losses[0].reason)}"
        )
    if count and not (drafts.num_rows or rejects or file.continues):
        reason = f"recognised as {chosen.form.title}, but none of its {count:,} records holds a message"
        raise SourceError(f"{file.name}: {reason}")
    notes = (*notes, *hints.looking_like_ids(file, chosen, drafts if chosen.form.kind == "message" else records))
    if records.num_rows and midnight is None and (place := columns.untimed(drafts, records)):
        raise DayNeeded(f"{file.name}: {place}: timestamp: missing, so the day must be named")
    return Opened(file.name, roles.assigned(drafts, file.roles, records), records, rejects, midnight, day, notes)


def prepared(file: File) -> tuple[File, tuple[str, ...]]:
    """A file as UTF-8, a workbook as the table of its sheet, and what a person should know of it.

    Raises SourceError for words of `--map` that are no paths, and for what is not the kind that its name says.
    """
    try:
        mapping.paths(tuple(file.names.items()))
    except ValueError as error:
        raise SourceError(f"{file.name}: --map: {error}") from None
    ending = file.name.lower().removesuffix(".gz")
    file = file._replace(matched=set(), turns={})
    if ending.endswith(workbooks.ENDINGS):
        sheet, about = workbooks.as_csv(file)
        found = headers.framed(file._replace(content=sheet), ",")
        return found.file, (*about, *found.notes)
    if documents.is_parquet(file.name, file.content):
        return headers.of_parquet(file), ()
    is_table = ending.endswith((".csv", ".tsv")) or file.form in ("csv", "tsv")
    content, notes = dialects.as_utf8(file.name, file.content, table=is_table)
    file = file._replace(content=content)
    if whatsapp.is_chat(file):
        return file._replace(content=whatsapp.as_json(file)), notes
    if aider.is_history(file):
        return file._replace(content=aider.as_json(file)), notes
    if not is_table:
        return file, notes
    found = headers.framed(file, "\t" if ending.endswith(".tsv") else ",")
    return found.file, (*notes, *found.notes)


def in_order(decided: Decided) -> Decided:
    """A file after identity with the messages of each conversation oldest first (see `newest_first`)."""
    drafts = decided.drafts if decided.repeated else oldest_first(decided.drafts)
    return decided if drafts is decided.drafts else replace(decided, drafts=drafts, openings={})


def completed(file: Opened, decided: Decided) -> ParsedFile:
    """The records of a file whose conversations are named, and which is `in_order`. Raises DayNeeded."""
    records, contradictions = filling.records(file.name, decided.drafts, file.midnight)
    return ParsedFile(records, table_of(decided.rejects) + contradictions)


def read(file: File, midnight: datetime | None) -> ParsedFile:
    """Return the records of a single file, and its rejects. Raises SourceError and DayNeeded: see `opened`."""
    return read_together([opened(file, midnight)])[0]


def read_together(files: Sequence[Opened]) -> list[ParsedFile]:
    """The records of several files and those they reject, as an empty home would take them."""
    found = identified(files, Nothing()).files
    return [completed(file, in_order(decided)) for file, decided in zip(files, found, strict=True)]


def _gathered(file: File, chosen: recognition.Choice) -> tuple[columns.Gathered, int]:
    """All that is read of a file, and of how many records.

    Where its own times tell the order of day and month in others, the file is read again in that order.
    """
    if chosen.form.kind != "call":
        file = file._replace(turns=None)  # only calls repeat what was said before
    serial = chosen.holds in ("csv", "tsv")
    with times.ordered(file.times, serial=serial) as orders:
        records = chosen.records(file)
        found = columns.gathered(found_in(file, chosen, records))
    if orders.undecided and orders.decided:
        with times.ordered(orders.decided, serial=serial):
            records = chosen.records(file)
            found = columns.gathered(found_in(file, chosen, records))
    return found, records.count


def found_in(file: File, chosen: recognition.Choice, records: Records) -> Iterator[columns.Found]:
    """Yield the records of a file by its format's reader.

    A file of our own form is read whole, any other by the record.
    """
    if chosen.empty:
        return iter(())
    layout, whole = own.WHOLE.get(chosen.form.name, ("", None))
    return whole(file) if whole and (layout, ()) == (chosen.layout, chosen.route) else chosen.form.read(file, records)


def parse(name: str, content: bytes, midnight: datetime | None) -> tuple[list[Record], Sequence[Reject]]:
    """The same as `read`, as rows."""
    found = read(File(name, content), midnight)
    return as_records(found), found.rejects


def as_records(batch: ParsedFile) -> list[Record]:
    """The records of a batch as rows."""
    return list(columns.rows(batch.records, Record))


def time_field(file: File) -> str | None:
    """The path of a field that looks like the time of messages, where none was found; None where there is none."""
    if "timestamp" in file.names:
        return None
    ready = prepared(file)[0]
    return hints.time_field(ready, recognition.choice(ready, FORMATS))


def form_of(file: File) -> str:
    """The name of a file's format. Raises SourceError."""
    return recognition.choice(prepared(file)[0], FORMATS).form.name
