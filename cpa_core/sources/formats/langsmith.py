"""LangSmith's runs, as the API, a data set's JSONL and the bulk export in Parquet have them.

Sources: https://docs.langchain.com/langsmith/run-data-format (session_id is the project),
https://docs.langchain.com/langsmith/threads (the thread is in the metadata), https://docs.langchain.com/langsmith/data-export.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.calls import CallAbout, called, is_readable, prompted
from cpa_core.sources.formats.form import Format
from cpa_core.sources.formats.langchain import messages_of
from cpa_core.sources.formats.langfuse import prompt_of
from cpa_core.sources.formats.talks import object_at
from cpa_core.sources.formats.trace_reading import Names, spoken_calls
from cpa_core.sources.formats.traces import Node, Part
from cpa_core.sources.records import Reject, SourceRecord, moment, tupled
from cpa_core.sources.trees import Trees, unfolded

THREADS = ("thread_id", "session_id", "conversation_id")
"""The keys of a run's metadata that name its thread, by LangSmith's own documentation."""
ASKED = ("messages", "input", "question", "query")
ANSWERED = ("generations", "choices", "output", "messages", "message", "answer", "content")


Said = tuple[Any, Any]
"""The input and the output of a run."""


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    """The runs of a file that are speech."""
    named: Names = {}

    def look(n: int, tree: Any) -> tuple[Node, Said] | None:
        if not isinstance(tree, dict):
            return None
        said = run_input(tree), run_answer(tree)
        node = _node(n, tree, said)
        thread, user = named.get(node.trace, (None, None))
        if not (thread and user):
            about = _metadata(tree)
            own = next((about[key] for key in THREADS if about.get(key)), None)
            named[node.trace] = thread or own, user or about.get("user_id")
        return node, said

    def call(file: File, place: str, tree: Any, said: Said | None) -> Iterator[columns.Found]:
        return _called(file, place, talks.record(tree), named, said)

    yield from spoken_calls(file, records, look, call, named)


def _node(key: int, tree: dict[str, Any], said: Said) -> Node:
    kind = str(tree.get("run_type") or "")
    part: Part = "call" if kind == "llm" else "step" if kind in ("chain", "") else "aside"
    speaks = part == "call" or is_readable(said[0]) or is_readable(said[1])
    parent = tree.get("parent_run_id")
    trace = str(tree.get("trace_id") or tree.get("id") or f"record {key}")
    about = (key, str(tree.get("id")), str(parent) if parent else None, trace, part, speaks, prompt_of(said[0]))
    return tupled(Node, about)


def _called(file: File, place: str, tree: dict[str, Any], named: Names, said: Said | None) -> Iterator[columns.Found]:
    asked, answered = said or (run_input(tree), run_answer(tree))
    asked = prompted(asked) if tree.get("run_type") == "llm" else asked
    if asked is None and answered is None:
        yield Reject(place, "no messages in inputs and outputs", "{}", loss=False)
        return
    trace = tree.get("trace_id") or tree.get("id")
    thread, user = named.get(str(trace), (None, None))
    started_at, assumed = moment(tree.get("start_time"), file.zone)
    ended_at, _ = moment(tree.get("end_time"), file.zone)
    about = CallAbout(
        place=place,
        conversation_id=fields.identity("thread_id", thread or trace),
        user_id=fields.identity("user_id", user),
        started_at=started_at,
        ended_at=ended_at,
        call_id=fields.identity("id", tree.get("id")),
        zone_assumed=assumed,
    )
    example = trace is None and "run_type" not in tree  # of a data set: it stands for itself
    for found in called(file, about, asked, answered, words=("inputs", "outputs")):
        yield found._replace(kind="conversation") if example and isinstance(found, SourceRecord) else found


def _metadata(tree: dict[str, Any]) -> dict[str, Any]:
    extra = unfolded(tree.get("extra"))
    return {**object_at(tree, "metadata"), **object_at(extra, "metadata")}


def run_input(tree: dict[str, Any]) -> Any:
    """Return the input of a run: messages, or the text of a chain. Null if it holds the application's own objects."""
    inputs = unfolded(tree.get("inputs"))
    if not isinstance(inputs, dict):
        return inputs or None
    prompts = inputs.get("prompts")
    if isinstance(prompts, list) and prompts:
        return prompts[0]
    history = inputs.get("chat_history") if isinstance(inputs.get("chat_history"), list) else []
    for key in ASKED:
        value = inputs.get(key)
        if isinstance(value, list) and value:
            return messages_of(value)
        if isinstance(value, str) and value:
            return [*messages_of(history or []), {"role": "user", "content": value}]
    return None


def run_answer(tree: dict[str, Any]) -> Any:
    """Return the output of a run: a generation, an answer of a vendor, messages, or the text of a chain."""
    outputs = unfolded(tree.get("outputs"))
    if not isinstance(outputs, dict):
        return outputs or None
    if isinstance(outputs.get("generations"), list):
        return _generation(outputs["generations"])
    key = next((key for key in ANSWERED if outputs.get(key)), None)
    if key == "choices" or outputs.keys() & {"role", "kwargs"}:
        return outputs if key == "choices" else [outputs]
    return _messages(outputs[key]) if key else None


def _messages(value: Any) -> Any:
    """Messages out of what stands under one key: a list of them, one, or a text. None: it is something else."""
    if isinstance(value, list):
        return messages_of(value)
    if isinstance(value, dict):
        return [value] if turns.is_message(value) else None
    return [{"role": "assistant", "content": value}] if isinstance(value, str) else None


def _generation(generations: list[Any]) -> Any:
    """The first of the generations for the first prompt."""
    first: Any = generations
    while isinstance(first, list):
        first = first[0] if first else None
    if not isinstance(first, dict):
        return None
    if isinstance(first.get("message"), dict):
        return [first["message"]]
    return [{"role": "assistant", "content": first["text"]}] if first.get("text") else None


LANGSMITH = Format(
    name="langsmith",
    title="LangSmith's runs",
    kind="call",
    signs=(
        "run_type inputs",
        "inputs.messages[] outputs !run_type !id",
        "inputs.question outputs.answer !run_type !id",
        "inputs.input outputs.output !run_type !id",
        "id run_type inputs outputs trace_id",
        "id run_type inputs outputs dotted_order",
        "id run_type inputs outputs parent_run_id start_time",
    ),
    read=_read,
    docs="https://docs.langchain.com/langsmith/run-data-format",
    ids="thread_id, session_id or conversation_id of the metadata, else the trace; session_id of a run is its project",
    users="user_id of the metadata",
    times="start_time, end_time for the answer",
    speech="inputs and outputs of the root run where they are messages or text, else of the outermost run of type llm",
    silent="runs inside another, tools, retrievers, parsers; what repeats an earlier run of the thread",
)
