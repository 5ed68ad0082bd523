"""The workbench as an application: its routes, who may call them, and the server on this machine."""

import secrets
import socket
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cpa_core.errors import CpaError, InputError, NotFound, StoreBusy
from cpa_core.pipeline.assistant import Assistant
from cpa_core.workbench import reading, reviewing, schema_page
from cpa_core.workbench.desk import Desk
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
}
STATUS = ((NotFound, 404), (StoreBusy, 503), (InputError, 400))


def application(assistant: Assistant, *, token: str, hosts: list[str], read_only: bool = False) -> Starlette:
    """The workbench of a home, for browsers that know the token and ask for one of these hosts."""
    desk = Desk(assistant)

    def route(path: str, answer: Answer, method: str) -> Route:
        return Route(path, _endpoint(answer, assistant, desk, read_only=read_only), methods=[method])

    return Starlette(
        routes=[
            Route("/static/{name}", _asset),
            *(route(path, answer, "GET") for path, answer in PAGES.items()),
            *(route(path, answer, "POST") for path, answer in ACTIONS.items()),
        ],
        middleware=[Middleware(Guard, token=token, hosts=hosts, read_only=read_only)],
        exception_handlers={HTTPException: _not_found},
    )


def _endpoint(
    answer: Answer, assistant: Assistant, desk: Desk, *, read_only: bool
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            form = await form_of(request) if request.method == "POST" else SentForm([])
            visit = Visit(assistant, desk, request, form, reviewer_name(request.cookies), read_only)
            return await run_in_threadpool(answer, visit)
        except CpaError as wrong:
            status = next((code for kind, code in STATUS if isinstance(wrong, kind)), 500)
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


def serve(assistant: Assistant, port: int, said: Callable[[str], None], *, read_only: bool = False) -> None:
    """Answer on 127.0.0.1 until interrupted. Port 0 takes a free one. `said` is told the address with its token.

    Raises SettingsError where the port is taken.
    """
    import uvicorn

    from cpa_core.errors import SettingsError

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as taken:
        raise SettingsError(f"port {port} is taken: cpa serve --port 0 takes a free one") from taken
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    app = application(assistant, token=token, hosts=hosts, read_only=read_only)
    said(f"http://127.0.0.1:{port}/?token={token}")
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])
