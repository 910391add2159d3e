"""What ``check --probe`` tells of a server, and what it leaves there."""

from __future__ import annotations

import pytest

from itopsync.check.finding import Finding, Level
from itopsync.check.probe import probe
from itopsync.model import LinkStatus, Side
from itopsync.simulator.losing import LosesMarks, Part
from tests.check.conftest import Checked

SIDES = pytest.mark.parametrize("side", list(Side), ids=str)


def _probed(rig: Checked, side: Side) -> tuple[Finding, ...]:
    return probe(rig.server(side), rig.configuration.rules, lambda: rig.now).findings


@SIDES
def test_a_server_that_keeps_all_is_well_and_is_left_as_it_was(rig: Checked, side: Side) -> None:
    rig.customer.create("UserRequest", title="Another", caller_id=40)
    before = len(rig.simulator(side).tickets())
    found = _probed(rig, side)
    assert {finding.level for finding in found if "the probe, " not in finding.what} == {Level.OK}
    assert sum("keeps the marker" in finding.what for finding in found) == 3
    left = len(rig.simulator(side).tickets()) - before
    (told,) = [finding for finding in found if "the probe, " in finding.what]
    assert ("was deleted again" in told.what, left) in ((True, 0), (False, 1))


@SIDES
@pytest.mark.parametrize(("part", "words"), [("logs", "loses our markers: it was sent"), ("files", "loses the marker of a file")])
def test_a_server_that_loses_markers_is_found_out(rig: Checked, side: Side, part: Part, words: str) -> None:
    rig.customer.create("UserRequest", title="Another")
    rig.simulator(side).loses_marks = (LosesMarks(parts=frozenset({part})),)
    found = _probed(rig, side)
    faults = [finding for finding in found if finding.level is Level.FAULT]
    assert faults
    assert all(words in finding.what for finding in faults)


@pytest.mark.parametrize("losing", [(), (LosesMarks(parts=frozenset({"logs"})),)], ids=["kept", "lost"])
def test_an_account_that_may_not_delete_says_where_the_probe_is_and_it_is_never_carried(
    rig: Checked, losing: tuple[LosesMarks, ...]
) -> None:
    rig.customer.create("UserRequest", title="Another")
    rig.sync()
    rig.without(Side.EXTERNAL, "UserRequest", "delete")
    rig.external.loses_marks = losing
    (told,) = [finding for finding in _probed(rig, Side.EXTERNAL) if "the probe, " in finding.what]
    assert "is still there: our account may not delete tickets" in told.what
    rig.external.loses_marks = ()
    rig.sync()
    assert len(rig.internal.tickets()) == 1
    assert rig.store.links.counts()[LinkStatus.TOMBSTONE] == 1


def test_external_without_a_ticket_says_what_is_missing(rig: Checked) -> None:
    (found,) = _probed(rig, Side.EXTERNAL)
    assert found.level is Level.FAULT
    assert "from which the probe could take" in found.what
