"""The configuration that the running process uses, so that a command with a different one can say so."""

from __future__ import annotations

from datetime import datetime

from itopsync.store.store import Store

OTHER = (
    "The running process works with another configuration than sync.toml has now: `sudo systemctl reload itopsync` makes it "
    "take that over."
)
_FACT = "configuration"


def note(store: Store, fingerprint: str) -> None:
    """Record the configuration in use from now on; it counts while somebody holds the lease."""
    if store.facts.get(_FACT) != fingerprint:
        store.facts.put(_FACT, fingerprint)


def is_other(store: Store, fingerprint: str, now: datetime) -> bool:
    """Whether the running process uses a different configuration."""
    held = store.lease.current()
    return held is not None and held.until > now and store.facts.get(_FACT) not in (None, fingerprint)
