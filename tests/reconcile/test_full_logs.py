"""What a full log does not take: one file for each quiet time, and the log's readers are told once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from itopsync.model import Entry, ItemKey, Link, Observation, Obstacle, Side, Ticket
from itopsync.reconcile.by_hand import retried
from itopsync.reconcile.entries import full_log, note_item
from itopsync.reconcile.files import COPIES_GONE, with_vanished_held
from itopsync.reconcile.markers import gathered_in
from itopsync.reconcile.plan import Plan, TextSource, Upload
from itopsync.reconcile.richtext import plain
from itopsync.reconcile.rules import Limits, Rules
from tests.reconcile.making import (
    CUSTOMER,
    EXTERNAL,
    INTERNAL,
    MINUTE,
    NOW,
    PERSON,
    agreed,
    both,
    default_rules,
    entry,
    file,
    kept,
    markers_of,
    plan,
    ticket,
    uploads,
    writes,
)

GATHERED = {side: f"log:{side}:private_log:notes" for side in Side}


class NoRoom(Limits):
    """Every log is full."""

    log_bytes: ClassVar[int] = 100


def full(file_size: int = 20_000_000) -> Rules:
    return replace(default_rules(), limits=NoRoom(file_size=file_size))


def said_at(side: Side, *ages: float) -> tuple[Entry, ...]:
    """A person's entries, so many minutes ago each."""
    return tuple(entry(PERSON[side], f"word{n}.", NOW - age * MINUTE) for n, age in enumerate(ages))


def seen_with(side: Side, *ages: float, state: str = "new") -> Observation:
    return both(**{str(side): ticket(side, state, log=said_at(side, *ages))})


def there(seen: Observation, side: Side, *files: Upload) -> Observation:
    """What is seen once *files* are on *side*."""
    before = seen.of(side)
    assert before is not None
    number = 1 if side is EXTERNAL else 2
    added = tuple(file(90 + place, each.marker, ticket=number) for place, each in enumerate(files))
    return seen.with_(side, replace(before, attachments=(*before.attachments, *added)))


def told_full(planned: Plan, side: Side) -> list[str]:
    return [plain(note.html) for write in writes(planned, side) for note in write.notes if "is full" in note.html]


def name_and_text(upload: Upload) -> tuple[str, str]:
    assert isinstance(upload.source, TextSource)
    return upload.source.name, upload.source.text


def until(planned: Plan) -> dict[str, datetime | None]:
    return {obstacle.key: obstacle.not_before for obstacle in planned.link.obstacles if obstacle.gathers}


@pytest.mark.parametrize("side", list(Side))
def test_it_waits_until_nobody_has_written_for_a_while_and_then_goes_as_one_file(side: Side) -> None:
    seen, target = seen_with(side, 8, 5, 1), side.other

    early = plan(agreed(), seen, full())
    assert uploads(early) == []
    assert until(early) == {GATHERED[target]: NOW + 9 * MINUTE}
    assert ("gathered into one file", "log") in kept(early)
    assert [remark.reason[:19] for remark in early.remarks if remark.kept == "gathered into one file"] == ["until 09:09 UTC: th"]

    assert uploads(plan(early.link, seen, full(), now=NOW + 9 * MINUTE - timedelta(seconds=1))) == []
    (upload,) = uploads(plan(early.link, seen, full(), now=NOW + 9 * MINUTE))
    assert (upload.side, [item.key.which for item in upload.items]) == (target, list(gathered_in(upload.marker)))
    name, text = name_and_text(upload)
    assert name == "notes-20261124-085200-to-20261124-085900.html"
    assert re.findall(r"word\d\.", text) == ["word0.", "word1.", "word2."]
    author = {EXTERNAL: "Carla Customer", INTERNAL: "Operations R-000002 ·"}[side]  # internal's people go by no name
    assert text.count(author) == 3
    assert (
        re.findall(r"2026-11-24 \d\d:\d\d", text)
        == {
            EXTERNAL: ["2026-11-24 09:52", "2026-11-24 09:55", "2026-11-24 09:59"],  # as internal's clocks show it
            INTERNAL: ["2026-11-24 15:52", "2026-11-24 15:55", "2026-11-24 15:59"],
        }[side]
    )


def test_it_waits_for_an_hour_at_most_while_people_keep_writing() -> None:
    seen = seen_with(EXTERNAL, *range(58, -1, -8))

    assert until(plan(agreed(), seen, full())) == {GATHERED[INTERNAL]: NOW + 2 * MINUTE}
    assert len(uploads(plan(agreed(), seen, full(), now=NOW + 2 * MINUTE))) == 1


@pytest.mark.parametrize("at", [datetime(202, 5, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC), NOW + 61 * MINUTE])
def test_a_date_that_is_no_moment_ago_holds_up_nothing(at: datetime) -> None:
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello", at),)))

    assert len(uploads(plan(agreed(), seen, full()))) == 1


def test_a_clock_that_is_ahead_lets_it_wait_no_longer_than_an_hour() -> None:
    planned = plan(agreed(), both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello", NOW + 45 * MINUTE),))), full())

    assert until(planned) == {GATHERED[INTERNAL]: NOW + 55 * MINUTE}


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("mover", list(Side))
def test_a_state_that_moves_takes_along_what_was_said_before(side: Side, mover: Side) -> None:
    seen = seen_with(side, 1)
    moved = seen.of(mover)
    assert moved is not None
    planned = plan(agreed(), seen.with_(mover, replace(moved, state="assigned")), full())

    kinds = [type(action).__name__ for action in planned.actions]
    assert kinds == ["Write", "Upload", "Write"]  # the notice, the file, the state
    assert [write.leads_to for write in writes(planned, mover.other) if write.stimulus] == ["assigned"]
    assert until(planned) == {}


def test_a_state_that_is_parked_takes_nothing_along() -> None:
    seen = seen_with(EXTERNAL, 1, state="assigned")
    (moving,) = (item for write in writes(plan(agreed(), seen, full())) for item in write.items if item.key == "state")
    resting = Obstacle(moving.key, moving.fingerprint, "refused", 8, parked=True, not_before=None)

    planned = plan(replace(agreed(), obstacles=(resting,)), seen, full())

    assert uploads(planned) == []
    assert until(planned) == {GATHERED[INTERNAL]: NOW + 9 * MINUTE}


def test_what_is_said_on_a_closed_ticket_waits_for_nothing() -> None:
    closed = both(ticket(EXTERNAL, "closed"), ticket(INTERNAL, "closed"))
    seen = both(ticket(EXTERNAL, "closed", log=said_at(EXTERNAL, 1)), ticket(INTERNAL, "closed"))

    assert len(uploads(plan(agreed(closed), seen, full()))) == 1


def test_what_is_kept_in_internal_is_in_no_file() -> None:
    log = (*said_at(INTERNAL, 70), entry(PERSON[INTERNAL], "#internal they never pay", NOW - 65 * MINUTE))

    planned = plan(agreed(), both(internal=ticket(INTERNAL, log=log)), full())

    (upload,) = uploads(planned)
    assert "never pay" not in name_and_text(upload)[1]
    assert len(upload.items) == 1


def test_seventy_notes_are_five_files_and_each_is_found_in_its_own() -> None:
    seen = seen_with(EXTERNAL, *range(270, 200, -1))
    words = [f"word{n}." for n in range(70)]

    files = uploads(plan(agreed(), seen, full()))

    assert len(files) == 5
    assert all(len(each.marker) <= 255 for each in files)
    assert re.findall(r"word\d+\.", "".join(name_and_text(each)[1] for each in files)) == words
    assert [marker for each in files for marker in gathered_in(each.marker)] == [
        marker for word in words for marker in markers_of(EXTERNAL, word)
    ]
    for arrived in range(5):  # whatever of it got there before a kill, with a store or without
        left = uploads(plan(agreed(), there(seen, INTERNAL, *files[:arrived]), full()))
        assert [each.marker for each in left] == [each.marker for each in files[arrived:]]
    assert uploads(plan(agreed(), there(seen, INTERNAL, *files), full())) == []


def test_what_an_older_version_sent_is_not_sent_again_by_any_file() -> None:
    seen = seen_with(EXTERNAL, 90, 80, 70)
    markers = [markers_of(EXTERNAL, f"word{n}.")[0] for n in range(3)]
    (whole,) = uploads(plan(agreed(), seen, full()))

    (rest,) = uploads(plan(agreed(), there(seen, INTERNAL, replace(whole, marker=markers[1])), full()))

    assert gathered_in(rest.marker) == (markers[0], markers[2])


def test_a_file_that_somebody_deletes_is_not_made_again() -> None:
    seen = seen_with(EXTERNAL, 90, 80)
    arrived = there(seen, INTERNAL, *uploads(plan(agreed(), seen, full())))
    carried = plan(agreed(), arrived, full()).link

    planned = plan(carried, seen, full())

    assert uploads(planned) == []
    assert ("copy deleted, not made again", "note") in kept(planned)
    assert plan(planned.link, seen, full()).vanished == frozenset()  # it is found gone once
    back = plan(planned.link, arrived, full())
    assert (back.link, plan(back.link, seen, full()).vanished) == (carried, planned.vanished)


@pytest.mark.parametrize("side", list(Side))
def test_one_that_is_gone_where_others_are_gone_too_is_left_for_a_person(side: Side) -> None:
    seen = seen_with(side, 90, 80)
    (sent,) = uploads(plan(agreed(), seen, full()))
    planned = plan(plan(agreed(), there(seen, side.other, sent), full()).link, seen, full())
    keys = {note_item(marker).key for marker in gathered_in(sent.marker)}

    held = with_vanished_held(planned)

    assert planned.vanished == keys
    assert {obstacle.key: obstacle.reason for obstacle in held.link.obstacles if obstacle.parked} == dict.fromkeys(
        keys, COPIES_GONE
    )
    assert kept(held) == {("parked", "note")}
    again = plan(held.link, seen, full())
    assert (again.vanished, uploads(again), again.link) == (frozenset(), [], held.link)
    assert uploads(plan(retried(held.link, NOW), seen, full())) == [sent]
    back = plan(held.link, there(seen, side.other, sent), full())
    assert (uploads(back), kept(back)) == ([], set())


def test_what_was_refused_goes_by_itself_and_the_others_keep_their_order() -> None:
    seen = seen_with(EXTERNAL, 90, 85, 80, 75)
    refused = note_item(markers_of(EXTERNAL, "word1.")[0])
    before = Obstacle(refused.key, refused.fingerprint, "refused", 1, parked=False, not_before=NOW - MINUTE)

    files = uploads(plan(replace(agreed(), obstacles=(before,)), seen, full()))

    assert [re.findall(r"word\d", name_and_text(each)[1]) for each in files] == [["word0"], ["word1"], ["word2", "word3"]]


def test_files_are_no_larger_than_a_file_may_be() -> None:
    log = tuple(entry(CUSTOMER, f"word{n}." + "x" * 900, NOW - (90 - n) * MINUTE) for n in range(6))

    files = uploads(plan(agreed(), both(ticket(EXTERNAL, log=log)), full(file_size=4_000)))

    assert len(files) > 1
    assert all(len(name_and_text(each)[1].encode()) <= 4_000 for each in files)


# its readers


@pytest.mark.parametrize("side", list(Side))
def test_the_readers_of_the_log_are_told_at_once_and_once(side: Side) -> None:
    seen, target = seen_with(side, 1), side.other

    first = plan(agreed(), seen, full())

    number = {EXTERNAL: "R-000001", INTERNAL: "R-000002"}[target]
    told = f"itopsync The log of {number} is full. Further notes come as files: see its attachments."
    assert told_full(first, target) == [told]
    assert told_full(first, side) == []
    (note,) = (note for write in writes(first, target) for note in write.notes)
    shown = seen.of(target)
    assert shown is not None
    for author in ("17" if target is EXTERNAL else "23", "909"):  # by our account, or one that nobody knows any more
        log = (*shown.logs["private_log"], Entry(author, "Sync", NOW, note.marked))
        later = plan(first.link, seen.with_(target, replace(shown, logs={"private_log": log})), full(), now=NOW + 20 * MINUTE)
        assert writes(later) == []
        assert [name_and_text(each)[0] for each in uploads(later)] == ["note-20261124-085900.html"]


def test_a_person_who_pastes_what_tells_it_is_heard() -> None:
    seen = seen_with(EXTERNAL, 1)
    (note,) = (note for write in writes(plan(agreed(), seen, full())) for note in write.notes)
    pasted = entry(CUSTOMER, f"{note.marked}<p>What is this?</p>", NOW - MINUTE)

    planned = plan(agreed(), both(ticket(EXTERNAL, log=(pasted,))))

    assert ["What is this?" in note.html for write in writes(planned, INTERNAL) for note in write.notes] == [True]


def test_where_the_server_takes_no_more_the_first_files_name_tells_it() -> None:
    item = full_log(INTERNAL, "private_log")
    link = replace(agreed(), obstacles=(Obstacle(item.key, item.fingerprint, "full", 1, parked=True, not_before=None),))
    seen = seen_with(EXTERNAL, *range(90, 70, -1))

    first = plan(link, seen)

    assert writes(first) == []
    assert [name_and_text(each)[0][:15] for each in uploads(first)] == ["log-is-full-not", "notes-20261124-"]
    later = both(ticket(EXTERNAL, log=(*said_at(EXTERNAL, *range(90, 70, -1)), entry(CUSTOMER, "more", NOW - 65 * MINUTE))))
    (upload,) = uploads(plan(link, there(later, INTERNAL, *uploads(first))))
    assert name_and_text(upload)[0] == "note-20261124-075500.html"


def test_nobody_is_told_before_there_is_something_to_tell() -> None:
    nothing: tuple[Link, Ticket] = (agreed(), ticket(EXTERNAL))

    assert plan(nothing[0], both(nothing[1]), full()).actions == ()


def test_gathering_is_no_failure() -> None:
    (obstacle,) = (obstacle for obstacle in plan(agreed(), seen_with(EXTERNAL, 1), full()).link.obstacles if obstacle.gathers)

    assert (obstacle.key, obstacle.tries, obstacle.parked, obstacle.needs_person) == (
        ItemKey(GATHERED[INTERNAL]),
        0,
        False,
        False,
    )
