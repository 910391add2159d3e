"""Attachments, drafts and pasted pictures."""

import base64

import pytest

from tests.contract.conftest import Itop
from tests.simulator.caller import Json, Refused

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def contents(data: str = "YQ==", mimetype: str = "text/plain", name: str = "a.txt") -> Json:
    return {"data": data, "mimetype": mimetype, "filename": name}


@pytest.mark.parametrize("name", ["pic é.png", "../../etc/x.txt", "a b;c'\"d.txt", "<b>.txt", "😀.txt", ""])
def test_a_file_is_kept_as_given(itop: Itop, name: str) -> None:
    ticket = itop.ticket()
    given = {
        "item_class": "UserRequest", "item_id": ticket, "item_org_id": itop.org, "temp_id": "itopsync-1",
        "creation_date": "2020-01-02 03:04:05", "contents": contents(PICTURE, "image/png", name),
    }  # fmt: skip
    attachment = int(itop.sync.create("Attachment", given)["id"])
    shown = itop.sync.get("Attachment", attachment, "contents,item_class,item_id,item_org_id,temp_id,creation_date")[0]
    assert shown == {
        "contents": {"data": PICTURE, "mimetype": "image/png", "filename": name, **itop.answers.with_a_file},
        "item_class": "UserRequest", "item_id": str(ticket), "item_org_id": str(itop.org), "temp_id": "itopsync-1",
        "creation_date": "2020-01-02 03:04:05",
    }  # fmt: skip
    assert itop.sync.ids(f"SELECT Attachment WHERE item_class = 'UserRequest' AND item_id IN ({ticket})") == [attachment]


@pytest.mark.parametrize(("data", "stored"), [("", ""), ("!!notb64", "notb6w=="), ("YWI", "YWI="), ("Y W\nI=", "YWI=")])
def test_whatever_is_sent_as_base64_is_stored(itop: Itop, data: str, stored: str) -> None:
    given = {"item_class": "UserRequest", "item_id": itop.ticket(), "contents": contents(data)}
    assert itop.sync.create("Attachment", given, "contents")["contents"]["data"] == stored


def test_its_owner_is_the_caller_whatever_is_given(itop: Itop) -> None:
    attachment = itop.sync.attach("UserRequest", itop.ticket(), "a.txt", b"a")
    owner = itop.sync.get("Attachment", attachment, "user_id,contact_id")
    other = itop.sync.attach("UserRequest", itop.ticket(), "a.txt", b"a")
    assert itop.sync.get("Attachment", other, "user_id,contact_id") == owner
    assert (owner[0]["user_id"] != "0") == itop.answers.signs_uploads


def test_without_an_organisation_it_has_none(itop: Itop) -> None:
    given = {"item_class": "UserRequest", "item_id": itop.ticket(), "contents": contents()}
    shown = itop.sync.create("Attachment", given, "item_org_id,temp_id")
    assert (shown["item_org_id"], shown["temp_id"]) == ("0", "")


def test_the_ticket_need_not_exist(itop: Itop) -> None:
    given = {"item_class": "UserRequest", "item_id": 99_999_999, "contents": contents()}
    assert itop.sync.create("Attachment", given, "item_id")["item_id"] == "99999999"


def test_contents_may_not_be_null(itop: Itop) -> None:
    with pytest.raises(Refused) as refused:
        itop.sync.create("Attachment", {"item_class": "UserRequest", "item_id": 1, "contents": None})
    assert refused.value.code == 100
    issue = itop.answers.issue("Contents", "contents", "Null not allowed")
    about = f"issues = {{0=>{issue}}}, class = Attachment, id = {itop.answers.unsaved}"
    assert refused.value.message == f"Error: {issue}: {about}"


def test_a_draft_is_bound_with_the_same_id_and_date(itop: Itop) -> None:
    ticket = itop.ticket()
    given = {"item_class": "UserRequest", "temp_id": "tmp-1", "expire": "2038-01-01 00:00:00", "contents": contents()}
    draft = itop.sync.create("Attachment", given, "id,item_id,temp_id,creation_date")
    assert (draft["item_id"], draft["temp_id"]) == ("0", "tmp-1")
    bound = itop.sync.update(
        "Attachment", int(draft["id"]), {"item_id": ticket, "temp_id": "itopsync-9"}, "item_id,creation_date"
    )
    assert bound == {"item_id": str(ticket), "creation_date": draft["creation_date"]}
    found = itop.sync.get("Attachment", f"SELECT Attachment WHERE temp_id = 'itopsync-9' AND item_id = {ticket}")
    assert found == [{"id": draft["id"]}]


def test_a_deletion_is_told_and_a_second_one_finds_nothing(itop: Itop) -> None:
    attachment = itop.sync.attach("UserRequest", itop.ticket(), "a.txt", b"a")
    answer = itop.sync.ask("core/delete", "Attachment", key=attachment)
    assert answer == {
        "code": 0,
        "message": "Deleted: 1",
        "objects": {
            f"Attachment::{attachment}": {
                "code": 0, "message": "", "class": "Attachment", "key": str(attachment),
                "fields": {"id": str(attachment), "friendlyname": "UserRequest "},
            }
        },
    }  # fmt: skip
    assert itop.sync.ask("core/delete", "Attachment", key=attachment) == {"code": 0, "message": "Deleted: 0", "objects": None}


# -- pictures ----------------------------------------------------------------------------------------------------


def paste(itop: Itop, ticket: int, secret: str = "abcdef0123") -> int:
    """A picture in a ticket's text, as the editor stores it."""
    given = {"item_class": "UserRequest", "item_id": ticket, "item_org_id": itop.org, "secret": secret}
    return int(itop.alice.create("InlineImage", {**given, "contents": contents(PICTURE, "image/png", "p.png")})["id"])


def test_a_pasted_picture_is_shown_with_id_and_secret_and_downloads_without_login(itop: Itop) -> None:
    ticket = itop.ticket()
    image = paste(itop, ticket)
    address = f"{itop.sync.url}/pages/ajax.document.php?operation=download_inlineimage&id={image}&s=abcdef0123"
    markup = f'<p>see <img src="{address.replace("&", "&amp;")}" data-img-id="7" width="1"> ok</p>'
    itop.alice.update("UserRequest", ticket, {"private_log": markup})
    (entry,) = itop.sync.log("UserRequest", ticket)
    source, width = address.replace("&", "&amp;"), ' width="1"' if itop.answers.keeps_the_size_of_pictures else ""
    marked = f'<img src="{source}"{width} data-img-id="{image}" data-img-secret="abcdef0123">'
    assert entry["message_html"] == f"<p>see {marked} ok</p>"
    picture = itop.sync.client.get(address)
    assert picture.content == base64.b64decode(PICTURE)
    assert picture.headers["content-type"].startswith("image/png")
    refused = itop.sync.client.get(address[:-1])
    assert refused.status_code == 200
    assert "the object does not exist or you are not allowed to view it" in refused.text


def test_a_picture_of_another_server_keeps_its_address_and_gets_no_marks(itop: Itop) -> None:
    ticket = itop.ticket()
    source = "https://other.example/pages/ajax.document.php?operation=download_inlineimage&amp;id=1&amp;s=ab"
    itop.sync.update("UserRequest", ticket, {"private_log": f'<p><img src="{source}" data-img-id="1" data-img-secret="ab"></p>'})
    assert itop.sync.log("UserRequest", ticket)[0]["message_html"] == f'<p><img src="{source}"></p>'


def test_a_picture_by_its_data_is_kept(itop: Itop) -> None:
    ticket = itop.ticket()
    markup = f'<p><img src="data:image/png;base64,{PICTURE}" alt="x"></p>'
    itop.sync.update("UserRequest", ticket, {"private_log": markup})
    assert itop.sync.log("UserRequest", ticket)[0]["message_html"] == markup


def test_a_link_to_an_attachment_is_kept(itop: Itop) -> None:
    ticket = itop.ticket()
    attachment = itop.sync.attach("UserRequest", ticket, "p.png", b"x")
    query = f"operation=download_document&amp;class=Attachment&amp;field=contents&amp;id={attachment}"
    address = f"{itop.sync.url}/pages/ajax.document.php?{query}"
    markup = f'<p><img src="{address}" alt="p"> <a href="{address}">p</a></p>'
    itop.sync.update("UserRequest", ticket, {"private_log": markup})
    assert itop.sync.log("UserRequest", ticket)[0]["message_html"] == itop.answers.shown(markup)
