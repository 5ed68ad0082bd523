"""Figures of the code, beside those of an earlier revision: `python -m tools.figures [REVISION]`.

Lines are counted as they are, with comments and blank ones. Nothing is imported: the sources are parsed.
"""

import ast
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = ("cpa_core", "cpa_dagster")
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "dotenv_values", "load_dotenv"}
SQL = re.compile(r"\s*(select|insert into|update|delete from|create (or replace )?(temp|table|view)|with \w+ as)\s")
"""What a text that is a statement of SQL begins with."""
LONG = 30

Function = ast.FunctionDef | ast.AsyncFunctionDef
Figures = dict[str, int]


def package(path: Path) -> str:
    """The package that a file of the library stands in, to two levels."""
    return "/".join(path.parent.parts[:3])


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def lines(function: Function) -> int:
    """Lines of a function without its decorators."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def assistants(function: Function) -> list[str]:
    """The parameters that are a whole assistant."""
    given = function.args
    return [
        one.arg
        for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)
        if one.annotation and "Assistant" in ast.unparse(one.annotation).replace("AssistantComponent", "")
    ]


def hides(function: Function, name: str) -> bool:
    """Whether all that it does with the assistant is to read one attribute of it: it could take that."""
    read = [n for n in ast.walk(function) if isinstance(n, ast.Attribute) and _is(n.value, name)]
    passed = sum(_is(n, name) for n in ast.walk(function)) - len(read)
    return not passed and len({n.attr for n in read}) == 1


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def environment_reads(tree: ast.AST) -> int:
    """Names and attributes that read the environment."""
    return sum(
        (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.Name) and node.id in ENVIRONMENT)
        for node in ast.walk(tree)
    )


def sql_texts(tree: ast.AST) -> int:
    """String constants that are statements of SQL."""
    return sum(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(SQL.match(node.value))
        for node in ast.walk(tree)
    )


def doubled(trees: dict[Path, ast.Module]) -> int:
    """Public classes whose name several modules define."""
    names = Counter(
        node.name
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    return sum(count > 1 for count in names.values())


def figures(root: Path) -> tuple[Figures, dict[str, tuple[int, int]]]:
    """The figures of a checkout, and files and lines by package."""
    paths = sorted(path for name in LIBRARY for path in (root / name).rglob("*.py"))
    trees = {path.relative_to(root): ast.parse(path.read_text("utf-8")) for path in paths}
    sizes: dict[str, tuple[int, int]] = {}
    for path in paths:
        name = package(path.relative_to(root))
        files, total = sizes.get(name, (0, 0))
        sizes[name] = files + 1, total + len(path.read_text("utf-8").splitlines())
    core = {path: tree for path, tree in trees.items() if path.parts[0] == "cpa_core"}
    every = [function for tree in trees.values() for function in functions(tree)]
    taking = [(one, name) for tree in core.values() for one in functions(tree) for name in assistants(one)]
    found = {
        "files": len(trees),
        "lines": sum(total for _, total in sizes.values()),
        "functions": len(every),
        f"functions over {LONG} lines": sum(lines(one) > LONG for one in every),
        "public classes whose name stands twice": doubled(core),
        "reads of the environment outside settings": sum(
            environment_reads(tree) for path, tree in trees.items() if "settings" not in path.parts
        ),
        "SQL in Python": sum(map(sql_texts, trees.values())),
        "of it, in store": sum(sql_texts(tree) for path, tree in trees.items() if "store" in path.parts),
        "SQL in files": len(list((root / "cpa_core" / "sql").rglob("*.sql"))),
        "functions that take the whole assistant": len(taking),
        "of these, those that read one attribute only": sum(hides(one, name) for one, name in taking),
        "files of tests": len(list((root / "tests").rglob("test_*.py"))),
    }
    return found, sizes


def checkout(revision: str, folder: Path) -> Path:
    """The tree of a revision."""
    packed = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def main(revision: str = "") -> None:
    """Print the figures of this checkout, beside those of `revision` where one is named."""
    now, sizes = figures(ROOT)
    before: Figures = {}
    old: dict[str, tuple[int, int]] = {}
    if revision:
        with tempfile.TemporaryDirectory() as folder:
            before, old = figures(checkout(revision, Path(folder)))
    print(f"{'':52}{revision or '-':>10}{'now':>10}")
    for name, value in now.items():
        print(f"{name:52}{before.get(name, '-'):>10}{value:>10}")
    print("\nfiles, lines by package")
    for name in sorted(sizes.keys() | old.keys()):
        then, here = old.get(name), sizes.get(name)
        print(f"{name:52}{_size(then):>16}{_size(here):>16}")


def _size(found: tuple[int, int] | None) -> str:
    return f"{found[0]}, {found[1]:,}" if found else "-"


if __name__ == "__main__":
    main(*sys.argv[1:])
