"""Mending damaged JSON, only by changes of its signs: commas, comments, quotation marks, brackets."""

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import json_repair

from cpa_core.llm.reading.finding import loads

TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}\[\]]', re.DOTALL
)
COMMENTS = ("//", "/*")
PAIRS = {"{": "}", "[": "]"}
STRING = re.compile(r'("(?:[^"\\]|\\.)*")', re.DOTALL)
NO_ESCAPE = re.compile(r'(\\\\)|\\(?![\\"/bfnrtu])')
KEY = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(\s*:)")
AFTER = re.compile(r"(?:\s|`|<\|\w+\|>)+$")
"""Text allowed after an object: spaces, the end of a fence, tokens of a template."""


def mended(text: str) -> Any:
    """Return the value of a damaged object or list. Raises ValueError if the mending would be a guess.

    A mending is certain if keys, strings, numbers and brackets of the value are those of the text, in their order: only
    a comma or a comment is too many or missing. A cut-off end, or a quotation mark inside a string, is not mended. An
    object as Python writes it (`{'a': True}`) is read as Python reads it. One of the rewritings in `REWRITTEN` may be
    undone.
    """
    bare = _between(text)
    for rewrite in REWRITTEN:
        try:
            return _whole(rewrite(text if rewrite is _closed else bare))
        except (ValueError, RecursionError):
            continue
    try:
        return _python(bare)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        pass
    tokens = [token for token in TOKEN.findall(bare) if not token.startswith(COMMENTS)]
    if not _is_balanced(tokens):
        raise ValueError("cut off")
    try:
        value = json_repair.loads(bare, skip_json_loads=True)
        if list(_tokens(value)) == [_token(token) for token in tokens]:
            return loads(json.dumps(value))
    except RecursionError:
        pass
    raise ValueError("not to be mended")


def _whole(text: str) -> Any:
    """The object or list that a text is. Raises ValueError, RecursionError."""
    value = loads(text)
    if not isinstance(value, dict | list):
        raise ValueError("neither an object nor a list")
    return value


def _closed(text: str) -> str:
    """Add the object's missing last bracket, if everything in it is whole (tenstorrent/tt-inference-server#3199)."""
    return AFTER.sub("", text[max(0, text.find("{")) :]) + "}"


def _escaped(text: str) -> str:
    """Escape backslashes that begin no escape (marcusgreen/moodle-qtype_aitext#53); a backslash before ' is dropped."""
    return NO_ESCAPE.sub(lambda found: found[1] or "\\\\", text.replace("\\'", "'"))


def _straight(text: str) -> str:
    """Replace typographic quotation marks by straight ones (BoundaryML/baml#1074)."""
    return text.replace("“", '"').replace("”", '"')


def _outside(change: Callable[[str], str]) -> Callable[[str], str]:
    """Return the change applied to everything but strings."""
    return lambda text: "".join(part if n % 2 else change(part) for n, part in enumerate(STRING.split(text)))


REWRITTEN: tuple[Callable[[str], str], ...] = (
    _escaped,
    _straight,
    _outside(lambda part: KEY.sub(r'"\1"\2', part)),
    _outside(lambda part: part.replace("{{", "{").replace("}}", "}")),
    _closed,
)
"""Inverses of common changes to JSON's signs, tried one at a time: the whole must then be JSON.

The third are names without quotation marks (Project-N-E-K-O/N.E.K.O#718), the fourth brackets doubled as in a template
(run-llama/llama_index#7886).
"""


def _between(text: str) -> str:
    """From the first bracket to the last one. Raises ValueError."""
    starts = [place for mark in "{[" if (place := text.find(mark)) >= 0]
    end = max(text.rfind("}"), text.rfind("]"))
    if not starts or end < min(starts):
        raise ValueError("no object")
    return text[min(starts) : end + 1]


def _python(bare: str) -> Any:
    tree = ast.parse(bare, mode="eval")
    for node in ast.walk(tree):
        keys = [ast.dump(key) for key in node.keys if key] if isinstance(node, ast.Dict) else []
        if len(set(keys)) < len(keys):
            raise ValueError("a name twice")
    value = ast.literal_eval(tree)
    if not isinstance(value, dict | list):
        raise ValueError("neither an object nor a list")
    return loads(json.dumps(value, allow_nan=False))


def _is_balanced(tokens: Iterable[str]) -> bool:
    """Return whether every bracket is closed by its counterpart; iterative, so that no depth is too great."""
    closing: list[str] = []
    for token in tokens:
        if token in PAIRS:
            closing.append(PAIRS[token])
        elif token in PAIRS.values() and (not closing or closing.pop() != token):
            return False
    return not closing


def _token(written: str) -> object:
    if written in "{}[]":
        return "bracket", written
    return json.loads(written, strict=False) if written[0] == '"' else repr(json.loads(written))


def _tokens(value: Any) -> Iterator[object]:
    """Yield the tokens of a value in the order of its text: brackets, names, strings and the rest."""
    if isinstance(value, dict):
        yield "bracket", "{"
        for name, one in value.items():
            yield name
            yield from _tokens(one)
        yield "bracket", "}"
    elif isinstance(value, list):
        yield "bracket", "["
        for one in value:
            yield from _tokens(one)
        yield "bracket", "]"
    else:
        yield value if isinstance(value, str) else repr(value)
