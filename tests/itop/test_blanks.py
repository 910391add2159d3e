"""The blanks that iTop 3.0 drops from its answers are read all the same."""

from __future__ import annotations

import re
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopsync.itop import blanks
from itopsync.itop.attributes import Attributes
from itopsync.itop.server import Server
from itopsync.reconcile.rules import Kind
from itopsync.settings.secrets import Secret
from itopsync.simulator import Simulator, Version
from itopsync.simulator.html_text_old import html_to_text
from itopsync.simulator.versions import VERSIONS
from tests.costs import grows_with_length
from tests.itop.fake import settings
from tests.transport import SimulatorTransport

READ = Attributes(fields=MappingProxyType({"description": Kind.HTML, "title": Kind.TEXT}), logs=("private_log",))
MARKER = '<a name="itopsync-1"></a>'
TEXTS = [
    "<p><b>one</b> <i>two</i></p>",
    "<p><b>Wo</b><i>rd</i> <u>and</u><b>more</b></p>",
    '<p><a href="https://x.example/a?b=1&amp;c=2">Here</a> <a href="https://x.example/d">there</a></p>',
    f"<p>{MARKER}<em>head</em></p> <p><b>Été &amp;</b> <span>&lt;noël&gt;</span> x</p>",
    "<p>a <b><i>b</i></b> <u><s>c</s></u>d</p>",
    "<ul><li><b>one</b> <i>two</i></li> <li>[<b>3</b>] <i>[4]</i></li></ul>",
    '<p><b>it\'s</b> <span style="color:red">100%_</span> <b>"q"</b> <i>\\d</i></p>',
]


def dropped(html: str) -> str:
    """As it arrives."""
    return re.sub("> +<", "><", html)


@pytest.mark.parametrize("html", TEXTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_of_any_version_is_read_with_its_blanks(version: Version, html: str) -> None:
    itop = Simulator(version=version)
    ticket = itop.agent().create("UserRequest", description=html, private_log=html)
    account = itop.accounts["sync"]
    told = settings(url=itop.url, username=account.login, password=Secret(account.password))
    with Server(told, SimulatorTransport(itop)) as server:
        found = server.tickets("UserRequest", [ticket], READ)[ticket]
    (entry,) = found.logs["private_log"]
    for shown in (found.fields["description"], entry.html):
        assert _joined_words(shown) == _joined_words(html)


def _joined_words(html: str) -> list[str]:
    """Its words as a browser shows them; between two blocks a blank does not matter."""
    return re.sub("<[^<>]*>", "", re.sub(r"(</?(?:p|ul|li)\b[^<>]*>) *", r" \1", html)).split()


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("<b>a</b><i>b</i>", "something else"),
        ("<b>a</b><i>b</i>", ""),
        ("<b>a</b><i>b</i>", "ab"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br><b>b</b>", "a\nb"),
        ("", "a b"),
    ],
)
def test_without_a_witness_a_text_is_left_as_it_came(html: str, plain: str) -> None:
    assert blanks.restored(html, plain) == html


WORDS = st.text(alphabet="abé&;[]()-", min_size=1, max_size=4).map(lambda word: word.replace("&", "&amp;"))
TAGS = st.sampled_from(["b", "i", "u", "span"])
PIECES = st.tuples(TAGS, WORDS, st.sampled_from(["", " "])).map(lambda each: f"<{each[0]}>{each[1]}</{each[0]}>{each[2]}")


@given(st.lists(PIECES, min_size=1, max_size=6).map("".join))
def test_a_log_is_read_as_it_was_written(html: str) -> None:
    html = f"<p>{html.strip()}</p>"
    assert blanks.restored(dropped(html), html_to_text(html)) == html


@given(st.lists(PIECES, min_size=1, max_size=6).map("".join))
def test_an_attribute_is_asked_for_its_blanks(html: str) -> None:
    html = f"<p>{html.strip()}</p>"

    def holds(condition: str) -> bool:
        found = [re.search(pattern, html) is not None for pattern in re.findall(r"description REGEXP '([^']*)'", condition)]
        return any(found) if " OR " in condition else all(found)

    shown = blanks.asked_for("description", dropped(html), holds)
    assert len(shown) >= len(html), "a blank too many may stand where words repeat, never one too few"
    assert dropped(shown) == dropped(html)


def test_few_questions_find_few_blanks() -> None:
    stored = "".join(f"<b>w{number}</b>{' ' if number == 20 else ''}" for number in range(40))
    asked: list[str] = []

    def holds(condition: str) -> bool:
        asked.append(condition)
        found = [re.search(pattern, stored) is not None for pattern in re.findall(r"REGEXP '([^']*)'", condition)]
        return any(found) if " OR " in condition else all(found)

    assert blanks.asked_for("description", dropped(stored), holds) == stored
    assert len(asked) < 25
    many = "<b>a</b>" * 60
    assert blanks.asked_for("description", many, pytest.fail) == many


@pytest.mark.parametrize("filler", ["a<b>", "a</b>", "a<b", "<b>", "a<b></b>b", "a<b x='"])
def test_looking_at_a_text_takes_time_with_its_length(filler: str) -> None:
    count = 300_000 // len(filler)
    assert grows_with_length(lambda text: blanks.restored(text, "a b " * (len(text) // 6)), lambda times: filler * times, count)
