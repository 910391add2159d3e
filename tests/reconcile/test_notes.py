"""The SOP's row on the private log: both ways, each person's entry once, in order, with who said it and when."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from itopsync.model import ItemKey, Link, NoteRecord, Observation, Obstacle, Ref, Side
from itopsync.reconcile import agree, entries, notes
from itopsync.reconcile.entries import full_log
from itopsync.reconcile.plan import Note, TextSource
from itopsync.reconcile.room import weight
from itopsync.reconcile.rules import Direction, LogRule
from itopsync.reconcile.ticket_markers import is_copy
from tests.reconcile.making import (
    CUSTOMER,
    EXTERNAL,
    INTERNAL,
    MINUTE,
    NOW,
    OPENED,
    OPERATOR,
    PERSON,
    US,
    agreed,
    both,
    creates,
    default_rules,
    entry,
    file,
    kept,
    markers_of,
    of_class,
    only,
    ours,
    parked,
    plan,
    rules,
    said,
    ticket,
    unlinked,
    uploads,
    writes,
)

PICTURE = '<img src="data:image/png;base64,iVBORw0KGgo=" alt="plan">'


@pytest.mark.parametrize("side", list(Side))
def test_a_note_goes_to_the_other_side_and_only_there(side: Side) -> None:
    seen = both(**{str(side): ticket(side, log=(entry(PERSON[side], "hello"),))})

    planned = plan(agreed(), seen)

    assert said(planned, side.other) == ["hello"]
    assert said(planned, side) == []


def test_a_note_says_which_side_who_and_when_in_the_targets_timezone() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello", OPENED),))))

    (note,) = writes(planned, INTERNAL)[0].notes
    assert "<em>Customer desk R-000001 · Carla Customer · 2026-11-24 09:00</em>" in note.html
    assert note.at == OPENED


def test_who_works_in_internal_is_not_told_outside() -> None:
    planned = plan(agreed(), both(internal=ticket(INTERNAL, log=(entry(OPERATOR, "hello", OPENED),))))

    (note,) = writes(planned, EXTERNAL)[0].notes
    assert "<em>Operations R-000002 · 2026-11-24 15:00</em>" in note.html
    assert "Otto" not in note.html


def test_what_has_arrived_is_not_sent_again() -> None:
    (marker,) = markers_of(EXTERNAL, "hello")
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),)), ticket(INTERNAL, log=(ours(INTERNAL, marker, text="hello"),)))

    planned = plan(agreed(), seen)

    assert planned.actions == ()
    assert planned.link.base.notes[marker] == NoteRecord(EXTERNAL, NOW, born="2026-11-24T15:00:00")  # in Jakarta


def test_the_same_words_said_again_are_another_note() -> None:
    first, second, third, fourth = markers_of(EXTERNAL, "ping", "ping", "ping", "ping")
    log = (entry(CUSTOMER, "ping"), entry(CUSTOMER, "ping", OPENED + MINUTE))

    planned = plan(agreed(), both(ticket(EXTERNAL, log=log), ticket(INTERNAL, log=(ours(INTERNAL, first),))))

    assert len({first, second, third, fourth}) == 4
    assert [note.markers for write in writes(planned) for note in write.notes] == [(second,)]


def test_notes_keep_their_order() -> None:
    log = tuple(entry(CUSTOMER, f"note {n}", OPENED + n * MINUTE) for n in range(4))

    assert said(plan(agreed(), both(ticket(EXTERNAL, log=log))), INTERNAL) == [f"note {n}" for n in range(4)]


def test_a_note_that_must_wait_holds_up_those_after_it_and_a_parked_one_does_not() -> None:
    first, _ = markers_of(EXTERNAL, "one", "two")
    log = (entry(CUSTOMER, "one"), entry(CUSTOMER, "two", OPENED + MINUTE))
    waiting = Obstacle(ItemKey(f"note:{first}"), "", "refused", 1, parked=False, not_before=NOW + MINUTE)

    def after(obstacle: Obstacle) -> list[str]:
        return said(plan(replace(agreed(), obstacles=(obstacle,)), both(ticket(EXTERNAL, log=log))), INTERNAL)

    assert after(waiting) == []
    assert after(replace(waiting, parked=True, not_before=None))[0] == "two"
    assert after(replace(waiting, not_before=NOW - MINUTE)) == ["one", "two"]


def test_a_note_kept_internal_never_leaves() -> None:
    log = (entry(OPERATOR, "#internal secret"), entry(OPERATOR, "hello"))

    planned = plan(agreed(), both(internal=ticket(INTERNAL, log=log)))

    assert said(planned, EXTERNAL) == ["hello"]
    assert ("note kept in internal", "note") in kept(planned)


def test_the_mark_means_nothing_in_external() -> None:
    assert said(plan(agreed(), both(ticket(EXTERNAL, log=(entry(CUSTOMER, "#internal x"),)))), INTERNAL) == ["#internal x"]


def test_a_log_that_goes_one_way_only() -> None:
    inward = of_class(default_rules(), "UserRequest", logs=(LogRule("private_log", "private_log", Direction.TO_INTERNAL),))
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, "in"),)), ticket(INTERNAL, log=(entry(OPERATOR, "out"),)))
    new = replace(seen, internal=None)

    assert [write.side for write in writes(plan(agreed(), seen, inward))] == [INTERNAL]
    outward = of_class(default_rules(), "UserRequest", logs=(LogRule("private_log", "private_log", Direction.TO_EXTERNAL),))
    (made,) = creates(plan(unlinked(), new, outward))
    assert len(made.notes) == 1


@pytest.mark.parametrize("side", list(Side))
def test_words_that_the_other_side_dropped_go_along_as_a_file_once(side: Side) -> None:
    (marker,) = markers_of(side, "hello world")
    logs = {side: (entry(PERSON[side], "hello world"),), side.other: (ours(side.other, marker, text="hello"),)}
    seen = both(ticket(EXTERNAL, log=logs[EXTERNAL]), ticket(INTERNAL, log=logs[INTERNAL]))

    planned = plan(agreed(), seen)
    (whole,) = uploads(planned)
    assert isinstance(whole.source, TextSource)
    assert (whole.side, "hello world" in whole.source.text) == (side.other, True)

    there = agree.uploaded(planned.link, whole, file(8, whole.marker))
    assert plan(there, seen).actions == ()


# lost and found


def carried_before(writes_: int) -> tuple[str, Link]:
    (marker,) = markers_of(EXTERNAL, "hello")
    link = agreed()
    return marker, replace(link, base=replace(link.base, notes={marker: NoteRecord(EXTERNAL, NOW, writes_)}))


def test_a_mirror_that_a_save_wiped_out_is_written_again_and_not_for_ever() -> None:
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),)))
    marker, link = carried_before(3)
    _, often = carried_before(4)

    assert said(plan(link, seen), INTERNAL) == ["hello"]
    resting = plan(often, seen)
    assert said(resting, INTERNAL)[:1] != ["hello"]
    assert "vanished each time under somebody's save" in parked(resting)[f"note:{marker}"]


def test_a_persons_entry_that_vanished_is_reported() -> None:
    _, link = carried_before(1)

    planned = plan(link, both())

    assert planned.actions == ()
    assert ("entry vanished after it was carried", "note") in kept(planned)
    assert not planned.rewritten


def test_a_log_whose_every_entry_looks_new_is_told() -> None:
    _, link = carried_before(1)

    planned = plan(link, both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hallo"),))))

    assert planned.rewritten
    assert not planned.replaced


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("stays", [False, True])
def test_so_is_that_of_one_side_while_the_others_entries_look_as_they_did(side: Side, stays: bool) -> None:
    said_there = {side: "hello", side.other: "and mine"}
    markers = {each: markers_of(each, text)[0] for each, text in said_there.items()}
    notes = {markers[each]: NoteRecord(each, None if stays else NOW) for each in Side}
    link = replace(agreed(), base=replace(agreed().base, notes=notes))
    mirror = () if stays else (ours(side, markers[side.other], text="and mine"),)
    seen = both().with_(side, ticket(side, log=(*mirror, entry(PERSON[side], "hallo"))))
    seen = seen.with_(side.other, ticket(side.other, log=(entry(PERSON[side.other], "and mine"),)))

    assert plan(link, seen).rewritten
    assert not plan(link, seen.with_(side, ticket(side, log=(*mirror, entry(PERSON[side], "hello"))))).rewritten


def test_what_stood_there_when_two_tickets_were_linked_by_hand_stays() -> None:
    (marker,) = markers_of(EXTERNAL, "hello")
    link = agreed()
    link = replace(link, base=replace(link.base, notes={marker: NoteRecord(EXTERNAL, None)}))

    assert plan(link, both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),)))).actions == ()


# pictures


def test_a_picture_is_attached_before_the_note_that_shows_it() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, log=(entry(CUSTOMER, f"<p>see {PICTURE}</p>"),))))

    first, second = planned.actions
    assert [first] == uploads(planned)
    assert [second] == writes(planned)
    assert f"itopsync-picture:{uploads(planned)[0].marker}" in writes(planned)[0].notes[0].html


def test_a_picture_that_waits_holds_its_note_and_a_parked_one_is_told_in_words() -> None:
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, f"<p>see {PICTURE}</p>"), entry(CUSTOMER, "after", OPENED + MINUTE))))
    (upload,) = uploads(plan(agreed(), seen))
    waiting = Obstacle(upload.item.key, "", "too large", 1, parked=False, not_before=NOW + MINUTE)

    assert said(plan(replace(agreed(), obstacles=(waiting,)), seen), INTERNAL) == []
    rests = plan(replace(agreed(), obstacles=(replace(waiting, parked=True),)), seen)
    assert said(rests, INTERNAL)[:2] == ["see [picture not carried: plan]", "after"]


# a new copy


def test_a_new_copy_takes_its_history_along_up_to_the_first_picture() -> None:
    log = (entry(CUSTOMER, "one"), entry(CUSTOMER, f"<p>two {PICTURE}</p>"), entry(CUSTOMER, "three"))

    (made,) = creates(plan(unlinked(), replace(both(ticket(EXTERNAL, log=log)), internal=None)))

    assert len(made.notes) == 2
    assert "itopsync-acme-t-UserRequest.1" in made.notes[0].markers
    assert "Copied from Customer desk R-000001 · opened 2026-11-24 09:00" in made.notes[0].html


def test_a_parked_note_ends_the_history_that_goes_with_the_create() -> None:
    (marker,) = markers_of(EXTERNAL, "one")
    link = replace(unlinked(), obstacles=(Obstacle(ItemKey(f"note:{marker}"), "", "refused", 8, parked=True, not_before=None),))
    new = replace(both(ticket(EXTERNAL, log=(entry(CUSTOMER, "one"),))), internal=None)

    (made,) = creates(plan(link, new))

    assert len(made.notes) == 1


# a log that fills up


def note(n: int) -> Note:
    marker = f"itopsync-acme-n-{n}"
    return Note("private_log", (marker,), OPENED + n * MINUTE, f"<p><em>h{n}</em></p>t{n}")


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 100])
@pytest.mark.parametrize("room", [1, 2, 3, 8, 50, 1_000])
def test_notes_are_joined_before_a_log_is_full_and_none_is_left_out(count: int, room: int) -> None:
    joined = notes.join([note(n) for n in range(count)], room, 8_000_000)

    assert len(joined) <= max(1, room // 2)
    assert [marker for each in joined for marker in each.markers] == [f"itopsync-acme-n-{n}" for n in range(count)]
    text = "".join(each.html for each in joined)
    assert re.findall(r"t(\d+)", text) == [str(n) for n in range(count)]


@pytest.mark.parametrize("most", [1, 500, 1_000, 10_000])
def test_joined_notes_fit_into_a_request_as_far_as_each_does(most: int) -> None:
    sizes = (10, 900, 10, 10, 9_000, 10)
    several = [replace(note(n), html=note(n).html + "x" * size) for n, size in enumerate(sizes)]
    joined = notes.join(several, 2, most)

    assert [marker for each in joined for marker in each.markers] == [marker for each in several for marker in each.markers]
    assert all(len(each.markers) == 1 or weight(each.html) <= most for each in joined)


def test_joined_notes_bear_all_their_markers_at_the_head() -> None:
    (joined,) = notes.join([note(1), note(2)], 2, 8_000_000)

    assert joined.marked.startswith(
        '<p><a name="itopsync-acme-n-1,itopsync-acme-n-2"></a><em>h1</em></p>t1<hr><p><em>h2</em></p>'
    )
    assert joined.at == note(1).at


def test_a_log_that_takes_no_more_is_met_by_a_file() -> None:
    full = tuple(entry(OPERATOR, f"#internal {n}") for n in range(400))
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),)), ticket(INTERNAL, log=full))

    planned = plan(agreed(), seen)

    (upload,) = uploads(planned)
    assert said(planned, INTERNAL) == ["The log of R-000002 is full. Further notes come as files: see its attachments."]
    assert isinstance(upload.source, TextSource)
    assert upload.source.name == "note-20261124-080000.html"
    assert "hello" in upload.source.text
    assert upload.marker == markers_of(EXTERNAL, "hello")[0]


def test_a_log_that_the_server_called_full_is_not_tried_again() -> None:
    item = full_log(INTERNAL, "private_log")
    link = replace(agreed(), obstacles=(Obstacle(item.key, item.fingerprint, "full", 1, parked=True, not_before=None),))

    planned = plan(link, both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),))))

    assert writes(planned) == []
    assert len(uploads(planned)) == 1


def test_a_note_that_went_as_a_file_which_somebody_deletes_is_not_made_again() -> None:
    full = tuple(entry(OPERATOR, f"#internal {n}") for n in range(400))
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),)), ticket(INTERNAL, log=full))
    (upload,) = uploads(plan(agreed(), seen))
    there = both(seen.external, ticket(INTERNAL, log=full, files=(file(9, upload.marker, ticket=2),)))
    carried = plan(agreed(), there)
    assert carried.actions == ()

    planned = plan(carried.link, seen)

    assert planned.actions == ()
    assert ("copy deleted, not made again", "note") in kept(planned)
    room = both(seen.external, ticket(INTERNAL))
    assert plan(planned.link, room).actions == ()  # nor where there is room again


def test_notes_behind_one_that_waits_keep_what_they_were_tried() -> None:
    """A query changes nothing: what survives is what is still to be carried."""
    seen = both(
        ticket(EXTERNAL, log=(entry(CUSTOMER, "one"), entry(CUSTOMER, f"<p>two {PICTURE}</p>"), entry(CUSTOMER, "three")))
    )
    first, picture, second, third = (
        Obstacle(key, "", "refused", tries, parked=False, not_before=NOW + wait)
        for key, tries, wait in zip(_items(seen), (1, 2, 3, 4), (MINUTE, -MINUTE, -MINUTE, MINUTE), strict=True)
    )
    gone = Obstacle(ItemKey("note:itopsync-acme-n-gone"), "", "refused", 5, parked=False, not_before=NOW - MINUTE)

    planned = plan(replace(agreed(), obstacles=(first, picture, second, third, gone)), seen)

    assert planned.actions == ()
    assert planned.link.obstacles == (first, picture, second, third)


def _items(seen: Observation) -> list[ItemKey]:
    """The keys of the first note, the picture of the second, the second and the third."""
    people = entries.read(agreed(), seen, EXTERNAL, LogRule(), default_rules()).people
    first, second, third = (person.item.key for person in people)
    (upload,) = uploads(plan(agreed(), seen))
    return [first, upload.item.key, second, third]


# words of our own


def test_what_is_parked_is_told_once_on_the_internal_ticket() -> None:
    link = replace(agreed(), obstacles=(Obstacle(ItemKey("file:external:5"), "", "25 MB", 8, parked=True, not_before=None),))
    seen = both(replace(ticket(EXTERNAL), attachments=(file(5),)))

    planned = plan(link, seen)

    write = only(planned.actions)
    assert write in writes(planned, INTERNAL)
    (word,) = writes(planned)[0].notes
    assert "Not carried: attachment 5 of external (25 MB)" in word.html
    told = both(seen.external, ticket(INTERNAL, log=(ours(INTERNAL, *word.markers),)))
    assert plan(link, told).actions == ()
    assert plan(link, seen, rules(rules__tell_parked=False)).actions == ()


@pytest.mark.parametrize(
    ("key", "told"),
    [("field:title", "title"), ("state", "state"), ("picture:itopsync-acme-p-1", "a picture"), ("note:x", "a note")],
)
def test_what_is_parked_is_told_as_people_say_it(key: str, told: str) -> None:
    link, seen = agreed(), both(ticket(EXTERNAL, "assigned", title="Scanner", log=(entry(CUSTOMER, f"<p>{PICTURE}</p>"),)))
    items = {item.key.split(":")[0]: item for action in plan(link, seen, singly=True).actions for item in action.items}
    item = items[key.split(":", maxsplit=1)[0]]
    link = replace(link, obstacles=(Obstacle(item.key, item.fingerprint, "refused", 8, parked=True, not_before=None),))

    words = [note.html for write in writes(plan(link, seen, singly=True), INTERNAL) for note in write.notes]

    assert any(f"Not carried: {told} (refused)" in html for html in words)


def test_markers_of_another_pair_are_a_persons_words() -> None:
    foreign = entry(CUSTOMER, '<p><a name="itopsync-other-n-1"></a><em>h</em></p><p>text</p>')

    assert said(plan(agreed(), both(ticket(EXTERNAL, log=(foreign,)))), INTERNAL) != []


def test_the_copy_is_known_by_our_mark_only() -> None:
    copy, original = ticket(INTERNAL), Ref(EXTERNAL, "UserRequest", 1)

    assert is_copy(copy, ("private_log",), "acme", original, {US[INTERNAL]})
    assert is_copy(copy, ("private_log",), "acme", original, ())
    assert not is_copy(copy, ("private_log",), "acme", original, {OPERATOR})
    assert not is_copy(copy, ("private_log",), "acme", replace(original, id=2), ())
