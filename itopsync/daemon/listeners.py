"""Listeners, such as metrics and notifications, that are called when a cycle ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from itopsync.engine.report import Report
from itopsync.errors import ItopsyncError
from itopsync.store.records import CycleKind

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ended:
    """The end of one cycle."""

    kind: CycleKind
    outcome: Report | ItopsyncError
    """What it did, or what stopped it: a safety stop, a lost lease, a store that does not answer."""


Listener = Callable[[Ended], None]
"""Called in the loop's thread after each cycle, before it waits for the next; it should be quick."""


def tell(listeners: tuple[Listener, ...], ended: Ended) -> None:
    """Call each of *listeners*; log one that fails, and go on."""
    for listener in listeners:
        try:
            listener(ended)
        except Exception:
            log.exception("a listener failed", listener=getattr(listener, "__qualname__", repr(listener)))
