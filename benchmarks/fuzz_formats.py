"""Damaged files of every format for some minutes: no crash, no hang, no speech that is not a text of the file.

    python -m benchmarks.fuzz_formats --minutes 2 [--seed 1] [--format NAME]

The files and the rule are those of the tests (`tests/formats/mutations.py`), with other seeds.
"""

import argparse
import signal
import sys
import time
from collections import Counter

from tests.formats.generated import WRITERS
from tests.formats.mutations import fault

PATIENCE = 20


def main() -> int:
    """Fuzz; 1 when anything was found, with the seed that finds it again."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=2)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--format", choices=sorted(WRITERS))
    given = options.parse_args()
    names = [given.format] if given.format else sorted(WRITERS)
    until, seed = time.monotonic() + 60 * given.minutes, given.seed
    tried: Counter[str] = Counter()
    while time.monotonic() < until:
        for name in names:
            signal.alarm(PATIENCE)  # a hang ends the process
            try:
                found = fault(name, seed)
            except BaseException:
                print(f"{name}, seed {seed}: fell over", flush=True)
                raise
            if found:
                print(f"{name}, seed {seed}: {found}: NOT met")
                return 1
            tried[name] += 1
        seed += 1
    signal.alarm(0)
    print(f"{tried.total():,} damaged files of {len(tried)} ways of writing: no crash, no hang, no false speech: met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
