"""Questions that an earlier version of the prompts handed over: their answers are taken as answers of that version."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cpa_core.pipeline.batches.states import AWAITED
from cpa_core.pipeline.batches.submit import Asker, BatchQuestion
from cpa_core.store.database import Row, Transaction

UNUSED = sorted(AWAITED | {"stored"})
"""States of batches whose answers are not in their day yet."""
REDACTED = "-redacted"


class Earlier(NamedTuple):
    """A question as an earlier version of the prompts asked it: its hash then, and by which prompt."""

    request_hash: str
    prompt_id: str


def handed_over(view: Transaction, asker: Asker) -> Mapping[str, Sequence[Row]]:
    """The questions of a stage that are in batches, about the conversations as they are, by conversation."""
    rows = view.answer(
        "batches/questions_of_stage",
        task=asker.task,
        day=asker.day,
        provider=asker.model.provider,
        model=asker.model.model,
        version=asker.schema_version,
        states=UNUSED,
    )
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["conversation_id"]].append(row)
    return found


def earlier(known: Mapping[str, Sequence[Row]], asker: Asker, questions: Iterable[BatchQuestion]) -> dict[str, Earlier]:
    """Return, by a question's hash, the same question in earlier words, if batches hold its conversation in those
    words.

    The nth question about a conversation matches the nth that was submitted; an answer about other messages fails its
    check, and is asked for again.
    """
    now: defaultdict[str, list[BatchQuestion]] = defaultdict(list)
    for one in questions:
        now[one.conversation_id].append(one)
    found: dict[str, Earlier] = {}
    for conversation_id, asked in now.items():
        own = {one.request.hash for one in asked}
        by_prompt: defaultdict[str, list[Row]] = defaultdict(list)
        for row in known.get(conversation_id, ()):
            if row["request_hash"] not in own and _is_same(row, asked[0], asker):
                by_prompt[row["prompt_id"]].append(row)
        for before in by_prompt.values():
            if len(before) == len(asked):
                pairs = zip(asked, before, strict=True)
                found |= {one.request.hash: Earlier(row["request_hash"], row["prompt_id"]) for one, row in pairs}
    return found


def _is_same(row: Row, question: BatchQuestion, asker: Asker) -> bool:
    """Whether a question was about the same content, of which as much was redacted."""
    is_redacted = asker.prompt_id.endswith(REDACTED)
    was_redacted = str(row["prompt_id"]).endswith(REDACTED)
    return bool(row["content"] == question.content) and was_redacted == is_redacted
