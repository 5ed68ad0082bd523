"""The changelog keeps the form of https://keepachangelog.com/en/1.1.0/, and its newest version is the package's."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from cpa_core import __version__

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
"""The kinds of changes. A version has some of them, each once."""
RELEASE = re.compile(r"\[(?P<version>\d+\.\d+\.\d+)\] - (?P<day>\d{4}-\d{2}-\d{2})(?: \[YANKED\])?")


def faults(text: str) -> list[str]:
    """What breaks the form, each as a line: the headings, the versions, their days and their kinds of changes."""
    title, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    found = [] if title.startswith("# Changelog\n") else ["no title"]
    names = [section.partition("\n")[0] for section in sections]
    if names[:1] != ["[Unreleased]"]:
        found.append("[Unreleased] is not first")
    releases = [(name, RELEASE.fullmatch(name)) for name in names[1:]]
    found += [f"no version and day: {name}" for name, match in releases if match is None]
    known = [(number(match["version"]), match["day"]) for _, match in releases if match]
    found += [f"no day: {day}" for _, day in known if not is_day(day)]
    if known != sorted(known, reverse=True) or len({version for version, _ in known}) < len(known):
        found.append("the newest version is not first")
    for name, section in zip(names, sections, strict=True):
        kinds = re.findall(r"^### (.*)$", section, re.MULTILINE)
        found += [f"{name}: {kind} is no kind of change" for kind in kinds if kind not in KINDS]
        found += [f"{name}: {kind} stands twice" for kind in KINDS if kinds.count(kind) > 1]
        if name != "[Unreleased]" and not kinds:
            found.append(f"{name}: no change")
    return found


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def test_the_changelog_keeps_its_form() -> None:
    assert not faults(CHANGELOG)


def test_the_newest_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    newest = RELEASE.search(CHANGELOG)
    assert newest and newest["version"] == project["version"] == __version__


GOOD = """# Changelog

## [Unreleased]

## [0.10.0] - 2026-02-28
### Fixed
- a
## [0.9.0] - 2026-01-31
### Added
- b
"""


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("# Changelog", "# History"),
        ("## [Unreleased]\n", ""),
        ("## [Unreleased]", "## Unreleased"),
        ("[0.10.0] - 2026-02-28", "[0.10.0]"),
        ("[0.10.0] - 2026-02-28", "0.10.0 - 2026-02-28"),
        ("2026-02-28", "28.02.2026"),
        ("2026-02-28", "2026-02-30"),
        ("0.10.0", "0.8.0"),
        ("0.10.0", "0.9.0"),
        ("### Fixed", "### Mended"),
        ("### Fixed\n- a\n", "### Fixed\n- a\n### Fixed\n- c\n"),
        ("### Added\n- b\n", "- b\n"),
    ],
)
def test_a_fault_of_the_form_is_found(text: str, instead: str) -> None:
    assert text in GOOD and not faults(GOOD)
    assert len(faults(GOOD.replace(text, instead))) >= 1
