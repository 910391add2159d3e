"""What becomes of a link as a whole: taken up, at rest, gone, taken in hand, found again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from itopsync.errors import Refused, SafetyStop
from itopsync.model import (
    Agreed,
    Base,
    End,
    FilePair,
    FileStatus,
    ItemKey,
    Link,
    LinkStatus,
    NoteRecord,
    Obstacle,
    Ref,
    Side,
    Ticket,
)
from itopsync.reconcile import by_hand, planner, safety
from itopsync.reconcile.markers import ticket_marker, unlinked_marker
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.rebuilding import base_of_now, rebuilt
from itopsync.reconcile.rules import Limits
from itopsync.reconcile.safety import Accepted
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.ticket_markers import read_ticket_markers
from tests.reconcile.making import (
    CUSTOMER,
    EXTERNAL,
    INTERNAL,
    MINUTE,
    NOW,
    OPENED,
    agreed,
    both,
    creates,
    default_rules,
    entry,
    file,
    kept,
    ours,
    plan,
    plan_twice,
    rules,
    ticket,
    unlinked,
)

NEW = replace(both(), internal=None)
NEXT_YEAR = NOW + timedelta(days=365)


# taken up


def test_a_new_ticket_is_copied_once() -> None:
    assert len(creates(plan(unlinked(), NEW))) == 1
    assert creates(plan(agreed(), both())) == []


def test_a_new_ticket_is_left_where_the_rules_say_so() -> None:
    assert plan(unlinked(), NEW, rules(rules__new_tickets="never")).actions == ()


def test_a_creation_that_waits_waits() -> None:
    waiting = Obstacle(ItemKey("ticket"), "", "refused", 1, parked=False, not_before=NOW + MINUTE)

    planned = plan(replace(unlinked(), obstacles=(waiting,)), NEW)

    assert planned.actions == ()
    assert planned.link.obstacles == (waiting,)
    assert ("waiting for another try", "ticket") in kept(planned)


def test_a_ticket_that_says_no_beginning_is_dated_now() -> None:
    (made,) = creates(plan(unlinked(), replace(NEW, external=ticket(EXTERNAL, start_date=""))))

    assert made.notes[0].at == NOW


# at rest, and gone


@pytest.mark.parametrize("status", [LinkStatus.PARKED, LinkStatus.TOMBSTONE])
def test_what_rests_is_not_touched(status: LinkStatus) -> None:
    link = replace(agreed(), status=status)

    assert plan(link, both(ticket(EXTERNAL, title="Scanner"))) == Plan(link)


@pytest.mark.parametrize("side", list(Side))
def test_a_ticket_that_is_gone_leaves_a_tombstone_and_its_counterpart_alone(side: Side) -> None:
    planned = plan(agreed(), replace(both(), **{str(side): None}))

    assert planned.actions == ()
    assert planned.link.status is LinkStatus.TOMBSTONE


def test_a_ticket_that_is_gone_before_it_was_copied_leaves_one_too() -> None:
    assert plan(unlinked(), replace(NEW, external=None)).link.status is LinkStatus.TOMBSTONE


def test_nobody_looks_at_a_ticket_that_is_not_there() -> None:
    situation = Situation(unlinked(), NEW, default_rules(), default_rules().for_external("UserRequest"), NOW)

    with pytest.raises(ValueError, match="no ticket on internal in link 1"):
        situation.ticket(INTERNAL)
    assert not situation.has_attachment(INTERNAL, "there.5")


def test_a_ticket_that_cannot_be_read_waits_then_rests_and_stays_linked_until_it_can() -> None:
    why = Refused(EXTERNAL, "the server fails on it")
    waiting = planner.plan_unread(agreed(), why, NOW, MINUTE)
    resting = planner.plan_unread(waiting.link, why, NOW + MINUTE, None)

    assert waiting.unread is why
    assert not waiting.actions
    assert [(obstacle.tries, obstacle.not_before) for obstacle in waiting.link.obstacles] == [(1, NOW + MINUTE)]
    assert kept(waiting) == {("waiting for another try", "ticket")}
    assert [(obstacle.tries, obstacle.parked) for obstacle in resting.link.obstacles] == [(2, True)]
    assert kept(resting) == {("parked", "ticket")}
    assert resting.link.status is LinkStatus.LINKED
    assert plan(resting.link, both()).link.obstacles == (), "it is read again"


# what stops a cycle


@pytest.mark.parametrize(
    ("kind", "limit"), [("replaced", 0), ("missing", 10), ("rewritten", 10), ("deletions", 50), ("creations", 200)]
)
def test_a_limit_lets_as_many_through_as_it_says_and_one_more_if_accepted(kind: str, limit: int) -> None:
    within, beyond = (safety.Tally(**{kind: frozenset(f"{n} x" for n in range(count))}) for count in (limit, limit + 1))

    safety.check(within, Limits(), Accepted())
    safety.check(beyond, Limits(), Accepted({kind}))
    with pytest.raises(SafetyStop, match=rf"{limit + 1} .*run `itopsync accept {kind}`") as stop:
        safety.check(beyond, Limits(), Accepted({"others"}))
    assert stop.value.kind == kind
    assert kind in set(safety.Excess)


def test_what_was_accepted_passes_and_what_has_come_since_counts() -> None:
    known, grown = on_tickets(60, 1), on_tickets(111, 1)
    accepted = Accepted(things=known.things("deletions"))
    safety.check(known, Limits(), accepted)
    with pytest.raises(SafetyStop, match="51 attachments of many tickets are to be deleted, more than the limit of 50"):
        safety.check(grown, Limits(), accepted)


def test_a_tally_counts_what_plans_do() -> None:
    gone = plan(agreed(), replace(both(), external=None))
    known = replace(agreed(), files=(FilePair(EXTERNAL, 5, 8, FileStatus.CARRIED),))
    deletes = plan_twice(known, both(internal=ticket(INTERNAL, files=(file(8, "itopsync-acme-a-e5", ticket=2),))))
    odd = replace(Plan(agreed(), rewritten=True), replaced=True)

    waiting = frozenset({"1", "2", "3"})
    tally = safety.Tally(creations=waiting)
    for planned in (gone, deletes, odd, plan(unlinked(), replace(NEW, external=None))):
        tally = tally.add(planned)

    assert tally.creations == waiting
    counts = [len(things) for things in (tally.deletions, tally.missing, tally.rewritten, tally.replaced, tally.markers)]
    assert counts == [1, 1, 1, 1, 0]


def on_tickets(tickets: int, each: int) -> safety.Tally:
    return safety.Tally(deletions=frozenset(f"{ticket} internal:{ticket}{n}" for ticket in range(tickets) for n in range(each)))


def test_deletions_on_a_few_tickets_stop_no_cycle() -> None:
    safety.check(on_tickets(10, 50), Limits(), Accepted())
    with pytest.raises(SafetyStop):
        safety.check(on_tickets(11, 50), Limits(), Accepted())
    with pytest.raises(SafetyStop):  # who sets a lower limit means it
        safety.check(on_tickets(6, 1), Limits(deletions=5), Accepted())


# taken in hand


def stopped(status: LinkStatus) -> Link:
    obstacle = Obstacle(ItemKey("state"), "x", "no way", 8, parked=True, not_before=None)
    return replace(agreed(), status=status, obstacles=(obstacle,))


def test_a_retry_forgets_what_stood_in_the_way() -> None:
    retried = by_hand.retried(stopped(LinkStatus.LINKED), NOW)

    assert (retried.obstacles, retried.due_at) == ((), NOW)
    settling = replace(stopped(LinkStatus.LINKED), in_doubt=True, due_at=NOW + MINUTE)
    assert by_hand.retried(settling, NOW).due_at == NOW + MINUTE
    for status in (LinkStatus.PARKED, LinkStatus.TOMBSTONE):
        assert by_hand.retried(stopped(status), NOW) == stopped(status)


def test_a_link_is_parked_and_resumed() -> None:
    rests = by_hand.parked(agreed(), "anna", "waits for\nthe audit")

    assert rests.status is LinkStatus.PARKED
    reason = "parked by anna: waits for the audit; `itopsync resume` takes it up again"
    assert rests.obstacles == (Obstacle(ItemKey("ticket"), "", reason, tries=0, parked=True, not_before=None),)
    again = by_hand.resumed(rests, NOW)
    assert (again.status, again.obstacles, again.due_at) == (LinkStatus.LINKED, (), NOW)
    assert again.base == agreed().base  # its tickets may have become other ones meanwhile
    assert by_hand.resumed(by_hand.parked(unlinked(), "anna"), NOW).status is LinkStatus.WAITING
    assert by_hand.resumed(agreed(), NOW) == agreed()
    assert by_hand.parked(stopped(LinkStatus.TOMBSTONE), "anna") == stopped(LinkStatus.TOMBSTONE)


def test_only_what_was_found_without_a_copy_is_released_for_copying() -> None:
    for status in (LinkStatus.LINKED, LinkStatus.PARKED):
        assert by_hand.to_be_copied(stopped(status), NOW) == stopped(status)


def test_a_link_is_unlinked_once_and_not_while_a_copy_may_be_on_its_way() -> None:
    assert by_hand.unlinked(agreed(), NOW, notice=True).status is LinkStatus.UNLINKING
    assert by_hand.unlinked(agreed(), NOW, notice=False).status is LinkStatus.TOMBSTONE
    assert by_hand.unlinked(stopped(LinkStatus.TOMBSTONE), NOW, notice=True) == stopped(LinkStatus.TOMBSTONE)
    in_doubt = replace(unlinked(), in_doubt=True)
    assert by_hand.unlinked(in_doubt, NOW, notice=True) == in_doubt


def test_a_link_is_unlinked_once_nothing_may_land_on_it_any_more() -> None:
    """If the two were linked again before, the note would be sent twice."""
    in_doubt = replace(agreed(), in_doubt=True, due_at=NOW + MINUTE)
    assert by_hand.unlinked(in_doubt, NOW, notice=False) == in_doubt
    told = by_hand.unlinked(in_doubt, NOW, notice=True)  # which a look goes before
    assert (told.status, told.in_doubt, told.due_at) == (LinkStatus.UNLINKING, True, NOW + MINUTE)
    for due_at in (NOW, None):  # also where the ticket cannot be read, so that nobody will ever know
        assert by_hand.unlinked(replace(in_doubt, due_at=due_at), NOW, notice=False).status is LinkStatus.TOMBSTONE
        assert by_hand.retried(replace(in_doubt, due_at=due_at), NOW).due_at == NOW


def test_a_retry_lets_what_vanished_too_often_be_written_again() -> None:
    link = replace(agreed(), base=replace(agreed().base, notes={"itopsync-acme-n-1": NoteRecord(EXTERNAL, NOW, writes=4)}))
    assert by_hand.retried(link, NOW).base.notes["itopsync-acme-n-1"].writes == 1


def test_the_marks_on_a_ticket_say_whose_it_is_and_whose_it_was() -> None:
    """In their order, whoever else is named."""
    first, second = Ref(EXTERNAL, "UserRequest", 1), Ref(EXTERNAL, "UserRequest", 7)

    def marks(*markers: str) -> tuple[set[Ref], set[Ref]]:
        bearer = replace(ticket(INTERNAL), logs={"private_log": tuple(ours(INTERNAL, marker) for marker in markers)})
        found = read_ticket_markers(bearer, ("private_log",), "acme", ())
        return set(found.standing), set(found.former)

    its, end = ticket_marker("acme", first), unlinked_marker("acme", first)
    assert marks(its) == ({first}, set())
    assert marks(its, end) == (set(), {first})
    assert marks(its, end, its) == ({first}, set())
    assert marks(end) == (set(), {first})
    assert marks(its, unlinked_marker("acme", second)) == ({first}, {second})


# found again


def found_again(external: Ticket, internal: Ticket) -> tuple[Link, tuple[str, ...]]:
    """A link of which nothing is left but the two tickets."""
    link = Link(1, external.ref, internal.ref, LinkStatus.LINKED)
    seen = both(external, internal)
    result = rebuilt(plan(link, seen), seen, default_rules(), dict.fromkeys(Side, 0), NOW)
    return result.link, result.differs


def test_two_sides_at_rest_are_found_again_with_nothing_to_do() -> None:
    link, differs = found_again(ticket(EXTERNAL, "assigned"), ticket(INTERNAL, "assigned"))

    assert differs == ()
    assert link.base.state == Agreed("assigned", "assigned")
    assert (link.external_number, link.internal_number, link.base.last_change) == ("R-000001", "R-000002", OPENED.isoformat())
    assert plan(link, both(ticket(EXTERNAL, "assigned"), ticket(INTERNAL, "assigned"))).actions == ()


def test_what_differs_is_listed_and_left() -> None:
    external, internal = ticket(EXTERNAL, "closed", title="Scanner"), ticket(INTERNAL, "resolved")

    link, differs = found_again(external, internal)

    assert differs == ("state", "title")
    assert plan(link, both(external, internal)).actions == ()


def test_there_is_no_base_without_both_tickets() -> None:
    for alone in (replace(both(), internal=None), replace(both(), external=None)):
        with pytest.raises(ValueError, match="one of the two tickets is not there"):
            base_of_now(alone, default_rules().for_external("UserRequest"), ())


def test_states_that_no_way_joins_are_listed_too() -> None:
    assert found_again(ticket(EXTERNAL, "assigned"), ticket(INTERNAL, "closed"))[1] == ("state",)


def test_a_pair_of_which_one_is_gone_is_found_as_it_is() -> None:
    link = Link(1, Ref(EXTERNAL, "UserRequest", 1), Ref(INTERNAL, "UserRequest", 2), LinkStatus.LINKED)
    seen = replace(both(), internal=None)

    assert rebuilt(plan(link, seen), seen, default_rules(), dict.fromkeys(Side, 0), NOW).link.base == Base(
        ended=End.INTERNAL_GONE
    )


def test_notes_found_again_are_not_sent_again() -> None:
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),)))
    link, _ = found_again(*(each for each in (seen.external, seen.internal) if each))

    assert len(plan(link, seen).actions) == 1


# the rules


def test_a_class_that_is_not_synced_has_no_rules() -> None:
    with pytest.raises(KeyError, match="WorkOrder"):
        default_rules().for_external("WorkOrder")


def test_what_is_read_of_a_ticket_is_what_the_rules_speak_of() -> None:
    cls = default_rules().for_external("UserRequest")

    assert {"title", "solution", "team_id", "start_date"} <= cls.attributes(EXTERNAL).keys()
    assert cls.attributes(EXTERNAL) == cls.attributes(INTERNAL)
    change = replace(cls, since_attribute="creation_date")
    assert change.attributes(EXTERNAL).keys() ^ change.attributes(INTERNAL).keys() == {"creation_date", "start_date"}
