"""Checks one server: first the login, then everything that syncing needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from itopsync.check.addresses import check_pictures, check_public_url
from itopsync.check.dates import check_format, check_timezone
from itopsync.check.defaults import check_defaults
from itopsync.check.finding import LEFT_OUT, Finding, Findings, ok, refusal, warning
from itopsync.check.rights import check_reading, check_writing
from itopsync.check.routes import check_routes
from itopsync.check.tickets import check_class, check_public_log, check_scope
from itopsync.config import Configuration
from itopsync.errors import BadQuery, RemoteError
from itopsync.itop.inquiry import FIRST_WITH, OLDEST
from itopsync.itop.server import Server
from itopsync.model import Side
from itopsync.reconcile.rules import Rules

AROUND_A_FILE = 10_000
"""The bytes of a request besides the file that it carries."""


def check_side(configuration: Configuration, server: Server, clock: Callable[[], datetime]) -> tuple[Finding, ...]:
    """Check one server. If it does not answer or rejects the login, skip the rest and say so."""
    side, rules = server.side, configuration.rules
    try:
        server.check_login()
    except RemoteError as error:
        found = refusal(error)
        return (refusal(error, remedy=f"{found.remedy} {LEFT_OUT}"),)
    findings = Findings(server)
    login = f" of {server.settings.username}" if server.settings.username else ""
    findings.found.append(ok(side, f"{server.settings.url} answers and accepts the login{login}"))
    findings.look("its version", lambda: _version(server))
    findings.look("its own account", lambda: _account(server))
    findings.look("requests", lambda: _requests(server, rules))
    findings.look("dates", lambda: check_timezone(server, rules, clock))
    dates_read = findings.look("dates", lambda: check_format(server, rules))
    findings.look("attachments", lambda: check_reading(server))
    findings.look("rights", lambda: check_writing(server, rules))
    usable = [
        cls for cls in rules.classes if findings.look(cls.of(side), partial(check_class, server, cls, dates_read=dates_read))
    ]
    for cls in usable:
        findings.look(f"{cls.of(side)}: public_log", partial(check_public_log, server, cls))
    findings.look("public_url", lambda: check_public_url(server, rules))
    if rules.images:
        findings.look("pictures", lambda: check_pictures(server))
    findings.look("defaults", lambda: check_defaults(server, rules))
    findings.look("routes", lambda: check_routes(server, rules))
    if side is Side.EXTERNAL:
        findings.look("scope", lambda: check_scope(server, rules, usable))
    return tuple(findings.found)


def _version(server: Server) -> Iterator[Finding]:
    version = server.version()
    yield ok(server.side, f"it is iTop {version}{_BEYOND.get(version, '')}")


_BEYOND = {FIRST_WITH[0][0]: " or newer", OLDEST: " or older"}


def _account(server: Server) -> Iterator[Finding]:
    """Look up our account's id, by which the engine distinguishes our entries from those that people paste."""
    try:
        yield ok(server.side, f"our account there has the id {server.account()}")
    except BadQuery:
        yield warning(
            server.side,
            "it does not return our account's id, so the first of several entries with the same marker counts as ours",
            "Let the account read organisations.",
        )


def _requests(server: Server, rules: Rules) -> Iterator[Finding]:
    """Compare the largest file with the largest request. A server's real limit shows only when it drops a request."""
    most, file = server.settings.max_request, rules.limits.file_size
    if most is None:
        assumed = rules.of(server.side).request_bytes
        yield ok(
            server.side,
            f"the largest request that it accepts is unknown (max_request): texts are cut to {assumed:,} bytes, files are not",
        )
    elif file * 4 // 3 + AROUND_A_FILE > most:
        yield warning(
            server.side,
            f"a file of limits.file_size, {file:,} bytes, does not fit into a request of max_request, {most:,} bytes",
            "Raise post_max_size of that server's PHP and max_request, or lower limits.file_size.",
        )
    else:
        yield ok(server.side, f"a file of limits.file_size fits into a request of max_request, {most:,} bytes")
