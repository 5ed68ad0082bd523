"""One request: its reviewer, its home, and its form."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cpa_core.errors import InputError
from cpa_core.models import EventSchema
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store.database import Row
from cpa_core.workbench.desk import Desk, Task
from cpa_core.workbench.forms import SentForm
from cpa_core.workbench.pages import page

REVIEWER = "cpa_reviewer"
MOST_NAME = 60
PATIENCE = 30.0
"""Seconds that a page waits for a run that writes; a busy machine may need some to replace a large day."""


@dataclass(frozen=True)
class Visit:
    """A request with what every page needs. `reviewer` is empty until somebody gave a name."""

    assistant: Assistant
    desk: Desk
    request: Request
    form: SentForm
    reviewer: str
    read_only: bool
    is_named_by_proxy: bool = False

    def shown(self, name: str, title: str, **values: Any) -> Response:
        """A page of the workbench."""
        about: dict[str, Any] = {
            "reviewer": self.reviewer,
            "read_only": self.read_only,
            "by_proxy": self.is_named_by_proxy,
        }
        return page(name, title=title, **about, **values)

    def named(self) -> str:
        """The reviewer's name. Raises InputError where there is none."""
        if not self.reviewer:
            raise InputError("say who you are first: on the first page")
        return self.reviewer

    def task(self) -> Task:
        """The item that the address names. Raises NotFound."""
        return self.desk.task(self.request.path_params["draw"], self.request.path_params["place"])

    def schema(self) -> EventSchema:
        """The schema in force. Raises InputError where there is none."""
        found = self.desk.schema()
        if found is None:
            raise InputError("this home has no event schema yet: name one with --schema FILE")
        return found

    def rows(self, question: str, **names: Any) -> list[Row]:
        """The answer of the store to a question, `workbench/disputes`. Raises StoreBusy."""
        with self.assistant.store.reading(PATIENCE) as view:
            return view.answer(question, **names)


def to(path: str) -> Response:
    """Go on there."""
    return RedirectResponse(path, 303)


def reviewer_name(request: Request, header: str | None = None) -> str:
    """The name in the proxy's header, where one is trusted, else in the cookie; empty where it is no name."""
    if header is None:
        found = unquote(request.cookies.get(REVIEWER, ""))
    else:
        found = request.headers.get(header, "").encode("latin-1").decode("utf-8", "replace")
    name = found[:MOST_NAME].strip()
    return name if name.isprintable() else ""


def remember_reviewer(answer: Response, name: str) -> Response:
    """Keep the name in the browser."""
    answer.set_cookie(REVIEWER, quote(name), httponly=True, samesite="strict", path="/", max_age=31_536_000)
    return answer
