"""How something goes out, to a command or to a web address: bounded in time, and its failures in words that hold no secret."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import httpx

from itopsync import __version__
from itopsync.errors import ItopsyncError
from itopsync.watch.settings import Receiver

HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""What a command gets of our environment. No more: passwords may stand in it."""


class NotDelivered(ItopsyncError):
    """A hook did not take what it was sent."""


class Way(Protocol):
    """A way out."""

    name: str

    def send(self, notification: Mapping[str, object]) -> None:
        """Deliver it, in bounded time. :raises NotDelivered: it is not taken"""

    def kill(self) -> None:
        """Give up what is under way, if that is possible."""


class Command:
    """A program that is run once for each notification: JSON on its standard input, the same and its parts in its environment."""

    name = "command"

    def __init__(self, command: tuple[str, ...], timeout: float) -> None:
        self._command, self._timeout = command, timeout
        self._running: subprocess.Popen[bytes] | None = None

    def send(self, notification: Mapping[str, object]) -> None:
        """Run it. :raises NotDelivered: it cannot be run, ends with another code than 0, or takes too long"""
        document = json.dumps(notification)
        told = {f"ITOPSYNC_{name.upper()}": str(notification[name]) for name in ("event", "pair", "summary", "count")}
        environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        try:
            self._running = subprocess.Popen(  # noqa: S603 - the operator's own, and no shell reads it
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={**environment, **told, "ITOPSYNC_NOTIFICATION": document},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise NotDelivered(f"it cannot be run: {getattr(error, 'strerror', None) or type(error).__name__}") from None
        try:
            self._running.communicate(document.encode(), self._timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotDelivered(f"it took longer than {self._timeout:g} s and was killed") from None
        if self._running.returncode:
            raise NotDelivered(f"it ended with {self._running.returncode}")

    def kill(self) -> None:
        """End it with all that it has started."""
        if self._running is not None and self._running.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait()


class Web:
    """A web address."""

    def __init__(self, receiver: Receiver, name: str, timeout: float) -> None:
        self.name = name
        self._receiver, self._timeout = receiver, timeout

    def send(self, notification: Mapping[str, object]) -> None:
        """Send a notification as JSON. :raises NotDelivered: it is not taken"""
        self._ask("POST", json.dumps(notification).encode())

    def ping(self) -> None:
        """Say that we live. :raises NotDelivered: nobody hears"""
        self._ask("GET", None)

    def kill(self) -> None:
        """Nothing: what is under way ends by itself."""

    def _ask(self, method: str, body: bytes | None) -> None:
        receiver = self._receiver
        headers = {"User-Agent": f"itopsync/{__version__}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if receiver.token is not None:
            headers["Authorization"] = f"Bearer {receiver.token.reveal()}"
        try:
            verify = ssl.create_default_context(cafile=receiver.ca_file) if receiver.ca_file else True
            with (
                httpx.Client(timeout=self._timeout, verify=verify, follow_redirects=False) as client,
                client.stream(method, receiver.address.reveal(), content=body, headers=headers) as response,
            ):
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # their texts may hold the address
            raise NotDelivered(f"there was no answer: {type(error).__name__}") from None
        if not httpx.codes.is_success(status):
            raise NotDelivered(f"it answered HTTP {status}")
