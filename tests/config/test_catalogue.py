"""What is known of iTop's own classes fits together, and fits the model that the simulated iTop was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pytest

from itopsync.config.catalogue import KEPT_BY_ITOP, ORGANISATION_AND_PEOPLE, TicketClass, classes
from itopsync.reconcile.lifecycle import way
from itopsync.reconcile.rules import Kind

MODEL = json.loads(files("itopsync.simulator").joinpath("data/model.json").read_text())
KINDS = {
    Kind.TEXT: {"string", "text"},
    Kind.HTML: {"html"},
    Kind.CODE: {"enum"},
    Kind.DATE: {"datetime"},
}

every_class = pytest.mark.parametrize("cls", classes().values(), ids=classes().keys())


def declared(name: str) -> dict[str, Mapping[str, Any]]:
    """The attributes of a class in the model, by code, those that it inherits among them."""
    model = MODEL["alternatives"][name] if name == "Change" else MODEL["classes"][name]
    found = {field["code"]: field for field in model["fields"]}
    parent = model["parent"]
    while parent is not None:
        found = {field["code"]: field for field in MODEL["classes"][parent]["fields"]} | found
        parent = MODEL["classes"][parent]["parent"]
    return found


@every_class
def test_every_attribute_is_there_and_of_its_kind(cls: TicketClass) -> None:
    there = declared(cls.name)
    assert {name: there[name]["type"] in KINDS[attribute.kind] for name, attribute in cls.attributes.items()} == dict.fromkeys(
        cls.attributes, True
    )
    assert {there[name]["type"] for name in cls.keys} == {"extkey"}
    assert set(cls.logs) == {name for name, field in there.items() if field["type"] == "caselog"}


@every_class
def test_what_is_carried_by_default_is_an_attribute_and_nobodys_own(cls: TicketClass) -> None:
    carried = {*cls.form, *(name for names in cls.companions.values() for name in names)}
    assert carried <= cls.attributes.keys()
    assert not carried & (ORGANISATION_AND_PEOPLE | KEPT_BY_ITOP)
    assert cls.companions.keys() <= cls.lifecycle.transitions.keys()
    assert cls.attributes[cls.since_attribute].kind is Kind.DATE


@every_class
def test_a_state_takes_along_all_that_it_demands(cls: TicketClass) -> None:
    for state, demanded in cls.lifecycle.mandatory.items():
        assert demanded <= {*cls.keys, *cls.form, *cls.companions.get(state, ())}, state


@every_class
def test_the_lifecycle_is_the_models(cls: TicketClass) -> None:
    model = MODEL["alternatives"][cls.name] if cls.name == "Change" else MODEL["classes"][cls.name]
    transitions = {
        state: {stimulus: to["target"] for stimulus, to in entry["transitions"].items()}
        for state, entry in model["lifecycle"].items()
    }
    assert cls.lifecycle.transitions == transitions
    assert cls.lifecycle.mandatory == {state: frozenset(entry["mandatory"]) for state, entry in model["lifecycle"].items()}


@every_class
def test_every_state_that_a_person_can_reach_is_reached_without_a_timer(cls: TicketClass) -> None:
    lifecycle = cls.lifecycle
    found = [lifecycle.initial]
    for state in found:
        found += [to for to in lifecycle.transitions[state].values() if to not in found]
    for state in found:
        ways = way(lifecycle, lifecycle.initial, state, lifecycle.decisions)
        assert ways is not None
        assert not {step.state for step in ways[:-1]} & lifecycle.timers
