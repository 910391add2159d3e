"""Whether a linked ticket is still the one that was linked: after a restored backup, ids and refs are given anew."""

from __future__ import annotations

from datetime import datetime

from itopsync.model import Link, LinkStatus, Observation, Side, Ticket
from itopsync.reconcile.identity import ticket_marker
from itopsync.reconcile.richtext import head_markers
from itopsync.reconcile.rules import ClassRules, Rules


def stranger(link: Link, observation: Observation, rules: Rules) -> str | None:
    """Say why a ticket of *link* is another than the one that was linked, or None.

    The external one is known by the minute at which it began, which no form changes; the internal one by the marker at the
    head of its first entry, or by its number where two were linked by hand and the mark of that is not there (yet).
    """
    if link.status is LinkStatus.PARTING:
        return None
    cls = rules.for_external(link.external.cls)
    external, internal = observation.external, observation.internal
    if external is not None and link.base.born and (now := born(external, cls)) != link.base.born:
        return f"{link.external} began at {link.base.born} when it was linked, and now at {now or 'no time'}: another ticket"
    marker = ticket_marker(rules.pair, link.external)
    if internal is None or _bears(internal, cls.logs[0].name(Side.INTERNAL), rules.pair, marker):
        return None
    if marker not in link.base.notes or internal.number != link.internal_number:
        return f"{internal.ref} no longer bears the mark of {link.external}: another ticket"
    return None


def _bears(ticket: Ticket, log: str, pair: str, marker: str) -> bool:
    """Whether an entry bears *marker* at its head, whoever wrote it: our account may have been another one."""
    return any(marker in head_markers(entry.html, pair) for entry in ticket.logs.get(log, ()))


def born(external: Ticket, cls: ClassRules) -> str:
    """The minute at which a ticket began, as ISO 8601 in UTC; empty where it says nothing."""
    text = external.fields.get(cls.since_attribute, "")
    return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%MZ") if text else ""
