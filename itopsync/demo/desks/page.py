"""The page's addresses and the responses to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from itopsync.demo.compare import copies
from itopsync.demo.desks import people
from itopsync.demo.desks.bridge import Bridge
from itopsync.demo.desks.forms import Form, read
from itopsync.demo.desks.shown import Desk, Novelties
from itopsync.errors import StoreError
from itopsync.model import Ref, Side
from itopsync.simulator import BareRefusal, Refusal
from itopsync.web.pages import Pages
from itopsync.web.pairs import Watched
from itopsync.web.views import number_of

FIRST = "external:UserRequest:1"
"""The ticket that is open at first."""
FEW = 7
"""How many of the latest writes are shown."""
_WITH_A_TICKET = {"note": people.write, "file": people.attach, "press": people.press}
_FILES = ("Attachment", "InlineImage")


@dataclass
class Page:
    """The page, and everything that players control with it."""

    desks: Mapping[Side, Desk]
    bridge: Bridge
    watched: Watched
    console: str
    """The console's address."""
    pages: Pages
    novelties: Novelties
    told: str = ""
    """Why the latest action was refused; empty if it was not."""

    def app(self) -> Starlette:
        """Return the ASGI application."""
        routes = [
            Route("/", self.whole),
            Route("/changes", self.changes),
            Route("/file/{side}/{kind}/{id}", self.file),
            Route("/bridge", self.steer, methods=["POST"]),
            Route("/{side}/{what}", self.act, methods=["POST"]),
            Mount("/static", StaticFiles(directory=str(files("itopsync.web") / "static"))),
            Mount("/desks", StaticFiles(directory=str(files("itopsync.demo.desks") / "static"))),
        ]
        return Starlette(routes=routes)

    # looking

    def whole(self, request: Request) -> Response:
        """Respond with the whole page."""
        ref = self._ref(request.query_params.get("open") or FIRST)
        panes = self._panes(ref)
        values = {"desks": self.desks, "console": self.console, "classes": people.CLASSES, "known": False, "panes": panes}
        shown = self.pages.show(request, "desks.html", {**values, **_shared(ref, panes)})
        shown.headers["HX-Trigger"] = "acted"
        return shown

    def changes(self, request: Request) -> Response:
        """Respond with the parts that differ from what the browser shows, or with 204 if none does."""
        ref, seen = self._ref(request.query_params.get("open", "")), request.query_params.get("seen", "").split(".")
        panes = self._panes(ref)
        changed = {name: values for name, values in panes.items() if _digest(name, values) not in seen}
        if not changed:
            return Response(status_code=204)
        return self.pages.show(request, "changes.html", {**_shared(ref, panes), "panes": changed})

    def file(self, request: Request) -> Response:
        """Respond with an attachment, or a picture in a text. The browser shows only pictures, and saves anything else."""
        asked = request.path_params
        found = None
        if asked["kind"] in _FILES:
            found = self._desk(asked["side"]).simulator.store.get(asked["kind"], number_of(asked["id"]))
        if found is None:
            raise HTTPException(404)
        contents = found["contents"]
        if contents.mimetype in people.PICTURES:
            return Response(contents.data, media_type=contents.mimetype)
        handed = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(contents.filename, safe='')}"}
        return Response(contents.data, headers=handed, media_type="application/octet-stream")

    def _panes(self, ref: Ref | None) -> dict[str, Any]:
        """The values of every part of the page that can change, by the part's name."""
        panes: dict[str, Any] = {
            "bridge": (self.bridge.condition.value, self.bridge.pid, str(self.bridge.log)),
            "lately": self._lately(),
            "told": (self.told,),
        }
        for side, desk in self.desks.items():
            ticket = desk.opened(self._on(side, ref))
            panes |= {f"{side}-list": (desk.cut_off, desk.rows()), f"{side}-ticket": (ticket, ref), f"{side}-log": (ticket,)}
        return panes

    def _lately(self) -> tuple[Any, ...]:
        """The latest cycle, and the latest writes, each with the ticket's number and its age if it is new."""
        try:
            store = self.watched.store()
            cycles, records = store.history.cycles(1), store.activity.latest(FEW)
            links = {link.id: link for link in store.links.get(record.link for record in records)}
        except StoreError:  # the bridge creates it when it first starts
            return None, ()
        numbers = {number: link.external_number or str(number) for number, link in links.items()}
        age = self.novelties.age
        return next(iter(cycles), None), tuple((each, numbers.get(each.link, ""), age(("write", each.id))) for each in records)

    def _on(self, side: Side, ref: Ref | None) -> Ref | None:
        """A ticket's counterpart on *side*, found by the marker in the copy."""
        if ref is None or ref.side is side:
            return ref
        linked = copies(self.desks[Side.INTERNAL].simulator)
        if ref.side is Side.INTERNAL:
            linked = {(cls, copy): number for (cls, number), copy in linked.items()}
        found = linked.get((ref.cls, ref.id))
        return Ref(side, ref.cls, found) if found else None

    # acting

    async def steer(self, request: Request) -> Response:
        """Start or kill the bridge."""
        form = await read(request)
        await run_in_threadpool(self.bridge.kill if form.get("do") == "kill" else self.bridge.start)
        return _back(self._ref(form.get("open")))

    async def act(self, request: Request) -> Response:
        """Do what a form asks for at a desk, or cut its server off."""
        desk, form = self._desk(request.path_params["side"]), await read(request)
        ref, self.told = self._ref(form.get("open")), ""
        try:
            return _back(await run_in_threadpool(self._act, desk, request.path_params["what"], ref, form) or ref)
        except (Refusal, BareRefusal) as refusal:
            self.told = f"iTop: {refusal.message}"
        except people.Unfit as unfit:
            self.told = str(unfit)
        return _back(ref)

    def _act(self, desk: Desk, what: str, ref: Ref | None, form: Form) -> Ref | None:
        agent, ticket = desk.simulator.agent(), self._on(desk.side, ref)
        if what == "cut":
            desk.cut(off=form.get("off") == "yes")
        elif what == "open":
            return Ref(desk.side, *people.open_ticket(agent, form))
        elif what in _WITH_A_TICKET and ticket is not None:
            _WITH_A_TICKET[what](agent, ticket, form)
        else:
            raise HTTPException(404)
        return None

    def _desk(self, side: str) -> Desk:
        if side not in list(Side):
            raise HTTPException(404)
        return self.desks[Side(side)]

    def _ref(self, text: str) -> Ref | None:
        """The ref that *text* in an address names; None if it names no ticket."""
        ref = Ref.parse(text, Side.EXTERNAL)
        known = self.desks[ref.side].simulator.store.schema.get(ref.cls) if ref else None
        return ref if known and known.root == "Ticket" else None


def _back(ref: Ref | None) -> Response:
    return RedirectResponse(f"/?open={ref or ''}", 303)


def _shared(ref: Ref | None, panes: Mapping[str, Any]) -> dict[str, Any]:
    return {"open": str(ref or ""), "seen": ".".join(_digest(name, values) for name, values in panes.items())}


def _digest(name: str, values: object) -> str:
    return sha256(f"{name} {values!r}".encode()).hexdigest()[:10]
