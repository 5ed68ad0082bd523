"""Which conversation each record of a file is, where the file gives no id."""

from collections import Counter
from typing import Any

import pyarrow as pa

from cpa_core.models import digest

SPOKEN = ("user", "assistant")


def named(drafts: Any, records: Any) -> Any:
    """The drafts with the ids of their conversations: those of records without one are made from the content."""
    given = drafts["conversation_id"]
    if not records.num_rows or not records["conversation_id"].null_count:
        return drafts
    begun: Counter[str] = Counter()
    ids = given.to_pylist()
    roles, contents = drafts["role"], drafts["content"]
    for record in records.to_pylist():
        if record["conversation_id"] is None:
            rows = range(record["first"], record["first"] + record["size"])
            said = [(r, contents[n].as_py()) for n in rows if (r := roles[n].as_py()) in SPOKEN]
            basis = digest([record["user_id"], record["started_at"], said[:1]])[:20]
            name = f"c-{basis}-{begun[basis]}"
            begun[basis] += 1
            ids[record["first"] : rows.stop] = [name] * record["size"]
    return drafts.set_column(
        drafts.column_names.index("conversation_id"), "conversation_id", pa.array(ids, pa.string())
    )
