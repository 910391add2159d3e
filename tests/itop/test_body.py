"""The form that carries a request."""

import json
import tracemalloc
from base64 import b64decode

import httpx
import pytest

from itopsync.itop.body import PIECE, Body, Contents
from itopsync.settings.secrets import Secret
from tests.itop.fake import form_of


def sent(body: Body) -> dict[str, str]:
    request = httpx.Request("POST", "http://itop.example", content=body, headers={"Content-Type": body.content_type})
    return form_of(request)


def test_a_form_carries_login_and_document() -> None:
    body = Body({"operation": "x", "title": "é <b>\u2028😀"}, {"auth_user": Secret("sync"), "auth_pwd": Secret("p&=ä")})
    form = sent(body)
    assert form["auth_user"] == "sync"
    assert form["auth_pwd"] == "p&=ä"
    assert json.loads(form["json_data"]) == {"operation": "x", "title": "é <b>\u2028😀"}
    assert len(b"".join(body)) == len(body)
    assert "sync" not in repr(body)


def test_half_a_character_is_left_to_the_server_to_refuse() -> None:
    assert json.loads(sent(Body({"title": "\ud83d"}, {}))["json_data"]) == {"title": "\ud83d"}


@pytest.mark.parametrize("size", [0, 1, 2, 3, PIECE - 1, PIECE, PIECE + 1])
def test_a_file_is_put_in_as_base64(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    held = Contents(data)
    body = Body({"fields": {"contents": {"data": held, "filename": "a"}}}, {}, held)
    text = json.loads(sent(body)["json_data"])["fields"]["contents"]["data"]
    assert data == b64decode(text)
    assert len(b"".join(body)) == len(body)


def test_an_upload_takes_no_memory_beside_its_file() -> None:
    data = bytes(10_000_000)
    tracemalloc.start()
    try:
        held = Contents(data)
        length = sum(len(part) for part in Body({"data": held}, {}, held))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length > 13_000_000
    assert peak < 1_000_000
