"""Session files of coding agents: Claude Code and Codex, a record a line.

Sources: https://github.com/simonw/claude-code-transcripts (Claude Code: user, assistant and summary lines of a
sessionId), https://github.com/openai/codex/tree/main/codex-rs/protocol (Codex: response items of a rollout).
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.form import Format, attempted, each
from cpa_core.sources.formats.talks import list_at, object_at
from cpa_core.sources.records import Draft, Reject
from cpa_core.sources.trees import Trees

ASIDE = "a line that holds no message"
INJECTED = ("<environment_context>", "<user_instructions>", "<permissions instructions>", "# AGENTS.md instructions")
"""How what Codex itself puts before the user's words begins; it stands under role user."""


def _claude_line(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    tree = talks.record(tree)
    message = object_at(tree, "message")
    if tree.get("type") not in ("user", "assistant") or not message or tree.get("isSidechain") or tree.get("isMeta"):
        yield Reject(place, ASIDE, "{}", loss=False)
        return
    session = fields.identity("sessionId", tree.get("sessionId"))
    if session is None:
        raise ValueError("sessionId: missing")
    turn = {"role": message.get("role"), "content": message.get("content")}
    for made in turns.drafts_of(file, place, {**turn, "timestamp": tree.get("timestamp"), "id": tree.get("uuid")}):
        yield made._replace(conversation_id=session) if isinstance(made, Draft) else made


def _codex(file: File, records: Trees) -> Iterator[columns.Found]:
    """A rollout: its first line names the session, response items hold what was said."""
    session: list[str | None] = [None]

    def line(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
        tree = talks.record(tree)
        payload = object_at(tree, "payload")
        if tree.get("type") == "session_meta":
            session[0] = fields.identity("id", payload.get("id"))
        if tree.get("type") != "response_item" or payload.get("type") != "message":
            yield Reject(place, ASIDE, "{}", loss=False)
            return
        if session[0] is None:
            yield Reject(place, "no session_meta before it names the session", raw(tree))
            return
        words = "".join(str(object_at(one).get("text") or "") for one in list_at(payload, "content"))
        role = "system" if words.startswith(INJECTED) else payload.get("role")
        turn = {"role": role, "content": payload.get("content"), "timestamp": tree.get("timestamp")}
        for made in turns.drafts_of(file, place, turn):
            yield made._replace(conversation_id=session[0]) if isinstance(made, Draft) else made

    for one in records:
        yield from [one] if isinstance(one, Reject) else attempted(file, one, line)


CLAUDE_CODE = Format(
    name="claude_code",
    title="sessions of Claude Code",
    kind="message",
    signs=(
        "sessionId type uuid",
        "sessionId type=user|assistant uuid message.role",
        "sessionId type=user|assistant uuid message.role parentUuid timestamp",
    ),
    read=each(_claude_line),
    docs="https://github.com/simonw/claude-code-transcripts",
    ids="sessionId",
    users="none",
    times="timestamp of each line",
    speech="text of user and assistant",
    silent="tool use and results, thinking, summaries, subagents (isSidechain), what the program itself says (isMeta)",
)

CODEX = Format(
    name="codex",
    title="rollouts of Codex",
    kind="message",
    signs=(
        "timestamp type=session_meta|response_item|event_msg|turn_context payload",
        "timestamp type=session_meta|response_item|event_msg|turn_context payload.type",
    ),
    read=_codex,
    docs="https://github.com/openai/codex/tree/main/codex-rs/protocol",
    ids="id of the session_meta line",
    users="none",
    times="timestamp of each line",
    speech="response items that are messages of user and assistant",
    silent="instructions and environment that Codex puts before the user's words, reasoning, tools, events",
)
