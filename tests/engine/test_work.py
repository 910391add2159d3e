"""In which order links are worked on, and what does not hold up what."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from time import sleep
from typing import Any

import pytest

from itopsync.engine.backlog import Backlog
from itopsync.engine.pair import CHECK_INTERVAL
from itopsync.engine.poll import poll, store_findings
from itopsync.engine.report import Count
from itopsync.errors import BadQuery, SafetyStop, StoreUnavailable
from itopsync.itop.server import Server
from itopsync.model import Attachment, Link, Side
from itopsync.store.records import CycleKind
from tests.engine.rig import TEAM, Rig


def with_settings(rig: Rig, **changes: Any) -> None:
    """Start anew with other settings of the engine."""
    rig.configuration = replace(rig.configuration, engine=replace(rig.configuration.engine, **changes))
    rig.restart()


def created(rig: Rig) -> list[str]:
    """The titles of the copies, in the order in which they were made."""
    return [str(ticket["title"]) for ticket in rig.internal.tickets()]


@pytest.mark.parametrize(("before", "window"), [(60, "same_second"), (100, "look_again")])
def test_a_new_copy_is_looked_at_again_within_seconds_unless_its_ticket_is_older(rig: Rig, before: int, window: str) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.wait(seconds=before)
    rig.engine.cycle()
    due = rig.link(number).due_at
    assert due is not None
    assert abs(due - rig.now - getattr(rig.pair.settings, window)) < timedelta(seconds=1)


def test_in_a_backfill_the_tickets_that_people_touch_come_first(rig: Rig) -> None:
    with_settings(rig, chunk=5, workers=1)
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(30)]
    rig.wait(hours=6)
    rig.customer.note("UserRequest", numbers[25], "<p>Any news?</p>")
    rig.customer.create("Incident", title="Down")
    rig.sync()
    assert {created(rig)[0], created(rig)[1]} == {"No. 25", "Down"}
    assert len(created(rig)) == 31


def test_a_ticket_that_is_touched_during_a_backfill_does_not_wait_for_its_end(rig: Rig) -> None:
    linked = rig.customer.create("UserRequest", title="Linked")
    rig.sync()
    with_settings(rig, chunk=5, workers=1, look_meanwhile=timedelta())
    for n in range(30):
        rig.customer.create("UserRequest", title=f"No. {n}")
    made = 0

    def meanwhile(where: str) -> None:
        nonlocal made
        if where == "before:core/create":
            made += 1
            if made == 8:
                rig.customer.note("UserRequest", linked, "<p>Any news?</p>")
                rig.customer.create("UserRequest", title="New")

    rig.probe = meanwhile
    rig.sync()
    done = [(write.verb, write.id) for write in rig.writes(Side.INTERNAL)]
    assert done.index(("update", rig.copy_of(linked))) < 25
    assert rig.differences() == []
    assert len(created(rig)) == 32


def test_a_ticket_with_very_many_files_does_not_keep_others_waiting(rig: Rig) -> None:
    full, other = (rig.customer.create("UserRequest", title=title) for title in ("Full", "Other"))
    rig.sync()
    with_settings(rig, look_meanwhile=timedelta(seconds=0.2))
    for n in range(100):
        rig.customer.attach("UserRequest", full, f"{n}.txt", "text/plain", b"a")
    sent = 0

    def meanwhile(where: str) -> None:
        nonlocal sent
        if where == "before:core/create":
            sent += 1
            sleep(0.02)
            if sent == 5:
                rig.customer.note("UserRequest", other, "<p>Any news?</p>")

    rig.probe = meanwhile
    rig.sync()
    done = [(write.verb, write.id) for write in rig.writes(Side.INTERNAL)]
    assert done.index(("update", rig.copy_of(other))) < 80
    assert rig.differences() == []


def test_what_an_operator_does_in_the_very_second_in_which_a_copy_is_made_is_found_within_seconds(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.wait(minutes=1)
    rig.engine.cycle()
    rig.operator.stimulus("UserRequest", rig.copy_of(number), "ev_assign", **TEAM)
    rig.wait(seconds=4)
    rig.engine.cycle()
    assert rig.external.ticket("UserRequest", number)["status"] == "assigned"


def test_what_is_touched_comes_first_then_what_waited_longest_and_each_once(rig: Rig) -> None:
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(9)]
    rig.sync()
    links = [rig.link(number) for number in numbers]
    for place, link in enumerate(links):
        rig.store.links.save(replace(link, due_at=rig.now - timedelta(minutes=place)), now=rig.now, live=True)
    backlog = Backlog(rig.store, rig.now - timedelta(minutes=2), (), None)
    first, second, third = backlog.take(2), backlog.take(3), backlog.take(9)
    assert [link.id for link in first] == [links[2].id, links[8].id]
    assert [link.id for link in second] == [links[7].id, links[6].id, links[5].id]
    assert [link.id for link in third] == [links[4].id, links[3].id]
    assert backlog.take(9) == ()
    for link in (*first, *second, *third):
        rig.store.links.save(replace(link, due_at=None), now=rig.now, live=True)
        backlog.done(replace(link, due_at=None))
    rig.store.links.mark_due([links[8].id], rig.now, now=rig.now)
    backlog.polled(rig.now)
    assert [link.id for link in backlog.take(9)] == [links[0].id, links[8].id, links[1].id]


def test_what_falls_due_between_its_work_and_the_next_poll_is_given_out_again(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    link = replace(rig.link(number), due_at=rig.now)
    rig.store.links.save(link, now=rig.now, live=True)
    backlog = Backlog(rig.store, rig.now, (), None)
    assert [due.id for due in backlog.take(9)] == [link.id]
    waits = replace(link, due_at=rig.now + timedelta(seconds=2))
    rig.store.links.save(waits, now=rig.now, live=True)
    backlog.polled(rig.now + timedelta(seconds=3))
    backlog.done(waits)
    assert [due.id for due in backlog.take(9)] == [link.id]


def test_a_query_that_a_server_refuses_is_told_as_that_sides_problem(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """In planning as in a poll."""
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    rig.customer.note("UserRequest", number, "<p>Hello</p>")

    def refuse(self: Server, *_: Any) -> None:
        raise BadQuery(self.side, "refuses the query")

    with monkeypatch.context() as patch:
        patch.setattr(Server, "readable_tickets", refuse)
        report = rig.sync()
    assert (report.outcome, len(report.problems)) == ("unavailable", 1)
    rig.settle()
    assert rig.differences() == []


@pytest.mark.parametrize("chunk", [100, 10])
def test_files_do_not_hold_up_notes(rig: Rig, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Be they of the same batch or of the next."""
    with_settings(rig, workers=2, chunk=chunk)
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(20)]
    rig.sync()
    for number in numbers[:10]:
        rig.customer.attach("UserRequest", number, "large.bin", "text/plain", b"x")
    for number in numbers[10:]:
        rig.customer.note("UserRequest", number, "<p>Any news?</p>")
    notes = threading.Event()
    update, attach = Server.update, Server.create_attachment
    count = 0

    def counting(self: Server, *arguments: Any) -> Any:
        nonlocal count
        answer = update(self, *arguments)
        count += 1
        if count == 10:
            notes.set()
        return answer

    waited: list[bool] = []

    def slow(self: Server, *arguments: Any) -> Attachment:
        waited.append(notes.wait(10))
        return attach(self, *arguments)

    monkeypatch.setattr(Server, "update", counting)
    monkeypatch.setattr(Server, "create_attachment", slow)
    rig.sync()
    assert waited == [True] * 10
    assert rig.differences() == []


def test_a_note_does_not_wait_for_files_that_were_due_before_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a backfill, with more files than one batch has."""
    *full, other = (rig.customer.create("UserRequest", title=f"No. {n}") for n in range(31))
    rig.sync()
    for number in full:
        rig.customer.attach("UserRequest", number, "large.bin", "text/plain", b"x")
    for _ in range(2):  # else each poll that follows takes new attachments for touched
        for side in Side:
            store_findings(rig.pair, poll(rig.pair, side, kind=CycleKind.POLL, now=rig.now), rig.now)
        rig.wait(hours=1)
    with_settings(rig, workers=2, chunk=5, look_meanwhile=timedelta())
    arrived, asked = threading.Event(), threading.Lock()
    update, attach = Server.update, Server.create_attachment

    def updating(self: Server, *arguments: Any) -> Any:
        answer = update(self, *arguments)
        arrived.set()
        return answer

    waited: list[bool] = []

    def slow(self: Server, *arguments: Any) -> Attachment:
        with asked:
            if not waited:
                sleep(5 * CHECK_INTERVAL)  # by then, all is begun that is begun before a file is carried
                rig.customer.note("UserRequest", other, "<p>Any news?</p>")
            waited.append(arrived.wait(0 if False in waited else 10))
        return attach(self, *arguments)

    monkeypatch.setattr(Server, "update", updating)
    monkeypatch.setattr(Server, "create_attachment", slow)
    rig.sync()
    assert waited == [True] * 30
    assert rig.differences() == []


def test_few_links_wait_for_their_files_however_many_were_touched(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(60)]
    rig.sync()
    with_settings(rig, workers=1, chunk=5)
    for number in numbers:
        rig.customer.attach("UserRequest", number, "large.bin", "text/plain", b"x")
    begun: list[int] = []
    begin, attach = rig.store.links.begin_write, Server.create_attachment

    def beginning(link: int, *arguments: Any, **more: Any) -> bool:
        begun.append(link)
        return begin(link, *arguments, **more)

    at_the_first: list[int] = []

    def slow(self: Server, *arguments: Any) -> Attachment:
        if not at_the_first:
            sleep(10 * CHECK_INTERVAL)
            at_the_first.append(len(begun))
        return attach(self, *arguments)

    monkeypatch.setattr(rig.store.links, "begin_write", beginning)
    monkeypatch.setattr(Server, "create_attachment", slow)
    rig.sync()
    assert at_the_first[0] <= 5 * 5
    assert rig.differences() == []


def test_a_safety_stop_leaves_nothing_half_written(rig: Rig) -> None:
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(20)]
    files = []
    for number in numbers:
        files.append(rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a"))
        rig.customer.attach("UserRequest", number, "stays.txt", "text/plain", b"s")
    rig.sync()
    rig.settle()
    limits = rig.configuration.rules.limits.model_copy(update={"deletions": 7})
    rig.configuration = replace(rig.configuration, rules=replace(rig.configuration.rules, limits=limits))
    with_settings(rig, chunk=5)
    for number in numbers:
        rig.customer.attach("UserRequest", number, "b.txt", "text/plain", b"b")
    for file in files:
        rig.customer.delete_attachment(file)
    rig.sync()
    with pytest.raises(SafetyStop):
        rig.sync()
    assert rig.store.links.recover(rig.now, rig.now) == ()
    assert sum(write.verb == "delete" for write in rig.writes(Side.INTERNAL)) <= 7
    rig.engine.cycle(accept={"deletions"})
    rig.settle()
    assert rig.differences() == []


def stop_at(rig: Rig, monkeypatch: pytest.MonkeyPatch, verb: str, nth: int) -> threading.Event:
    """Tell the engine to stop while its *nth* call of a verb is under way; that takes as long as the engine needs to hear it."""
    told, count = threading.Event(), 0
    monkeypatch.setattr(rig.pair, "stopping", told.is_set)

    def probe(where: str) -> None:
        nonlocal count
        if where == f"before:core/{verb}":
            count += 1
            if count == nth:
                told.set()
                sleep(4 * CHECK_INTERVAL)

    rig.probe = probe
    return told


def test_told_to_stop_it_begins_no_other_link(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(rig, chunk=5, workers=1)
    for n in range(20):
        rig.customer.create("UserRequest", title=f"No. {n}")
    told = stop_at(rig, monkeypatch, "create", 3)
    assert rig.sync().outcome == "interrupted"
    assert len(created(rig)) == 3
    assert rig.store.links.recover(rig.now, rig.now) == ()
    told.clear()
    assert rig.sync().outcome == "well"
    assert len(created(rig)) == 20


def test_told_to_stop_it_leaves_the_files_that_wait_due_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(6)]
    rig.sync()
    with_settings(rig, workers=1)
    for number in numbers:
        rig.customer.attach("UserRequest", number, "a.txt", "text/plain", b"a")
    told = threading.Event()
    monkeypatch.setattr(rig.pair, "stopping", told.is_set)

    def probe(where: str) -> None:
        if where == "before:core/create":  # the first file, behind which the others wait
            sleep(0.3)
            told.set()
            sleep(4 * CHECK_INTERVAL)

    rig.probe = probe
    assert rig.sync().outcome == "interrupted"
    rig.probe = None
    assert rig.store.links.recover(rig.now, rig.now) == ()
    assert sum(write.verb == "create" for write in rig.writes(Side.INTERNAL)) == 6 + 1
    ended = rig.now - timedelta(minutes=1)
    assert [rig.link(number).due_at == ended for number in numbers].count(True) >= 5
    told.clear()
    assert rig.sync().outcome == "well"
    assert rig.differences() == []


def test_a_store_that_fails_while_we_are_told_to_stop_is_told_of(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody would let settle what was sent and could not be noted."""
    rig.customer.create("UserRequest", title="Printer")
    told = stop_at(rig, monkeypatch, "create", 1)

    def failing(_saved: Link, **_arguments: Any) -> bool:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(rig.store.links, "save", failing)
    with pytest.raises(StoreUnavailable):
        rig.sync()
    assert told.is_set()


def test_where_the_store_fails_no_link_is_worked_on_any_more(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(rig, workers=4)
    for n in range(8):
        rig.customer.create("UserRequest", title=f"No. {n}")
    save, running = rig.store.links.save, 0
    failed = threading.Event()

    def failing(saved: Link, **arguments: Any) -> bool:
        if not failed.is_set():
            failed.set()
            raise StoreUnavailable("the disk is full")
        return save(saved, **arguments)

    def probe(where: str) -> None:
        nonlocal running
        if where == "before:core/create" and failed.wait(0.2):
            running += 1
            sleep(0.3)
            running -= 1

    rig.probe = probe
    monkeypatch.setattr(rig.store.links, "save", failing)
    with pytest.raises(StoreUnavailable):
        rig.sync()
    assert failed.is_set()
    assert running == 0


def test_a_sweep_works_on_what_it_found_though_time_goes_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        rig.customer.create("UserRequest", title=f"No. {n}")
    rig.sync()
    rig.settle()

    def ticking() -> datetime:
        rig.wait(seconds=1)
        return rig.now

    monkeypatch.setattr(rig.pair, "clock", ticking)
    report = rig.engine.cycle(CycleKind.SWEEP)
    assert report.counts[Count.LOOKED_AT] == 3
    assert report.counts[Count.LINKS] == 3


def test_a_link_that_is_touched_while_it_is_worked_on_stays_due(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    number = rig.customer.create("UserRequest", title="Linked")
    rig.sync()
    first, second = (rig.customer.draft(name, "text/plain", b"x") for name in ("first.txt", "second.txt"))
    rig.settle(12)  # so that the poll alone which sees the second one bound tells of it
    rig.customer.bind(first, "UserRequest", number)
    attach = Server.create_attachment

    def slow(self: Server, *arguments: Any) -> Attachment:
        monkeypatch.undo()
        answer = attach(self, *arguments)
        rig.wait(seconds=30)
        rig.customer.bind(second, "UserRequest", number)
        for side in Side:
            store_findings(rig.pair, poll(rig.pair, side, kind=CycleKind.POLL, now=rig.now), rig.now)
        return answer

    monkeypatch.setattr(Server, "create_attachment", slow)
    rig.sync()
    rig.settle()
    assert rig.differences() == []


class _EndsAsItIsLeft(Future[str]):
    """A read whose answer comes right after a wait for it has run out."""

    def come(self) -> None:
        if not self.done():
            self.set_result("the answer")

    def result(self, timeout: float | None = None) -> str:
        if timeout is not None and not self.done():
            self.come()
            raise TimeoutError
        return super().result(timeout)


def test_an_answer_that_comes_as_the_wait_for_it_ends_is_taken(rig: Rig) -> None:
    reading = _EndsAsItIsLeft()
    threading.Timer(2 * CHECK_INTERVAL, reading.come).start()
    assert rig.pair.answer_of(reading) == "the answer"


def test_a_read_that_ends_with_a_timeout_of_its_own_is_told(rig: Rig) -> None:
    reading: Future[str] = Future()
    reading.set_exception(TimeoutError("its own"))
    with pytest.raises(TimeoutError, match="its own"):
        rig.pair.answer_of(reading)
