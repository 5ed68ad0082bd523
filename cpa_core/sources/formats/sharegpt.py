"""ShareGPT: `{"conversations": [{from, value}]}`, also with the columns `system` and `tools` of LLaMA-Factory.

Source: https://llamafactory.readthedocs.io/en/latest/getting_started/data_preparation.html#sharegpt.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources.files import File
from cpa_core.sources.formats.form import each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation, listed
from cpa_core.sources.records import Reject, SourceRecord


def _talk(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    return conversation(file, place, tree, listed(tree, "conversations"), tree.get("system"))


SHAREGPT = OPENAI._replace(
    name="sharegpt",
    title="ShareGPT conversations",
    signs=("conversations[].from conversations[].value", "conversations[].role conversations[].content"),
    read=each(_talk),
    docs="https://llamafactory.readthedocs.io/en/latest/getting_started/data_preparation.html",
    times="timestamp of each message, else of the conversation; the format has none of its own",
    silent="system prompts, function_call and observation",
)
