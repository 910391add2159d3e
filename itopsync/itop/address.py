"""A server's own address: the ``app_root_url`` of its configuration, with which every address that it writes begins."""

from __future__ import annotations

import re
from html import unescape
from http import HTTPStatus

from itopsync.errors import RemoteError
from itopsync.itop.answers import Call, judge_broken
from itopsync.itop.connection import Answer, Broken

PAGE = "pages/opensearch.xml.php"
"""A short page for browsers, served without a login, that contains iTop's own address."""
VERB = "opensearch"
ADDRESS = re.compile(rb"""(?:template="|SearchForm>)(https?://[^"'<>\s]{1,2000}?)/*/pages/UI\.php""")


def judge_address(call: Call, reply: Answer | Broken) -> str | RemoteError:
    """Return the address without a trailing slash, ``""`` if there is no such page, or the error (not raised)."""
    if isinstance(reply, Broken):
        return judge_broken(call, reply)
    found = ADDRESS.search(reply.body) if reply.status == HTTPStatus.OK else None
    return unescape(found[1].decode(errors="replace")) if found else ""
