"""Whatever stands in a ticket's text goes over as words, links and pictures. Nothing in it acts, fetches or is taken for ours."""

from __future__ import annotations

import html
import re

import nh3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from itopsync.reconcile import gate
from itopsync.reconcile.gate import begins_with_tag
from itopsync.reconcile.images import DataImage, InlineImage
from itopsync.reconcile.richtext import (
    Carried,
    carry,
    fill,
    fingerprint,
    head_markers,
    literal,
    lost_words,
    plain,
    shorten,
    unfilled,
    value_fingerprint,
    without_pictures,
)
from tests.reconcile.any_html import FOREIGN, HOME, ORIGIN, assert_inert, assert_tells_no_address, fragments, often


@often
@example("<svg><style><img src=x onerror=alert(1)></style></svg>")
@example('<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">')
@example('<noscript><p title="</noscript><img src=x onerror=alert(1)>">')
@example("<form><form><input formaction=javascript:x><button></form></form><svg><svg><script></script></svg></svg>")
@example(f'<p>See <img src="{FOREIGN}" alt="logo"> <img srcset="{FOREIGN} 2x"></p>')
@example("<[[Foo:1|script]]>alert(1)<[[Foo:1|/script]]>")
@given(fragments)
def test_nothing_that_is_carried_acts_or_fetches(fragment: str) -> None:
    assert_inert(carry(fragment, ORIGIN).html)


@often
@example(f'<p title="{HOME}/x">a<b>{HOME[:12]}</b>{HOME[12:]}/x</p><a href=" {HOME.upper()}/y">{HOME}/y</a>')
@given(fragments)
def test_no_address_of_the_origin_goes_along(fragment: str) -> None:
    assert_tells_no_address(carry(fragment, ORIGIN).html)
    assert_tells_no_address(html.escape(gate.words(fragment, ORIGIN.addresses)))


@often
@given(fragments)
def test_no_word_is_lost(fragment: str) -> None:
    """What another reader sees is there: nh3 with every tag taken off, less what no reader sees."""
    unseen = {
        "script",
        "style",
        "template",
        "title",
        "noscript",
        "noembed",
        "noframes",
        "iframe",
        "object",
        "audio",
        "video",
        "canvas",
    }
    seen = nh3.clean(fragment, tags=set(), clean_content_tags=unseen | {"frameset", "applet", "portal", "svg", "math", "select"})
    carried = re.sub(r"\W", "", plain(carry(fragment, ORIGIN).html))
    for word in re.findall(r"\b(?:Printer|é|alert|behind)\b", html.unescape(seen)):
        assert word in carried, carried


@often
@given(fragments)
@example("\ufeff\ufeffTwo marks")
def test_the_same_once_more_changes_nothing_but_pictures(fragment: str) -> None:
    once = carry(fragment, ORIGIN).html
    if "<img" not in once:
        assert plain(carry(once, ORIGIN).html) == plain(once)


@often
@given(fragments)
def test_a_picture_comes_from_the_text_itself_or_from_its_own_server(fragment: str) -> None:
    for picture in carry(fragment, ORIGIN).pictures:
        assert picture.marker.startswith("itopsync-acme-")
        if isinstance(picture.source, DataImage):
            assert picture.source.mimetype.startswith("image/")
        else:  # an attachment is none of the ticket's own
            assert isinstance(picture.source, InlineImage)
            assert 0 <= picture.source.id < 10**10


@often
@example('<img src="itopsync-picture:itopsync-picture:p-1"')
@given(fragments)
def test_no_marker_of_ours_and_no_placeholder_comes_out_of_a_text(fragment: str) -> None:
    carried = carry(fragment, ORIGIN)
    assert head_markers(f"<p>{carried.html}</p>", "acme") == ()
    markers = {picture.marker for picture in carried.pictures}
    asked: set[str] = set()

    def note(name: str) -> str:
        asked.add(name)
        return "x"

    unfilled(carried.html, note)
    assert asked == markers
    assert not unfilled(literal(fragment), lambda _: None)


@often
@given(fragments, st.sampled_from(["https://a.example/?a=1&b=2", "", None]))
def test_every_reader_of_a_text_takes_any(fragment: str, address: str | None) -> None:
    carried: Carried = carry(fragment, ORIGIN)
    fill(carried.html, lambda _: address)
    without_pictures(carried.html, [picture.marker for picture in carried.pictures])
    for text in (fragment, carried.html):
        assert "\n" not in plain(text)
        fingerprint("7", text)
        value_fingerprint(text)
        begins_with_tag(text, ("#internal",))
        assert lost_words(text, text) == ()


@often
@given(fragments, st.integers(300, 2000))
def test_a_text_that_is_cut_fits_and_is_inert(fragment: str, limit: int) -> None:
    short = shorten(carry(fragment, ORIGIN).html * 20, limit, "The whole text is in the attachment description.html.")
    assert len(short.encode()) <= limit
    assert_inert(short)


@pytest.mark.parametrize(
    ("fragment", "carried"),
    [
        ("<p>It <b>blinks</b>.</p>", "<p>It <b>blinks</b>.</p>"),
        ('<p style="color:red">No</p>', '<p style="color:red">No</p>'),
        ('<a href="https://example.org/a?b=1&amp;c=2">x</a>', '<a href="https://example.org/a?b=1&amp;c=2">x</a>'),
        ('<a href="mailto:a@example.org">x</a>', '<a href="mailto:a@example.org">x</a>'),
        (
            '<table><tbody><tr><td colspan="2">1</td></tr></tbody></table>',
            '<table><tbody><tr><td colspan="2">1</td></tr></tbody></table>',
        ),
        (f'<p><img src="{FOREIGN}" alt="logo"></p>', f"<p>[picture: logo {FOREIGN}]</p>"),
        ("<p onclick='x()'>Hi<script>y()</script></p>", "<p>Hi</p>"),
        ('<a href="javascript:x()">Hi</a>', "<a>Hi</a>"),
        (f'<a href="{HOME}/pages/UI.php?id=1">R-000001</a>', "R-000001"),
        (
            "<figure class='table'><table><caption>Who</caption><colgroup><col></colgroup><tr><td>a</td></tr></table></figure>",
            "<div><p>Who</p><table><tbody><tr><td>a</td></tr></tbody></table></div>",
        ),
        (
            "<figure class='image'><img src='x' alt='plan'><figcaption>Fig. 1</figcaption></figure>",
            "<div>[picture: plan]<div>Fig. 1</div></div>",
        ),
        (
            "<p><mark class='x'>this</mark> H<sub>2</sub>O</p>",
            '<p><span style="background-color:#ffff00">this</span> H<span style="vertical-align:sub">2</span>O</p>',
        ),
        ("<article>a</article><h6>b</h6><dl><dt>c</dt></dl><label>d</label>", "<div>a</div><h4>b</h4><div><div>c</div></div>d"),
        ('<pre><code class="language-php">x</code></pre>', '<pre><code class="language-php">x</code></pre>'),
        ('<a name="itopsync-acme-n-1" id="itopsync-acme-n-1" class="itopsync-acme-n-1">x</a>', "<a>x</a>"),
        ('<ol start="5"><li value="7">x</li></ol>', '<ol start="5"><li value="7">x</li></ol>'),
        ("<frameset><p>x", "<p>x</p>"),
    ],
)
def test_what_people_write_stays_and_what_acts_goes(fragment: str, carried: str) -> None:
    assert carry(fragment, ORIGIN).html == carried
