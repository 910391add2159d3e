"""Whether a linked ticket is still the one that was linked: after a restored backup, ids and refs are given anew."""

from __future__ import annotations

from datetime import datetime

from itopsync.model import Link, Observation, Side, Ticket
from itopsync.reconcile.identity import ticket_marker
from itopsync.reconcile.notes import is_copy
from itopsync.reconcile.rules import ClassRules, Rules


def stranger(link: Link, observation: Observation, rules: Rules) -> str | None:
    """Say why a ticket of *link* is another than the one that was linked, or None.

    The external one is known by the minute at which it began, which no form changes; the internal one by the marker at the
    head of its first entry.
    """
    cls = rules.for_external(link.external.cls)
    external, internal = observation.external, observation.internal
    if external is not None and link.base.born and (now := born(external, cls)) != link.base.born:
        return f"{link.external} began at {link.base.born} when it was linked, and now at {now or 'no time'}: another ticket"
    marker = ticket_marker(rules.pair, link.external)
    if internal is not None and not is_copy(internal, cls.logs[0].name(Side.INTERNAL), rules.pair, marker, None):
        return f"{internal.ref} no longer bears the mark of {link.external}: another ticket"
    return None


def born(external: Ticket, cls: ClassRules) -> str:
    """The minute at which a ticket began, as ISO 8601 in UTC; empty where it says nothing."""
    text = external.fields.get(cls.since_attribute, "")
    return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%MZ") if text else ""
