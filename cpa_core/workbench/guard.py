"""Who may ask the workbench: only its own page, in a browser that was given the token of this start."""

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cpa_core.errors import InputError
from cpa_core.workbench.forms import form_of
from cpa_core.workbench.pages import page

COOKIE = "cpa_workbench"
ENTRY = "/enter"
WRONG_PASSWORD_SECONDS = 1.0
"""Seconds that a wrong password takes; wrong ones wait for each other, so that guessing is slow."""
READING = frozenset({"GET", "HEAD"})
QUESTIONS = frozenset({"/read", "/schema", "/schema/problems"})
"""Forms that only ask: their words appear in no address. A page that only reads takes them and saves nothing."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",  # with no-referrer, browsers send `Origin: null` with the page's own forms
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""The headers of every answer: no outside content, no frame, no cache, no referrer."""


class Guard:
    """Lets through what comes from the workbench's own page, and marks every answer with `HEADERS`.

    It refuses a request whose Host is not one of `hosts` (a name that an attacker points at this machine), and a
    request without the token or its cookie. It also refuses a changing request from another origin, or on a page that
    only reads. With a password set, a visitor without the cookie is asked for it. The token is in the address that the
    command prints, and afterwards in a cookie.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        hosts: Sequence[str],
        read_only: bool = False,
        password: str | None = None,
        is_https: bool = False,
    ) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(hosts)
        self._read_only = read_only
        self._password = password
        self._is_https = is_https
        self._guessing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, hand out the cookie, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        is_entry = self._password is not None and (scope["method"], scope["path"]) == ("POST", ENTRY)
        answer = await self._entered(scope, receive, headers) if is_entry else self._answer(scope, headers)
        marked = _marking(send)
        await (answer(scope, receive, marked) if answer else self._app(scope, receive, marked))

    def _answer(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        """Return the answer in place of the page; null if the page may answer."""
        if headers.get("host", "") not in self._hosts:
            return PlainTextResponse("this workbench answers under its own address only", 421)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and self._is_token(given):
            return self._welcome(scope["path"])
        if self._password is not None and scope["path"] == "/static/workbench.css":
            return None  # it holds no private text, and the password page uses it
        if not self._is_token(_cookie(headers.get("cookie", ""))):
            return self._stranger(scope)
        return None if scope["method"] in READING else self._refused(scope["path"], headers)

    def _stranger(self, scope: Scope) -> Response:
        """Return the answer to a browser without the token."""
        if self._password is not None and scope["method"] in READING:
            return page("enter", status=401, title="Workbench", goes_to=scope["path"], is_wrong=False)
        return PlainTextResponse("open the address that `cpa serve` printed: it holds the token of this start", 403)

    async def _entered(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response:
        """Admit a visitor with the right password."""
        if headers.get("host", "") not in self._hosts:
            return PlainTextResponse("this workbench answers under its own address only", 421)
        if not self._is_own(headers):
            return PlainTextResponse("this came from another page, or without the header Origin", 403)
        try:
            form = await form_of(Request(scope, receive))
        except InputError as wrong:
            return PlainTextResponse(str(wrong), 400)
        if hmac.compare_digest(form.raw("password").encode("utf-8"), (self._password or "").encode("utf-8")):
            return self._welcome(form.get("goes_to"))
        async with self._guessing:
            await asyncio.sleep(WRONG_PASSWORD_SECONDS)
        return page("enter", status=403, title="Workbench", goes_to=form.get("goes_to"), is_wrong=True)

    def _refused(self, path: str, headers: Mapping[str, str]) -> Response | None:
        """Return the refusal of a request that would change something; null if it is allowed."""
        if not self._is_own(headers):
            return PlainTextResponse("this came from another page, or without the header Origin", 403)
        if self._read_only and path not in QUESTIONS:
            return PlainTextResponse("this workbench only reads: cpa serve without --read-only", 403)
        return None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8"), self._token.encode("utf-8"))

    def _is_own(self, headers: Mapping[str, str]) -> bool:
        """Browsers name the origin of every request that changes something (Fetch, section 3.2)."""
        origin = urlsplit(headers.get("origin", ""))
        site = headers.get("sec-fetch-site", "same-origin")
        return origin.netloc == headers["host"] and site == "same-origin"

    def _welcome(self, wanted: str) -> Response:
        """Redirect to the page without the token in the address.

        The cookie goes with links from the report and from Dagster (Lax).

        Reading a page changes nothing, and every changing request has its origin checked.
        """
        is_path = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
        answer = RedirectResponse(quote(wanted, safe="/") if is_path else "/", 303)
        answer.set_cookie(COOKIE, self._token, httponly=True, samesite="lax", secure=self._is_https, path="/")
        return answer


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _marking(send: Send) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return marked
