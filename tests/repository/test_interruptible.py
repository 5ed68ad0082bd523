"""`make dev` in the background ends by SIGTERM, though its shell had SIGINT ignored."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LIKE_DAGSTER = """
import signal, time
signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
print("ready", flush=True)
time.sleep(60)
"""
"""A program that handles SIGTERM as it finds SIGINT handled."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_started_with_sigint_ignored_ends_by_a_signal(number: int) -> None:
    program = [sys.executable, "-m", "tools.interruptible", sys.executable, "-c", LIKE_DAGSTER]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(20) != 0


def test_make_dev_is_such_a_program_and_its_shell_is_out_of_the_way() -> None:
    """`make` hands SIGTERM to its child, which must be Dagster and no shell."""
    recipe = re.search(r"^dev:.*?\n\n", (ROOT / "Makefile").read_text("utf-8"), re.M | re.S)
    assert recipe and re.search(r"exec \$\(BIN\)/python -m tools\.interruptible \$\(BIN\)/dg dev ", recipe[0])
