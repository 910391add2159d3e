"""The SOP's row on attachments: both ways, each file once, and what is deleted goes with its original."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from itopsync.model import FilePair, FileStatus, ItemKey, Link, Observation, Obstacle, Side
from itopsync.reconcile import by_hand
from itopsync.reconcile.files import COPIES_GONE, ORIGINALS_GONE, hold_orphaned, with_vanished_held
from itopsync.reconcile.plan import AttachmentSource, Item, Kept, Remove, Upload, Write
from tests.reconcile.making import (
    CUSTOMER,
    EXTERNAL,
    INTERNAL,
    MINUTE,
    NOW,
    agreed,
    born,
    both,
    entry,
    file,
    kept,
    parked,
    plan,
    plan_twice,
    removals,
    rules,
    ticket,
    uploads,
    writes,
)

COPY_OF_5 = "itopsync-acme-a-e5"
ITEM = Item(ItemKey("file:external:5"), "")
CARRIED = FilePair(EXTERNAL, 5, 8, FileStatus.CARRIED)
WAITING = Obstacle(ItemKey("file:external:5"), "", "too large", 1, parked=False, not_before=NOW + MINUTE)


MORNING, NOON = "20261124090000", "20261124120000"
"""When two files that bear one id were made."""


def knowing(*pairs: FilePair) -> Link:
    return replace(agreed(), files=pairs)


def test_a_file_goes_to_the_other_side() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, files=(file(5),)), ticket(INTERNAL, files=(file(7, ticket=2),))))

    mine, theirs = (FilePair(side, number, None, FileStatus.WAITING) for side, number in ((EXTERNAL, 5), (INTERNAL, 7)))
    assert planned.link.files == (mine, theirs)
    assert planned.actions == (
        Upload(INTERNAL, COPY_OF_5, AttachmentSource(5), ITEM, mine),
        Upload(EXTERNAL, "itopsync-acme-a-i7", AttachmentSource(7), Item(ItemKey("file:internal:7"), ""), theirs),
    )


def test_a_copy_is_no_file_of_its_own() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, files=(file(5),)), ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),))))

    assert planned.actions == ()
    assert planned.link.files == (CARRIED,)


@pytest.mark.parametrize(("direction", "side"), [("to_internal", INTERNAL), ("to_external", EXTERNAL)])
def test_files_that_go_one_way_only(direction: str, side: Side) -> None:
    seen = both(ticket(EXTERNAL, files=(file(5),)), ticket(INTERNAL, files=(file(7, ticket=2),)))

    assert [upload.side for upload in uploads(plan(agreed(), seen, rules(rules__attachments=direction)))] == [side]


def test_a_file_that_waits_for_another_try_waits() -> None:
    planned = plan(replace(agreed(), obstacles=(WAITING,)), both(ticket(EXTERNAL, files=(file(5),))))

    assert planned.actions == ()
    assert planned.link.obstacles == (WAITING,)


# deletions


def test_a_copy_goes_with_its_original() -> None:
    seen = both(internal=ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))
    planned = plan_twice(knowing(CARRIED), seen)

    assert planned.actions == (Remove(INTERNAL, 8, ITEM, CARRIED),)
    assert planned.link.files == (CARRIED,)


def test_a_file_counts_as_gone_only_once_it_was_gone_for_a_minute() -> None:
    """iTop deletes a ticket's files one by one before the ticket itself."""
    of_copy = both(internal=ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))
    for these, seen in ((rules(), of_copy), (rules(rules__deletion="both"), both(ticket(EXTERNAL, files=(file(5),))))):
        first = plan(knowing(CARRIED), seen, these)
        assert kept(first) == {("waiting for another try", "gone")}
        soon = plan(first.link, seen, these, now=NOW + timedelta(seconds=59))
        assert soon.actions == ()
        assert soon.link.obstacles == first.link.obstacles
        assert [obstacle.needs_person or not obstacle.is_no_trouble for obstacle in soon.link.obstacles] == [False]
        there = both(ticket(EXTERNAL, files=(file(5),)), ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))
        assert plan(first.link, there, these).link == knowing(CARRIED)


@pytest.mark.parametrize("link", [knowing(), knowing(replace(CARRIED, copy_id=None, status=FileStatus.KEPT))])
def test_a_copy_stays_whose_original_never_was_on_this_links_tickets(link: Link) -> None:
    """It came with another link, or with a ticket that is gone, or its original went while the store was lost."""
    planned = plan(link, both(internal=ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),))))

    left = FilePair(EXTERNAL, 5, 8, FileStatus.LEFT)
    assert planned.actions == ()
    assert planned.link.files == (left,)
    assert kept(planned) == {("copy without its original, left as it is", "file")}
    assert plan_twice(planned.link, both(internal=ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))).link == planned.link
    assert plan(planned.link, both()).link.files == ()  # somebody deleted it
    back = plan(planned.link, both(ticket(EXTERNAL, files=(file(5),))))  # or that, and the original is there after all
    assert [upload.marker for upload in uploads(back)] == [COPY_OF_5]


def test_a_deletion_that_waits_waits() -> None:
    link = replace(knowing(CARRIED), obstacles=(WAITING,))

    planned = plan(link, both(internal=ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),))))

    assert planned.actions == ()
    assert planned.link.files == (CARRIED,)


@pytest.mark.parametrize("changes", [{"rules__deletion": "never"}, {"rules__attachments": "to_external"}])
def test_a_copy_is_left_where_the_rules_say_so(changes: dict[str, object]) -> None:
    seen = both(internal=ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))

    planned = plan_twice(knowing(CARRIED), seen, rules(**changes))

    assert planned.actions == ()
    assert planned.link.files == (replace(CARRIED, status=FileStatus.LEFT),)


def test_a_deleted_copy_is_not_made_again_and_its_original_stays() -> None:
    planned = plan(knowing(CARRIED), both(ticket(EXTERNAL, files=(file(5),))))

    assert planned.actions == ()
    assert planned.link.files == (FilePair(EXTERNAL, 5, None, FileStatus.COPY_DELETED),)
    assert ("copy deleted, not made again", "file") in kept(planned)
    assert plan(planned.link, both(ticket(EXTERNAL, files=(file(5),)))).actions == ()


def test_deletions_that_go_both_ways_take_the_original() -> None:
    both_ways = rules(rules__deletion="both")
    seen = both(ticket(EXTERNAL, files=(file(5),)))

    planned = plan_twice(knowing(CARRIED), seen, both_ways)

    assert planned.actions == (Remove(EXTERNAL, 5, ITEM, CARRIED),)
    assert planned.link.files == (CARRIED,)
    assert plan(replace(knowing(CARRIED), obstacles=(WAITING,)), seen, both_ways).actions == ()


def test_a_file_gone_from_both_sides_is_forgotten() -> None:
    assert plan(knowing(CARRIED), both()).link.files == ()


def test_a_surplus_copy_of_a_write_that_landed_late_is_taken_away() -> None:
    twice = (file(8, COPY_OF_5, ticket=2), file(9, COPY_OF_5, ticket=2))

    with_original = plan(agreed(), both(ticket(EXTERNAL, files=(file(5),)), ticket(INTERNAL, files=twice)))
    without = plan_twice(knowing(CARRIED), both(internal=ticket(INTERNAL, files=twice)))
    never = plan(knowing(CARRIED), both(internal=ticket(INTERNAL, files=twice)), rules(rules__deletion="never"))

    assert removals(with_original) == [Remove(INTERNAL, 9, ITEM)]
    assert removals(without) == [Remove(INTERNAL, 8, ITEM, CARRIED), Remove(INTERNAL, 9, ITEM)]
    assert [removal.attachment_id for removal in removals(never)] == [9]


def test_what_stood_there_when_two_tickets_were_linked_by_hand_stays() -> None:
    kept_pair = FilePair(EXTERNAL, 5, None, FileStatus.KEPT)

    planned = plan(knowing(kept_pair), both(ticket(EXTERNAL, files=(file(5),))))

    assert planned.actions == ()
    assert planned.link.files == (kept_pair,)


# an id that is given again


CARRIED_IN_THE_MORNING = replace(CARRIED, born=MORNING)


@pytest.mark.parametrize("marker", [COPY_OF_5, f"{COPY_OF_5}.{MORNING}"])
def test_another_file_under_a_known_id_is_carried_and_the_copy_of_the_first_one_is_left(marker: str) -> None:
    seen = both(ticket(EXTERNAL, files=(born(file(5), NOON),)), ticket(INTERNAL, files=(file(8, marker, ticket=2),)))

    planned = plan(knowing(CARRIED_IN_THE_MORNING), seen)

    new = FilePair(EXTERNAL, 5, None, FileStatus.WAITING, born=NOON)
    left = replace(CARRIED_IN_THE_MORNING, status=FileStatus.LEFT)
    assert planned.link.files == (new, left)
    assert planned.actions == (Upload(INTERNAL, f"{COPY_OF_5}.{NOON}", AttachmentSource(5), ITEM, new),)
    assert [each.kept for each in planned.remarks] == [Kept.COPY_LEFT]
    # and so it is where the process died before it noted anything, or noted the first half
    kept = (file(8, marker, ticket=2), file(9, f"{COPY_OF_5}.{NOON}", ticket=2))
    again = seen.with_(INTERNAL, ticket(INTERNAL, files=kept))
    for known in (knowing(CARRIED_IN_THE_MORNING), planned.link):
        later = plan(known, again)
        assert later.link.files == (replace(new, copy_id=9, status=FileStatus.CARRIED), left)
        assert later.actions == ()
    assert plan(knowing(), again).actions == ()
    assert [each.marker for each in uploads(plan(planned.link, seen))] == [f"{COPY_OF_5}.{NOON}"]


def test_what_another_file_waits_for_outlives_the_copy_that_is_left_under_its_id() -> None:
    seen = both(ticket(EXTERNAL, files=(born(file(5), NOON),)), ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))
    known = plan(knowing(CARRIED_IN_THE_MORNING), seen).link

    planned = plan(replace(known, obstacles=(replace(WAITING, parked=True),)), seen)

    assert planned.link.obstacles == (replace(WAITING, parked=True),)
    assert uploads(planned) == []
    arrived = seen.with_(
        INTERNAL, ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2), file(9, f"{COPY_OF_5}.{NOON}", ticket=2)))
    )
    assert plan(replace(known, obstacles=(WAITING,)), arrived).link.obstacles == ()


def test_a_copy_of_ours_that_gets_the_id_of_a_file_that_is_gone_changes_nothing_about_that() -> None:
    held = replace(WAITING, parked=True, reason=ORIGINALS_GONE)
    link = replace(knowing(replace(CARRIED_IN_THE_MORNING, status=FileStatus.LEFT)), obstacles=(held,))
    ours = born(file(5, "itopsync-acme-a-i3"), NOON)

    planned = plan(
        link, both(ticket(EXTERNAL, files=(ours,)), ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2), file(3, ticket=2))))
    )

    assert held in planned.link.obstacles


def test_the_copy_of_a_file_whose_id_a_copy_of_ours_has_is_left_to_a_person() -> None:
    ours = born(file(5, "itopsync-acme-a-i3"), NOON)
    seen = both(ticket(EXTERNAL, files=(ours,)), ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2), file(3, ticket=2))))

    planned = plan_twice(knowing(CARRIED_IN_THE_MORNING), seen)

    assert parked(planned) == {"file:external:5": ORIGINALS_GONE}
    assert removals(planned) == []
    assert replace(CARRIED_IN_THE_MORNING, status=FileStatus.LEFT) in planned.link.files


def test_a_copy_that_is_left_stays_so_though_the_one_under_the_same_id_vanishes() -> None:
    left = replace(CARRIED_IN_THE_MORNING, status=FileStatus.LEFT)
    known = knowing(replace(CARRIED, copy_id=9, born=NOON), left)
    copies = (file(8, f"{COPY_OF_5}.{MORNING}", ticket=2),)

    planned = plan(known, both(ticket(EXTERNAL, files=(born(file(5), NOON),)), ticket(INTERNAL, files=copies)))

    assert planned.vanished == {CARRIED.key}
    waiting = FilePair(EXTERNAL, 5, None, FileStatus.WAITING, born=NOON)
    assert with_vanished_held(planned).link.files == (waiting, left)


def test_a_file_that_comes_back_is_known_by_when_it_was_made() -> None:
    copies = (file(8, f"{COPY_OF_5}.{MORNING}", ticket=2), file(9, f"{COPY_OF_5}.{NOON}", ticket=2))
    both_known = knowing(replace(CARRIED, copy_id=9, born=NOON), replace(CARRIED_IN_THE_MORNING, status=FileStatus.LEFT))

    back = plan(both_known, both(ticket(EXTERNAL, files=(born(file(5), MORNING),)), ticket(INTERNAL, files=copies)))
    gone = plan(both_known, both(internal=ticket(INTERNAL, files=copies)))

    assert back.link.files == (CARRIED_IN_THE_MORNING, replace(CARRIED, copy_id=9, born=NOON, status=FileStatus.LEFT))
    assert {pair.born: pair.status for pair in gone.link.files} == {NOON: FileStatus.CARRIED, MORNING: FileStatus.LEFT}
    assert (back.actions, gone.actions) == ((), ())


@pytest.mark.parametrize("changes", [{"rules__deletion": "never"}, {"rules__attachments": "to_external"}])
def test_the_copy_of_the_first_one_stays_where_the_rules_say_so(changes: dict[str, object]) -> None:
    seen = both(ticket(EXTERNAL, files=(born(file(5), NOON),)), ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))

    assert removals(plan(knowing(CARRIED_IN_THE_MORNING), seen, rules(**changes))) == []


@pytest.mark.parametrize("status", [FileStatus.COPY_DELETED, FileStatus.KEPT])
def test_what_was_decided_about_the_first_one_does_not_hold_for_another(status: FileStatus) -> None:
    link = replace(
        knowing(replace(CARRIED_IN_THE_MORNING, copy_id=None, status=status)), obstacles=(replace(WAITING, parked=True),)
    )
    log = (entry(CUSTOMER, shows(5)),)

    planned = plan(link, both(ticket(EXTERNAL, log=log, files=(born(file(5), NOON),))))

    assert planned.link.obstacles == ()
    assert [type(action) for action in planned.actions] == [Upload, Write]
    assert f"itopsync-picture:{COPY_OF_5}.{NOON}" in writes(planned)[0].notes[0].html


def test_when_a_file_was_made_is_learnt_of_one_that_was_carried_before() -> None:
    seen = both(ticket(EXTERNAL, files=(born(file(5), NOON),)), ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))
    for link in (knowing(CARRIED), knowing()):
        planned = plan(link, seen)
        assert planned.actions == ()
        assert planned.link.files == (replace(CARRIED, born=NOON),)
        assert plan(planned.link, seen).actions == ()


@pytest.mark.parametrize("shown", [NOON[:-2], ""])
def test_a_server_that_shows_less_of_its_dates_changes_nothing(shown: str) -> None:
    files = (file(8, f"{COPY_OF_5}.{NOON}", ticket=2),)
    seen = both(ticket(EXTERNAL, files=(born(file(5), shown),)), ticket(INTERNAL, files=files))

    assert plan(knowing(replace(CARRIED, born=NOON)), seen).actions == ()


def test_a_note_shows_the_older_copy_where_that_is_there() -> None:
    log = (entry(CUSTOMER, shows(5)),)
    files = (file(8, COPY_OF_5, ticket=2),)
    seen = both(ticket(EXTERNAL, log=log, files=(born(file(5), NOON),)), ticket(INTERNAL, files=files))

    planned = plan(knowing(CARRIED), seen)

    assert uploads(planned) == []
    assert f'itopsync-picture:{COPY_OF_5}"' in writes(planned)[0].notes[0].html


def test_a_quoted_copy_of_a_file_that_is_gone_does_not_show_the_one_under_its_id() -> None:
    address = "https://tickets.example.com/pages/ajax.document.php?operation=download_document&class=Attachment&id=8"
    log = (entry("202", f'<p>this? <img src="{address}"></p>'),)
    old = file(8, f"{COPY_OF_5}.{MORNING}", ticket=2)
    seen = both(ticket(EXTERNAL, files=(born(file(5), NOON),)), ticket(INTERNAL, log=log, files=(old,)))

    assert "there." not in writes(plan(agreed(), seen), EXTERNAL)[0].notes[0].html


# copies that are gone


def test_copies_that_are_gone_are_left_for_a_person_where_others_are_gone_too() -> None:
    kept_pair = FilePair(EXTERNAL, 6, None, FileStatus.KEPT)
    seen = both(ticket(EXTERNAL, files=(file(5), file(6))))
    for these in (rules(), rules(rules__deletion="both")):
        planned = plan(knowing(CARRIED, kept_pair), seen, these)
        assert planned.vanished == {"file:external:5"}
        held = with_vanished_held(planned)
        assert held.actions == ()
        assert held.link.files == (FilePair(EXTERNAL, 5, None, FileStatus.WAITING), kept_pair)
        assert parked(held) == {"file:external:5": COPIES_GONE}
        assert kept(held) == {("parked", "file")}
        assert plan(held.link, seen, these).vanished == frozenset()
        assert [upload.marker for upload in uploads(plan(by_hand.retried(held.link, NOW), seen, these))] == [COPY_OF_5]
    quiet = plan(agreed(), both())
    assert with_vanished_held(quiet) is quiet


def test_copies_whose_originals_are_gone_are_left_for_a_person_where_others_are_gone_too() -> None:
    seen = both(internal=ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))
    planned = plan_twice(knowing(CARRIED), seen)
    assert planned.orphaned == {CARRIED}
    assert hold_orphaned(planned, set()) == planned
    held = hold_orphaned(planned, {CARRIED})
    assert held.actions == ()
    assert held.link.files == (replace(CARRIED, status=FileStatus.LEFT),)
    assert parked(held) == {"file:external:5": ORIGINALS_GONE}
    assert kept(held) == {("parked", "file")}
    assert plan(held.link, seen).orphaned == frozenset()
    assert plan(held.link, seen).link == held.link
    left = plan_twice(by_hand.retried(held.link, NOW), seen)
    assert (left.actions, left.link.obstacles) == ((), ())
    assert left.link.files == (replace(CARRIED, status=FileStatus.LEFT),)
    back = both(ticket(EXTERNAL, files=(file(5),)), ticket(INTERNAL, files=(file(8, COPY_OF_5, ticket=2),)))
    assert plan(held.link, back).link.obstacles == ()
    quiet = plan(agreed(), both())
    assert hold_orphaned(quiet, {CARRIED}) is quiet


# pictures that are attachments


def shows(number: int) -> str:
    address = "https://customers.example.com/itop/pages/ajax.document.php?operation=download_document"
    return f'<p>see <img src="{address}&amp;class=Attachment&amp;field=contents&amp;id={number}" alt="plan"></p>'


def test_a_note_that_shows_an_attachment_of_its_ticket_shows_the_copy() -> None:
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, shows(5)),), files=(file(5),)))

    planned = plan(agreed(), seen)

    assert [type(action) for action in planned.actions] == [Upload, Write]
    assert [upload.marker for upload in uploads(planned)] == [COPY_OF_5]
    assert f"itopsync-picture:{COPY_OF_5}" in writes(planned)[0].notes[0].html


@pytest.mark.parametrize(
    ("pairs", "changes"),
    [
        ((FilePair(EXTERNAL, 5, None, FileStatus.COPY_DELETED),), {}),
        ((FilePair(EXTERNAL, 5, None, FileStatus.KEPT),), {}),
        ((), {"rules__attachments": "to_external"}),
    ],
)
def test_a_shown_attachment_that_will_never_be_there_is_told_in_words(
    pairs: tuple[FilePair, ...], changes: dict[str, object]
) -> None:
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, shows(5)),), files=(file(5),)))

    planned = plan(knowing(*pairs), seen, rules(**changes))

    assert "[picture not carried: plan]" in writes(planned)[0].notes[0].html


def test_a_quoted_copy_shows_the_original() -> None:
    """An operator who answers with our picture in their text means the customer's own file."""
    address = "https://tickets.example.com/pages/ajax.document.php?operation=download_document&class=Attachment&id=8"
    log = (entry("202", f'<p>this? <img src="{address}"></p>'),)
    seen = both(ticket(EXTERNAL, files=(file(5),)), ticket(INTERNAL, log=log, files=(file(8, COPY_OF_5, ticket=2),)))

    planned = plan(agreed(), seen)

    assert uploads(planned) == []
    assert "itopsync-picture:there.5" in writes(planned, EXTERNAL)[0].notes[0].html


def test_a_quoted_picture_shows_the_picture_it_was_made_from() -> None:
    """External's note shows a picture that we have put there; its copy is a picture of ours, too, which an operator quotes."""
    ours = file(5, "itopsync-acme-p-1")
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, shows(5)),), files=(ours,)))
    (upload,) = uploads(plan(agreed(), seen))
    address = "https://tickets.example.com/pages/ajax.document.php?operation=download_document&class=Attachment&id=8"
    log = (entry("202", f'<p>this? <img src="{address}"></p>'),)
    copy = ticket(INTERNAL, log=log, files=(file(8, upload.marker, ticket=2),))

    with_it = plan(agreed(), both(replace(ticket(EXTERNAL), attachments=(file(4), ours)), copy))
    without = plan(agreed(), both(ticket(EXTERNAL), copy))

    assert "itopsync-picture:there.5" in writes(with_it, EXTERNAL)[0].notes[0].html
    assert [upload.side for upload in uploads(without)] == [EXTERNAL]
    assert "there." not in writes(without, EXTERNAL)[0].notes[0].html


@pytest.mark.parametrize("side", [EXTERNAL, INTERNAL])
def test_an_attachment_of_another_ticket_is_neither_fetched_nor_shown(side: Side) -> None:
    address = {EXTERNAL: "https://customers.example.com/itop", INTERNAL: "https://tickets.example.com"}[side]
    page = f"{address}/pages/ajax.document.php?operation=download_document&amp;class=Attachment&amp;id=99"
    log = (entry("202" if side is INTERNAL else CUSTOMER, f'<p>see <img src="{page}" alt="plan"></p>'),)

    planned = plan(agreed(), both(**{str(side): ticket(side, log=log)}))

    assert uploads(planned) == []
    assert "see [picture: plan]" in writes(planned)[0].notes[0].html


# very many deletions on one ticket


def _gone(count: int) -> tuple[Link, Observation]:
    """A ticket of which somebody deleted so many files, and what both sides show of it."""
    numbers = range(100, 100 + count)
    link = knowing(*(FilePair(EXTERNAL, number, number + 1_000, FileStatus.CARRIED) for number in numbers))
    copies = tuple(file(number + 1_000, f"itopsync-acme-a-e{number}", ticket=2) for number in numbers)
    return link, both(ticket(EXTERNAL), ticket(INTERNAL, files=copies))


def test_as_many_deletions_as_the_limit_says_go_at_once() -> None:
    link, seen = _gone(50)
    assert len(removals(plan_twice(link, seen))) == 50


def test_more_deletions_on_one_ticket_wait_for_a_person_and_go_when_one_says_so() -> None:
    link, seen = _gone(51)
    planned = plan_twice(link, seen)
    assert removals(planned) == []
    assert parked(planned).keys() == {"deletions"}
    assert "limits.deletions" in parked(planned)["deletions"]
    (told,) = writes(planned, INTERNAL)
    assert "the deletion of files" in told.notes[0].html

    then = NOW + timedelta(minutes=1)
    assert parked(plan(by_hand.retried(planned.link, NOW, alone=False), seen, now=then)).keys() == {"deletions"}
    passed = plan(by_hand.retried(planned.link, NOW), seen, now=then)
    assert len(removals(passed)) == 51
    assert parked(passed) == {}
    again = plan(passed.link, seen, now=then)  # as after a crash in the middle of them
    assert len(removals(again)) == 51
    done = plan(again.link, both())
    assert done.link.obstacles == ()
    assert done.link.files == ()
