"""What somebody who may open a ticket can write into it to do harm, and what becomes of it."""

from __future__ import annotations

import html
from pathlib import Path

import pytest

from itopsync.model import LinkStatus, Side
from itopsync.simulator import Version
from itopsync.store.records import WriteKind
from tests.engine.rig import PICTURE, RESOLVED, TEAM, Rig
from tests.engine.verifying import compared

BOTH_LOGS = "".join(f'[[logs]]\nexternal = "{log}"\ninternal = "{log}"\n' for log in ("private_log", "public_log"))
PLACEHOLDER = '<img src="itopsync-picture:itopsync-demo-p-1" alt="x">'


def test_a_text_that_looks_like_one_of_our_placeholders_holds_nothing_up(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title=PLACEHOLDER, description=f"<p>itopsync-picture:abc</p>{PLACEHOLDER}")
    rig.customer.note("UserRequest", number, f"<p>itopsync-picture:abc and {html.escape(PLACEHOLDER)}</p>")
    assert rig.sync().outcome == "well"
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert copy["title"] == PLACEHOLDER.replace("itopsync-picture:", "")
    assert "itopsync-picture:abc" in copy["description"]
    assert "itopsync-picture:abc" in copy["private_log"][-1].text
    assert not rig.sync().counts.get(WriteKind.WRITE)


def test_a_picture_of_a_foreign_server_is_neither_fetched_nor_shown(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Look", description='<p><img src="https://tracker.example.net/a.png"></p>')
    asked: list[str] = []
    for side in (rig.external, rig.internal):
        side.listeners.append(lambda request, _: asked.append(request.path))
    assert rig.sync().outcome == "well"
    assert {path.rpartition("/")[2] for path in asked} == {"rest.php"}
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert "<img" not in copy["description"]
    assert "[picture: https://tracker.example.net/a.png]" in copy["description"]


def test_a_note_that_bears_a_marker_of_ours_is_carried_as_a_persons(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Forged")
    rig.sync()
    ours = rig.internal.ticket("UserRequest", rig.copy_of(number))["private_log"][0].text
    marker = ours.partition('name="')[2].partition('"')[0]
    assert marker.startswith("itopsync-demo-t-")
    rig.wait(minutes=1)
    rig.operator.note("UserRequest", rig.copy_of(number), f'<p><a name="{marker}"></a>Taken for an echo?</p>')
    rig.sync()
    (entry,) = rig.external.ticket("UserRequest", number)["private_log"]
    assert "Taken for an echo?" in entry.text
    assert marker not in entry.text


QUOTES = ("its mirror", "the other log", "the head of the copy", "an invented note", "an end", "an invented notice")


def quote(rig: Rig, side: Side, what: str) -> str:
    """Write a note on request 1 that begins with an entry of ours where that cannot stand; the log that it is in."""
    numbers = {Side.EXTERNAL: 1, Side.INTERNAL: rig.copy_of(1)}
    invented = {
        "an invented note": "n-1.0123456789abcdef",
        "an invented notice": "w-1.0123456789abcdef",
        "an end": "u-UserRequest.1",
    }
    if what == "its mirror":
        rig.agent(side).note("UserRequest", numbers[side], "<p>Question</p>")
        rig.sync()
        quoted = rig.texts(side.other, numbers[side.other])[-1]
    elif what == "the other log":
        rig.agent(side.other).note("UserRequest", numbers[side.other], "<p>Question</p>")
        rig.sync()
        quoted = rig.texts(side, numbers[side])[-1]
    elif what == "the head of the copy":
        quoted = rig.texts(Side.INTERNAL, numbers[Side.INTERNAL])[0]
    else:
        quoted = f'<p><a name="itopsync-demo-{invented[what]}"></a><em>Operations</em></p>'
    log = "public_log" if what == "the other log" or (what, side) == ("the head of the copy", Side.INTERNAL) else "private_log"
    assert 'name="itopsync-demo-' in quoted
    rig.agent(side).note("UserRequest", numbers[side], f"{quoted}<p>And now?</p>", log=log)
    return log


@pytest.mark.parametrize("what", QUOTES)
@pytest.mark.parametrize("side", list(Side))
def test_a_note_that_quotes_an_entry_of_ours_where_that_cannot_stand_arrives(tmp_path: Path, side: Side, what: str) -> None:
    rig = Rig(tmp_path, more=BOTH_LOGS)
    _linked(rig)
    log = quote(rig, side, what)
    rig.sync()
    there = rig.simulator(side.other).ticket("UserRequest", {Side.EXTERNAL: rig.copy_of(1), Side.INTERNAL: 1}[side])[log]
    assert [entry.text.count("And now?") for entry in there if "And now?" in entry.text] == [1]
    assert rig.link(1).status is LinkStatus.LINKED
    assert compared(rig) == []
    before = rig.written()
    rig.settle(2)
    assert rig.written() == before
    rig.stop()


def test_a_files_name_is_carried_as_it_is_and_names_no_place(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Files")
    names = ["../../etc/passwd", "a" * 200 + ".txt", "x\u202egpj.exe", "<script>.html", "con.txt"]
    for name in names:
        rig.customer.attach("UserRequest", number, name, "text/plain", name.encode())
    rig.settle(2)
    copies = rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"]
    assert sorted(attachment["contents"].filename for attachment in copies) == sorted(names)
    assert {path.name.partition("-")[0] for path in rig.folder.iterdir()} == {"sync.toml", "store.sqlite"}
    assert [write for write in rig.writes(Side.EXTERNAL) if write.verb == "create"] == []


DESK = "http://127.0.0.1:8082"
GONE = f'<img src="{DESK}/pages/ajax.document.php?operation=download_inlineimage&amp;id=999&amp;s=abcdef" alt="plan">'


def _linked(rig: Rig) -> tuple[int, int]:
    """A customer's request, and its copy."""
    number = rig.customer.create("UserRequest", title="Printer")
    rig.sync()
    return number, rig.copy_of(number)


@pytest.mark.parametrize(
    "before",
    [
        "\u200b",
        "&#8288;",
        "<p>&shy;</p>",
        "{picture}",
        "<blockquote>You said</blockquote>",
        '<a href="{desk}/pages/UI.php?id=1">@Carla</a> ',
    ],
)
@pytest.mark.parametrize("mark", ["#internal", "# Internal", "\uff03internal"])
def test_nothing_before_the_mark_lets_a_note_or_its_picture_out(rig: Rig, before: str, mark: str) -> None:
    number, copy = _linked(rig)
    picture = rig.operator.paste_image("UserRequest", copy, "s.png", "image/png", PICTURE)
    text = before.format(picture=f'<figure class="image">{picture}</figure>', desk=DESK)
    rig.operator.note("UserRequest", copy, f"{text}{mark}: he pays late {picture}")
    rig.settle(2)
    assert rig.texts(Side.EXTERNAL, number) == []
    assert rig.writes(Side.EXTERNAL) == []


@pytest.mark.parametrize("version", ["3.2", "3.3"])
@pytest.mark.parametrize("note", ["<p>#internal He pays late</p>", "# internal<br>He pays late"])
def test_what_a_parent_keeps_in_stays_in_in_its_children(tmp_path: Path, version: Version, note: str) -> None:
    rig = Rig(tmp_path, versions=("3.2", version))
    numbers = [rig.customer.create("UserRequest", title=title) for title in ("Parent", "Child")]
    rig.sync()
    parent, child = map(rig.copy_of, numbers)
    rig.operator.update("UserRequest", child, parent_request_id=parent)
    rig.operator.note("UserRequest", parent, note)
    rig.settle(2)
    lent = rig.texts(Side.INTERNAL, child)[-1]
    assert lent.startswith("<p>Copied from") == (version == "3.3")
    assert "He pays late" in lent
    assert [rig.texts(Side.EXTERNAL, number) for number in numbers] == [[], []]
    assert compared(rig) == []
    rig.stop()


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_what_an_ancestor_keeps_in_stays_in_however_far_down_it_is_copied(tmp_path: Path, steps: int) -> None:
    rig = Rig(tmp_path, versions=("3.2", "3.3"))
    number = rig.customer.create("UserRequest", title="Child")
    rig.sync()
    child = ancestor = rig.copy_of(number)
    for _ in range(steps):
        parent = rig.operator.create("UserRequest", title="Ours alone")
        rig.operator.update("UserRequest", ancestor, parent_request_id=parent)
        ancestor = parent
    picture = rig.operator.paste_image("UserRequest", ancestor, "s.png", "image/png", PICTURE)
    rig.operator.note("UserRequest", ancestor, f"<p>#internal He pays late {picture}</p>")
    rig.settle(2)
    lent = rig.texts(Side.INTERNAL, child)[-1]
    assert lent.count("Copied from") == steps
    assert "He pays late" in lent
    assert rig.texts(Side.EXTERNAL, number) == []
    assert rig.external.ticket("UserRequest", number)["attachments"] == []
    assert compared(rig) == []
    rig.stop()


def test_an_attachment_of_a_ticket_that_is_not_linked_never_leaves(rig: Rig) -> None:
    number, copy = _linked(rig)
    other = rig.operator.create("UserRequest", title="Ours alone")
    secret = rig.operator.attach("UserRequest", other, "salaries.png", "image/png", PICTURE)
    page = f"{DESK}/pages/ajax.document.php?operation=download_document&amp;class=Attachment&amp;field=contents&amp;id={secret}"
    rig.operator.note("UserRequest", copy, f'<p>See <img src="{page}" alt="plan"></p>')
    rig.settle(2)
    assert "See [picture: plan]" in rig.texts(Side.EXTERNAL, number)[0]
    assert rig.external.ticket("UserRequest", number)["attachments"] == []


def test_what_a_state_takes_along_names_nothing_of_internals(rig: Rig) -> None:
    number, copy = _linked(rig)
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    reason = "See [[UserRequest:41|R-000041]] and HTTP://127.0.0.1:8082/pages/UI.php?operation=details&class=UserRequest&id=41."
    rig.operator.stimulus("UserRequest", copy, "ev_pending", pending_reason=reason)
    rig.settle(2)
    assert rig.external.ticket("UserRequest", number)["pending_reason"] == "See R-000041 and [link]."


def test_a_files_name_names_nothing_of_internals(rig: Rig) -> None:
    number, copy = _linked(rig)
    rig.operator.attach("UserRequest", copy, f"[[UserRequest:41|R-41]] {DESK}/x.txt", "text/plain", b"a")
    rig.settle(2)
    (file,) = rig.external.ticket("UserRequest", number)["attachments"]
    assert file["contents"].filename == "R-41 [link]"


def test_a_picture_that_is_gone_is_told_in_a_word_at_once_and_holds_up_nothing(rig: Rig) -> None:
    number, copy = _linked(rig)
    rig.operator.note("UserRequest", copy, f"<p>Look {GONE}</p>")
    rig.wait(minutes=1)
    rig.operator.note("UserRequest", copy, "<p>And this</p>")
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", copy, "ev_resolve", **{**RESOLVED, "solution": f"<p>Done {GONE}</p>"})
    rig.sync()
    first, second = rig.texts(Side.EXTERNAL, number)
    assert "Look [picture not carried: plan]" in first
    assert "And this" in second
    ticket = rig.external.ticket("UserRequest", number)
    assert ticket["status"] == "resolved"
    assert "Done" in ticket["solution"]
    rig.settle(2)
    assert rig.link(number).obstacles == ()
    assert not rig.sync().counts.get(WriteKind.WRITE)


def test_a_description_in_which_only_the_picture_changes_follows(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Look")
    for data in (PICTURE, PICTURE + b"2"):
        picture = rig.customer.paste_image("UserRequest", number, "s.png", "image/png", data)
        rig.customer.update("UserRequest", number, description=f"<p>Look {picture}</p>")
        rig.settle(2)
        copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
        newest = max(copy["attachments"], key=lambda attachment: int(attachment["id"]))
        assert newest["contents"].data == data
        assert f"class=Attachment&amp;field=contents&amp;id={newest['id']}" in copy["description"]
    assert rig.sync().counts.get(WriteKind.WRITE, 0) == 0


@pytest.mark.parametrize("side", list(Side))
def test_a_note_that_goes_as_a_file_tells_its_pictures_in_words(rig: Rig, side: Side) -> None:
    number, copy = _linked(rig)
    agent, ticket = (rig.customer, number) if side is Side.EXTERNAL else (rig.operator, copy)
    there = rig.internal if side is Side.EXTERNAL else rig.external
    there_id = copy if side is Side.EXTERNAL else number
    there.agent("agent").fill_log("UserRequest", there_id)
    rig.restart()
    picture = agent.paste_image("UserRequest", ticket, "s.png", "image/png", PICTURE)
    agent.note("UserRequest", ticket, f"<p>Look {picture}</p>")
    rig.settle(2)
    files = [attachment["contents"] for attachment in there.ticket("UserRequest", there_id)["attachments"]]
    (note,) = [file for file in files if file.filename.startswith("note-")]
    assert "Look [picture: s.png]" in note.data.decode()
    assert b"itopsync-picture" not in note.data
