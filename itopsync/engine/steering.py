"""Carries out people's requests in the store, in one transaction with the record of the result.

======== ========================================== ====================================================================
kind     concerns                                   arguments
======== ========================================== ====================================================================
pause    both sides, or one                         ``side``; ``until``: ISO 8601 with an offset
unpause  both sides, or one                         ``side``
accept   the stop with the request's fingerprint    ``kind``
sync     a link
retry    a link, or all that is in trouble
park     a link
resume   a link
link     pairs of tickets                           ``pairs``: ``UserRequest:17=UserRequest:42 …``; ``history``: ``yes``, and
                                                    with it ``copied_by``: ``external:12 …``; ``within``: seconds
unlink   a link                                     ``notice``: ``no``
sweep    the process that runs cycles
verify   the process that runs cycles               ``deep``: ``yes``
======== ========================================== ====================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from itopsync.engine import linking, stops
from itopsync.engine.pauses import Pause, pause, pauses, unpause
from itopsync.errors import ItopsyncError, RemoteError, TicketFault
from itopsync.model import WORKED_ON, Link, LinkStatus, Ref, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.by_hand import Joined
from itopsync.reconcile.identity import is_parked_as_another
from itopsync.reconcile.rules import Rules, not_kept
from itopsync.store.records import RequestKind, RequestRecord, RequestState
from itopsync.store.store import Store

if TYPE_CHECKING:
    from itopsync.engine.inspect import Inspector

ALL = 100_000
"""How many links in trouble one request can have tried again."""
NAMED = 20
"""How many links one answer names."""
BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)
"""A link due since then comes before all others."""


class Refusal(Exception):
    """A request is refused; the message says why, and what to do."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request."""

    state: RequestState
    result: str


class Steering:
    """Carries out requests, one at a time."""

    def __init__(self, store: Store, rules: Rules, clock: Callable[[], datetime], inspector: Inspector | None = None) -> None:
        """*inspector* looks at both servers; without it, tickets cannot be linked."""
        self._store, self._rules, self._clock, self._inspector = store, rules, clock, inspector

    def carry_out(self, request: RequestRecord) -> Outcome:
        """Carry out a request that was taken, and record the outcome.

        :raises KeyError: the request has been given up as lost, and nothing was done
        :raises StoreError: the store does not answer, and nothing was done
        """
        try:
            work = self._work_of(request)
            with self._store.transaction():
                return self.finish(request, RequestState.DONE, work())
        except (Refusal, RemoteError, TicketFault, linking.CannotLink) as refusal:
            return self.finish(request, RequestState.REFUSED, str(refusal))
        except ValueError:
            return self.finish(request, RequestState.REFUSED, f"this is no {request.kind} that can be understood")

    def look_at(self, request: RequestRecord, cycle: Callable[[int], Outcome]) -> Outcome:
        """Carry out a ``sync`` at once: *cycle* works on the link with a given id.

        :raises KeyError: as from :meth:`carry_out`
        :raises StoreError: as from :meth:`carry_out`
        """
        try:
            with self._store.transaction():
                self._sync(request, self._clock())
        except Refusal as refusal:
            return self.finish(request, RequestState.REFUSED, str(refusal))
        link = self._known(request)
        outcome = cycle(link.id)
        return self.finish(request, outcome.state, f"{_name(link)}: {outcome.result}")

    def finish(self, request: RequestRecord, state: RequestState, result: str) -> Outcome:
        """Record the outcome of a request.

        :raises KeyError: as from :meth:`carry_out`
        """
        self._store.requests.finish(request.id, state, result, self._clock())
        return Outcome(state, result)

    def _work_of(self, request: RequestRecord) -> Callable[[], str]:
        """Return what to do in the transaction. Anything that must first be asked of the servers is asked now."""
        if request.kind is RequestKind.LINK:
            return self._link(request)
        works: dict[RequestKind, Callable[[RequestRecord, datetime], str]] = {
            RequestKind.PAUSE: self._pause,
            RequestKind.UNPAUSE: self._unpause,
            RequestKind.ACCEPT: self._accept,
            RequestKind.SYNC: self._sync,
            RequestKind.RETRY: self._retry,
            RequestKind.PARK: self._park,
            RequestKind.RESUME: self._resume,
            RequestKind.UNLINK: self._unlink,
        }
        work = works.get(request.kind)
        if work is None:
            raise Refusal(f"a {request.kind} is for the process that runs cycles.")
        return lambda: work(request, self._clock())

    # pauses and stops

    def _pause(self, request: RequestRecord, now: datetime) -> str:
        named = request.arguments.get("until")
        until = datetime.fromisoformat(named).astimezone(UTC) if named else None
        if until is not None and until <= request.at:
            raise Refusal(f"{until:%Y-%m-%d %H:%M} UTC is past: name a time to come.")
        made = Pause(_sides(request), request.actor, request.reason, request.at, until)
        pause(self._store, made)
        if until is not None and until <= now:
            return f"the pause ended at {until:%Y-%m-%d %H:%M} UTC, before anyone carried this request out."
        return f"{made}."

    def _unpause(self, request: RequestRecord, now: datetime) -> str:
        paused = {side for known in pauses(self._store, now) for side in known.sides}
        sides = [side for side in _sides(request) if side in paused]
        if not sides:
            return f"{' and '.join(_sides(request))}: not paused, nothing to do."
        unpause(self._store, sides)
        return f"{' and '.join(sides)}: worked with again."

    def _accept(self, request: RequestRecord, _now: datetime) -> str:
        stop, kind = stops.current(self._store), request.arguments.get("kind", "")
        if stop is None:
            raise Refusal("nothing stops the cycles: there is nothing to accept.")
        if stop.kind != kind:
            raise Refusal(f"it is {stop.kind} that stops the cycles, not {kind}: look at `itopsync status`.")
        if stop.fingerprint != request.fingerprint:
            raise Refusal(f"the plan is another one by now: {stop.reason}")
        stops.accept(self._store, stop)
        return f"accepted, and nothing on top of it: {len(stop.things) or 'all'} {kind}. The next cycle carries that out."

    # links

    def _known(self, request: RequestRecord) -> Link:
        found = self._store.links.get([request.link] if request.link is not None else [])
        if not found:
            raise Refusal(f"link {request.link} is not known." if request.link else f"{request.kind} is for one link: name it.")
        return found[0]

    def _sync(self, request: RequestRecord, now: datetime) -> str:
        link = self._known(request)
        name = _name(link)
        if link.external.cls not in self._rules.kept:
            raise Refusal(f"{name} rests: {not_kept(link.external.cls)}.")
        if link.status not in WORKED_ON:
            raise Refusal(f"{name} is {link.status}: it is not looked at.{_how_to_resume(link)}")
        if link.in_doubt:
            raise Refusal(f"{name}: a write on it may still land: try again in some minutes.")
        self._store.links.mark_due([link.id], BEFORE_ALL, now=now)
        return f"{name} is looked at by the next cycle, before all others."

    def _retry(self, request: RequestRecord, now: datetime) -> str:
        alone = request.link is not None
        return self._amend(request, lambda link: by_hand.retried(link, now, alone=alone), "is tried again by the next cycle")

    def _park(self, request: RequestRecord, _now: datetime) -> str:
        return self._amend(request, lambda link: by_hand.parked(link, request.actor, request.reason), "rests")

    def _resume(self, request: RequestRecord, now: datetime) -> str:
        link = self._known(request)
        done = "is taken up again by the next cycle"
        if is_parked_as_another(link):
            if by_hand.resumed(link, now) == link:
                raise Refusal(f"{_name(link)} cannot be taken up again.{_how_to_resume(link)}")
            done = "is looked at again by the next cycle, and parked again if one of the two is still another ticket"
        return self._amend(request, lambda link: by_hand.resumed(link, now), done)

    def _amend(self, request: RequestRecord, change: Callable[[Link], Link], done: str) -> str:
        everything = request.link is None and request.kind is RequestKind.RETRY
        links = self._store.links.troubled(ALL) if everything else (self._known(request),)
        told: list[str] = []
        busy: list[str] = []
        for link in links:
            changed = self._store.links.amend(link.id, change, self._clock())
            if changed is None:
                busy.append(f"{_name(link)} is being written on just now: try again in a moment.")
            elif changed == link:
                told.append(f"{_name(link)} is {link.status}: nothing to do.{_how_to_resume(link)}")
            else:
                told.append(f"{_name(link)} {done if link.external.cls in self._rules.kept else _rests(link)}.")
        if busy and not told:
            raise Refusal(_list(busy))
        return _list(busy + told) or "Nothing is in trouble: nothing to do."

    def _unlink(self, request: RequestRecord, now: datetime) -> str:
        link, notice = self._known(request), request.arguments.get("notice") != "no"
        name = _name(link)
        if link.status is LinkStatus.TOMBSTONE or (link.status is LinkStatus.UNLINKING and notice):
            return f"{name} is {link.status}: nothing to do."
        ended = self._store.links.amend(link.id, lambda known: by_hand.unlinked(known, now, notice=notice), now)
        if ended is None or (ended.status is not LinkStatus.TOMBSTONE and by_hand.must_wait(ended, now, notice=notice)):
            raise Refusal(f"{name}: a write on it is under way or may still land: try again in some minutes.")
        marked = f"on {ended.internal_number}, if its log bears our mark still"
        noted = f" The next cycle notes that {marked}." if ended.status is LinkStatus.UNLINKING else ""
        if noted and ended.external.cls not in self._rules.kept:
            noted = f" That is not noted on {ended.internal_number} while its class is not kept in step."
        return f"{name}: nothing is carried any more, in either direction.{noted}"

    def _link(self, request: RequestRecord) -> Callable[[], str]:
        if self._inspector is None:
            raise Refusal("both servers must be asked for that: it is for the process that runs cycles.")
        inspector = self._inspector
        pairs = linking.pairs_of(request.arguments.get("pairs", ""))
        told = linking.compare_all(inspector, pairs, history=linking.history_of(request.arguments))
        if len(told) == 1 and not isinstance(told[0], Joined):
            raise told[0]
        return lambda: _joined(inspector, pairs, told)


def _joined(
    inspector: Inspector, pairs: Sequence[tuple[Ref, Ref]], told: Sequence[Joined | linking.CannotLink | ItopsyncError]
) -> str:
    """Make the links, and return the answer. A link that cannot be made does not hold up the others; a single one raises."""
    made: list[Link] = []
    refused: list[str] = []
    for (external, internal), each in zip(pairs, told, strict=True):
        try:
            if not isinstance(each, Joined):
                raise each
            made.append(linking.join(inspector.pair, each))
        except (RemoteError, TicketFault, linking.CannotLink) as why:
            if len(pairs) == 1:
                raise
            refused.append(f"{external} and {internal} are not linked: {why}")
    if len(pairs) == 1:
        return f"link {made[0].id}: the next cycle marks it on {made[0].internal_number}, and carries what comes from now on."
    done = f"{len(made)} links: the next cycle marks them in internal, and carries what comes from now on."
    return "\n".join([done, *refused])


def _sides(request: RequestRecord) -> tuple[Side, ...]:
    named = request.arguments.get("side")
    return (Side(named),) if named else tuple(Side)


def _name(link: Link) -> str:
    return f"link {link.id}, {link.external_number} ({link.external})"


def _how_to_resume(link: Link) -> str:
    if is_parked_as_another(link):
        return "".join(f" What stands in the way: {obstacle.reason}." for obstacle in link.obstacles)
    return f" `itopsync resume {link.id}` takes it up again." if link.status is LinkStatus.PARKED else ""


def _rests(link: Link) -> str:
    return f"is noted, and rests: {not_kept(link.external.cls)}"


def _list(told: list[str]) -> str:
    more = [f"And {len(told) - NAMED} more."] if len(told) > NAMED else []
    return "\n".join([*told[:NAMED], *more])
