"""What becomes of the HTML of a log entry: as stored and shown, and as plain text beside it.

Each case says what iTop 3.2 makes of it; what earlier versions do otherwise stands in tables below.
"""

from typing import NamedTuple

import pytest

from tests.contract.conftest import Itop

#: What is stored for an entry in which nothing is.
NOTHING = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN" "http://www.w3.org/TR/REC-html40/loose.dtd">\n'
    '<?xml encoding="UTF-8"?>\n'
)


class Case(NamedTuple):
    """A name, the markup as sent, as shown again, and the plain text that iTop makes of it."""

    name: str
    markup: str
    html: str
    text: str

    def html_in(self, version: str) -> str:
        return next((changed[self.name] for until, changed in HTML_BEFORE if version < until and self.name in changed), self.html)

    def text_in(self, version: str) -> str:
        return TEXT_BEFORE_3_2.get(self.name, self.text) if version < "3.2" else self.text


_CASES = [
    ("plain text", "hello", "<p>hello</p>", "hello"),
    ("text with signs", "1 < 2 & 3 > 2", "<p>1 &lt; 2 &amp; 3 &gt; 2</p>", "1 < 2 & 3 > 2"),
    ("lines", "one\ntwo\r\nthree", "<p>one\ntwo\r\nthree</p>", "one two three"),
    ("entities", "&eacute; &nbsp;&lt;b&gt; &copy; &#128512;", "<p>é \xa0&lt;b&gt; © 😀</p>", "é <b> © 😀"),
    ("unfinished entity", "AT&T &copy 2026", "<p>AT&amp;T &amp;copy 2026</p>", "AT&T &copy 2026"),
    ("a stray sign first", "< <b>x</b>", "<b>x</b>", "x"),
    (
        "nothing but space",
        " \n ",
        NOTHING,
        "",
    ),
    ("empty paragraph", "<p></p>", "<p></p>", ""),
    ("empty paragraph with space", "<p>&nbsp;</p>", "<p>\xa0</p>", ""),
    ("paragraphs", "<p>one</p><p>two</p>", "<p>one</p><p>two</p>", "one\n\ntwo"),
    ("break", "a<br>b<br/>c", "<p>a<br>b<br>c</p>", "a\nb\nc"),
    (
        "nested formats",
        '<p><b>a <i>b</i></b> <u>c</u> <s>d</s> <mark class="m">e</mark></p>',
        '<p><b>a <i>b</i></b> <u>c</u> <s>d</s> <mark class="m">e</mark></p>',
        "a b c d e",
    ),
    (
        "heading and rule",
        "<h1>T</h1><h5>gone</h5><hr><p>x</p>",
        "<h1>T</h1><hr><p>x</p>",
        "T\n\n---------------------------------------------------------------\n\nx",
    ),
    ("upper case", '<P CLASS="X">x</P>', '<p class="X">x</p>', "x"),
    ("unclosed", "<p>a<b>b<p>c", "<p>a<b>b</b></p><p>c</p>", "ab\n\nc"),
    ("stray end", "a</b></p>c", "<p>a</p>c", "a\n\nc"),
    ("script, style, comment", "<p>a<script>b</script><style>c</style><!-- d -->e</p>", "<p>ae</p>", "ae"),
    (
        "iframe, form, svg",
        '<p>a<iframe src="http://x.example">b</iframe><form><input value="v">c</form><svg><path/></svg>d</p>',
        "<p>a</p>d",
        "a\n\nd",
    ),
    (
        "attributes",
        '<p id="i" class="itopsync-1" onclick="x()" data-x="1" title="t" lang="en" dir="rtl">a</p>',
        '<p class="itopsync-1">a</p>',
        "a",
    ),
    ("empty span with class", '<span class="itopsync-1"></span>a', '<span class="itopsync-1"></span>a', "a"),
    ("empty paragraph with class", '<p class="itopsync-1"></p><p>a</p>', '<p class="itopsync-1"></p><p>a</p>', "a"),
    (
        "styles",
        '<p style="color:red; position:absolute; WIDTH:10px; background-image:url(x)">a</p>',
        '<p style="color:red;WIDTH:10px">a</p>',
        "a",
    ),
    ("styles gone", '<p style="position:absolute">a</p>', "<p>a</p>", "a"),
    (
        "links",
        '<a href="http://x.example/?a=1&amp;b=2">a</a> <a href="https://x.example">b</a> <a href="mailto:a@b.example">c</a> <a href="ftp://x.example/y">d</a>',
        '<a href="http://x.example/?a=1&amp;b=2">a</a> <a href="https://x.example">b</a> <a href="mailto:a@b.example">c</a> <a href="ftp://x.example/y">d</a>',
        "[a](http://x.example/?a=1&b=2) [b](https://x.example) [c](mailto:a@b.example) [d](ftp://x.example/y)",
    ),
    (
        "links gone",
        '<a href="javascript:x">a</a> <a href="/rel">b</a> <a href="#c">c</a> <a href="tel:1">d</a>',
        "<a>a</a> <a>b</a> <a>c</a> <a>d</a>",
        "a b c d",
    ),
    (
        "link that shows its address",
        '<a href="https://x.example/">https://x.example/</a>',
        '<a href="https://x.example/">https://x.example/</a>',
        "https://x.example/",
    ),
    (
        "mention",
        '<a class="object-mention" data-role="object-mention" data-object-class="Person" data-object-id="3" data-object-key="3" href="http://127.0.0.1/pages/UI.php?operation=details&amp;class=Person&amp;id=3">@Dali</a>',
        '<a class="object-mention" data-role="object-mention" data-object-class="Person" data-object-id="3" href="http://127.0.0.1/pages/UI.php?operation=details&amp;class=Person&amp;id=3">@Dali</a>',
        "[@Dali](http://127.0.0.1/pages/UI.php?operation=details&class=Person&id=3)",
    ),
    (
        "wiki link",
        "[[UserRequest:41|R-000041]] and [[Person:3]]",
        "<p>[[UserRequest:41|R-000041]] and [[Person:3]]</p>",
        "[[UserRequest:41|R-000041]] and [[Person:3]]",
    ),
    (
        "list",
        '<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><ol start="3"><li value="5">d</li></ol>',
        '<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><ol start="3"><li value="5">d</li></ol>',
        "- a\n- b\n\n- c\n\n- d",
    ),
    (
        "list in list",
        "<ul><li>a</li><ol><li>b</li></ol><li>c</li></ul>",
        "<ul><li>a</li></ul><ol><li>b</li></ol><li>c</li>",
        "- a\n\n- b\n- c",
    ),
    (
        "table",
        '<table border="1"><thead><tr><th colspan="2" id="h">h</th></tr></thead><tbody><tr><td>a</td></tr></tbody></table>',
        '<table border="1"><thead><tr><th colspan="2">h</th></tr></thead><tbody><tr><td>a</td></tr></tbody></table>',
        "h\na",
    ),
    ("table without body", "<table><tr><td>a</td></tr></table>", "<table><tr><td>a</td></tr></table>", "a"),
    (
        "quote and code",
        "<blockquote><p>q</p></blockquote><pre>a\n  b</pre><code>c</code>",
        "<blockquote><p>q</p></blockquote><pre>a\n  b</pre><code>c</code>",
        "> q\n\na\n  b\n\nc",
    ),
    (
        "code block",
        '<pre><code class="language-php">a\nb</code></pre>',
        '<pre><code class="language-php">a\nb</code></pre>',
        "a\nb",
    ),
    (
        "picture by address",
        '<img src="http://x.example/a.png" alt="a" width="10" height="5" style="width:10px" srcset="x" loading="lazy">',
        '<img src="http://x.example/a.png" alt="a" width="10" height="5" style="width:10px">',
        "[a]",
    ),
    (
        "picture gone",
        '<p>a <img src="/rel.png" alt="rel"> <img src="blob:x"> <img src="cid:1@x"></p>',
        '<p>a <img alt="rel"> <img> <img></p>',
        "a [rel]",
    ),
    (
        "picture with data",
        '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
        '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
        "",
    ),
    (
        "figure",
        '<figure class="image image_resized" style="width:50%;"><img src="https://x.example/a.png"><figcaption>c</figcaption></figure>',
        '<figure class="image image_resized" style="width:50%"><img src="https://x.example/a.png"><figcaption>c</figcaption></figure>',
        "c",
    ),
    (
        "figure with table",
        '<figure class="table"><table><tbody><tr><td>a</td></tr></tbody></table></figure>',
        '<figure class="table"><table><tbody><tr><td>a</td></tr></tbody></table></figure>',
        "a",
    ),
    (
        "office",
        '<p class="MsoNormal">a<o:p></o:p></p><p><o:p>&nbsp;</o:p></p><o:p>b</o:p>',
        '<p class="MsoNormal">a<br></p><p><br></p><p>b</p>',
        "a\n\nb",
    ),
    (
        "font",
        '<font face="Arial" color="red" size="2">a</font><center>b</center>',
        '<font face="Arial" color="red" size="2">a</font><center>b</center>',
        "ab",
    ),
    ("document", "<html><head><title>t</title></head><body><p>a</p></body></html>", "<p>a</p>", "a"),
    ("emoji and signs", "😀 “q” – … € ä", "<p>😀 “q” – … € ä</p>", "😀 “q” – … € ä"),
    ("nul", "a\x00b", "<p>a b</p>", "a b"),
    ("nested div", "<div><div>a</div><div>b</div></div>", "<div><div>a</div><div>b</div></div>", "a\nb"),
]
CASES = [Case(*case) for case in _CASES]
#: The HTML of the cases above in versions before this one; the earliest that applies counts.
HTML_BEFORE: list[tuple[str, dict[str, str]]] = [
    (
        "3.0",
        {"mention": '<a href="http://127.0.0.1/pages/UI.php?operation=details&amp;class=Person&amp;id=3">@Dali</a>'},
    ),
    (
        "3.1",
        {"list": "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><ol><li>d</li></ol>"},
    ),
    (
        "3.2",
        {
            "nested formats": "<p><b>a <i>b</i></b> <u>c</u> <s>d</s> </p>",
            "upper case": "<p>x</p>",
            "attributes": "<p>a</p>",
            "empty span with class": "<span></span>a",
            "empty paragraph with class": "<p></p><p>a</p>",
            "mention": (
                '<a data-role="object-mention" data-object-class="Person" data-object-id="3"'
                ' href="http://127.0.0.1/pages/UI.php?operation=details&amp;class=Person&amp;id=3">@Dali</a>'
            ),
            "picture by address": '<img src="http://x.example/a.png" alt="a" style="width:10px">',
            "figure": "",
            "figure with table": "",
            "office": "<p>a<br></p><p><br></p><p>b</p>",
        },
    ),
]
#: The plain text before 3.2, which had another converter.
TEXT_BEFORE_3_2 = {
    "nested formats": "a b c d",
    "heading and rule": "T\n---------------------------------------------------------------\n\nx",
    "stray end": "a\nc",
    "iframe, form, svg": "a\nd",
    "list": "- a\n- b\n- c\n\n- d",
    "quote and code": "q\na bc",
    "code block": "a b",
    "figure": "",
    "figure with table": "",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_html_is_sanitised_and_shown(itop: Itop, case: Case) -> None:
    shown = itop.sync.create("UserRequest", itop.new(private_log={"items": [{"message": case.markup}]}), "private_log")
    (entry,) = shown["private_log"]["entries"]
    expected = case.html_in(itop.version), case.text_in(itop.version)
    assert (entry["message_html"], entry["message"]) == tuple(map(itop.answers.shown, expected))


FORM = [case for case in CASES if case.name in ("attributes", "links", "lines", "table")]


@pytest.mark.parametrize("case", FORM, ids=lambda case: case.name)
def test_a_description_is_sanitised_alike(itop: Itop, case: Case) -> None:
    """Before 3.2 it is answered for an editor: each of its signs ``&`` is written as ``&amp;`` once more."""
    html = case.html_in(itop.version)
    shown = itop.sync.update("UserRequest", itop.ticket(), {"description": case.markup}, "description")["description"]
    assert shown == itop.answers.shown(html.replace("&", "&amp;") if itop.answers.doubles_ampersands else html)
    assert itop.sync.count(f"SELECT UserRequest WHERE description = '{html}'") >= 1, "it is stored as it should be"


@pytest.mark.parametrize("case", FORM, ids=lambda case: case.name)
def test_a_solution_is_plain_text_before_3_2(itop: Itop, case: Case) -> None:
    """Then what looks like HTML is kept as it is, and is shown with its signs."""
    shown = itop.sync.update("UserRequest", itop.ticket(), {"solution": case.markup}, "solution")["solution"]
    assert shown == itop.answers.shown(case.html_in(itop.version) if itop.answers.solution_is_html else case.markup)


@pytest.mark.parametrize("reference", ["R-000001", "1|R-000001"])
def test_a_reference_in_plain_text_is_answered_with_the_label_of_its_class(itop: Itop, reference: str) -> None:
    given = {"pending_reason": f"see [[UserRequest:{reference}]] and [[Nothing:1]]"}
    shown = itop.sync.update("UserRequest", itop.ticket(), given, "pending_reason")["pending_reason"]
    assert shown == f"see [[User Request:{reference.replace('|', ' | ')}]] and [[Nothing:1]]"


def test_what_was_stored_is_stored_again_unchanged(itop: Itop) -> None:
    """Else what is read from one server and written to the other would change for ever."""
    stored = [html for case in CASES if (html := case.html_in(itop.version)) not in (NOTHING, "")]
    shown = itop.sync.create(
        "UserRequest", itop.new(private_log={"items": [{"message": html} for html in stored]}), "private_log"
    )
    again = [entry["message_html"] for entry in shown["private_log"]["entries"]]
    assert again == [itop.answers.shown(html) for html in stored]
