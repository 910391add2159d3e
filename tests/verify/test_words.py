"""What a text says and how it begins, by the comparison's own reading."""

from __future__ import annotations

import tracemalloc

import pytest

from itopsync.verify.beginning import begins_with
from itopsync.verify.words import folded, text_of
from tests.costs import grows_with_length

PASTED = '<p class="itopsync-demo-n-17.0123456789abcdef"><em>Customer desk R-000001 · 2026-11-24 10:00</em></p>'


@pytest.mark.parametrize(
    "fragment",
    [
        "<p>#internal They never pay</p>",
        "#INTERNAL: they never pay",
        "<p>\u200b#internal They never pay</p>",
        "<p>&nbsp;# internal They never pay</p>",
        "<p>\uff03\uff49\uff4e\uff54\uff45\uff52\uff4e\uff41\uff4c They never pay</p>",
        "<p>#in\u00ad<b>ter</b>nal They never pay</p>",
        '<p><img src="a.png"></p><p>#internal They never pay</p>',
        "<blockquote><p>When will you pay?</p></blockquote><p>#internal They never pay</p>",
        "<p>&gt; When will you pay?</p><p>#internal They never pay</p>",
        '<p><a href="https://desk/itop?id=9">@Bob</a> #internal They never pay</p>',
        "<p>[[Person:9|Bob]] #internal They never pay</p>",
        '<p><span style="display: none">Hello</span>#internal They never pay</p>',
        f"{PASTED}<p>#internal They never pay</p>",
        "<p>Copied from R-000001</p><p>#internal They never pay</p>",
        "Copied from R-000001<br>@Bob #internal They never pay",
    ],
)
def test_a_mark_is_seen_behind_every_disguise(fragment: str) -> None:
    assert begins_with(fragment, "#internal")


@pytest.mark.parametrize(
    "fragment",
    ["one<br>two<br>three<br>four<br>five<br>#internal is our tag", "<p>Internal server error</p>", "<p>#1 internal</p>", ""],
)
def test_a_mark_further_on_or_none_is_no_beginning(fragment: str) -> None:
    assert not begins_with(fragment, "#internal")


def test_a_mark_of_letters_and_a_sign_needs_its_sign() -> None:
    assert begins_with("<p>Internal: they never pay</p>", "internal:")
    assert not begins_with("<p>Internal server error</p>", "internal:")


def test_words_are_the_same_whatever_the_html_around_them() -> None:
    there = "<div>It&nbsp;smokes,\u200b <b>a</b> lot<br>&amp; stinks</div><script>alert(1)</script><!-- really -->"
    assert text_of(there).words == text_of("<p>It smokes, a lot</p>\n<p>&amp; stinks</p>").words


def test_a_mention_is_what_it_reads() -> None:
    assert folded("See [[UserRequest:17|R-000017]]") == folded("See R-000017")


@pytest.mark.parametrize("shown", ['<img src="b.png">', "[picture: a]b]", "[picture not carried: ?]"])
def test_a_picture_may_be_shown_or_told(shown: str) -> None:
    text = text_of('<p>Look: <img src="a.png"> there</p>')
    assert text.is_said_by(text_of(f"<p>Look: {shown} there</p>").words)
    assert not text.is_said_by(text_of(f"<p>Look: {shown} here</p>").words)
    assert not text.is_said_by(text_of("<p>Look: there</p>").words)


def test_each_picture_is_known_to_be_shown_or_told() -> None:
    text = text_of('<p><img src="a.png">one<img src="b.png">two<img src="c.png"></p>')
    there = text_of('<p>before [picture: a]] [link].png]one<img src="x.png">two[picture not carried: c]</p> after').words
    assert text.said_by(there) is None
    found = text.found_in(there, 0)
    assert found is not None
    assert found.shown == (False, True, False)
    assert there[found.end :] == "after"


def test_a_note_of_very_many_pictures_is_compared_in_time_and_memory_that_grow_with_its_length() -> None:
    def told(count: int) -> str:
        return "".join(f"[picture: {number}.png]" for number in range(count))

    def compare(there: str) -> None:
        pictures = (f'<img src="https://elsewhere.example/{number}.png">' for number in range(there.count("[")))
        text = text_of(f"<p>{''.join(pictures)}</p>")
        assert text.is_said_by(folded(there))
        assert not text.is_said_by(f"{folded(there)}?")

    assert grows_with_length(compare, told, 6_000)
    tracemalloc.start()
    try:
        compare(told(6_000))
        assert tracemalloc.get_traced_memory()[1] < 25_000_000
    finally:
        tracemalloc.stop()


def test_the_body_of_what_we_wrote_is_what_follows_its_header() -> None:
    assert text_of(f"{PASTED}<p>It smokes.</p>").body == folded("It smokes.")
