"""The internal class of an external one is changed in sync.toml: a copy is known in whichever class it was made."""

from __future__ import annotations

import pytest

from itopsync import config
from itopsync.engine.rebuild import rebuild
from itopsync.errors import StoreError
from itopsync.model import LinkStatus, Side
from itopsync.reconcile.rebuilding import Rebuilt
from itopsync.simulator import FaultKind
from itopsync.store.records import CycleKind
from tests.engine.rig import CONFIGURATION, Rig

SAME = "[classes.Incident]\n"
MAPPED = """\
[classes.Incident]
internal = "UserRequest"
[classes.Incident.states]
to_external = { waiting_for_approval = "new", approved = "assigned", rejected = "closed" }
to_internal = { new = "new", assigned = "assigned", closed = "closed" }
"""
BOTH_WAYS = pytest.mark.parametrize(("before", "after"), [(SAME, MAPPED), (MAPPED, SAME)], ids=["mapped", "mapped back"])


def _configure(rig: Rig, classes: str) -> None:
    """Write what is to be made of incidents, and start anew."""
    path = rig.folder / "sync.toml"
    path.write_text(CONFIGURATION.format(store=rig.folder / "store.sqlite", more="").replace(SAME, classes))
    rig.configuration = config.load(path, {"PASSWORD": "sync-password"}, now=rig.now)
    rig.restart()


def _lose_the_store(rig: Rig) -> None:
    rig.stop()
    for path in rig.folder.glob("store.sqlite*"):
        path.unlink()
    rig.start()


def _rest(rig: Rig) -> None:
    rig.settle()
    rig.engine.cycle(CycleKind.SWEEP)
    rig.settle(1)


@BOTH_WAYS
def test_a_link_goes_on_with_the_copy_that_it_has(rig: Rig, before: str, after: str) -> None:
    _configure(rig, before)
    number = rig.customer.create("Incident", title="Printer")
    rig.sync()
    rig.settle()
    _configure(rig, after)
    copy = rig.link(number, "Incident").internal
    assert copy is not None
    rig.operator.note(copy.cls, copy.id, "<p>From internal</p>")
    rig.customer.note("Incident", number, "<p>From external</p>")
    rig.sync()
    assert sum("From internal" in text for text in rig.texts(Side.EXTERNAL, number, "Incident")) == 1
    assert sum("From external" in text for text in rig.texts(Side.INTERNAL, copy.id, copy.cls)) == 1
    assert len(rig.internal.tickets()) == 1


@BOTH_WAYS
def test_a_create_without_an_answer_is_found_in_the_class_that_it_was_made_in(rig: Rig, before: str, after: str) -> None:
    _configure(rig, before)
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], accounts=["sync"], times=3)
    numbers = [rig.customer.create("Incident", title=f"No. {number}") for number in range(3)]
    rig.sync()
    rig.internal.faults.clear()
    _configure(rig, after)
    _rest(rig)
    assert len(rig.internal.tickets()) == 3
    assert {rig.link(number, "Incident").status for number in numbers} == {LinkStatus.LINKED}


@BOTH_WAYS
def test_a_lost_store_is_told_and_found_again(rig: Rig, before: str, after: str) -> None:
    _configure(rig, before)
    number = rig.customer.create("Incident", title="Printer", private_log="<p>One</p>")
    rig.sync()
    _configure(rig, after)
    _lose_the_store(rig)
    with pytest.raises(StoreError, match="itopsync rebuild"):
        rig.engine.cycle()
    assert [isinstance(each, Rebuilt) for each in rebuild(rig.inspector)] == [True]
    written = rig.written()
    _rest(rig)
    assert (len(rig.internal.tickets()), rig.written()) == (1, written)
    assert rig.link(number, "Incident").status is LinkStatus.LINKED


def test_a_copy_of_a_class_that_has_nothing_in_common_is_its_own_links_trouble(rig: Rig) -> None:
    _configure(rig, MAPPED)
    number = rig.customer.create("Incident", title="Printer")
    other = rig.customer.create("UserRequest", title="Other")
    rig.sync()
    rig.settle()
    _configure(rig, '[classes.Incident]\ninternal = "Problem"\n[classes.Incident.rules]\nstate = "never"\n')
    for cls, ticket in (("Incident", number), ("UserRequest", other)):
        rig.customer.note(cls, ticket, "<p>Hello</p>")
    rig.sync()
    assert any("Hello" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(other)))
    assert len(rig.internal.tickets()) == 2
