"""Who is told how each cycle ended: metrics, notifications, systemd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from itopsync.engine.report import Report
from itopsync.errors import ItopsyncError

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ended:
    """How one cycle ended."""

    kind: str
    """:class:`~itopsync.engine.report.CycleKind`."""
    outcome: Report | ItopsyncError
    """What it did, or what broke it off: a safety stop, a lost lease, a store that does not answer."""


Listener = Callable[[Ended], None]
"""Called in the loop's own thread after each cycle, before the next is waited for: it should be quick."""


def tell(listeners: tuple[Listener, ...], ended: Ended) -> None:
    """Call each of *listeners*. One that fails is noted in the log, and the loop goes on."""
    for listener in listeners:
        try:
            listener(ended)
        except Exception:
            log.exception("a listener failed", listener=getattr(listener, "__qualname__", repr(listener)))
