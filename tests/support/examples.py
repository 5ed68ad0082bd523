"""How many examples Hypothesis tries: few in the suite, many in `make properties`."""

import os

from hypothesis import settings

TIMES = int(os.environ.get("CPA_TEST_EXAMPLES", "1"))
"""How many times as many as in the suite."""


def examples(count: int) -> settings:
    """So many examples in the suite. No example has a deadline: machines are busy."""
    return settings(max_examples=count * TIMES, deadline=None)
