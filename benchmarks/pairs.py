"""Another revision of this repository beside this one, for benchmarks that run both in turn."""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST = 1.05
"""So much more is within what pairs of the same code differ by."""


def options_of_pairs(description: str | None, pairs: int) -> argparse.ArgumentParser:
    """The options of such a benchmark: the other revision, and how many pairs."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("revision")
    options.add_argument("--pairs", type=int, default=pairs)
    return options


@contextmanager
def checked_out(revision: str) -> Iterator[tuple[Path, Path]]:
    """A temporary folder, and the other revision in a folder inside it, while the block runs."""
    git = ["git", "-C", str(ROOT), "worktree"]
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "other"
        subprocess.run([*git, "add", "--quiet", "--detach", str(other), revision], check=True)
        try:
            yield Path(folder), other
        finally:
            subprocess.run([*git, "remove", "--force", str(other)], check=True)
