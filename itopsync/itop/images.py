"""Images pasted into texts, which iTop serves from a separate page to anyone who has the secret in the text."""

from __future__ import annotations

import mimetypes
from email.message import Message
from http import HTTPStatus

from itopsync.errors import Missing, RemoteError, TooLarge, Unreachable
from itopsync.itop.answers import Call, judge_broken, judge_status
from itopsync.itop.connection import Answer, Broken
from itopsync.model import File

PAGE = "pages/ajax.document.php"
VERB = "download_inlineimage"


def judge_image(call: Call, reply: Answer | Broken) -> File | RemoteError:
    """Return the image, or the error that the response represents (not raised).

    For a wrong id or secret, iTop returns HTTP 200, a line of HTML and an empty file name.
    """
    if isinstance(reply, Broken):
        return judge_broken(call, reply)
    if not reply.whole:
        return TooLarge(call.side, f"{call.cls}::{call.id} is longer than is read")
    missing = Missing(call.side, f"there is no {call.cls}::{call.id}, or its secret is another one")
    if reply.status != HTTPStatus.OK:
        return missing if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) else judge_status(call, reply)
    if "Content-Disposition" not in reply.headers:
        return Unreachable(call.side, f"answered a page instead of {call.cls}::{call.id}. Check that url is iTop's address")
    header = Message()
    header["Content-Type"] = reply.headers.get("Content-Type") or "application/octet-stream"
    header["Content-Disposition"] = reply.headers["Content-Disposition"]
    mimetype = header.get_content_type()
    name = header.get_filename() or ""
    if not name and mimetype == "text/html":
        return missing
    return File(name or f"image-{call.id}{mimetypes.guess_extension(mimetype) or ''}", mimetype, bytes(reply.body))
