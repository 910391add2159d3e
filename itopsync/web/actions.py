"""Operators' requests: each is a row in the store under their name, which the running process carries out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from itopsync.model import Side
from itopsync.settings.quantities import read_duration
from itopsync.store.records import RequestKind
from itopsync.store.store import Store
from itopsync.web.access import User
from itopsync.web.causes import causes
from itopsync.web.pairs import Watched
from itopsync.web.views import TROUBLED, Views, number_of

LONGEST_REASON = 200
_OF_A_LINK = (RequestKind.SYNC, RequestKind.RETRY, RequestKind.PARK, RequestKind.RESUME, RequestKind.UNLINK)
_OF_THE_PAIR = (RequestKind.PAUSE, RequestKind.UNPAUSE, RequestKind.ACCEPT, RequestKind.SWEEP, RequestKind.VERIFY)
CAUSE = "cause"
"""Retry whatever has the same cause."""


class Unfit(Exception):
    """A form that did not come from one of our pages."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; the guard has bounded its length."""
    try:
        return dict(parse_qsl((await request.body()).decode(), strict_parsing=False, max_num_fields=20))
    except ValueError:
        raise HTTPException(400) from None


@dataclass(frozen=True)
class Actions:
    """Takes the forms with which operators make requests."""

    views: Views
    clock: Callable[[], datetime]

    async def ask(self, request: Request) -> Response:
        """Make the request in a form, and redirect to the page that shows it."""
        pair, user = self.views.watched(request), request.state.user
        if not user.operates:
            raise HTTPException(403)
        form = await read_form(request)
        try:
            back, number = await run_in_threadpool(self._ask, pair, user, form)
        except (Unfit, ValueError):
            raise HTTPException(400) from None
        return RedirectResponse(f"/p/{quote(pair.name)}{back}{f'?asked={number}' if number else ''}", 303)

    def _ask(self, pair: Watched, user: User, form: Mapping[str, str]) -> tuple[str, int | None]:
        """The page to return to, and the request to report there."""
        store, asked = pair.store(), form.get("kind", "")
        if asked == CAUSE:
            with store.requests.together():
                numbers = list(self._ask_by_cause(store, user, form.get("cause", "")))
            return "/attention", numbers[-1] if numbers else None
        kind = RequestKind(asked)
        if kind in _OF_A_LINK:
            link = number_of(form.get("link", ""))
            if not store.links.get([link]):
                raise Unfit
            number = self._put(store, user, kind, form, link=link)
            return ("/attention" if form.get("back") == "attention" else f"/t/{link}"), number
        if kind not in _OF_THE_PAIR:
            raise Unfit
        number = self._put(store, user, kind, form)
        return {RequestKind.ACCEPT: "/attention", RequestKind.VERIFY: "/verify"}.get(kind, ""), number

    def _put(self, store: Store, user: User, kind: RequestKind, form: Mapping[str, str], *, link: int | None = None) -> int:
        reason = " ".join(form.get("reason", "").split())[:LONGEST_REASON]
        fingerprint = form.get("fingerprint", "")[:64] if kind is RequestKind.ACCEPT else ""
        arguments = self._arguments(kind, form)
        return store.requests.ask(
            kind, user.actor, self.clock(), reason=reason, link=link, fingerprint=fingerprint, arguments=arguments
        )

    def _arguments(self, kind: RequestKind, form: Mapping[str, str]) -> dict[str, str]:
        side = {"side": Side(form["side"]).value} if form.get("side") else {}
        match kind:
            case RequestKind.PAUSE:
                length = read_duration(form["for"]) if form.get("for") else None
                return side | ({"until": (self.clock() + length).isoformat()} if length else {})
            case RequestKind.UNPAUSE:
                return side
            case RequestKind.ACCEPT:
                return {"kind": form["stop"][:40]} if form.get("stop") else {}
            case RequestKind.VERIFY:
                return {"deep": "yes"} if form.get("deep") == "yes" else {}
            case RequestKind.UNLINK if form.get("sure") != "yes":
                raise Unfit
        return {}

    def _ask_by_cause(self, store: Store, user: User, key: str) -> Iterator[int]:
        needed, waiting = causes(store.links.troubled(TROUBLED))
        for cause in (*needed, *waiting):
            if cause.key == key and cause.tried:
                for link in cause.links:
                    yield store.requests.ask(RequestKind.RETRY, user.actor, self.clock(), link=link.id)
