"""Maps addresses to pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from itopsync.errors import ItopsyncError
from itopsync.web.access import COOKIE, OVER_TLS, Access
from itopsync.web.accounts import Accounts, NoAccounts
from itopsync.web.actions import Actions, read_form
from itopsync.web.guard import Guard
from itopsync.web.pages import Pages
from itopsync.web.pairs import Watched
from itopsync.web.sessions import Attempts, Sessions
from itopsync.web.settings import UNIX, WebSettings
from itopsync.web.views import Views

log = structlog.get_logger(__name__)

A_NAME, A_PEER, WITHIN = 5, 30, 300.0
"""Sign-in attempts allowed per name and per address, and the period in seconds."""
_WHY = {
    400: ("This form makes no sense", "Go back, reload the page and try again."),
    403: ("Only operators may do this", "You may only look. roles.operators in web.toml names who may do more."),
    404: ("There is no such page", "The pair, the ticket or the request is not known here."),
    503: ("The store does not answer", ""),
}
_NO_ACCOUNTS = ("The accounts cannot be read", "The console's log says why, and what to do.")


@dataclass(frozen=True)
class SigningIn:
    """Signing in and out with a local account."""

    pages: Pages
    access: Access
    names: Attempts
    peers: Attempts
    secure: bool

    def form(self, request: Request) -> Response:
        """Ask for name and password."""
        return self._shown(request, request.query_params.get("next", "/"))

    async def begin(self, request: Request) -> Response:
        """Begin a session, if the password is right and nobody has tried too often."""
        form = await read_form(request)
        return await run_in_threadpool(self._begin, request, form)

    def _begin(self, request: Request, form: Mapping[str, str]) -> Response:
        name, there = form.get("name", "").strip()[:64], form.get("next", "/")
        peer = request.client.host if request.client else UNIX
        if not (self.peers.take(peer) and self.names.take(name)):
            log.warning("sign-in refused", peer=peer, reason="too many tries")
            return self._shown(request, there, "Too many attempts. Wait five minutes.", 429)
        accounts = self.access.accounts
        try:
            proof = accounts.check(name, form.get("password", "")) if accounts is not None else None
        except NoAccounts:
            self.names.take_back(name)
            self.peers.take_back(peer)
            raise
        if proof is None:  # what was typed as a name may be a password: it is not logged
            log.warning("sign-in refused", peer=peer, reason="wrong name or password")
            return self._shown(request, there, "Wrong name or password.", 401)
        self.names.forget(name)
        self.peers.take_back(peer)
        log.info("signed in", actor=f"web:{name}", peer=peer)
        response = RedirectResponse(_here(there), 303)
        token = self.access.sessions.begin(name, proof)
        response.set_cookie(self.access.cookie, token, httponly=True, samesite="strict", secure=self.secure)
        return response

    def _shown(self, request: Request, there: str, refused: str = "", status: int = 200) -> Response:
        return self.pages.show(request, "sign_in.html", {"refused": refused, "next": _here(there)}, status)

    async def end(self, request: Request) -> Response:
        """End the session."""
        self.access.sessions.end(request.cookies.get(self.access.cookie, ""))
        response = RedirectResponse("/", 303)
        response.delete_cookie(self.access.cookie, httponly=True, samesite="strict", secure=self.secure)
        return response


def _here(there: str) -> str:
    """The page of ours to redirect to, whatever was requested."""
    return there if there.startswith("/") and not there.startswith(("//", "/\\")) and there.isprintable() else "/"


def make(
    settings: WebSettings,
    pairs: Mapping[str, Watched],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> Guard:
    """The complete ASGI application."""
    file = settings.file
    accounts = Accounts(settings.accounts) if settings.accounts is not None else None
    idle, longest = (file.accounts.idle, file.accounts.longest) if file.accounts else (timedelta(), timedelta())
    secure = file.origin.startswith("https://")
    access = Access(file.roles, file.proxy, accounts, Sessions(idle, longest, monotonic), OVER_TLS if secure else COOKIE)
    pages = Pages(tuple(pairs), clock)
    views = Views(pages, pairs, clock)
    signing = SigningIn(pages, access, Attempts(A_NAME, WITHIN, monotonic), Attempts(A_PEER, WITHIN, monotonic), secure)
    routes = [
        Route("/", views.overview),
        Route("/t", views.find),
        Route("/t/{ref}", views.find),
        Route("/p/{pair}", views.pair),
        Route("/p/{pair}/attention", views.attention),
        Route("/p/{pair}/activity", views.activity),
        Route("/p/{pair}/cycles", views.cycles),
        Route("/p/{pair}/verify", views.verify),
        Route("/p/{pair}/t/{link}", views.ticket),
        Route("/p/{pair}/requests/{number}", views.request),
        Route("/p/{pair}/ask", Actions(views, clock).ask, methods=["POST"]),
        Mount("/static", StaticFiles(directory=str(files("itopsync.web") / "static"))),
    ]
    if accounts is not None:
        routes += [
            Route("/sign-in", signing.form),
            Route("/sign-in", signing.begin, methods=["POST"]),
            Route("/sign-out", signing.end, methods=["POST"]),
        ]

    async def failed(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 503
        heading, why = _NO_ACCOUNTS if isinstance(error, NoAccounts) else _WHY.get(status, ("This cannot be done", ""))
        values = {"status": status, "heading": heading, "why": why or str(error)}
        return await run_in_threadpool(pages.show, request, "told.html", values, status)

    app = Starlette(routes=routes, exception_handlers={HTTPException: failed, ItopsyncError: failed})
    return Guard(app, access, file.origin)
