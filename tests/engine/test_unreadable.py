"""One ticket, file or picture on which a server fails, while it answers all else: that one waits, and the rest goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from itopsync.engine import linking
from itopsync.engine.rebuild import Unreadable, rebuild
from itopsync.engine.steering import BEFORE_ALL
from itopsync.errors import Refused, StimulusRefused, Unreachable
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import ItemKey, LinkStatus, Obstacle, Ref, Side, Ticket
from itopsync.reconcile.rebuilding import Rebuilt
from itopsync.simulator import FaultKind, Simulator
from itopsync.store.records import CycleKind
from tests.engine.rig import PICTURE, TEAM, Rig
from tests.transport import SimulatorTransport


@dataclass
class FailingRig(Rig):
    """A rig with a server that answers HTTP 500 to requests that match a pattern."""

    pattern: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """The requests that it did not answer."""
    failing: Side = Side.EXTERNAL
    late: bool = False
    """Instead of failing, they do not answer in time."""

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        through = SimulatorTransport(simulator)
        patterns = self.pattern

        def reply(request: httpx.Request) -> httpx.Response:
            asked = str(request.url) + request.read().decode("utf-8", "replace")
            struck = self.external if self.failing is Side.EXTERNAL else self.internal
            if simulator is struck and any(re.search(pattern, asked) for pattern in patterns):
                self.failed.append(asked)
                if self.late:
                    raise httpx.ReadTimeout("timed out", request=request)
                return httpx.Response(500, text="<b>Fatal error</b>: Allowed memory size exhausted")
            return through.handle_request(request)

        return httpx.MockTransport(reply)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[FailingRig]:
    made = FailingRig(tmp_path)
    yield made
    made.stop()


def _reads_of(number: int) -> str:
    return rf'"SELECT UserRequest WHERE id IN \((\d+,)*{number}(,\d+)*\)"'


def _opened(rig: Rig, count: int) -> list[int]:
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(count)]
    rig.sync()
    rig.settle()
    return numbers


def test_a_ticket_that_cannot_be_read_holds_up_no_other(rig: FailingRig) -> None:
    first, *others = _opened(rig, 5)
    rig.pattern.append(_reads_of(first))
    for number in (first, *others):
        rig.customer.note("UserRequest", number, "<p>Any news?</p>")
    report = rig.sync()
    assert report.outcome == "troubled"
    assert all(any("Any news?" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))) for number in others)
    link = rig.link(first)
    assert link.status is LinkStatus.LINKED
    assert [(obstacle.key, obstacle.tries, obstacle.parked) for obstacle in link.obstacles] == [("ticket", 1, False)]
    assert "the server fails on reading UserRequest" in link.obstacles[0].reason
    rig.pattern.clear()
    rig.settle()
    assert rig.link(first).obstacles == ()
    assert rig.differences() == []


def test_a_ticket_that_could_not_be_read_is_looked_at_when_one_asks_for_it(rig: FailingRig) -> None:
    first, _ = _opened(rig, 2)
    link = rig.link(first).id
    rig.pattern.append(_reads_of(first))
    rig.customer.note("UserRequest", first, "<p>Any news?</p>")
    for tries in (1, 2):
        rig.wait(hours=2)
        rig.store.links.mark_due([link], BEFORE_ALL, now=rig.now)
        rig.engine.cycle(only=[link])
        assert rig.link(first).obstacles[0].tries == tries
    rig.pattern.clear()
    rig.wait(hours=2)
    rig.store.links.mark_due([link], BEFORE_ALL, now=rig.now)
    rig.engine.cycle(only=[link])
    assert rig.link(first).obstacles == ()
    assert any("Any news?" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(first)))


def test_a_ticket_that_is_not_shown_in_time_is_waited_for_twice_and_then_by_itself_after_the_others(rig: FailingRig) -> None:
    first, *others = _opened(rig, 60)
    rig.pattern.append(_reads_of(first))
    rig.late = True
    for round_trip in range(3):
        for number in (first, *others):
            rig.customer.note("UserRequest", number, f"<p>Any news? ({round_trip})</p>")
        rig.wait(hours=2)
        assert rig.sync().outcome == "troubled"
        told = [any(f"({round_trip})" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(number))) for number in others]
        assert all(told)
        assert len(rig.failed) == (1 if round_trip else 2)
        assert all(re.search(rf"IN \({first}\)", asked) for asked in rig.failed[-1:])
        rig.failed.clear()
    rig.pattern.clear()
    rig.settle()
    assert rig.differences() == []


def test_a_new_ticket_that_cannot_be_read_is_parked_in_the_end_and_copied_once_it_can(rig: FailingRig) -> None:
    number = rig.customer.create("UserRequest", title="Broken")
    rig.pattern.append(_reads_of(number))
    rig.sync()
    rig.settle(20)
    (obstacle,) = rig.link(number).obstacles
    assert (obstacle.key, obstacle.parked) == ("ticket", True)
    rig.pattern.clear()
    rig.customer.note("UserRequest", number, "<p>Mended</p>")
    rig.sync()
    rig.settle()
    assert rig.differences() == []


def test_a_copy_that_cannot_be_read_is_neither_made_again_nor_in_the_way_of_others(rig: FailingRig) -> None:
    """Its create may have failed for the same reason: the server cannot show it, in the answer either."""
    lost = rig.customer.create("UserRequest", title="Lost")
    rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], times=1)
    rig.sync()
    rig.internal.faults.clear()
    assert rig.link(lost).in_doubt
    rig.failing = Side.INTERNAL
    rig.pattern.append(_reads_of(1))
    rig.wait(minutes=10)
    fine = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(3)]
    assert rig.sync().outcome == "troubled"
    assert all(rig.link(number).status is LinkStatus.LINKED for number in fine)
    assert [obstacle.key for obstacle in rig.link(lost).obstacles] == ["ticket"]
    assert rig.link(lost).in_doubt, "it may have a copy"
    rig.settle()
    rig.pattern.clear()
    rig.settle()
    assert rig.differences() == []
    assert [ticket["title"] for ticket in rig.internal.tickets()].count("Lost") == 1


def test_a_file_that_cannot_be_read_is_held_against_that_file(rig: FailingRig) -> None:
    first, other = _opened(rig, 2)
    file = rig.customer.attach("UserRequest", first, "large.bin", "text/plain", b"x")
    rig.pattern.append(rf'"class":"Attachment","key":{file},')
    rig.customer.note("UserRequest", first, "<p>See the file</p>")
    rig.customer.attach("UserRequest", other, "a.txt", "text/plain", b"a")
    report = rig.sync()
    assert (report.outcome, report.problems) == ("troubled", {})
    assert any("See the file" in text for text in rig.texts(Side.INTERNAL, rig.copy_of(first)))
    for _ in range(40):
        assert rig.sync().problems == {}
        rig.wait(minutes=10)
    (obstacle,) = [obstacle for obstacle in rig.link(first).obstacles if obstacle.key.startswith("file")]
    assert obstacle.parked
    assert f"the server fails on reading Attachment::{file}: it failed (HTTP 500)" in obstacle.reason


def test_a_pasted_picture_that_cannot_be_read_is_held_against_its_note(rig: FailingRig) -> None:
    (number,) = _opened(rig, 1)
    rig.pattern.append("download_inlineimage")
    picture = rig.customer.paste_image("UserRequest", number, "screen.png", "image/png", PICTURE)
    rig.customer.note("UserRequest", number, f"<p>Look {picture}</p>")
    assert rig.sync().problems == {}
    assert [obstacle.key.partition(":")[0] for obstacle in rig.link(number).obstacles] == ["picture"]
    rig.pattern.clear()
    rig.settle()
    assert rig.differences() == []


def test_a_server_that_is_down_is_not_held_against_a_file(rig: FailingRig) -> None:
    (number,) = _opened(rig, 1)
    file = rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    rig.pattern += [rf'"class":"Attachment","key":{file},', "list_operations"]
    assert Side.EXTERNAL in rig.sync().problems
    assert rig.link(number).obstacles == ()


def test_a_side_that_fails_while_a_refused_stimulus_is_looked_into_is_down_and_breaks_nothing_off(
    rig: FailingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = _opened(rig, 3)
    for number in numbers:
        rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    copy, stimulate, tickets, struck = rig.copy_of(numbers[0]), Server.stimulate, Server.tickets, list[str]()

    def refusing(self: Server, ref: Ref, *arguments: Any) -> Ticket:
        if ref.id == copy and not struck:
            struck.append("refused")
            raise StimulusRefused(self.side, "not now")
        return stimulate(self, ref, *arguments)

    def failing(self: Server, cls: str, ids: list[int], attributes: Attributes) -> dict[int, Ticket]:
        if struck == ["refused"] and list(ids) == [copy]:
            struck.append("down")
            raise Unreachable(self.side, "gave no answer")
        return tickets(self, cls, ids, attributes)

    monkeypatch.setattr(Server, "stimulate", refusing)
    monkeypatch.setattr(Server, "tickets", failing)
    assert rig.sync().outcome == "unavailable"
    assert struck == ["refused", "down"]
    assert rig.store.links.recover(rig.now, rig.now) == (), "no write is noted as under way"
    rig.settle()
    assert rig.differences() == []


def test_a_link_whose_ticket_cannot_be_read_is_not_made_by_hand_without_its_base(rig: FailingRig) -> None:
    rig.sync()
    number = rig.customer.create("UserRequest", title="Printer")
    copy = rig.operator.create("UserRequest", title="Printer")
    rig.pattern.append(_reads_of(number))
    external, internal = Ref(Side.EXTERNAL, "UserRequest", number), Ref(Side.INTERNAL, "UserRequest", copy)
    with pytest.raises(Refused, match="fails on reading UserRequest"):
        linking.compare(rig.inspector, external, internal, history=None)
    assert not any(rig.store.links.counts()[status] for status in LinkStatus)


@pytest.mark.parametrize("side", list(Side))
def test_a_store_is_made_anew_but_for_what_cannot_be_read(rig: FailingRig, side: Side) -> None:
    """No link is made without its base; it is found once its ticket can be read."""
    number, other = _opened(rig, 2)
    copies = {number: rig.copy_of(number), other: rig.copy_of(other)}
    broken = number if side is Side.EXTERNAL else copies[number]
    rig.failing = side
    rig.pattern.append(_reads_of(broken))
    _lose_the_store(rig)
    found, unreadable = _rebuilt(rig)
    assert [rebuilt.link.internal for rebuilt in found] == [Ref(Side.INTERNAL, "UserRequest", copies[other])]
    assert [each.ref for each in unreadable] == [Ref(side, "UserRequest", broken)]
    assert "fails on reading UserRequest" in unreadable[0].reason
    rig.pattern.clear()
    found, unreadable = _rebuilt(rig)
    assert [(rebuilt.link.external.id, rebuilt.differs) for rebuilt in found] == [(number, ())]
    assert unreadable == []


def _lose_the_store(rig: Rig) -> None:
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()


def _rebuilt(rig: Rig) -> tuple[list[Rebuilt], list[Unreadable]]:
    found = list(rebuild(rig.inspector))
    return [each for each in found if isinstance(each, Rebuilt)], [each for each in found if isinstance(each, Unreadable)]


@dataclass
class UnnamedRig(Rig):
    """A rig one of whose servers gives tickets ids that are none, and so finds none by its id."""

    unnamed: Side = Side.INTERNAL

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        through = SimulatorTransport(simulator)

        def reply(request: httpx.Request) -> httpx.Response:
            asked = request.read().decode("utf-8", "replace")
            struck = self.unnamed.pick(self.external, self.internal)
            if simulator is not struck or "UserRequest" not in asked:
                return through.handle_request(request)
            answer = through.handle_request(request)
            document = json.loads(answer.read())
            if re.search(r"WHERE .*\bid (>=|IN)", asked):
                document |= {"message": "Found: 0", "objects": None}
            for row in (document.get("objects") or {}).values():
                row["key"] = 2**63 + 5
            named = {f"UserRequest::{2**63 + 5}": row for row in (document.get("objects") or {}).values()}
            document |= {"objects": named or None} if "objects" in document else {}
            return httpx.Response(200, json=document, headers={"Date": answer.headers["Date"]})

        return httpx.MockTransport(reply)


def test_a_copy_whose_id_cannot_be_read_is_not_made_again(tmp_path: Path) -> None:
    rig = UnnamedRig(tmp_path)
    rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.settle(12)
    assert len(rig.internal.tickets()) == 1
    assert "shows objects of UserRequest without a usable id" in rig.link(1).obstacles[0].reason
    rig.stop()


@dataclass
class HidingRig(Rig):
    """A rig whose external server fails whenever its answer would show more than the id of one ticket."""

    unshown: int = 0

    def make_transport(self, simulator: Simulator) -> httpx.BaseTransport:
        through = SimulatorTransport(simulator)

        def reply(request: httpx.Request) -> httpx.Response:
            asked = request.read().decode("utf-8", "replace")
            answer = through.handle_request(request)
            shows = f"UserRequest::{self.unshown}".encode() in answer.read()
            if simulator is self.external and shows and '"output_fields":"id"' not in asked:
                return httpx.Response(500, text="<b>Fatal error</b>: Allowed memory size exhausted")
            return answer

        return httpx.MockTransport(reply)


def test_a_new_ticket_that_no_list_shows_waits_with_its_reason_from_the_next_sweep(tmp_path: Path) -> None:
    rig = HidingRig(tmp_path)
    _opened(rig, 3)
    rig.unshown = number = rig.customer.create("UserRequest", title="Broken")
    rig.customer.create("UserRequest", title="Fine")
    rig.sync()
    rig.engine.cycle(CycleKind.SWEEP)
    assert [ticket["title"] for ticket in rig.internal.tickets()][3:] == ["Fine"]
    assert "the server fails on reading UserRequest" in rig.link(number).obstacles[0].reason
    rig.unshown = 0
    rig.settle()
    assert rig.differences() == []
    rig.stop()


@pytest.mark.parametrize("side", list(Side))
def test_a_changed_ticket_without_a_usable_id_is_told(tmp_path: Path, side: Side) -> None:
    rig = UnnamedRig(tmp_path, unnamed=side)
    rig.sync()
    side.pick(rig.customer, rig.operator).create("UserRequest", title="Printer")
    with structlog.testing.capture_logs() as told:
        assert rig.sync().problems == {}
    assert {event["side"] for event in told if event["event"] == "unusable id"} == {side}
    rig.stop()


def test_one_that_is_parked_is_not_read_any_more_though_a_note_of_it_had_waited(rig: FailingRig) -> None:
    first, _ = _opened(rig, 2)
    link = rig.link(first)
    note = Obstacle(ItemKey("note:itopsync-demo-n-1"), "", "no answer", tries=1, parked=False, not_before=rig.now)
    rig.store.links.save(replace(link, obstacles=(note,), due_at=rig.now), now=rig.now, live=True)
    rig.pattern.append(_reads_of(first))
    rig.settle(40)
    assert rig.link(first).is_parked(ItemKey("ticket"))
    rig.failed.clear()
    rig.settle(6)
    assert rig.failed == []
