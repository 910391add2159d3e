"""Checks on every request before a page sees it, and security headers on every response."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from itopsync.settings.addresses import is_loopback
from itopsync.web.access import Access, Denied, SignIn
from itopsync.web.accounts import NoAccounts

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STATIC, SIGN_IN = "/static/", "/sign-in"
LONGEST_BODY, _DIGITS = 16_384, 10


@dataclass(frozen=True)
class Guard:
    """Rejects illegitimate requests; those that pass carry their :class:`~itopsync.web.access.User` in ``state.user``."""

    app: ASGIApp
    access: Access
    origin: str
    """Scheme and host as browsers show them; empty for any loopback address."""
    longest: int = LONGEST_BODY
    """The maximum size of a form in bytes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # nothing here speaks websocket
            return
        request = Request(scope)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = self._refuse(request)
        with suppress(ClientDisconnect):  # nobody is left to be answered
            await (refused or self.app)(scope, receive, sending)

    def _refuse(self, request: Request) -> Response | None:
        if not request.scope["path"].isprintable():  # a proxy and a route may compare such a path differently
            return _told("there is no such page", 404)
        if not self._for_us(request):
            return _told("this host is not known here: see origin in web.toml", 421)
        return (self._refuse_form(request) if request.method == "POST" else None) or self._recognise(request)

    def _refuse_form(self, request: Request) -> Response | None:
        if not self._of_our_own(request):
            return _told("this form was sent from another site", 403)
        length = request.headers.get("content-length", "")
        if "transfer-encoding" in request.headers:  # then the length is unknown, whatever the other header says
            length = ""
        fits = length.isascii() and length.isdigit() and len(length) < _DIGITS and int(length) <= self.longest
        return None if fits else _told("too long", 413)

    def _recognise(self, request: Request) -> Response | None:
        path = request.scope["path"]
        if path.startswith(STATIC) or (path == SIGN_IN and self.access.accounts is not None):
            return None
        try:
            request.state.user = self.access.user(request)
        except Denied as denied:
            return _told(str(denied), 403)
        except SignIn:
            return _sign_in(request)
        except NoAccounts as error:
            return _told(str(error), 503)
        return None

    def _for_us(self, request: Request) -> bool:
        """Whether the browser meant this host: another name that resolves here could otherwise read our pages (DNS rebinding)."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1:
            return False
        if self.origin:
            return hosts[0].lower() == urlsplit(self.origin).netloc
        try:
            return is_loopback(urlsplit(f"//{hosts[0]}").hostname or "")
        except ValueError:
            return False

    def _of_our_own(self, request: Request) -> bool:
        """Whether one of our pages sent a form, according to the browser or, for an older browser, the page's origin."""
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        ours = self.origin or f"http://{request.headers['host'].lower()}"
        return request.headers.get("origin", "").lower() == ours


def _sign_in(request: Request) -> Response:
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = f"?next={quote(there, safe='/')}" if request.method == "GET" and there != "/" else ""
    return RedirectResponse(f"{SIGN_IN}{wanted}", 303)


def _told(why: str, status: int) -> Response:
    return PlainTextResponse(f"itopsync: {why}.\n", status)
