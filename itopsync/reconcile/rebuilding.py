"""What a link's base is taken for when it has been lost: what stands there now, and a list of what differs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from itopsync.model import Agreed, Base, Link, Observation, Side
from itopsync.reconcile.plan import Plan, Write
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import Rules
from itopsync.reconcile.state import counted
from itopsync.reconcile.strangers import born


@dataclass(frozen=True)
class Rebuilt:
    """A link found again."""

    link: Link
    differs: tuple[str, ...]
    """``state`` and attributes (external names) in which the sides differ: left as they are, for a person to decide."""


def rebuilt(plan: Plan, observation: Observation, rules: Rules) -> Rebuilt:
    """Return the link with a base at which nothing is carried that differs now; *plan* was made for it without any base.

    Entries and files bear their markers, so of those nothing needs to be remembered.
    """
    link, cls = plan.link, rules.for_external(plan.link.external.cls)
    external, internal = observation.external, observation.internal
    if external is None or internal is None:
        return Rebuilt(link, ())
    writes = [action for action in plan.actions if isinstance(action, Write)]
    differs = {name for write in writes for name in write.agrees} | {"state" for write in writes if write.stimulus}
    differs |= {"state" for one in plan.link.obstacles if one.key == "state"}
    every = (*cls.fields, *(rule for companions in cls.state.companions.values() for rule in companions))
    values = {side: ticket.fields for side, ticket in ((Side.EXTERNAL, external), (Side.INTERNAL, internal))}
    fields = {
        rule.external: Agreed(*(value_fingerprint(values[side].get(rule.name(side), "")) for side in Side)) for rule in every
    }
    state = Agreed(counted(cls.state, external.state), counted(cls.state, internal.state))
    base = Base(state=state, fields=fields, born=born(external, cls))
    return Rebuilt(
        replace(link, base=base, obstacles=(), external_number=external.number, internal_number=internal.number),
        tuple(sorted(differs)),
    )
