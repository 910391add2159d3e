"""What a link's base is taken for when it has been lost: what stands there now, and a list of what differs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from itopsync.model import Agreed, Base, Link, LinkStatus, Observation
from itopsync.reconcile.plan import Plan, Write
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.reconcile.state import counted
from itopsync.reconcile.strangers import born


@dataclass(frozen=True)
class Rebuilt:
    """A link found again."""

    link: Link
    differs: tuple[str, ...]
    """``state`` and attributes (external names) in which the sides differ: left as they are, for a person to decide."""
    parted: bool = False
    """A person had unlinked the two: that stays so."""


def rebuilt(plan: Plan, observation: Observation, rules: Rules) -> Rebuilt:
    """Return the link with a base at which nothing is carried that differs now; *plan* was made for it without any base.

    Entries and files bear their markers, so of those nothing needs to be remembered.
    """
    link, cls = plan.link, rules.for_external(plan.link.external.cls)
    external, internal = observation.external, observation.internal
    if external is None or internal is None or link.status is LinkStatus.TOMBSTONE:
        return Rebuilt(link, (), plan.parted)
    writes = [action for action in plan.actions if isinstance(action, Write)]
    differs = {name for write in writes for name in write.agrees} | {"state" for write in writes if write.stimulus}
    differs |= {"state" for one in plan.link.obstacles if one.key == "state"}
    return Rebuilt(
        replace(
            link,
            base=base_of_now(observation, cls, differs),
            obstacles=(),
            external_number=external.number,
            internal_number=internal.number,
        ),
        tuple(sorted(differs)),
    )


def base_of_now(observation: Observation, cls: ClassRules, differs: Collection[str]) -> Base:
    """A base at which both sides' form and state, as they are now, count as agreed. Only where both tickets are there.

    *differs* is what stays apart so: ``state`` and attributes (external names).
    """
    external, internal = observation.external, observation.internal
    if external is None or internal is None:
        raise ValueError("one of the two tickets is not there")
    every = (*cls.fields, *(rule for companions in cls.state.companions.values() for rule in companions))
    fields = {
        rule.external: Agreed(
            value_fingerprint(external.fields.get(rule.external, "")), value_fingerprint(internal.fields.get(rule.internal, ""))
        )
        for rule in every
    }
    state = Agreed(counted(cls.state, external.state), counted(cls.state, internal.state))
    apart = {name: agreed for name, agreed in {**fields, "state": state}.items() if name in differs}
    return Base(state=state, fields=fields, born=born(external, cls), apart=apart)
