"""Shows the status and a check's findings, as tables for people or JSON for machines. Neither contains a ticket's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from itopsync.check.finding import Finding, Level
from itopsync.cli.text import amounts, as_json, counted, span
from itopsync.engine.pauses import REMEDY
from itopsync.reconcile.rules import not_kept
from itopsync.status import Freshness, SideHealth, Status, Trouble, WaitingRequest

# findings


_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "red"}


def findings(console: Console, found: Sequence[Finding]) -> None:
    """Show a check's findings with their remedies; faults come last, where people look."""
    for finding in sorted(found, key=lambda finding: list(Level).index(finding.level)):
        line = Text.assemble((f"{finding.level:<8}", _COLOURS[finding.level]), f"{finding.side or 'store':<9}", finding.what)
        console.print(line.append(f". {finding.remedy}" if finding.remedy else ""), soft_wrap=True)
    counts = {level: sum(finding.level is level for finding in found) for level in Level}
    console.print(f"{counted(counts[Level.FAULT], 'fault')}, {counted(counts[Level.WARNING], 'warning')}.")


def findings_as_json(found: Sequence[Finding]) -> str:
    """The same as JSON."""
    return as_json([asdict(finding) for finding in found])


# status


_PARKED = (
    "parked: do what the reason says, or fix the cause and run `itopsync retry LINK`; `itopsync show LINK` shows the details."
)


_BEGINS_LATER = (
    "scope.since is in the future: no ticket that began before it is copied. Set this host's clock, or write an earlier date."
)


def status(found: Status) -> Group:
    """The status, ready to print."""
    counts = [f"{count} {name}" for name, count in found.counts.items() if count]
    return Group(
        f"pair {found.pair}, {found.at:%Y-%m-%d %H:%M:%S} UTC",
        _sides(found.sides),
        *(Text(f"{pause}. {REMEDY}.", style="yellow") for pause in found.pauses),
        *(Text(f"{loss}. {loss.remedy}.", style="red") for loss in found.losses),
        *([Text(f"stopped since {found.stop.at:%Y-%m-%d %H:%M} UTC: {found.stop.reason}", style="red")] if found.stop else []),
        *([Text(_BEGINS_LATER, style="yellow")] if found.begins_later else []),
        f"running: {f'process {found.writer.pid} on {found.writer.host}' if found.writer else 'no process'}",
        *([_requests(found.requests)] if found.requests else []),
        f"links: {', '.join(counts) or 'none yet'}",
        *map(Text, at_rest(found.resting)),
        *([_troubles(found.troubles)] if found.troubles else []),
        *([_PARKED] if any(trouble.parked and trouble.tries for trouble in found.troubles) else []),
        *([_cycles(found)] if found.cycles else []),
    )


def at_rest(resting: Mapping[str, int]) -> list[str]:
    """Which links are at rest. *resting*: how many, by external class."""
    return [f"{counted(count, 'link')} of {name} at rest: {not_kept(name)}" for name, count in resting.items()]


def _requests(waiting: Sequence[WaitingRequest]) -> Text:
    oldest = waiting[0]
    asked = f"{oldest.kind}, asked for by {oldest.actor} at {oldest.at:%Y-%m-%d %H:%M} UTC"
    return Text(f"requests: {len(waiting)} waiting to be carried out, the oldest is {asked}", style="yellow")


def freshness(found: Status, judged: Freshness) -> str:
    """One line for monitoring: whether all is well, why not otherwise, then the state of sides and links."""
    ages = (f"{side.side} polled {'never' if side.lag is None else f'{span(side.lag)} ago'}" for side in found.sides)
    counts = [f"{count} {name}" for name, count in found.counts.items() if count]
    why = "".join(f"{reason}; " for reason in judged.reasons)
    return " ".join(f"{judged.word}: {why}{', '.join(ages)}; links: {', '.join(counts) or 'none yet'}".split())


def _sides(sides: Sequence[SideHealth]) -> Table:
    table = Table("side", "last good poll", "problem", "since", box=None, pad_edge=False)
    for health in sides:
        polled = "never" if health.lag is None else f"{span(health.lag)} ago"
        since = f"{health.problem_since:%Y-%m-%d %H:%M}" if health.problem_since else ""
        table.add_row(health.side, polled, Text(health.problem or "none", style="red" if health.problem else "green"), since)
    return table


def _troubles(troubles: Sequence[Trouble]) -> Table:
    table = Table("link", "external", "internal", "item", "tries", "next try", "reason", box=None, pad_edge=False)
    for trouble in troubles:
        at = f"{trouble.next_try:%m-%d %H:%M}" if trouble.next_try else "next cycle"
        following = "parked" if trouble.parked else f"gathered until {at}" if trouble.gathers else at
        external, internal = trouble.external_number or trouble.external, trouble.internal_number or trouble.internal or "-"
        cells = (str(trouble.link), external, internal, trouble.item.kind, str(trouble.tries), following)
        table.add_row(*cells, Text(trouble.reason))
    return table


def _cycles(found: Status) -> Table:
    table = Table("cycle began", "kind", "took", "outcome", "did", box=None, pad_edge=False)
    for cycle in found.cycles:
        took = f"{(cycle.finished - cycle.started).total_seconds():.1f} s" if cycle.finished else ""
        did = amounts(cycle.counts) or "nothing"
        table.add_row(f"{cycle.started:%m-%d %H:%M:%S}", cycle.kind, took, cycle.outcome, Text(cycle.error or did))
    return table


def status_as_json(found: Status) -> str:
    """The same as JSON."""
    return as_json(asdict(found))
