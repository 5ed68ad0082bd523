"""Who may ask the workbench: only its own page, in a browser that was given the token of this start."""

import hmac
from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "cpa_workbench"
READING = frozenset({"GET", "HEAD"})
ASKING = frozenset({"/read", "/schema"})
"""Forms that ask something: their words stand in no address. A page that only reads takes them and saves nothing."""
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
"""What every answer says: nothing from outside, in no frame, kept by no cache, no address handed on."""


class Guard:
    """Lets through what comes from the workbench's own page, and marks every answer with `HEADERS`.

    A request is refused whose Host is not one of `hosts` (a name that an attacker points at this machine), that has
    neither the token nor its cookie, or that changes something and comes from another origin, or on a page that only
    reads. The token stands in the address that the command prints, and in a cookie from then on.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: Sequence[str], read_only: bool = False) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(hosts)
        self._read_only = read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, hand out the cookie, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._answer(scope)
        marked = _marking(send)
        await (answer(scope, receive, marked) if answer else self._app(scope, receive, marked))

    def _answer(self, scope: Scope) -> Response | None:
        """What is said instead of the page; none where the page may speak."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if headers.get("host", "") not in self._hosts:
            return PlainTextResponse("this workbench answers under its own address only", 421)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and self._is_token(given):
            return self._welcome(scope)
        if not self._is_token(_cookie(headers.get("cookie", ""))):
            return PlainTextResponse("open the address that `cpa serve` printed: it holds the token of this start", 403)
        return None if scope["method"] in READING else self._refused(scope["path"], headers)

    def _refused(self, path: str, headers: Mapping[str, str]) -> Response | None:
        """What is said to a request that would change something; none where it may."""
        if not self._is_own(headers):
            return PlainTextResponse("this came from another page", 403)
        if self._read_only and path not in ASKING:
            return PlainTextResponse("this workbench only reads: cpa serve without --read-only", 403)
        return None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8"), self._token.encode("utf-8"))

    def _is_own(self, headers: Mapping[str, str]) -> bool:
        """Browsers name the origin of every request that changes something (Fetch, section 3.2)."""
        origin = urlsplit(headers.get("origin", ""))
        site = headers.get("sec-fetch-site", "same-origin")
        return origin.netloc == headers["host"] and site == "same-origin"

    def _welcome(self, scope: Scope) -> Response:
        path = scope["path"] if scope["path"].startswith("/") and not scope["path"].startswith("//") else "/"
        answer = RedirectResponse(path, 303)
        answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", path="/")
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
