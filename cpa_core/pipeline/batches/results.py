"""The answers of a batch that ended, into the ledger: each once, whoever is killed meanwhile."""

from collections import Counter
from collections.abc import Sequence

from cpa_core.errors import ProviderStopped
from cpa_core.llm import BatchVendor, Reply
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.batches.states import OpenBatch, move
from cpa_core.pricing import Prices, cost, prices
from cpa_core.store import Store
from cpa_core.store.answers import add_answers
from cpa_core.store.database import Row

AT_ONCE = 2_000
"""Answers that are stored in one transaction: well below a second under the write lock."""
LANE = "batch"


def questions_of(store: Store, row: OpenBatch) -> dict[str, str]:
    """The conversation of each question of a batch, by the question's hash."""
    with store.reading() as view:
        found = view.answer("batches/questions_of_batch", key=row.batch_key)[0]
    return dict(zip(found["request_hashes"], found["conversation_ids"], strict=True))


def fetch(assistant: Assistant, row: OpenBatch, vendor: BatchVendor) -> None:
    """Store the answers of a batch, and how many questions it left unanswered and why.

    Raises ProviderFailed, with which all may be tried again; ProviderStopped, when lines say that the account or the
    model is refused, once the others are stored.
    """
    questions = questions_of(assistant.store, row)
    with assistant.store.reading() as view:
        kept = view.answer("batches/answers_kept", key=row.batch_key)
    unanswered = questions.keys() - {answer["request_hash"] for answer in kept}
    problems: Counter[str] = Counter()
    stops = ""
    own = prices(assistant.settings.prices_path)
    answers: list[Row] = []
    for line in vendor.results(row.vendor_id):
        if line.request_hash not in unanswered:
            continue
        if line.reply is None:
            problems[line.problem] += 1
            stops = stops or (line.problem if line.stops else "")
            continue
        unanswered.discard(line.request_hash)
        answers.append(_answer(row, line.request_hash, questions[line.request_hash], line.reply, own))
        if len(answers) >= AT_ONCE:
            _insert(assistant.store, answers)
            answers = []
    _insert(assistant.store, answers)
    problems["missing"] = len(unanswered) - sum(problems.values())
    _stored(assistant.store, row, len(unanswered), ", ".join(f"{n} {words}" for words, n in problems.items() if n > 0))
    if stops:
        raise ProviderStopped(f"in batch {row.batch_id}: {stops}")


def _answer(row: OpenBatch, request_hash: str, conversation_id: str, reply: Reply, own: Prices) -> Row:
    """A row of the ledger. It is booked when its batch was handed over: then the money was spent."""
    return {
        "answer_id": f"{row.batch_key}:{request_hash}",
        "request_hash": request_hash,
        "attempt": 1,
        "lane": LANE,
        "outcome": reply.outcome,
        "answer": reply.text,
        "detail": reply.detail,
        "cost": cost(row.provider, row.model, reply.usage, LANE, own),
        "run_id": row.batch_key,
        "conversation_id": conversation_id,
        "created_at": row.submitted_at,
        **{name: getattr(row, name) for name in ("task", "provider", "model", "day")},
        **dict(reply.usage),
    }


def _insert(store: Store, answers: Sequence[Row]) -> None:
    if answers:
        add_answers(store, answers[0]["run_id"], answers)


def _stored(store: Store, row: OpenBatch, unanswered: int, detail: str) -> None:
    with store.writing() as transaction:
        move(transaction, row, "stored", unanswered=unanswered, detail=detail)
