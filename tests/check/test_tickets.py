"""Classes, attributes, states, public logs and the scope, held against what the server has."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from itopsync.model import Side
from itopsync.reconcile.rules import FieldRule, Kind, LogRule
from tests.check.conftest import Checked

EXTERNAL, INTERNAL = Side


def test_a_class_that_is_not_there(rig: Checked) -> None:
    rig.cls("Problem", internal="Nonsense")
    assert rig.fault(INTERNAL) == (
        "there is no class Nonsense. Remove [classes.Problem], or name the corresponding class in its key internal."
    )


def test_all_attributes_that_are_not_there_are_one_fault(rig: Checked) -> None:
    cls = rig.configuration.rules.for_external("Problem")
    rig.cls("Problem", fields=(*cls.fields, FieldRule("nonsense", "title"), FieldRule("rubbish", "title")))
    assert rig.fault(EXTERNAL).startswith("Problem has no attribute nonsense, rubbish. Check [classes.Problem]")


def test_a_default_that_the_class_has_no_attribute_for(rig: Checked) -> None:
    rig.cls("NormalChange", on_create=("org_id", "service_id"))
    assert rig.fault(INTERNAL).startswith("NormalChange has no attribute service_id.")


def test_a_log_that_is_no_case_log(rig: Checked) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.cls("UserRequest", logs=(LogRule("description", "private_log"),))
    assert "UserRequest" in rig.fault(EXTERNAL)


def test_an_attribute_that_is_no_date(rig: Checked) -> None:
    rig.customer.create("UserRequest", title="Printer")
    cls = rig.configuration.rules.for_external("UserRequest")
    rig.cls(
        "UserRequest", fields=tuple(replace(rule, kind=Kind.DATE) if rule.external == "title" else rule for rule in cls.fields)
    )
    fault = rig.fault(EXTERNAL)
    assert fault.startswith("UserRequest: title is a text of 7 characters, which is not a date")
    assert "Printer" not in fault


def test_states_that_are_not_configured(rig: Checked) -> None:
    rig.customer.create("UserRequest", title="Printer")
    cls = rig.configuration.rules.for_external("UserRequest")
    known = replace(cls.state.external, initial="opened", transitions={"opened": {"ev_close": "closed"}})
    rig.cls("UserRequest", state=replace(cls.state, external=known))
    assert rig.warning(EXTERNAL).startswith(
        "UserRequest: 1 tickets are in states that the configuration does not know (new). "
        "Describe them in [classes.UserRequest.lifecycle.external]"
    )


def test_a_public_log_that_is_in_use_and_not_paired(rig: Checked) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.customer.note("UserRequest", number, "<p>Anybody?</p>", log="public_log")
    assert rig.warning(EXTERNAL).startswith("UserRequest: 1 tickets have entries in their public log, which is not paired.")
    cls = rig.configuration.rules.for_external("UserRequest")
    rig.cls("UserRequest", logs=(*cls.logs, LogRule("public_log", "public_log")))
    assert rig.wrong() == []


def test_a_scope_that_is_no_oql(rig: Checked) -> None:
    rig.cls("UserRequest", scope="nonsense = 1")
    fault = rig.fault(EXTERNAL)
    assert fault.startswith("scope of UserRequest: cannot answer core/get UserRequest: Unknown filter code")
    assert fault.endswith("Fix the OQL of scope.condition or classes.UserRequest.scope.")


def test_how_many_copies_a_first_run_makes(rig: Checked) -> None:
    for title in ("one", "two"):
        rig.customer.create("UserRequest", title=title)
    rig.customer.create("Incident", title="three")
    assert rig.told(EXTERNAL, "in scope") == (
        "3 tickets are in scope since 2026-11-20 00:00 (2 UserRequest, 1 Incident): each that is not linked yet gets a copy"
    )
    rig.now += timedelta(days=1)
    rig.rules(since=rig.now.isoformat())
    assert rig.told(EXTERNAL, "in scope").startswith("0 tickets are in scope")


def test_more_tickets_in_scope_than_a_cycle_lets_through(rig: Checked) -> None:
    rig.rules(limits=rig.configuration.rules.limits.model_copy(update={"creations": 1}))
    for title in ("one", "two"):
        rig.customer.create("UserRequest", title=title)
    warning = rig.warning(EXTERNAL)
    assert "2 tickets are in scope" in warning
    assert "`itopsync accept creations`" in warning


def test_without_new_tickets_nothing_is_counted(rig: Checked) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.rules(new_tickets=False)
    assert rig.told(EXTERNAL, "new_tickets") == "no new tickets are copied (rules.new_tickets)"
