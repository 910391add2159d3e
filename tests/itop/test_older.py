"""Attributes as iTop before 3.2 reads and takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.itop import older


@given(st.text(alphabet="a&<>;ml p"))
def test_what_was_doubled_reads_as_it_was_stored(stored: str) -> None:
    read = stored.replace("&", "&amp;")
    assert (older.as_html("description", read) if older.may_differ("description", read) else read) == stored


@pytest.mark.parametrize("text", ["<p>a &lt; b</p>", "<p>a</p>", "", "a & b &amp; c"])
def test_what_no_doubling_gave_is_left_alone(text: str) -> None:
    assert not older.may_differ("description", text)


def test_a_plain_solution_reads_as_html_and_goes_as_text() -> None:
    assert older.as_html("solution", "x < y\r\nz & w") == "<p>x &lt; y<br>z &amp; w</p>"
    assert older.as_text("<p>x &lt; y<br>z &amp; w</p>") == "x < y\nz & w"
    picture = '<img src="https://desk.example.com/1" alt="plan">'
    assert older.as_text(f"<p>one</p><ul><li>two</li></ul>{picture}") == "one\n\ntwo\n\n[picture: plan]"


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Z"]), max_size=40))
def test_no_word_of_a_plain_solution_is_lost(text: str) -> None:
    assert older.as_text(older.as_html("solution", text)) == text
