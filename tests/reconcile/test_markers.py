"""The markers: stable, told apart, and nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.model import Ref, Side
from itopsync.reconcile import markers
from itopsync.simulator.oql_functions import fold, like

REF = Ref(Side.EXTERNAL, "UserRequest", 17)
INTERNAL = Ref(Side.INTERNAL, "UserRequest", 17)


def test_markers_are_written_as_they_always_were() -> None:
    """They stand in customers' tickets: another way of writing them would copy everything anew."""
    assert markers.ticket_marker("acme", REF) == "itopsync-acme-t-UserRequest.17"
    assert markers.attachment_marker("acme", Side.EXTERNAL, 5) == "itopsync-acme-a-e5"
    assert markers.attachment_marker("acme", Side.INTERNAL, 5, "20261124100824") == "itopsync-acme-a-i5.20261124100824"
    assert markers.note_marker("acme", REF, REF, "private_log", "f", ordinal=0) == "itopsync-acme-n-17.ab68cc0f12dc0183"
    assert markers.notice_marker("acme", REF, "state") == "itopsync-acme-w-17.a2a098cb9df1d0f4"
    assert markers.picture_marker("acme", REF, "inline:3") == "itopsync-acme-p-580b313cc1011593a0bf"
    assert markers.overflow_marker("acme", REF, "title") == "itopsync-acme-o-80b3081325dab60fb11d"


def test_an_entry_is_told_from_every_other_one() -> None:
    several = {
        markers.note_marker("acme", REF, REF, "private_log", "f", ordinal=0),
        markers.note_marker("acme", REF, REF, "private_log", "f", ordinal=1),
        markers.note_marker("acme", REF, REF, "private_log", "g", ordinal=0),
        markers.note_marker("acme", REF, REF, "public_log", "f", ordinal=0),
        markers.note_marker("acme", REF, INTERNAL, "private_log", "f", ordinal=0),
        markers.note_marker("other", REF, REF, "private_log", "f", ordinal=0),
    }
    assert len(several) == 6


def _found(patterns: list[str], marker: str, end: str = '"') -> bool:
    return any(like(pattern)(fold(f'<p><a name="itopsync-acme-n-1,{marker}{end}></a>')) for pattern in patterns)


@given(st.sets(st.integers(1, 30_000), max_size=25), st.integers(0, 30_000), st.sampled_from('",'))
def test_patterns_find_all_of_several_tickets_and_none_of_another_pair(some: set[int], first: int, end: str) -> None:
    for numbers in (some, set(range(first + 1, first + 26))):
        wanted = [Ref(Side.EXTERNAL, "UserRequest", number) for number in numbers]
        patterns = list(markers.like_tickets("acme", wanted))
        assert len(patterns) <= len(wanted)
        assert all(_found(patterns, markers.ticket_marker("acme", ref), end) for ref in wanted)
        assert not any(_found(patterns, markers.ticket_marker("other", ref), end) for ref in wanted)


def test_neighbours_share_a_pattern_that_finds_none_beyond_their_hundred() -> None:
    neighbours = [Ref(Side.EXTERNAL, "UserRequest", number) for number in range(1_510, 1_535)]
    stem = "itopsync-acme-t-UserRequest"
    patterns = list(markers.like_tickets("acme", neighbours))
    assert patterns == [f'%{stem}.15__"%', f"%{stem}.15__,%"]
    assert [number for number in (15, 151, 1_499, 1_500, 1_599, 1_600, 15_100) if _found(patterns, f"{stem}.{number}")] == [
        1_500,
        1_599,
    ]
    assert list(markers.like_tickets("acme", neighbours[:2])) == [f"%{stem}.1510%", f"%{stem}.1511%"]
    assert len(list(markers.like_tickets("acme", [Ref(Side.EXTERNAL, "UserRequest", n) for n in range(1, 26)]))) == 25


@given(st.lists(st.text(st.characters(blacklist_categories=())), max_size=4))
def test_parts_never_run_together(parts: list[str]) -> None:
    assert markers.digest(*parts) != markers.digest(*parts, "")
    assert markers.digest("".join(parts)) != markers.digest(*parts) or len(parts) == 1


@given(st.sampled_from(list(Side)), st.integers(1, 2**31), st.sampled_from(["", "202611241008", "20261124100824"]))
def test_what_is_written_is_read_back(side: Side, number: int, born: str) -> None:
    original = markers.Original(side, number, born)
    assert markers.attachment_of(markers.attachment_marker("acme", side, number, born), "acme") == original
    ref = Ref(Side.EXTERNAL, "NormalChange", number)
    assert markers.ticket_of(markers.ticket_marker("acme", ref), "acme") == ref


@pytest.mark.parametrize(
    "marker",
    [
        "",
        "acme",
        "itopsync-acme-",
        "itopsync-other-a-e5",
        "itopsync-other-t-UserRequest.17",
        "itopsync-acme-a-x5",
        "itopsync-acme-a-e",
        "itopsync-acme-a-e5x",
        "itopsync-acme-a-e5.",
        "itopsync-acme-a-e5.2026",
        "itopsync-acme-t-UserRequest",
        "itopsync-acme-t-.17",
        "xitopsync-acme-a-e5",
    ],
)
def test_what_is_no_marker_of_this_pair_names_nothing(marker: str) -> None:
    assert markers.attachment_of(marker, "acme") is None
    assert markers.ticket_of(marker, "acme") is None


@given(
    st.lists(st.integers(0, 2**80), min_size=1, max_size=40, unique=True),
    st.integers(1, 10**9),
    st.sampled_from(["a", "acme" * 8]),
)
def test_a_file_names_every_entry_that_it_holds_and_no_other(prints: list[int], number: int, pair: str) -> None:
    link = Ref(Side.EXTERNAL, "UserRequest", number)
    notes = [markers.note_marker(pair, link, link, "private_log", str(fingerprint), ordinal=0) for fingerprint in prints]
    several = notes[: markers.most_gathered(notes[0])]

    named = markers.gathered_marker(several)

    assert markers.gathered_in(named) == tuple(several)
    assert len(named) <= 255
    assert len(several) == len(notes) or len(named) + len(".0123456789abcdef") > 255


@pytest.mark.parametrize(
    "marker", ["", "a.b", "itopsync-acme-a-e5.20261124100824", "itopsync-acme-n-17.ab68cc0f12dc0183", "itopsync-acme-p-580b313c"]
)
def test_any_other_file_names_itself(marker: str) -> None:
    assert markers.gathered_in(marker) == (marker,)


@pytest.mark.parametrize("pair", ["n", "h", "w", "t"])
def test_what_a_marker_is_of_does_not_depend_on_the_pairs_name(pair: str) -> None:
    note = markers.note_marker(pair, REF, REF, "private_log", "f", ordinal=0)
    told, by_hand = markers.notice_marker(pair, REF, "state"), markers.here_marker(pair, INTERNAL)
    assert [markers.is_note(each) for each in (note, told, by_hand, markers.ticket_marker(pair, REF))] == [True, *[False] * 3]
    assert [markers.is_notice(each) for each in ([note], [told], [by_hand, note])] == [False, True, True]
