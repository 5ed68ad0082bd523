"""Tasks of Cline and its relatives (Roo Code, Kilo Code): `api_conversation_history.json` with times.

Source: https://github.com/cline/cline (src/core/task). `wrappers` has the program's texts around words.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns
from cpa_core.sources.files import File
from cpa_core.sources.formats import message_lists
from cpa_core.sources.formats.form import each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation
from cpa_core.sources.formats.wrappers import is_wrapped


def _task(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    if not isinstance(tree, list) or not is_wrapped(tree):
        return message_lists.bare(file, place, tree)
    return conversation(file, place, {}, [_timed(one) if isinstance(one, dict) else one for one in tree])


def _timed(message: dict[str, Any]) -> dict[str, Any]:
    """A message with its time. A summary that the program wrote in place of earlier messages has the role system."""
    summary = {"role": "system"} if message.get("isSummary") is True else {}
    return {"timestamp": message.get("ts"), **{key: value for key, value in message.items() if key != "ts"}, **summary}


CLINE = OPENAI._replace(
    name="cline",
    title="tasks of Cline and its relatives",
    signs=("[].role [].content[].type [].ts",),
    read=each(_task),
    docs="https://github.com/cline/cline",
    ids="none: what was said",
    users="none",
    times="ts of each message",
    speech="what the user typed (task, feedback, answer, user_message); the assistant's text, questions and results",
    silent="the state of the editor, results and calls of tools, reasoning, files that the program put in",
)
