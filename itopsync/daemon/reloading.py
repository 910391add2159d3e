"""Reloads the configuration of the running daemon: what is adopted, what needs a restart, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from itopsync.config import Configuration
from itopsync.errors import ConfigurationError, Fault

log = structlog.get_logger(__name__)


def reread(old: Configuration, load: Callable[[], Configuration]) -> Configuration | None:
    """Load the configuration; if it is refused, log every fault and return None.

    The store and its lease stay the same until a restart; log a warning if they were changed.
    """
    try:
        new = load()
        _refuse_another_pair(old, new)
    except ConfigurationError as error:
        for fault in error.faults:
            log.error("configuration refused", fault=str(fault))
        log.error("the old configuration goes on", faults=len(error.faults))
        return None
    for key, changed in (("store.url", new.store_url != old.store_url), ("store.lease", new.lease != old.lease)):
        if changed:
            log.warning("needs a restart", key=key, until_then="the old one is used")
    log.info("configuration taken over", path=str(new.path))
    return replace(new, store_url=old.store_url, lease=old.lease)


def _refuse_another_pair(old: Configuration, new: Configuration) -> None:
    if new.rules.pair != old.rules.pair:
        what = f"it was '{old.rules.pair}' and is '{new.rules.pair}' now, which would be another pair of servers"
        raise ConfigurationError([Fault(f"{new.path}: pair", what, "Put it back, or restart with another store")])
