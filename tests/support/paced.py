"""A worker of a shared store that starts calls at the pace of a limit: `python -m tests.support.paced`.

Its arguments are a home and calls a minute; CPA_STORE and CPA_STORE_DATA name the store. It says `ready`, and starts
calls from the first line of its input until the second; then it prints when each of them started.
"""

import os
import sys
import threading
import time
from pathlib import Path

from cpa_core.llm import Limiter, Shared
from cpa_core.settings import settings
from cpa_core.store import Store


def main() -> None:
    """Calls that take no time, by four threads."""
    home, per_minute = sys.argv[1:]
    ledger = Store.of(settings({**os.environ, "CPA_HOME": str(Path(home))})).ledger
    assert ledger is not None
    limiter = Limiter(4, rpm=float(per_minute), shared=Shared(turns=ledger.turns("any:model")))
    is_over = threading.Event()
    starts: list[float] = []

    def call() -> None:
        while not is_over.is_set():
            with limiter.slot():
                starts.append(time.monotonic())

    print("ready", flush=True)
    sys.stdin.readline()
    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    is_over.set()
    for thread in threads:
        thread.join()
    print(*starts, sep="\n")


if __name__ == "__main__":
    main()
