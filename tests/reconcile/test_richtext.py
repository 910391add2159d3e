"""The HTML of notes and descriptions: what it says, what it shows, and how it reads on the other server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from itopsync.model import Ref, Side
from itopsync.reconcile import richtext
from itopsync.reconcile.gate import begins_with_tag
from itopsync.reconcile.images import AttachedImage, DataImage, InlineImage
from itopsync.reconcile.richtext import Origin, Picture

BASE = "https://customers.example.com/itop"
PUBLIC = "https://tickets.example.com"
REF = Ref(Side.EXTERNAL, "UserRequest", 17)
PNG = "iVBORw0KGgo="


def origin(**changes: Any) -> Origin:
    return replace(Origin(ref=REF, pair="acme", addresses=(BASE, PUBLIC)), **changes)


def pictures(fragment: str, **changes: object) -> tuple[Picture, ...]:
    return richtext.carry(fragment, origin(**changes)).pictures


def carried(fragment: str, **changes: object) -> str:
    return richtext.carry(fragment, origin(**changes)).html


# what an entry says


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("", ""),
        ("no tag &amp; no more", "no tag & no more"),
        ("<p>one</p><p>two</p>", "one two"),
        ("<p>one<br>two</p>", "one two"),
        ("<p>o<b>n</b>e</p>", "one"),
        ("<p>e\u0301</p>", "é"),
        ('<p>see <img src="x"></p>', "see \N{OBJECT REPLACEMENT CHARACTER}"),
        ("<ul><li>a</li><li>b</li></ul>", "a b"),
    ],
)
def test_what_a_fragment_says(fragment: str, said: str) -> None:
    assert richtext.plain(fragment) == said


def test_an_entry_is_known_by_its_author_and_what_it_says() -> None:
    said = richtext.fingerprint("7", "<p>It <b>blinks</b></p>")

    assert said == richtext.fingerprint("7", '<p class="x">It  blinks</p>\n')
    assert said != richtext.fingerprint("8", "<p>It <b>blinks</b></p>")
    assert said != richtext.fingerprint("7", "<p>It blinked</p>")


PASTED = "pages/ajax.document.php?operation=download_inlineimage&amp;id=3&amp;s=sec"
ATTACHED = "pages/ajax.document.php?operation=download_document&amp;class=Attachment&amp;field=contents&amp;id=3"


@pytest.mark.parametrize(
    ("picture", "same"),
    [
        (
            f'<img src="{BASE}/{PASTED}" data-img-id="3" data-img-secret="sec">',
            f'<img data-img-secret="x" src="{PUBLIC}/{PASTED}">',
        ),
        (f'<img data-img-id="3" data-img-secret="sec" src="{BASE}/gone">', f"<img src='http://10.0.0.1/itop/{PASTED}'>"),
        (f'<img src="{BASE}/{ATTACHED}">', f'<img src="{PUBLIC}/{ATTACHED}">'),
        (f'<img src="{BASE}/images/logo.png">', f'<img src="{PUBLIC}/images/logo.png">'),
    ],
)
def test_which_picture_it_is_counts_and_not_the_address_that_it_has_today(picture: str, same: str) -> None:
    others = [
        f'<img src="{BASE}/{PASTED}">'.replace("id=3", "id=4"),
        f'<img src="{BASE}/{ATTACHED}">'.replace("id=3", "id=4"),
        f'<img src="data:image/png;base64,{PNG}">',
        '<img src="data:image/png;base64,AAAA">',
        f'<img src="{BASE}/images/other.png">',
    ]
    for known in (richtext.value_fingerprint, lambda text: richtext.fingerprint("7", text)):
        assert known(f"<p>a{picture}b</p>") == known(f"<p>a{same}b</p>")
        assert len({known(f"<p>a{each}b</p>") for each in (picture, *others)}) == 1 + len(others)
    assert richtext.value_fingerprint("a") != richtext.value_fingerprint("b")
    assert richtext.value_fingerprint(f'<img title=">" src="{BASE}/{PASTED}">x') != richtext.value_fingerprint(f"{picture}x")


def test_a_marker_counts_at_the_head_only() -> None:
    def heads(fragment: str) -> tuple[str, ...]:
        return richtext.head_markers(fragment, "acme")

    assert heads('<p><a name="itopsync-acme-n-1,x,itopsync-acme-n-2"></a><em>h</em></p>') == (
        "itopsync-acme-n-1",
        "itopsync-acme-n-2",
    )
    assert heads(' <div style="x"><p> <a title="t" name="itopsync-acme-n-1">h</a></p></div>') == ("itopsync-acme-n-1",)
    assert heads('<p>said</p><p><a name="itopsync-acme-n-1">pasted</a></p>') == ()
    assert heads('<p><a name="itopsync-other-n-1"></a>h</p>') == ()
    assert heads("itopsync-acme-n-1") == ()


@pytest.mark.parametrize("fragment", ["#internal x", "<p>#Internal x</p>", "<p> <b>#INTERNAL</b></p>"])
def test_a_note_that_is_to_stay_says_so_first(fragment: str) -> None:
    assert begins_with_tag(fragment, ("#internal",))
    assert not begins_with_tag(f"{5 * '<p>no</p>'}{fragment}", ("#internal",))


# pictures


def test_pasted_embedded_and_attached_pictures_are_found() -> None:
    found = pictures(
        f'<p><img src="{BASE}/p?operation=download_inlineimage&amp;id=3&amp;s=sec" alt="A">'
        f'<img data-img-id="4" data-img-secret="sec" src="{PUBLIC}/whatever">'
        f'<img src="data:image/PNG;base64,{PNG}" alt="B">'
        '<img src="data:image/svg+xml,%3Csvg%2F%3E">'
        f'<img src="{PUBLIC}/p?operation=download_document&amp;class=Attachment&amp;field=contents&amp;id=9"></p>',
        attached={9: "itopsync-acme-a-e9"},
    )

    assert [picture.source for picture in found] == [
        InlineImage(3, "sec"),
        InlineImage(4, "sec"),
        DataImage("image/png", b"\x89PNG\r\n\x1a\n"),
        DataImage("image/svg+xml", b"<svg/>"),
        AttachedImage(9),
    ]
    assert [picture.alt for picture in found] == ["A", "", "B", "", ""]


def test_every_picture_is_looked_at_whatever_stands_before_it() -> None:
    before = '<img src="https://elsewhere.example.com/x.png"><img src="relative.png"><img>'

    text = richtext.carry(f'{before}<img src="data:image/png;base64,{PNG}">', origin())

    assert len(text.pictures) == 1
    assert text.html.count("[picture: ?]") == 2


def test_a_picture_shown_twice_goes_once() -> None:
    image = f'<img src="data:image/png;base64,{PNG}">'

    text = richtext.carry(image + image, origin())

    assert len(text.pictures) == 1
    assert text.html.count(f"itopsync-picture:{text.pictures[0].marker}") == 2


def test_a_picture_that_is_an_attachment_already_is_shown_from_there() -> None:
    fragment = f'<img src="{BASE}/p?operation=download_document&amp;class=Attachment&amp;id=9">'

    (picture,) = pictures(fragment, attached={9: "itopsync-acme-a-e9"})

    assert picture.marker == "itopsync-acme-a-e9"


def test_the_size_of_a_picture_is_kept_and_nothing_else() -> None:
    text = carried(f'<img src="data:image/png;base64,{PNG}" width="40" height="10%" onerror="x()" class="y">')

    assert 'style="width:40px;height:10%"' in text
    assert "onerror" not in text
    assert "class" not in text


@pytest.mark.parametrize("size", ["40em", "calc(1px)", "123456", ""])
def test_an_odd_size_is_left_out(size: str) -> None:
    assert "width" not in carried(f'<img src="data:image/png;base64,{PNG}" width="{size}">')


@pytest.mark.parametrize(
    "src",
    [
        "",
        "pictures/x.png",
        "data:image/png;base64",
        "data:text/html,x",
        "data:image/png;base64,A",
        "data:image/png;base64,",
        f"{BASE}.evil.example/p?operation=download_inlineimage&id=3&s=sec"[8:],
    ],
)
def test_a_picture_that_itop_would_strip_is_told_in_words(src: str) -> None:
    text = richtext.carry(f'<p>see <img src="{src}" alt="the plan"></p>', origin())

    assert text.pictures == ()
    assert text.html == "<p>see [picture: the plan]</p>"


@pytest.mark.parametrize(
    "src",
    [
        "https://elsewhere.example.com/x.png",
        "https://customers.example.com/itop.evil.example.com/p?operation=download_inlineimage&id=3&s=sec",
        f"{BASE}/p?operation=download_inlineimage&id=3",
        f"{BASE}/p?operation=download_inlineimage&id=99999999999&s=sec",
        f"{BASE}/p?operation=download_document&class=Person&id=3",
        f"{BASE}/p?operation=other&id=3",
    ],
)
def test_a_picture_that_is_not_the_servers_own_is_left_where_it_is(src: str) -> None:
    text = richtext.carry(f'<img src="{src}">', origin())

    assert text.pictures == ()
    assert "itopsync-picture" not in text.html


def test_pictures_are_told_in_words_where_they_are_not_to_go() -> None:
    assert carried(f'<img src="data:image/png;base64,{PNG}" alt="x">', pictures=False) == "[picture: x]"


# links, mentions, markers


def test_links_and_mentions_into_the_origin_become_text() -> None:
    fragment = f'<p><a href="{PUBLIC}/pages/UI.php?id=1">R-1</a> <a href="https://example.org/">web</a> <a>none</a>'

    assert carried(fragment) == '<p>R-1 <a href="https://example.org/">web</a> <a>none</a></p>'
    assert carried("[[UserRequest:1|R-000001]] &amp; [[Person:Carla]]") == "R-000001 &amp; Carla"
    assert carried("<p>[[UserRequest:1|a &lt; b]]</p>") == "<p>a &lt; b</p>"


def test_markers_in_what_a_person_wrote_are_taken_out() -> None:
    assert carried('<p class="x"><a name="itopsync-acme-n-1"></a>pasted</p>') == "<p><a></a>pasted</p>"
    assert carried('<p><a name="itopsync-acme-n-1,x" id="itopsync-acme-n-2"></a>pasted</p>') == "<p><a></a>pasted</p>"


def test_an_empty_text_stays_one() -> None:
    assert carried("") == ""
    assert carried("<frameset></frameset>") == ""
    assert richtext.plain("<frameset></frameset>") == ""
    assert carried("plain") == "plain"


# placeholders


def nowhere(_name: str) -> str | None:
    return None


def test_a_placeholder_is_filled_once_there_is_an_address() -> None:
    text = richtext.carry(f'<img src="data:image/png;base64,{PNG}">', origin())
    marker = text.pictures[0].marker

    def there(name: str) -> str | None:
        return "https://x.example/?a=1&b=2" if name == marker else None

    assert richtext.unfilled(text.html, nowhere)
    assert not richtext.unfilled(text.html, there)
    assert 'src="https://x.example/?a=1&amp;b=2"' in richtext.fill(text.html, there)


def test_what_a_person_writes_is_no_placeholder() -> None:
    for text in ("itopsync-picture:itopsync-acme-p-1", "<p>itopsync-picture:itopsync-acme-p-1</p>"):
        assert not richtext.unfilled(carried(text), nowhere)
    assert not richtext.unfilled(richtext.literal('<img src="itopsync-picture:x">'), nowhere)


def test_a_picture_that_cannot_go_is_told_in_words() -> None:
    text = richtext.carry(f'<p>a<img src="data:image/png;base64,{PNG}" alt="plan">b<img src="data:image/gif,x"></p>', origin())
    gone, stays = (picture.marker for picture in text.pictures)

    told = richtext.without_pictures(text.html, [gone])

    assert "[picture not carried: plan]" in told
    assert stays in told
    assert richtext.without_pictures(text.html, []) == text.html


# what does not fit


@pytest.mark.parametrize("text", ["word " * 100, "é" * 300, "&amp;" * 100, "<p>" * 50 + "x"])
@pytest.mark.parametrize("limit", [80, 81, 82, 83, 84, 85, 200])
def test_a_shortened_text_fits_and_says_where_the_rest_is(text: str, limit: int) -> None:
    short = richtext.shorten(text, limit, "See the file.")

    assert len(short.encode()) <= limit
    assert "See the file." in short
    assert richtext.plain(short).replace("… See the file.", "").strip() in richtext.plain(text)


def test_how_a_server_wraps_what_is_nothing_but_lines_does_not_count() -> None:
    fingerprint_of = richtext.value_fingerprint
    ours, upgraded = "<p>It's a &amp; b<br>two &lt;x&gt;</p>", "It&apos;s a &amp; b<br/>two &lt;x&gt;"
    assert fingerprint_of(ours, is_html=True) == fingerprint_of(upgraded, is_html=True)
    for other in (
        "<p>It's a &amp; b two &lt;x&gt;</p>",
        "<p>It's a &amp; b</p><p>two &lt;x&gt;</p>",
        "<p>It's <b>a</b> &amp; b</p>",
    ):
        assert fingerprint_of(ours, is_html=True) != fingerprint_of(other, is_html=True)
    assert fingerprint_of("R&amp;D") != fingerprint_of("R&D")
