"""What people ask for: each is done once, or not at all, and says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from itopsync.engine import stops
from itopsync.engine.pauses import pauses
from itopsync.engine.steering import BEFORE_ALL, Outcome, Steering
from itopsync.errors import Refused, SafetyStop
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.model import Link, LinkStatus, Ref, Side, Ticket
from itopsync.reconcile.safety import Excess
from itopsync.store.records import CycleKind, CycleOutcome, RequestKind, RequestState
from tests.engine.rig import Crash, Rig


def steering(rig: Rig) -> Steering:
    return Steering(rig.pair.store, rig.pair.rules, lambda: rig.now, rig.inspector)


def ask(rig: Rig, kind: RequestKind, **more: Any) -> Outcome:
    """Ask as any process may, and carry it out as the one does that runs cycles."""
    number = rig.store.requests.ask(kind, "anna", rig.now, **more)
    request = rig.store.requests.take(number, rig.now)
    assert request is not None
    outcome = steering(rig).carry_out(request)
    told = rig.store.requests.get(number)
    assert told is not None
    assert (told.state, told.result, told.finished_at) == (outcome.state, outcome.result, rig.now)
    return outcome


def opened(rig: Rig, count: int = 1) -> list[int]:
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(count)]
    rig.engine.cycle(accept=["creations"])
    return numbers


def link(rig: Rig, number: int = 1) -> Link:
    (found,) = rig.store.links.get([number])
    return found


# links


def test_park_and_resume(rig: Rig) -> None:
    opened(rig)
    assert ask(rig, RequestKind.PARK, link=1).result == "link 1, R-000001 (external:UserRequest:1) rests."
    assert link(rig).status is LinkStatus.PARKED
    assert "`itopsync resume 1`" in ask(rig, RequestKind.RETRY, link=1).result
    assert "taken up again" in ask(rig, RequestKind.RESUME, link=1).result
    assert link(rig).status is LinkStatus.LINKED


def test_unlink_and_link(rig: Rig) -> None:
    (number,) = opened(rig)
    copy = rig.copy_of(number)
    assert ask(rig, RequestKind.UNLINK, link=1, arguments={"notice": "no"}).state is RequestState.DONE
    assert link(rig).status is LinkStatus.TOMBSTONE
    two = {"pairs": f"UserRequest:{number}=UserRequest:{copy}"}
    assert "carries what comes from now on" in ask(rig, RequestKind.LINK, arguments=two).result
    again = ask(rig, RequestKind.LINK, arguments=two)
    assert again.state is RequestState.REFUSED
    assert "is linked with" in again.result


def test_a_sync_puts_a_ticket_before_all_others(rig: Rig) -> None:
    opened(rig, 3)
    rig.wait(hours=3)
    rig.sync()
    assert link(rig, 2).due_at is None
    assert ask(rig, RequestKind.SYNC, link=2).state is RequestState.DONE
    assert link(rig, 2).due_at == BEFORE_ALL


def test_a_cycle_on_one_link_leaves_the_others(rig: Rig) -> None:
    numbers = opened(rig, 3)
    rig.wait(hours=3)
    rig.sync()
    for number in numbers:
        rig.customer.note("UserRequest", number, "<p>Hello</p>")
    ask(rig, RequestKind.SYNC, link=2)
    rig.wait(minutes=1)
    report = rig.engine.cycle(only=[2])
    assert (report.outcome, len(report.writes)) == (CycleOutcome.WELL, 1)
    assert [record.link for record in rig.store.activity.latest(1)] == [2]
    assert rig.store.links.due_counts(rig.now).total == 2
    rig.sync()
    assert rig.differences() == []


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        (RequestKind.PARK, {"link": 99}, "link 99 is not known"),
        (RequestKind.PARK, {}, "park is for one link: name it"),
        (RequestKind.SYNC, {}, "sync is for one link: name it"),
        (RequestKind.LINK, {}, "this is no link that can be understood"),
        (RequestKind.LINK, {"arguments": {"pairs": "UserRequest:1"}}, "this is no link that can be understood"),
        (RequestKind.LINK, {"arguments": {"pairs": "Person:x=A:1"}}, "this is no link that can be"),
        (RequestKind.LINK, {"arguments": {"pairs": "Person:1=Person:1"}}, "Person is not kept in step"),
        (RequestKind.PAUSE, {"arguments": {"side": "both"}}, "this is no pause that can be understood"),
        (RequestKind.PAUSE, {"arguments": {"until": "tomorrow"}}, "this is no pause that can be understood"),
        (RequestKind.PAUSE, {"arguments": {"until": "2020-01-01T00:00:00+00:00"}}, "is past: name a time to come"),
        (RequestKind.ACCEPT, {"arguments": {"kind": "creations"}}, "nothing stops the cycles"),
        (RequestKind.SWEEP, {}, "for the process that runs cycles"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(rig: Rig, kind: RequestKind, more: dict[str, Any], why: str) -> None:
    opened(rig)
    outcome = ask(rig, kind, **more)
    assert outcome.state is RequestState.REFUSED
    assert why in outcome.result


def test_a_short_pause_that_is_over_when_it_is_taken_up_takes_the_place_of_the_one_before(rig: Rig) -> None:
    ask(rig, RequestKind.PAUSE)
    assert pauses(rig.store, rig.now)
    number = rig.store.requests.ask(
        RequestKind.PAUSE, "anna", rig.now, arguments={"until": (rig.now + timedelta(seconds=1)).isoformat()}
    )
    rig.wait(seconds=2)
    request = rig.store.requests.take(number, rig.now)
    assert request is not None
    outcome = steering(rig).carry_out(request)
    assert outcome.state is RequestState.DONE
    assert outcome.result.endswith("UTC, before anyone carried this request out.")
    assert pauses(rig.store, rig.now) == ()


def test_a_server_that_does_not_answer_refuses_a_link_by_hand(rig: Rig) -> None:
    opened(rig)
    copy = rig.operator.create("UserRequest", title="Opened by hand")
    rig.internal.maintenance = True
    outcome = ask(rig, RequestKind.LINK, arguments={"pairs": f"UserRequest:2=UserRequest:{copy}"})
    assert outcome.state is RequestState.REFUSED
    assert "internal: is in maintenance" in outcome.result


def test_of_many_pairs_those_that_cannot_be_linked_do_not_hold_up_the_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    (linked,) = opened(rig)
    theirs = [rig.customer.create("UserRequest", title="Old", start_date="2026-11-01 00:00:00") for _ in range(3)]
    ours = [rig.operator.create("UserRequest", title="Old") for _ in range(3)]
    read = Server.readable_tickets

    def failing(self: Server, cls: str, ids: list[int], attributes: Attributes) -> tuple[dict[int, Ticket], dict[int, Refused]]:
        shown, failed = read(self, cls, ids, attributes)
        if self.side is Side.EXTERNAL and theirs[1] in shown:
            del shown[theirs[1]]
            failed[theirs[1]] = Refused(self.side, "the server fails on it")
        return shown, failed

    monkeypatch.setattr(Server, "readable_tickets", failing)
    pairs = zip((theirs[0], theirs[1], linked, theirs[2]), (*ours[:2], rig.copy_of(linked), ours[2]), strict=True)
    asked = " ".join(f"UserRequest:{external}=UserRequest:{internal}" for external, internal in pairs)
    outcome = ask(rig, RequestKind.LINK, arguments={"pairs": asked})
    assert outcome.state is RequestState.DONE
    done, unread, again = outcome.result.splitlines()
    assert done.startswith("2 links: ")
    assert f"external:UserRequest:{theirs[1]} and internal:UserRequest:{ours[1]} are not linked: external: the server" in unread
    assert f"external:UserRequest:{linked} is linked with" in again
    assert [rig.link(number).internal for number in (theirs[0], theirs[2])] == [
        Ref(Side.INTERNAL, "UserRequest", number) for number in (ours[0], ours[2])
    ]


@pytest.mark.parametrize("place", ["amend", "finish"])
def test_a_crash_while_it_is_carried_out_leaves_all_as_it_was_and_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    opened(rig)
    number = rig.store.requests.ask(RequestKind.PARK, "anna", rig.now, link=1)
    request = rig.store.requests.take(number, rig.now)
    assert request is not None

    def crash(*_: object, **__: object) -> None:
        raise Crash

    part: object = rig.pair.store.links if place == "amend" else rig.pair.store.requests
    monkeypatch.setattr(part, place, crash)
    with pytest.raises(Crash):
        steering(rig).carry_out(request)
    monkeypatch.undo()
    rig.restart()
    told = rig.store.requests.get(number)
    assert told is not None
    assert told.state is RequestState.INTERRUPTED
    assert link(rig).status is LinkStatus.LINKED
    assert rig.store.requests.waiting() == ()


def test_one_that_was_given_up_for_lost_changes_nothing_any_more(rig: Rig) -> None:
    opened(rig)
    number = rig.store.requests.ask(RequestKind.PARK, "anna", rig.now, link=1)
    request = rig.store.requests.take(number, rig.now)
    rig.store.requests.recover(rig.now)
    assert request is not None
    with pytest.raises(KeyError):
        steering(rig).carry_out(request)
    assert link(rig).status is LinkStatus.LINKED


def test_pause_and_unpause(rig: Rig) -> None:
    until = "2026-11-24T22:00:00+01:00"
    told = ask(rig, RequestKind.PAUSE, reason="upgrade", arguments={"side": "external", "until": until}).result
    assert told == "external is paused by anna since 2026-11-24 03:00 UTC, until 2026-11-24 21:00 UTC: upgrade."
    assert [each.sides for each in pauses(rig.store, rig.now)] == [(Side.EXTERNAL,)]
    ask(rig, RequestKind.UNPAUSE)
    assert pauses(rig.store, rig.now) == ()


# what a limit stopped


def limit(rig: Rig, **limits: int) -> None:
    """Set limits that few tickets exceed, in this process."""
    rules = rig.pair.rules
    rig.pair.rules = replace(rules, limits=rules.limits.model_copy(update=limits))


def stopped(rig: Rig, kind: Excess, *, sweep: bool = False) -> stops.Stop:
    rig.wait(minutes=1)
    with pytest.raises(SafetyStop) as raised:
        rig.engine.cycle(CycleKind.SWEEP if sweep else CycleKind.POLL)
    stop = stops.current(rig.store)
    assert stop is not None
    assert (stop.kind, stop.reason) == (kind, str(raised.value)) == (raised.value.kind, stop.reason)
    return stop


def accept(rig: Rig, stop: stops.Stop) -> Outcome:
    return ask(rig, RequestKind.ACCEPT, fingerprint=stop.fingerprint, arguments={"kind": stop.kind})


def test_creations_that_were_accepted_are_made_and_what_comes_on_top_stops(rig: Rig) -> None:
    limit(rig, creations=5)
    for n in range(6):
        rig.customer.create("UserRequest", title=f"No. {n}")
    stop = stopped(rig, Excess.CREATIONS)
    assert len(stop.things) == 6
    assert accept(rig, stop).result.startswith("accepted, and nothing on top of it: 6 creations")
    for n in range(6):
        rig.customer.create("UserRequest", title=f"On top {n}")
    grown = stopped(rig, Excess.CREATIONS)
    assert "6 new tickets are to be created" in grown.reason
    assert len(rig.internal.tickets()) == 0
    assert accept(rig, grown).state is RequestState.DONE
    rig.sync()
    assert len(rig.internal.tickets()) == 12
    assert (stops.current(rig.store), stops.accepted(rig.store)) == (None, frozenset())


def test_a_stop_that_has_grown_since_it_was_looked_at_is_not_accepted(rig: Rig) -> None:
    limit(rig, creations=5)
    for n in range(6):
        rig.customer.create("UserRequest", title=f"No. {n}")
    seen = stopped(rig, Excess.CREATIONS)
    rig.customer.create("UserRequest", title="One more")
    assert stopped(rig, Excess.CREATIONS).fingerprint != seen.fingerprint
    outcome = accept(rig, seen)
    assert outcome.state is RequestState.REFUSED
    assert "the plan is another one by now: 7 new tickets" in outcome.result
    other = ask(rig, RequestKind.ACCEPT, fingerprint=seen.fingerprint, arguments={"kind": "deletions"})
    assert "it is creations that stops the cycles" in other.result


def with_files(rig: Rig, tickets: int, each: int) -> list[int]:
    """Linked tickets with files that are there on both sides."""
    numbers = [rig.customer.create("UserRequest", title=f"No. {n}") for n in range(tickets)]
    for number in numbers:
        for n in range(each):
            rig.customer.attach("UserRequest", number, f"{n}.txt", "text/plain", b"text")
    rig.sync()
    rig.settle()
    return numbers


def delete_files(rig: Rig, numbers: list[int]) -> None:
    for number in numbers:
        for attachment in rig.external.ticket("UserRequest", number)["attachments"]:
            rig.customer.delete_attachment(attachment["id"])
    rig.wait(minutes=1)
    rig.engine.cycle(only=[rig.link(number).id for number in numbers])  # only at the second look do they count as gone
    rig.wait(minutes=1)


def copies(rig: Rig) -> int:
    return sum(len(ticket["attachments"]) for ticket in rig.internal.tickets())


def test_a_stop_tells_of_all_deletions_that_wait_not_of_the_first_ones(rig: Rig) -> None:
    """They are read a batch at a time: a person is asked once, with the whole before his eyes."""
    numbers = with_files(rig, 120, 1)
    delete_files(rig, numbers)
    stop = stopped(rig, Excess.DELETIONS)
    assert "120 attachments of many tickets are to be deleted" in stop.reason
    assert len(stop.things) == 120
    again = stopped(rig, Excess.DELETIONS)
    assert again == stop
    accept(rig, stop)
    rig.sync()
    assert copies(rig) == 0
    assert rig.differences() == []


def test_deletions_on_top_of_what_was_accepted_count_by_themselves(rig: Rig) -> None:
    numbers = with_files(rig, 34, 5)
    delete_files(rig, numbers[:12])
    accept(rig, stopped(rig, Excess.DELETIONS))
    delete_files(rig, numbers[12:23])
    assert "55 attachments of many tickets are to be deleted" in stopped(rig, Excess.DELETIONS).reason
    assert copies(rig) == 170
    rig.engine.cycle(accept=["deletions"])
    delete_files(rig, numbers[23:])
    accept(rig, stopped(rig, Excess.DELETIONS))
    rig.sync()
    assert copies(rig) == 0


def test_tickets_that_are_gone_can_be_accepted_and_no_others(rig: Rig) -> None:
    numbers = opened(rig, 24)
    for number in numbers[:11]:
        rig.operator.delete("UserRequest", rig.copy_of(number))
    stop = stopped(rig, Excess.MISSING, sweep=True)
    assert len(stop.things) == 11
    accept(rig, stop)
    for number in numbers[11:22]:
        rig.operator.delete("UserRequest", rig.copy_of(number))
    assert "11 linked tickets are gone" in stopped(rig, Excess.MISSING, sweep=True).reason
    assert rig.store.links.counts()[LinkStatus.TOMBSTONE] == 0


def test_the_last_tickets_of_a_side_that_are_really_gone_can_be_accepted(rig: Rig) -> None:
    """The side shows nothing at all: that stops before anything is counted."""
    numbers = opened(rig, 2)
    for number in numbers:
        rig.operator.delete("UserRequest", rig.copy_of(number))
    stop = stopped(rig, Excess.MISSING, sweep=True)
    assert "shows our account no ticket at all" in stop.reason
    accept(rig, stop)
    rig.sync()
    assert rig.store.links.counts()[LinkStatus.TOMBSTONE] == 2


def test_what_was_accepted_holds_across_a_restart_and_a_side_that_is_down(rig: Rig) -> None:
    numbers = with_files(rig, 12, 5)
    delete_files(rig, numbers)
    accept(rig, stopped(rig, Excess.DELETIONS))
    rig.internal.maintenance = True
    assert rig.sync().outcome is CycleOutcome.UNAVAILABLE
    rig.restart()
    rig.internal.maintenance = False
    rig.sync()
    assert copies(rig) == 0
    assert stops.accepted(rig.store) == frozenset()


def test_a_stop_is_over_when_its_cause_is(rig: Rig) -> None:
    limit(rig, creations=5)
    for n in range(6):
        rig.customer.create("UserRequest", title=f"No. {n}")
    stopped(rig, Excess.CREATIONS)
    rig.engine.cycle(accept=["creations"])
    assert stops.current(rig.store) is None
