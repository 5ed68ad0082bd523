"""Pages from templates: every word of a message is text, never markup."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from cpa_core.gold.planning import in_words
from cpa_core.gold.trust import Grade
from cpa_core.insights import Estimate, Rate
from cpa_core.pipeline.gold.planning import NextWidth

PACKAGE = "cpa_core.workbench"
PILLS: Mapping[Grade, str] = {"good": "met", "fair": "partly", "poor": "missed", "unknown": "cannot"}
"""The colours that the report gives to verdicts, by how far a label can be trusted."""


def page(name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page by the name of its template."""
    return HTMLResponse(_environment().get_template(f"{name}.html").render(**values), status)


@cache
def _environment() -> Environment:
    def source(name: str) -> str:
        return files(PACKAGE).joinpath("templates", name).read_text("utf-8")

    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(source),
    )
    made.globals |= {"number": number, "share": share, "width": width, "badge": badge, "address_of": address_of}
    return made


def number(found: Estimate) -> str:
    """A value with its interval: `0.71 (0.60 to 0.80)`; empty where it is not known."""
    if found.value is None:
        return ""
    if found.low is None or found.high is None:
        return _two(found.value)
    return f"{_two(found.value)} ({_two(found.low)} to {_two(found.high)})"


def _two(value: float) -> str:
    """Two digits, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def share(found: Estimate | Rate) -> str:
    """A share with its interval in percent; empty where it is not known."""
    value = found.share if isinstance(found, Rate) else found.value
    if value is None:
        return ""
    if found.low is None or found.high is None:
        return f"{value:.1%}"
    return f"{value:.1%} ({found.low:.1%} to {found.high:.1%})"


def width(name: str, found: NextWidth) -> str:
    """Return the effect of reading more: `Refund ± 2.1 points, 14 more to ± 1.5, about 40 minutes`."""
    now = (
        f"{name} ± {_points(found.now)} points" if found.now is not None else f"{name}: too few labels for an interval"
    )
    if found.more is None or found.minutes is None:
        return f"{now}; this home has too few conversations for ± {_points(found.within)}"
    return f"{now}, {found.more} more to ± {_points(found.within)}, about {in_words(found.minutes)}"


def _points(share: float) -> str:
    return f"{100 * share:.1f}" if share >= 0.001 else f"{100 * share:.2f}"


def badge(grade: Grade) -> Markup:
    """Return the grade of a label as a coloured word."""
    return Markup('<span class="pill {}">{}</span>').format(
        PILLS[grade], "not checked" if grade == "unknown" else grade
    )


def address_of(conversation_id: str, position: int | None = None) -> str:
    """The address of a conversation's page, or of a message on it."""
    place = "" if position is None else f"#m{position}"
    return f"/c/{quote(conversation_id, safe='', errors='replace')}{place}"


@cache
def asset(name: str) -> str:
    """A file that the pages ask for: the report's style with the workbench's own, or the script."""
    if name == "workbench.css":
        report = files("cpa_core.report").joinpath("page", "report.css").read_text("utf-8")
        return report + files(PACKAGE).joinpath("static", name).read_text("utf-8")
    return files(PACKAGE).joinpath("static", name).read_text("utf-8")
