"""What an answer means.

iTop answers nearly everything with HTTP 200 and a ``code``, and code 1 and code 100 mean many things that only their texts
tell apart. The patterns are anchored where they can be: a text may quote a ticket, and a ticket may quote an error. What is
kept of a text is :mod:`~itopsync.itop.wording`'s to say.
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
    TooLarge,
    Unreachable,
    clip,
)
from itopsync.itop import wording
from itopsync.itop.connection import Answer, Broken
from itopsync.itop.rows import Document, parse
from itopsync.model import NOTHING, Side

LARGE = 1_000_000
"""Bytes of a request from which PHP's ``post_max_size`` is a likelier cause of ``Invalid login`` than the password.
The smallest limit that is met in practice is PHP's own default, 8 MB."""

OK, UNAUTHORISED, NO_JSON = 0, 1, 3
PROTOCOL = frozenset({2, 3, 5, 6, 10, 11, 13})
"""Codes that say that this client does not speak as the server wants it. All others, MySQL's own numbers and whatever an
extension throws among them, speak of what one request asks for."""

NO_RIGHT = re.compile(r"The current user does not have enough permissions for ([a-z ]{1,40}) data of class (\w{1,80})")
NO_OBJECT = re.compile(r"Error: Invalid object (\w{1,80})::(\d{1,20})")
TOO_LONG = re.compile(r"[^\[]*\(\w{1,60}\) ?: ?String too long \(")
LOG_INDEX = "_index"
GONE_AWAY = frozenset({1040, 1053, 2002, 2003, 2006, 2013})
"""MySQL's numbers for: too many connections, shutting down, cannot connect (twice), gone away, lost."""
BUSY = frozenset({1205, 1213})
"""Lock wait time-out, deadlock: iTop rolled back."""
NOT_WRITABLE = frozenset({1021, 1114, 1290, 1836})
"""Disk full, table full, read-only (twice): no write of any ticket can be carried out for now."""
_BY_A_PROXY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
_OR_A_PROXYS = ", or that of the proxy before it"
_ENDPOINT = "/webservices/rest.php"
_FOLDER = re.compile(r"(?:/[\w.~-]{1,64}){1,4}", re.ASCII)
HOST = re.compile(r"[\w.:\[\]-]{1,255}", re.ASCII)
NOT_ENCODED = "json encoding failed"
"""How iTop's text begins when what it would answer is not UTF-8; the rest is all of it in hexadecimal digits. A write has
been carried out by then (read in iTop's source, not met)."""


class ServerFailed(Unreachable):
    """The server failed on a read (HTTP 5xx): it may be down, or it may be this one read that it cannot do."""


@dataclass(frozen=True)
class Call:
    """What was asked."""

    side: Side
    verb: str
    cls: str = ""
    id: int | None = None
    writes: bool = False
    reads_contents: bool = False
    once: bool = False
    """Whether a read that fails is not sent again."""
    bytes: int = 0
    """The size of the request."""
    fields: Mapping[str, object] = field(default=NOTHING, repr=False, compare=False)
    """The values that a write sends, to tell them from iTop's own words."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.verb, f"{self.cls}::{self.id}" if self.id is not None else self.cls) if part)


def passes(reply: Answer | Broken) -> bool:
    """Whether the same read, having failed, may get another answer in a moment: no answer, a server's fault, a page of HTML."""
    if isinstance(reply, Broken):
        return True
    if not reply.whole:
        return False
    return reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or (
        reply.status == HTTPStatus.OK and not reply.body.lstrip().startswith(b"{")
    )


def judge(call: Call, reply: Answer | Broken) -> Document | RemoteError:
    """Return the document that a call was answered with, or the error that the answer amounts to (not raised)."""
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
        return _no_answer(call, f"answered something else than iTop's JSON ({_kind(reply)}). See that url is iTop's address")
    return document if document.code == OK else _judge_code(call, document)


def _judge_code(call: Call, document: Document) -> RemoteError:
    """Return the error that a code other than 0 amounts to."""
    code, text = document.code, document.message
    if code == UNAUTHORISED:
        return _unauthorised(call, text)
    if code == NO_JSON and call.bytes > LARGE:
        # What "Invalid login" is for a login in the form: PHP has dropped the form, but the header's login holds.
        return too_large(call)
    if code in PROTOCOL:
        return Unreachable(call.side, f"does not take this client's requests (code {code}: {wording.query_fault(text)})")
    return _refused_write(call, text) if call.writes else _refused_read(call, text)


def judge_broken(call: Call, reply: Broken) -> RemoteError:
    """Return the error that no answer amounts to."""
    if not reply.sent:
        return Unreachable(call.side, f"cannot be reached ({reply.reason}). See that it is up, and that url is right")
    return _no_answer(call, f"gave no answer ({reply.reason})")


def judge_status(call: Call, reply: Answer) -> RemoteError:
    """Return the error that an HTTP status other than 200 amounts to."""
    status = reply.status
    side = call.side
    error: RemoteError
    if status == HTTPStatus.SERVICE_UNAVAILABLE and _is_maintenance(call, reply.body):
        error = Maintenance(side, "is in maintenance (HTTP 503). Nothing is to be done but to wait")
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        said = f"failed (HTTP {status}). See its own error log{_OR_A_PROXYS if status in _BY_A_PROXY else ''}"
        error = _no_answer(call, said) if call.writes else ServerFailed(side, said)
    elif status < HTTPStatus.OK or status >= HTTPStatus.BAD_REQUEST:
        error = _client_error(call, status)
    elif status >= HTTPStatus.MULTIPLE_CHOICES:
        error = Unreachable(side, f"the url redirects to {_place(reply)}: configure that address as url")
    else:
        error = _no_answer(call, f"answered HTTP {status}")
    return error


def _is_maintenance(call: Call, body: bytes | bytearray) -> bool:
    """Whether iTop itself says so, in JSON; a page is of a proxy. A write is not sent again on a gateway's word."""
    return b"maintenance" in body or (not call.writes and body.lstrip().startswith(b"{"))


def too_large(call: Call) -> RequestTooLarge:
    """Return the error for a request that PHP or the web server dropped for its size."""
    return RequestTooLarge(
        call.side,
        f"{call} with {call.bytes:,} bytes is more than the server takes. Raise post_max_size of its PHP and the "
        "web server's limit, and say in max_request what that is",
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
        return LoginRefused(side, "the web server before iTop asks for a login of its own (HTTP 401). See login and password")
    if status == HTTPStatus.NOT_FOUND:
        return Unreachable(side, "there is no iTop at this address (HTTP 404). See that url is right")
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
    if text.startswith(("Error: Invalid login", "Error: Portal user", "Error: Unknown authentication")):
        return LoginRefused(side, f"the login is refused ({clip(text)}). See username, password and login")
    # Such as "Only administrators can set the user id": it is this request that is at fault.
    kind = Refused if call.writes else AccessRefused
    return kind(side, f"{call} is refused: {wording.reason(text, call.fields)}")


def _refused_write(call: Call, text: str) -> RemoteError:
    if text.startswith(NOT_ENCODED):
        return _no_answer(call, "could not write its answer as JSON")
    why = wording.reason(text, call.fields)
    if error := wording.database_error(text):
        return _refused_by_database(call, error, why)
    if (gone := NO_OBJECT.fullmatch(text)) and (gone[1], gone[2]) == (call.cls, str(call.id)):
        return Missing(call.side, f"there is no {call.cls}::{call.id}, or the account may not see it")
    if TOO_LONG.match(text):
        return TooLarge(call.side, f"{call} is refused: {why}")
    kind = StimulusRefused if text.startswith("Invalid stimulus") else Refused
    return kind(call.side, f"{call} is refused: {why}")


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
    return BadQuery(call.side, f"cannot answer {call}: {why}. See the scope and the attributes that are configured")


def _kind(reply: Answer) -> str:
    return clip(reply.headers.get("Content-Type") or "no content type", 60)


def _place(reply: Answer) -> str:
    """Return the address of the iTop that a redirect leads to, or of its server only: the rest may hold a session or a token."""
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
