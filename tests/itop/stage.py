"""Cassettes: what this client and real iTop servers of two versions said to each other, replayed without one.

They are recorded anew when the environment names a server, test by test, file by file or all at once (``-k 3.2.0``)::

    ITOPSYNC_RECORD          its address, on loopback
    ITOPSYNC_RECORD_VERSION  which of ``VERSIONS`` it is
    ITOPSYNC_RECORD_ACCOUNT  name:password of an account with the profiles REST Services User, Support Agent, Service Desk
                             Agent, Change Implementor, Change Supervisor and Change Approver
    ITOPSYNC_RECORD_GUEST    name:password of an account without the profile REST Services User
    ITOPSYNC_RECORD_BOSS     name:password of an administrator
    ITOPSYNC_RECORD_TOKEN    a token of iTop's module authent-token, for an account with the same profiles (``-k "not token"``
                             where there is none)
    ITOPSYNC_RECORD_PEOPLE   a program that does there what people and administrators do: see Stage.people

The server has the ITIL modules and iTop's sample data, the timezone Asia/Jakarta, and a post_max_size of 8 MB. The accounts'
names begin with ``cassette-``, which is found nowhere else; the first one's contact has a name of ten letters, on which depends
how many entries fill a log. Names, passwords and tokens do not get into a cassette: of a request it keeps
method, address and ``json_data``.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import pytest
import vcr
import yaml
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.request import Request

from itopsync.itop.server import Server
from itopsync.itop.settings import Login, ServerSettings
from itopsync.model import Side
from itopsync.settings.secrets import Secret
from tests.itop.fake import form_in

CASSETTES = Path(__file__).parent / "cassettes"
VERSIONS = ("3.2.0", "3.1.2")
"""Each has a folder of cassettes."""
RECORDED = "http://itop.example"
"""Stands in a cassette for the server's address."""
only_on = partial(pytest.mark.parametrize, "stage", indirect=True)
"""For tests of what not every version does: ``@only_on(["3.2.0"])``."""
NotRecorded = CannotOverwriteExistingCassetteException
"""What a request that is not in its cassette raises."""
KEPT_HEADERS = frozenset({"content-type", "content-disposition", "date"})
LONGEST_TEXT = 2_000
LONGEST_LIST = 20
ENVIRONMENT = "ITOPSYNC_RECORD"


class Stage:
    """A server, real or replayed, and the people who work there."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.recording = ENVIRONMENT in os.environ
        self._servers: list[Server] = []

    def server(self, account: str = "account", **changes: Any) -> Server:
        """Return a client; *account* is one of ``account``, ``guest``, ``boss`` and ``token``."""
        name, _, password = self._told(account).partition(":") if account != "token" else ("", "", self._told(account))
        login = Login.TOKEN if account == "token" else Login.FORM
        url = os.environ.get(ENVIRONMENT, RECORDED)
        told: dict[str, Any] = {"url": url, "username": name, "password": Secret(password), "login": login}
        told |= {"side": Side.EXTERNAL, "timezone": ZoneInfo("Asia/Jakarta"), "read_tries": 1, **changes}
        server = Server(ServerSettings(**told))
        self._servers.append(server)
        return server

    def people(self, *what: str | int) -> None:
        """Let something happen on the server that is recorded: nothing when it is replayed.

        - ``note CLASS ID HTML``: somebody else appends to the ticket's private log
        - ``picture CLASS ID``: somebody else pastes a picture into it
        - ``draft CLASS TEMP_ID``: somebody chooses a file in a form that is not saved yet
        - ``delete CLASS ID``
        - ``mode read-only|administrators|maintenance|normal``
        - ``dates minutes|normal``: ``d/m/Y H:i``, ``Y-m-d H:i:s``
        - ``timezone ZONE``
        """
        if self.recording:
            subprocess.run([os.environ["ITOPSYNC_RECORD_PEOPLE"], *map(str, what)], check=True)

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def _told(self, account: str) -> str:
        return os.environ[f"{ENVIRONMENT}_{account.upper()}"] if self.recording else "somebody:secret"


def exchanges(cassette: Path) -> list[dict[str, Any]]:
    """What was said, each with ``request`` and ``response``."""
    return list(yaml.safe_load(cassette.read_text())["interactions"])


def cassette_of(test: str, version: str) -> str:
    """The name of the cassette of a test, whose name is like ``test_that[3.2.0-this]``."""
    what, _, how = test.removeprefix("test_").rstrip("]").partition("[")
    return "-".join(part for part in (what, how.replace(version, "").strip("-")) if part)


@contextmanager
def staged(name: str, version: str = VERSIONS[0]) -> Iterator[Stage]:
    """Play the cassette *name* of a version, or record it."""
    path = CASSETTES / version / f"{name}.yaml"
    stage = Stage(version)
    if stage.recording:
        assert os.environ[f"{ENVIRONMENT}_VERSION"] == version, f"what the server says is not what {version} says"
        path.unlink(missing_ok=True)
    recorder = vcr.VCR(
        record_mode="all" if stage.recording else "none",
        match_on=("method", "path", "query", "json_data"),
        before_record_request=_without_secrets,
        before_record_response=_legible,
        decode_compressed_response=True,
    )
    recorder.register_matcher("json_data", _same_json)
    try:
        with recorder.use_cassette(str(path)) as cassette:
            yield stage
        assert stage.recording or cassette.all_played, "a part of the cassette was not asked for"
    finally:
        stage.close()
        if stage.recording and any(secret in path.read_text() for secret in _secrets()):
            path.unlink()
            raise AssertionError(f"the cassette {name} would have held an account's name, password or token")


def _secrets() -> Iterator[str]:
    for account in ("ACCOUNT", "GUEST", "BOSS", "TOKEN"):
        if told := os.environ.get(f"{ENVIRONMENT}_{account}"):
            yield from told.split(":", 1)


def _without_secrets(request: Request) -> Request:
    """Keep ``json_data`` of the form, and no header. A request passes here more than once."""
    if content_type := request.headers.get("Content-Type"):
        asked = json.loads(form_in(content_type, request.body)["json_data"])
        request.body = json.dumps(_shortened(asked), ensure_ascii=False)
    request.headers = {}
    parts = urlsplit(request.uri)
    request.uri = urlunsplit((*urlsplit(RECORDED)[:2], *parts[2:]))
    return request


def _same_json(sent: Request, recorded: Request) -> None:
    assert json.loads(sent.body or "{}") == json.loads(recorded.body or "{}")


def _shortened(value: Any) -> Any:
    """Put a digest in the place of a long text or list, so that a cassette stays small and still tells one from another."""
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    if (isinstance(value, str) and len(value) > LONGEST_TEXT) or (isinstance(value, list) and len(value) > LONGEST_LIST):
        return f"{type(value).__name__} of {len(value)}, sha256 {sha256(json.dumps(value).encode()).hexdigest()}"
    return [_shortened(inner) for inner in value] if isinstance(value, list) else value


def _legible(response: dict[str, Any]) -> dict[str, Any]:
    """Keep what is read of an answer, without the server's own address; of an error's long text its beginning and its end."""
    response["headers"] = {name: values for name, values in response["headers"].items() if name.lower() in KEPT_HEADERS}
    body = response["body"]["string"]
    address = os.environ.get(ENVIRONMENT, RECORDED)
    for ours, theirs in ((address, RECORDED), (address.replace("/", r"\/"), RECORDED.replace("/", r"\/"))):
        body = body.replace(ours.encode(), theirs.encode())
    response["body"]["string"] = body
    if body.startswith(b"{"):
        document = json.loads(body)
        message = document.get("message") or ""
        if len(message) > LONGEST_TEXT:
            document["message"] = f"{message[:LONGEST_TEXT]} … {message[-300:]}"
            response["body"]["string"] = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return response
