"""Notifications to systemd by the ``sd_notify(3)`` protocol: datagrams of ``NAME=value`` lines to the socket that it names."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

import structlog

log = structlog.get_logger(__name__)

_MICROSECONDS = 1_000_000
_SHARE = 4
"""How often the watchdog is notified within its time."""
_PATIENCE = 1.0
"""How many seconds to wait until a notification is accepted, so that nobody who ignores them holds up work."""


class Systemd:
    """The systemd that started us; does nothing if it did not. Safe to use from several threads."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        ours = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        self.watchdog = float(environ.get("WATCHDOG_USEC") or 0) / _MICROSECONDS if ours and address else 0.0
        """Seconds without a notification after which systemd kills us; 0 for never."""
        self.interval = self.watchdog / _SHARE or 60.0
        """Seconds between two notifications of the watchdog."""
        self._next = 0.0

    def alive(self) -> None:
        """Notify the watchdog that work is progressing. May be called as often as you like."""
        now = time.monotonic()
        if self.watchdog and now >= self._next:
            self._next = now + self.interval
            self._say("WATCHDOG=1")

    def ready(self, status: str) -> None:
        """Report that we are working, or working again after a reload."""
        self._say("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Report that the configuration is being reloaded, until :meth:`ready`."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, status: str) -> None:
        """Set the status line of ``systemctl status``."""
        self._say(f"STATUS={status}")

    def stopping(self) -> None:
        """Report that we are stopping."""
        self._say("STOPPING=1", "STATUS=stopping")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.settimeout(_PATIENCE)
                to.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), self._address)
        except OSError as error:
            log.warning("systemd does not hear us", reason=error.strerror or str(error))
