"""The text that Cline and its relatives (Roo Code, Kilo Code) wrap around words of a user and a model: it is no speech.

Source: https://github.com/cline/cline (src/core/task, src/core/prompts/responses.ts); the file is
`api_conversation_history.json`, a list of Anthropic's messages. Under role user stand the task, feedback and answers in
elements of these names, and beside them the state of the editor and results of tools. Tools of the assistant may be
elements in its text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

MARK = "<environment_details>"
"""Every request of these programs has the state of the editor in an element of this name."""

WORDS = re.compile(r"<(task|feedback|answer|user_message)>\n?(.*?)\n?</\1>", re.DOTALL)
"""The elements that hold what a person typed."""

WRITTEN = ("<", "[", "# ")
"""How a text begins that the program wrote, where no element in it holds a person's words."""

TOOLS = (
    "execute_command|read_file|write_to_file|replace_in_file|apply_diff|insert_content|search_and_replace|search_files|"
    "list_files|list_code_definition_names|codebase_search|browser_action|use_mcp_tool|access_mcp_resource|new_task|"
    "load_mcp_documentation|fetch_instructions|switch_mode|update_todo_list|new_rule|condense|web_fetch|use_skill|"
    "ask_followup_question|attempt_completion|plan_mode_respond"
)
USED = re.compile(rf"<(thinking|{TOOLS})>(.*?)(?:</\1>|\Z)", re.DOTALL)
SAID = re.compile(r"<(question|result|response)>\n?(.*?)\n?(?:</\1>|\Z)", re.DOTALL)
"""The assistant's words in a tool that asks, answers or ends the task."""


SAID_BY_TOOLS = {"attempt_completion": "result", "ask_followup_question": "question", "plan_mode_respond": "response"}
"""Tools that the model calls itself: one argument of each call holds the assistant's words."""

Split = tuple[list[Any], list[tuple[str, str]]]
"""Parts that somebody says, and texts of other roles."""


def is_wrapped(messages: Sequence[Any]) -> bool:
    """Whether these messages are a task of Cline's: its mark stands in the first that the user has."""
    first = next((one for one in messages if isinstance(one, dict) and one.get("role") == "user"), {})
    return any(MARK in text for text in _texts(first.get("content")))


def unwrapped(messages: Sequence[Any]) -> Iterator[Any]:
    """The messages of a task, with what the program wrote as messages of roles of their own."""
    for one in messages:
        content = one.get("content") if isinstance(one, dict) else None
        if not isinstance(content, str | list) or one.get("role") not in ("user", "assistant"):
            yield one
            continue
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        split = _typed if one["role"] == "user" else _spoken
        made = list(split(parts))
        said, others = ([piece for pieces in made for piece in pieces[n]] for n in (0, 1))
        about = {key: value for key, value in one.items() if key == "timestamp"}
        if said:
            yield {**one, "content": said}
        yield from ({"role": role, "content": text, **about} for role, text in others)


def _texts(content: Any) -> list[str]:
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return [part["text"] for part in parts if _is_text(part)]


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _typed(parts: Sequence[Any]) -> Iterator[Split]:
    """Yield the parts of a user message: those that a person typed, and those that the program wrote.

    A tool's name is followed by its result, also in the next parts.
    """
    result = False
    for part in parts:
        if not _is_text(part):
            words = [found[1] for text in _texts_of_result(part) for found in WORDS.findall(text)]
            yield [{"type": "text", "text": "\n".join(words)}] if words else [part], []
            continue
        text = part["text"]
        result = not text.startswith(MARK) and (result or (text.startswith("[") and "] Result:" in text))
        if words := [found[1] for found in WORDS.findall(text)]:
            yield [{"type": "text", "text": "\n".join(words)}], []
        elif result or text.startswith(WRITTEN):
            yield [], [("tool" if result else "system", text)]
        else:
            yield [part], []


def _texts_of_result(part: Any) -> list[str]:
    """The texts of the result of a tool, in which a person's answer may stand."""
    return _texts(part.get("content")) if isinstance(part, dict) and part.get("type") == "tool_result" else []


def _words_of_call(part: Any) -> str:
    """The assistant's words in the call of a tool that asks, answers or ends the task."""
    if not isinstance(part, dict) or part.get("type") != "tool_use" or not isinstance(part.get("input"), dict):
        return ""
    words = part["input"].get(SAID_BY_TOOLS.get(str(part.get("name")), ""))
    return words if isinstance(words, str) else ""


def _spoken(parts: Sequence[Any]) -> Iterator[Split]:
    """Yield the assistant's words in its texts, and its thoughts and uses of tools."""
    for part in parts:
        if not _is_text(part):
            words = _words_of_call(part)
            yield [{"type": "text", "text": words}] if words else [part], []
            continue
        used = [(name, inner) for name, inner in USED.findall(part["text"]) if not SAID.search(inner)]
        said = USED.sub(lambda found: "\n".join(words for _, words in SAID.findall(found[0])), part["text"]).strip()
        others = [("reasoning" if name == "thinking" else "tool_call", inner) for name, inner in used]
        yield [{"type": "text", "text": said}] if said else [], [one for one in others if one[1].strip()]
