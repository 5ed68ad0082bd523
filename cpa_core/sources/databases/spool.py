"""The rows of one query, fetched whole before any is used: in a file without a name, which no crash leaves behind."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc, parquet

PART_ROWS, PART_BYTES = 50_000, 16 << 20
"""A part of a range, which is read and kept as one, ends with the batch that reaches one of these."""


class Spool:
    """Fetched rows in their order. `place` is a folder of the disk that the rows will fill, or None."""

    def __init__(self, place: Path | None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=place)  # noqa: SIM115 (closed by `close`)
        self.rows = 0

    def fill(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Take in all batches. Raises what they raise, and OSError where the disk is full."""
        writer = None
        for batch in batches:
            if writer is None:
                options = ipc.IpcWriteOptions(compression="lz4")
                writer = ipc.new_stream(self._file, batch.schema, options=options)
            writer.write_batch(batch)
            self.rows += batch.num_rows
        if writer is not None:
            writer.close()

    def parts(self) -> Iterator[pa.Table]:
        """The rows again, by the part."""
        if not self.rows:
            return
        self._file.seek(0)
        pending: list[pa.RecordBatch] = []
        for batch in ipc.open_stream(self._file):
            for begin in range(0, batch.num_rows, PART_ROWS):
                pending.append(batch.slice(begin, PART_ROWS))
                rows, size = sum(one.num_rows for one in pending), sum(one.nbytes for one in pending)
                if rows >= PART_ROWS or size >= PART_BYTES:
                    yield pa.Table.from_batches(pending)
                    pending = []
        if pending:
            yield pa.Table.from_batches(pending)

    def close(self) -> None:
        """Give the disk's space back."""
        self._file.close()


def as_parquet(rows: pa.Table) -> bytes:
    """Rows as the bytes of a Parquet file, made for being read once."""
    sink = pa.BufferOutputStream()
    parquet.write_table(rows, sink, compression="none", use_dictionary=False, write_statistics=False)
    return bytes(sink.getvalue().to_pybytes())


def at_end(column: pa.ChunkedArray) -> int:
    """How many values of an ordered column equal its last one."""
    return int(pc.sum(pc.equal(column, column[-1])).as_py() or 0)
