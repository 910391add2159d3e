"""Delivery by Apprise, to chat, e-mail and the other services that it supports. Loaded only when it is configured."""

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
        """Send a notification's summary as a message. :raises NotDelivered: it is not accepted"""
        courier = apprise.Apprise(
            asset=apprise.AppriseAsset(app_id="itopsync", app_desc="itopsync", app_url="", async_mode=False)
        )
        if not courier.add(self._address.reveal()):
            raise NotDelivered("Apprise does not know its address")
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
        """Do nothing: a delivery ends by itself."""


_heard: ContextVar[list[str]] = ContextVar("heard")
"""The HTTP statuses returned for the message being sent; Apprise sends it in another thread, and passes this context on."""


class _Ear(logging.Handler):
    """Extracts the statuses from Apprise's log messages, and drops the rest, which may contain an address."""

    def emit(self, record: logging.LogRecord) -> None:
        _heard.get([]).extend(_STATUS.findall(record.getMessage()))


_logger = logging.getLogger("apprise")
_logger.addHandler(_Ear())
_logger.setLevel(logging.WARNING)
_logger.propagate = False
