"""Internal tickets that are marked as copies, and that no link leads to: `verify` tells them, and nothing that only looks so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from itopsync.cli import verifying
from itopsync.engine import linking, story
from itopsync.itop import reader
from itopsync.model import LinkStatus, Ref, Side
from itopsync.reconcile import by_hand
from itopsync.simulator import Simulator
from itopsync.store.records import CycleKind
from tests.engine.rig import RESOLVED, TEAM, Rig
from tests.engine.verifying import verified
from tests.transport import SimulatorTransport

REQUEST = "UserRequest"
NOWHERE = "what people write on it goes nowhere"


class Repeating(SimulatorTransport):
    """Something on the way sends each create of a ticket twice."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if b"core/create" in request.content and b"Attachment" not in request.content:
            super().handle_request(request)
        return answer


class RepeatingRig(Rig):
    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        return Repeating(simulator)


@pytest.fixture(params=[10_000, 2])
def rig(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Few ids are gone through at a time, or all at once."""
    monkeypatch.setattr(reader, "SPAN", request.param)
    made = Rig(tmp_path)
    yield made
    made.stop()


def _told(rig: Rig) -> list[str]:
    assert all(result.agrees for result in verified(rig))
    return [f"{stray.internal} {stray.what}" for stray in verifying.strays(rig.pair)]


def _twin(rig: Rig, copy: int) -> int:
    """Another ticket with the same beginning, by our account, as a create makes it that arrives late."""
    return rig.internal.agent("sync").create(REQUEST, title="Twin", private_log=rig.texts(Side.INTERNAL, copy)[0], service_id=1)


def _second(twin: int, copy: int) -> str:
    used = f"R-{copy:06} (internal:{REQUEST}:{copy})"
    whose = f"is a second copy of external:{REQUEST}:1, whose copy in use is {used}, or a clone of that"
    return (
        f"internal:{REQUEST}:{twin} {whose}: {NOWHERE}. Close it, unless it is a clone. See `itopsync show external:{REQUEST}:1`"
    )


def test_a_create_that_arrives_twice_is_told(tmp_path: Path) -> None:
    rig = RepeatingRig(tmp_path)
    rig.customer.create(REQUEST, title="Printer")
    rig.sync()
    rig.settle(1)
    first, second = (ticket["id"] for ticket in rig.internal.tickets())
    copy = rig.copy_of(1)
    twin = second if copy == first else first
    assert _told(rig) == [_second(twin, copy)]
    rig.stop()


def test_a_second_copy_is_told_until_it_is_closed(rig: Rig) -> None:
    for number in range(5):
        rig.customer.create(REQUEST, title=f"Printer {number}")
    rig.sync()
    assert _told(rig) == []
    copy = rig.copy_of(1)
    twin = _twin(rig, copy)
    told = [_second(twin, copy)]
    assert _told(rig) == told
    (ticket,) = story.unlinked(rig.pair, f"internal:{REQUEST}:{twin}")
    assert ticket.why == f"it is a second copy of external:{REQUEST}:1, or a clone of that: {NOWHERE}"
    (shown,) = json.loads(verifying.told_as_json([], verifying.strays(rig.pair)))
    assert (shown["link"], shown["status"], shown["internal"]) == (None, None, f"internal:{REQUEST}:{twin}")
    assert shown["differences"][0]["what"].endswith(told[0].partition(f":{twin} ")[2])
    rig.operator.stimulus(REQUEST, twin, "ev_assign", **TEAM)
    rig.operator.stimulus(REQUEST, twin, "ev_resolve", **RESOLVED)
    assert _told(rig) == told
    rig.operator.stimulus(REQUEST, twin, "ev_close")
    assert _told(rig) == []


def test_one_beside_a_link_that_has_ended_is_told_and_the_copy_itself_is_not(rig: Rig) -> None:
    rig.customer.create(REQUEST, title="Printer")
    rig.sync()
    copy = rig.copy_of(1)
    rig.customer.delete(REQUEST, 1)
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(1).status is LinkStatus.TOMBSTONE
    assert _told(rig) == []
    twin = _twin(rig, copy)
    (told,) = _told(rig)
    assert told.startswith(f"internal:{REQUEST}:{twin} is a second copy of external:{REQUEST}:1, whose link has ended, with R-")


def test_one_whose_link_is_not_known_is_told(rig: Rig) -> None:
    rig.customer.create(REQUEST, title="Printer")
    rig.sync()
    begins = rig.texts(Side.INTERNAL, rig.copy_of(1))[0].replace(f"{REQUEST}.1", f"{REQUEST}.99")
    twin = rig.internal.agent("sync").create(REQUEST, title="Late", private_log=begins)
    assert _told(rig) == [
        f"internal:{REQUEST}:{twin} is a copy of external:{REQUEST}:99, but no link leads to it: {NOWHERE}. "
        "If that is so after a sweep too, stop the service and run `itopsync rebuild`, or close it"
    ]
    (ticket,) = story.unlinked(rig.pair, f"internal:{REQUEST}:{twin}")
    assert ticket.why == f"it is a copy of external:{REQUEST}:99, but no link leads to it: {NOWHERE}"


def test_one_that_its_link_is_about_to_find_is_not_told(rig: Rig) -> None:
    rig.customer.create(REQUEST, title="Printer")
    rig.sync()
    begins = rig.texts(Side.INTERNAL, rig.copy_of(1))[0].replace(f"{REQUEST}.1", f"{REQUEST}.2")
    rig.customer.create(REQUEST, title="Screen")
    with pytest.MonkeyPatch.context() as away:
        away.setattr(rig.internal, "maintenance", True)
        rig.sync()
    assert rig.link(2).status is LinkStatus.WAITING
    rig.internal.agent("sync").create(REQUEST, title="Screen", private_log=begins)
    assert verifying.strays(rig.pair) == []


def test_a_marker_that_people_pasted_or_that_came_from_a_parent_is_none(rig: Rig) -> None:
    rig.customer.create(REQUEST, title="Printer")
    rig.sync()
    head = rig.texts(Side.INTERNAL, rig.copy_of(1))[0]
    assert f'name="itopsync-demo-t-{REQUEST}.1' in head
    rig.operator.create(REQUEST, title="Pasted", private_log=head)  # a person's ticket begins with it
    rig.customer.create(REQUEST, title="Quoted", private_log=f"{head}<p>See there.</p>")  # and the mirror of a person's note
    rig.internal.agent("sync").create(REQUEST, title="Within", private_log=f"<p>See:</p>{head}")
    child = rig.operator.create(REQUEST, title="Child")
    parent = rig.operator.create(REQUEST, title="Parent")
    rig.operator.update(REQUEST, child, parent_request_id=parent)
    external = Ref(Side.EXTERNAL, REQUEST, rig.customer.create(REQUEST, title="The parent's"))
    rig.sync()
    unlinked = rig.store.links.amend(rig.link(external.id).id, lambda link: by_hand.unlinked(link, rig.now, notice=True), rig.now)
    assert unlinked is not None
    rig.sync()
    internal = Ref(Side.INTERNAL, REQUEST, parent)
    linking.join(rig.pair, linking.compare(rig.inspector, external, internal, history=None))
    rig.sync()
    assert any(f"t-{REQUEST}.{external.id}" in text for text in rig.texts(Side.INTERNAL, child))
    assert rig.store.links.of(internal) is not None
    assert _told(rig) == []
