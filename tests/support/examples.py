"""How many examples are tried: few in the suite, many in `make properties`."""

import os
from typing import TypeVar

from hypothesis import settings

TIMES = int(os.environ.get("CPA_TEST_EXAMPLES", "1"))
"""How many times as many as in the suite."""

Cases = TypeVar("Cases")


def scaled(suite: Cases, whole: Cases) -> Cases:
    """The cases of the suite, or all of them in `make properties`."""
    return suite if TIMES == 1 else whole


def examples(count: int) -> settings:
    """So many examples in the suite. No example has a deadline: machines are busy."""
    return settings(max_examples=count * TIMES, deadline=None)
