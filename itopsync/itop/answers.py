"""Turns responses into documents or errors.

iTop responds to nearly everything with HTTP 200 and a ``code``, and codes 1 and 100 have many meanings that only their texts
distinguish. Patterns are anchored where possible: a text may quote a ticket, and a ticket may quote an error.
:mod:`~itopsync.itop.wording` decides what is kept of a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from itopsync.errors import (
    AccessRefused,
    BadQuery,
    LogFull,
    LoginRefused,
    Maintenance,
    Missing,
    OutcomeUnknown,
    Refused,
    RemoteError,
    RequestTooLarge,
    StimulusRefused,
    TimedOut,
    TooLarge,
    Unreachable,
)
from itopsync.itop import wording
from itopsync.itop.connection import Answer, Broken
from itopsync.itop.rows import Document, parse
from itopsync.model import NOTHING, Side
from itopsync.settings.secrets import Secret

LARGE = 1_000_000
"""Bytes. For a larger request, PHP's ``post_max_size`` is a likelier cause of ``Invalid login`` than the password. The smallest
limit found in practice is PHP's own default, 8 MB."""

OK, UNAUTHORISED, NO_JSON = 0, 1, 3
PROTOCOL = {
    2: "no version",
    3: "no json_data",
    5: "no auth_user",
    6: "no auth_pwd",
    10: "this version of the API is not served",
    11: "unknown operation",
    13: "invalid page",
}
"""Codes meaning that the server does not understand this client. All others, including MySQL's numbers and whatever an extension
throws, concern a single request."""

NO_RIGHT = re.compile(
    r"The current user does not have enough permissions for "
    r"((?:massively )?(?:creating|modifying|deleting)|reading|exporting) data of class (\w{1,80})"
)
REFUSED_LOGIN = re.compile(r"Error: (Invalid login|Portal user|Unknown authentication)")
NO_OBJECT = re.compile(r"Error: Invalid object (\w{1,80})::(\d{1,20})")
TOO_LONG = re.compile(r"[^\[]*(?:\(\w{1,60}\) ?|'\w{1,60}'): ?String too long \(")
LOG_INDEX = "_index"
GONE_AWAY = frozenset({1040, 1053, 2002, 2003, 2006, 2013})
"""MySQL's numbers for too many connections, shutting down, cannot connect (twice), gone away, lost."""
BUSY = frozenset({1205, 1213})
"""Lock wait time-out and deadlock: iTop rolled back."""
NOT_WRITABLE = frozenset({1021, 1114, 1290, 1836})
"""Disk full, table full, read-only (twice): for now, no ticket can be written."""
_BY_A_PROXY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
_OR_A_PROXYS = ", or that of the proxy before it"
_UNKNOWN = (
    "the reason is not in iTop's own words and may quote a ticket, so it is not kept. Look it up in that server's "
    "EventRestService (if log_rest_service is set), or ask who maintains its extensions"
)
_MEDIA_TYPE = re.compile(r"(?:text|application)/[\w.+-]{1,40}")
_ENDPOINT = "/webservices/rest.php"
_FOLDER = re.compile(r"(?:/[\w.~-]{1,64}){1,4}", re.ASCII)
HOST = re.compile(r"[\w.:\[\]-]{1,255}", re.ASCII)
NOT_ENCODED = "json encoding failed"
"""The start of iTop's text if its response would not be UTF-8; the rest is the response in hexadecimal digits. A write has been
carried out by then (from iTop's source, never observed)."""


class ServerFailed(Unreachable):
    """The server failed on a read (HTTP 5xx): it may be down, or unable to do this one read."""


@dataclass(frozen=True)
class Call:
    """One call of an operation."""

    side: Side
    verb: str
    cls: str = ""
    id: int | None = None
    writes: bool = False
    reads_contents: bool = False
    once: bool = False
    """Whether a failed read is not retried."""
    bytes: int = 0
    """The size of the request."""
    fields: Mapping[str, object] = field(default=NOTHING, repr=False, compare=False)
    """The values that a write sends, to distinguish them from iTop's own words."""
    secrets: tuple[Secret, ...] = field(default=(), repr=False, compare=False)
    """What the login sends that nobody may see."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.verb, f"{self.cls}::{self.id}" if self.id is not None else self.cls) if part)


def passes(reply: Answer | Broken) -> bool:
    """Whether a failed read may succeed in a moment: the connection failed, or there was a server error or an HTML page.

    One that took too long is not repeated at once: that would hold up others for as long again.
    """
    if isinstance(reply, Broken):
        return not reply.late
    if not reply.whole:
        return False
    return reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or (
        reply.status == HTTPStatus.OK and not reply.body.lstrip().startswith(b"{")
    )


def judge(call: Call, reply: Answer | Broken) -> Document | RemoteError:
    """Return the document in a response, or the error that it represents (not raised)."""
    if isinstance(reply, Broken):
        return judge_broken(call, reply)
    if not reply.whole:
        if call.writes:
            return _no_answer(call, "answered more than is read")
        return TooLarge(call.side, f"the answer to {call} is longer than is read")
    if reply.status != HTTPStatus.OK:
        return judge_status(call, reply)
    document = parse(reply.body, reply.headers.get("Date"), lift_contents=call.reads_contents)
    if document is None:
        return _no_answer(call, f"answered something else than iTop's JSON ({_kind(reply)}). Check that url is iTop's address")
    return document if document.code == OK else _judge_code(call, document)


def _judge_code(call: Call, document: Document) -> RemoteError:
    """Return the error that a code other than 0 represents."""
    code, text = document.code, document.message
    if code == UNAUTHORISED:
        return _unauthorised(call, text)
    if code == NO_JSON and call.bytes > LARGE:
        # With a login in the form, this would be "Invalid login": PHP has dropped the form, but the header's login is valid.
        return too_large(call)
    if code in PROTOCOL:
        return Unreachable(call.side, f"does not take this client's requests (code {code}: {PROTOCOL[code]})")
    return _refused_write(call, text) if call.writes else _refused_read(call, text)


def judge_broken(call: Call, reply: Broken) -> RemoteError:
    """Return the error for a missing response."""
    if not reply.sent:
        return Unreachable(call.side, f"cannot be reached ({reply.reason}). {reply.remedy}")
    what = f"gave no answer ({reply.reason})"
    return TimedOut(call.side, what) if reply.late and not call.writes else _no_answer(call, what)


def judge_status(call: Call, reply: Answer) -> RemoteError:
    """Return the error for an HTTP status other than 200."""
    status = reply.status
    side = call.side
    error: RemoteError
    if status == HTTPStatus.SERVICE_UNAVAILABLE and _is_maintenance(call, reply.body):
        error = Maintenance(side, "is in maintenance (HTTP 503). Wait until it ends")
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        failure = f"failed (HTTP {status}). See its own error log{_OR_A_PROXYS if status in _BY_A_PROXY else ''}"
        error = _no_answer(call, failure) if call.writes else ServerFailed(side, failure)
    elif status < HTTPStatus.OK or status >= HTTPStatus.BAD_REQUEST:
        error = _client_error(call, status)
    elif status >= HTTPStatus.MULTIPLE_CHOICES:
        error = Unreachable(side, f"the url redirects to {_place(reply)}: configure that address as url")
    else:
        error = _no_answer(call, f"answered HTTP {status}")
    return error


def _is_maintenance(call: Call, body: bytes | bytearray) -> bool:
    """Whether iTop itself reports maintenance, in JSON. A page comes from a proxy, which does not justify resending a write."""
    return b"maintenance" in body or (not call.writes and body.lstrip().startswith(b"{"))


def too_large(call: Call) -> RequestTooLarge:
    """Return the error for a request that PHP or the web server dropped because of its size."""
    return RequestTooLarge(
        call.side,
        f"{call} with {call.bytes:,} bytes is more than the server takes. Raise post_max_size of its PHP and the "
        "web server's limit, and set max_request to that",
    )


def _no_answer(call: Call, what: str) -> RemoteError:
    if call.writes:
        return OutcomeUnknown(call.side, f"{what}; whether {call} was carried out is not known, and it is to be looked for")
    return Unreachable(call.side, what)


def _client_error(call: Call, status: int) -> RemoteError:
    side = call.side
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large(call)
    if status == HTTPStatus.UNAUTHORIZED:
        return LoginRefused(
            side,
            "the web server before iTop requires its own login (HTTP 401). Check login and password; if the password was changed "
            "since itopsync started, restart it",
        )
    if status == HTTPStatus.NOT_FOUND:
        return Unreachable(side, "there is no iTop at this address (HTTP 404). Check that url is right")
    if call.writes and status not in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS):
        return Refused(side, f"something before iTop, a firewall perhaps, refuses {call} (HTTP {status}). See its log")
    return _no_answer(call, f"answered HTTP {status}")


def _unauthorised(call: Call, text: str) -> RemoteError:
    side = call.side
    if right := NO_RIGHT.match(text):
        return AccessRefused(
            side,
            f"the account lacks the right of {right[1]} data of class {right[2]}. Give it a profile that has it",
        )
    if text.startswith("Error: This user is not authorized"):
        return LoginRefused(side, "the account lacks the profile REST Services User. Give it to the account in iTop")
    if refused := REFUSED_LOGIN.match(text):
        return LoginRefused(
            side,
            f"the login is refused ({refused[1]}). Check username, password and login; if the password was changed since "
            "itopsync started, restart it",
        )
    # Such as "Only administrators can set the user id": only this request is at fault.
    if not call.writes:
        return AccessRefused(side, f"{call} is refused: {wording.query_fault(text) or _UNKNOWN}")
    why = wording.reason(text, call.fields, call.secrets)
    return _quoting(Refused(side, f"{call} is refused: {why}"), text, why)


def _quoting(error: RemoteError, text: str, why: str) -> RemoteError:
    """Return *error*, with what is kept of *text* at its end."""
    error.quoted = why if wording.known_reason(text) is None else ""
    return error


def _refused_write(call: Call, text: str) -> RemoteError:
    if text.startswith(NOT_ENCODED):
        return _no_answer(call, "could not write its answer as JSON")
    why = wording.reason(text, call.fields, call.secrets)
    if error := wording.database_error(text):
        return _refused_by_database(call, error, why)
    if (gone := NO_OBJECT.fullmatch(text)) and (gone[1], gone[2]) == (call.cls, str(call.id)):
        return Missing(call.side, f"there is no {call.cls}::{call.id}, or the account may not see it")
    if TOO_LONG.match(text):
        return _quoting(TooLarge(call.side, f"{call} is refused: {why}"), text, why)
    kind = StimulusRefused if text.startswith("Invalid stimulus") else Refused
    return _quoting(kind(call.side, f"{call} is refused: {why}"), text, why)


def _refused_by_database(call: Call, error: wording.DatabaseError, why: str) -> RemoteError:
    if error.number in GONE_AWAY:
        return _no_answer(call, f"lost its database ({why})")
    if error.number in NOT_WRITABLE:
        return Unreachable(call.side, f"cannot write to its database ({why})")
    if not error.too_long:
        return Refused(call.side, f"{call} is refused by the server's database: {why}")
    if error.column and error.column.endswith(LOG_INDEX):
        log = error.column.removesuffix(LOG_INDEX)
        return LogFull(call.side, f"{call} is refused: {log} takes no further entry: its index is full", log=log)
    return TooLarge(call.side, f"{call} is too large for the server's database: {why}")


def _refused_read(call: Call, text: str) -> RemoteError:
    if text.startswith(NOT_ENCODED):
        return ServerFailed(call.side, "could not write its answer as JSON: a text that it holds is not UTF-8")
    error = wording.database_error(text)
    if error and error.number in GONE_AWAY | BUSY:
        return Unreachable(call.side, f"has trouble with its database ({error})")
    why = wording.query_fault(text)
    remedy = ". Check the scope and the configured attributes" if why else ""
    return BadQuery(call.side, f"cannot answer {call}: {why or _UNKNOWN}{remedy}")


def _kind(reply: Answer) -> str:
    kind = _MEDIA_TYPE.match(reply.headers.get("Content-Type") or "")
    return kind[0] if kind else "no content type"


def _place(reply: Answer) -> str:
    """Return the iTop address that a redirect leads to, or only its server: the rest may contain a session or a token."""
    try:
        target = urlsplit(reply.headers.get("Location") or "")
        port = f":{target.port}" if target.port else ""
    except ValueError:
        return "somewhere else"
    folder, found, _ = target.path.partition(_ENDPOINT)
    folder = folder if found and _FOLDER.fullmatch(folder) else ""
    if target.hostname is None:
        return f"the path {folder} of the same server" if folder else "another path of the same server"
    host = f"[{target.hostname}]" if ":" in target.hostname else target.hostname
    return f"{target.scheme}://{host}{port}{folder}" if HOST.fullmatch(host) else "somewhere else"
