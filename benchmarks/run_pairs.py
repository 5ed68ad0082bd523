"""A run by another revision and by this one, in turn: medians of the ratios of processor time, a step a row.

    python -m benchmarks.run_pairs 439c63c [--pairs 7] [--conversations 1000] [--days 1]

Each pair begins with two new homes. Conversations of one day or of several are landed. A run asks a model on loopback,
which answers at once, and writes the outbox. A run of the labelled home delivers to a PostHog on loopback. Each step is
a process of its own, and its processor seconds count. The other revision runs with the packages of this environment.
"""

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.llm import chats, environ, model
from benchmarks.pairs import MOST, ROOT, checked_out, options_of_pairs
from tests.servers.posthog import PostHogServer

STEPS = {
    "landing": ("land", {"CPA_DESTINATIONS": "outbox"}),
    "asking": ("run", {"CPA_DESTINATIONS": "outbox"}),
    "delivery": ("run", {"CPA_DESTINATIONS": "posthog"}),
}
"""A step by its name: the command and the settings that it adds, in the order in which they run."""


def processor_seconds(code: Path, command: str, given: dict[str, str]) -> float:
    """The processor seconds of a command by the code in a folder. Raises AssertionError where it fails."""
    whole = [sys.executable, "-m", "cpa_core.cli", command]
    process = subprocess.Popen(whole, cwd=code, env=os.environ | given, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} in {code} ended with {process.returncode}"
    return used.ru_utime + used.ru_stime


def steps(code: Path, given: dict[str, str]) -> Iterator[tuple[str, float]]:
    """Each step with its seconds, in a new home."""
    with tempfile.TemporaryDirectory() as home:
        for name, (command, more) in STEPS.items():
            yield name, processor_seconds(code, command, given | more | {"CPA_HOME": f"{home}/home"})


def table(old: dict[str, list[float]], new: dict[str, list[float]]) -> bool:
    """Print each step's medians and the median of its ratios. Whether this revision is not slower in any."""
    fine = True
    for name in STEPS:
        ratio = median(mine / other for other, mine in zip(old[name], new[name], strict=True))
        fine &= ratio <= MOST
        print(
            f"{name:9} {len(old[name])} pairs: cpu {median(old[name]):.2f} s -> {median(new[name]):.2f} s, "
            f"ratio {ratio:.3f} (at most {MOST}): {'met' if ratio <= MOST else 'NOT met'}",
            flush=True,
        )
    return fine


def main() -> int:
    """Measure in a temporary folder; 1 when this revision is slower in one step."""
    options = options_of_pairs(__doc__, pairs=7)
    options.add_argument("--conversations", type=int, default=1_000)
    options.add_argument("--days", type=int, default=1)
    given = options.parse_args()
    old, new = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    with checked_out(given.revision) as (folder, other), model() as url, PostHogServer() as posthog:
        chats(folder / "chats.json", given.conversations, days=given.days)
        settings = environ(folder, url, POSTHOG_HOST=posthog.url, POSTHOG_API_KEY=posthog.key)
        for nth in range(given.pairs):
            sides = [(other, old), (ROOT, new)]
            for code, found in sides if nth % 2 == 0 else reversed(sides):
                for step, seconds in steps(code, settings):
                    found[step].append(seconds)
            print(f"pair {nth + 1}: " + ", ".join(f"{s} {old[s][-1]:.1f}|{new[s][-1]:.1f}" for s in STEPS), flush=True)
    return 0 if table(old, new) else 1


if __name__ == "__main__":
    sys.exit(main())
