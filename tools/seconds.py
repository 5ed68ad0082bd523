"""Processor seconds of the tests: `pytest -p tools.seconds --seconds=FILE`, then `python -m tools.seconds FILE`.

A test's seconds are those of its setup, call and teardown, in its process and in the children that it has waited for.
What is imported before the first test counts to none. They hardly depend on what else the machine does.
"""

import argparse
import os
import re
import subprocess
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
KEY = "processor seconds"


class Timed(NamedTuple):
    """A test and the processor seconds that it took."""

    test: str
    seconds: float

    @property
    def folder(self) -> str:
        """The folder of `tests` that it stands in."""
        return self.test.split("/")[1]

    @property
    def file(self) -> str:
        """Its file."""
        return self.test.partition("::")[0]

    @property
    def function(self) -> str:
        """Its function's name, without class and parameters."""
        return self.test.partition("[")[0].rpartition("::")[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The file to write."""
    parser.addoption("--seconds", help="where to write the processor seconds of each test", metavar="FILE")


def _spent() -> float:
    return sum(os.times()[:4])


def _measured(item: pytest.Item) -> Generator[None, None, None]:
    before = _spent()
    yield
    item.user_properties.append((KEY, _spent() - before))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Measure what fixtures take."""
    yield from _measured(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure what the test takes."""
    yield from _measured(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Measure what the fixtures' ends take."""
    yield from _measured(item)


class Writer:
    """Appends a line for each test that ended; with several processes, in the one that collects their reports."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the test's seconds when its last phase is over."""
        if report.when == "teardown":
            taken = sum(float(str(value)) for key, value in report.user_properties if key == KEY)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{taken:.3f}\t{report.nodeid}\n")


def pytest_configure(config: pytest.Config) -> None:
    """Begin the file, unless this process is a worker of another."""
    path = config.getoption("--seconds")
    if path and not hasattr(config, "workerinput"):
        Path(path).write_text("", encoding="utf-8")
        config.pluginmanager.register(Writer(Path(path)))


def timed(path: Path) -> Iterator[Timed]:
    """The tests of a file that the plugin wrote."""
    for line in path.read_text("utf-8").splitlines():
        seconds, _, test = line.partition("\t")
        yield Timed(test, float(seconds))


def functions(revision: str) -> frozenset[str]:
    """Names of the test functions of a revision; a test that has moved keeps its name."""
    line = ["git", "grep", "-h", "-E", r"^\s*(async )?def test_", revision, "--", "tests"]
    return frozenset(DEFINED.findall(subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout))


def sums(tests: list[Timed], by: str) -> Counter[str]:
    """Seconds by `folder`, `file` or `function`."""
    found: Counter[str] = Counter()
    for test in tests:
        found[getattr(test, by)] += test.seconds  # type: ignore[assignment]
    return found


def main() -> None:
    """Print the seconds by folder, the costliest tests, and those of the tests that a revision had."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--before", type=Path, help="another file, to stand beside it")
    parser.add_argument("--of", metavar="REVISION", help="the tests of this revision that are still here")
    parser.add_argument("--most", type=int, default=20, help="how many of the costliest tests to print")
    given = parser.parse_args()
    now = list(timed(given.file))
    before = list(timed(given.before)) if given.before else []
    _table(now, before)
    if given.of:
        _of(now, given.of)
    print(f"\nthe {given.most} costliest")
    for test in sorted(now, key=lambda one: -one.seconds)[: given.most]:
        print(f"{test.seconds:8.2f}  {test.test}")


def _table(now: list[Timed], before: list[Timed]) -> None:
    old, new, counts = sums(before, "folder"), sums(now, "folder"), Counter(test.folder for test in now)
    print(f"{'folder':16}{'tests':>8}{'before':>10}{'now':>10}   processor seconds")
    for name in sorted(old.keys() | new.keys()):
        print(f"{name:16}{counts[name]:>8,}{old[name]:>10.1f}{new[name]:>10.1f}")
    print(f"{'all':16}{len(now):>8,}{sum(old.values()):>10.1f}{sum(new.values()):>10.1f}")


def _of(now: list[Timed], revision: str) -> None:
    had = functions(revision)
    here = [test for test in now if test.function in had]
    names = {test.function for test in here}
    seconds = sum(test.seconds for test in here)
    print(
        f"\nof {len(had):,} test functions of {revision}, {len(names):,} ran, as {len(here):,} tests: {seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
