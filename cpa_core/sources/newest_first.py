"""Files that have the newest message first: messages of one time stand in their true order again.

Message lists of OpenAI and Twilio, and queries with `order by created_at desc`, are written so, with times in seconds.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def oldest_first(drafts: Any) -> Any:
    """The drafts of a file with the messages of each conversation that has its newest first the other way round.

    Parts of one message, which have one place, stay in their order. Only a conversation whose times fall, and never
    rise, is turned. One of a single time is left as it is, and so is a file with messages without a time.
    """
    times = drafts["sent_at"]
    if drafts.num_rows < 3 or times.null_count or not _falls(drafts):
        return drafts
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for n, one in enumerate(drafts["conversation_id"].to_pylist()):
        rows[one].append(n)
    instants, places = times.cast(pa.int64()).to_pylist(), drafts["place"].to_pylist()
    order = list(range(drafts.num_rows))
    for found in rows.values():
        messages = [list(parts) for _, parts in groupby(found, key=places.__getitem__)]
        if _is_turned([instants[parts[0]] for parts in messages]):
            turned = (row for parts in reversed(messages) for row in parts)
            for n, row in zip(found, turned, strict=True):
                order[n] = row
    return drafts if order == list(range(len(order))) else drafts.take(pa.array(order, pa.int64()))


def _falls(drafts: Any) -> bool:
    """Whether times fall inside a conversation whose messages lie together, or never rise in the whole file."""
    times, ids = (drafts[word].combine_chunks() for word in ("sent_at", "conversation_id"))
    fell = pc.less(times[1:], times[:-1])
    if not pc.any(fell).as_py():
        return False
    rose = pc.any(pc.greater(times[1:], times[:-1])).as_py()
    return not rose or bool(pc.any(pc.and_(fell, pc.equal(ids[1:], ids[:-1]))).as_py())


def _is_turned(instants: Sequence[int]) -> bool:
    pairs = list(pairwise(instants))
    return instants[0] > instants[-1] and all(a >= b for a, b in pairs) and any(a == b for a, b in pairs)
