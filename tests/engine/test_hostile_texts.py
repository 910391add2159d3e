"""What somebody who may open a ticket can write into it to do harm, and what becomes of it."""

from __future__ import annotations

import html

from itopsync.model import Side
from itopsync.simulator import SimRequest, SimResponse
from tests.engine.rig import Rig

PLACEHOLDER = '<img src="itopsync-picture:itopsync-demo-p-1" alt="x">'


def test_a_text_that_looks_like_one_of_our_placeholders_holds_nothing_up(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title=PLACEHOLDER, description=f"<p>itopsync-picture:abc</p>{PLACEHOLDER}")
    rig.customer.note("UserRequest", number, f"<p>itopsync-picture:abc and {html.escape(PLACEHOLDER)}</p>")
    assert rig.sync().outcome == "well"
    copy = rig.internal.ticket("UserRequest", rig.copy_of(number))
    assert copy["title"] == PLACEHOLDER.replace("itopsync-picture:", "")
    assert "itopsync-picture:abc" in copy["description"]
    assert "itopsync-picture:abc" in copy["private_log"][-1].text
    assert not rig.sync().counts.get("write")


def test_a_picture_of_a_foreign_server_is_neither_fetched_nor_shown(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Look", description='<p><img src="https://tracker.example.net/a.png"></p>')
    asked: list[str] = []
    for side in (rig.external, rig.internal):
        served = side.handle

        def handle(request: SimRequest, served: object = served) -> SimResponse:
            asked.append(request.path)
            return served(request)  # type: ignore[operator,no-any-return]  # as the simulator's own

        side.handle = handle  # type: ignore[method-assign]  # to look at what is asked
    assert rig.sync().outcome == "well"
    assert {path.rpartition("/")[2] for path in asked} <= {"rest.php"}
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


def test_a_files_name_is_carried_as_it_is_and_names_no_place(rig: Rig) -> None:
    number = rig.customer.create("UserRequest", title="Files")
    names = ["../../etc/passwd", "a" * 200 + ".txt", "x\u202egpj.exe", "<script>.html", "con.txt"]
    for name in names:
        rig.customer.attach("UserRequest", number, name, "text/plain", name.encode())
    rig.settle(2)
    copies = rig.internal.ticket("UserRequest", rig.copy_of(number))["attachments"]
    assert sorted(one["contents"].filename for one in copies) == sorted(names)
    assert {path.name.partition("-")[0] for path in rig.folder.iterdir()} == {"sync.toml", "store.sqlite"}
    assert [write for write in rig.writes(Side.EXTERNAL) if write.verb == "create"] == []
