"""The way out by Apprise: chat, e-mail and whatever else it knows, by one address each. Nothing of it is loaded without need."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar

import apprise

from itopsync.settings.secrets import Secret
from itopsync.watch.delivery import NotDelivered

_STATUS = re.compile(r"\berror=(\d{3})\b")


class Alert:
    """A service that Apprise reaches."""

    def __init__(self, address: Secret, name: str, timeout: float) -> None:
        self.name = name
        self._address, self._timeout = address, timeout

    def send(self, notification: Mapping[str, object]) -> None:
        """Send a notification's summary as a message. :raises NotDelivered: it is not taken"""
        courier = apprise.Apprise(
            asset=apprise.AppriseAsset(app_id="itopsync", app_desc="itopsync", app_url="", async_mode=False)
        )
        if not courier.add(self._address.reveal()):
            raise NotDelivered("its address is none that Apprise knows")
        for service in courier:
            service.socket_connect_timeout = service.socket_read_timeout = self._timeout
        statuses: list[str] = []
        _heard.set(statuses)
        sent = courier.notify(
            title=f"itopsync {notification['pair']}: {str(notification['event']).replace('_', ' ')}",
            body=str(notification["summary"]),
            notify_type=apprise.NotifyType.WARNING,
            body_format=apprise.NotifyFormat.TEXT,
        )
        if not sent:
            raise NotDelivered(f"it answered HTTP {statuses[-1]}" if statuses else "Apprise could not deliver it")

    def kill(self) -> None:
        """Nothing: what is under way ends by itself."""


_heard: ContextVar[list[str]] = ContextVar("heard")
"""The statuses that servers answered the message being sent; Apprise sends it in a thread of its own, and hands this on."""


class _Ear(logging.Handler):
    """Takes what Apprise logs, which may hold an address, and keeps nothing but statuses."""

    def emit(self, record: logging.LogRecord) -> None:
        _heard.get([]).extend(_STATUS.findall(record.getMessage()))


_logger = logging.getLogger("apprise")
_logger.addHandler(_Ear())
_logger.setLevel(logging.WARNING)
_logger.propagate = False
