"""What may not leave: addresses of the origin in every spelling, and notes that are to stay whatever stands before their mark."""

from __future__ import annotations

import html
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.model import File
from itopsync.reconcile import gate
from itopsync.reconcile.gate import begins_with_tag
from itopsync.reconcile.richtext import Origin, carry
from itopsync.verify.beginning import begins_with
from tests.reconcile.any_html import HOME, INVISIBLE, ORIGIN, SERVICES, SPELLINGS, WRAPPERS, often


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_address_is_known_in_every_spelling(spelling: str) -> None:
    given = html.escape(spelling)
    elsewhere = "https://desk.example.com.evil.example/x https://x.desk.example.com https://other.example/ a@desk.example.com"
    for fragment in (
        f"<p>before {given} behind</p>",
        f'<p>before <a href="{given}">it</a> behind</p>',
        f'<p title="{given}">before <img src="{given}" alt="{given}" srcset="{given} 2x"> behind</p>',
        f'<blockquote cite="{given}" style="background:url({given})">before behind</blockquote>',
        f"<p>before {given[:9]}<b></b>{given[9:]} behind</p>" if "&" not in given else "<p>before behind</p>",
    ):
        carried = carry(fragment, ORIGIN).html
        assert "example.com" not in unquote(unquote(carried)).casefold().replace("ｄｅｓｋ", "desk"), carried
        assert "before" in carried
        assert "behind" in carried
    assert gate.words(f"a {spelling} b", ORIGIN.addresses).split()[0] == "a"
    assert "[link]" in gate.words(f"a {spelling} b", ORIGIN.addresses)
    assert gate.words(elsewhere, ORIGIN.addresses) == elsewhere


@pytest.mark.parametrize("outer", WRAPPERS)
@pytest.mark.parametrize(
    "server", ["https://desk.example.com/itop", "https://help-desk.example.com/my-itop", "https://desk.example.com:8443"]
)
def test_an_address_is_known_inside_another_whatever_stands_for_its_signs(outer: str, server: str) -> None:
    for inner in ("", *SERVICES):
        for behind in ("", "/pages/UI.php?operation=details&id=41"):
            url = WRAPPERS[outer](WRAPPERS[inner](f"{server}{behind}") if inner else f"{server}{behind}")
            carried = carry(
                f'<p>See <a href="{html.escape(url)}">it</a> or {html.escape(url)} now</p>', replace(ORIGIN, addresses=(server,))
            )
            assert "desk" not in carried.html, (inner, url, carried.html)
            assert carried.html.startswith("<p>See it or ")
            assert carried.html.endswith(" now</p>")


@pytest.mark.parametrize(
    "text",
    [
        "https-3A__mydesk.example.com_itop",
        "https-3A__desk.example.com.evil.example_itop",
        "https-3A__desk.example.com_itop-2Dold",
        "https-3A__elsewhere.example_desk.example.comments_itop",
        "https:__desk.example.com.evil.example_itop",
        "desk.example.com_itop.tar and https... desk.example.com or https://desk.example.com_x/itop",
    ],
)
def test_what_only_looks_like_an_address_inside_another_stays(text: str) -> None:
    assert gate.words(text, ("https://desk.example.com/itop",)) == text


@pytest.mark.parametrize("behind", ["", ".txt", ".", "-2", ", see", "/pages/UI.php.txt", ":"])
def test_a_bare_host_with_its_port_is_an_address_whatever_ends_a_files_name(behind: str) -> None:
    said = gate.words(f"seen at 10.1.2.3:8443{behind}", ("https://10.1.2.3:8443/",))
    assert said.startswith("seen at [link]")
    assert "10.1.2.3" not in said


@pytest.mark.parametrize("other", ["10.1.2.3:84430", "10.1.2.3:8443@elsewhere.example", "10.1.2.3:844", "x10.1.2.3:8443"])
def test_another_host_or_port_is_not(other: str) -> None:
    assert gate.words(f"seen at {other}", ("https://10.1.2.3:8443/",)) == f"seen at {other}"


@pytest.mark.parametrize(
    "text", ["see https://x@y@desk.example/p?id=5", "https://a:b@c@d@desk.example:443/p", "//x@y@desk.example/"]
)
def test_an_address_with_several_users_is_the_last_ones(text: str) -> None:
    assert "desk.example" not in gate.words(text, ("https://desk.example/",))


def test_a_link_elsewhere_that_names_somebodys_mail_address_keeps_its_own_words() -> None:
    said = gate.words("https://elsewhere.example/?to=x&from=a@desk.example&more=1", ("https://desk.example/",))
    assert said.startswith("https://elsewhere.example/?to=x&from=a@[link]")


def test_a_mail_address_is_none() -> None:
    assert gate.words("ask x@y@desk.example", ("https://desk.example/",)) == "ask x@y@desk.example"


@pytest.mark.parametrize(
    ("mimetype", "leaves_as"),
    [
        ("image/svg+xml", "image/svg+xml"),
        ("text/plain; charset=utf-8", "text/plain"),
        ('text/plain; x="https://desk.example/p?id=5"', "text/plain"),
        ("https://desk.example/p", "application/octet-stream"),
        ("text/desk.example", "application/octet-stream"),
        ("[[UserRequest:41|R-41]]/x", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_nothing_but_a_type_leaves_as_a_files_type(mimetype: str, leaves_as: str) -> None:
    file = gate.guard_file(File("a.txt", mimetype, b""), ("https://desk.example/",))
    assert file.mimetype == leaves_as


@pytest.mark.parametrize(
    ("name", "leaves_as"),
    [
        ("desk.example.com_itop_pages_UI.php_id=4711.webarchive", "[link].webarchive"),
        ("https_desk.example.com_itop_pages_UI.php.html", "[link].html"),
        ("screencapture-desk-example-com-itop-pages-UI-php-10_32.png", "screencapture-[link].png"),
        ("as in DESK_EXAMPLE_COM_443_ITOP_x, and more.txt", "as in [link] and more.txt"),
        ("https:\u2044\u2044desk.example.com\u2044itop\u2044x", "[link]"),
        ("https\ua789\u29f8\u29f8desk.example.com\u29f8itop.pdf", "[link].pdf"),
        ("desk\u2215example\u2215com\u2215i\u200btop.pdf", "[link].pdf"),
        ("d\uff45sk\uff0eexample\uff0ecom\uff3fitop.pdf", "[link].pdf"),
    ],
)
def test_an_address_in_a_files_name_is_known_whatever_stands_for_its_signs(name: str, leaves_as: str) -> None:
    assert gate.guard_file(File(name, "", b""), ("https://desk.example.com/itop",)).name == leaves_as


@pytest.mark.parametrize("picture", ["data:image/png;base64,iVBORw0KGgo=", "/gone.png", "https://elsewhere.example/"])
@pytest.mark.parametrize("pictures", [True, False])
def test_so_it_is_in_a_pictures_name(picture: str, pictures: bool) -> None:
    origin = replace(ORIGIN, addresses=("https://desk.example.com/itop",), pictures=pictures)
    name = "screencapture-desk-example-com-itop-pages-UI-php-10_32.png"
    said = carry(f'<p>See <img src="{picture}" alt="{name}"> there</p>', origin)
    assert "screencapture-[link].png" in said.html
    assert "desk" not in said.html


def test_a_mention_in_a_pictures_name_becomes_its_label_though_it_is_written_for_an_address() -> None:
    said = carry('<p><img src="/gone.png" alt="%5B%5BUserRequest:77%7CR-000077%5D%5D 50%25 [[Person:Carla]].png"></p>', ORIGIN)
    assert said.html == "<p>[picture: R-000077 50% Carla.png]</p>"


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("https://desk.example.com/itop", "desk.example.com_wiki.png"),
        ("https://desk.example.com/itop", "mydesk-example-com-itop.png"),
        ("https://desk.example.com/itop", "desk-example-com-itops.png"),
        ("https://desk.example.com/itop", "deskexamplecomitop.png"),
        ("https://itop", "itop.png"),
        ("https://itop", "itop-config.php"),
        ("https://desk/itop", "desk_itop.png"),
        ("https://help.desk", "Help Desk.png"),
    ],
)
def test_words_that_may_be_in_any_files_name_stay(server: str, name: str) -> None:
    assert gate.guard_file(File(name, "", b""), (server,)).name == name


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("https://itop", "https_itop_pages_UI.php.html"),
        ("https://help.desk", "screencapture-help-desk-pages-UI-php.html"),
        ("https://help.desk", "help.desk_pages.html"),
        ("https://desk/itop", "https_desk_itop_pages.html"),
        ("https://10.1.2.3:8443", "10-1-2-3-8443-pages.html"),
        ("https://b\u00fccher.example/itop", "xn--bcher-kva-example-itop.html"),
    ],
)
def test_a_short_hosts_address_is_known_in_a_files_name_by_what_else_is_there(server: str, name: str) -> None:
    assert gate.guard_file(File(name, "", b""), (server,)).name.removeprefix("screencapture-") == "[link].html"


@pytest.mark.parametrize("slash", "\u2044\u2215\u2216\u2571\u27cb\u29f5\u29f8\u2afd")
def test_a_slash_that_only_looks_like_one_hides_no_address_in_a_text(slash: str) -> None:
    said = gate.words(f"see desk.example.com{slash}itop{slash}x", ("https://desk.example.com/itop",))
    assert said == "see [link]"


def test_only_what_is_below_the_origins_path_is_its_address() -> None:
    origin = Origin(ORIGIN.ref, "acme", (f"{HOME}/itop",))
    escaped = ("/%3f/../itop/", "/x%23y/../itop", "/%09/../itop", "/%0a/../itop", "/%ff/../itop", "/\u00fc/../itop")
    for inside in (
        *("/itop", "/ITOP/pages", "//itop/", "/x/../itop/", "/./itop", "/%69top/x", "/itop?x", "/itop;a/x", "/itop).", *escaped),
    ):
        assert carry(f"<p>{HOME}{inside}</p>", origin).html.startswith("<p>[link]"), inside
    for outside in ("", "/wiki", "/itop2/x", "/x/itop", "/wiki" + 600 * "\u8bf7"):
        assert carry(f"<p>{HOME}{outside}</p>", origin).html == f"<p>{HOME}{outside}</p>"


@often
@given(
    st.lists(
        st.sampled_from(
            [
                *INVISIBLE,
                *(
                    '<img src="x">',
                    "<figure><img><figcaption>a picture</figcaption></figure>",
                    "<blockquote><p>You said</p></blockquote>",
                ),
                *(
                    "<br>",
                    "<p></p>",
                    '<a href="https://x.example">@Carla Demo</a>',
                    "<a>R-000001</a> ",
                    '<a name="x"></a>',
                    "[[UserRequest:41|R-000041]]",
                    "<!-- x -->",
                    "\n",
                ),
                *(
                    "<b></b>",
                    "<wbr>",
                    "- ",
                    "\N{LOCK} ",
                    "<span style='font-size:0'>x</span>",
                    "<script>x</script>",
                    "&gt; quoted<br>",
                    "1. ",
                    "a) ",
                    "10:42 ",
                    "\u2139\ufe0f ",
                    "1\ufe0f\u20e3",
                    "\u3299 ",
                    "\u2122\u2122",
                    "<figure><img><figcaption>",
                ),
            ]
        ),
        max_size=5,
    ).map("".join),
    st.sampled_from(
        ["#internal", "# internal", "\uff03internal", "#INTERNAL", "#in<b>ter</b>nal", "#\u200binter&shy;nal", "<i>#</i>internal"]
    ),
    st.sampled_from(["", "<p>", "<div><p>", "<b>"]),
)
def test_whatever_stands_before_the_mark_a_note_that_bears_it_stays(before: str, mark: str, around: str) -> None:
    for fragment in (f"{around}{before}{mark} He pays late", f"{before}{around}{mark}: x", f"{before}<p>{mark}</p>"):
        assert begins_with_tag(fragment, ("#internal",)), fragment
        assert begins_with(fragment, "#internal"), fragment


@pytest.mark.parametrize(
    "fragment",
    [
        "<p>Copied from [[UserRequest:1|R-000001]]</p><p>#internal He pays late</p>",
        "<p>Copied from R-000001</p><p>#internal</p>",
        "Kopiert von R-000001 (12.11.2026):<br>#internal",
        "<div><em>from the parent</em></div><p>\u200b</p><ul><li># Internal</li></ul>",
        "<p>Copied from R-000001</p><blockquote>You said</blockquote><p>@Carla #internal</p>",
        "<p>Copied from R-000001</p><p>&gt; You said</p><p>#internal</p>",
        "<p>no</p>#internal x",
        "<blockquote>You said</blockquote><p>no</p>#internal x",
        "<p>no</p><p>no</p>#internal x",
        "one<br>two<br>three<br>four<br>#internal",
        '<figure><img><figcaption><a href="https://x.example">it</a> #internal</figcaption></figure>',
        "<figure><figcaption><q>You said</q>#internal</figcaption></figure>",
        "<figure>1<br>no<br>no<br>no<br>no<br>no</figure>#internal",
        "\u2139\ufe0f @Carla Demo \u2122 #internal",
        40 * "1234567 " + "#internal",
        7 * "so<br>" + "==== 2026-11-24 08:00:00 : Carla Demo (12) ============<br>#internal".replace("====", "=========="),
        7 * "so<br>" + "==== 24/11/2026 8:00 AM : Carla Demo (12) ============<br>#internal".replace("====", "=========="),
        "<p>Copied</p><p>Copied</p><blockquote>a<br>b<br>c<br>d</blockquote><p>Copied</p><p>@Carla #internal</p>",
        *(
            f"Copied from R-000001{end}#internal"
            for end in ("\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "&#11;", "&#x1C;")
        ),
    ],
)
def test_a_note_stays_when_one_of_its_first_five_lines_begins_with_the_mark(fragment: str) -> None:
    assert begins_with_tag(fragment, ("#internal",))
    assert begins_with(fragment, "#internal")


@pytest.mark.parametrize(
    "fragment",
    [
        "<p>We use #internal for that</p>",
        "one<br>two<br>three<br>four<br>five<br>#internal",
        "#interna l",
        "internal",
        "# 1 internal",
        "<blockquote>You said</blockquote>Yes, #internal",
        "1. No #internal",
        "<figure><img><figcaption>No #internal</figcaption></figure>",
        "@Carla please look at the tag #internal",
        "",
    ],
)
def test_a_note_that_begins_with_another_word_goes(fragment: str) -> None:
    assert not begins_with_tag(fragment, ("#internal", " "))
    assert not begins_with(fragment, "#internal")


LINE_ENDS = tuple(end for end in map(chr, range(0x1_0000)) if len(f"a{end}b".splitlines()) > 1)
PIECES = (
    *("<td>", "<pre>", "</pre>", "<p style='float:left'>", "<i style='white-space:pre'>", "<details>", "so\nand\nso"),
    *("<span hidden>x</span>", "<span data-object-class='Person' data-object-id='1'>Carla</span> ", "<q>c</q>", "<cite>c</cite>"),
    *(
        "<div class='gmail_quote'>You said</div>",
        "<p class='blockquote'>q</p>",
        "<span style='opacity:0'>x</span>",
        "<p>&gt; q</p>",
    ),
    *("@Carla, @Otto Operator: ", "Hi @Carla ", "https://x.example/y ", "##", "1) ", "[[Person:Carla]] ", "<summary>x</summary>"),
    *("\u3164", "\u2800", "\u034f", "\ufe0f", "<div style='display:none'>hid</div>", "<p>Copied</p>", "<br>", "- ", "<p>no</p>"),
    *("no", "&gt;", *LINE_ENDS, "\r\n", "&#11;", "&#12;", "&#133;", "&#x2028;", "&#x1c;"),
    *(
        "\u2139\u2139 ",
        "\u2122",
        "\u2167",
        "\u00bd\u00bd",
        "12",
        "a b ",
        "\u3299",
        "\ue000",
        "ab",
        "a\u2139",
        "<figure><figcaption>",
        "<q>",
    ),
    *("\0", "\b", "\t", "\x1f", "\x7f", "\xa0", "\xad", "\u2003", "\u200b", "\ufeff"),
)
MARKS = ("#internal", "# internal", "#\u0131nternal", "#int\u00e9rnal", "\ufe5finternal", "#\u3164internal", "#\U0001d422nternal")
PARTED = tuple(
    f"{before}{end}{behind}" for end in (*LINE_ENDS, "\x1f") for before, behind in (("#", "internal"), ("#inter", "nal"))
)


@often
@given(
    st.lists(st.sampled_from(PIECES), max_size=4).map("".join),
    st.sampled_from(MARKS + PARTED),
    st.sampled_from(["", "<p>", "<b>"]),
)
def test_what_verifies_knows_the_same_beginnings(before: str, mark: str, around: str) -> None:
    for fragment in (f"{around}{before}{mark} He pays late", f"{before}{around}{mark}: x", f"{before}<p>{mark}</p>"):
        assert begins_with(fragment, "#internal") is begins_with_tag(fragment, ("#internal",)), fragment


def test_of_what_nests_too_deep_to_tell_both_say_that_it_stays() -> None:
    fragment = "<div>" * 3_000 + "<p>so</p><p>and so</p><p>#internal</p>"
    assert begins_with_tag(fragment, ("#internal",))
    assert begins_with(fragment, "#internal")


@pytest.mark.parametrize("length", [10, 201, 800])
@pytest.mark.parametrize("before", ["", "<p>Good morning</p>", "<p>@Bob, @Eve: ", "<p>12) "])
@pytest.mark.parametrize("gap", [" ", "\r\n      ", "&nbsp; \u200b" * 300])
def test_a_mark_counts_however_long_it_is(length: int, before: str, gap: str) -> None:
    mark = ("Nicht für Kunden bestimmt! " * 40)[:length]
    assert begins_with_tag(f"{before}<p>{mark.upper().strip().replace(' ', gap, 9)} and more", (mark,))
    assert begins_with(f"{before}<p>{mark.upper().strip().replace(' ', gap, 9)} and more", mark)
    assert not begins_with_tag(f"{before}<p>{mark.strip()[:-1]} and more", (mark,))
    assert not begins_with_tag(f"<p>We wrote {mark}", (mark,))


@pytest.mark.parametrize("unseen", ["\u200b", "\ufe0f", "\u2800", "¨", "\ufe0f\u20e3"])
def test_what_is_not_seen_of_a_mark_does_not_count(unseen: str) -> None:
    for tag in (f"#internal{unseen}", f"{unseen}#internal", f"#inter{unseen}nal"):
        for keeps_in in (begins_with_tag, lambda text, tags: begins_with(text, *tags)):
            assert keeps_in("<p>#internal He pays late</p>", (tag,))
            assert not keeps_in("<p>He pays late</p>", (tag,))
    assert not begins_with_tag("<p>He pays late</p>", (unseen,))


SPACES = (" ", "\n", "\r\n", "\t", "\n\n    ", " \n", "\f", "&#10;", "\x85", "\u2028")
"""What stands between the words of a line, in its source."""
BESIDE = (*SPACES, '<img src="x">', "</td><td>", "</th><th scope='col'>")
"""What stands between words that are seen on one line."""
SHOWN_LINES = (
    *(("<p>{}</p>", words) for words in (SPACES, BESIDE)),
    ("<div><div>{}</div></div>\n", SPACES),
    ("{}<br>", SPACES),
    ("{}<br />\n", BESIDE),
    ("<ul>\n<li>{}</li>\n</ul>", SPACES),
    ("<table>\n<tr>\n<td>{}</td>\n</tr>\n</table>", BESIDE),
    ("<pre>{}</pre>", (" ", "\t", "  ")),
    ("<h2>{}</h2>\n\n", SPACES),
)
"""How a line that is seen as one may stand in the source, and between its words."""
UNCOUNTED = (
    "",
    "",
    "\n\n\n",
    "<p>\n</p>",
    "<p>&nbsp;</p>",
    "<br><br>\n<br>",
    "<!-- one\ntwo\nthree -->",
    "<p style='display:none'>not\nseen</p>",
)


@often
@given(
    st.lists(
        st.tuples(st.sampled_from(SHOWN_LINES), st.lists(st.sampled_from(BESIDE), max_size=6), st.sampled_from(UNCOUNTED)),
        max_size=4,
    ),
    st.sampled_from(
        [
            "<p>#internal He pays late</p>",
            "#internal<br>He pays late",
            "<pre>#internal\nHe pays late</pre>",
            "<div>\n# internal</div>",
        ]
    ),
)
def test_lines_are_counted_as_they_are_seen_however_the_source_is_wrapped(
    before: list[tuple[tuple[str, tuple[str, ...]], list[str], str]], mark: str
) -> None:
    lines = []
    for (line, parting), between, uncounted in before:
        words = "".join(f"word{parting[BESIDE.index(space) % len(parting)]}" for space in between)
        lines.append(line.format(f"{words}word") + uncounted)
    fragment = "".join(lines) + mark
    assert begins_with_tag(fragment, ("#internal",)), fragment
    assert begins_with(fragment, "#internal"), fragment


FIVE = ("one and\nmore", "two\r\nor so", "three", "four\n", "five")


@pytest.mark.parametrize(
    "fragment",
    [
        "".join(f"<p>{line}</p>\n" for line in FIVE) + "#internal",
        "<pre>one\ntwo\nthree\nfour\nfive\n#internal</pre>",
        "<pre>one\ntwo\nthree\n</pre>four<br>five<p>#internal</p>",
        "<table>" + "".join(f"<tr><td>{line}</td><td>it</td></tr>" for line in FIVE) + "</table>#internal",
        "<table><tr><td>" + "".join(f"<p>{line}</p>" for line in FIVE) + "</td></tr></table>#internal",
        "<table><thead><tr><th>one</th></tr></thead>"
        + "".join(f"<tr><td>{line}</td></tr>" for line in FIVE)
        + "</table>#internal",
        "<table><tr><td>one</td><td>" + "<br>".join(FIVE) + "</td></tr><tr><td>#internal</td></tr></table>",
        "<p style='color:red'>one</p>" + "".join(f"<p>{line}<img style='float:left'></p>" for line in FIVE) + "#internal",
    ],
)
def test_a_mark_behind_five_lines_that_are_seen_keeps_nothing_in(fragment: str) -> None:
    assert not begins_with_tag(fragment, ("#internal",))
    assert not begins_with(fragment, "#internal")


@pytest.mark.parametrize(
    "fragment",
    [
        "".join(f"<p style='Float: left'>{line}</p>" for line in FIVE) + "<p>#internal</p>",
        "".join(f"<table align='left'><tr><td>{line}</td></tr></table>" for line in FIVE) + "#internal",
        "<table><tr><td>" + "".join(f"<p>{line}</p>" for line in FIVE) + "</td><td>#internal</td></tr></table>",
        "<table><tr><td>" + "<br>".join(FIVE) + "</td><td>so</td><th><p>#internal</p></th></tr></table>",
        "<table><tr><td><table>" + "".join(f"<tr><td>{line}</td></tr>" for line in FIVE) + "</table></td><td>#internal</table>",
        "<table><tr><td>one<br>two<br>three</td></tr><tr><td>four<br>five</td><td>#internal</td></tr></table>",
        "<table><tr><td rowspan='2'>" + "<br>".join(FIVE) + "</td></tr><tr><td>#internal</td></tr></table>",
        *(
            "<table>" + "".join(f"<tr><td>{line}</td></tr>" for line in FIVE) + f"<{part}>{inner}</{part}></table>"
            for part, inner in (("caption", "#internal"), ("thead", "<tr><td>#internal</td></tr>"))
        ),
        "<table><tfoot>" + "".join(f"<tr><td>{line}</td></tr>" for line in FIVE) + "</tfoot><tr><td>#internal</td></tr></table>",
        "<details><summary>Mail</summary>" + "".join(f"<p>{line}</p>" for line in FIVE) + "</details><p>#internal</p>",
        "<pre><span style='white-space:normal'>one\ntwo\nthree\nfour\nfive\n</span></pre>#internal",
        "<pre>one\ntwo\n\n</pre><p style='white-space: normal'>three</p>four<br>#internal",
        "<p>" + "\n".join(f"line {number}" for number in range(99)) + "\n#internal</p>",
        "<p>" + "\n".join(f"line {number}" for number in range(120)) + " and #internal</p>",
        "<p>" + 120 * "one\n" + "</p>" + "<p>two, #internal</p>",
    ],
)
def test_where_it_is_in_doubt_what_is_seen_as_a_line_a_note_stays(fragment: str) -> None:
    assert begins_with_tag(fragment, ("#internal",))
    assert begins_with(fragment, "#internal")


@often
@given(
    st.sampled_from(MARKS),
    st.sampled_from(["", "-", "_", "\u2010", "."]),
    st.sampled_from([*"a1\u00e9\u24d8\u2139\u4ed6\u0434", *LINE_ENDS, "\x1f", "\u200b", "\xa0", "<b>", "<br>"]),
    st.sampled_from(["", "x", "z y"]),
)
def test_what_verifies_knows_what_may_stand_behind_the_mark(mark: str, sign: str, first: str, more: str) -> None:
    fragment = f"<p>{mark}{sign}{first}{more}</p>"
    assert begins_with(fragment, "#internal") is begins_with_tag(fragment, ("#internal",))


@pytest.mark.parametrize(
    "behind",
    ["", ":", ".", ",", "-", "_", " - he", "\u2014he", "\u4ed6", "2", "<br>he", "&nbsp;he", "&#11;he", "\u24d8", "s", "-api"],
)
def test_whatever_stands_behind_the_mark_it_counts(behind: str) -> None:
    assert begins_with_tag(f"<p>#internal{behind}</p>", ("#internal",))
    assert begins_with(f"<p>#internal{behind}</p>", "#internal")
    assert begins_with_tag("<p>[staff]only</p>", ("[staff]",))
    assert begins_with("<p>[staff]only</p>", "[staff]")
