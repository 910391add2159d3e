"""Our account on a server is replaced by another one: what the former one wrote stays ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itopsync.engine.rebuild import UnknownAccount, rebuild
from itopsync.errors import StoreError
from itopsync.model import Ref, Side
from itopsync.simulator import FaultKind
from itopsync.store.records import CycleKind
from tests.engine.rig import Rig

OTHER = 77
"""The id of the account that comes instead."""


def _replace_account(rig: Rig, side: Side, number: int = OTHER, login: str = "sync") -> None:
    """Another account has the login that is in the configuration."""
    simulator = rig.simulator(side)
    simulator.accounts[login] = replace(simulator.accounts["sync"], login=login, user_id=number)
    user = {"finalclass": "UserLocal", "id": number, "login": login, "contactid": 40, "language": "EN US", "status": "enabled"}
    simulator.store.put(user)


def _authors(rig: Rig, side: Side, number: int) -> list[int]:
    return [entry.user_id for entry in rig.simulator(side).ticket("UserRequest", number)["private_log"]]


def _lose_the_store(rig: Rig) -> None:
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()


@pytest.mark.parametrize("changes", ["restart", "sweep", "outage"])
def test_a_lost_answer_to_a_create_of_a_new_account_makes_no_second_ticket(rig: Rig, changes: str) -> None:
    rig.customer.create("UserRequest", title="Before")
    rig.sync()
    _replace_account(rig, Side.INTERNAL)
    if changes == "restart":
        rig.restart()
    elif changes == "sweep":
        rig.engine.cycle(CycleKind.SWEEP)
    else:
        rig.internal.maintenance = True
        rig.sync()
        rig.internal.maintenance = False
    rig.customer.create("UserRequest", title="After", private_log="<p>One</p>")
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], accounts=["sync"], times=1)
    rig.sync()
    rig.settle()
    assert [ticket["title"] for ticket in rig.internal.tickets()] == ["Before", "After"]
    assert rig.differences() == []


def test_a_copy_that_the_former_account_made_is_found_by_its_successor(rig: Rig) -> None:
    rig.sync()
    number = rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>")
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], accounts=["sync"], times=1)
    rig.sync()
    _replace_account(rig, Side.INTERNAL)
    rig.restart()
    rig.settle()
    assert len(rig.internal.tickets()) == 1
    rig.customer.note("UserRequest", number, "<p>Two</p>")
    rig.sync()
    assert _authors(rig, Side.INTERNAL, rig.copy_of(number)) == [2, 2, OTHER]


def test_an_account_may_change_again_and_back(rig: Rig) -> None:
    for account in (2, OTHER, OTHER + 1, 2, OTHER):
        _replace_account(rig, Side.INTERNAL, account)
        rig.restart()
        rig.customer.create("UserRequest", title="Something to do")
        rig.sync()
    state = rig.store.polls.side(Side.INTERNAL)
    assert state.account == str(OTHER)
    assert state.accounts == {"2", str(OTHER), str(OTHER + 1)}
    assert rig.store.polls.side(Side.EXTERNAL).accounts == {"2"}


def test_a_login_that_is_renamed_stays_who_it_is(rig: Rig) -> None:
    rig.sync()
    accounts = rig.internal.accounts
    accounts["robot"] = replace(accounts.pop("sync"), login="robot")
    settings = rig.configuration.internal.model_copy(update={"username": "robot"})
    rig.configuration = replace(rig.configuration, internal=settings)
    rig.restart()
    rig.sync()
    assert rig.store.polls.side(Side.INTERNAL).accounts == {"2"}


@pytest.mark.parametrize("side", list(Side))
def test_an_echo_by_a_former_account_is_no_note_of_a_persons(rig: Rig, side: Side) -> None:
    """iTop copies a parent's entries into its children, healed ones twice: what bears a marker a second time is ours as well."""
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.agent(side.other).note("UserRequest", number if side is Side.INTERNAL else rig.copy_of(number), "<p>One</p>")
    rig.sync()
    there = number if side is Side.EXTERNAL else rig.copy_of(number)
    ours = rig.simulator(side).ticket("UserRequest", there)["private_log"][-1]
    row = rig.simulator(side).store.get("UserRequest", there)
    assert row is not None
    rig.simulator(side).apply("UserRequest", there, None, {"private_log": row["private_log"].append(ours)})
    _replace_account(rig, side)
    rig.restart()
    before = rig.written()
    rig.wait(hours=2)
    rig.customer.update("UserRequest", number, title="Touched")
    rig.sync()
    assert rig.written() == before + 1


def test_two_that_work_on_one_pair_with_accounts_of_their_own_know_each_other(rig: Rig) -> None:
    """A standby has its own configuration; the store is one."""
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    _replace_account(rig, Side.INTERNAL, OTHER, "standby")
    first = rig.configuration
    second = replace(first, internal=first.internal.model_copy(update={"username": "standby"}))
    for configuration in (second, first, second):
        rig.configuration = configuration
        rig.restart()
        rig.customer.note("UserRequest", number, "<p>More</p>")
        rig.sync()
        rig.customer.create("UserRequest", title="New")
        rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], times=1)
        rig.sync()
        rig.settle()
    assert len(rig.internal.tickets()) == 4
    assert rig.differences() == []


def test_who_we_are_is_not_known_where_the_account_sees_no_organisation_any_more(rig: Rig) -> None:
    """Then the first bearer of a marker counts as ours; whom we knew is remembered."""
    rig.sync()
    rig.internal.accounts["sync"] = rig.internal.accounts["sync"].without("Organization", "read", "bulk read")
    rig.restart()
    rig.pair.learn_accounts()
    assert rig.pair.rules.internal.accounts == frozenset()
    assert rig.pair.rules.external.accounts == {"2"}


def test_verify_and_the_like_ask_who_we_are_and_write_nothing_down(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    _replace_account(rig, Side.INTERNAL)
    rig.restart()
    assert all(not planned.plan.actions for planned in rig.inspector.verify())
    assert rig.pair.rules.internal.accounts == {"2", str(OTHER)}
    assert rig.store.polls.side(Side.INTERNAL).accounts == {"2"}


def test_after_a_lost_store_the_former_accounts_are_found_again(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>")
    rig.sync()
    copy = rig.copy_of(number)
    rig.operator.note("UserRequest", copy, "<p>Two</p>")
    rig.sync()
    for side in Side:
        _replace_account(rig, side)
    _lose_the_store(rig)
    (asked,) = rebuild(rig.inspector)
    assert isinstance(asked, UnknownAccount)
    assert (asked.id, asked.tickets) == ("2", (Ref(Side.INTERNAL, "UserRequest", copy),))
    with pytest.raises(StoreError, match="Run `itopsync rebuild` again"):
        rig.engine.cycle()
    found = list(rebuild(rig.inspector, ours={"2"}))
    assert len(found) == 1
    for side in Side:
        assert rig.pair.rules.of(side).accounts == {"2", str(OTHER)}
    before = rig.written()
    rig.sync()
    rig.settle()
    assert rig.written() == before
    assert len(rig.internal.tickets()) == 1
    assert rig.differences() == []


def test_after_a_lost_store_who_pasted_a_mark_is_not_taken_for_us(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>")
    rig.sync()
    copy = rig.copy_of(number)
    marked = rig.internal.ticket("UserRequest", copy)["private_log"][0]
    rig.customer.create("UserRequest", title="Screen")
    rig.sync()
    other = rig.operator.create("UserRequest", title="Our own", private_log=marked.text)
    rig.operator.note("UserRequest", copy, marked.text)
    _replace_account(rig, Side.INTERNAL)
    _lose_the_store(rig)
    assert [found.id for found in rebuild(rig.inspector) if isinstance(found, UnknownAccount)] == ["2"]
    list(rebuild(rig.inspector, ours={"2"}))
    assert rig.pair.rules.internal.accounts == {"2", str(OTHER)}
    assert rig.copy_of(number) == copy != other


def test_a_persons_ticket_that_bears_a_copied_marker_never_becomes_a_copy(rig: Rig) -> None:
    """A marker can be pasted by anybody: after a lost store it says nothing of who wrote it."""
    number = rig.customer.create("UserRequest", title="Printer", private_log="<p>One</p>")
    rig.sync()
    copy = rig.copy_of(number)
    marked = rig.internal.ticket("UserRequest", copy)["private_log"][0]
    own = rig.operator.create("UserRequest", title="Our own", private_log=marked.text)
    rig.operator.delete("UserRequest", copy)
    _lose_the_store(rig)
    (asked,) = rebuild(rig.inspector)
    assert isinstance(asked, UnknownAccount)
    assert asked.tickets == (Ref(Side.INTERNAL, "UserRequest", own),)
    list(rebuild(rig.inspector, people={asked.id}))
    rig.operator.attach("UserRequest", own, "secret.txt", "text/plain", b"secret")
    rig.operator.note("UserRequest", own, "<p>Secret</p>")
    rig.sync()
    rig.settle()
    assert rig.writes(Side.EXTERNAL) == []
