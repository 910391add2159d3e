"""How plans, reports, findings and the status are shown: tables for people, JSON for machines. No text of a ticket in either."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from itopsync.check import Finding, Level
from itopsync.engine.report import Report
from itopsync.model import LinkStatus, Observation, Side
from itopsync.reconcile.plan import Action, Create, Plan, Remove, Upload, Write
from itopsync.status import Freshness, SideHealth, Status, Trouble

if TYPE_CHECKING:
    from itopsync.engine.explain import Story
    from itopsync.engine.unlinked import Unlinked

OnProgress = Callable[[int, int], None]
Planned = Sequence[tuple[Plan, Observation]]


def as_json(value: object) -> str:
    """*value* as JSON: dates as ISO 8601, spans of time in seconds."""

    def plain(thing: object) -> object:
        if isinstance(thing, datetime):
            return thing.isoformat()
        if isinstance(thing, timedelta):
            return thing.total_seconds()
        raise TypeError(type(thing).__name__)

    return json.dumps(value, default=plain, ensure_ascii=False, indent=2)


# plans


_GONE = "one of the two tickets is gone: the other one is left as it is"


def plans(console: Console, planned: Planned, troubled: int) -> None:
    """Show what would be written, ticket by ticket. *troubled* links have something that is parked or waits."""
    waiting = [(plan, seen) for plan, seen in planned if plan.actions or plan.link.status is LinkStatus.TOMBSTONE]
    if not waiting:
        alike = not troubled and all(agrees(plan) for plan, _ in planned)
        console.print("Nothing to write: both sides agree." if alike else "Nothing to write now.")
    for plan, seen in waiting:
        console.print(Text(title(plan, seen), style="bold"))
        for action in plan.actions:
            console.print(Text(f"  {describe(action)}"))
        if plan.link.status is LinkStatus.TOMBSTONE:
            console.print(Text(f"  {'unlinked by hand: both are left as they are' if plan.parted else _GONE}"))
    for plan, seen in planned:
        _show_remarks(console, plan, seen)
    writes = sum(len(plan.actions) for plan, _ in planned)
    looked = f"{counted(len(planned), 'ticket')} looked at, {counted(writes, 'write')} on {len(waiting)} of them"
    console.print(f"{looked}. Nothing was written.")
    _show_troubled(console, troubled)


def verified(console: Console, differing: Planned, total: int, troubled: int) -> None:
    """Show which linked tickets do not agree, and what is kept apart on purpose. *troubled*: as for :func:`plans`."""
    unlike = 0
    for plan, seen in differing:
        unlike += not agrees(plan)
        for action in plan.actions:
            console.print(Text(f"{title(plan, seen)}: differs: {describe(action)}", style="red"))
        _show_remarks(console, plan, seen)
    compared = f"{total - unlike} of {total} linked tickets agree" if total else "No ticket is linked"
    console.print(f"{compared}. Nothing was written.")
    _show_troubled(console, troubled)


def agrees(plan: Plan) -> bool:
    """Whether the two tickets of a link are the ones that were linked, and nothing is to be written to either."""
    return not (plan.actions or plan.replaced or plan.unread or plan.link.status is LinkStatus.TOMBSTONE)


def _show_troubled(console: Console, troubled: int) -> None:
    if troubled:
        console.print(f"{counted(troubled, 'ticket')} with something parked or waiting: `itopsync status` says what, and why.")


def plans_as_json(planned: Planned) -> str:
    """The same as JSON."""
    return as_json(
        [
            {
                "link": plan.link.id if plan.link.id > 0 else None,
                "external": str(plan.link.external),
                "external_number": plan.link.external_number,
                "internal": str(plan.link.internal) if plan.link.internal else None,
                "internal_number": plan.link.internal_number,
                "status": plan.link.status,
                "actions": [_action_as_json(action) for action in plan.actions],
                "remarks": [{"kept": remark.kept, "item": remark.key, "reason": remark.reason} for remark in plan.remarks],
            }
            for plan, _ in planned
        ]
    )


def _show_remarks(console: Console, plan: Plan, seen: Observation) -> None:
    for remark in plan.remarks:
        console.print(Text(f"{title(plan, seen)}: {remark.key}: {remark.kept}{f' ({remark.reason})' if remark.reason else ''}"))


def title(plan: Plan, seen: Observation) -> str:
    """The two tickets of a link, as people say them."""
    external = seen.external.number if seen.external else plan.link.external_number
    internal = seen.internal.number if seen.internal else plan.link.internal_number
    return f"{external} ({plan.link.external}) → {internal or 'no copy yet'}"


def describe(action: Action) -> str:
    """What an action does, in words, without the ticket's own."""
    match action:
        case Create():
            return f"create the internal copy: {', '.join(sorted(action.fields))}; {counted(len(action.notes), 'log entry')}"
        case Write():
            parts = []
            if action.stimulus:
                parts.append(f"state to '{action.leads_to}' by {action.stimulus}")
            if action.fields:
                parts.append(f"set {', '.join(sorted(action.fields))}")
            if action.notes:
                parts.append(f"append {counted(len(action.notes), 'log entry')}")
            return f"{action.side}: {'; '.join(parts)}"
        case Upload():
            return f"{action.side}: attach {action.item.key}"
        case Remove():
            return f"{action.side}: delete attachment {action.attachment_id}"


def counted(number: int, one: str) -> str:
    """``1 link``, ``2 links``, ``0 log entries``."""
    many = f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"
    return f"{number} {one if number == 1 else many}"


def _action_as_json(action: Action) -> dict[str, Any]:
    shown: dict[str, Any] = {"action": type(action).__name__.lower(), "what": describe(action)}
    match action:
        case Create():
            shown |= {"side": Side.INTERNAL, "fields": sorted(action.fields), "entries": len(action.notes)}
        case Write():
            shown |= {"side": action.side, "fields": sorted(action.fields), "entries": len(action.notes)}
            shown |= {"stimulus": action.stimulus, "state": action.leads_to}
        case Upload():
            shown |= {"side": action.side, "item": action.item.key, "marker": action.marker}
        case Remove():
            shown |= {"side": action.side, "item": action.item.key, "attachment": action.attachment_id}
    return shown


# reports


_FIRST = ("new", "changed", "create", "links")


def report(console: Console, done: Report) -> None:
    """Show what a cycle did, on one line, and what stopped it."""
    took = (done.finished - done.started).total_seconds() if done.finished else 0.0
    first = [name for name in _FIRST if name in done.counts]
    names = (*first, *sorted(done.counts.keys() - {*first, "bytes"}))
    told = [f"{done.counts[name]} {name}" for name in names if done.counts[name]]
    nothing = "nothing was done" if done.problems else "nothing to do"
    console.print(f"{done.outcome}: {', '.join(told) or nothing} in {took:.1f} s")
    for reason in done.problems.values():
        console.print(Text(reason, style="red"))
    if done.outcome == "troubled":
        console.print("`itopsync status` says what waits, and why.")


def report_as_json(done: Report) -> str:
    """The same as JSON."""
    return as_json(
        {
            "outcome": done.outcome,
            "started": done.started,
            "finished": done.finished,
            "counts": dict(done.counts),
            "problems": dict(done.problems),
        }
    )


# one link


def story(console: Console, told: Story) -> None:
    """Show where everything on a link came from, and what is still to come."""
    link = told.link
    internal = f"{link.internal_number} ({link.internal})" if link.internal else "no copy yet"
    console.print(Text(f"link {link.id}: {link.external_number} ({link.external}) → {internal}, {link.status}", style="bold"))
    if told.ended:
        console.print(f"at its end: {told.ended}")
    agreed = f"; last agreed on {link.base.state.external} / {link.base.state.internal}" if link.base.state else ""
    console.print(f"state: {' / '.join(told.states.values()) or 'unknown'}{agreed}")
    for entry in told.entries:
        carried = f", carried {entry.carried_at:%Y-%m-%d %H:%M:%S} UTC" if entry.carried_at else ""
        console.print(f"{entry.side:<9}{entry.log} {entry.at:%Y-%m-%d %H:%M:%S} UTC by {entry.author}: {entry.what}{carried}")
    for pair in told.files:
        copy = f"copy {pair.copy_id}" if pair.copy_id else "no copy"
        console.print(f"{pair.origin:<9}attachment {pair.original_id}: {copy} on {pair.origin.other}, {pair.status}")
    for obstacle in link.obstacles:
        when = (
            "parked" if obstacle.parked else f"next try {obstacle.not_before:%Y-%m-%d %H:%M} UTC" if obstacle.not_before else ""
        )
        console.print(
            Text(f"in the way of {obstacle.key}: {obstacle.reason} ({counted(obstacle.tries, 'try')}, {when})", style="yellow")
        )
    for action in told.plan.actions:
        console.print(f"to come: {describe(action)}")
    if not told.plan.actions:
        console.print("to come: nothing")


def story_as_json(told: Story) -> str:
    """The same as JSON."""
    link = told.link
    plain = {
        "link": link.id,
        "external": str(link.external),
        "external_number": link.external_number,
        "internal": str(link.internal) if link.internal else None,
        "internal_number": link.internal_number,
        "status": link.status,
        "ended": told.ended or None,
        "states": told.states,
        "agreed": asdict(link.base.state) if link.base.state else None,
        "entries": [asdict(entry) for entry in told.entries],
        "files": [asdict(pair) for pair in told.files],
        "obstacles": [asdict(obstacle) for obstacle in link.obstacles],
        "actions": [_action_as_json(action) for action in told.plan.actions],
    }
    return as_json(plain)


def unlinked_as_json(found: Unlinked) -> str:
    """A ticket without a link, as JSON."""
    return as_json({"link": None, "ticket": str(found.ref), "number": found.number, "why": found.why})


# findings


_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "red"}


def findings(console: Console, found: Sequence[Finding]) -> None:
    """Show what a check found, each thing with its remedy; what is to be mended stands last, where people look."""
    for finding in sorted(found, key=lambda one: list(Level).index(one.level)):
        line = Text.assemble((f"{finding.level:<8}", _COLOURS[finding.level]), f"{finding.side or 'store':<9}", finding.what)
        console.print(line.append(f". {finding.remedy}" if finding.remedy else ""), soft_wrap=True)
    counts = {level: sum(finding.level is level for finding in found) for level in Level}
    console.print(f"{counted(counts[Level.FAULT], 'fault')}, {counted(counts[Level.WARNING], 'warning')}.")


def findings_as_json(found: Sequence[Finding]) -> str:
    """The same as JSON."""
    return as_json([asdict(finding) for finding in found])


# status


_PARKED = "parked: mend the cause, then type `itopsync retry LINK`; `itopsync show LINK` says all about one."


def status(found: Status) -> Group:
    """How things stand, to be printed."""
    told = [f"{count} {name}" for name, count in found.counts.items() if count]
    return Group(
        f"pair {found.pair}, {found.at:%Y-%m-%d %H:%M:%S} UTC",
        _sides(found.sides),
        f"writer: {f'process {found.writer.pid} on {found.writer.host}' if found.writer else 'none is at work'}",
        f"links: {', '.join(told) or 'none yet'}",
        *([_troubles(found.troubles)] if found.troubles else []),
        *([_PARKED] if any(one.parked and one.tries for one in found.troubles) else []),
        *([_cycles(found)] if found.cycles else []),
    )


def freshness(found: Status, judged: Freshness) -> str:
    """One line for monitoring: whether all is well, and if not, why; then how things stand."""
    ages = (f"{one.side} polled {'never' if one.lag is None else f'{span(one.lag)} ago'}" for one in found.sides)
    told = [f"{count} {name}" for name, count in found.counts.items() if count]
    why = "".join(f"{reason}; " for reason in judged.reasons)
    return " ".join(f"{judged.word}: {why}{', '.join(ages)}; links: {', '.join(told) or 'none yet'}".split())


def _sides(sides: Sequence[SideHealth]) -> Table:
    table = Table("side", "last good poll", "problem", "since", box=None, pad_edge=False)
    for health in sides:
        polled = "never" if health.lag is None else f"{span(health.lag)} ago"
        since = f"{health.problem_since:%Y-%m-%d %H:%M}" if health.problem_since else ""
        table.add_row(health.side, polled, Text(health.problem or "none", style="red" if health.problem else "green"), since)
    return table


def _troubles(troubles: Sequence[Trouble]) -> Table:
    table = Table("link", "external", "internal", "item", "tries", "next", "reason", box=None, pad_edge=False)
    for trouble in troubles:
        following = "parked" if trouble.parked else f"{trouble.next_try:%m-%d %H:%M}" if trouble.next_try else "next cycle"
        external, internal = trouble.external_number or trouble.external, trouble.internal_number or trouble.internal or "-"
        cells = (str(trouble.link), external, internal, trouble.item.partition(":")[0], str(trouble.tries), following)
        table.add_row(*cells, Text(trouble.reason))
    return table


def _cycles(found: Status) -> Table:
    table = Table("cycle", "kind", "took", "outcome", "did", box=None, pad_edge=False)
    for cycle in found.cycles:
        took = f"{(cycle.finished - cycle.started).total_seconds():.1f} s" if cycle.finished else ""
        did = ", ".join(f"{count} {name}" for name, count in cycle.counts.items() if count) or "nothing"
        table.add_row(f"{cycle.started:%m-%d %H:%M:%S}", cycle.kind, took, cycle.outcome, Text(cycle.error or did))
    return table


def span(time: timedelta) -> str:
    """A span of time as people say it: ``42 s``, ``5 min``, ``3 h``, ``2 d``."""
    seconds = int(time.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def status_as_json(found: Status) -> str:
    """The same as JSON."""
    return as_json(asdict(found))
