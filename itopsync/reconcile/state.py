"""The states: which side moved, which side follows, and by what way."""

from __future__ import annotations

from dataclasses import dataclass

from itopsync.model import Agreed, Heading, Side
from itopsync.reconcile.lifecycle import Step, is_terminal, unavoidable_decisions, way
from itopsync.reconcile.plan import Item, Kept, Remark
from itopsync.reconcile.rules import StateRules
from itopsync.reconcile.situation import Situation


@dataclass(frozen=True)
class Follow:
    """*side* is to be taken along *steps*, as the other side has moved."""

    side: Side
    steps: tuple[Step, ...]
    item: Item


@dataclass(frozen=True)
class StateDecision:
    """What becomes of the states: at most one side follows; *agreed* is the new base where they correspond."""

    follow: Follow | None = None
    agreed: Agreed | None = None


def decide(situation: Situation) -> StateDecision:
    """Compare both states with the base and say who follows whom."""
    rules = situation.cls.state
    external, internal = (situation.ticket(side).state for side in Side)
    if correspond(rules, external, internal):
        return StateDecision(agreed=Agreed(counted(rules, external), counted(rules, internal)))
    base = situation.link.base.state or initial(rules)
    moved = {side for side in Side if _has_moved(situation, side, base)}
    heading = situation.link.base.heading
    if not moved and heading is not None:
        moved = {heading.side.other}  # back at the base after we had followed it from there
    leader = _leader(situation, moved)
    if leader is None:
        return StateDecision()
    return StateDecision(_follow(situation, leader, base))


def correspond(rules: StateRules, external: str, internal: str) -> bool:
    """Whether two states are one and the same by the maps; what is left out counts as the state before it."""
    external, internal = counted(rules, external), counted(rules, internal)
    return image(rules, Side.EXTERNAL, external) == internal or image(rules, Side.INTERNAL, internal) == external


def image(rules: StateRules, origin: Side, state: str) -> str:
    """The state of the other side that *origin*'s *state* asks for."""
    mapping = rules.to_internal if origin is Side.EXTERNAL else rules.to_external
    return mapping.get(state, state)


def counted(rules: StateRules, state: str) -> str:
    """What *state* counts as: a state that is left out counts as the one before it."""
    return rules.left_out.get(state, state)


def initial(rules: StateRules) -> Agreed:
    """The base of a new copy: both at the beginning, so that an external ticket that is further on has moved."""
    return Agreed(rules.external.initial, rules.internal.initial)


def _has_moved(situation: Situation, side: Side, base: Agreed) -> bool:
    state = situation.ticket(side).state
    heading = situation.link.base.heading
    if heading is not None and heading.side is side and state in heading.states:
        return False  # that was us, on a way that something interrupted
    return counted(situation.cls.state, state) != base.of(side)


def _leader(situation: Situation, moved: set[Side]) -> Side | None:
    """The side whose state goes to the other one. Where both moved, internal; a timer's state is no move in a conflict."""
    rules = situation.cls.state
    if len(moved) > 1:
        by_people = {side for side in moved if situation.ticket(side).state not in rules.lifecycle(side).timers}
        moved = by_people or moved
    allowed = {side for side in moved if rules.direction.allows(side)}
    if moved and not allowed:
        situation.remarks.append(Remark(Kept.LEFT_OUT, "state"))
    if not allowed:
        return None
    return Side.INTERNAL if Side.INTERNAL in allowed else Side.EXTERNAL


def _follow(situation: Situation, leader: Side, base: Agreed) -> Follow | None:
    rules, follower = situation.cls.state, leader.other
    wanted = counted(rules, situation.ticket(leader).state)
    present = situation.ticket(follower).state
    target = image(rules, leader, wanted)
    item = Item("state", f"{leader}:{wanted}:{present}")
    situation.want(item)
    if situation.obstacle(item):
        return None
    taken = unavoidable_decisions(rules.lifecycle(leader), base.of(leader), wanted)
    there = frozenset(image(rules, leader, decision) for decision in taken)
    steps = way(rules.lifecycle(follower), present, target, there)
    if not steps:
        situation.park(item, _no_way(rules, follower, present, target))
        return None
    return Follow(follower, steps, item)


def _no_way(rules: StateRules, follower: Side, present: str, target: str) -> str:
    lifecycle = rules.lifecycle(follower)
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
    """What to remember before the first stimulus is sent."""
    return Heading(follow.side, (present, *(step.state for step in follow.steps)))
