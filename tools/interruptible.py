"""Run a program that SIGINT and SIGTERM end: `python -m tools.interruptible dg dev`.

A shell without job control starts what it sends to the background with SIGINT ignored, as in `nohup make dev &`.
Dagster (1.13.27) handles SIGTERM as it finds SIGINT handled (`dagster._utils.interrupts.setup_interrupt_handlers`), and
ends its children by SIGINT: it would ignore both.
"""

import os
import signal
import sys


def run(program: list[str]) -> None:
    """Become the program, in this process, with the usual meaning of SIGINT and SIGQUIT. Raises OSError."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(program[0], program)


if __name__ == "__main__":
    run(sys.argv[1:])
