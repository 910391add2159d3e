"""The configuration read anew while the daemon runs: what is taken over, what needs a restart, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from itopsync.config import Configuration
from itopsync.errors import ConfigurationError, Fault

log = structlog.get_logger(__name__)


def reread(old: Configuration, load: Callable[[], Configuration]) -> Configuration | None:
    """Load the configuration; None if it is refused, and every fault is in the log then.

    The store and its lease stay what they are until the process is started anew; that is said if they were changed.
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
        raise ConfigurationError([Fault(f"{new.path}: pair", what, "Put it back, or restart with a store of its own")])
