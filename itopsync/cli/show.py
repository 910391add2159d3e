"""Shows plans, reports and a link's story, as lines for people or JSON for machines. Neither contains a ticket's text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from itopsync.cli.text import amounts, as_json, counted
from itopsync.engine.pauses import REMEDY
from itopsync.engine.report import Count, Report
from itopsync.model import TICKET, UNSAVED, FilePair, FileStatus, ItemKey, Link, LinkStatus, Observation, Side
from itopsync.reconcile.ends import why
from itopsync.reconcile.plan import Action, Create, Kept, Plan, Remark, Remove, Upload, Write
from itopsync.reconcile.rules import not_kept
from itopsync.store.records import CycleOutcome, WriteKind

if TYPE_CHECKING:
    from itopsync.engine.plan import Planned
    from itopsync.engine.story import Story, Unlinked
    from itopsync.store.records import Troubles


# plans


def plans(console: Console, planned: Sequence[Planned], troubles: Troubles, problems: Sequence[str] = ()) -> None:
    """Show what would be written, ticket by ticket.

    *troubles* are those of all links; *problems*: pauses, and which sides accept no writes.
    """
    for problem in problems:
        console.print(Text(problem, style="red"))
    waiting = [ticket for ticket in planned if ticket.plan.actions or ticket.plan.link.status is LinkStatus.TOMBSTONE]
    if not waiting:
        alike = not (troubles.troubled or troubles.gathering or problems) and all(agrees(ticket.plan) for ticket in planned)
        console.print("Nothing to write: both sides agree." if alike else "Nothing to write now.")
    for ticket in waiting:
        plan = ticket.plan
        console.print(Text(title(plan, ticket.seen), style="bold"))
        for action in plan.actions:
            console.print(Text(f"  {describe(action)}"))
        if plan.link.status is LinkStatus.TOMBSTONE:
            console.print(Text(f"  end the link, and change neither ticket: {why(plan.link)}"))
    for ticket in planned:
        remarks(console, ticket.plan, ticket.seen)
    writes = sum(len(ticket.plan.actions) for ticket in planned)
    totals = f"{counted(len(planned), 'ticket')} looked at, {counted(writes, 'write')} on {len(waiting)} of them"
    console.print(f"{totals}. Nothing was written.")
    trouble(console, troubles.troubled)


def agrees(plan: Plan) -> bool:
    """Whether a link's tickets are still the linked ones, and there is nothing to write to either."""
    return not (plan.actions or plan.replaced or plan.unread or plan.link.status is LinkStatus.TOMBSTONE)


def trouble(console: Console, troubled: int) -> None:
    """Show how many links have something parked or waiting."""
    if troubled:
        console.print(f"{counted(troubled, 'ticket')} with something parked or waiting: `itopsync status` says what, and why.")


def plans_as_json(planned: Sequence[Planned]) -> str:
    """The same as JSON."""
    return as_json([plan_as_json(ticket.plan) for ticket in planned])


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """One plan, as values for JSON."""
    return {
        "link": None if plan.link.id == UNSAVED else plan.link.id,
        "external": str(plan.link.external),
        "external_number": plan.link.external_number,
        "internal": str(plan.link.internal) if plan.link.internal else None,
        "internal_number": plan.link.internal_number,
        "status": plan.link.status,
        "actions": [_action_as_json(action) for action in plan.actions],
        "remarks": [{"kept": remark.kept, "item": remark.key, "reason": remark.reason} for remark in plan.remarks],
    }


def remarks(console: Console, plan: Plan, seen: Observation) -> None:
    """Show which items of a link are left as they are, and why; notes that were sent as one file share a line."""
    together: dict[object, list[Remark]] = {}
    for remark in plan.remarks:
        note = plan.link.base.notes.get(remark.key.which) if remark.kept is Kept.COPY_DELETED else None
        together.setdefault(note.carried_at if note is not None else id(remark), []).append(remark)
    for remark, *others in together.values():
        reason, more = f" ({remark.reason})" if remark.reason else "", f", and {len(others)} more like it" if others else ""
        console.print(Text(f"{title(plan, seen)}: {remark.key}: {remark.kept}{reason}{more}"))


def title(plan: Plan, seen: Observation) -> str:
    """A link's two tickets, by number."""
    external = seen.external.number if seen.external else plan.link.external_number
    internal = seen.internal.number if seen.internal else plan.link.internal_number
    return f"{external} ({plan.link.external}) → {internal or 'no copy yet'}"


def describe(action: Action) -> str:
    """What an action does, without the ticket's own words."""
    match action:
        case Create():
            parts = [f"create the internal copy: {', '.join(sorted(action.fields))}", counted(len(action.notes), "log entry")]
            return "; ".join((*parts, *map(how, action.routes_taken)))
        case Write():
            parts = []
            if action.stimulus:
                parts.append(f"state to '{action.leads_to}' by {action.stimulus}")
            if action.fields:
                parts.append(f"set {', '.join(sorted(action.fields))}")
            if action.notes:
                parts.append(f"append {counted(len(action.notes), 'log entry')}")
            return f"{action.side}: {'; '.join((*parts, *map(how, action.routes_taken)))}"
        case Upload(others=()):
            return f"{action.side}: attach {action.item.key}"
        case Upload():
            return f"{action.side}: attach a file with {counted(len(action.items), 'note')}"
        case Remove():
            return f"{action.side}: delete attachment {action.attachment_id}"


def how(key: ItemKey) -> str:
    """The route that chose a default, or the value that fell back: ``route Acme``."""
    return f"{key.kind} {key.which}"


def _action_as_json(action: Action) -> dict[str, Any]:
    shown: dict[str, Any] = {"action": type(action).__name__.lower(), "what": describe(action)}
    match action:
        case Create():
            shown |= {"side": Side.INTERNAL, "fields": sorted(action.fields), "entries": len(action.notes)}
            shown |= {"how": action.routes_taken}
        case Write():
            shown |= {"side": action.side, "fields": sorted(action.fields), "entries": len(action.notes)}
            shown |= {"stimulus": action.stimulus, "state": action.leads_to, "how": action.routes_taken}
        case Upload():
            shown |= {"side": action.side, "item": action.item.key, "marker": action.marker}
        case Remove():
            shown |= {"side": action.side, "item": action.item.key, "attachment": action.attachment_id}
    return shown


# reports


_FIRST = (Count.NEW, Count.CHANGED, WriteKind.CREATE, Count.LINKS)


def report(console: Console, done: Report) -> None:
    """Show on one line what a cycle did, and below it what stopped it."""
    took = (done.finished - done.started).total_seconds() if done.finished else 0.0
    first = [name for name in _FIRST if name in done.counts]
    names = (*first, *sorted(done.counts.keys() - {*first, Count.BYTES}))
    counts = amounts({name: done.counts[name] for name in names})
    nothing = "nothing was done" if done.problems else "nothing to do"
    console.print(f"{done.outcome}: {counts or nothing} in {took:.1f} s")
    for reason in done.problems.values():
        console.print(Text(reason, style="red"))
    for pause in done.paused:
        console.print(Text(f"{pause}. {REMEDY}.", style="yellow"))
    if done.outcome is CycleOutcome.TROUBLED:
        console.print("`itopsync status` says what waits, and why.")


def report_as_json(done: Report) -> str:
    """The same as JSON, on one line, so that cycles can be appended to a file."""
    return as_json(
        {
            "outcome": done.outcome,
            "started": done.started,
            "finished": done.finished,
            "counts": dict(done.counts),
            "problems": dict(done.problems),
            "paused": list(done.paused),
        },
        indent=None,
    )


# one link


_ENTRIES = {
    "written here, stays here": "written here, and stays here: not carried",
    "written here, kept in internal": "written here, and kept in internal",
    "mirror of the other side's": "copy of an entry on the other side",
    "the mark of the link": "itopsync's marker of the link",
    "the mark of its end": "itopsync's marker that the link has ended",
    "our own notice": "a notice by itopsync",
    "another pair's notice: carried nowhere": "a notice by itopsync about another pair's link: not carried",
    "ours, without a mark: carried nowhere": "by itopsync's account, without a marker: not carried",
}
"""What the JSON says of an entry, in words."""


def story(console: Console, shown: Story) -> None:
    """Show where everything on a link came from, and what is still to be carried."""
    link = shown.link
    console.print(Text(f"{name_of(link)}, {_standing(link)}", style="bold"))
    if shown.stopped:
        console.print(Text(f"all cycles stop: {shown.stopped}", style="red"))
    if shown.plan.unread is not None:
        console.print(Text(f"one of the two tickets cannot be read: {shown.plan.unread}", style="red"))
    if shown.ended:
        console.print(f"the link has ended: {shown.ended}")
    states = ", ".join(f"{side} {state}" for side, state in shown.states.items())
    agreed = f"; last agreed: {link.base.state.external} / {link.base.state.internal}" if link.base.state else ""
    console.print(f"state: {states or 'unknown'}{agreed}")
    for entry in shown.entries:
        carried = f", carried {entry.carried_at:%Y-%m-%d %H:%M:%S} UTC" if entry.carried_at else ""
        what = f"{_ENTRIES.get(entry.what, entry.what)}{' ' if entry.why else ''}{entry.why}"
        console.print(f"{entry.side:<9}{entry.log} {entry.at:%Y-%m-%d %H:%M:%S} UTC by {entry.author}: {what}{carried}")
    for pair in shown.files:
        copy = f"copy {pair.copy_id}" if pair.copy_id else "no copy"
        standing = "parked" if _is_parked(link, pair) else pair.status
        console.print(f"{pair.origin:<9}attachment {pair.original_id}: {copy} on {pair.origin.other}, {standing}")
    gathered = [obstacle for obstacle in link.obstacles if obstacle.gathers]
    for obstacle in gathered:
        console.print(Text(f"gathered until {obstacle.not_before:%Y-%m-%d %H:%M} UTC: {obstacle.key}: {obstacle.reason}"))
    for obstacle in (obstacle for obstacle in link.obstacles if obstacle not in gathered):
        when = (
            "parked" if obstacle.parked else f"next try {obstacle.not_before:%Y-%m-%d %H:%M} UTC" if obstacle.not_before else ""
        )
        console.print(
            Text(f"not carried: {obstacle.key}: {obstacle.reason} ({counted(obstacle.tries, 'try')}, {when})", style="yellow")
        )
    for action in shown.plan.actions:
        console.print(f"still to do: {describe(action)}")
    if not shown.plan.actions:
        waits = any(obstacle.not_before and not obstacle.parked for obstacle in link.obstacles)
        nothing = "nothing until then" if waits else "nothing"
        console.print(Text(f"still to do: {nothing}{f'; no copy is made: {shown.unscoped}' if shown.unscoped else ''}"))


def story_as_json(shown: Story) -> str:
    """The same as JSON."""
    link = shown.link
    plain = {
        "link": link.id,
        "external": str(link.external),
        "external_number": link.external_number,
        "internal": str(link.internal) if link.internal else None,
        "internal_number": link.internal_number,
        "status": link.status,
        "ended": shown.ended or None,
        "unscoped": shown.unscoped or None,
        "stopped": shown.stopped or None,
        "unread": None if shown.plan.unread is None else str(shown.plan.unread),
        "states": shown.states,
        "agreed": asdict(link.base.state) if link.base.state else None,
        "entries": [asdict(entry) for entry in shown.entries],
        "files": [{**asdict(pair), "parked": _is_parked(link, pair)} for pair in shown.files],
        "obstacles": [asdict(obstacle) for obstacle in link.obstacles],
        "actions": [_action_as_json(action) for action in shown.plan.actions],
    }
    return as_json(plain)


def name_of(link: Link) -> str:
    """A link's number, and its two tickets."""
    internal = f"{link.internal_number} ({link.internal})" if link.internal else "no copy yet"
    return f"link {link.id}: {link.external_number} ({link.external}) → {internal}"


def _standing(link: Link) -> str:
    """A link's status in words; if it waits for a copy that only a person can unblock, it says so."""
    return "its creation is parked" if link.status is LinkStatus.WAITING and link.is_parked(TICKET) else link.status


def _is_parked(link: Link, pair: FilePair) -> bool:
    """Whether a file is waiting for a copy that only a person can unblock."""
    return pair.status is FileStatus.WAITING and link.is_parked(pair.key)


def resting(link: Link) -> str:
    """A link whose class is not synced, in words."""
    at_rest = f"at rest: {not_kept(link.external.cls)}. Nothing is lost: put the class back, and the link continues."
    return f"{name_of(link)}, {link.status}\n{at_rest}"


def resting_as_json(link: Link) -> str:
    """The same as JSON."""
    named = {"link": link.id, "external": str(link.external), "external_number": link.external_number}
    internal = {"internal": str(link.internal) if link.internal else None, "internal_number": link.internal_number}
    return as_json({**named, **internal, "status": link.status, "rests": not_kept(link.external.cls)})


def unlinked_as_json(found: Unlinked) -> str:
    """A ticket without a link, as JSON."""
    return as_json({"link": None, "ticket": str(found.ref), "number": found.number, "why": found.why})
