"""Compiles the states of a pair of classes: their lifecycles, maps and companions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from itopsync.config.attributes import ClassPair, compile_attribute, turned_round
from itopsync.config.faults import Faults
from itopsync.config.schema import ClassSection, LifecycleSection
from itopsync.model import Side
from itopsync.reconcile.rules import Direction, FieldRule, Lifecycle, StateRules
from itopsync.settings.hints import listed, meant, meant_or


def compile_states(pair: ClassPair, section: ClassSection, direction: Direction, faults: Faults) -> StateRules:
    """Compile everything about the states of one pair of classes."""
    place = f"{pair.place}.states"
    external = _lifecycle(pair.external.lifecycle, section.lifecycle.external, f"{pair.place}.lifecycle.external", faults)
    internal = _lifecycle(pair.internal.lifecycle, section.lifecycle.internal, f"{pair.place}.lifecycle.internal", faults)
    maps = section.states
    theirs, ours = _States(pair.external_name, external), _States(pair.internal_name, internal)
    _check_map(maps.to_internal, theirs, ours, f"{place}.to_internal", faults)
    _check_map(maps.to_external, ours, theirs, f"{place}.to_external", faults)
    left_out = _left_out(pair, section, theirs, ours, faults)
    back: dict[str, str] = {}
    sound = not any(faults.any_below(f"{pair.place}.{key}") for key in ("states", "lifecycle"))
    if sound and direction is not Direction.NEVER:
        carried = tuple(state for state in theirs.reachable if state not in left_out)
        returned = tuple(state for state in ours.reachable if state not in left_out)
        back = turned_round(maps, place, faults, external=carried, internal=returned)
        if direction.allows(Side.EXTERNAL):
            _check_counterparts(carried, maps.to_internal, ours, f"{place}.to_internal", faults)
        if direction.allows(Side.INTERNAL):
            _check_counterparts(returned, back, theirs, f"{place}.to_external", faults)
    return StateRules(
        external,
        internal,
        direction,
        MappingProxyType(dict(maps.to_internal)),
        MappingProxyType(back),
        MappingProxyType(left_out),
        MappingProxyType(_companions(pair, section, theirs, direction, faults)),
    )


class _States:
    """The states of one class."""

    def __init__(self, cls: str, lifecycle: Lifecycle) -> None:
        self.cls = cls
        self.names = lifecycle.mandatory.keys()
        self.initial = lifecycle.initial
        self.reachable = _reachable(lifecycle)


def _reachable(lifecycle: Lifecycle) -> tuple[str, ...]:
    found = [lifecycle.initial]
    for state in found:
        found += [to for to in dict.fromkeys(lifecycle.transitions.get(state, {}).values()) if to not in found]
    return tuple(found)


def _is_state(states: _States, state: str, key: str, faults: Faults) -> bool:
    if state in states.names:
        return True
    faults.add(key, f"{states.cls} has no state '{state}'", meant(state, states.names))
    return False


def _check_map(mapping: Mapping[str, str], origin: _States, target: _States, key: str, faults: Faults) -> None:
    for state, to in mapping.items():
        if _is_state(origin, state, f"{key}.{state}", faults):
            _is_state(target, to, f"{key}.{state}", faults)


def _check_counterparts(states: Collection[str], mapping: Mapping[str, str], there: _States, key: str, faults: Faults) -> None:
    alone = [state for state in states if mapping.get(state, state) not in there.names]
    if alone:
        remedy = f"Map each of them there, or leave them out in {key.rpartition('.')[0]}.left_out"
        faults.add(key, f"no state of {there.cls} corresponds to {listed(alone)}", remedy)


def _left_out(pair: ClassPair, section: ClassSection, theirs: _States, ours: _States, faults: Faults) -> dict[str, str]:
    given = section.states.left_out
    if given is None:
        by_default = {**pair.internal.left_out, **pair.external.left_out}
        return {state: before for state, before in by_default.items() if state not in section.states.to_internal}
    for state, before in given.items():
        key = f"{pair.place}.states.left_out.{state}"
        classes = [states for states in (theirs, ours) if state in states.names]
        if not classes:
            _is_state(theirs, state, key, faults)
        elif before in given:
            faults.add(key, f"'{before}' is left out as well", "Name a state before it that is carried")
        elif state in section.states.to_internal:
            faults.add(key, "it is both mapped in to_internal and left out here", "Keep one of them")
        elif any(state == states.initial for states in classes):
            faults.add(key, "every ticket begins in it", "Remove it")
        else:
            for states in classes:
                _is_state(states, before, key, faults)
    return dict(given)


def _companions(
    pair: ClassPair, section: ClassSection, states: _States, direction: Direction, faults: Faults
) -> dict[str, tuple[FieldRule, ...]]:
    for state in section.companions:
        _is_state(states, state, f"{pair.place}.companions.{state}", faults)
    found: dict[str, tuple[FieldRule, ...]] = {}
    if direction is Direction.NEVER:
        return found
    for state in states.names:
        given = section.companions.get(state)
        names = [name for name in pair.external.companions.get(state, ()) if pair.fits(name)] if given is None else given
        key = f"{pair.place}.companions.{state}"
        rules = (compile_attribute(pair, name, direction, key, faults) for name in dict.fromkeys(names))
        if companions := tuple(rule for rule in rules if rule is not None):
            found[state] = companions
    return found


def _lifecycle(own: Lifecycle, section: LifecycleSection, place: str, faults: Faults) -> Lifecycle:
    """iTop's own lifecycle, with the changes that the file describes."""
    transitions = {state: dict(ways) for state, ways in own.transitions.items()}
    for state, ways in section.transitions.items():
        transitions.setdefault(state, {})
        for stimulus, to in ways.items():
            key = f"{place}.transitions.{state}.{stimulus}"
            if to:
                transitions[state][stimulus] = to
            elif transitions[state].pop(stimulus, None) is None:
                faults.add(key, f"'{state}' has no {stimulus} to remove", meant(stimulus, transitions[state]))
    _check_lifecycle(transitions, section, place, faults)
    mandatory = {state: own.mandatory.get(state, frozenset()) for state in transitions}
    mandatory |= {state: frozenset(names) for state, names in section.mandatory.items() if state in transitions}
    named = {(state, stimulus) for state, ways in section.transitions.items() for stimulus in ways}
    return replace(
        own,
        transitions=MappingProxyType({state: MappingProxyType(ways) for state, ways in transitions.items()}),
        mandatory=MappingProxyType(mandatory),
        decisions=own.decisions if section.decisions is None else frozenset(section.decisions),
        broken=own.broken - named,
    )


def _check_lifecycle(transitions: Mapping[str, Mapping[str, str]], section: LifecycleSection, place: str, faults: Faults) -> None:
    for state, ways in section.transitions.items():
        for stimulus, to in ways.items():
            if to and to not in transitions:
                faults.add(
                    f"{place}.transitions.{state}.{stimulus}", f"there is no state '{to}'", _or_new(to, transitions, place)
                )
    for name, states in (("mandatory", section.mandatory), ("decisions", section.decisions or ())):
        for state in states:
            if state not in transitions:
                key = f"{place}.{name}.{state}" if name == "mandatory" else f"{place}.{name}"
                faults.add(key, f"there is no state '{state}'", _or_new(state, transitions, place))


def _or_new(state: str, transitions: Mapping[str, object], place: str) -> str:
    return meant_or(state, transitions, f"A new state needs a table {place}.transitions.{state}")
