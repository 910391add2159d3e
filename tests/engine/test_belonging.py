"""A store is one pair's. With another one, tickets would be doubled or taken for others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itopsync.engine.rebuild import rebuild
from itopsync.engine.story import unlinked
from itopsync.errors import StoreError
from itopsync.model import LinkStatus
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
    refused = rf"this store is of pair '{pair}', and the configuration's pair is 'other'\. Put '{pair}' back, or, if this"
    for work in (
        rig.sync,
        rig.inspector.preview,
        lambda: list(rig.inspector.verify()),
        lambda: rig.inspector.inspect(()),
        lambda: list(rebuild(rig.inspector)),
    ):
        with pytest.raises(StoreError, match=refused):
            work()
    assert rig.written() == before
    assert rig.link(number).status is LinkStatus.LINKED


def test_a_store_that_was_rebuilt_is_its_pairs(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    _lose_the_store(rig)
    assert len(list(rebuild(rig.inspector))) == 1
    _as_another_pair(rig)
    with pytest.raises(StoreError, match="Put"):
        rig.sync()


def test_a_rebuild_that_was_broken_off_is_ended_before_any_cycle(rig: Rig) -> None:
    """What it had not come to would be taken for new copies: an edit of internal's would be overwritten."""
    for cls in ("UserRequest", "Incident"):
        rig.customer.create(cls, title="Printer")
    rig.sync()
    for cls in ("UserRequest", "Incident"):
        number = next(int(ticket["id"]) for ticket in rig.internal.tickets() if ticket["finalclass"] == cls)
        rig.operator.update(cls, number, title="Ours")
    _lose_the_store(rig)
    next(rebuild(rig.inspector))
    before = rig.written()
    for work in (rig.sync, rig.inspector.preview):
        with pytest.raises(StoreError, match=r"its rebuilding was broken off\. Run `itopsync rebuild` again"):
            work()
    assert len(list(rebuild(rig.inspector))) == 1
    rig.sync()
    assert rig.written() == before
    assert [ticket["title"] for ticket in rig.internal.tickets()] == ["Ours", "Ours"]


def test_of_a_lost_store_no_ticket_is_said_to_be_taken_up_next(rig: Rig) -> None:
    rig.customer.create("UserRequest", title="Printer")
    assert "the next cycle takes it up" in unlinked(rig.pair, "external:UserRequest:1")[0].why
    rig.sync()
    _lose_the_store(rig)
    with pytest.raises(StoreError, match="run `itopsync rebuild`"):
        unlinked(rig.pair, "external:UserRequest:1")
