"""The configured ways of delivery, by name: ``command``, ``webhook``, ``alerts.<name>`` and ``dead_man``."""

from __future__ import annotations

from collections.abc import Iterator

from itopsync.watch.delivery import Command, Way, Web
from itopsync.watch.settings import HooksSettings


def ways(hooks: HooksSettings) -> Iterator[Way]:
    """The ways by which people are notified."""
    timeout = hooks.timeout.total_seconds()
    if hooks.command:
        yield Command(hooks.command, timeout)
    if hooks.webhook:
        yield Web(hooks.webhook, "webhook", timeout)
    if hooks.alerts:
        from itopsync.watch.alerts import Alert

        yield from (Alert(alert.secret, f"alerts.{name}", timeout) for name, alert in hooks.alerts.items())


def dead_man(hooks: HooksSettings) -> Web | None:
    """The dead man's switch."""
    return Web(hooks.dead_man, "dead_man", hooks.timeout.total_seconds()) if hooks.dead_man else None
