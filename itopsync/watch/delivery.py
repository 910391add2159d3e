"""Delivers notifications to a command or a web address, within a time limit. Its errors never contain a secret."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Protocol

import httpx

from itopsync import __version__, programs
from itopsync.errors import ItopsyncError
from itopsync.settings.proxies import proxy_for
from itopsync.watch.settings import Receiver

HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""The variables of our environment that a command gets; others may contain passwords."""

MOST_ERRORS = 4_096
"""Bytes of a command's standard error that reach ours."""


class NotDelivered(ItopsyncError):
    """A hook did not accept a notification."""


class Way(Protocol):
    """A way of delivery."""

    name: str

    def send(self, notification: Mapping[str, object]) -> None:
        """Deliver a notification within a time limit. :raises NotDelivered: it is not accepted"""

    def kill(self) -> None:
        """Abort a delivery, if possible."""


class Command:
    """A program, run once for each notification, with JSON on standard input, and the JSON and its parts in the environment.

    The end of its standard error is passed on to ours.
    """

    name = "command"

    def __init__(self, command: tuple[str, ...], timeout: float) -> None:
        self._command, self._timeout = command, timeout
        self._running: subprocess.Popen[bytes] | None = None

    def send(self, notification: Mapping[str, object]) -> None:
        """Run it. :raises NotDelivered: it cannot be run, exits with a code other than 0, or takes too long"""
        document = json.dumps(notification)
        parts = {f"ITOPSYNC_{name.upper()}": str(notification[name]) for name in ("event", "pair", "summary", "count")}
        environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        try:
            errors = _Errors()
            try:
                self._running = programs.start(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors.sink,
                    folder="/",
                    environment={**environment, **parts, "ITOPSYNC_NOTIFICATION": document},
                )
            finally:
                os.close(errors.sink)
        except (OSError, ValueError) as error:
            raise NotDelivered(f"it cannot be run: {getattr(error, 'strerror', None) or type(error).__name__}") from None
        try:
            self._running.communicate(document.encode(), self._timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotDelivered(f"it took longer than {self._timeout:g} s and was killed") from None
        finally:
            errors.pass_on()
        if self._running.returncode:
            raise NotDelivered(f"it exited with {self._running.returncode}")

    def kill(self) -> None:
        """Kill it and everything that it has started."""
        if self._running is not None and self._running.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait()


class _Errors:
    """Keeps the end of what a program writes to its standard error."""

    def __init__(self) -> None:
        self._source, self.sink = os.pipe()
        self._end, self._count = b"", 0
        self._thread = threading.Thread(target=self._read, name="hook-errors", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with open(self._source, "rb", buffering=0) as source:
            while part := source.read(MOST_ERRORS):
                self._end, self._count = (self._end + part)[-MOST_ERRORS:], self._count + len(part)

    def pass_on(self) -> None:
        """Pass the end on to our own standard error. A child of the program that has it open still is not waited for."""
        self._thread.join(1)
        cut = f"A hook wrote {self._count:,} bytes to its standard error. The last {MOST_ERRORS:,}:\n"
        sys.stderr.write((cut if self._count > MOST_ERRORS else "") + self._end.decode(errors="replace"))
        sys.stderr.flush()


class Web:
    """A web address."""

    def __init__(self, receiver: Receiver, name: str, timeout: float) -> None:
        self.name = name
        self._receiver, self._timeout = receiver, timeout

    def send(self, notification: Mapping[str, object]) -> None:
        """Send a notification as JSON. :raises NotDelivered: it is not accepted"""
        self._ask("POST", json.dumps(notification).encode())

    def ping(self) -> None:
        """Report that we are alive. :raises NotDelivered: there is no success response"""
        self._ask("GET", None)

    def kill(self) -> None:
        """Do nothing: a request ends by itself."""

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Created once: loading the authorities takes longer than a request."""
        return ssl.create_default_context(cafile=self._receiver.ca_file) if self._receiver.ca_file else httpx.create_ssl_context()

    def _ask(self, method: str, body: bytes | None) -> None:
        receiver = self._receiver
        headers = {"User-Agent": f"itopsync/{__version__}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if receiver.token is not None:
            headers["Authorization"] = f"Bearer {receiver.token.reveal()}"
        try:
            address = receiver.address.reveal()
            proxy = proxy_for(address)
            with (
                httpx.Client(
                    timeout=self._timeout, verify=self._tls, follow_redirects=False, trust_env=False, proxy=proxy
                ) as client,
                client.stream(method, address, content=body, headers=headers) as response,
            ):
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, ImportError, OSError, ValueError) as error:
            # their texts may contain the address
            raise NotDelivered(f"there was no answer: {type(error).__name__}") from None
        if not httpx.codes.is_success(status):
            raise NotDelivered(f"it answered HTTP {status}")
