"""The configuration that the process at work has, so that a command that reads another one can say so."""

from __future__ import annotations

from datetime import datetime

from itopsync.store.store import Store

OTHER = (
    "The running process works with another configuration than sync.toml has now: `sudo systemctl reload itopsync` makes it "
    "take that over."
)
_FACT = "configuration"


def note(store: Store, fingerprint: str) -> None:
    """Remember what is worked with from now on, for as long as the lease is ours."""
    if store.facts.get(_FACT) != fingerprint:
        store.facts.put(_FACT, fingerprint)


def is_other(store: Store, fingerprint: str, now: datetime) -> bool:
    """Whether a process is at work with another configuration."""
    held = store.lease.current()
    return held is not None and held.until > now and store.facts.get(_FACT) not in (None, fingerprint)
