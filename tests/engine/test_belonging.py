"""A store is one pair's. With another one, tickets would be doubled or taken for others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itopsync.engine.rebuild import rebuild
from itopsync.engine.unlinked import unlinked
from itopsync.errors import StoreError
from itopsync.model import LinkStatus, Side
from tests.engine.rig import Rig


def _lose_the_store(rig: Rig) -> None:
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()


def _as_another_pair(rig: Rig) -> None:
    rig.stop()
    rig.configuration = replace(rig.configuration, rules=replace(rig.configuration.rules, pair="other"))
    rig.start()


def test_the_store_of_another_pair_is_refused_before_anything_is_written(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    pair, before = rig.configuration.rules.pair, rig.written()
    _as_another_pair(rig)
    refused = rf"this store is of pair '{pair}', and the configuration's pair is 'other'\. Put '{pair}' back, or name"
    for work in (
        rig.sync,
        rig.engine.preview,
        lambda: list(rig.engine.verify()),
        lambda: rig.engine.inspect(()),
        lambda: list(rebuild(rig.engine, rig.server(Side.INTERNAL), rig.store, lambda: rig.now)),
    ):
        with pytest.raises(StoreError, match=refused):
            work()
    assert rig.written() == before
    assert rig.link(number).status is LinkStatus.LINKED


def test_a_store_that_was_rebuilt_is_its_pairs(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    _lose_the_store(rig)
    assert len(list(rebuild(rig.engine, rig.server(Side.INTERNAL), rig.store, lambda: rig.now))) == 1
    _as_another_pair(rig)
    with pytest.raises(StoreError, match="Put"):
        rig.sync()


def test_of_a_lost_store_no_ticket_is_said_to_be_taken_up_next(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    both = {side: rig.server(side) for side in Side}
    assert "the next cycle takes it up" in unlinked(both, rig.store, rig.engine.rules, "external:UserRequest:1")[0].why
    rig.sync()
    _lose_the_store(rig)
    both = {side: rig.server(side) for side in Side}
    with pytest.raises(StoreError, match="Run `itopsync rebuild`"):
        unlinked(both, rig.store, rig.engine.rules, "external:UserRequest:1")
