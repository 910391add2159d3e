"""Which entries and files an older bridge had copied: told by content and time, each as the copy of one other at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from itopsync.model import Entry, Side
from itopsync.reconcile.copied import Bridge, FileLook, Line, Standing, recognise, recognise_files

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PERSON, BRIDGE = "7", "1"
BOTH = Bridge({side: frozenset({BRIDGE}) for side in Side})
EXTERNAL, INTERNAL = Side.EXTERNAL, Side.INTERNAL
COPIED, DOUBTFUL, ALONE, NEW = Standing.COPIED, Standing.DOUBTFUL, Standing.ALONE, Standing.NEW


def line(side: Side, text: str, minute: float = 0, by: str = PERSON) -> Line:
    entry = Entry(by, "Somebody", NOON + timedelta(minutes=minute), text)
    return Line(side, "private_log", entry, "marker", "", by == BRIDGE)


def standings(*lines: Line, bridge: Bridge = BOTH) -> list[Standing]:
    found = recognise(lines, bridge)
    return [found[line] for line in lines]


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        ("<p>Hello</p>", "Hello"),
        ("<p>It <b>still</b> blinks &amp; beeps</p>", "It still blinks &amp; beeps"),
        ("<ul><li>off</li><li>on</li></ul>", "<p>* off<br>* on</p>"),
        ('<p>See <a href="https://example.org/x">the manual</a>.</p>', "See [the manual](https://example.org/x)."),
        ("<p>Look<img src='x'></p>", "<p>Look</p>"),
        ("<p>👍</p>", "👍"),
        ("<p>Zażółć ﬁle</p>", "zażółć file"),
    ],
)
def test_a_copy_says_the_same_whatever_became_of_its_format(original: str, copy: str) -> None:
    assert standings(line(EXTERNAL, original), line(INTERNAL, copy, 5, BRIDGE)) == [COPIED, COPIED]
    assert standings(line(INTERNAL, original), line(EXTERNAL, copy, 5, BRIDGE)) == [COPIED, COPIED]


def test_what_is_said_again_is_copied_as_often_as_it_was() -> None:
    thanks = [line(EXTERNAL, "Thanks", minute) for minute in (0, 1, 2)]
    copies = [line(INTERNAL, "Thanks", minute, BRIDGE) for minute in (2, 3)]
    assert sorted(standings(*thanks, *copies)) == [COPIED] * 4 + [NEW]


def test_both_said_the_same_and_only_one_was_copied() -> None:
    """Where the older bridge's accounts are known on both sides, people may say the same at the same time."""
    hers, his = line(EXTERNAL, "Thanks"), line(INTERNAL, "Thanks", 1)
    assert standings(hers, his) == [NEW, NEW]
    assert standings(hers, line(INTERNAL, "Thanks", 1, BRIDGE), his) == [COPIED, COPIED, NEW]


@pytest.mark.parametrize("known", [{}, {EXTERNAL: frozenset({BRIDGE})}, {INTERNAL: frozenset({BRIDGE})}])
def test_where_an_account_is_not_known_what_is_alike_is_doubtful(known: dict[Side, frozenset[str]]) -> None:
    alike = [line(EXTERNAL, "Thanks"), line(INTERNAL, "Thanks", 10)]
    apart = [line(EXTERNAL, "Any news?"), line(INTERNAL, "Any news?", 3000)]
    assert standings(*alike, *apart, bridge=Bridge(known)) == [DOUBTFUL] * 4
    assert standings(line(EXTERNAL, "Thanks"), line(INTERNAL, "Any news?"), bridge=Bridge(known)) == [NEW, NEW]


@pytest.mark.parametrize(("minutes", "expected"), [(15, DOUBTFUL), (16, COPIED)])
def test_how_far_apart_they_may_be_is_chosen(minutes: int, expected: Standing) -> None:
    lines = line(EXTERNAL, "Thanks"), line(INTERNAL, "Thanks", 16, BRIDGE)
    assert standings(*lines, bridge=Bridge(BOTH.accounts, timedelta(minutes=minutes))) == [expected, expected]


@pytest.mark.parametrize(
    ("original", "copy", "minute", "expected"),
    [
        ("<p>It smokes</p>", "It smokes", 600, DOUBTFUL),  # late
        ("<p>It smokes</p>", "It smokes", -600, NEW),  # no copy is older than its original
        ("<p>It smokes a lot</p>", "Ann Lee wrote: It smokes a lot", 1, DOUBTFUL),
        ("<p>It smokes a lot, and stinks</p>", "It smokes a lot", 1, DOUBTFUL),  # it breaks off
        ("<p>It smokes a lot, and stinks</p>", "It smo", 1, DOUBTFUL),
        ("<p>It smokes a lot, and it stinks</p>", "Ann Lee wrote: It smokes a lot, and it sti...", 1, DOUBTFUL),
        ("<p>Thanks</p>", "Ann Lee wrote: Thanks", 1, DOUBTFUL),
        ("<p>👍</p>", "Ann Lee wrote: 👍", 1, DOUBTFUL),
        ("<p>👍</p>", "Ann Lee wrote: thanks", 1, NEW),
        ("<p>The fan</p>", "The old fan smokes", 1, NEW),  # two words apart say too little
        ("<p>Thanks, Jo</p>", "- wrote on 24 November - Thanks, Jo - sent by the bridge -", 1, DOUBTFUL),
        ("<p>It hums, see https://example.org/a?b=c and blinks now</p>", "It hums, see and blinks now", 1, DOUBTFUL),
        ("<p>Call me at 5 and bring it back to me today</p>", "Ann Lee wrote: Call me at 5 back to me today", 1, DOUBTFUL),
        ("<p>Call John today</p>", "Call today", 1, DOUBTFUL),
        ("<p>Grüße aus Köln an die Straße</p>", "Gr??e aus K?ln an die Stra?e", 1, DOUBTFUL),
        ("<p>Hm 😀 grinning café</p>", "Hm ? grinning cafÃ©", 1, DOUBTFUL),
        ("<p>Дым идёт</p>", "Ann Lee: Дым идёт.", 1, DOUBTFUL),
        ("<p>It smokes</p>", "It works", 1, NEW),
        ("<img src='x'>", "<img src='y'>", 1, DOUBTFUL),
        ("<img src='x'>", "A picture", 1, NEW),
        ("<p>A picture</p>", "<img src='y'>", 1, NEW),
    ],
)
def test_what_resembles_an_entry_of_the_older_bridge_is_doubtful(
    original: str, copy: str, minute: float, expected: Standing
) -> None:
    alone = ALONE if expected is NEW else DOUBTFUL
    assert standings(line(EXTERNAL, original), line(INTERNAL, copy, minute, BRIDGE)) == [expected, alone]


def test_an_entry_of_the_older_bridge_resembles_the_nearest_one_only() -> None:
    first, second = line(EXTERNAL, "It smokes a lot"), line(EXTERNAL, "It smokes a lot", 300)
    assert standings(first, second, line(INTERNAL, "She says: It smokes a lot", 301, BRIDGE)) == [NEW, DOUBTFUL, DOUBTFUL]


@pytest.mark.parametrize("undated", [0, 1])
def test_an_entry_without_a_date_may_have_been_copied_at_any_time(undated: int) -> None:
    lines = [line(EXTERNAL, "It smokes a lot", 300), line(INTERNAL, "It smokes a lot", 0, BRIDGE)]
    assert standings(*lines) == [NEW, ALONE]
    lines[undated] = replace(lines[undated], entry=replace(lines[undated].entry, dated=False))
    assert standings(*lines) == [DOUBTFUL, DOUBTFUL]


def test_each_entry_that_the_older_bridge_joined_into_one_is_doubtful() -> None:
    said = ["It smokes a lot", "Yes", "It also stinks", "It smokes a lot", "👍", "Bye"]
    joined = " / ".join(f"Ann Lee (12:0{minute}): {text}" for minute, text in enumerate(said))
    lines = [line(EXTERNAL, f"<p>{text}</p>", minute) for minute, text in enumerate(said)]
    assert standings(*lines, line(INTERNAL, joined, 9, BRIDGE)) == [DOUBTFUL] * 7


def test_what_an_entry_of_the_older_bridge_does_not_hold_is_new() -> None:
    """However many entries it joins, each of its words is of one: what was said once more, or later, was not copied by it."""
    joined = line(INTERNAL, "Ann Lee: It smokes a lot, best wishes, Ann Lee / Bob Ray: Yes, thanks a lot, Bob Ray", 3, BRIDGE)
    held = [line(EXTERNAL, "It smokes a lot, best wishes, Ann Lee"), line(EXTERNAL, "Yes, thanks a lot, Bob Ray", 2)]
    others = ["It smokes a lot, best wishes, Ann Lee", "I got a new one, best wishes, Ann Lee", "Yes", "The lamp is red"]
    new = [line(EXTERNAL, text, -60) for text in others] + [line(EXTERNAL, "It smokes a lot", 60)]
    assert standings(*held, *new, joined) == [DOUBTFUL] * 2 + [NEW] * 5 + [DOUBTFUL]


def test_people_of_one_side_are_not_held_against_each_other() -> None:
    assert standings(line(EXTERNAL, "Thanks"), line(EXTERNAL, "Thanks", 1, BRIDGE)) == [NEW, ALONE]


# files

ONE, OTHER = FileLook("a.txt", "1"), FileLook("a.txt", "2")


def test_a_file_of_the_same_name_and_contents_is_a_copy_as_often_as_it_is_there() -> None:
    looks = {(EXTERNAL, 1): ONE, (EXTERNAL, 2): ONE, (EXTERNAL, 3): OTHER, (INTERNAL, 1): ONE}
    assert recognise_files(looks) == {(EXTERNAL, 1): COPIED, (EXTERNAL, 2): NEW, (EXTERNAL, 3): NEW, (INTERNAL, 1): COPIED}


def test_a_file_of_the_same_contents_and_another_name_is_doubtful() -> None:
    looks = {(EXTERNAL, 1): ONE, (INTERNAL, 1): FileLook("b.txt", "1"), (INTERNAL, 2): OTHER}
    assert recognise_files(looks) == {(EXTERNAL, 1): DOUBTFUL, (INTERNAL, 1): DOUBTFUL, (INTERNAL, 2): NEW}


def test_a_file_that_cannot_be_read_makes_those_of_the_other_side_doubtful() -> None:
    looks = {(EXTERNAL, 1): None, (EXTERNAL, 2): OTHER, (EXTERNAL, 3): ONE, (INTERNAL, 1): ONE, (INTERNAL, 2): FileLook("b", "3")}
    assert recognise_files(looks) == {
        (EXTERNAL, 1): DOUBTFUL,
        (EXTERNAL, 2): NEW,
        (EXTERNAL, 3): COPIED,
        (INTERNAL, 1): COPIED,
        (INTERNAL, 2): DOUBTFUL,
    }
