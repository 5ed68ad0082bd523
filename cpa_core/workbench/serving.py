"""The workbench as an application: its routes, who may call them, and the server on this machine."""

import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cpa_core.errors import BudgetReached, CpaError, InputError, NotFound, SettingsError
from cpa_core.pipeline.assistant import Assistant
from cpa_core.workbench import issues_page, reading, reviewing, schema_page, trying
from cpa_core.workbench.desk import Desk
from cpa_core.workbench.door import Door
from cpa_core.workbench.forms import SentForm, form_of
from cpa_core.workbench.guard import Guard
from cpa_core.workbench.pages import asset, page
from cpa_core.workbench.visit import Visit, reviewer_name

ASSETS = {"workbench.css": "text/css", "workbench.js": "text/javascript"}
Answer = Callable[[Visit], Response]
PAGES: dict[str, Answer] = {
    "/": reviewing.home,
    "/review": reviewing.next_item,
    "/review/{draw}/{place:int}": reviewing.item,
    "/review/{draw}/{place:int}/labels": reviewing.reveal,
    "/disputes": reviewing.disputes,
    "/quality": reviewing.quality,
    "/read": reading.search,
    "/c/{conversation:path}": reading.conversation,
    "/schema": schema_page.show,
    "/schema/additions": schema_page.proposals,
    "/try": trying.form,
    "/issues": issues_page.inbox_page,
    "/issues/{issue}": issues_page.issue_page,
}
ACTIONS: dict[str, Answer] = {
    "/reviewer": reviewing.name_reviewer,
    "/draw": reviewing.draw,
    "/review/{draw}/{place:int}/message": reviewing.say_message,
    "/review/{draw}/{place:int}/rest": reviewing.say_none_of_rest,
    "/review/{draw}/{place:int}/verdicts": reviewing.say_verdicts,
    "/review/{draw}/{place:int}/undo": reviewing.undo,
    "/review/{draw}/{place:int}/defer": reviewing.defer,
    "/review/{draw}/{place:int}/finish": reviewing.finish,
    "/review/{draw}/{place:int}/labels": reviewing.after_reveal,
    "/disputes": reviewing.settle,
    "/read": reading.search,
    "/reported": reading.report,
    "/schema": schema_page.check_or_save,
    "/schema/problems": schema_page.problems,
    "/schema/additions": schema_page.take_over,
    "/schema/accept": schema_page.accept,
    "/try": trying.try_it,
    "/issues/follow": issues_page.follow,
    "/issues/{issue}": issues_page.change_issue,
}
STATUS = ((NotFound, 404), (InputError, 400), (BudgetReached, 402))
BUSY = 503
"""The status of every other failure that a person may retry: a busy store, a full disk, a provider that stopped."""


def application(
    assistant: Assistant, *, token: str, hosts: list[str], read_only: bool = False, door: Door | None = None
) -> Starlette:
    """The workbench of a home, for browsers that know the token and ask for one of these hosts."""
    door = door or Door()
    house = _House(assistant, Desk(assistant), read_only, door.reviewer_header)

    def route(path: str, answer: Answer, method: str) -> Route:
        return Route(path, _endpoint(answer, house), methods=[method])

    return Starlette(
        routes=[
            Route("/static/{name}", _asset),
            *(route(path, answer, "GET") for path, answer in PAGES.items()),
            *(route(path, answer, "POST") for path, answer in ACTIONS.items()),
        ],
        middleware=[
            Middleware(
                Guard, token=token, hosts=hosts, read_only=read_only, password=door.password, is_https=door.is_https
            )
        ],
        exception_handlers={HTTPException: _not_found},
    )


@dataclass(frozen=True)
class _House:
    """The state that all requests share."""

    assistant: Assistant
    desk: Desk
    read_only: bool
    reviewer_header: str | None

    def visit(self, request: Request, form: SentForm) -> Visit:
        """A request with what its page needs."""
        name = reviewer_name(request, self.reviewer_header)
        by_proxy = self.reviewer_header is not None
        return Visit(self.assistant, self.desk, request, form, name, self.read_only, by_proxy)


def _endpoint(answer: Answer, house: _House) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            form = await form_of(request) if request.method == "POST" else SentForm([])
            return await run_in_threadpool(answer, house.visit(request, form))
        except CpaError as wrong:
            status = next((code for kind, code in STATUS if isinstance(wrong, kind)), BUSY)
            return page("error", status=status, words=str(wrong), title="This did not work")

    return endpoint


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        return PlainTextResponse("no such file", 404)
    return Response(asset(name), media_type=ASSETS[name])


async def _not_found(_request: Request, wrong: Exception) -> Response:
    status = wrong.status_code if isinstance(wrong, HTTPException) else 500
    return page("error", status=status, words="There is no such page.", title="Not found")


def serve(assistant: Assistant, door: Door, said: Callable[[str], None], *, read_only: bool = False) -> None:
    """Answer until interrupted. Port 0 takes a free one. `said` is called with the address and its token.

    Raises SettingsError where the address cannot be bound.
    """
    import uvicorn

    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((door.host, door.port))
    except OSError as taken:
        raise SettingsError(f"{door.host} port {door.port}: {taken.strerror}: --port 0 takes a free one") from taken
    listening.listen(128)  # a visitor who opens the address at once waits for the first answer, and is not refused
    hosts = door.hosts(listening.getsockname()[1])
    token = secrets.token_urlsafe(24)
    app = application(assistant, token=token, hosts=hosts, read_only=read_only, door=door)
    said(f"{door.address.rstrip('/') if door.address else f'http://{hosts[0]}'}/?token={token}")
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])
