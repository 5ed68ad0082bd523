"""The outbox as Parquet: a row an event, replaced when it comes again."""

from pathlib import Path

import duckdb

from cpa_core.destinations.parquet import ParquetOutbox
from cpa_core.pipeline import deliver_day
from tests.support.deliveries import DAY, assistant, store_day
from tests.support.vendor_events import event


def test_a_row_an_event_and_a_correction_replaces_it(tmp_path: Path) -> None:
    outbox = ParquetOutbox(tmp_path / "outbox")
    outbox.send([event(0), event(1)])
    receipts = outbox.send([event(1, payload={"Topic": "Form"}), event(2)])
    assert [receipt.status for receipt in receipts] == ["accepted"] * 2
    rows = duckdb.sql(
        "select event_id, properties->>'Topic' as topic, epoch_ms(timestamp) as sent_at "
        f"from read_parquet('{outbox.folder}/{DAY}.parquet') order by sent_at"
    ).fetchall()
    assert [row[0] for row in rows] == [event(n).event_id for n in range(3)]
    assert [row[1] for row in rows] == [None, "Form", None]
    assert rows[0][2] == 1_772_614_800_250
    assert not list(outbox.folder.glob("*.tmp"))


def test_a_day_goes_there_once(tmp_path: Path) -> None:
    store_day(tmp_path)
    environ = {"CPA_DESTINATIONS": "outbox,parquet"}
    assert deliver_day(assistant(tmp_path, **environ), DAY).accepted == 6
    assert deliver_day(assistant(tmp_path, **environ), DAY).sent == 0
    held = duckdb.sql(f"select count(*) from read_parquet('{tmp_path}/outbox/*.parquet')").fetchall()
    assert held == [(3,)]
