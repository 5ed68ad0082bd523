"""The page of the layout, docs/reference/layout.md: `python -m tools.layout` writes it anew.

What it says of a package is what the package's own docstring opens with. Only the questions stand here.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "layout.md"
HEAD = """# Where things are

`python -m tools.layout` makes this page from the first lines of each package. Imports run one way:
`tests/repository/test_architecture.py` has the order. SQL stands in `cpa_core/sql`, in folders of the packages'
names, and each file opens with the question that it answers. Tests stand in folders of the packages' names too.
"""
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("Where does a day run from end to end?", "cpa_core/pipeline/run.py"),
    ("Where is a batch submitted?", "cpa_core/pipeline/batches/submit.py"),
    ("What states has a batch?", "cpa_core/pipeline/batches/states.py"),
    ("Where is it decided that a day is asked again?", "cpa_core/pipeline/schema/stale.py"),
    ("Which conversations of a day are asked about?", "cpa_core/pipeline/label/plan.py"),
    ("Where is an event's payload built?", "cpa_core/events.py"),
    ("Where are events sent?", "cpa_core/pipeline/delivery/send.py"),
    ("Where is a receipt written?", "cpa_core/pipeline/delivery/receipts.py"),
    ("Which schema is in force?", "cpa_core/pipeline/schema/current.py"),
    ("What do I touch to add a provider?", "cpa_core/providers/__init__.py"),
    ("What do I touch to add a destination?", "cpa_core/destinations/__init__.py"),
    ("What do I touch to add a format?", "cpa_core/sources/formats/__init__.py"),
    ("What do I touch to add a question of the report?", "cpa_core/insights/__init__.py"),
    ("What do I touch to add a part of the report?", "cpa_core/report/sections/__init__.py"),
    ("What do I touch to add a setting?", "cpa_core/settings/table.py"),
    ("Where is a command's flag?", "cpa_core/cli/app.py"),
)


def opening(path: Path) -> str:
    """A module's docstring on one line."""
    return " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split())


def packages() -> list[Path]:
    """The packages of the library, each before those inside it."""
    return sorted(path.parent for name in ("cpa_core", "cpa_dagster") for path in (ROOT / name).rglob("__init__.py"))


def page() -> str:
    """The page: questions with the file that answers each, then every package in its own words."""
    answers = [f"| {question} | `{file}` |" for question, file in QUESTIONS]
    parts = [HEAD, "## Questions of a newcomer\n\n| question | file |\n|---|---|\n" + "\n".join(answers) + "\n"]
    rows = [f"| `{folder.relative_to(ROOT).as_posix()}` | {opening(folder / '__init__.py')} |" for folder in packages()]
    return "\n".join([*parts, "## Packages\n", "| package | what it is |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
