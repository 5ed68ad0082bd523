"""From a document to one HTML file: everything in it, nothing from outside, no word of it read as markup."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from cpa_core.report.document import Document, Drill
from cpa_core.suggesting import Suggestion

SCRIPTS = ("vendor/vega.min.js", "vendor/vega-lite.min.js", "vendor/vega-interpreter.js", "page/report.js")
STYLE = "page/report.css"


def render(document: Document) -> str:
    """The page. Its policy allows the scripts and the style that are in it, and no request at all."""
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = page.from_string(_asset("page/page.html"))
    return template.render(
        document=document,
        policy=policy(),
        style=Markup(_asset(STYLE)),
        scripts=[Markup(_asset(script)) for script in SCRIPTS],
        licence=_asset("vendor/LICENSE"),
        data=Markup(_embedded(_data(document))),
        spark=spark,
        cited=_cited(document),
    )


def policy() -> str:
    """Return the content security policy: only the file's own scripts and styles, by their hashes."""
    scripts = " ".join(_hash(_asset(script)) for script in SCRIPTS)
    style = _hash(_asset(STYLE))
    return f"default-src 'none'; script-src {scripts}; style-src {style}; base-uri 'none'; form-action 'none'"


def spark(daily: Sequence[float | None]) -> str:
    """The path of a line through the days from zero up, in a box of 100 by 30, broken where a day has no value."""
    known = [value for value in daily if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(0.0, *known), max(known)
    width, height = 100 / (len(daily) - 1), (high - low) or 1
    path, pen = [], "M"
    for n, value in enumerate(daily):
        if value is None:
            pen = "M"
            continue
        path.append(f"{pen}{n * width:.1f} {28 - 26 * (value - low) / height:.1f}")
        pen = "L"
    return " ".join(path)


def _cited(document: Document) -> Callable[[Suggestion], list[str]]:
    """Return a function that gives the texts of the quotes that a suggestion relies on."""
    quotes = {one.issue: [quoted.text for quoted in one.quotes] for one in document.evidence}
    return lambda suggestion: [quotes[suggestion.issue][n - 1] for n in suggestion.quotes]


def _data(document: Document) -> dict[str, Any]:
    charts = {chart.name: chart.spec for section in document.sections for chart in section.charts}
    drills = {key: _without_quotes(drill) for key, drill in document.drills.items()}
    return {
        "figures": document.figures,
        "charts": charts,
        "drills": drills,
        "conversations": document.conversations,
    }


def _without_quotes(drill: Drill) -> dict[str, Any]:
    return {name: value for name, value in asdict(drill).items() if name != "quotes"}


def _embedded(tree: dict[str, Any]) -> str:
    """JSON that cannot end its element, begin a comment or break a line of script."""
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _asset(path: str) -> str:
    return files("cpa_core.report").joinpath(*path.split("/")).read_text("utf-8")
