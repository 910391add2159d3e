"""Makes a new base for a link after the store was lost: the present state of both tickets, with a list of what differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from itopsync.model import (
    STATE,
    TICKET,
    UNSAVED,
    Agreed,
    Attachment,
    Base,
    ItemKey,
    ItemKind,
    Link,
    LinkStatus,
    Observation,
    Obstacle,
    Side,
    Sighting,
)
from itopsync.reconcile.form import alike
from itopsync.reconcile.identity import last_change
from itopsync.reconcile.markers import attachment_of
from itopsync.reconcile.plan import Item, Plan, Upload, Write
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.state import counted

TICKET_WITHOUT_COPY = Item(TICKET, "").parked(
    "no copy was found after the store was lost; `itopsync resume` has one made, `itopsync unlink` leaves it without"
)
FILE_WITHOUT_COPY = Item(ItemKey.of(ItemKind.FILE), "").parked(
    "no copy was found after the store was lost; `itopsync retry` has one made"
)


@dataclass(frozen=True)
class Rebuilt:
    """A link that a rebuild has found."""

    link: Link
    differs: tuple[str, ...]
    """``state`` and attributes (external names) that differ; they stay as they are, for a person to decide."""

    @property
    def without_copy(self) -> tuple[Obstacle, ...]:
        """The obstacles of files that have no copy though younger ones do; a person decides."""
        return tuple(obstacle for obstacle in self.link.obstacles if obstacle.reason == FILE_WITHOUT_COPY.reason)


def rebuilt(plan: Plan, observation: Observation, rules: Rules, youngest: Mapping[Side, int], now: datetime) -> Rebuilt:
    """Return the link with a base by which no present difference is carried; *plan* was made for the link without any base.

    Entries and files bear their markers, so the base need not contain them. But a file older than the *youngest* one of its side
    with a copy may have had a copy that a person deleted.
    """
    link, cls = plan.link, rules.for_external(plan.link.external.cls)
    external, internal = observation.external, observation.internal
    if external is None or internal is None or link.status is not LinkStatus.LINKED:
        return Rebuilt(link, ())
    writes = [action for action in plan.actions if isinstance(action, Write)]
    situation = Situation(plan.link, observation, rules, cls, now)
    by_hand = frozenset(log.names for log in cls.logs) if situation.ticket_markers.kept else None
    told = {name for write in writes for name in write.agrees}
    candidates = [rule for rule in cls.every_rule if by_hand is not None or rule.external in told]
    differs = {rule.external for rule in candidates if not alike(situation, rule)}
    differs |= {"state" for write in writes if write.stimulus}
    differs |= {"state" for obstacle in plan.link.obstacles if obstacle.key == STATE}
    return Rebuilt(
        replace(
            link,
            base=replace(base_of_now(observation, cls, differs), joined_logs=by_hand),
            obstacles=tuple(_of_files(plan, youngest)),
            external_number=external.number,
            internal_number=internal.number,
        ),
        tuple(sorted(differs)),
    )


def youngest_of(copies: Mapping[Side, Iterable[Attachment]], pair: str) -> Mapping[Side, int]:
    """Side → the highest id of an attachment with a copy; *copies* are keyed by the side that they are on."""
    originals = (attachment_of(attachment.temp_id, pair) for side in Side for attachment in copies[side])
    found = dict.fromkeys(Side, 0)
    for original in filter(None, originals):
        found[original.side] = max(found[original.side], original.id)
    return found


def without_copy(external: Sighting) -> Link:
    """The link of a ticket that has no copy though younger ones do: parked until a person has decided."""
    return Link(UNSAVED, external.ref, None, LinkStatus.PARKED, external.number, obstacles=(TICKET_WITHOUT_COPY,))


def _of_files(plan: Plan, youngest: Mapping[Side, int]) -> Iterable[Obstacle]:
    for action in plan.actions:
        if isinstance(action, Upload) and action.pair and action.pair.original_id < youngest[action.pair.origin]:
            yield replace(FILE_WITHOUT_COPY, key=action.item.key, fingerprint=action.item.fingerprint)


def base_of_now(observation: Observation, cls: ClassRules, differs: Collection[str]) -> Base:
    """A base by which both sides' present form and state count as agreed. Both tickets must be there.

    *differs*: ``state`` and attributes (external names) that differ, and stay so.
    """
    external, internal = observation.external, observation.internal
    if external is None or internal is None:
        raise ValueError("one of the two tickets is not there")
    fields = {
        rule.external: Agreed(
            value_fingerprint(external.fields.get(rule.external, ""), is_html=rule.is_html),
            value_fingerprint(internal.fields.get(rule.internal, ""), is_html=rule.is_html),
        )
        for rule in cls.every_rule
    }
    state = Agreed(counted(cls.state, external.state), counted(cls.state, internal.state))
    apart = {name: agreed for name, agreed in {**fields, "state": state}.items() if name in differs}
    return Base(state=state, fields=fields, last_change=last_change(external), apart=apart)
