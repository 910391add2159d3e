"""Verifies in two ways: by what the planner would write, and by a comparison without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from itopsync.cli import show
from itopsync.cli.session import open_pair, own, servers
from itopsync.cli.text import as_json
from itopsync.config import Configuration
from itopsync.engine.observe import logs_of
from itopsync.engine.store_guard import classes_of_copies
from itopsync.errors import Stopped
from itopsync.model import UNSAVED, Link, LinkStatus, Observation, Side, Sighting
from itopsync.reconcile.entries import read
from itopsync.reconcile.plan import Kept, Plan
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import FieldRule, LogRule, Rules
from itopsync.verify.comparing import Comparison
from itopsync.verify.findings import Findings
from itopsync.verify.strays import Stray, find_strays

if TYPE_CHECKING:
    from itopsync.engine.inspect import Inspector
    from itopsync.engine.pair import Pair
    from itopsync.engine.plan import Planned
    from itopsync.store.store import Store

_AT_ONCE = 100
"""How many links are read with one query for each class and side."""
_NAMED = 20
"""How many tickets that do not agree are named."""
_ON_PURPOSE = frozenset({Kept.INTERNAL_EDIT, Kept.LEFT_OUT})
"""Intended differences that only the store knows about."""


@dataclass(frozen=True)
class Verified:
    """One link, verified in both ways."""

    plan: Plan
    seen: Observation
    findings: Findings | None
    """What the comparison found; None if the two tickets are not, or no longer, linked."""

    @property
    def agrees(self) -> bool:
        """Whether there is nothing to write, and nothing differs."""
        return show.agrees(self.plan) and not (self.findings and self.findings.differences)


def verify(inspector: Inspector, *, deep: bool = False) -> Iterator[Verified]:
    """Verify every linked pair of tickets in both ways. Writes nothing anywhere.

    :raises SideUnavailable: a server cannot be asked
    :raises StoreError: the store is not this pair's own
    """
    batch: list[Planned] = []
    for planned in inspector.verify():
        batch.append(planned)
        if len(batch) == _AT_ONCE:
            yield from _compared(inspector.pair, batch, deep=deep)
            batch = []
    yield from _compared(inspector.pair, batch, deep=deep)


def strays(pair: Pair) -> list[Stray]:
    """The stray copies in internal, once *pair* knows its accounts, as after :func:`verify`.

    :raises SideUnavailable: internal cannot be asked
    """
    places: dict[str, tuple[str, ...]] = {}
    for cls in pair.rules.classes:
        for name in classes_of_copies(pair.store, cls):
            places[name] = tuple(dict.fromkeys((*places.get(name, ()), *logs_of(pair, name, cls))))

    def unknown(seen: Sequence[Sighting]) -> Sequence[Sighting]:
        return pair.store.polls.compare(Side.INTERNAL, seen, ignored=False).unknown

    return list(find_strays(pair.servers[Side.INTERNAL], pair.rules, places, unknown, pair.store.links.of))


def _compared(pair: Pair, batch: list[Planned], *, deep: bool) -> Iterator[Verified]:
    def reload(ids: Sequence[int]) -> list[Link]:
        return [link for link in pair.store.links.get(ids) if link.status is LinkStatus.LINKED]

    def names(link: Link, seen: Observation, side: Side, log: LogRule) -> dict[int, str]:
        ticket = seen.of(side)
        places = {id(entry): place for place, entry in enumerate(ticket.logs.get(log.of(side), ()) if ticket else (), 1)}
        return {places[id(person.entry)]: person.marker for person in read(link, seen, side, log, pair.rules).people}

    plans = [planned.plan for planned in batch]
    links = reload([plan.link.id for plan in plans if plan.link.status is LinkStatus.LINKED])
    kept = {plan.link.id: {remark.key for remark in plan.remarks if remark.kept in _ON_PURPOSE} for plan in plans}

    def fingerprint(rule: FieldRule, value: str) -> str:
        return value_fingerprint(value, is_html=rule.is_html)

    found = Comparison(pair.servers, pair.rules, reload, names, fingerprint, deep=deep).compare(links, kept)
    yield from (Verified(planned.plan, planned.seen, found.get(planned.plan.link.id)) for planned in batch)


def found(configuration: Configuration, store: Store, stopping: Callable[[], bool], deep: bool) -> str:
    """Verify with separate servers and threads, as the daemon does beside its cycles; return a summary without any ticket's text.

    :raises Stopped: *stopping* returned true
    :raises ItopsyncError: as from :func:`verify`
    """
    from itopsync.engine.inspect import Inspector

    def guard(_writes: bool) -> None:
        if stopping():
            raise Stopped

    with (
        servers(configuration, guard) as both,
        open_pair(configuration, both, own(configuration, store), stopping=stopping) as pair,
    ):
        seen = [(verified.agrees, verified.plan.link) for verified in verify(Inspector(pair), deep=deep)]
        copies = [stray.number for stray in strays(pair)]
    unlike = [link.external_number or str(link.external) for agrees, link in seen if not agrees]
    names = f"; these do not: {_some(unlike)}" if unlike else ""
    more = f" Copies in internal to which no link leads: {_some(copies)}. `itopsync verify` says more." if copies else ""
    return f"{len(seen) - len(unlike)} of {len(seen)} linked tickets agree{names}.{more}"


def _some(numbers: Sequence[str]) -> str:
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"{', '.join(numbers[:_NAMED])}{more}"


def tell_strays(console: Console, rules: Rules, copies: Sequence[Stray]) -> None:
    """Show which copies no link leads to."""
    for stray in copies:
        where = f"{stray.number} ({stray.internal}, {rules.internal.page_of(stray.internal)})"
        console.print(Text(f"{where} {stray.what}", style="red"))


def tell(console: Console, notable: list[Verified], total: int, *, parked: int, at_rest: Sequence[str], troubled: int) -> None:
    """Show which linked tickets do not agree, in either way, and what differs on purpose.

    *total*: how many are linked. *at_rest*: which links rest, and why.
    """
    for verified in notable:
        plan, found = verified.plan, verified.findings
        name = show.title(plan, verified.seen)
        for action in plan.actions:
            console.print(Text(f"{name}: differs: {show.describe(action)}", style="red"))
        if not verified.agrees and not plan.actions and not (found and found.differences):
            console.print(
                Text(f"{name}: differs: {_no_pair(plan)}. `itopsync plan` says what a cycle does about it", style="red")
            )
        if found and found.differences:
            what = "; ".join(difference.what for difference in found.differences)
            blind = ". Nothing is planned for it" if show.agrees(plan) else ""
            console.print(Text(f"{name}: compared: {what}{blind}. See `itopsync show {plan.link.external}`", style="red"))
        show.remarks(console, plan, verified.seen)
    unlike = sum(not verified.agrees for verified in notable)
    for rest in at_rest:
        console.print(Text(rest, style="yellow"))
    rests = "is parked" if parked else "is at rest" if at_rest else ""
    none = f"Nothing was compared: every link {rests}" if rests else "No ticket is linked"
    compared = f"{total - unlike} of {total} linked tickets agree" if total else none
    console.print(f"{compared}. Nothing was written.")
    show.trouble(console, troubled)


def _no_pair(plan: Plan) -> str:
    """Why there are no two tickets to compare."""
    if plan.emptied:
        return "the copy's log tells no more whose copy it is"
    if plan.unread:
        return "one of the two tickets cannot be read"
    if plan.replaced:
        return "one of the two ids is another ticket than before"
    return "one of the two tickets is gone, or our account does not see it any more"


def told_as_json(notable: list[Verified], copies: Sequence[Stray]) -> str:
    """The same as JSON."""
    linked = [{**show.plan_as_json(verified.plan), **_findings_as_json(verified.findings)} for verified in notable]
    return as_json([*linked, *map(_stray_as_json, copies)])


def _stray_as_json(stray: Stray) -> dict[str, object]:
    """A copy to which no link leads, in the shape of a link."""
    findings = Findings(Link(UNSAVED, stray.external, stray.internal, LinkStatus.TOMBSTONE, "", stray.number))
    findings.differs("copy", f"{stray.number} {stray.what}")
    return {**show.plan_as_json(Plan(findings.link)), "status": None, **_findings_as_json(findings)}


def _findings_as_json(findings: Findings | None) -> dict[str, object]:
    if findings is None:
        return {"differences": [], "excused": [], "compared": {}}
    return {
        "differences": [{"item": difference.item, "what": difference.what} for difference in findings.differences],
        "excused": [{"item": difference.item, "why": difference.what} for difference in findings.excused],
        "compared": dict(findings.counts),
    }
