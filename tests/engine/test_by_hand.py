"""Two tickets are linked by hand, and parted: what was there stays, and what comes is carried, even if the store is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from itopsync.engine import due_links, linking
from itopsync.engine import plan as stage
from itopsync.engine.linking import CannotLink
from itopsync.engine.observe import Observed
from itopsync.engine.pair import Pair
from itopsync.engine.plan import Planned
from itopsync.engine.rebuild import rebuild
from itopsync.model import FileStatus, Link, LinkStatus, Ref, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.by_hand import Joined
from itopsync.reconcile.copied import Bridge, Standing
from itopsync.reconcile.rebuilding import Rebuilt
from itopsync.simulator import FaultKind
from itopsync.store.records import CycleKind
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Crash, Rig
from tests.engine.verifying import compared

OLD = "2026-11-01 00:00:00"
"""Before ``scope.since``: no copy is made of such a ticket."""


def _two(rig: Rig) -> tuple[int, int]:
    """An old request on each side, with notes and files of their own; the same matter, told twice."""
    external = rig.customer.create("UserRequest", title="Printer", start_date=OLD, private_log="<p>Hers</p>", service_id=1)
    rig.customer.attach("UserRequest", external, "hers.txt", "text/plain", b"hers")
    internal = rig.operator.create("UserRequest", title="Printer on 2nd floor", private_log="<p>Ours</p>", service_id=1)
    rig.operator.attach("UserRequest", internal, "ours.txt", "text/plain", b"ours")
    rig.sync()
    rig.wait(minutes=5)
    return external, internal


def _refs(external: int, internal: int) -> tuple[Ref, Ref]:
    return Ref(Side.EXTERNAL, "UserRequest", external), Ref(Side.INTERNAL, "UserRequest", internal)


def _compare(rig: Rig, external: int, internal: int, *, history: bool = False) -> Joined:
    return linking.compare(rig.inspector, *_refs(external, internal), history=Bridge() if history else None)


def _link(rig: Rig, external: int, internal: int, *, history: bool = False) -> Link:
    return linking.join(rig.pair, _compare(rig, external, internal, history=history))


def _unlink(rig: Rig, external: int, *, mark: bool = True) -> Link:
    parted = rig.store.links.amend(rig.link(external).id, lambda link: by_hand.unlinked(link, rig.now, notice=mark), rig.now)
    assert parted is not None
    return parted


def _lose_the_store(rig: Rig) -> list[Link]:
    rig.stop()
    for file in rig.folder.glob("store*"):
        file.unlink()
    rig.start()
    found = rebuild(rig.inspector)
    return [each.link for each in found if isinstance(each, Rebuilt)]


def _said(rig: Rig, side: Side, number: int, words: str) -> int:
    return sum(words in text for text in rig.texts(side, number))


def _files(rig: Rig, side: Side, number: int) -> int:
    simulator = rig.external if side is Side.EXTERNAL else rig.internal
    return len(simulator.ticket("UserRequest", number)["attachments"])


def _assert_nothing_old_was_carried(rig: Rig, external: int, internal: int) -> None:
    assert (_said(rig, Side.INTERNAL, internal, "Hers"), _said(rig, Side.EXTERNAL, external, "Ours")) == (0, 0)
    assert (_files(rig, Side.EXTERNAL, external), _files(rig, Side.INTERNAL, internal)) == (1, 1)
    assert rig.internal.ticket("UserRequest", internal)["title"] == "Printer on 2nd floor"


# link


def test_what_stood_there_stays_and_what_comes_is_carried(rig: Rig) -> None:
    external, internal = _two(rig)
    assert rig.writes(Side.INTERNAL) == []
    _link(rig, external, internal)
    rig.sync()
    _assert_nothing_old_was_carried(rig, external, internal)
    assert rig.writes(Side.EXTERNAL) == []
    assert len(rig.writes(Side.INTERNAL)) == 1  # the mark
    rig.customer.note("UserRequest", external, "<p>Hello</p>")
    rig.customer.attach("UserRequest", external, "new.txt", "text/plain", b"new")
    rig.operator.note("UserRequest", internal, "<p>On our way</p>")
    rig.sync()
    rig.settle()
    assert (_said(rig, Side.INTERNAL, internal, "Hello"), _said(rig, Side.EXTERNAL, external, "On our way")) == (1, 1)
    assert (_files(rig, Side.EXTERNAL, external), _files(rig, Side.INTERNAL, internal)) == (2, 2)
    written = rig.written()
    rig.settle()
    assert rig.written() == written


def test_form_and_state_stay_until_they_are_changed(rig: Rig) -> None:
    external, internal = _two(rig)
    rig.operator.stimulus("UserRequest", internal, "ev_assign", **TEAM)
    assert _compare(rig, external, internal).differs == ("state", "title")
    _link(rig, external, internal)
    rig.sync()
    rig.settle()
    assert rig.external.ticket("UserRequest", external)["status"] == "new"
    rig.customer.update("UserRequest", external, title="Printer broken")
    rig.operator.stimulus("UserRequest", internal, "ev_resolve", **RESOLVED)
    rig.sync()
    rig.settle()
    assert rig.internal.ticket("UserRequest", internal)["title"] == "Printer broken"
    assert rig.external.ticket("UserRequest", external)["status"] == "resolved"


@pytest.mark.parametrize(("history", "said"), [(False, "What stood in both tickets before stays"), (True, "lacks is carried")])
def test_the_mark_says_what_is_carried(rig: Rig, history: bool, said: str) -> None:
    external, internal = (agent.create("UserRequest", title="Printer", start_date=OLD) for agent in (rig.customer, rig.operator))
    _link(rig, external, internal, history=history)
    rig.sync()
    assert _said(rig, Side.INTERNAL, internal, said) == 1


def test_what_an_older_bridge_copied_by_our_own_account_is_not_carried_again(rig: Rig) -> None:
    external, internal = _two(rig)
    rig.internal.agent("sync").note("UserRequest", internal, "Hers")
    assert _compare(rig, external, internal, history=True).notes == {
        (Side.EXTERNAL, Standing.COPIED): 1,
        (Side.INTERNAL, Standing.NEW): 1,
    }
    _link(rig, external, internal, history=True)
    rig.sync()
    rig.settle()
    for side, number in ((Side.EXTERNAL, external), (Side.INTERNAL, internal)):
        assert [_said(rig, side, number, words) for words in ("Hers", "Ours")] == [1, 1]


def test_what_stood_there_is_carried_where_that_is_asked_for(rig: Rig) -> None:
    external, internal = _two(rig)
    _link(rig, external, internal, history=True)
    rig.sync()
    rig.settle()
    assert (_said(rig, Side.INTERNAL, internal, "Hers"), _said(rig, Side.EXTERNAL, external, "Ours")) == (1, 1)
    assert (_files(rig, Side.EXTERNAL, external), _files(rig, Side.INTERNAL, internal)) == (2, 2)


def test_a_link_by_hand_is_found_again_in_a_lost_store_and_nothing_old_is_carried(rig: Rig) -> None:
    external, internal = _two(rig)
    picture = rig.customer.paste_image("UserRequest", external, "s.png", "image/png", PICTURE)
    rig.customer.note("UserRequest", external, f"<p>Hers too</p>{picture}")
    _link(rig, external, internal)
    rig.sync()
    rig.operator.note("UserRequest", internal, "<p>On our way</p>")
    rig.sync()
    rig.settle()
    written = rig.written()
    (found,) = _lose_the_store(rig)
    assert (found.external, found.internal, found.status) == (*_refs(external, internal), LinkStatus.LINKED)
    rig.sync()
    rig.settle()
    assert rig.written() == written
    _assert_nothing_old_was_carried(rig, external, internal)
    assert {pair.status for pair in rig.link(external).files} == {FileStatus.KEPT}
    rig.customer.note("UserRequest", external, "<p>Hello</p>")
    rig.sync()
    assert _said(rig, Side.INTERNAL, internal, "Hello") == 1


def test_what_is_written_between_the_command_and_the_cycle_is_carried(rig: Rig) -> None:
    external, internal = _two(rig)
    _link(rig, external, internal)
    rig.customer.note("UserRequest", external, "<p>Just now</p>")
    rig.sync()
    rig.settle()
    assert _said(rig, Side.INTERNAL, internal, "Just now") == 1
    _assert_nothing_old_was_carried(rig, external, internal)


def test_a_mark_that_somebodys_save_wiped_out_is_written_again(rig: Rig) -> None:
    external, internal = _two(rig)
    form = rig.operator.open("UserRequest", internal)
    _link(rig, external, internal)
    rig.sync()
    form.save(private_log="<p>Saved late</p>")
    assert _said(rig, Side.INTERNAL, internal, "Linked by hand") == 0
    rig.sync()
    rig.settle()
    assert _said(rig, Side.INTERNAL, internal, "Linked by hand") == 1
    assert _said(rig, Side.EXTERNAL, external, "Saved late") == 1
    _assert_nothing_old_was_carried(rig, external, internal)


def test_a_mark_that_vanishes_again_and_again_is_parked_and_nothing_is_carried(rig: Rig) -> None:
    external, internal = _two(rig)
    _link(rig, external, internal)
    for _ in range(6):
        form = rig.operator.open("UserRequest", internal)
        rig.sync()
        form.save(title="Saved late")
        form.save(private_log="<p>Saved late</p>")
    rig.customer.note("UserRequest", external, "<p>Hello</p>")
    rig.sync()
    (obstacle,) = rig.link(external).obstacles
    assert (obstacle.key, obstacle.parked) == ("link-notice", True)
    assert re.search(r"under somebody's save\. Nothing is carried between the two .* `itopsync retry 1`", obstacle.reason)
    assert len([write for write in rig.writes(Side.INTERNAL) if write.verb == "update"]) == 4
    assert _said(rig, Side.INTERNAL, internal, "Hello") == 0


@pytest.mark.parametrize("parting", [True, False])
def test_a_full_log_takes_no_mark_and_so_nothing_is_carried(rig: Rig, parting: bool) -> None:
    external, internal = _copied(rig) if parting else _two(rig)
    rig.operator.fill_log("UserRequest", internal)
    written = rig.writes(Side.INTERNAL), rig.writes(Side.EXTERNAL)
    _unlink(rig, external) if parting else _link(rig, external, internal)
    rig.sync()
    rig.settle()
    (reason,) = [item.reason for item in rig.link(external).obstacles if item.key == "link-notice" and item.parked]
    assert re.search(r"its index is full\. Nothing is carried .*`itopsync unlink 1" + " --no-notice" * parting + "`", reason)
    assert (rig.writes(Side.INTERNAL), rig.writes(Side.EXTERNAL)) == written


@pytest.mark.parametrize("kind", [FaultKind.LOST_BEFORE, FaultKind.LOST_AFTER, FaultKind.LANDS_LATE, FaultKind.HTML_500])
@pytest.mark.parametrize("parting", [True, False])
def test_a_mark_without_an_answer_is_looked_for(rig: Rig, parting: bool, kind: FaultKind) -> None:
    external, internal = _copied(rig) if parting else _two(rig)
    _unlink(rig, external) if parting else _link(rig, external, internal)
    rig.internal.faults.add(kind, verbs=["core/update"], accounts=["sync"], times=1, seconds=100)
    rig.sync()
    rig.settle()
    assert _said(rig, Side.INTERNAL, internal, "by hand") == 1
    assert rig.link(external).status is (LinkStatus.TOMBSTONE if parting else LinkStatus.LINKED)


@pytest.mark.parametrize("where", ["before:core/update", "after:core/update"])
@pytest.mark.parametrize("parting", [True, False])
def test_a_process_that_dies_at_the_mark_leaves_it_once(rig: Rig, parting: bool, where: str) -> None:
    external, internal = _copied(rig) if parting else _two(rig)
    _unlink(rig, external) if parting else _link(rig, external, internal)

    def probe(there: str) -> None:
        if there.startswith(where):
            raise Crash

    rig.probe = probe
    with pytest.raises(Crash):
        rig.sync()
    rig.restart()
    rig.sync()
    rig.settle()
    assert _said(rig, Side.INTERNAL, internal, "by hand") == 1
    assert rig.link(external).status is (LinkStatus.TOMBSTONE if parting else LinkStatus.LINKED)


def test_a_waiting_ticket_can_be_linked_instead_of_copied(rig: Rig) -> None:
    rig.sync()
    internal = rig.operator.create("UserRequest", title="Known already")
    external = rig.customer.create("UserRequest", title="New")
    rig.internal.maintenance = True
    rig.sync()
    rig.internal.maintenance = False
    assert rig.link(external).status is LinkStatus.WAITING
    _link(rig, external, internal)
    rig.sync()
    rig.settle()
    assert len(rig.internal.tickets()) == 1


@pytest.mark.parametrize("which", ["external", "internal"])
def test_a_ticket_that_is_linked_is_not_linked_again(rig: Rig, which: str) -> None:
    external, internal = _two(rig)
    new = rig.customer.create("UserRequest", title="New")
    rig.sync()
    copy = rig.copy_of(new)
    pair = (new, internal) if which == "external" else (external, copy)
    with pytest.raises(CannotLink, match=r"is linked with .* already \(link \d+\): run `itopsync unlink"):
        _compare(rig, *pair)
    assert rig.store.links.join(Link(-1, *_refs(*pair), LinkStatus.LINKED), rig.now) is None


def test_tickets_of_other_classes_and_such_as_are_gone_are_not_linked(rig: Rig) -> None:
    external, internal = _two(rig)
    incident = rig.operator.create("Incident", title="An incident")
    with pytest.raises(CannotLink, match="kept in step with UserRequest"):
        linking.compare(rig.inspector, _refs(external, 0)[0], Ref(Side.INTERNAL, "Incident", incident), history=None)
    with pytest.raises(CannotLink, match=r"internal:UserRequest:999 is not there"):
        _compare(rig, external, 999)
    assert internal


def test_tickets_are_found_by_what_people_have_at_hand(rig: Rig) -> None:
    external, _ = _two(rig)
    number = rig.external.ticket("UserRequest", external)["ref"]
    server, rules = rig.server(Side.EXTERNAL), rig.pair.rules
    for text in (f"external:UserRequest:{external}", f"UserRequest:{external}", number, number.lower()):
        assert linking.locate(server, rules, [text]) == {text: Ref(Side.EXTERNAL, "UserRequest", external)}
    wrong = {
        "R-999999": "external has no ticket 'R-999999'",
        "' OR 1=1 OR ref='": "external has no ticket",
        "UserRequest:999": "external has no ticket 'UserRequest:999'",
        f"internal:UserRequest:{external}": "is on internal: name a ticket on external here",
        "Ticket:1": "Ticket is not kept in step",
    }
    for text, found in linking.locate(server, rules, wrong).items():
        assert isinstance(found, CannotLink)
        assert wrong[text] in str(found)


# unlink


def _copied(rig: Rig) -> tuple[int, int]:
    external = rig.customer.create("UserRequest", title="Printer", private_log="<p>Hers</p>", service_id=1)
    rig.sync()
    rig.settle(1)
    return external, rig.copy_of(external)


def _talk(rig: Rig, external: int, internal: int, about: str) -> None:
    rig.customer.note("UserRequest", external, f"<p>Hers {about}</p>")
    rig.operator.note("UserRequest", internal, f"<p>Ours {about}</p>")
    rig.customer.update("UserRequest", external, title=f"Title {about}")
    rig.customer.attach("UserRequest", external, "x.txt", "text/plain", about.encode())
    rig.sync()
    rig.settle()


@pytest.mark.parametrize("mark", [True, False])
def test_nothing_goes_between_two_that_were_unlinked(rig: Rig, mark: bool) -> None:
    external, internal = _copied(rig)
    written = rig.written()
    parted = _unlink(rig, external, mark=mark)
    assert parted.status is (LinkStatus.UNLINKING if mark else LinkStatus.TOMBSTONE)
    _talk(rig, external, internal, "apart")
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.link(external).status is LinkStatus.TOMBSTONE
    assert (_said(rig, Side.INTERNAL, internal, "Hers apart"), _said(rig, Side.EXTERNAL, external, "Ours apart")) == (0, 0)
    assert rig.written() == written + mark
    assert len(rig.internal.tickets()) == 1
    assert rig.writes(Side.EXTERNAL) == []


def test_two_that_were_unlinked_stay_so_in_a_lost_store(rig: Rig) -> None:
    external, internal = _copied(rig)
    _unlink(rig, external)
    rig.sync()
    (found,) = _lose_the_store(rig)
    assert found.status is LinkStatus.TOMBSTONE
    written = rig.written()
    _talk(rig, external, internal, "apart")
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.written() == written
    assert len(rig.internal.tickets()) == 1


def test_two_that_were_unlinked_stay_so_under_an_older_store(rig: Rig) -> None:
    external, internal = _copied(rig)
    before = rig.link(external)
    _unlink(rig, external)
    rig.sync()
    rig.store.links.save(replace(before, due_at=rig.now), now=rig.now, live=True)  # as in a backup
    written = rig.written()
    _talk(rig, external, internal, "apart")
    assert rig.link(external).status is LinkStatus.TOMBSTONE
    assert rig.written() == written


def test_two_that_were_unlinked_can_be_linked_again(rig: Rig) -> None:
    external, internal = _copied(rig)
    _unlink(rig, external)
    _talk(rig, external, internal, "apart")
    _link(rig, external, internal)
    _talk(rig, external, internal, "again")
    assert (_said(rig, Side.INTERNAL, internal, "Hers apart"), _said(rig, Side.EXTERNAL, external, "Ours apart")) == (0, 0)
    assert (_said(rig, Side.INTERNAL, internal, "Hers again"), _said(rig, Side.EXTERNAL, external, "Ours again")) == (1, 1)
    written = rig.written()
    (found,) = _lose_the_store(rig)
    assert found.status is LinkStatus.LINKED
    rig.settle()
    assert rig.written() == written


def test_what_stayed_at_first_is_carried_when_two_are_linked_again_with_their_history(rig: Rig) -> None:
    external, internal = _two(rig)
    _link(rig, external, internal)
    rig.sync()
    _talk(rig, external, internal, "linked")
    _unlink(rig, external)
    rig.sync()
    assert _compare(rig, external, internal, history=True).notes == {(side, Standing.NEW): 1 for side in Side}
    _link(rig, external, internal, history=True)
    rig.sync()
    rig.settle()
    for words in ("Hers", "Ours"):
        said = [entry for entry in rig.texts(Side.INTERNAL, internal) if words in entry and "linked" not in entry]
        assert len(said) == 1
        said = [entry for entry in rig.texts(Side.EXTERNAL, external) if words in entry and "linked" not in entry]
        assert len(said) == 1
    assert (_files(rig, Side.EXTERNAL, external), _files(rig, Side.INTERNAL, internal)) == (3, 3)
    assert compared(rig) == []
    written = rig.written()
    _lose_the_store(rig)
    rig.settle()
    assert rig.written() == written


def test_a_mistaken_link_is_put_right(rig: Rig) -> None:
    external, wrong = _two(rig)
    right = rig.operator.create("UserRequest", title="The right one", private_log="<p>Right</p>")
    _link(rig, external, wrong)
    rig.sync()
    _unlink(rig, external)
    with pytest.raises(CannotLink, match="is being unlinked from internal:UserRequest"):
        _compare(rig, external, right)
    rig.sync()
    _link(rig, external, right)
    rig.sync()
    rig.customer.note("UserRequest", external, "<p>Hello</p>")
    rig.sync()
    assert (_said(rig, Side.INTERNAL, right, "Hello"), _said(rig, Side.INTERNAL, wrong, "Hello")) == (1, 0)
    (found,) = _lose_the_store(rig)
    assert found.internal is not None
    assert (found.internal.id, found.status) == (right, LinkStatus.LINKED)


@pytest.mark.parametrize("at_once", [1, 200])
def test_a_copy_can_be_taken_from_one_ticket_and_given_to_another(
    rig: Rig, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itopsync.engine.rebuild._AT_ONCE", at_once)
    first, copy = _copied(rig)
    second = rig.customer.create("UserRequest", title="The same again", start_date=OLD)
    _unlink(rig, first, mark=False)
    _link(rig, second, copy)
    rig.sync()
    rig.settle()
    assert sorted((found.external.id, found.status.value) for found in _lose_the_store(rig)) == [
        (first, "tombstone"),
        (second, "linked"),
    ]
    rig.sync()
    assert len(rig.internal.tickets()) == 1


def test_a_ticket_without_a_copy_never_gets_one_once_it_is_unlinked(rig: Rig) -> None:
    rig.sync()
    external = rig.customer.create("UserRequest", title="Not for us")
    rig.internal.maintenance = True
    rig.sync()
    rig.internal.maintenance = False
    assert _unlink(rig, external).status is LinkStatus.TOMBSTONE
    rig.settle()
    rig.engine.cycle(CycleKind.SWEEP)
    assert rig.internal.tickets() == []


def test_the_marks_of_a_parent_are_not_its_childrens(rig: Rig) -> None:
    """iTop copies a parent's new entries into its children, under our account."""
    first, parent = _two(rig)
    second, child = _copied(rig)
    rig.operator.update("UserRequest", child, parent_request_id=parent)
    _link(rig, first, parent)
    rig.sync()
    assert _said(rig, Side.INTERNAL, child, "Linked by hand") == 1  # iTop's copy
    _talk(rig, second, child, "child's")
    assert _said(rig, Side.INTERNAL, child, "Hers child's") == 1
    assert _said(rig, Side.EXTERNAL, second, "Linked by hand") == 0
    found = {link.external.id: link.internal for link in _lose_the_store(rig)}
    assert found == {first: _refs(first, parent)[1], second: _refs(second, child)[1]}
    _unlink(rig, first)
    rig.sync()
    assert rig.link(second).status is LinkStatus.LINKED


# what comes between


def test_what_an_operator_does_while_a_cycle_is_under_way_holds(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cycle reads a link, and works on it a moment later."""
    external, internal = _copied(rig)
    rig.customer.note("UserRequest", external, "<p>Hello</p>")
    plan = stage.plan

    def interrupted(pair: Pair, observed: Sequence[Observed]) -> list[Planned]:
        planned = plan(pair, observed)
        _unlink(rig, external, mark=False)
        return planned

    monkeypatch.setattr(due_links, "plan", interrupted)
    rig.sync()
    assert rig.link(external).status is LinkStatus.TOMBSTONE
    assert _said(rig, Side.INTERNAL, internal, "Hello") == 0
