"""Calls iTop's operations: retries reads, sends writes once, and records each exchange."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from itopsync.errors import LoginRefused, Maintenance, OutcomeUnknown, RemoteError, RequestTooLarge, SideUnavailable, Unreachable
from itopsync.itop.answers import LARGE, Call, judge, passes, too_large
from itopsync.itop.body import Body, Contents
from itopsync.itop.connection import Answer, Broken, Connection, Transport
from itopsync.itop.rows import Document
from itopsync.itop.settings import ServerSettings
from itopsync.itop.throttle import Throttle
from itopsync.model import NOTHING, Side

T = TypeVar("T")

FIRST_PAUSE = 0.5
"""Seconds before a read's first retry; doubled for each further one."""


@dataclass(frozen=True)
class CallRecord:
    """One exchange, for metrics and tracing. A retried read has several."""

    side: Side
    verb: str
    outcome: str
    """``ok``, or the name of the error's class."""
    seconds: float
    attempt: int = 1
    """1 for the first attempt, 2 for the first retry of a read, and so on."""


Guard = Callable[[bool], None]
"""Called before each exchange, with whether it writes. If it raises, nothing is sent, and the caller gets the exception."""


def _ignore(_: object) -> None:
    """Do nothing."""


class Caller:
    """Sends calls to one server. Safe to use from several threads."""

    def __init__(
        self,
        settings: ServerSettings,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_call: Callable[[CallRecord], None] | None = None,
        probe: Callable[[str], None] | None = None,
        *,
        guard: Guard | None = None,
    ) -> None:
        self._settings = settings
        self._connection = Connection(settings, transport)
        self._throttle = Throttle(settings.connections)
        self._sleep = sleep
        self._on_call = on_call or _ignore
        self._probe = probe or _ignore
        self._guard = guard or _ignore
        self.refused_bytes: int | None = None
        """The size of the smallest request so far that the server found too large."""

    def close(self) -> None:
        self._connection.close()

    def run(self, call: Call, parameters: Mapping[str, object], contents: Contents | None = None) -> Document:
        """Send one operation with its *parameters* and return the response.

        :raises RemoteError: as the response demands
        """
        password = self._connection.password
        body = Body({"operation": call.verb, **parameters}, self._connection.form_login, contents)
        values = parameters.get("fields")
        fields = values if isinstance(values, Mapping) else NOTHING
        call = replace(call, bytes=len(body), fields=fields, secrets=self._connection.secrets)
        most = self._settings.max_request
        if call.writes and most is not None and call.bytes > most:
            raise RequestTooLarge(
                call.side,
                f"{call} would take {call.bytes:,} bytes, and max_request allows {most:,}. Raise post_max_size of that server's "
                "PHP, the web server's limit and max_request",
            )
        verdict = self._exchange(call, lambda: self._connection.post(body), judge)
        if isinstance(verdict, LoginRefused) and call.bytes > LARGE:
            # PHP drops a form that exceeds post_max_size, so iTop finds no password.
            self.run(Call(call.side, "list_operations"), {})
            verdict = too_large(call)
        if isinstance(verdict, LoginRefused) and self._connection.renew_password(password) and not call.writes:
            return self.run(call, parameters, contents)
        if isinstance(verdict, RequestTooLarge) and call.bytes > LARGE:
            verdict.news = self.refused_bytes is None or call.bytes < self.refused_bytes
            self.refused_bytes = call.bytes if verdict.news else self.refused_bytes
        if isinstance(verdict, RemoteError):
            raise verdict
        return verdict

    def download(
        self, call: Call, path: str, query: Mapping[str, str], judge_page: Callable[[Call, Answer | Broken], T | RemoteError]
    ) -> T:
        """Fetch a page from the server, without a login. :raises RemoteError: as *judge_page* returns it."""
        verdict = self._exchange(call, lambda: self._connection.get(path, query), judge_page)
        if isinstance(verdict, RemoteError):
            raise verdict
        return verdict

    def _exchange(
        self, call: Call, send: Callable[[], Answer | Broken], judge: Callable[[Call, Answer | Broken], T | RemoteError]
    ) -> T | RemoteError:
        tries = 1 if call.writes or call.once else max(1, self._settings.read_tries)
        pause = FIRST_PAUSE
        attempt = 0
        while True:
            tries -= 1
            attempt += 1
            with self._throttle.place(large=call.bytes > LARGE):
                self._guard(call.writes)
                self._probe(f"before:{call.verb}")
                started = time.perf_counter()
                reply = send()
                seconds = time.perf_counter() - started
            if isinstance(reply, Answer):
                self._probe(f"after:{call.verb}")
            verdict = judge(call, reply)
            self._tell_throttle(reply, verdict, seconds)
            self._on_call(
                CallRecord(
                    side=call.side,
                    verb=call.verb,
                    outcome=type(verdict).__name__ if isinstance(verdict, RemoteError) else "ok",
                    seconds=seconds,
                    attempt=attempt,
                )
            )
            if not tries or not isinstance(verdict, SideUnavailable) or not passes(reply):
                return verdict
            self._sleep(pause)
            pause *= 2

    def _tell_throttle(self, reply: Answer | Broken, verdict: object, seconds: float) -> None:
        if isinstance(verdict, Unreachable | Maintenance | OutcomeUnknown):
            self._throttle.failed(seconds)
        elif isinstance(verdict, SideUnavailable):
            return  # a refusal does not show how busy the server is
        elif isinstance(reply, Answer):
            self._throttle.went_well()
