"""What fits into one request, and how what does not is cut."""

from __future__ import annotations

import json
from base64 import b64encode

from hypothesis import example, given
from hypothesis import strategies as st

from itopsync.reconcile.room import groups, pieces, weight


@example("00\U00010000\U00010000", 14)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(1, 200))
def test_pieces_are_the_whole_and_each_fits(text: str, most: int) -> None:
    cut = pieces(text, most)
    assert "".join(cut) == text
    assert all(len(b64encode(piece.encode())) <= max(most, 8) for piece in cut)


@given(st.text(max_size=100))
def test_a_text_weighs_at_least_what_is_sent_of_it(text: str) -> None:
    assert weight(text) >= len(json.dumps(text))
    assert weight(text, 17, None) == weight(text)


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 10), st.integers(1, 200))
def test_groups_hold_everything_once_and_in_order(weights: list[int], size: int, most: int) -> None:
    found = list(groups(enumerate(weights), size, most))
    assert [place for group in found for place in group] == list(range(len(weights)))
    assert all(len(group) <= size for group in found)
    assert all(len(group) == 1 or sum(weights[place] for place in group) <= most for group in found)
