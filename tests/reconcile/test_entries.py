"""Whose an entry of a log is: a person's, or ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itopsync.model import LinkStatus, NoteRecord, Side
from itopsync.reconcile.notes import head_line
from itopsync.reconcile.plan import Plan
from itopsync.reconcile.richtext import marked
from itopsync.reconcile.rules import LogRule
from tests.reconcile.making import (
    CUSTOMER,
    EXTERNAL,
    INTERNAL,
    NOW,
    OPERATOR,
    PERSON,
    US,
    agreed,
    both,
    default_rules,
    entry,
    markers_of,
    of_class,
    ours,
    plan,
    said,
    ticket,
    writes,
)


def test_a_person_who_pastes_one_of_ours_is_a_person() -> None:
    (marker,) = markers_of(EXTERNAL, "hello")
    pasted = entry(OPERATOR, f'<p><a name="{marker}"></a>hello</p>')
    seen = both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),)), ticket(INTERNAL, log=(ours(INTERNAL, marker), pasted)))

    planned = plan(agreed(), seen)

    assert said(planned, EXTERNAL) == ["hello"]
    assert marker not in writes(planned, EXTERNAL)[0].notes[0].html


FORGED = (
    "itopsync-acme-n-1.0123456789abcdef",
    "itopsync-acme-u-UserRequest.1",
    "itopsync-acme-w-1.0123456789abcdef",
    "itopsync-acme-t-UserRequest.1",
)


@pytest.mark.parametrize("marker", FORGED)
@pytest.mark.parametrize("side", list(Side))
def test_a_note_that_begins_with_a_marker_that_cannot_stand_there_arrives(side: Side, marker: str) -> None:
    pasted = entry(PERSON[side], marked((marker,), "<p>hello</p>"))

    planned = plan(agreed(), both().with_(side, ticket(side, log=(pasted,))))

    assert said(planned, side.other) == ["hello"]
    assert planned.link.status is LinkStatus.LINKED


@pytest.mark.parametrize("side", list(Side))
def test_a_mirror_that_is_pasted_where_its_original_stands_is_a_persons(side: Side) -> None:
    (marker,) = markers_of(side, "hello")
    pasted = entry(PERSON[side], marked((marker,), "<p>as I said</p>"))
    seen = both().with_(side, ticket(side, log=(entry(PERSON[side], "hello"), pasted)))
    seen = seen.with_(side.other, ticket(side.other, log=(ours(side.other, marker, text="hello"),)))

    assert said(plan(agreed(), seen), side.other) == ["as I said"]


def test_the_mark_of_a_link_by_hand_that_is_pasted_on_external_is_a_persons() -> None:
    (marker,) = markers_of(INTERNAL, "before")
    pasted = entry(CUSTOMER, marked(("itopsync-acme-t-UserRequest.1", marker), "<p>hello</p>"))
    seen = both(ticket(EXTERNAL, log=(pasted,)), ticket(INTERNAL, log=(entry(OPERATOR, "before"),)))
    link = agreed()
    stays = replace(link, base=replace(link.base, notes={marker: NoteRecord(INTERNAL, None)}))

    assert said(plan(stays, seen), INTERNAL) == ["hello"]


UNKNOWN = "303"
"""An account that may have been ours, and that nobody remembers."""


@pytest.mark.parametrize("side", list(Side))
def test_a_mirror_in_its_place_is_ours_whoever_wrote_it(side: Side) -> None:
    (marker,) = markers_of(side.other, "hello")
    mirror = entry(UNKNOWN, marked((marker,), "<p>hello</p>"))
    seen = both().with_(side, ticket(side, log=(mirror,)))
    seen = seen.with_(side.other, ticket(side.other, log=(entry(PERSON[side.other], "hello"),)))

    assert plan(agreed(), seen).actions == ()


@pytest.mark.parametrize("side", list(Side))
def test_a_mirror_whose_original_is_gone_stays_ours_as_long_as_it_is_remembered(side: Side) -> None:
    (marker,) = markers_of(side.other, "hello")
    seen = both().with_(side, ticket(side, log=(entry(UNKNOWN, marked((marker,), "<p>hello</p>")),)))
    link = agreed()
    carried = replace(link, base=replace(link.base, notes={marker: NoteRecord(side.other, NOW)}))

    assert plan(carried, seen).actions == ()


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("below", ["", "<p>Yes</p>"])
def test_so_is_one_in_the_log_that_was_the_originals_partner_then_unless_it_says_more(side: Side, below: str) -> None:
    straight = of_class(default_rules(), "UserRequest", logs=(LogRule(), LogRule("public_log", "public_log")))
    (marker,) = markers_of(side.other, "hello")
    mirror = entry(UNKNOWN, marked((marker,), f"{head_line('head')}<p>hello</p>{below}"))
    seen = both().with_(side, replace(ticket(side), logs={**ticket(side).logs, "public_log": (mirror,)}))
    seen = seen.with_(side.other, ticket(side.other, log=(entry(PERSON[side.other], "hello"),)))
    link = agreed()
    carried = replace(link, base=replace(link.base, notes={marker: NoteRecord(side.other, NOW, log="public_log")}))

    expected = [["head", "hello", "Yes"]] if below else []
    assert [text.split() for text in said(plan(carried, seen, straight), side.other)] == expected


def _carried(side: Side, text: str, *below: str) -> Plan:
    """What is planned where nobody whom we know as us has the only mirror of *side*'s *text*, which we carried."""
    (marker,) = markers_of(side, text)
    mirror = entry(UNKNOWN, marked((marker,), head_line("head") + "".join(below)))
    seen = both().with_(side, ticket(side, log=(entry(PERSON[side], text),)))
    seen = seen.with_(side.other, ticket(side.other, log=(mirror,)))
    link = agreed()
    return plan(replace(link, base=replace(link.base, notes={marker: NoteRecord(side, NOW)})), seen)


@pytest.mark.parametrize(
    ("text", "below"),
    [
        ("<p>hello</p>", ("<p>hello</p>", "<p>Yes</p>")),
        ("<p>hello</p>", ("<p>Yes</p>",)),
        ("<p>hello</p>", ("<p>hello Yes</p>",)),
        ("<p>hello: Yesterday it did</p>", ("<p>hello: Yesterday it did</p>", "<p>Yes</p>")),
        (
            '<p>hello <img src="https://elsewhere.example/x.png" alt="plan"></p>',
            ("<p>hello [picture: plan https://elsewhere.example/x.png]</p>", "<p>Yes</p>"),
        ),
        ("<p>hello [picture</p>", ("<p>hello [picture</p>", "<p>Yes</p>")),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_one_who_says_more_than_a_mirror_that_was_wiped_out_quotes_it(side: Side, text: str, below: tuple[str, ...]) -> None:
    planned = _carried(side, text, *below)

    assert said(planned, side) != []  # where it was wiped out, it is written again
    (written,) = writes(planned, side)
    assert "Yes" in written.notes[0].html
    (again,) = writes(planned, side.other)
    assert "hello" in again.notes[0].html
    assert planned.link.status is LinkStatus.LINKED


@pytest.mark.parametrize(
    ("text", "below"),
    [
        ("<p>hello</p>", ("<p>hello</p>",)),
        (
            "<p>hello <b>there</b></p><ul><li>a</li><li>b</li></ul>",
            ("<p>hello there</p>", "<p>a b</p>"),
        ),
        ("<p>hello there</p>", ("<p>hello</p>",)),
        ('<p>hello <img src="https://elsewhere.example/x.png" alt="plan"></p>', ("<p>hello [picture not carried: plan]</p>",)),
        ("<p>hello</p>", ("<p>It is too long for one request. The whole text is in the attachments a.html to b.html.</p>",)),
        ("<p>See [[UserRequest:41|R-000041]] as well</p>", ("<p>See R-000041 as well</p>",)),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_a_mirror_that_says_no_more_than_we_wrote_is_ours_whoever_wrote_it(side: Side, text: str, below: tuple[str, ...]) -> None:
    assert writes(_carried(side, text, *below)) == []


def test_the_head_of_a_copy_is_ours_whoever_made_it() -> None:
    copy = ticket(INTERNAL)
    (head,) = copy.logs["private_log"]
    made = replace(copy, logs={"private_log": (replace(head, author_id=UNKNOWN),)})

    assert plan(agreed(), both(internal=made)).actions == ()


def test_where_our_account_is_not_known_the_first_bearer_of_a_marker_is_ours() -> None:
    known = default_rules()
    unknown = replace(known, internal=replace(known.internal, accounts=frozenset()))
    pasted = entry(OPERATOR, marked(FORGED[:1], "<p>hello</p>"))
    twice = (pasted, entry(OPERATOR, marked(FORGED[:1], "<p>again</p>")))

    assert said(plan(agreed(), both(internal=ticket(INTERNAL, log=twice)), unknown), EXTERNAL) == ["again"]


def test_an_entry_of_ours_that_a_parent_lent_its_child_is_ours_twice() -> None:
    (marker,) = markers_of(EXTERNAL, "hello")
    twice = (ours(INTERNAL, marker, text="hello"), ours(INTERNAL, marker, text="hello"))

    assert plan(agreed(), both(ticket(EXTERNAL, log=(entry(CUSTOMER, "hello"),)), ticket(INTERNAL, log=twice))).actions == ()


@pytest.mark.parametrize("marker", ["itopsync-acme-n-2.0123456789abcdef", "itopsync-acme-t-UserRequest.2"])
@pytest.mark.parametrize("side", list(Side))
def test_a_note_that_begins_with_what_was_pasted_from_another_ticket_arrives(side: Side, marker: str) -> None:
    pasted = entry(PERSON[side], marked((marker,), "<p>hello</p>"))
    logs = {side: (pasted,), side.other: ()}

    planned = plan(agreed(), both(ticket(EXTERNAL, log=logs[EXTERNAL]), ticket(INTERNAL, log=logs[INTERNAL])))

    assert said(planned, side.other) == ["hello"]
    assert marker not in writes(planned, side.other)[0].notes[0].html


def test_what_a_parent_lent_its_child_is_ours_whatever_stands_before_the_marker() -> None:
    lent = entry(US[INTERNAL], "<p>Copied from R-000002</p>" + marked(("itopsync-acme-n-2.0123456789abcdef",), "<p>hello</p>"))

    assert plan(agreed(), both(ticket(EXTERNAL), ticket(INTERNAL, log=(lent,)))).actions == ()


def test_an_entry_under_our_account_without_a_marker_goes_nowhere() -> None:
    assert plan(agreed(), both(ticket(EXTERNAL), ticket(INTERNAL, log=(entry(US[INTERNAL], "hello"),)))).actions == ()


OTHERS_NOTICES = (
    ("itopsync-other-t-UserRequest.7",),
    ("itopsync-other-w-7.0123456789abcdef",),
    ("itopsync-other-u-UserRequest.7", "itopsync-other-h-UserRequest.501"),
    ("itopsync-other-t-UserRequest.7", "itopsync-other-h-UserRequest.501", "itopsync-other-n-7.0123456789abcdef"),
)


@pytest.mark.parametrize("markers", OTHERS_NOTICES, ids=lambda markers: "+".join(each.split("-")[2] for each in markers))
@pytest.mark.parametrize("side", list(Side))
def test_what_another_pair_says_of_its_own_goes_nowhere_and_what_it_carried_goes_on(side: Side, markers: tuple[str, ...]) -> None:
    notice = entry(US[side], marked(markers, "<p>Unlinked by hand from R-000007</p>"))
    carried = entry(US[side], marked(("itopsync-other-n-7.0123456789abcdef",), "<p>hello</p>"))
    seen = both().with_(side, ticket(side, log=(notice, carried)))

    assert said(plan(agreed(), seen), side.other) == ["hello"]
    assert said(plan(agreed(), seen.with_(side, ticket(side, log=(notice,)))), side.other) == []


def test_a_person_who_pastes_another_pairs_notice_is_a_person() -> None:
    pasted = entry(OPERATOR, marked(OTHERS_NOTICES[0], "<p>hello</p>"))

    assert said(plan(agreed(), both(ticket(EXTERNAL), ticket(INTERNAL, log=(pasted,)))), EXTERNAL) == ["hello"]
