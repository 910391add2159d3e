"""What each deed of the rogues comes to, in its several forms."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress
from itertools import count, takewhile

import pytest

from itopsync.errors import SafetyStop
from itopsync.model import Side
from itopsync.simulator import Version
from tests.engine.pair import Versions, usual_versions
from tests.sampling import in_steps_of, some
from tests.torture.desks import Desks
from tests.torture.oddities import Oddity
from tests.torture.people import People
from tests.torture.rogues import Rogues

OWN = tuple(deed for deed in Rogues.DEEDS if deed not in People.DEEDS)


def seen(
    deed: str,
    choices: Iterable[int] = range(4),
    versions: Versions | None = None,
    sides: Iterable[Side] = tuple(Side),
    before: str = "",
) -> list[str]:
    """The violations after people have done a deed with every one of *choices*, on *sides*, one after the other.

    *before*: another deed, on each ticket and side, that goes before each of them and is carried.
    """
    with closing(Desks(versions=versions or usual_versions())) as desks:
        rig, people = desks.rig, desks.people
        for _ in range(2):
            people.open("UserRequest", 1, 0)
        people.open_in_internal()
        rig.sync()
        for choice in choices:
            if before:
                for side in sides:
                    for place in range(2):
                        people.do(before, side, place, choice)
                rig.sync()
            for side in sides:
                people.do(deed, side, choice, choice * 7 + 1 if deed == "paste_a_copy" else choice)
                rig.wait(minutes=1)
            rig.sync()
        try:
            desks.rest()
        except SafetyStop as stop:
            return [str(stop)]
        return [*desks.violations(), *desks.delays()]


@pytest.mark.parametrize("versions", [("3.1", "3.2"), ("3.2", "3.1"), ("3.2", "2.7")])
def test_a_solution_stays_with_its_writer_as_the_other_side_closes_the_ticket(versions: Versions) -> None:
    assert seen("close_what_the_other_solved", range(8), versions=versions) == []


@pytest.mark.parametrize("deed", OWN)
def test_whatever_rogues_do_both_sides_agree(deed: str) -> None:
    assert seen(deed, range(10)) == []


@pytest.mark.parametrize("versions", [("3.1", "3.2"), ("3.2", "2.7"), ("3.1", "3.1")])
def test_a_solution_keeps_its_links_where_it_is_plain_text(versions: Versions) -> None:
    assert seen("resolve_with_a_link", versions=versions) == []


@pytest.mark.parametrize("internal", ["3.1", "3.2", "3.3"])
def test_what_a_parent_keeps_in_stays_in_in_its_children(internal: Version) -> None:
    assert seen("lend_what_is_kept", range(4), versions=("3.2", internal)) == []


@pytest.mark.parametrize("side", list(Side))
def test_a_state_goes_although_its_solution_shows_a_picture_that_is_gone(side: Side) -> None:
    assert seen("resolve_with_what_is_gone", [0, 0], sides=[side]) == []


def test_a_file_under_an_id_that_was_given_before_arrives() -> None:
    assert seen("replace_a_file", range(8), before="attach") == []


def test_an_answer_to_a_mirror_that_is_wiped_out_arrives() -> None:
    assert seen("answer_what_is_wiped_out", [0], before="note") == []


def test_copies_that_a_restore_took_away_come_back_when_one_says_so() -> None:
    assert seen("lose_copies", [0], before="attach") == []


EXCHANGES = range(5)


def seen_of_an_exchange(choice: int, boundary: int) -> list[str] | None:
    """What left internal although it was another ticket's, to which the id of the copy or of a file went at that boundary.

    None: the cycle has no such boundary.
    """
    with closing(Desks()) as desks:
        rig, people = desks.rig, desks.people
        people.open("UserRequest", 1, 0)
        for _ in range(3):
            rig.sync()
        for deed, side in (("note", Side.EXTERNAL), ("note", Side.INTERNAL), ("attach", Side.INTERNAL)):
            people.do(deed, side, 0, 0)
        exchange = people.give_a_files_id_again if choice == 4 else people.give_the_copys_id_again
        rig.meanwhile = {boundary: lambda: exchange(0, choice)}

        def cycle() -> None:
            rig.wait(minutes=2)
            with suppress(SafetyStop):
                rig.engine.cycle()

        reached = len(rig.run(cycle)) > boundary
        for _ in range(2):
            cycle()
        return list(desks.ledger.leaks()) if reached else None


@in_steps_of(9)
@pytest.mark.parametrize("choice", EXCHANGES)
def test_whenever_an_id_becomes_another_tickets_nothing_of_that_leaves(choice: int, step: int) -> None:
    boundaries = count(choice % step, step)  # in long steps, the choices share out the boundaries between them
    found = list(takewhile(lambda leaked: leaked is not None, (seen_of_an_exchange(choice, each) for each in boundaries)))
    assert len(found) > 50 // step
    assert list(filter(None, found)) == []


def seen_of_another_account() -> list[str]:
    """The violations after our account was replaced on both sides, each time around an answer that was lost."""
    with closing(Desks()) as desks:
        people = desks.people
        people.open("UserRequest", 1, 0)
        desks.rig.sync()
        for side in (Side.INTERNAL, Side.EXTERNAL, Side.INTERNAL):
            desks.lose_an_answer(side)
            people.open("UserRequest", 1, 0)
            people.note(side.other, 0, 0)
            desks.rig.sync()
            desks.change_the_account(side)
            people.note(side.other, 0, 0)
            desks.rig.sync()
        desks.rest()
        return desks.violations()


def test_another_account_makes_nothing_twice() -> None:
    assert seen_of_another_account() == []


def seen_of_a_solution_without_an_answer(side: Side, versions: Versions, deed: str = "note") -> list[str]:
    """The violations after *side* has resolved, the answers to what carried that were lost, and people did a *deed*."""
    with closing(Desks(versions=versions)) as desks:
        desks.people.open("UserRequest", 1, 0)
        for lose in (lambda _: None, desks.lose_an_answer):  # it is assigned, and then resolved
            desks.rig.sync()
            desks.people.do("resolve_with_a_link", side, 0, 0)
            lose(side.other)
        desks.rig.sync()
        desks.people.do(deed, side, 0, 0)
        desks.rest()
        return desks.violations()


@pytest.mark.parametrize("versions", [("3.2", "3.1"), ("3.1", "3.2"), ("3.2", "2.7")])
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("deed", ["note", "correct_at_once"])
def test_a_solution_that_went_without_an_answer_does_not_come_back(deed: str, side: Side, versions: Versions) -> None:
    assert seen_of_a_solution_without_an_answer(side, versions, deed) == []


def seen_of_a_correction(side: Side, choice: int, cls: str = "UserRequest") -> list[str]:
    """The violations after *side* corrected what had gone with a state while the other one closed the ticket."""
    with closing(Desks()) as desks:
        desks.people.open(cls, 1, 0)
        desks.rig.sync()
        desks.people.resolve(side, desks.ledger.tickets[0])
        for _ in range(3):
            desks.rig.sync()
        desks.people.correct_while_the_other_moves_on(side, 0, choice)
        assert desks.ledger.corrected
        desks.rest()
        return desks.violations()


@pytest.mark.parametrize("cls", ["UserRequest", "Incident"])
@pytest.mark.parametrize("choice", [0, 1, 3])
@pytest.mark.parametrize("side", list(Side))
def test_a_correction_is_not_lost_as_the_other_side_moves_on(side: Side, choice: int, cls: str) -> None:
    assert seen_of_a_correction(side, choice, cls) == []


def test_a_picture_that_is_changed_as_another_one_is_gone_arrives() -> None:
    """The words of the description stay as they are, and its new picture is there before the description is written."""
    with closing(Desks()) as desks:
        desks.people.open("UserRequest", 1, 0)
        desks.people.do("change_a_picture", Side.EXTERNAL, 0, 0)
        desks.rig.sync()
        desks.people.do("change_a_picture", Side.EXTERNAL, 0, 0)
        desks.people.do("paste_what_is_gone", Side.EXTERNAL, 0, 0)
        desks.rest()
        assert desks.violations() == []


def seen_of_a_long_story() -> list[str]:
    """The violations after somebody opened a ticket with a log that is too large for one request."""
    with closing(Desks()) as desks:
        desks.rig.sync()
        desks.people.open_a_long_story("UserRequest")
        try:
            desks.rest()
            return [*desks.violations(), *desks.delays()]
        except (SafetyStop, AssertionError) as stop:
            return [str(stop) or "it has no copy"]


def test_a_long_story_arrives() -> None:
    assert seen_of_a_long_story() == []


def seen_of_an_oddity(how: Oddity, side: Side, cls: str) -> list[str]:
    """What one odd ticket of a class held up."""
    with closing(Desks()) as desks:
        for opened in (cls, "UserRequest", "NormalChange"):
            desks.people.open(opened, 1, 0)
        if cls == "NormalChange":
            desks.people.plan(desks.ledger.tickets[0])
        desks.rig.sync()
        desks.rig.sync()
        return desks.held_up(how, side, 0)


@pytest.mark.parametrize("cls", some(["UserRequest", "NormalChange"], 2))
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("how", list(Oddity))
def test_no_oddity_of_one_ticket_is_felt_by_another(how: Oddity, side: Side, cls: str) -> None:
    assert seen_of_an_oddity(how, side, cls) == []
