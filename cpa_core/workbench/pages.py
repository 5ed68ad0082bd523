"""Pages from templates: every word of a message is text, never markup."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.responses import HTMLResponse

from cpa_core.insights import Estimate, Rate

PACKAGE = "cpa_core.workbench"


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
    made.globals |= {"number": number, "share": share}
    return made


def number(found: Estimate) -> str:
    """A value with its interval: `0.71 (0.60 to 0.80)`; empty where it is not known."""
    if found.value is None:
        return ""
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def share(found: Estimate | Rate) -> str:
    """A share with its interval in percent; empty where it is not known."""
    value = found.share if isinstance(found, Rate) else found.value
    if value is None:
        return ""
    if found.low is None or found.high is None:
        return f"{value:.1%}"
    return f"{value:.1%} ({found.low:.1%} to {found.high:.1%})"


@cache
def asset(name: str) -> str:
    """A file that the pages ask for: the report's style with the workbench's own, or the script."""
    if name == "workbench.css":
        report = files("cpa_core.report").joinpath("page", "report.css").read_text("utf-8")
        return report + files(PACKAGE).joinpath("static", name).read_text("utf-8")
    return files(PACKAGE).joinpath("static", name).read_text("utf-8")
