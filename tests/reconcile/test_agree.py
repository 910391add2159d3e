"""What is known once an action has been answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from itopsync.model import Agreed, Attachment, FilePair, FileStatus, ItemKey, LinkStatus, NoteRecord, Obstacle, Ref
from itopsync.reconcile import agree
from itopsync.reconcile.plan import AttachmentSource, Create, Item, Note, Remove, Upload, Write
from itopsync.reconcile.richtext import value_fingerprint
from tests.reconcile.making import EXTERNAL, INTERNAL, NOW, OPENED, agreed, both, cls_rules, plan, ticket, unlinked

NOTE = "itopsync-acme-n-1"
PAIR = FilePair(EXTERNAL, 5, None, FileStatus.WAITING)
OTHER = FilePair(INTERNAL, 5, 6, FileStatus.CARRIED)
ITEM = Item(ItemKey("field:title"), "internal:x")


def note(*markers: str) -> Note:
    return Note("private_log", markers, OPENED, "<p>x</p>")


def test_people_s_notes_are_remembered_and_our_own_words_are_not() -> None:
    action = Create({}, (note("itopsync-acme-t-UserRequest.1"), note("itopsync-acme-w-1", NOTE, "itopsync-acme-n-2")), (), {})

    link = agree.created(unlinked(), action, ticket(EXTERNAL), ticket(INTERNAL), cls=cls_rules(), now=NOW)

    assert dict(link.base.notes) == {
        NOTE: NoteRecord(EXTERNAL, NOW, unchecked=True),
        "itopsync-acme-n-2": NoteRecord(EXTERNAL, NOW, unchecked=True),
    }


def test_a_note_that_is_written_again_is_counted() -> None:
    action = Write(EXTERNAL, {}, (note(NOTE),), (), {})

    once = agree.written(agreed(), action, ticket(EXTERNAL), cls_rules(), OPENED)
    twice = agree.written(once, action, ticket(EXTERNAL), cls_rules(), NOW)

    assert once.base.notes[NOTE] == NoteRecord(INTERNAL, OPENED, 1, unchecked=True)
    assert twice.base.notes[NOTE] == NoteRecord(INTERNAL, NOW, 2, unchecked=True)


def test_a_value_is_agreed_as_the_target_returned_it() -> None:
    to_internal = Write(INTERNAL, {}, (), (), {"title": "print of the source"})
    to_external = Write(EXTERNAL, {}, (), (), {"solution": "print of the source"})

    inward = agree.written(agreed(), to_internal, ticket(INTERNAL, title="Printer "), cls_rules(), NOW)
    outward = agree.written(agreed(), to_external, ticket(EXTERNAL, solution="Done"), cls_rules(), NOW)

    assert inward.base.fields["title"] == Agreed("print of the source", value_fingerprint("Printer "))
    assert outward.base.fields["solution"] == Agreed(value_fingerprint("Done"), "print of the source")
    assert inward.base.fields["urgency"] == agreed().base.fields["urgency"]


def test_files_that_came_and_went() -> None:
    link = replace(agreed(), files=(PAIR, OTHER))
    upload = Upload(INTERNAL, "itopsync-acme-a-e5", AttachmentSource(5), ITEM, PAIR)

    copy = Attachment(8, upload.marker, "UserRequest", 501)
    there = agree.uploaded(link, upload, copy)

    assert set(there.files) == {OTHER, FilePair(EXTERNAL, 5, 8, FileStatus.CARRIED)}
    assert agree.uploaded(link, replace(upload, pair=None), copy) == link
    assert agree.removed(there, Remove(INTERNAL, 8, ITEM, PAIR)).files == (OTHER,)
    assert agree.removed(there, Remove(INTERNAL, 9, ITEM)) == there


def test_what_was_refused_waits_and_is_parked_in_the_end() -> None:
    pause = timedelta(minutes=1)
    once = agree.refused(agreed(), ITEM, "no", NOW, pause)
    twice = agree.refused(once, ITEM, "never", NOW, None)
    another = agree.refused(once, Item(ItemKey("state"), "y"), "no way", NOW, pause)
    changed = agree.refused(once, replace(ITEM, fingerprint="internal:z"), "no", NOW, pause)

    assert once.obstacles == (Obstacle(ITEM.key, ITEM.fingerprint, "no", 1, parked=False, not_before=NOW + pause),)
    assert twice.obstacles == (Obstacle(ITEM.key, ITEM.fingerprint, "never", 2, parked=True, not_before=None),)
    assert [obstacle.key for obstacle in another.obstacles] == [ITEM.key, "state"]
    assert [obstacle.tries for obstacle in changed.obstacles] == [1]
    assert (agree.tries_of(twice, ITEM), agree.tries_of(twice, Item(ItemKey("state"), ""))) == (2, 0)


def test_a_copy_found_by_its_mark_is_compared_anew() -> None:
    copy = Ref(INTERNAL, "UserRequest", 2)

    link = agree.adopted(unlinked(), copy, cls_rules())

    assert (link.internal, link.status, link.base.state) == (copy, LinkStatus.LINKED, Agreed("new", "new"))
    assert dict(link.base.fields) == {}


def test_a_link_whose_ticket_is_another_one_rests_with_the_reason() -> None:
    bare = replace(
        ticket(INTERNAL),
        logs={"private_log": ()},
        fields={**ticket(INTERNAL).fields, "title": "Another", "start_date": "2026-11-24T20:00:17+00:00"},
    )

    planned = plan(agreed(), both(internal=bare))

    reason = (
        "internal:UserRequest:2 no longer bears the mark of external:UserRequest:1: another ticket. `itopsync retry 1` looks "
        "again, as once a wrong url is mended. `itopsync unlink 1` leaves it; then `itopsync link external:UserRequest:1 TICKET "
        "--history` links it with a ticket that you open for it in internal, or with internal:UserRequest:2 if it is the same "
        "one again, never with one of internal's own: it carries what either of the two has and the other lacks"
    )
    assert planned.link.obstacles == (Obstacle(ItemKey("ticket"), "another", reason, 1, parked=True, not_before=None),)
    assert [remark.reason for remark in planned.remarks] == [reason]
