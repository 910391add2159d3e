"""HTML that costs a parser dearly, and words that a server does not keep."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pytest

from itopsync.reconcile import gate
from itopsync.reconcile.gate import begins_with_tag
from itopsync.reconcile.normalising import normalise
from itopsync.reconcile.richtext import carry, lost_words, plain, value_fingerprint
from tests.costs import grows_with_length
from tests.reconcile.any_html import HOST, ORIGIN


@pytest.mark.parametrize(
    "costly",
    [
        lambda count: "<div>" * count + "Printer",
        lambda count: "<div>" * count + "Printer" + "</div>" * count,
        lambda count: "<p>" + "".join(f"<font size={size}>" for size in range(100)) + "<p>Printer" * count,
        lambda count: "<p " + " ".join(f"a{number}=1" for number in range(count)) + ">Printer",
        lambda count: "<div><select></div></select>" * count + "Printer",
        lambda count: "<table><tr><td>" * count + "Printer",
        lambda count: "<ul><li>Printer" * count,
        lambda count: "<b><div></b>" * count + "Printer",
    ],
    ids=["deep", "deep and closed", "reopened", "attributes", "misnested", "tables", "lists", "formatting"],
)
def test_what_is_costly_to_parse_is_flattened_and_keeps_its_words(costly: Callable[[int], str]) -> None:
    assert grows_with_length(lambda text: carry(text, ORIGIN), costly, 16_000)
    hostile = costly(16_000)
    carried = carry(hostile, ORIGIN)
    assert "Printer" in plain(carried.html)
    assert not begins_with_tag(hostile, ("#internal",))
    depth = deepest = 0
    for tag in re.findall(r"</?[a-z]", carried.html.replace("<br>", "").replace("<hr>", "")):
        depth += -1 if tag.startswith("</") else 1
        deepest = max(deepest, depth)
    assert deepest <= 100


def test_what_is_flattened_keeps_its_pictures_and_lines() -> None:
    image = '<img src="data:image/png;base64,AAAA" alt="plan">'
    text = "<div>" * 300 + f"one<p>two {image}<script>gone<b></script><!-- gone --><textarea>three <b></textarea> 1 < 2<br>four"
    carried = carry(text, ORIGIN)
    assert len(carried.pictures) == 1
    assert plain(carried.html) == "one two \N{OBJECT REPLACEMENT CHARACTER} three <b> 1 < 2 four"


@pytest.mark.parametrize(
    "hostile",
    [
        "<",
        "<a ",
        '<a b="',
        "<!--",
        "<title>",
        "[[a:b|",
        f"{HOST}/",
        f"é{HOST}@",
        f"https-3A__{HOST}.x",
        f"https-2D3A-5F-5F{HOST}_x-2D",
        "https%2D3A%5F%5F",
        "%64",
        ":",
        "@a ",
        "\u200b",
        "<svg><p>",
        "\u0300\u0316",
        "\uff9e\u0300",
    ],
)
def test_time_grows_with_the_length(hostile: str) -> None:
    def read(text: str) -> None:
        carry(text, ORIGIN)
        gate.words(text, ORIGIN.addresses)
        begins_with_tag(text, ("#internal",))
        value_fingerprint(text)
        lost_words(text, "")

    assert grows_with_length(read, lambda count: hostile * count, 160_000 // len(hostile))


@pytest.mark.parametrize(
    ("sent", "kept", "lost"),
    [
        ("<p>one two</p>", "<p>one two</p>", ()),
        ("<p>one</p><p>two</p>", "<div>two<br>one</div>", ()),
        ("<table><tr><td>one</td><td>two</td></tr></table>", "<p>onetwo</p>", ()),
        ("<p>o<wbr>ne&shy; &amp;&nbsp;two <img src='x'></p>", "one & two", ()),
        ("<p>one</p><figure>two three</figure>", "<p>one</p>", ("two", "three")),
        ("<p>one one</p>", "<p>one</p>", ("one",)),
        ("<p>one</p>", "", ("one",)),
    ],
)
def test_words_that_a_server_did_not_keep_are_named(sent: str, kept: str, lost: tuple[str, ...]) -> None:
    assert lost_words(sent, kept) == lost


@pytest.mark.parametrize("text", ["", "Straße", "e\u0301", "a" + "\u0316\u0300" * 15, "ｱ\uff9e", "각"])
def test_ordinary_letters_are_normalised_as_ever(text: str) -> None:
    for form in ("NFC", "NFKC", "NFKD"):
        assert normalise(form, text) == unicodedata.normalize(form, text)


def test_a_run_of_marks_is_bounded_once_and_for_all() -> None:
    text = "a" + "\u0300\u0316" * 40
    bounded = normalise("NFKD", text)
    assert bounded.replace("\u034f", "").count("\u0300") == 40
    assert max(map(len, bounded.split("\u034f"))) <= 31
    assert normalise("NFKD", bounded) == bounded
