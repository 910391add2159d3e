"""Attributes as iTop before 3.2 reads and takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.itop import older
from itopsync.reconcile.plaintext import as_text
from itopsync.reconcile.richtext import lost_words
from itopsync.verify.words import as_marked_up, text_of


@given(st.text(alphabet="a&<>;ml p"))
def test_what_was_doubled_reads_as_it_was_stored(stored: str) -> None:
    read = stored.replace("&", "&amp;")
    assert (older.as_html("description", read) if older.may_differ("description", read) else read) == stored


@pytest.mark.parametrize("text", ["<p>a &lt; b</p>", "<p>a</p>", "", "a & b &amp; c"])
def test_what_no_doubling_gave_is_left_alone(text: str) -> None:
    assert not older.may_differ("description", text)


def test_a_plain_solution_reads_as_html_and_goes_as_text() -> None:
    assert older.as_html("solution", "x < y\r\nz & w") == "<p>x &lt; y<br>z &amp; w</p>"
    assert as_text("<p>x &lt; y<br>z &amp; w</p>") == "x < y\nz & w"
    picture = '<img src="https://desk.example.com/1" alt="plan">'
    assert as_text(f"<p>one</p><ul><li>two</li></ul>{picture}") == "one\n\n- two\n[picture: plan]"


FIX = "https://vendor.example/fix?id=17"
SPELT = {
    f'<p>Look <a href="{FIX}">here</a>, please.</p>': f"Look here, ({FIX}) please.",
    '<p>(<a href="ftp://x.example">he</a>re)</p><p>now</p>': "(here) (ftp://x.example)\n\nnow",
    '<a href="https://x.example/">x.example</a> <a href="mailto:a@x.example">a@x.example</a>': "x.example a@x.example",
    '<p><a href="#top">top</a> <a>none</a> <a href="https://x.example"></a>end</p>': "top none end",
    '<a href="https://x.example/1"><img alt="plan"></a> x': "[picture: plan] (https://x.example/1) x",
    "<ol><li>stop</li><li><p>wait</p></li></ol>then": "1. stop\n\n2. wait\n\nthen",
    '<ul><li>a<ol start="3"><li>b</li><li value="9">c</li></ol></li><li>d</li></ul>': "- a\n\n3. b\n9. c\n\n- d",
    "<li>alone</li>": "- alone",
}


@pytest.mark.parametrize("fragment", SPELT)
def test_a_link_is_told_by_its_address_and_an_item_by_its_number(fragment: str) -> None:
    text = as_text(fragment)
    assert text == SPELT[fragment]
    assert lost_words(fragment, older.as_html("solution", text)) == ()
    marked_up, read = text_of(fragment), text_of(older.as_html("solution", text)).words
    assert "[picture" in text or as_marked_up(read, marked_up) == marked_up.words


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Z"]), max_size=40))
def test_no_word_of_a_plain_solution_is_lost(text: str) -> None:
    assert as_text(older.as_html("solution", text)) == text
