"""HTML that costs the standard library's parser dearly."""

from __future__ import annotations

import pytest

from itopsync.verify.beginning import begins_with
from itopsync.verify.words import text_of
from tests.costs import grows_with_length


@pytest.mark.parametrize(
    "hostile",
    [
        *("<", "<a ", '<a b="', '<a b==">"', "<!--", "<!--x>", "</a ", "<?", "<![", "[[a:b|", "[[a:b", "<li>", "<hr>", "<hr>a"),
        *("\u0300\u0316", "\uff9e\u0300"),
    ],
)
def test_time_grows_with_the_length(hostile: str) -> None:
    def read(text: str) -> None:
        text_of(text)
        begins_with(text, "#internal")

    assert grows_with_length(read, lambda count: hostile * count, 80_000 // len(hostile))


def test_what_takes_the_square_of_the_length_is_told_from_what_does_not() -> None:
    assert not grows_with_length(
        lambda text: sum(left == right for left in text for right in text), lambda count: "<" * count, 3_000
    )


@pytest.mark.parametrize("unfinished", ["<a ", '<a b==">"', "<!--x>", "<?", "</b "])
def test_what_is_too_broken_to_read_is_taken_for_words(unfinished: str) -> None:
    broken = unfinished * 30
    assert "Theprintersmokes&" in text_of(f"{broken}The printer smokes &amp;").words
    assert begins_with(f"{broken}words, &#35;internal and more", "#internal")
    assert not begins_with(f"{broken}words, and more", "#internal")


def test_what_looks_like_a_tag_does_not_hide_one_in_what_is_too_broken_to_read() -> None:
    assert begins_with("<!--x>" * 30 + "words, #in<b></b>ternal", "#internal")


@pytest.mark.parametrize("declared", ["<![ x]>", "<![foo x]>", "<![CDATA[x]]>", "<![if x]>", "<![e[>"])
def test_a_declaration_that_no_html_has_is_left_out(declared: str) -> None:
    assert text_of(f"<p>The printer {declared}</p><p>smokes</p>").words.replace("]>", "") == "Theprintersmokes"
    assert begins_with(f"{declared}#internal", "#internal")


def test_a_few_tags_that_never_end_leave_a_text_as_it_is() -> None:
    assert not begins_with("a < b, <c d and " * 5 + "#internal", "#internal")
    assert begins_with("<p><b>#internal</b> <c d", "#internal")


def test_how_a_list_item_begins_is_told_from_its_first_characters() -> None:
    items = text_of("<ol><li>" + "&#8203; " * 10 + "Change the toner of the printer</li><li>Close the lid</li></ol>").items
    assert items == (("1.", "Changethetoneroftheprinter"[:20]), ("2.", "Closethelid"))
