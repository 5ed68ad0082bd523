"""Imports run one way, and `cpa_core` knows nothing of Dagster."""

import ast
import re
from pathlib import Path

import pytest

from tools.figures import sql_texts

ROOT = Path(__file__).parents[2]
ORDER = [
    {"errors", "markup"},
    {"models", "extras"},
    {"settings"},
    {"prompts"},
    {"llm"},
    {"evidence", "buckets"},
    {
        "providers",
        "sources",
        "schema",
        "selection",
        "tagging",
        "judging",
        "events",
        "destinations",
        "store",
        "redaction",
    },
    {"demo", "proposing", "suggesting", "insights", "topics", "pricing"},
    {"gold"},
    {"report"},
    {"pipeline"},
    {"workbench"},
    {"cli"},
]
RANKS = {name: rank for rank, names in enumerate(ORDER) for name in names}
ALLOWED_PRINTERS = {"cli"}


def module_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[1].removesuffix(".py")


def imported(source: str) -> set[str]:
    """Dotted names that a source imports, at any depth."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the order"
            found.add(node.module or "")
            if node.module == "cpa_core":
                found |= {f"cpa_core.{alias.name}" for alias in node.names}
    return found


def offences(module: str, source: str) -> list[str]:
    """What a module of this name imports against the order."""
    found: list[str] = []
    for name in imported(source):
        parts = name.split(".")
        if parts[0] in ("dagster", "cpa_dagster", "dagster_aws"):
            found.append(name)
        inside = parts[0] == "cpa_core" and len(parts) > 1 and parts[1] not in (module, "__version__")
        if inside and RANKS[parts[1]] >= RANKS[module]:
            found.append(name)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "cpa_core").rglob("*.py")), ids=str)
def test_imports_run_leftward_only(path: Path) -> None:
    if path == ROOT / "cpa_core" / "__init__.py":
        return
    assert offences(module_of(path), path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("models", "from cpa_core.store import Store"),
        ("tagging", "from cpa_core.judging import score"),
        ("pipeline", "import dagster"),
        ("store", "from cpa_core import pipeline"),
        ("llm", "def f():\n    from cpa_core import tagging"),
    ],
)
def test_a_wrong_import_is_an_offence(module: str, source: str) -> None:
    assert offences(module, source)


def test_every_module_has_a_rank() -> None:
    names = {
        path.name.removesuffix(".py")
        for path in (ROOT / "cpa_core").iterdir()
        if not path.name.startswith("_") and (path.is_dir() or path.suffix == ".py")
    }
    assert names - {"sql", "examples"} == set(RANKS)


ENVIRONMENT = {
    "environ",
    "environb",
    "getenv",
    "getenvb",
    "putenv",
    "unsetenv",
    "dotenv",
    "dotenv_values",
    "load_dotenv",
}
"""Words that read or write the environment, or carry it."""


def words(source: str) -> set[str]:
    """Every name, attribute, parameter, keyword and imported word in a source."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.arg | ast.keyword):
            found.add(node.arg or "")
        elif isinstance(node, ast.alias):
            found |= {*node.name.split("."), node.asname or ""}
        elif isinstance(node, ast.ImportFrom):
            found |= set((node.module or "").split("."))
    return found


@pytest.mark.parametrize("package", ["cpa_core", "cpa_dagster"])
def test_only_the_settings_read_the_environment(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        if module_of(path) != "settings":
            assert not words(path.read_text("utf-8")) & ENVIRONMENT, path


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['CPA_LANE']",
        "from os import environ",
        "from os import environ as e",
        "import os\nos.getenv('CPA_LANE')",
        "def lane(environ): return environ['CPA_LANE']",
        "made = lane(environ={})",
        "given.settings.environ.get('CPA_LANE')",
        "from dotenv import dotenv_values",
        "import dotenv",
    ],
)
def test_a_read_of_the_environment_is_an_offence(source: str) -> None:
    assert words(source) & ENVIRONMENT


def test_only_the_command_line_prints() -> None:
    for path in (ROOT / "cpa_core").rglob("*.py"):
        if module_of(path) not in ALLOWED_PRINTERS:
            assert "print" not in words(path.read_text("utf-8")), path


def test_every_module_opens_with_what_it_is() -> None:
    for path in [*(ROOT / "cpa_core").rglob("*.py"), *(ROOT / "cpa_dagster").rglob("*.py")]:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def test_every_question_opens_with_itself() -> None:
    for path in (ROOT / "cpa_core" / "sql").rglob("*.sql"):
        assert path.read_text("utf-8").startswith("-- "), path


NOT_IN_A_LAKE = re.compile(
    r"\b(primary key|create (?:unique )?index|returning|on conflict|insert or \w+|create (?:sequence|macro|type)"
    r"|merge into|references|unique ?\()\b",
    re.IGNORECASE,
)
"""What DuckDB takes and DuckLake does not: keys, indexes, sequences, and statements that need them."""


def test_every_statement_is_one_that_the_file_and_the_lake_both_take() -> None:
    folders = (ROOT / "cpa_core" / "sql", ROOT / "cpa_core" / "store" / "migrations")
    for path in [path for folder in folders for path in folder.rglob("*.sql")]:
        if path.is_relative_to(ROOT / "cpa_core" / "sql" / "lake"):  # for Postgres alone
            continue
        plain = re.sub(r"--[^\n]*", "", path.read_text("utf-8"))
        assert not NOT_IN_A_LAKE.search(plain), path
    for words in ("create unique index i on t (a)", "insert or replace into t", "delete from t returning a"):
        assert NOT_IN_A_LAKE.search(words)


def test_every_package_of_the_pipeline_says_what_comes_in_what_goes_out_and_who_calls_it() -> None:
    for path in (ROOT / "cpa_core" / "pipeline").glob("*/__init__.py"):
        opening = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        assert "In: " in opening and "Out: " in opening and "Called by " in opening, path


def test_every_file_that_a_decision_names_exists() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    assert decisions
    numbers = [path.name[:4] for path in decisions if path.name != "README.md"]
    assert len(numbers) == len(set(numbers)), "no number stands twice"
    for path in decisions:
        assert path.name == "README.md" or f"({path.name})" in index, path
        for named in re.findall(
            r"`((?:tests|benchmarks|proofs|cpa_core|cpa_dagster)/[\w/]+\.\w+)`", path.read_text("utf-8")
        ):
            assert (ROOT / named).exists(), f"{path.name}: {named}"


SQL_STANDS_IN = {"store", "pipeline", "insights", "gold", "report", "sources"}
"""Who may have statements of a line beside `cpa_core/sql`: those that read or write tables. Nobody else has any."""


def test_no_sql_stands_where_no_table_is_read() -> None:
    core = [path for path in (ROOT / "cpa_core").rglob("*.py") if module_of(path) not in SQL_STANDS_IN]
    for path in [*core, *(ROOT / "cpa_dagster").rglob("*.py")]:
        assert not sql_texts(ast.parse(path.read_text("utf-8"))), f"{path}: a question is a file in cpa_core/sql"


@pytest.mark.parametrize(
    "source",
    [
        "view.rows('select day from days')",
        "view.execute('update days set reason = null')",
        "view.execute(f'delete from {table}')",
        "sql = 'with a as (select 1) select * from a'",
    ],
)
def test_sql_in_python_is_seen(source: str) -> None:
    assert sql_texts(ast.parse(source)) == 1


SLOW_LIST = re.compile(r"::json::\w+(\([^)]*\))?\[\]")
"""A list that is bound as JSON and cast: eleven to twenty times the time of `from_json`, in DuckDB 1.5."""


def test_lists_that_are_bound_as_json_are_not_cast() -> None:
    assert SLOW_LIST.search("select unnest($ids::json::varchar[])")
    assert SLOW_LIST.search("select unnest($told::json::struct(ordinal bigint)[], recursive := true)")
    sources = [*(ROOT / "cpa_core").rglob("*.sql"), *(ROOT / "cpa_core").rglob("*.py")]
    assert not [path for path in sources if SLOW_LIST.search(path.read_text("utf-8"))]


def public_classes() -> dict[str, list[str]]:
    """The modules that define each public class."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "cpa_core").rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    return found


def test_no_public_class_name_stands_twice() -> None:
    assert not {name: places for name, places in public_classes().items() if len(places) > 1}
