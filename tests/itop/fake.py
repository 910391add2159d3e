"""A server that answers what a test tells it to, and remembers what it was asked."""

import json
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from itopsync.itop.attributes import Attributes
from itopsync.itop.caller import CallRecord
from itopsync.itop.server import Server
from itopsync.itop.settings import Login, ServerSettings
from itopsync.model import Side
from itopsync.reconcile.rules import Kind
from itopsync.settings.secrets import Secret

URL = "http://itop.example/itop"
USER, PASSWORD = "sync", "s3cret-p\u00e4ss"
DATE = "Tue, 24 Nov 2026 03:13:00 GMT"
TICKET = Attributes(
    fields={"title": Kind.TEXT, "start_date": Kind.DATE, "agent_id": Kind.CODE, "assignment_date": Kind.DATE},
    logs=("private_log",),
)
FIELDS = {
    "id": "7",
    "ref": "R-000007",
    "last_update": "2026-11-24 10:13:00",
    "finalclass": "UserRequest",
    "org_id": "3",
    "status": "new",
    "title": "Printer",
    "start_date": "2026-11-24 10:00:00",
    "agent_id": "0",
    "assignment_date": "",
    "private_log": {
        "entries": [
            {"date": "2026-11-24 10:05:00", "user_login": "Alice", "user_id": "3", "message": "x", "message_html": "<p>x</p>"}
        ]
    },
}
"""A user request as iTop shows it to ``TICKET``."""

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def settings(**changes: Any) -> ServerSettings:
    zone, password = ZoneInfo("Asia/Jakarta"), Secret(PASSWORD)
    plain = ServerSettings(side=Side.EXTERNAL, url=URL, username=USER, password=password, login=Login.FORM, timezone=zone)
    return plain.model_copy(update=changes)


def page(status: int = 200, text: str = "<html>Sorry</html>", **headers: str) -> httpx.Response:
    return httpx.Response(status, text=text, headers={"Content-Type": "text/html", "Date": DATE, **headers})


def answer(document: dict[str, Any], status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=document, headers={"Date": DATE})


def error(code: int, message: str) -> httpx.Response:
    return answer({"code": code, "message": message})


def objects(
    *rows: dict[str, Any], cls: str = "UserRequest", message: str | None = "", found: int | None = None
) -> httpx.Response:
    """An answer with objects; *message* is ``Found: N`` unless it is given."""
    listed = {
        f"{cls}::{row['id']}": {"code": 0, "message": "", "class": row.get("finalclass", cls), "key": row["id"], "fields": row}
        for row in rows
    }
    return answer(
        {
            "code": 0,
            "message": message if message != "" else f"Found: {len(rows) if found is None else found}",
            "objects": listed or None,
        }
    )


def stored(**changes: Any) -> httpx.Response:
    """A write's answer."""
    return objects({**FIELDS, **changes}, message=None)


def contents(data: bytes, name: str = "a.txt") -> httpx.Response:
    """A file's contents as PHP writes them, with slashes escaped."""
    text = json.dumps({"data": b64encode(data).decode(), "mimetype": "text/plain", "filename": name, "downloads_count": 0})
    row = '{"code":0,"message":"","class":"Attachment","key":"5","fields":{"contents":%s}}'
    body = '{"code":0,"message":"Found: 1","objects":{"Attachment::5":%s}}' % (
        row % text.replace('": ', '":').replace("/", "\\/")
    )
    return httpx.Response(200, text=body, headers={"Content-Type": "application/json", "Date": DATE})


def form_of(request: httpx.Request) -> dict[str, str]:
    """The fields of a request's form."""
    return form_in(request.headers["Content-Type"], request.read())


def form_in(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form."""
    boundary = content_type.partition("boundary=")[2].encode()
    found = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        found[head.partition(b'name="')[2].partition(b'"')[0].decode()] = value.removesuffix(b"\r\n").decode()
    return found


class Fake:
    """The last reply is given again and again."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.requests: list[httpx.Request] = []
        self.forms: list[dict[str, str]] = []
        self.sleeps: list[float] = []
        self.records: list[CallRecord] = []
        self.probed: list[str] = []
        self._servers: list[Server] = []

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(form["json_data"]) for form in self.forms]

    def server(self, *replies: Reply, **changes: Any) -> Server:
        self.replies.extend(replies)
        server = Server(
            settings(**changes), httpx.MockTransport(self._handle), self.sleeps.append, self.records.append, self._probe
        )
        self._servers.append(server)
        return server

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def _probe(self, place: str) -> None:
        self.probed.append(place)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "POST":
            self.forms.append(form_of(request))
        reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx.Response):
            # A response can be read once only, and the last one is given again.
            return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
        return reply(request)
