"""The examples on the file and on a lake: the same tables, row for row; and a home copied to a lake and back.

`python -m proofs.same_rows`. Columns that hold the time of the run, or an id made for it, are not compared.
After the copies the next run on either side asks nothing and sends nothing.
"""

import sys
from pathlib import Path
from tempfile import mkdtemp

from cpa_core.demo import EXAMPLES, demo_settings
from cpa_core.pipeline import Assistant, due_days, known_days, land, run_day
from cpa_core.pipeline.stores import copy_to
from cpa_core.settings import Settings, replaced
from cpa_core.store import Store
from cpa_core.store.archive import IN_STEP
from cpa_core.store.copying import contents_of
from cpa_core.store.lake.ledger import LEDGER
from cpa_core.store.transaction import question_sql
from proofs.figures import Claims, proved, show
from proofs.two_workers import Outside, outside

OF_THE_RUN = {"run_id", "answer_id", "batch_id", "id", "seconds", "origin", "since"}
OF_THE_TALK = {"sent_at", "started_at", "ended_at"}
"""Times that are the conversation's own, not the run's."""


def far(given: Settings, shared: Outside, name: str) -> Settings:
    """The same settings on a lake of its own."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    texts = {key: shared.environ[key] for key in names}
    store = {"CPA_STORE": f"{shared.environ['CPA_STORE']}?schema={name}", "CPA_STORE_DATA": f"s3://lake/{name}/"}
    return replaced(given, texts | store)


def worked(given: Settings) -> tuple[int, int]:
    """Land and run every day of an assistant, due or not: how many questions were asked and events sent."""
    assistant = Assistant.of(given)
    land(assistant)
    days = [row["day"] for row in due_days(assistant)] or known_days(assistant)
    done = [run_day(assistant, day) for day in days]
    asked = sum(one.tagged.asked + one.judged.asked for one in done)
    return asked, sum(one.delivered.sent for one in done if one.delivered)


def rows_of(store: Store) -> dict[str, tuple[int, str]]:
    """Number and hash of the rows of every table, without the columns of the run."""
    found = {}
    with store.reading() as view:
        names = sorted({row["name"] for row in view.answer("store/tables")} | set(LEDGER))
        for name in names:
            columns = sorted(row["column_name"] for row in view.rows(f"describe {name}"))
            kept = [one for one in columns if one in OF_THE_TALK or not (one.endswith("_at") or one in OF_THE_RUN)]
            asked = ", ".join(f'"{one}"' for one in kept) or "1"
            place = FIXED if name == "settings_fixed" else name
            sql = question_sql("store/content_of_columns").replace("$columns", asked).replace("$table", place)
            (row,) = view.rows(sql)
            found[name] = (row["rows"], row["content"])
    return found


def example(claims: Claims, shared: Outside, name: str) -> None:
    """One example on both; then its file copied to another lake, and from there into another home."""
    root = Path(mkdtemp(prefix="cpa-same-"))
    near, lake = demo_settings(name, root / "near"), far(demo_settings(name, root / "far"), shared, f"{name}_run")
    claims.claim(f"{name}: as many questions and events on both", worked(near) == worked(lake))
    first, second = rows_of(Store.of(near)), rows_of(Store.of(lake))
    differ = sorted(table for table in first if first[table] != second.get(table))
    show(name, [{"tables": len(first), "rows": sum(rows for rows, _ in first.values()), "differ": ", ".join(differ)}])
    claims.claim(f"{name}: the same tables, row for row", not differ)
    there = far(near, shared, f"{name}_copy")
    back = demo_settings(name, root / "back")
    copied = copy_to(Assistant.of(there), lake=True)
    copy_to(Assistant.of(replaced(there, {"CPA_HOME": str(back.home)})), lake=False)
    contents = [contents_of(Store.of(one)) for one in (near, there, back)]
    differ = sorted(key for key in contents[0] if contents[0][key] != contents[2][key])
    show(f"{name}: copied", [{"tables": copied.tables, "rows": copied.rows, "differ": ", ".join(differ)}])
    claims.claim(f"{name}: file, lake and file have equal hashes", contents[0] == contents[1] and differ in ([], MARKS))
    claims.claim(
        f"{name}: the next run on the copies asks nothing and sends nothing", worked(there) == worked(back) == (0, 0)
    )


FIXED = f"(select * from settings_fixed where name <> '{IN_STEP}')"
"""The fixed settings without the mark that a home's answers are in files: those of a lake are not."""
MARKS = ["settings_fixed"]
"""The file that was copied back writes its files of answers anew, so it lacks the mark that they are there."""


def proof(claims: Claims) -> None:
    """Every example."""
    with outside(1) as shared:
        for name in sys.argv[1:] or EXAMPLES:
            example(claims, shared, name)


if __name__ == "__main__":
    sys.exit(proved(proof))
