"""Whatever stands in a ticket's text goes over as words, links and pictures. Nothing in it acts, fetches or is taken for ours."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from itopsync.model import Ref, Side
from itopsync.reconcile.inert import ACTIVE, ATTRIBUTES
from itopsync.reconcile.richtext import (
    Carried,
    DataImage,
    Origin,
    begins_with_mark,
    carry,
    fill,
    fingerprint,
    head_markers,
    literal,
    plain,
    shorten,
    unfilled,
    value_fingerprint,
    without_pictures,
)

HOME = "https://desk.example.com"
FOREIGN = "https://tracker.example.net/p.gif"
ORIGIN = Origin(Ref(Side.EXTERNAL, "UserRequest", 17), "acme", (HOME,))
MARKER = "itopsync-acme-n-3f2a"
TAGS = [
    *ACTIVE,
    *(
        "p",
        "div",
        "a",
        "img",
        "b",
        "em",
        "figure",
        "table",
        "tr",
        "td",
        "pre",
        "br",
        "span",
        "body",
        "html",
        "head",
        "li",
        "x-y",
        "font",
    ),
]
NAMES = [
    *ATTRIBUTES,
    *("onerror", "onclick", "onload", "srcset", "poster", "background", "formaction", "action", "ping", "xlink:href", "id"),
    *("data-img-id", "data-img-secret", "data-object-id", "srcdoc", "http-equiv", "content", "autofocus", "onfocus", "longdesc"),
]
VALUES = [
    *("javascript:alert(1)", "java\tscript:alert(1)", " \x01javascript:alert(1)", "JaVaScRiPt:alert(1)", "vbscript:x", "//evil"),
    *(
        "data:text/html,<script>alert(1)</script>",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,%",
        "data:image/svg+xml,<svg/>",
    ),
    *(
        FOREIGN,
        f"{HOME}/pages/UI.php",
        f"{HOME}.evil.example/x",
        f"{HOME}@evil.example/",
        "http://127.0.0.1/",
        "file:///etc/passwd",
    ),
    f"{HOME}/pages/ajax.document.php?operation=download_inlineimage&id=7&s=abc",
    f"{HOME}/pages/ajax.document.php?operation=download_document&class=Attachment&field=contents&id=9",
    *("7", "99999999999", "-1", "", "0x7", "٣", "background:url(//evil)", "color:red", "width:expression(alert(1))", "\\75rl(x)"),
    *(
        MARKER,
        f"x {MARKER}",
        "itopsync-picture:p-1",
        "itopsync-acme-t-UserRequest.17",
        '"><script>alert(1)</script>',
        "' onerror='x",
    ),
]
WORDS = [
    *(
        "Printer",
        "#internal",
        "<",
        ">",
        "&lt;script&gt;",
        "&",
        "&#0;",
        "\x00",
        "\u202e",
        "]]>",
        "<!--",
        "-->",
        "<![CDATA[",
        "<?php",
    ),
    *(
        "[[UserRequest:41|R-000041]]",
        "[[x:1|<script>]]",
        "<[[Foo:1|script]]>alert(1)<[[Foo:1|/script]]>",
        "[[a:b|",
        "<img",
        "</p>",
    ),
    *(
        '<img src="itopsync-picture:p-1"',
        '&lt;img src="itopsync-picture:p-1"',
        "\ud7ff",
        "é",
        "e\u0301",
        "</body></html>",
        "</title>",
    ),
]


@st.composite
def elements(draw: st.DrawFn, inside: st.SearchStrategy[str]) -> str:
    """An element with any attributes, closed or not."""
    tag = draw(st.sampled_from(TAGS))
    given = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.text(max_size=12)), max_size=4))
    quote = draw(st.sampled_from(['"', "'", ""]))
    attributes = "".join(f" {name}={quote}{value}{quote}" for name, value in given)
    return f"<{tag}{attributes}>{draw(inside)}{draw(st.sampled_from([f'</{tag}>', f'</{tag}>', '', '</p>']))}"


words = st.sampled_from(WORDS) | st.text(max_size=12)
fragments = st.lists(
    st.recursive(words, lambda inside: elements(inside) | st.lists(inside, max_size=3).map("".join), max_leaves=8), max_size=4
).map("".join)
often = settings(deadline=None, max_examples=150)


def _assert_inert(html: str) -> None:
    tree = LexborHTMLParser(html)
    assert tree.body is not None
    for node in tree.body.traverse():
        assert node.tag not in ACTIVE, html
        assert not node.is_comment_node, html
        assert set(node.attributes) <= ATTRIBUTES, html
        if "href" in node.attributes:
            seen = re.sub(r"[\x00-\x20]", "", node.attributes["href"] or "").lower()
            assert re.match(r"https?:|mailto:|tel:|ftp:|sip:|#|$", seen), html
        if "src" in node.attributes:
            assert node.tag == "img", html
            assert re.fullmatch(r"itopsync-picture:[\w.-]+", node.attributes["src"] or ""), html
        assert "url" not in (node.attributes.get("style") or "").lower(), html


@often
@example("<svg><style><img src=x onerror=alert(1)></style></svg>")
@example('<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">')
@example('<noscript><p title="</noscript><img src=x onerror=alert(1)>">')
@example("<form><form><input formaction=javascript:x><button></form></form><svg><svg><script></script></svg></svg>")
@example(f'<p>See <img src="{FOREIGN}" alt="logo"> <img srcset="{FOREIGN} 2x"></p>')
@example("<[[Foo:1|script]]>alert(1)<[[Foo:1|/script]]>")
@given(fragments)
def test_nothing_that_is_carried_acts_or_fetches(fragment: str) -> None:
    _assert_inert(carry(fragment, ORIGIN).html)


@often
@given(fragments)
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
        else:
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
        begins_with_mark(text, ("#internal",))


@often
@given(fragments, st.integers(300, 2000))
def test_a_text_that_is_cut_fits_and_is_inert(fragment: str, limit: int) -> None:
    short = shorten(carry(fragment, ORIGIN).html * 20, limit, "The whole text is in the attachment description.html.")
    assert len(short.encode()) <= limit
    _assert_inert(short)


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
    ],
)
def test_what_people_write_stays_and_what_acts_goes(fragment: str, carried: str) -> None:
    assert carry(fragment, ORIGIN).html == carried
