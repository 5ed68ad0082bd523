"""Rules of the code: each is kept by this repository, and each sees the offences that are planted for it.

A rule takes the root of a checkout and returns its offences, a line each. A planted offence is a checkout of its own,
with one or two files.
"""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
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
DAGSTER = {"dagster", "dagster_aws", "dagster_webserver", "dagster_graphql", "cpa_dagster"}
MAY_PRINT = {"cli"}
NO_MODULES = {"sql", "examples"}
"""Folders of `cpa_core` that hold no code."""
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
MAY_HOLD_SQL = {"store"}
"""Statements of one line, built from a table's name, stand beside `cpa_core/sql` only here."""
VENDORS_SQL = {"cpa_core/sources/databases/others.py"}
"""Asks a database of others, in a user's own words."""
NOT_IN_A_LAKE = re.compile(
    r"\b(primary key|create (?:unique )?index|returning|on conflict|insert or \w+|create (?:sequence|macro|type)"
    r"|merge into|references|unique ?\()\b",
    re.IGNORECASE,
)
"""DuckDB takes these and DuckLake does not: keys, indexes, sequences, and statements that need them."""
SLOW_LIST = re.compile(r"::json::\w+(\([^)]*\))?\[\]")
"""A list that is bound as JSON and cast: eleven to twenty times the time of `from_json`, in DuckDB 1.5."""
NAMED = re.compile(r"`((?:tests|benchmarks|proofs|cpa_core|cpa_dagster)/[\w/]+\.\w+)`")
"""A file that a decision names."""

Offences = Iterator[str]
Rule = Callable[[Path], Offences]
RULES: dict[str, Rule] = {}


def rule(found: Rule) -> Rule:
    """Register a rule under its name."""
    RULES[found.__name__] = found
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """A module's tree."""
    return ast.parse(path.read_text("utf-8"))


def modules(root: Path, *packages: str) -> Iterator[Path]:
    """The modules of the library, or of one of its packages."""
    for package in packages or ("cpa_core", "cpa_dagster"):
        yield from sorted((root / package).rglob("*.py"))


def questions(root: Path, *folders: str) -> Iterator[Path]:
    """The files of SQL in these folders of `cpa_core`."""
    for folder in folders:
        yield from sorted((root / "cpa_core" / folder).rglob("*.sql"))


def module_of(root: Path, path: Path) -> str:
    """The module or package of `cpa_core` that a file belongs to."""
    return path.relative_to(root).parts[1].removesuffix(".py")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a module's tree, walked once for all rules."""
    return tuple(ast.walk(parsed(path)))


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Dotted names that a source imports, at any depth; a relative import is named by its dots."""
    found: list[str] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.append("." * node.level + (node.module or ""))
            if node.module == "cpa_core":
                found += (f"cpa_core.{alias.name}" for alias in node.names)
    return tuple(found)


@cache
def words(path: Path) -> frozenset[str]:
    """Every name, attribute, parameter, keyword and imported word in a source."""
    found: set[str] = set()
    for node in nodes(path):
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
    return frozenset(found)


@rule
def imports_run_one_way(root: Path) -> Offences:
    """A module imports lower ranks and its own package only, by full names."""
    for path in modules(root, "cpa_core"):
        module = module_of(root, path)
        for name in imported(path):
            parts = name.split(".")
            inside = parts[0] == "cpa_core" and len(parts) > 1 and parts[1] not in (module, "__version__")
            if name.startswith(".") or (inside and RANKS[parts[1]] >= RANKS.get(module, len(ORDER))):
                yield f"{path} imports {name}"


@rule
def the_library_knows_no_dagster(root: Path) -> Offences:
    """`dagster` stays above `cpa_core`."""
    for path in modules(root, "cpa_core"):
        yield from (f"{path} imports {name}" for name in imported(path) if name.split(".")[0] in DAGSTER)


@rule
def every_module_has_a_rank(root: Path) -> Offences:
    """A new module or package of `cpa_core` is given a place in the order."""
    for path in sorted((root / "cpa_core").iterdir()):
        name = path.name.removesuffix(".py")
        is_module = not name.startswith("_") and (path.is_dir() or path.suffix == ".py")
        if is_module and name not in RANKS.keys() | NO_MODULES:
            yield f"{path} has no rank"


@rule
def only_the_settings_read_the_environment(root: Path) -> Offences:
    """Everyone else is given values."""
    for path in modules(root):
        found = sorted(words(path) & ENVIRONMENT)
        if found and module_of(root, path) != "settings":
            yield f"{path}: {', '.join(found)}"


@rule
def only_the_command_line_prints(root: Path) -> Offences:
    """The library returns values; Dagster logs."""
    for path in modules(root, "cpa_core"):
        if module_of(root, path) not in MAY_PRINT and "print" in words(path):
            yield f"{path} prints"


@rule
def every_module_says_its_purpose(root: Path) -> Offences:
    """A module opens with a docstring."""
    yield from (f"{path} has no docstring" for path in modules(root) if not ast.get_docstring(parsed(path)))


@rule
def every_package_of_the_pipeline_says_in_out_and_caller(root: Path) -> Offences:
    """Its `__init__` names its input, its output and its callers."""
    for path in sorted((root / "cpa_core" / "pipeline").glob("*/__init__.py")):
        opening = ast.get_docstring(parsed(path)) or ""
        yield from (f"{path}: no {word}" for word in ("In: ", "Out: ", "Called by ") if word not in opening)


@rule
def every_question_opens_with_itself(root: Path) -> Offences:
    """A file of SQL begins with the question as a comment."""
    for path in questions(root, "sql"):
        if not path.read_text("utf-8").startswith("-- "):
            yield f"{path} does not begin with its question"


@rule
def the_file_and_the_lake_take_every_statement(root: Path) -> Offences:
    """No keys or indexes, and no statement that needs them; Postgres alone is asked from `sql/lake`."""
    for path in questions(root, "sql", "store/migrations"):
        plain = re.sub(r"--[^\n]*", "", path.read_text("utf-8"))
        if not path.is_relative_to(root / "cpa_core" / "sql" / "lake") and NOT_IN_A_LAKE.search(plain):
            yield f"{path} cannot run on a lake"


@rule
def a_question_is_a_file(root: Path) -> Offences:
    """No SQL in Python but one-line statements of the store itself."""
    for path in modules(root):
        place = path.relative_to(root).as_posix()
        is_allowed = place.startswith("cpa_core/") and module_of(root, path) in MAY_HOLD_SQL
        if not is_allowed and place not in VENDORS_SQL and sql_texts(parsed(path)):
            yield f"{path}: a question is a file in cpa_core/sql"


@rule
def a_list_that_is_bound_as_json_is_not_cast(root: Path) -> Offences:
    """`from_json` reads it in a tenth of the time."""
    for path in [*questions(root, "."), *modules(root, "cpa_core")]:
        if SLOW_LIST.search(path.read_text("utf-8")):
            yield f"{path} casts a list"


@rule
def no_public_class_name_stands_twice(root: Path) -> Offences:
    """A name means one thing in the library."""
    places: dict[str, list[Path]] = {}
    for path in modules(root, "cpa_core"):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path)
    yield from (f"{name}: {', '.join(map(str, paths))}" for name, paths in places.items() if len(paths) > 1)


@rule
def a_decision_is_listed_numbered_once_and_names_files_that_exist(root: Path) -> Offences:
    """`docs/decisions/README.md` lists every decision."""
    decisions = sorted((root / "docs" / "decisions").glob("[0-9]*.md"))
    index = (root / "docs" / "decisions" / "README.md").read_text("utf-8") if decisions else ""
    numbers: set[str] = set()
    for path in decisions:
        if path.name[:4] in numbers:
            yield f"{path}: its number stands twice"
        numbers.add(path.name[:4])
        if f"({path.name})" not in index:
            yield f"{path} is not in the list"
        for named in NAMED.findall(path.read_text("utf-8")):
            if not (root / named).exists():
                yield f"{path} names {named}"


DECISION = "docs/decisions/0001-a.md"
LISTED = {"docs/decisions/README.md": "[a](0001-a.md)"}
PLANTED: list[tuple[Rule, dict[str, str]]] = [
    (imports_run_one_way, {"cpa_core/models.py": "from cpa_core.store import Store"}),
    (imports_run_one_way, {"cpa_core/tagging/labels.py": "from cpa_core.judging import score"}),
    (imports_run_one_way, {"cpa_core/store/database.py": "from cpa_core import pipeline"}),
    (imports_run_one_way, {"cpa_core/llm/values.py": "def f():\n    from cpa_core import tagging"}),
    (imports_run_one_way, {"cpa_core/store/database.py": "import cpa_core.cli.app"}),
    (imports_run_one_way, {"cpa_core/store/database.py": "from . import transaction"}),
    (the_library_knows_no_dagster, {"cpa_core/pipeline/run.py": "import dagster"}),
    (the_library_knows_no_dagster, {"cpa_core/cli/app.py": "def f():\n    from cpa_dagster.assets import report"}),
    (the_library_knows_no_dagster, {"cpa_core/buckets.py": "from dagster_aws.s3 import S3Resource"}),
    (every_module_has_a_rank, {"cpa_core/helpers.py": ""}),
    (every_module_has_a_rank, {"cpa_core/common/words.py": ""}),
    *(
        (only_the_settings_read_the_environment, {"cpa_core/providers/openai.py": source})
        for source in (
            "import os\nos.environ['CPA_LANE']",
            "from os import environ",
            "from os import environ as e",
            "import os\nos.getenv('CPA_LANE')",
            "def lane(environ): return environ['CPA_LANE']",
            "made = lane(environ={})",
            "given.settings.environ.get('CPA_LANE')",
            "from dotenv import dotenv_values",
            "import dotenv",
        )
    ),
    (only_the_settings_read_the_environment, {"cpa_dagster/assets.py": "import os\nos.environ['CPA_LANE']"}),
    (only_the_command_line_prints, {"cpa_core/store/database.py": "print('opened')"}),
    (only_the_command_line_prints, {"cpa_core/llm/asking.py": "def f(): list(map(print, [1]))"}),
    (every_module_says_its_purpose, {"cpa_core/errors.py": "class CpaError(Exception): ..."}),
    (every_module_says_its_purpose, {"cpa_dagster/assets.py": "import dagster"}),
    (every_package_of_the_pipeline_says_in_out_and_caller, {"cpa_core/pipeline/label/__init__.py": '"""Labels."""'}),
    (
        every_package_of_the_pipeline_says_in_out_and_caller,
        {"cpa_core/pipeline/label/__init__.py": '"""In: a day. Out: labels."""'},
    ),
    (every_question_opens_with_itself, {"cpa_core/sql/label/rows.sql": "select 1 -- one?"}),
    *(
        (the_file_and_the_lake_take_every_statement, {"cpa_core/sql/label/rows.sql": f"-- Which?\n{statement}"})
        for statement in (
            "create unique index i on t (a)",
            "insert or replace into t select 1",
            "delete from t returning a",
            "insert into t select 1 on conflict do nothing",
        )
    ),
    (
        the_file_and_the_lake_take_every_statement,
        {"cpa_core/store/migrations/0001.sql": "create table t (a bigint primary key)"},
    ),
    *(
        (a_question_is_a_file, {"cpa_core/pipeline/run.py": source})
        for source in (
            "view.rows('select day from days')",
            "view.execute('update days set reason = null')",
            "view.execute(f'delete from {table}')",
            "sql = 'with a as (select 1) select * from a'",
        )
    ),
    (a_question_is_a_file, {"cpa_core/cli/status.py": "view.rows('select day from days')"}),
    (a_question_is_a_file, {"cpa_dagster/store.py": "view.rows('select day from days')"}),
    (a_list_that_is_bound_as_json_is_not_cast, {"cpa_core/sql/a.sql": "select unnest($ids::json::varchar[])"}),
    (
        a_list_that_is_bound_as_json_is_not_cast,
        {"cpa_core/store/a.py": "'unnest($told::json::struct(ordinal bigint)[], recursive := true)'"},
    ),
    (
        no_public_class_name_stands_twice,
        {"cpa_core/events.py": "class Change: ...", "cpa_core/schema/diff.py": "class Change: ..."},
    ),
    (
        a_decision_is_listed_numbered_once_and_names_files_that_exist,
        {DECISION: "`tests/store/test_gone.py`", **LISTED},
    ),
    (
        a_decision_is_listed_numbered_once_and_names_files_that_exist,
        {DECISION: "a", "docs/decisions/0002-b.md": "b", **LISTED},
    ),
    (
        a_decision_is_listed_numbered_once_and_names_files_that_exist,
        {DECISION: "a", "docs/decisions/0001-b.md": "b", "docs/decisions/README.md": "(0001-a.md) (0001-b.md)"},
    ),
]
"""A rule, and the files of a checkout in which it is broken once."""


@pytest.mark.parametrize("name", RULES)
def test_the_code_keeps_the_rule(name: str) -> None:
    assert list(RULES[name](ROOT)) == []


@pytest.mark.parametrize(("broken", "files"), PLANTED, ids=[one.__name__ for one, _ in PLANTED])
def test_a_planted_offence_is_seen(broken: Rule, files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cpa_core").mkdir()
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert list(broken(tmp_path))


def test_every_rule_was_seen_to_fail() -> None:
    assert {broken.__name__ for broken, _ in PLANTED} == RULES.keys()


def test_the_rules_read_this_code() -> None:
    assert len(list(modules(ROOT))) > 400 and len(list(questions(ROOT, "sql"))) > 300
    assert set(RANKS) <= {path.name.removesuffix(".py") for path in (ROOT / "cpa_core").iterdir()}
