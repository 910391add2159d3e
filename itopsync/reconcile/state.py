"""The states: which side moved, which side follows, and through which transitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from itopsync.model import STATE, VERSION_TIME, Agreed, Heading, Link, Side, Ticket
from itopsync.reconcile.defaults import RESTS, Chosen
from itopsync.reconcile.form import carried_with_state, mandatory_defaults, noting, plan_values
from itopsync.reconcile.lifecycle import Step, is_past, is_terminal, unavoidable_decisions, way
from itopsync.reconcile.moments import moment
from itopsync.reconcile.part import Part, StateWrite
from itopsync.reconcile.plan import Item, Kept
from itopsync.reconcile.richtext import value_fingerprint
from itopsync.reconcile.rules import FieldRule, StateRules
from itopsync.reconcile.situation import Situation

_CREATING = timedelta(minutes=1)
"""How long after it began a create may still change the new ticket."""


@dataclass(frozen=True)
class Follow:
    """*side* is to go through *steps*, because the other side has moved."""

    side: Side
    steps: tuple[Step, ...]
    item: Item


@dataclass(frozen=True)
class StateDecision:
    """What happens to the states: at most one side follows; *agreed* is the new base if they correspond."""

    follow: Follow | None = None
    agreed: Agreed | None = None


def plan_state(situation: Situation) -> Part:
    """Plan who follows whom, with the companions of the new state, and any that were corrected while the state stays."""
    part = Part()
    agreed: dict[str, Agreed] = {}
    decision = decide(situation, part)
    for target in (Side.INTERNAL, Side.EXTERNAL):
        plan_values(situation, part, target, _companions_now(situation, decision), agreed)
    follow = decision.follow
    if follow is not None:
        content = part.content[follow.side]
        content.state_writes = _state_writes(situation, part, follow)
        part.uploads += (upload for each in content.state_writes for value in each.companions for upload in value.uploads)
        if not content.state_writes:
            follow = None  # held back, so there is no heading to record yet
    note_fields = noting(agreed)
    part.record = lambda link: _with_state(note_fields(link), situation, decision.agreed, follow)
    return part


def _with_state(link: Link, situation: Situation, agreed: Agreed | None, follow: Follow | None) -> Link:
    if agreed is not None:
        return replace(link, base=replace(link.base, state=agreed, heading=None, made_at=""))
    if follow is not None:
        heading = heading_of(follow, situation.ticket(follow.side).state)
        return replace(link, base=replace(link.base, heading=heading))
    return link


def _companions_now(situation: Situation, decision: StateDecision) -> tuple[FieldRule, ...]:
    """The companions of the state that both sides are in: if corrected while the state stays, they are carried alone."""
    if decision.agreed is None:
        return ()
    rules = situation.cls.state
    return tuple(replace(rule, direction=rules.direction) for rule in rules.companions.get(decision.agreed.external, ()))


def _state_writes(situation: Situation, part: Part, follow: Follow) -> tuple[StateWrite, ...]:
    """The writes for *follow*, up to a step whose companions must wait or whose mandatory defaults are unknown yet."""
    rules = situation.cls.state
    state_writes: list[StateWrite] = []
    for step in follow.steps:
        external = follow.side.pick(step.state, image(rules, Side.INTERNAL, step.state))
        if step is follow.steps[-1]:
            external = follow.side.pick(step.state, counted(rules, situation.ticket(Side.EXTERNAL).state))
        demanded = rules.of(follow.side).mandatory.get(step.state, frozenset())
        carried = carried_with_state(situation, part, follow.side, rules.companions.get(external, ()), demanded)
        if carried is None:
            break
        companions = tuple(carried)
        given: Mapping[str, object] = {value.rule.of(follow.side): value.value for value in companions}
        defaults = mandatory_defaults(situation, follow.side, step.state, given)
        if isinstance(defaults, str):
            part.put_off(follow.item, defaults, situation.now + RESTS)
        if not isinstance(defaults, Chosen):
            break
        state_writes.append(StateWrite(step, follow.item, companions, defaults))
    return tuple(state_writes)


def decide(situation: Situation, part: Part) -> StateDecision:
    """Compare both states with the base, and decide who follows whom."""
    rules = situation.cls.state
    external, internal = (situation.ticket(side).state for side in Side)
    if correspond(rules, external, internal):
        return StateDecision(agreed=Agreed(counted(rules, external), counted(rules, internal)))
    base = situation.link.base.state or initial(rules)
    moved = {side for side in Side if _has_moved(situation, side, base)}
    heading = situation.link.base.heading
    if not moved and heading is not None:
        moved = {heading.side.other}  # it went back to the base after we had followed it away from there
    leader = _leader(situation, part, moved, base)
    if leader is None:
        return StateDecision()
    return StateDecision(_follow(situation, part, leader, base))


def correspond(rules: StateRules, external: str, internal: str) -> bool:
    """Whether two states correspond by the maps; a state that is left out counts as the one before it."""
    external, internal = counted(rules, external), counted(rules, internal)
    return image(rules, Side.EXTERNAL, external) == internal or image(rules, Side.INTERNAL, internal) == external


def image(rules: StateRules, origin: Side, state: str) -> str:
    """The other side's state that corresponds to *origin*'s *state*."""
    mapping = origin.pick(rules.to_internal, rules.to_external)
    return mapping.get(state, state)


def counted(rules: StateRules, state: str) -> str:
    """The state before *state* if that is left out, else *state* itself."""
    return rules.left_out.get(state, state)


def initial(rules: StateRules) -> Agreed:
    """The base of a new copy: both sides at their initial states, so that an external ticket beyond that has moved."""
    return Agreed(rules.external.initial, rules.internal.initial)


def _has_moved(situation: Situation, side: Side, base: Agreed) -> bool:
    state = situation.ticket(side).state
    heading = situation.link.base.heading
    if heading is not None and heading.side is side and state in heading.states:
        return False  # we moved it, and were interrupted on the way
    return counted(situation.cls.state, state) != base.of(side)


def _leader(situation: Situation, part: Part, moved: set[Side], base: Agreed) -> Side | None:
    """The side whose state is carried: internal if both moved, unless external is past internal's state for good.

    In a conflict, a state set by a server itself does not count.
    """
    rules = situation.cls.state
    if len(moved) > 1:
        moved = {side for side in moved if not _is_by_itself(situation, side)} or moved
    allowed = {side for side in moved if rules.direction.allows(side)}
    if moved and not allowed:
        part.remark(Kept.LEFT_OUT, STATE)
    if not allowed:
        return None
    if Side.INTERNAL in allowed and not (len(allowed) > 1 and _is_past(situation, base)):
        return Side.INTERNAL
    return Side.EXTERNAL


def _is_past(situation: Situation, base: Agreed) -> bool:
    """Whether external has been at internal's state since both agreed, and went on to where nothing leads back: it was closed."""
    rules, (external, internal) = situation.cls.state, (situation.ticket(side).state for side in Side)
    there = image(rules, Side.INTERNAL, counted(rules, internal))
    return is_past(rules.external, base.external, there, counted(rules, external))


def _is_by_itself(situation: Situation, side: Side) -> bool:
    """Whether a timer brought the ticket to its state, or the create that made it."""
    state = situation.ticket(side).state
    made = side is Side.INTERNAL and state == situation.link.base.made_at
    return made or state in situation.cls.state.of(side).timers


def made_at(rules: StateRules, copy: Ticket) -> str:
    """What :attr:`~itopsync.model.Base.made_at` is to say of a copy that nobody has changed since it was created."""
    return "" if copy.state == rules.internal.initial else copy.state


def as_made(situation: Situation) -> Link:
    """The link of a copy that was found by its marker, with the state in which its create left it.

    This is known only at the first look, only if the copy was not changed later than when it began, and not at all if the time at
    which it began is carried from the other side.
    """
    link, cls, copy = situation.link, situation.cls, situation.ticket(Side.INTERNAL)
    began, changed = (moment(copy.fields.get(name, "")) for name in (cls.copy_since, VERSION_TIME))
    if link.base.last_change or link.base.fields or began is None or changed is None:
        return link
    if any(rule.internal == cls.copy_since for rule in cls.fields) or not timedelta() <= changed - began <= _CREATING:
        return link
    return replace(link, base=replace(link.base, made_at=made_at(cls.state, copy)))


def _follow(situation: Situation, part: Part, leader: Side, base: Agreed) -> Follow | None:
    rules, follower = situation.cls.state, leader.other
    wanted = counted(rules, situation.ticket(leader).state)
    present = situation.ticket(follower).state
    target = image(rules, leader, wanted)
    taken = unavoidable_decisions(rules.of(leader), base.of(leader), wanted)
    there = frozenset(image(rules, leader, decision) for decision in taken)
    steps = way(rules.of(follower), present, target, there)
    move = f"{leader}:{wanted}:{present}"
    item = Item(STATE, f"{move}:{_said(situation, leader)}" if steps else move)
    part.want(item)
    if situation.obstacle(item):
        return None
    if not steps:
        part.park(item, _no_way(rules, follower, present, target))
        return None
    return Follow(follower, steps, item)


def _said(situation: Situation, leader: Side) -> str:
    """A fingerprint of all companions: once somebody corrects one that was refused, the state is tried again."""
    said = situation.ticket(leader).fields
    texts = (said.get(rule.of(leader), "") for rule in situation.cls.state.every_companion.values())
    return value_fingerprint("\n".join(map(value_fingerprint, texts)))


def _no_way(rules: StateRules, follower: Side, present: str, target: str) -> str:
    lifecycle = rules.of(follower)
    if target not in lifecycle.mandatory:
        return f"{follower} knows no state '{target}'; name what it corresponds to in the state map"
    if is_terminal(lifecycle, present):
        return f"{follower} is at '{present}', which nothing leaves; the other side asks for '{target}'"
    if any((present, stimulus) in lifecycle.broken for stimulus in lifecycle.transitions.get(present, {})):
        return f"{follower} is at '{present}', and leaving it crashes that server; a person must move it towards '{target}'"
    return (
        f"no way leads {follower} from '{present}' to '{target}' but through a decision nobody took here; "
        f"take it in {follower}, and the state follows"
    )


def heading_of(follow: Follow, present: str) -> Heading:
    """The heading to record before the first stimulus is sent."""
    return Heading(follow.side, (present, *(step.state for step in follow.steps)))
