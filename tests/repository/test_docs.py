"""The documentation tells the truth: its commands, links and anchors exist, and its generated pages are current."""

import os
import re
import shlex
from pathlib import Path

import pytest

from cpa_core.cli import reference as command_line
from cpa_core.store import reference as tables
from cpa_core.store.columns import TABLES
from tests.support.commands import is_understood

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
README_LINES, README_WORDS = 120, 900
MADE = {"cli.md": command_line.page, "tables.md": tables.page}
"""Pages that are made from the code; WRITE_GOLDEN=1 writes them anew."""


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands(page: Path) -> list[str]:
    """The command lines of a page's console blocks, without their comments."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return [line[2:].split("  #")[0].strip() for block in blocks for line in block.splitlines() if line[:2] == "$ "]


def own_arguments(line: str) -> list[str] | None:
    """The words behind `cpa` on a command line, or None where it runs something else."""
    found = re.search(r"(?:^|\s)(?:\.venv/bin/)?cpa (.*)", line)
    return shlex.split(found[1]) if found else None


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_of_a_page_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for line in commands(page):
        words = own_arguments(line)
        assert words is None or is_understood(words), line
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE), line


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path) if path else page
        assert to.exists(), target
        assert not anchor or anchor in anchors(to.read_text("utf-8")), target


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and Python-Markdown make them of plain words."""
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", plain, re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", head.lower()).strip()) for head in heads}


def test_every_page_is_reached_from_the_first_page_of_the_docs_within_two_clicks() -> None:
    def linked(page: Path) -> set[Path]:
        targets = re.findall(r"\]\(([^)\s#]+\.md)", page.read_text("utf-8"))
        return {(page.parent / target).resolve() for target in targets if "://" not in target}

    near = linked(DOCS / "index.md")
    reached = near.union(*(linked(page) for page in near), {DOCS / "index.md"})
    assert sorted(map(named, set(DOCS.rglob("*.md")) - reached)) == []


def test_every_page_stands_in_the_sites_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if "decisions" not in path.parts]
    assert [page for page in pages if f"- {page}\n" not in navigation] == []


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    own = re.sub(r"<!-- demo -->.*?<!-- /demo -->", "", text, flags=re.DOTALL)
    assert text.count("\n") <= README_LINES
    assert len(own.split()) <= README_WORDS


@pytest.mark.parametrize("name", MADE)
def test_a_page_that_is_made_from_the_code_is_current(name: str) -> None:
    path = DOCS / "reference" / name
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(MADE[name](), "utf-8")
    assert path.read_text("utf-8") == MADE[name]()


def test_every_column_of_a_table_that_people_read_has_a_meaning() -> None:
    assert len(TABLES) > 10
    assert "|  |" not in tables.page()
