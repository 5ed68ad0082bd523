"""The report on one million messages, 60 event types, 365 days: its bytes, seconds and peak memory, by privacy."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from benchmarks.insights import make
from cpa_core.pipeline import Assistant, write_report
from cpa_core.settings import Privacy, settings

MEGABYTES = 8.0


def written(home: Path, privacy: str) -> None:
    """One report in this process."""
    began = time.monotonic()
    made = write_report(Assistant.of(settings({"CPA_HOME": str(home), "CPA_PRIVACY": privacy})))
    seconds, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{privacy:10}{made.size / 1e6:6.2f} MB (below {MEGABYTES:.0f}), {seconds:.1f} s, peak {peak:,.0f} MB: "
        f"{made.drill_downs:,} drill-downs into {made.examples:,} of {made.conversations:,} conversations",
        flush=True,
    )


def main() -> None:
    """Make the tables, then write each report in a process of its own."""
    if len(sys.argv) > 2:
        written(Path(sys.argv[1]), sys.argv[2])
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        for privacy in get_args(Privacy):
            subprocess.run([sys.executable, "-m", "benchmarks.report", folder, privacy], check=True)


if __name__ == "__main__":
    main()
