"""Whether the tickets of a link are the ones that were linked, and a copy that is found that of its ticket."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from itopsync.model import (
    UNSAVED,
    Agreed,
    Attachment,
    Base,
    End,
    Entry,
    FilePair,
    FileStatus,
    Link,
    LinkStatus,
    NoteRecord,
    Observation,
    Ref,
)
from itopsync.reconcile import by_hand, planner
from itopsync.reconcile.entries import read
from itopsync.reconcile.identity import is_as_known, is_parked_as_another, mismatch
from itopsync.reconcile.markers import here_marker, ticket_marker, unlinked_marker
from itopsync.reconcile.plan import Plan, Write
from itopsync.reconcile.rules import LogRule
from tests.reconcile.making import (
    CUSTOMER,
    EXTERNAL,
    INTERNAL,
    NOW,
    OPENED,
    agreed,
    born,
    both,
    default_rules,
    entry,
    file,
    kept,
    markers_of,
    ours,
    plan,
    ticket,
    unlinked,
)

NEXT_YEAR = NOW + timedelta(days=365)


def test_the_tickets_that_were_linked_are_known_again() -> None:
    assert mismatch(agreed(), both(), default_rules(), NEXT_YEAR) is None
    assert mismatch(unlinked(), replace(both(), internal=None), default_rules(), NEXT_YEAR) is None


def test_what_is_planned_for_later_is_no_beginning_of_another_ticket() -> None:
    planned = external(title="Scanner", start_date=DAYS_LATER)

    assert mismatch(known(), planned, default_rules(), NOW) is None


LATER, DAYS_LATER = "2026-11-24T09:00:00Z", "2026-12-24T08:00:00Z"
SHIFTED = "2026-11-24T14:00:00Z"
SHIFT = timedelta(hours=7)
"""From Kiritimati's time to Jakarta's."""


def known(*entries: Entry, files: tuple[Attachment, ...] = ()) -> Link:
    """A link of which entries and files on external are known."""
    people = read(agreed(), external(*entries), EXTERNAL, LogRule(), default_rules()).people
    notes = {person.marker: NoteRecord(EXTERNAL, NOW, born=person.born) for person in people}
    pairs = tuple(FilePair(EXTERNAL, attachment.id, attachment.id + 100, FileStatus.CARRIED) for attachment in files)
    return replace(agreed(), base=replace(agreed().base, notes=notes), files=pairs)


def external(*entries: Entry, files: tuple[Attachment, ...] = (), **fields: str) -> Observation:
    return both(ticket(EXTERNAL, log=entries, files=files, **fields))


HELLO = Entry("42", "Ann", OPENED, "<p>Hello</p>")
OTHER = Entry("43", "Bob", NOW, "<p>Another matter</p>")


@pytest.mark.parametrize(
    "now",
    [
        external(HELLO, title="Scanner", description="<p>It smokes</p>", start_date=LATER),  # all of the form is written anew
        external(HELLO, start_date=DAYS_LATER),  # somebody corrected a date
        external(HELLO, title="Scanner", start_date="2026-11-01T08:00:00Z"),
        external(HELLO, title="Scanner", start_date=""),
        external(HELLO, title="Scanner", start_date="0001-01-01 00:00:00"),
        external(OTHER, title="Scanner", description="<p>It smokes</p>"),
    ],
)
def test_a_ticket_is_known_again_by_any_one_thing(now: Observation) -> None:
    assert mismatch(known(HELLO), now, default_rules(), NEXT_YEAR) is None


@pytest.mark.parametrize(("at", "without_dates"), [(NOW, True), (NOW, False), (OPENED - timedelta(days=400), False)])
def test_the_same_words_written_at_another_time_are_none_of_the_things(at: datetime, without_dates: bool) -> None:
    """Where no date is known of an entry, after the last known change."""
    link = known(HELLO)
    if without_dates:
        notes = {marker: replace(record, born="") for marker, record in link.base.notes.items()}
        link = replace(link, base=replace(link.base, notes=notes))

    assert mismatch(link, external(HELLO, title="Scanner", start_date=LATER), default_rules(), NEXT_YEAR) is None
    there = external(replace(HELLO, at=at), title="Scanner", start_date=LATER)
    assert mismatch(link, there, default_rules(), NEXT_YEAR) is not None


@pytest.mark.parametrize(("zone", "is_known"), [("Pacific/Kiritimati", True), ("Asia/Jakarta", False), ("", False)])
def test_a_timezone_that_was_corrected_since_shifts_what_is_known(zone: str, is_known: bool) -> None:
    """Its dates are read some hours later than at the last look: it begins after that, and its entries are dated after it."""
    link, rules = known(HELLO), default_rules()
    changed = Agreed(f"{link.base.last_change} {zone}", "") if zone else None
    link = replace(link, base=replace(link.base, changed=changed))
    shifted = external(replace(HELLO, at=HELLO.at + SHIFT), title="Scanner", start_date=LATER)

    assert rules.external.timezone.key == "Asia/Jakarta"
    assert (mismatch(link, shifted, rules, NEXT_YEAR) is None) is is_known


@pytest.mark.parametrize(("entries", "known_again"), [((), True), ((HELLO,), False)])
def test_where_entries_were_known_its_form_tells_nothing_of_the_server(entries: tuple[Entry, ...], known_again: bool) -> None:
    """As of the customers of two servers who fill in the same form."""
    link = known(*entries)

    assert is_as_known(link, external(OTHER), EXTERNAL, default_rules()) is known_again
    assert is_as_known(link, external(*entries), EXTERNAL, default_rules())


def test_a_file_is_one_of_the_things() -> None:
    link, changed = known(files=(file(5),)), {"title": "Scanner", "start_date": DAYS_LATER}

    assert mismatch(link, external(files=(file(5),), **changed), default_rules(), NEXT_YEAR) is None
    assert mismatch(link, external(files=(file(6),), **changed), default_rules(), NEXT_YEAR) is not None


def test_a_ticket_of_which_next_to_nothing_is_known_is_known_again_by_its_title() -> None:
    assert mismatch(known(), external(start_date=DAYS_LATER, description="<p>It smokes</p>"), default_rules(), NEXT_YEAR) is None


@pytest.mark.parametrize(
    ("link", "now"),
    [
        (known(), external(title="Scanner", start_date=LATER)),
        (known(HELLO), external(title="Scanner", start_date=LATER)),
        (known(HELLO), external(OTHER, title="Scanner", start_date=LATER)),
        (known(HELLO), external(OTHER, start_date=LATER)),  # both got their titles from a form
    ],
)
def test_a_ticket_that_began_later_and_has_nothing_of_it_is_another(link: Link, now: Observation) -> None:
    reason = mismatch(link, now, default_rules(), NEXT_YEAR)

    told = "began after its last known change, and nothing that was known of it is there: another ticket"
    assert reason == f"external:UserRequest:1 {told}"


def test_a_ticket_of_another_number_is_another() -> None:
    link = replace(agreed(), external_number="R-000009")

    reason = mismatch(link, both(), default_rules(), NEXT_YEAR)

    assert reason == "external:UserRequest:1 was R-000009 when it was linked, and is R-000001 now: another ticket"


def test_what_began_before_the_last_change_of_the_linked_ticket_is_that_ticket() -> None:
    """Somebody corrects when it began, to and fro, and its title."""
    link = plan(known(), external(start_date="1000-01-01T00:00:00Z", last_update=SHIFTED)).link

    assert link.base.last_change == SHIFTED
    assert mismatch(link, external(title="Scanner", start_date=LATER), default_rules(), NEXT_YEAR) is None
    assert mismatch(link, external(title="Scanner", start_date=DAYS_LATER), default_rules(), NEXT_YEAR) is not None


def test_an_internal_ticket_without_our_mark_is_another() -> None:
    bare = replace(ticket(INTERNAL), logs={"private_log": ()})

    reason = mismatch(agreed(), both(internal=bare), default_rules(), NEXT_YEAR)

    assert reason == "internal:UserRequest:2 no longer bears the mark of external:UserRequest:1: another ticket"


def test_another_ticket_is_parked_and_counted() -> None:
    parted = plan(replace(agreed(), external_number="R-000009"), both())

    assert parted.link.status is LinkStatus.PARKED
    assert parted.replaced
    assert kept(parted) == {("parked", "ticket")}


# a copy that is found


COPIED = Entry("23", "Sync Bridge", OPENED, f'<p><a name="{ticket_marker("acme", Ref(EXTERNAL, "UserRequest", 1))}"></a></p>')
BY_HAND = replace(
    COPIED, at=NOW, html=COPIED.html.replace('"></a>', f',{here_marker("acme", Ref(INTERNAL, "UserRequest", 2))}"></a>')
)
AN_HOUR_LATER = f"{OPENED + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
TWICE = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
"""In the hour that comes twice in internal's timezone."""
HELLO_MARK, BACK_MARK = markers_of(EXTERNAL, "Hello")[0], markers_of(INTERNAL, "Any news?")[0]
KEPT = replace(BY_HAND, html=BY_HAND.html.replace('"></a>', f',{HELLO_MARK}"></a>'))
"""The same, with an entry that stays on external."""
HELLO_HERE, OTHER_HERE = entry(CUSTOMER, "Hello"), entry(CUSTOMER, "Another matter")


def found(now: Observation, *entries: Entry, files: tuple[Attachment, ...] = (), first: Entry = COPIED) -> Plan:
    """The plan for a link whose copy, found by its mark, has these entries and files; *now* shows the external ticket."""
    lost = Link(UNSAVED, Ref(EXTERNAL, "UserRequest", 1), Ref(INTERNAL, "UserRequest", 2), LinkStatus.LINKED)
    copy = replace(ticket(INTERNAL, files=files), logs={"private_log": (first, *entries)})
    return planner.plan_link(lost, replace(now, internal=copy), default_rules(), NEXT_YEAR)


def scanner(*entries: Entry, files: tuple[Attachment, ...] = (), start_date: str = LATER) -> Observation:
    """Another ticket, or the same one with all of its form written anew."""
    return external(*entries, files=files, title="Scanner", description="<p>It smokes</p>", start_date=start_date)


@pytest.mark.parametrize(
    "planned",
    [
        found(external(start_date=DAYS_LATER)),  # somebody corrected a date
        found(external(title="Scanner", description="<p>It smokes</p>")),
        found(external(title="Scanner", start_date="2026-11-01T08:00:00Z")),
        found(external(title="Scanner", start_date="")),
        found(external(title="Scanner", start_date="2028-11-01T08:00:00Z")),  # planned
        found(scanner(HELLO_HERE), ours(INTERNAL, HELLO_MARK)),
        found(scanner(HELLO_HERE), files=(file(8, HELLO_MARK, ticket=2),)),  # as the log was full
        found(scanner(ours(EXTERNAL, BACK_MARK)), entry("202", "Any news?")),
        found(scanner(files=(file(5),)), files=(file(8, "itopsync-acme-a-e5", ticket=2),)),
        found(scanner(files=(file(5, "itopsync-acme-a-i8"),)), files=(file(8, ticket=2),)),
        found(scanner(), first=BY_HAND),  # that it bears the mark says that it was there by then
        found(scanner(start_date="2026-11-24T09:30:00Z"), first=BY_HAND),  # the clocks differ
        found(scanner(HELLO_HERE, start_date=DAYS_LATER), first=KEPT),
        found(scanner(start_date="2026-11-24T08:30:00Z"), first=replace(COPIED, dated=False)),  # its date is a guess
        found(scanner(start_date="2026-10-25T01:30:00Z"), first=replace(COPIED, at=TWICE)),  # the second time, read as the first
        found(external(title="Scanner", start_date=AN_HOUR_LATER)),  # a side shows the times of another timezone
    ],
)
def test_a_copy_that_is_found_is_that_of_its_ticket_by_any_one_thing(planned: Plan) -> None:
    assert planned.link.status is LinkStatus.LINKED
    assert planned.link.base.last_change


@pytest.mark.parametrize(
    "planned",
    [
        found(scanner()),
        found(scanner(), entry("202", "Any news?")),
        found(scanner(), replace(COPIED, author_id="202", at=NOW)),  # somebody pasted the mark
        found(scanner(ours(EXTERNAL, BACK_MARK))),  # linked by hand with another one since
        found(scanner(OTHER_HERE), ours(INTERNAL, HELLO_MARK), files=(file(8, "itopsync-acme-a-e5", ticket=2),)),
        found(
            scanner(files=(born(file(5), "20261124100000"),)),
            files=(file(8, "itopsync-acme-a-e5.20261123100000", ticket=2),),
        ),  # its id, too
        found(external(OTHER_HERE, start_date=LATER), ours(INTERNAL, HELLO_MARK)),  # both got their titles from a form
        found(scanner(start_date=DAYS_LATER), first=BY_HAND),
        found(external(OTHER_HERE, start_date=DAYS_LATER), first=KEPT),  # both from one form
        found(scanner(), BY_HAND),  # copied, unlinked and linked again
        found(scanner(start_date=AN_HOUR_LATER)),
        found(external(title="Scanner", start_date=AN_HOUR_LATER.replace("00Z", "01Z"))),
        found(scanner(start_date="2026-11-24T09:00:01Z"), first=replace(COPIED, dated=False)),
    ],
)
def test_a_copy_that_is_found_for_another_ticket_is_left_and_the_link_parked(planned: Plan) -> None:
    assert planned.actions == ()
    assert not planned.replaced  # nobody else waits
    assert is_parked_as_another(planned.link)
    assert kept(planned) == {("parked", "ticket")}
    assert (planned.link.external_number, planned.link.internal_number) == ("R-000001", "R-000002")
    (obstacle,) = planned.link.obstacles
    assert obstacle.reason == (
        "external:UserRequest:1 began after the ticket whose mark internal:UserRequest:2 bears, and has nothing of it: another "
        "ticket. `itopsync unlink external:UserRequest:1` leaves it; then `itopsync link external:UserRequest:1 TICKET "
        "--history` links it with a ticket that you open for it in internal, or with internal:UserRequest:2 if it is the same "
        "one again, never with one of internal's own: it carries what either of the two has and the other lacks"
    )
    assert by_hand.resumed(planned.link, NOW) is planned.link
    unlinking = by_hand.unlinked(planned.link, NOW, notice=True)
    (write,) = planner.plan_link(unlinking, both(scanner().external), default_rules(), NEXT_YEAR).actions
    assert isinstance(write, Write)
    assert unlinked_marker("acme", planned.link.external) in write.notes[0].markers


@pytest.mark.parametrize("base", [Base(last_change=DAYS_LATER), Base(fields={"title": Agreed("a", "b")})])
def test_of_a_ticket_that_is_known_its_copy_tells_nothing(base: Base) -> None:
    """As after `itopsync resume`: the ticket as it is counts as the one that was linked."""
    lost = Link(UNSAVED, Ref(EXTERNAL, "UserRequest", 1), Ref(INTERNAL, "UserRequest", 2), LinkStatus.LINKED, base=base)

    assert planner.plan_link(lost, scanner(), default_rules(), NEXT_YEAR).link.status is LinkStatus.LINKED


def test_one_that_is_found_was_unlinked_whichever_ticket_bears_the_id_now() -> None:
    parting = ours(INTERNAL, unlinked_marker("acme", Ref(EXTERNAL, "UserRequest", 1)))

    assert found(scanner(), parting).link.base.ended is End.UNLINKED
