"""Stage 1: find what changed on each side since the cursor: tickets by their last update, attachments by their id."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from itopsync.engine.deletions import Searched, search, where_searched
from itopsync.engine.pair import Pair
from itopsync.engine.reused import Reused, find_reused, take_up
from itopsync.engine.scope import all_in_scope, in_scope_among
from itopsync.engine.store_guard import classes_of_copies
from itopsync.itop.piecewise import NO_ID
from itopsync.itop.server import Server
from itopsync.model import Attachment, LinkStatus, Ref, Side, Sighting
from itopsync.reconcile.markers import born_together, prefix
from itopsync.reconcile.rules import Rules
from itopsync.store.records import CycleKind, SideState
from itopsync.store.store import Store

log = structlog.get_logger(__name__)

FARTHEST = timedelta(days=400)
"""A server's clock further than this from ours is wrong: a cursor set by it would make later polls fail or see nothing."""
_LISTED = 2_000
"""How many attachments may be listed to find the highest id among them."""


@dataclass(frozen=True)
class Findings:
    """What one poll of one side found; none of it is stored yet."""

    state: SideState
    """The side's state with the cursor moved, to be stored with all the rest or not at all."""
    changed: Mapping[int, str]
    """Link → its ticket's new version."""
    also_due: frozenset[int]
    """Other links to look at: with an unknown attachment, or with a ticket that the server fails to show to a poll."""
    deletions: Searched
    """The links that lost attachments, and how far the search has got."""
    new: tuple[Sighting, ...]
    """External tickets in scope that are not linked; recently changed ones come first."""
    ignored: tuple[Sighting, ...]
    """Tickets that are out of scope at this version."""
    renumbered: frozenset[str]
    """Known tickets whose number has changed."""
    reused: Reused
    """Tickets seen under the ids of ended links: the same ones, back again, or others."""
    account_asked: bool
    """Whether the side was asked for our account."""
    away_since: datetime | None
    """Since when the side had been unavailable until this poll; None if it was available."""


def poll(pair: Pair, side: Side, *, kind: CycleKind, now: datetime) -> Findings:
    """Ask one side what changed, with all independent calls at once; write nothing.

    The cursor becomes the server's own time (HTTP ``Date``) of its earliest answer, so neither a slow answer nor a wrong clock
    loses anything. A sweep also asks for our account, and so does a poll if that is unknown or the side was unavailable. Sweeps
    search for deleted attachments themselves, everywhere.

    :raises RemoteError: the side cannot be asked
    """
    server, store, rules, pool = pair.servers[side], pair.store, pair.rules, pair.threads.readers
    state = _with_believable_cursor(store.polls.side(side), now)
    classes = sorted(_classes(side, store, rules))
    account_asked = kind is CycleKind.SWEEP or state.account is None or state.problem_since is not None
    account = pool.submit(pair.ask_account, side) if account_asked else None
    asked = pool.submit(server.changed_tickets, classes, (state.cursor or now) - pair.settings.overlap)
    attachments = pool.submit(_new_attachments, pair, state, now)
    deletions = pool.submit(_search_deletions, pair, side, kind)
    first = side is Side.EXTERNAL and state.cursor is None
    scoping = [pool.submit(all_in_scope, server, rules, cls) for cls in rules.classes if first]
    changed = asked.result()
    if NO_ID in changed.odd:
        log.warning("unusable id", side=side)
    touched = {sighting.ref: sighting for sighting in changed.sightings}
    scoped = {sighting.ref: sighting for found in scoping for sighting in found.result()}
    compared = store.polls.compare(side, tuple((touched | scoped).values()))
    reused = find_reused(server, store, rules, compared.ended)
    unknown = (*compared.unknown, *reused.forgotten.values())
    new, ignored = _sorted_out(server, rules, unknown, scoped, touched) if side is Side.EXTERNAL else ((), ())
    found = attachments.result()
    return Findings(
        state=_moved(state if account is None else account.result(), found, _next_cursor(side, changed.at, state, now), now),
        changed=compared.changed,
        also_due=links_attached(side, store, rules, found.found) | _links_hidden(side, store, classes, changed.odd),
        deletions=deletions.result(),
        new=new,
        ignored=ignored,
        renumbered=frozenset(map(str, compared.renumbered)),
        reused=reused,
        account_asked=account_asked,
        away_since=None if state.problem is None else state.problem_since,
    )


def store_findings(pair: Pair, findings: Findings, now: datetime) -> tuple[int, ...]:
    """Store what a poll found, in one transaction with the cursor; return the new links."""
    store, deletions, state = pair.store, findings.deletions, findings.state
    due = {*findings.changed, *findings.also_due, *deletions.links}
    versions = {**findings.changed, **findings.reused.versions}
    with store.transaction():
        take_up(store, findings.reused, now)
        new = store.polls.record(state, versions=versions, due=due, new=findings.new, ignored=findings.ignored, now=now)
        if (deletions.last or 0) != deletions.after:
            store.facts.put(where_searched(state.side), None if deletions.last is None else str(deletions.last))
    return new


def _sorted_out(
    server: Server, rules: Rules, unknown: Sequence[Sighting], scoped: Collection[Ref], touched: Collection[Ref]
) -> tuple[tuple[Sighting, ...], tuple[Sighting, ...]]:
    """Divide the *unknown* external tickets into those in scope and the others. *scoped*: tickets known to be in scope.

    Recently changed tickets come first: links are created in this order, and processed in it if due at the same time.
    """
    among = in_scope_among(server, rules, [sighting for sighting in unknown if sighting.ref not in scoped])
    new = (*among, *sorted((each for each in unknown if each.ref in scoped), key=lambda each: each.ref not in touched))
    taken = {sighting.ref for sighting in new}
    return new, tuple(sighting for sighting in unknown if sighting.ref not in taken)


def _classes(side: Side, store: Store, rules: Rules) -> Collection[str]:
    return {cls.external for cls in rules.classes} if side is Side.EXTERNAL else classes_of_copies(store, *rules.classes)


def _next_cursor(side: Side, at: datetime, state: SideState, now: datetime) -> datetime:
    """The new cursor: the time *at* by the server's clock, unless that is absurd."""
    if abs(at - now) <= FARTHEST:
        return at
    log.warning("absurd clock", side=side, date=f"{at:%Y-%m-%d %H:%M}")
    return state.cursor or now - FARTHEST


def _with_believable_cursor(state: SideState, now: datetime) -> SideState:
    """*state*, without its cursor if that is absurd, as if the side had never been polled."""
    return state if state.cursor is None or abs(state.cursor - now) <= FARTHEST else replace(state, cursor=None)


def _search_deletions(pair: Pair, side: Side, kind: CycleKind) -> Searched:
    after = int(pair.store.facts.get(where_searched(side)) or 0)
    if kind is CycleKind.SWEEP:
        return Searched(after=after, last=after or None)
    return search(side, pair.servers[side], pair.store, pair.rules, live=True, after=after)


def _links_hidden(side: Side, store: Store, classes: Iterable[str], odd: Iterable[int]) -> frozenset[int]:
    """The links of tickets that may have changed but that the poll could not read; they are looked at one by one."""
    links = (store.links.of(Ref(side, name, number)) for number in odd for name in classes)
    return frozenset(link.id for link in links if link is not None and link.status in (LinkStatus.WAITING, LinkStatus.LINKED))


@dataclass(frozen=True)
class _Attachments:
    low: tuple[datetime, int] | None
    """The high-water mark above which attachments were looked for; None on the first poll."""
    found: tuple[Attachment, ...]
    highest: int


def _new_attachments(pair: Pair, state: SideState, now: datetime) -> _Attachments:
    """The attachments that are new, were drafts, or appeared late: a large upload gets its id before smaller, later ones."""
    server = pair.servers[state.side]
    if not state.high_water_marks:
        return _Attachments(None, (), _highest_attachment(server))
    old = [mark for mark in state.high_water_marks if mark[0] <= (state.cursor or now) - pair.settings.lookback]
    low = old[-1] if old else state.high_water_marks[0]
    found = server.attachments_above(low[1], state.drafts)
    return _Attachments(low, found, max((attachment.id for attachment in found), default=0))


def _moved(state: SideState, attachments: _Attachments, at: datetime, now: datetime) -> SideState:
    """The side's state after a poll at *at* by the server's clock."""
    marks, low = state.high_water_marks, attachments.low
    if low is None:
        marks = ((at, attachments.highest),)
    else:
        highest = marks[-1][1]
        marks = (low, *(mark for mark in marks if mark[0] > low[0]))
        if attachments.highest > highest:
            marks = (*marks, (at, attachments.highest))
    drafts = frozenset(attachment.id for attachment in attachments.found if not attachment.item_id)
    if low is None:
        drafts = state.drafts
    return replace(
        state,
        cursor=at,
        high_water_marks=marks,
        drafts=drafts,
        ok_at=now,
        problem=None,
    )


def _highest_attachment(server: Server) -> int:
    """The highest attachment id.

    iTop's REST service can neither sort nor aggregate. But if *n* attachments have ids above *low*, the highest id is at least
    *low* + *n*.
    """
    low = 0
    while (above := server.count_attachments(f"id > {low}")) > _LISTED:
        low += above
    return max((attachment.id for attachment in server.attachments_above(low)), default=low) if above else low


def links_attached(side: Side, store: Store, rules: Rules, attachments: Iterable[Attachment]) -> frozenset[int]:
    """The links whose tickets have attachments that are neither ours nor known.

    A file under a known id that was created at another time is unknown too.
    """
    ours = prefix(rules.pair)
    foreign = [each for each in attachments if each.item_id and not each.temp_id.startswith(ours)]
    known = store.attachments.originals(side, [each.id for each in foreign])
    tickets: set[Ref] = set()
    for each in foreign:
        ticket = Ref(side, each.cls, each.item_id)
        born = known.get((each.id, ticket))
        if born is None or not born_together(born, each.born):
            tickets.add(ticket)
    links = (store.links.of(ref) for ref in sorted(tickets))
    return frozenset(link.id for link in links if link is not None and link.status is LinkStatus.LINKED)
