"""Notes that were joined into one entry or one file, with addresses of their own server in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from itopsync.model import Entry
from itopsync.verify.entries import Line, Matching, Writer
from tests.costs import grows_with_length

MORNING = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PAGE = "https://desk.example.com/itop/pages/UI.php?id="
HEAD = "<p><em>Operations 2026-11-24 10:00</em></p>"
SAID = [
    "<p>It smokes.</p>",
    f"<p>See {PAGE}1 for more</p>",
    f"<p>{PAGE}2</p>",
    f'<p><img src="a.png"> as in {PAGE}3</p><hr><p>and {PAGE}4</p>',
    f"<p>{PAGE}5 has it</p>",
    "<p>Thanks</p>",
]
ARRIVED = [
    "<p>It smokes.</p>",
    "<p>See [link] for more</p>",
    "<p>[link]</p>",
    "<p>[picture: a.png] as in [link]</p><hr><p>and [link]</p>",
    "<p>[link] has it</p>",
    "<p>Thanks</p>",
]


def _missing(said: list[str], *files: list[str], notes: int = 0) -> list[str]:
    """Which of the notes *said* are in none of *files*, each of which joins what arrived of as many notes, or of *notes*."""
    people = [Line(f"entry:internal:private_log:{place}", None, html, Writer.PERSON) for place, html in enumerate(said, 1)]
    mirrors = [
        Line(
            f"file:external:{number}",
            None,
            "<hr>".join(HEAD + html for html in arrived),
            Writer.MIRROR,
            tuple(f"n-17.{number:08x}{place:08x}" for place in range(notes or len(arrived))),
        )
        for number, arrived in enumerate(files, 1)
    ]
    return [line.html for line in Matching(mirrors).match(people)]


def test_a_note_is_found_among_others_with_a_link_for_each_address() -> None:
    assert _missing(SAID, ARRIVED) == []


@pytest.mark.parametrize("place", range(len(SAID)))
def test_a_note_that_is_not_among_the_others_is_missing(place: int) -> None:
    assert _missing(SAID, ARRIVED[:place] + ARRIVED[place + 1 :], notes=len(SAID)) == [SAID[place]]


@pytest.mark.parametrize("arrived", ["<p>See [link]</p><p>for</p>", "<p>See for more</p>", "<p>See [link] for more soon</p>"])
def test_a_note_among_others_in_which_other_words_were_lost_is_missing(arrived: str) -> None:
    assert _missing(SAID, [ARRIVED[0], arrived, *ARRIVED[2:]]) == [SAID[1]]


def test_a_note_with_a_link_is_found_where_the_note_before_it_is_found_elsewhere() -> None:
    said = ["<p>Yes</p>", f"<p>See {PAGE}1</p>", "<p>No</p>", "<p>Yes</p>"]
    assert _missing(said, ["<p>Yes</p>"], ["<p>Yes</p>", "<p>See [link]</p>", "<p>No</p>"]) == ["<p>Yes</p>"]


@pytest.mark.parametrize("alone", [0, 2])
def test_of_two_notes_with_the_same_words_the_one_of_that_time_is_found_alone(alone: int) -> None:
    said = ["<p>Yes</p>", "<p>No</p>", "<p>Yes</p>"]
    joined = [*said[:alone], *said[alone + 1 :]]
    entries = [Entry("9", "Alice", MORNING + timedelta(hours=place), html) for place, html in enumerate(said)]
    people = [
        Line(f"entry:internal:private_log:{place}", entry, entry.html, Writer.PERSON) for place, entry in enumerate(entries)
    ]
    mirrors = [
        Line(
            "entry:external:private_log:1", None, "<hr>".join(HEAD + html for html in joined), Writer.MIRROR, ("n-1.0a", "n-1.0b")
        ),
        Line("entry:external:private_log:2", entries[alone], HEAD + said[alone], Writer.MIRROR, ("n-1.0c",)),
    ]

    assert Matching(mirrors).match(people) == []


def test_a_link_alone_is_left_to_its_note_by_one_that_is_in_another_file() -> None:
    said = ["<p>One</p>", "<p>Late</p>", f"<p>{PAGE}1</p>", f"<p>See desk.example.com/itop or {PAGE}2</p>", "<p>Last</p>"]
    assert _missing(said, ["<p>One</p>", "<p>[link]</p>", "<p>See [link] or [link]</p>"], ["<p>Late</p>", "<p>Last</p>"]) == []


def test_a_link_alone_is_left_to_the_note_with_the_fewest_words() -> None:
    said = ["<p>One</p>", f"<p>See {PAGE}1</p>", f"<p>desk.example.com/itop/{'x' * 80}</p>"]
    assert _missing(said, ["<p>One</p>", "<p>[link]</p>", "<p>See [link]</p>"]) == []


def test_very_many_notes_with_addresses_are_compared_in_time_that_grows_with_their_number() -> None:
    def compare(dots: str) -> None:
        numbers = range(len(dots))
        said = [f"<p>Note {number} is {PAGE}{number} and so on</p>" for number in numbers]
        assert _missing(said, [f"<p>Note {number} is [link] and so on</p>" for number in numbers]) == []

    assert grows_with_length(compare, lambda count: "." * count, 1_600)
