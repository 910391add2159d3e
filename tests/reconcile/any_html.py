"""Any HTML that people, editors, mails and attackers may write, and two other readers to hold what is carried against."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urlsplit

import nh3
from hypothesis import settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from itopsync.model import Ref, Side
from itopsync.reconcile.richtext import Origin

HOME = "https://desk.example.com"
HOST = "desk.example.com"
ACTIVE = [
    *("script", "style", "template", "noscript", "noembed", "noframes", "title", "xmp", "plaintext", "listing", "textarea"),
    *(
        "iframe",
        "frame",
        "frameset",
        "object",
        "embed",
        "applet",
        "portal",
        "link",
        "meta",
        "base",
        "param",
        "svg",
        "math",
        "audio",
    ),
    *(
        "video",
        "source",
        "track",
        "canvas",
        "bgsound",
        "marquee",
        "dialog",
        "form",
        "input",
        "button",
        "select",
        "option",
        "keygen",
    ),
]
BARE = (
    "b",
    "i",
    "u",
    "em",
    "strong",
    "br",
    "big",
    "small",
    "tt",
    "kbd",
    "samp",
    "var",
    "del",
    "s",
    "ins",
    "cite",
    "q",
    "pre",
    "center",
)
STYLED = (
    "p",
    "div",
    "span",
    "blockquote",
    "ul",
    "h1",
    "h2",
    "h3",
    "h4",
    "nav",
    "section",
    "thead",
    "tbody",
    "fieldset",
    "legend",
    "hr",
)
COMMON: dict[str, set[str]] = {
    **{tag: set() for tag in BARE},
    **{tag: {"style"} for tag in STYLED},
    **{tag: {"style", "colspan", "rowspan"} for tag in ("tr", "td", "th")},
    "a": {"href", "title", "target", "style"},
    "img": {"src", "alt", "title", "style"},
    "ol": {"style", "start", "reversed", "type"},
    "li": {"style", "value"},
    "code": {"style", "class"},
    "table": {"style", "width", "summary", "align", "border", "cellpadding", "cellspacing"},
    "font": {"face", "color", "size", "style"},
}
"""What iTop 2.7.9, 3.0.4, 3.1.2 and 3.2.0 all keep, but for the numbering of lists."""
SPELLINGS = [
    f"{HOME}/pages/UI.php?operation=details&class=UserRequest&id=41",
    f"HTTP://{HOST.upper()}/x",
    f"https://{HOST}:443/",
    f"http://{HOST}:80",
    f"https://user:secret@{HOST}/",
    f" {HOME}/x",
    f"\t{HOME}",
    f"https://{HOST}./x",
    f"//{HOST}/x",
    f"\\\\{HOST}\\x",
    f"https:/{HOST}/x",
    f"https:{HOST}/x",
    "https://desk%2Eexample%2ecom/x",
    "https://%64esk.example.com/x",
    "https://desk%252Eexample.com/x",
    "https://ｄｅｓｋ.example.com/",
    "https://desk。example．com/x",
    "https://de\u00adsk.exa\u200bmple.com/",
    f"https://evil.example/?to=https%3A%2F%2F{HOST}%2Fx",
    f"mailto:a@b.example?body={HOME}/x",
    f"see:{HOME}/x, or ({HOME}/y).",
    *(f"https://www.example.net{sign}x@{HOST}/x" for sign in ("%2f", "%3F", "%23", "%5c", "%252f")),
    f"https://{'a' * 3000}@{HOST}/x",
    f"https://a'b@{HOST}/x",
    f"a@{HOST}/x",
]


def _escaped(url: str) -> str:
    return quote(url, safe="")


def _with_signs(url: str, escape: str, slash: str) -> str:
    """*url*, with *escape* for the ``%`` of its escapes and *slash* for ``/``, which are escaped themselves."""
    own: dict[int, str] = {ord(sign): f"%{ord(sign):02X}" for sign in (escape, slash) if len(sign) == 1}
    return quote(url, safe="/").translate(own).replace("%", escape).replace("/", slash)


WRAPPERS: dict[str, Callable[[str], str]] = {
    "Proofpoint 1": lambda url: f"https://urldefense.proofpoint.com/v1/url?u={url}&k=abc",
    "Proofpoint 2": lambda url: f"https://urldefense.proofpoint.com/v2/url?u={_with_signs(url, '-', '_')}&d=DwMFAg",
    "Proofpoint 3": lambda url: f"https://urldefense.com/v3/__{url}__;!!Abc!xyz$",
    "Barracuda": lambda url: f"https://linkprotect.cudasvc.com/url?a={_escaped(url).lower()}&c=E,1",
    "Cisco": lambda url: f"https://secure-web.cisco.com/1AbC-x_y/{_escaped(url)}",
    "FireEye": lambda url: f"https://protect2.fireeye.com/v1/url?k=1-2&q=1&e=a&u={_escaped(url)}",
    "Trend Micro": lambda url: f"https://ctp.trendmicro.com:443/wis/clicktime/v1/query?url={_escaped(url)}&umid=1",
    "Google": lambda url: f"https://www.google.com/url?q={url}&sa=D",
    "Outlook": lambda url: f"https://eur01.safelinks.protection.outlook.com/?url={_escaped(url)}&data=05%7C01",
    "Symantec": lambda url: f"https://clicktime.symantec.com/3AbC?u={_escaped(url)}",
    "quoted-printable": lambda url: _with_signs(url, "=", "/"),
    "JSON": lambda url: url.replace(":", "\\u003a").replace("/", "\\u002F"),
    "JavaScript": lambda url: url.replace("/", "\\x2f"),
    "a file's name": lambda url: url.replace("://", "___").replace("/", "_"),
    "stars": lambda url: _with_signs(url, "*", "*2F"),
}
"""What services, and below them programs, make of the address of a link."""
SERVICES = [*WRAPPERS][:10]
INVISIBLE = [
    "\u200b",
    "&ZeroWidthSpace;",
    "&#8288;",
    "\u2060",
    "\ufeff",
    "&shy;",
    "\u034f",
    "\ufe0f",
    "\u3164",
    "&nbsp;",
    "\u202e",
]
FOREIGN = "https://tracker.example.net/p.gif"
ORIGIN = Origin(Ref(Side.EXTERNAL, "UserRequest", 17), "acme", (HOME,))
MARKER = "itopsync-acme-n-3f2a"
TAGS = [
    *ACTIVE,
    *(
        "figure",
        "figcaption",
        "mark",
        "blockquote",
        "caption",
        "colgroup",
        "ol",
        "ul",
        "h6",
        "sup",
        "article",
        "dl",
        "dd",
        "code",
        "i",
    ),
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
    *(
        "href",
        "src",
        "alt",
        "title",
        "class",
        "style",
        "lang",
        "dir",
        "name",
        "target",
        "rel",
        "width",
        "height",
        "align",
        "cite",
    ),
    *("summary", "start", "value", "colspan", "color", "size", "type"),
    *("onerror", "onclick", "onload", "srcset", "poster", "background", "formaction", "action", "ping", "xlink:href", "id"),
    *("data-img-id", "data-img-secret", "data-object-id", "srcdoc", "http-equiv", "content", "autofocus", "onfocus", "longdesc"),
]
VALUES = [
    *SPELLINGS,
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
    *SPELLINGS,
    *INVISIBLE,
    *("[[UserRequest:41|[[Person:7|x]]]]", "[[Person:A[1]]]", "@Carla", "# internal", "\uff03internal"),
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


class _Reader(HTMLParser):
    """Another reader than ours: what elements there are, and what is read."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def _elements(text: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    """The elements of a text, as two readers see them."""
    tree = LexborHTMLParser(f"<body>{text}")
    assert tree.body is not None
    for node in tree.body.traverse():
        assert not node.is_comment_node, text
        if node is not tree.body and node.tag != "body":
            yield node.tag or "", dict(node.attributes)
    yield from _Reader(text).elements


def assert_inert(text: str) -> None:
    """It holds only what every iTop keeps, and nothing that acts or fetches."""
    for tag, attributes in _elements(text):
        assert tag in COMMON, text
        assert attributes.keys() <= COMMON[tag], text
        if "href" in attributes:
            seen = re.sub(r"[\x00-\x20]", "", attributes["href"] or "").lower()
            assert re.match(r"https?:|mailto:|tel:|ftp:|sip:|#|$", seen), text
        if "src" in attributes:
            assert re.fullmatch(r"itopsync-picture:[\w.-]+", attributes["src"] or ""), text
        assert "url" not in (attributes.get("style") or "").lower(), text
        assert "itopsync" not in (attributes.get("class") or ""), text
    kept = {tag: set(names) for tag, names in COMMON.items()}
    again = nh3.clean(
        text, tags=set(kept), attributes=kept, link_rel=None, url_schemes={*nh3.ALLOWED_URL_SCHEMES, "itopsync-picture"}
    )
    assert nh3.clean(again, tags=set()) == nh3.clean(text, tags=set())


def assert_tells_no_address(text: str) -> None:
    """Neither what is read nor an attribute names the origin, by another way of looking than ours."""
    reader = _Reader(text)
    said = ["".join(reader.words), *(value or "" for _, attributes in reader.elements for value in attributes.values())]
    for part in said:
        plainly = unquote(unquote(unquote(part)))
        for word in re.split(r"[\s<>\"'()\[\]]", plainly):
            for at in [found.start() for found in re.finditer(r"(?:https?:)?[/\\]{2}", word, re.IGNORECASE)]:
                try:
                    address = urlsplit(word[at:].replace("\\", "/"))
                    host, port = (address.hostname or "").rstrip("."), address.port
                except ValueError:
                    continue
                assert host != HOST or port not in (None, 80, 443), text
