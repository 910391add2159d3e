"""A server gives an id again, after a restored backup or a deletion: the new ticket is copied, or a person is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from itopsync.engine import linking
from itopsync.engine.rebuild import rebuild
from itopsync.engine.steering import Steering
from itopsync.errors import SafetyStop
from itopsync.itop.server import Server
from itopsync.model import LinkStatus, Ref, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.copied import Bridge
from itopsync.reconcile.rebuilding import Rebuilt
from itopsync.simulator import FaultKind, Simulator
from itopsync.store.records import CycleKind, RequestKind
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Rig
from tests.torture.leaks import leaks


def _opens(rig: Rig, title: str) -> int:
    number = rig.customer.create("UserRequest", title=title)
    rig.sync()
    return number


def _gives_again(simulator: Simulator, ticket: int) -> None:
    """The database forgets the highest id that it gave; the counter of the numbers does not."""
    simulator.store.table("Ticket").next_id = ticket


def _asks(rig: Rig, kind: RequestKind, ticket: int) -> str:
    """What an operator is answered who asks for this on a ticket's link."""
    request = rig.store.requests.take(rig.store.requests.ask(kind, "anna", rig.now, link=rig.link(ticket).id), rig.now)
    assert request is not None
    return Steering(rig.pair.store, rig.pair.rules, lambda: rig.now, rig.inspector).carry_out(request).result


@pytest.mark.parametrize("minutes", [0, 30, 4_320])
@pytest.mark.parametrize("title", ["Another", "Lost"])
def test_a_ticket_that_bears_id_and_number_of_one_that_is_gone_is_told(rig: Rig, title: str, minutes: int) -> None:
    _opens(rig, "Kept")
    backup = rig.external.snapshot()
    lost = _opens(rig, "Lost")
    rig.external.restore(backup)
    rig.wait(minutes=1)
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(lost).status is LinkStatus.TOMBSTONE
    rig.wait(minutes=minutes, seconds=1)
    assert rig.customer.create("UserRequest", title=title) == lost
    assert rig.sync().outcome == "troubled"
    told = rig.link(lost)
    assert told.status is LinkStatus.PARKED
    assert f"itopsync link external:UserRequest:{lost} TICKET --history" in told.obstacles[0].reason
    # what the reason names helps
    mine = rig.operator.create("UserRequest", title=title)
    refs = Ref(Side.EXTERNAL, "UserRequest", lost), Ref(Side.INTERNAL, "UserRequest", mine)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=None))
    rig.customer.note("UserRequest", lost, "<p>Hello</p>")
    rig.settle(2)
    assert "Hello" in "".join(rig.texts(Side.INTERNAL, mine))
    assert rig.sync().outcome == "well"


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_ticket_that_bears_id_and_number_of_another_is_never_poured_into_its_copy(rig: Rig, has_ended: bool) -> None:
    _opens(rig, "Kept")
    backup = rig.external.snapshot()
    lost = _opens(rig, "Lost")
    rig.settle(1)
    copy = rig.copy_of(lost)
    rig.external.restore(backup)
    if has_ended:
        rig.wait(minutes=1)
        rig.engine.cycle(CycleKind.SWEEP)
    rig.wait(minutes=5)
    assert rig.customer.create("UserRequest", title="Another") == lost
    rig.wait(minutes=1)
    rig.engine.cycle(accept=["replaced"])
    assert rig.link(lost).status is LinkStatus.PARKED
    for kinds in (
        (RequestKind.SYNC,),
        (RequestKind.RESUME,),
        (RequestKind.RETRY, RequestKind.RETRY),
        (RequestKind.RESUME, RequestKind.PARK, RequestKind.RESUME, RequestKind.SYNC),
    ):
        said = [_asks(rig, kind, lost) for kind in kinds]
        assert not any("itopsync resume" in text for text in said)
        rig.settle(2)  # looks at it again at most, stops at nothing, and writes nothing
        assert rig.link(lost).status is LinkStatus.PARKED
        assert f"`itopsync link external:UserRequest:{lost} TICKET" in rig.link(lost).obstacles[0].reason
        assert rig.internal.ticket("UserRequest", copy)["title"] == "Lost"
    # what is said helps
    _asks(rig, RequestKind.UNLINK, lost)
    rig.settle(1)
    mine = rig.operator.create("UserRequest", title="Another")
    refs = Ref(Side.EXTERNAL, "UserRequest", lost), Ref(Side.INTERNAL, "UserRequest", mine)
    linking.join(rig.pair, linking.compare(rig.inspector, *refs, history=Bridge()))
    rig.customer.note("UserRequest", lost, "<p>Hello</p>")
    rig.settle(2)
    assert "Hello" in "".join(rig.texts(Side.INTERNAL, mine))
    assert "Hello" not in "".join(rig.texts(Side.INTERNAL, copy))


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("kind", [RequestKind.RESUME, RequestKind.RETRY])
def test_links_parked_as_other_tickets_go_on_once_these_are_the_right_ones_again(rig: Rig, side: Side, kind: RequestKind) -> None:
    """As where ``url`` led to another server, and a person accepted that before it was put right."""
    empty = rig.simulator(side).snapshot()
    number = _opens(rig, "Printer")
    copy, right = rig.copy_of(number), rig.simulator(side).snapshot()
    rig.simulator(side).restore(empty)
    rig.wait(days=1)
    rig.agent(side).create("UserRequest", title="Another server's")
    with pytest.raises(SafetyStop, match="perhaps a url leads to another server"):
        rig.sync()
    rig.wait(minutes=1)
    rig.engine.cycle(accept={"replaced"})
    (obstacle,) = rig.link(number).obstacles
    assert f"`itopsync retry {rig.link(number).id}` looks again, as once a wrong url is mended" in obstacle.reason
    rig.simulator(side).restore(right)
    rig.customer.note("UserRequest", number, "<p>Hello</p>")
    rig.settle(2)
    assert rig.link(number).status is LinkStatus.PARKED
    _asks(rig, kind, number)
    rig.settle(2)
    assert (rig.link(number).status, rig.link(number).obstacles) == (LinkStatus.LINKED, ())
    assert sum("Hello" in text for text in rig.texts(Side.INTERNAL, copy)) == 1
    assert rig.differences() == []


def test_a_link_looked_at_again_while_its_ticket_is_unreadable_stops_nothing_later(rig: Rig) -> None:
    _opens(rig, "Kept")
    backup = rig.external.snapshot()
    lost = _opens(rig, "Lost")
    rig.settle(1)
    rig.external.restore(backup)
    rig.wait(minutes=5)
    assert rig.customer.create("UserRequest", title="Another") == lost
    rig.wait(minutes=1)
    rig.engine.cycle(accept=["replaced"])
    reason = rig.link(lost).obstacles[0].reason
    _asks(rig, RequestKind.RETRY, lost)
    fault = rig.external.faults.add(FaultKind.ODD_ROW, verbs=["core/get"], classes=["UserRequest"])
    rig.wait(minutes=1)
    rig.engine.cycle(only=[rig.link(lost).id])
    rig.external.faults.remove(fault)
    rig.settle(2)
    assert (rig.link(lost).status, rig.link(lost).obstacles[0].reason) == (LinkStatus.PARKED, reason)


def _found_by_its_mark(rig: Rig, how: str) -> tuple[int, Callable[[], list[int]]]:
    """A ticket whose copy only its mark tells from now on; and what is to be done before the next cycle.

    That returns the tickets that `rebuild` found, if it was run.
    """
    if how == "store restored":
        rig.stop()
        shutil.copytree(rig.folder, rig.folder / "backup", ignore=shutil.ignore_patterns("backup"))
        rig.start()
    if how == "answer lost":
        rig.internal.faults.add(FaultKind.LOST_AFTER, verbs=["core/create"], times=1)
    number = _opens(rig, "Of a customer")
    rig.internal.faults.clear()

    def store_is_lost() -> list[int]:
        if how == "answer lost":
            return []
        rig.stop()
        for file in rig.folder.glob("store*"):
            file.unlink()
        for file in rig.folder.glob("backup/store*"):
            shutil.copy(file, rig.folder)
        rig.start()
        found = rebuild(rig.inspector) if how == "store lost" else ()
        return [each.link.external.id for each in found if isinstance(each, Rebuilt)]

    return number, store_is_lost


@dataclass
class _Taken:
    """Another customer's ticket has the id of one that a restore of external took away."""

    rig: Rig
    how: str

    def __post_init__(self) -> None:
        rig = self.rig
        self.kept = _opens(rig, "Kept")
        backup = rig.external.snapshot()
        self.number, self.store_is_lost = _found_by_its_mark(rig, self.how)
        self.copy = int(max(rig.internal.tickets(), key=lambda ticket: ticket["id"])["id"])
        rig.operator.note("UserRequest", self.copy, "<p>Nobody else's business</p>")
        rig.operator.attach("UserRequest", self.copy, "contract.pdf", "application/pdf", b"Secret")
        if self.how != "answer lost":
            rig.customer.note("UserRequest", self.number, "<p>Of a customer, too</p>")
            rig.settle(1)
        rig.external.restore(backup)
        rig.wait(minutes=10)
        assert rig.customer.create("UserRequest", title="Of another customer") == self.number
        rig.customer.note("UserRequest", self.number, "<p>Of another customer, too</p>")
        rig.customer.note("UserRequest", self.kept, "<p>Hello</p>")
        self.found = self.store_is_lost()
        rig.settle(3)

    @property
    def is_apart(self) -> bool:
        """Nothing of one customer's is on the other one's ticket."""
        external, internal = (
            self.rig.external.ticket("UserRequest", self.number),
            self.rig.internal.ticket("UserRequest", self.copy),
        )
        theirs = "".join(self.rig.texts(Side.EXTERNAL, self.number)) + str(external["attachments"])
        ours = "".join(self.rig.texts(Side.INTERNAL, self.copy)) + str(internal["title"])
        return "business" not in theirs and "contract" not in theirs and "another customer" not in ours

    def link_with_its_own(self) -> int:
        """Do what is said: unlink it, and link it with a ticket that is opened for it; returns that one."""
        _asks(self.rig, RequestKind.UNLINK, self.number)
        self.rig.settle(1)
        mine = self.rig.operator.create("UserRequest", title="Of another customer")
        refs = Ref(Side.EXTERNAL, "UserRequest", self.number), Ref(Side.INTERNAL, "UserRequest", mine)
        linking.join(self.rig.pair, linking.compare(self.rig.inspector, *refs, history=Bridge()))
        self.rig.settle(2)
        return mine


@pytest.mark.parametrize("how", ["answer lost", "store lost", "store restored"])
def test_a_copy_that_is_found_by_its_mark_gets_nothing_of_another_ticket_under_that_id(rig: Rig, how: str) -> None:
    taken = _Taken(rig, how)
    assert rig.link(taken.number).status is LinkStatus.PARKED
    assert rig.sync().outcome == "troubled"
    assert "Hello" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(taken.kept)))
    for kind in (RequestKind.RETRY, RequestKind.RESUME):
        assert f"`itopsync link external:UserRequest:{taken.number} TICKET --history`" in _asks(rig, kind, taken.number)
    rig.settle(2)
    assert taken.is_apart
    mine = taken.link_with_its_own()
    assert "Of another customer, too" in "".join(rig.texts(Side.INTERNAL, mine))
    assert rig.sync().outcome == "well"
    assert taken.is_apart


def test_a_lost_store_finds_it_and_then_the_ticket_that_it_was_linked_with(rig: Rig) -> None:
    taken = _Taken(rig, "store lost")
    assert taken.found[-1] == taken.number
    mine = taken.link_with_its_own()
    taken.store_is_lost()
    rig.settle(2)
    assert rig.copy_of(taken.number) == mine
    assert rig.sync().outcome == "well"
    assert taken.is_apart


@pytest.mark.parametrize("how", ["answer lost", "store lost", "store restored"])
def test_one_that_is_found_by_its_mark_is_taken_up_though_somebody_corrected_when_its_ticket_began(rig: Rig, how: str) -> None:
    _opens(rig, "Kept")
    number, store_is_lost = _found_by_its_mark(rig, how)
    rig.wait(days=1)
    rig.customer.update("UserRequest", number, start_date=f"{rig.now + timedelta(hours=7):%Y-%m-%d %H:%M:%S}")
    rig.wait(days=1)
    store_is_lost()
    rig.settle(3)
    assert rig.link(number).status is LinkStatus.LINKED
    assert len(rig.internal.tickets()) == 2
    assert rig.differences() == []


def test_so_is_one_that_bears_the_id_alone_and_nobody_else_waits(rig: Rig) -> None:
    other, gone = _opens(rig, "Other"), _opens(rig, "Gone")
    rig.customer.delete("UserRequest", gone)
    rig.wait(minutes=1)
    rig.engine.cycle(CycleKind.SWEEP)
    _gives_again(rig.external, gone)
    assert rig.customer.create("UserRequest", title="Another") == gone
    rig.customer.note("UserRequest", other, "<p>Hello</p>")
    assert rig.sync().outcome == "troubled"
    assert rig.link(gone).status is LinkStatus.PARKED
    assert "Hello" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(other)))


def test_what_bears_the_id_of_one_that_was_gone_before_it_had_a_copy_is_new(rig: Rig) -> None:
    _opens(rig, "Other")
    rig.internal.maintenance = True
    gone = _opens(rig, "Gone")
    rig.customer.delete("UserRequest", gone)
    rig.internal.maintenance = False
    rig.settle(2)
    assert rig.link(gone).status is LinkStatus.TOMBSTONE
    _gives_again(rig.external, gone)
    assert rig.customer.create("UserRequest", title="Another") == gone
    rig.settle(2)
    assert sorted(ticket["title"] for ticket in rig.internal.tickets()) == ["Another", "Other"]
    assert rig.differences() == []


def test_a_ticket_that_was_unlinked_stays_so_however_often_it_changes(rig: Rig) -> None:
    number = _opens(rig, "Printer")
    rig.store.links.amend(rig.link(number).id, lambda link: by_hand.unlinked(link, rig.now, notice=False), rig.now)
    for _ in range(3):
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
        assert rig.sync().outcome == "well"
    assert rig.link(number).status is LinkStatus.TOMBSTONE
    assert len(rig.internal.tickets()) == 1


def test_a_copy_that_gets_the_id_of_a_lost_copy_parks_that_link_alone(rig: Rig) -> None:
    kept = _opens(rig, "Kept")
    backup = rig.internal.snapshot()
    lost = _opens(rig, "Lost")
    rig.settle(1)  # nobody looks at it any more
    rig.internal.restore(backup)
    new = rig.customer.create("UserRequest", title="New")
    rig.wait(minutes=1)
    rig.engine.cycle()
    assert rig.copy_of(new) is not None
    rig.customer.note("UserRequest", kept, "<p>Hello</p>")
    rig.customer.note("UserRequest", new, "<p>Hello</p>")
    rig.settle(2)
    assert all("Hello" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(number))) for number in (kept, new))
    told = rig.link(lost)
    assert (told.status, told.internal) == (LinkStatus.PARKED, None)
    assert f"itopsync resume {told.id}" in told.obstacles[0].reason
    rig.store.links.amend(told.id, lambda link: by_hand.resumed(link, rig.now), rig.now)
    rig.settle(2)
    assert sorted(ticket["title"] for ticket in rig.internal.tickets()) == ["Kept", "Lost", "New"]
    assert rig.differences() == []


def test_so_it_is_where_the_answer_to_the_create_is_lost_and_others_were_let_through(rig: Rig) -> None:
    _opens(rig, "Kept")
    backup = rig.internal.snapshot()
    lost = _opens(rig, "Lost")
    rig.settle(1)  # nobody looks at it any more
    rig.internal.restore(backup)
    new = rig.customer.create("UserRequest", title="New")
    rig.internal.faults.add(FaultKind.LOST_AFTER, accounts=["sync"], verbs=["core/create"], times=1)
    rig.wait(minutes=1)
    rig.engine.cycle()
    rig.wait(minutes=10)
    with pytest.raises(SafetyStop, match="replaced"):
        rig.engine.cycle()
    rig.engine.cycle(accept=["replaced"])
    rig.settle(2)
    assert (rig.link(lost).status, rig.link(lost).internal) == (LinkStatus.PARKED, None)
    assert rig.link(new).status is LinkStatus.LINKED


def test_an_id_that_is_given_again_in_internal_under_a_link_that_has_ended_stops_nothing(rig: Rig) -> None:
    other, gone = _opens(rig, "Other"), _opens(rig, "Gone")
    copy = rig.copy_of(gone)
    rig.operator.delete("UserRequest", copy)
    rig.wait(minutes=1)
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(gone).status is LinkStatus.TOMBSTONE
    _gives_again(rig.internal, copy)
    new = _opens(rig, "New")
    assert rig.copy_of(new) == copy
    rig.customer.note("UserRequest", other, "<p>Hello</p>")
    assert rig.sync().outcome == "well"
    assert "Hello" in "".join(rig.texts(Side.INTERNAL, rig.copy_of(other)))


def test_a_ticket_that_was_unlinked_is_no_other_one_as_its_beginning_is_corrected(rig: Rig) -> None:
    number = _opens(rig, "Printer")
    rig.store.links.amend(rig.link(number).id, lambda link: by_hand.unlinked(link, rig.now, notice=False), rig.now)
    rig.wait(days=1)
    rig.customer.update("UserRequest", number, start_date=f"{rig.now + timedelta(hours=7):%Y-%m-%d %H:%M:%S}")
    assert rig.sync().outcome == "well"
    assert rig.link(number).status is LinkStatus.TOMBSTONE


def _becomes_anothers(rig: Rig, copy: int) -> None:
    """The copy goes, and another ticket gets its id."""
    rig.operator.delete("UserRequest", copy)
    rig.internal.store.table("UserRequest").next_id = copy
    assert rig.operator.create("UserRequest", title="Another", private_log="<p>Secret</p>") == copy
    rig.operator.attach("UserRequest", copy, "secret.txt", "text/plain", b"Secret")


def _meets(monkeypatch: pytest.MonkeyPatch, method: str, deed: Callable[[], None]) -> None:
    """Let somebody do this once, when our client next begins this on internal."""
    right: Callable[..., object] = getattr(Server, method)
    left = [deed]

    def wrong(server: Server, *asked: object) -> object:
        if server.side is Side.INTERNAL and left:
            left.pop()()
        return right(server, *asked)

    monkeypatch.setattr(Server, method, wrong)


def _at_rest(rig: Rig) -> int:
    number = _opens(rig, "Printer")
    rig.settle(3)
    return number


def test_what_an_answer_shows_of_another_ticket_goes_nowhere_and_no_more_is_written_to_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = _at_rest(rig)
    copy = rig.copy_of(number)
    rig.customer.note("UserRequest", number, "<p>Any news?</p>")
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)
    rig.customer.stimulus("UserRequest", number, "ev_resolve", **RESOLVED)
    _meets(monkeypatch, "stimulate", lambda: _becomes_anothers(rig, copy))
    rig.sync()
    assert list(leaks(rig.external, ["Secret"])) == []
    assert rig.internal.ticket("UserRequest", copy)["status"] == "assigned"  # not resolved
    for _ in range(2):
        with pytest.raises(SafetyStop, match="1 linked ids are other tickets"):
            rig.sync()
    rig.engine.cycle(accept=["replaced"])
    assert rig.link(number).status is LinkStatus.PARKED
    assert list(leaks(rig.external, ["Secret"])) == []


def test_no_picture_either_goes_to_what_an_answer_shows_as_another_ticket(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    number = _at_rest(rig)
    copy = rig.copy_of(number)
    rig.operator.fill_log("UserRequest", copy, room=20)  # full by our mark: the notice that tells it goes first
    picture = rig.customer.paste_image("UserRequest", number, "s.png", "image/png", PICTURE)
    rig.customer.note("UserRequest", number, f"<p>See {picture}</p>")
    rig.customer.stimulus("UserRequest", number, "ev_assign", **TEAM)  # the notes go with it, at once
    _meets(monkeypatch, "update", lambda: _becomes_anothers(rig, copy))
    rig.sync()
    assert "full" in "".join(rig.texts(Side.INTERNAL, copy))
    assert [attachment["contents"].filename for attachment in rig.internal.ticket("UserRequest", copy)["attachments"]] == [
        "secret.txt"
    ]


def test_a_file_of_another_ticket_that_has_the_copys_id_by_now_goes_nowhere(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    number = _at_rest(rig)
    copy = rig.copy_of(number)
    rig.operator.attach("UserRequest", copy, "a.txt", "text/plain", b"a")

    def happens() -> None:
        rig.internal.store.table("Attachment").next_id = 1  # a restore forgets those ids too
        _becomes_anothers(rig, copy)

    _meets(monkeypatch, "attachment_file", happens)
    rig.sync()
    assert list(leaks(rig.external, ["Secret"])) == []
    with pytest.raises(SafetyStop, match="1 linked ids are other tickets"):
        rig.sync()


def test_a_file_whose_id_is_another_tickets_by_now_goes_nowhere(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    number, other = _at_rest(rig), rig.operator.create("UserRequest", title="Own")
    copy = rig.copy_of(number)
    file = rig.operator.attach("UserRequest", copy, "a.txt", "text/plain", b"a")

    def happens() -> None:
        rig.operator.delete_attachment(file)
        rig.internal.store.table("Attachment").next_id = file
        assert rig.operator.attach("UserRequest", other, "secret.txt", "text/plain", b"Secret") == file

    _meets(monkeypatch, "attachment_file", happens)
    rig.settle(3)
    assert list(leaks(rig.external, ["Secret"])) == []
    assert rig.differences(besides=(other,)) == []


@pytest.mark.parametrize("is_restored", [False, True])
def test_one_that_a_person_had_parked_is_known_again_before_it_is_taken_up(rig: Rig, is_restored: bool) -> None:
    backup = rig.external.snapshot()
    number = _opens(rig, "Payroll")
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>Sixty thousand</p>")
    rig.settle()
    rig.operator.note("UserRequest", rig.copy_of(number), "<p>Seventy thousand</p>")
    assert "rests" in _asks(rig, RequestKind.PARK, number)
    if is_restored:
        rig.external.restore(backup)
        rig.wait(minutes=5)
        assert rig.customer.create("UserRequest", title="Coffee", private_log="<p>It is cold</p>") == number
    rig.engine.cycle(CycleKind.SWEEP)
    _asks(rig, RequestKind.RESUME, number)
    if is_restored:
        with pytest.raises(SafetyStop) as stop:
            rig.sync()
        assert stop.value.kind == "replaced"
    else:
        rig.settle()
    assert ["thousand" in text for text in rig.texts(Side.EXTERNAL, number)] == ([False] if is_restored else [True, True])
    assert "cold" not in "".join(rig.texts(Side.INTERNAL, 1))
