"""Both ways of verifying together: what the planner would write, and what a comparison without it finds."""

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
from itopsync.errors import Stopped
from itopsync.model import Link, LinkStatus, Observation
from itopsync.reconcile.plan import Kept, Plan
from itopsync.verify.comparing import Comparison
from itopsync.verify.findings import Findings

if TYPE_CHECKING:
    from itopsync.engine.inspect import Inspector
    from itopsync.engine.pair import Pair
    from itopsync.engine.plan import Planned
    from itopsync.store.store import Store

_AT_ONCE = 100
"""Links that are read with one query for each class and side."""
_NAMED = 20
"""So many tickets that do not agree are named."""
_ON_PURPOSE = frozenset({Kept.INTERNAL_EDIT, Kept.LEFT_OUT})
"""What differs on purpose by what the store knows, and no server tells."""


@dataclass(frozen=True)
class Verified:
    """One link by both views."""

    plan: Plan
    seen: Observation
    findings: Findings | None
    """What the comparison found; None where the two tickets are not, or no longer, the ones that were linked."""

    @property
    def agrees(self) -> bool:
        """Whether nothing is to be written, and nothing differs either."""
        return show.agrees(self.plan) and not (self.findings and self.findings.differences)


def verify(inspector: Inspector, *, deep: bool = False) -> Iterator[Verified]:
    """Look at every linked pair of tickets in both ways. Nothing is written anywhere.

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


def _compared(pair: Pair, batch: list[Planned], *, deep: bool) -> Iterator[Verified]:
    def reload(ids: Sequence[int]) -> list[Link]:
        return [link for link in pair.store.links.get(ids) if link.status is LinkStatus.LINKED]

    plans = [planned.plan for planned in batch]
    links = reload([plan.link.id for plan in plans if plan.link.status is LinkStatus.LINKED])
    kept = {plan.link.id: {remark.key for remark in plan.remarks if remark.kept in _ON_PURPOSE} for plan in plans}
    found = Comparison(pair.servers, pair.rules, reload, deep=deep).compare(links, kept)
    yield from (Verified(planned.plan, planned.seen, found.get(planned.plan.link.id)) for planned in batch)


def found(configuration: Configuration, store: Store, stopping: Callable[[], bool], deep: bool) -> str:
    """Verify with servers and threads of its own, as the daemon does beside its cycles; say what was found, without a text.

    :raises Stopped: *stopping* says that it is to
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
        seen = [(one.agrees, one.plan.link) for one in verify(Inspector(pair), deep=deep)]
    unlike = [link.external_number or str(link.external) for agrees, link in seen if not agrees]
    more = f" and {len(unlike) - _NAMED} more" if len(unlike) > _NAMED else ""
    names = f"; these do not: {', '.join(unlike[:_NAMED])}{more}" if unlike else ""
    return f"{len(seen) - len(unlike)} of {len(seen)} linked tickets agree{names}."


def tell(console: Console, told: list[Verified], total: int, troubled: int) -> None:
    """Show which linked tickets do not agree, a line for each view of one, and what is kept apart on purpose."""
    for one in told:
        name = show.title(one.plan, one.seen)
        for action in one.plan.actions:
            console.print(Text(f"{name}: differs: {show.describe(action)}", style="red"))
        if not one.agrees and not one.plan.actions and not (one.findings and one.findings.differences):
            why = "one of the two tickets cannot be read" if one.plan.unread else "one of the two tickets is gone"
            console.print(Text(f"{name}: differs: {why}. The next cycle takes note of that", style="red"))
        if one.findings and one.findings.differences:
            what = "; ".join(difference.what for difference in one.findings.differences)
            blind = ". Nothing is planned for it" if show.agrees(one.plan) else ""
            console.print(Text(f"{name}: compared: {what}{blind}. See `itopsync show {one.plan.link.external}`", style="red"))
        show.remarks(console, one.plan, one.seen)
    unlike = sum(not one.agrees for one in told)
    compared = f"{total - unlike} of {total} linked tickets agree" if total else "No ticket is linked"
    console.print(f"{compared}. Nothing was written.")
    show.trouble(console, troubled)


def told_as_json(told: list[Verified]) -> str:
    """The same as JSON."""
    return as_json([{**show.plan_as_json(one.plan), **_findings_as_json(one.findings)} for one in told])


def _findings_as_json(findings: Findings | None) -> dict[str, object]:
    if findings is None:
        return {"differences": [], "excused": [], "compared": {}}
    return {
        "differences": [{"item": one.item, "what": one.what} for one in findings.differences],
        "excused": [{"item": one.item, "why": one.what} for one in findings.excused],
        "compared": dict(findings.counts),
    }
