"""Attachments and pictures: listed in order, read whole or not at all."""

from typing import Any

import httpx
import pytest

from itopsync.errors import Missing, Refused, TooLarge, Unreachable
from itopsync.itop.settings import Login
from itopsync.model import Attachment, File, Ref, Side
from tests.itop.fake import Fake, contents, objects, page

REF = Ref(Side.EXTERNAL, "UserRequest", 7)
CONTENTS = {"data": "eA==", "mimetype": "text/plain", "filename": "a.txt"}
ATTACHMENT = {"id": "5", "temp_id": "m", "item_class": "UserRequest", "item_id": "7"}


def test_attachments_are_listed_in_the_order_of_their_ids_whatever_itop_s(fake: Fake) -> None:
    rows = [{**ATTACHMENT, "id": number} for number in ("9", "10", "8")]
    server = fake.server(objects(*rows, cls="Attachment"))
    assert [attachment.id for attachment in server.attachments_above(7, also=[3, 1])] == [8, 9, 10]
    assert fake.asked[0]["key"] == "SELECT Attachment WHERE id > 7 OR id IN (1,3)"
    assert server.attachments_of("UserRequest", [7, 6])[0][7][0] == Attachment(8, "m", "UserRequest", 7)
    assert fake.asked[1]["key"] == "SELECT Attachment WHERE item_class = 'UserRequest' AND item_id IN (6,7)"
    assert server.count_attachments("id >= 5 AND id < 8") == 3


def test_a_file_is_read_whole_or_not_at_all(fake: Fake) -> None:
    server = fake.server(contents(b"\xff\xfe/\x00" * 1000, "a/b.txt"))
    assert server.attachment_file(5) == File("a/b.txt", "text/plain", b"\xff\xfe/\x00" * 1000)
    fake.replies[0] = contents(b"")
    assert server.attachment_file(5).data == b""
    for reply in (
        objects({"id": "5", "contents": None}, cls="Attachment"),
        objects({"id": "5", "contents": "x"}, cls="Attachment"),
    ):
        fake.replies[0] = reply
        with pytest.raises(Refused, match="fails on reading Attachment::5: it shows Attachment::5 in an unknown shape"):
            server.attachment_file(5)
    fake.replies[0] = objects(cls="Attachment")
    with pytest.raises(Missing):
        server.attachment_file(5)
    fake.replies[0] = contents(bytes(1000))
    with pytest.raises(TooLarge):
        fake.server(max_answer_bytes=500).attachment_file(5)


@pytest.mark.parametrize(("cls", "number"), [("UserRequest", "8"), ("Incident", "7")])
def test_a_file_that_another_ticket_has_is_none_of_the_one_that_is_asked_for(fake: Fake, cls: str, number: str) -> None:
    rows = [{**ATTACHMENT, "contents": CONTENTS}, {**ATTACHMENT, "item_class": cls, "item_id": number, "contents": CONTENTS}]
    server = fake.server(*(objects(row, cls="Attachment") for row in rows))
    assert server.attachment_file(5, REF).data == b"x"
    with pytest.raises(Missing, match="Attachment::5 is another ticket's by now"):
        server.attachment_file(5, REF)


@pytest.mark.parametrize(
    ("message", "gone"), [("Deleted: 1", True), ("Deleted: 0", False), ("Deleted: 1 plus (for DB integrity) 2", True)]
)
def test_a_deletion_says_whether_there_was_anything(fake: Fake, message: str, gone: bool) -> None:
    assert fake.server(objects(message=message)).delete_attachment(REF, 5) is gone
    assert fake.asked[0]["key"] == 5


def test_a_picture_is_fetched_once_and_without_a_login(fake: Fake) -> None:
    headers = {"Content-Type": "image/png", "Content-Disposition": 'inline; filename="r.png"', "Date": "x"}
    server = fake.server(httpx.Response(200, content=b"\x89PNG", headers=headers), login=Login.TOKEN)
    assert server.image(3, "5ec&ret") == File("r.png", "image/png", b"\x89PNG")
    (request,) = fake.requests
    assert str(request.url) == (
        "http://itop.example/itop/pages/ajax.document.php?operation=download_inlineimage&id=3&s=5ec%26ret"
    )
    assert (request.method, request.read()) == ("GET", b"")
    assert not {"Authorization", "Auth-Token"} & set(request.headers)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (page(200), Unreachable),
        (page(200, "<p>Invalid id</p>", **{"Content-Disposition": 'inline; filename=""'}), Missing),
        (page(404), Missing),
        (page(200, "x" * 1000), TooLarge),
        (httpx.ReadTimeout("slow"), Unreachable),
    ],
)
def test_a_picture_that_does_not_come(fake: Fake, reply: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        fake.server(reply, max_answer_bytes=500).image(3, "s")


def test_a_picture_without_a_name_gets_one(fake: Fake) -> None:
    reply = httpx.Response(200, content=b"GIF", headers={"Content-Type": "image/gif", "Content-Disposition": "inline"})
    assert fake.server(reply).image(3, "s").name == "image-3.gif"
