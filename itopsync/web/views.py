"""What each page shows: read from the store, with a bounded number of queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from itopsync import status as status_of
from itopsync.engine.pauses import pauses
from itopsync.errors import StoreError, clip
from itopsync.model import Link, Side
from itopsync.status import Freshness, Status
from itopsync.store.records import ActivityRecord, RequestKind, RequestRecord, WriteOutcome
from itopsync.store.store import Store
from itopsync.web import ticket
from itopsync.web.causes import causes
from itopsync.web.figures import Arrivals, Strip, arrivals, runs, strip
from itopsync.web.pages import Pages
from itopsync.web.pairs import Watched

ROWS = 50
"""Rows per page of the activity."""
CYCLES = 400
"""How many cycles are examined; consecutive idle ones are shown as one."""
FEW = 5
"""Tickets shown per cause."""
TROUBLED = 500
"""How many links in trouble are grouped by cause; others appear once these are resolved."""
_WAITING = "TROUBLED"
"""Shown instead of ``OK`` if something is parked or waits."""
_WORST_FIRST = (status_of.STOPPED, status_of.STALE, status_of.PAUSED, _WAITING, status_of.OK)
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "": None}


@dataclass(frozen=True)
class Card:
    """A pair on the overview."""

    pair: Watched
    broken: str = ""
    """Why its store cannot be read; nothing else is known then."""
    status: Status | None = None
    judged: Freshness | None = None
    strip: Strip | None = None
    arrivals: Arrivals | None = None
    due: int = 0

    @property
    def word(self) -> str:
        """Its status in a word; empty if its store cannot be read."""
        if self.judged is None:
            return ""
        return _WAITING if self.judged.word == status_of.OK and self.judged.reasons else self.judged.word

    @property
    def rank(self) -> int:
        """The lower, the sooner somebody should look."""
        return _WORST_FIRST.index(self.word) if self.word else -1


@dataclass(frozen=True)
class Views:
    """The pages that only show."""

    pages: Pages
    pairs: Mapping[str, Watched]
    clock: Callable[[], datetime]

    def overview(self, request: Request) -> Response:
        """All pairs, those that need attention first."""
        cards = sorted((self._card(pair) for pair in self.pairs.values()), key=lambda card: card.rank)
        if len(cards) == 1:
            return self._one(request, cards[0])
        return self.pages.show(request, "overview.html", {"cards": cards})

    def pair(self, request: Request) -> Response:
        """One pair, and what can be done with it as a whole."""
        return self._one(request, self._card(self.watched(request)))

    def _one(self, request: Request, card: Card) -> Response:
        asked = {} if card.broken else self.asked(request, card.pair.store())
        return self.pages.show(request, "overview.html", {"cards": [card], "pair": card.pair, **asked})

    def _card(self, pair: Watched) -> Card:
        now = self.clock()
        try:
            store = pair.store()
            status = status_of.status(store, pair.name, now, troubles=0, cycles=1)
            due = store.links.due_counts(now)
            judged = status_of.freshness(status, pair.most_lag)
            return Card(pair, "", status, judged, strip(store, now), arrivals(store, now), due.total)
        except StoreError as error:
            return Card(pair, str(error))

    def attention(self, request: Request) -> Response:
        """What is waiting for a person, by cause."""
        pair, now = self.watched(request), self.clock()
        store = pair.store()
        status = status_of.status(store, pair.name, now, troubles=0, cycles=1)
        needed, waiting = causes(store.links.troubled(TROUBLED))
        values = {"status": status, "needed": needed, "waiting": waiting, "rows": ROWS, "few": FEW}
        return self.pages.show(
            request, "attention.html", {**values, "pair": pair, **self.asked(request, store), "most": TROUBLED}
        )

    def find(self, request: Request) -> Response:
        """Redirect to the ticket with a number, in any pair and on either side; if there are several, let the reader choose."""
        typed = _typed(request.path_params.get("ref") or request.query_params.get("q", ""))
        found = [(pair, link) for pair in self.pairs.values() for link in _links(pair, typed)]
        if len(found) == 1:
            (pair, link) = found[0]
            return RedirectResponse(f"/p/{pair.name}/t/{link.id}", 303)
        return self.pages.show(request, "found.html", {"found": found, "typed": typed}, 200 if found else 404)

    def ticket(self, request: Request) -> Response:
        """Everything that the store knows about one link."""
        pair, now = self.watched(request), self.clock()
        store = pair.store()
        (link,) = store.links.get([number_of(request.path_params["link"])]) or (None,)
        if link is None:
            raise HTTPException(404)
        writes = store.activity.latest(ticket.MANY, link=link.id)
        kept = link.external.cls in pair.rules.kept
        values = {
            "link": link,
            "items": ticket.items(link, writes),
            "to_come": ticket.to_come(link, kept=kept, paused=bool(pauses(store, now)), now=now),
            "writes": writes[:ROWS],
            "requests": store.requests.latest(ROWS, link=link.id),
            "sides": tuple(Side),
        }
        return self.pages.show(request, "ticket.html", {**values, "pair": pair, **self.asked(request, store)})

    def activity(self, request: Request) -> Response:
        """Writes and requests, newest first."""
        pair, asks = self.watched(request), request.query_params
        store = pair.store()
        typed = _typed(asks.get("q", ""))
        since = SPANS.get(asks.get("since", ""))
        links = store.links.find(typed) if typed else ()
        link = links[0].id if links else None
        begin, place = self.clock() - since if since else None, _place(asks.get("before", ""))
        records: tuple[ActivityRecord, ...] | tuple[RequestRecord, ...] = ()
        if links or not typed:
            kept = store.requests if asks.get("show") == "requests" else store.activity
            records = kept.latest(ROWS + 1, link=link, since=begin, before=place)
        shown, more = records[:ROWS], records[ROWS:]
        known = {each.id: each for each in store.links.get(record.link for record in shown if record.link is not None)}
        older = {"before": f"{shown[-1].at.isoformat()}~{shown[-1].id}"} if more else None
        filters = {name: value for name, value in asks.items() if name in ("q", "since", "show") and value}
        values = {
            "records": shown,
            "links": known,
            "older": urlencode(filters | older) if older else "",
            "filters": filters,
            "spans": list(SPANS),
            "several": links if len(links) > 1 else (),
            "done": WriteOutcome.DONE,
        }
        return self.pages.show(request, "activity.html", {**values, "pair": pair})

    def cycles(self, request: Request) -> Response:
        """The latest cycles."""
        pair, now = self.watched(request), self.clock()
        store = pair.store()
        values = {"runs": runs(store.history.cycles(CYCLES)), "strip": strip(store, now)}
        return self.pages.show(request, "cycles.html", {**values, "pair": pair})

    def verify(self, request: Request) -> Response:
        """What the latest verifications found."""
        pair = self.watched(request)
        store = pair.store()
        results = store.requests.latest(10, kind=RequestKind.VERIFY)
        return self.pages.show(request, "verify.html", {"results": results, "pair": pair, **self.asked(request, store)})

    def request(self, request: Request) -> Response:
        """The progress of a request, which a page polls until it is done."""
        pair = self.watched(request)
        store = pair.store()
        found = store.requests.get(number_of(request.path_params["number"]))
        if found is None:
            raise HTTPException(404)
        shown = self.pages.show(request, "asked.html", {"pair": pair, **self._told(store, found)})
        if found.finished_at is not None:  # the rest of the page has changed with it
            shown.headers["HX-Refresh"] = "true"
        return shown

    def watched(self, request: Request) -> Watched:
        """The pair that an address names."""
        pair = self.pairs.get(request.path_params["pair"])
        if pair is None:
            raise HTTPException(404)
        return pair

    def asked(self, request: Request, store: Store) -> dict[str, object]:
        """The request whose progress this page shows, if any."""
        number = request.query_params.get("asked")
        return {} if number is None else self._told(store, store.requests.get(number_of(number)))

    def _told(self, store: Store, asked: RequestRecord | None) -> dict[str, object]:
        """A request, and whether a process is running that can carry it out."""
        held = store.lease.current()
        return {"asked": asked, "at_work": held is not None and held.until > self.clock()}


def number_of(text: str) -> int:
    """The id in an address or a form; if it is not one, -1, which nothing has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _TOO_LONG else -1


_TOO_LONG = 18
"""A number with this many digits may overflow a database's integer."""


def _typed(text: str) -> str:
    """What somebody typed for a ticket, without unprintable characters."""
    return clip(text, 100).strip()


def _links(pair: Watched, typed: str) -> tuple[Link, ...]:
    try:
        return pair.store().links.find(typed) if typed else ()
    except StoreError:  # the others can still be looked at
        return ()


def _place(text: str) -> tuple[datetime, int] | None:
    """Where a page of the activity begins: after the record with this time and id."""
    at, _, number = text.partition("~")
    try:
        place = datetime.fromisoformat(at), int(number)
    except ValueError:
        return None
    return place if place[0].tzinfo is not None and 0 <= place[1] < 10**_TOO_LONG else None
