"""Whether everything is in place: both servers, the rights of the accounts, the defaults, the store. Writes nothing.

``finding``   what a check finds
``side``      one server: login, clock, classes, rights, texts
``defaults``  one side's defaults: each exists, and they fit together
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from itopsync.check.finding import Finding, Level, fault, ok
from itopsync.check.side import check_side
from itopsync.config import Configuration
from itopsync.errors import StoreError
from itopsync.itop import Server
from itopsync.model import Side


def check(
    configuration: Configuration,
    servers: Mapping[Side, Server],
    open_store: Callable[[], str | None],
    clock: Callable[[], datetime],
) -> tuple[Finding, ...]:
    """Look at everything, the store first, and return what was found. One fault does not hide another.

    *open_store* returns the store's revision, or None where there is none yet; *clock* tells this host's time.
    """
    return (
        _check_store(open_store),
        *(finding for side in Side for finding in check_side(configuration, servers[side], clock)),
    )


def _check_store(open_store: Callable[[], str | None]) -> Finding:
    try:
        revision = open_store()
    except StoreError as error:
        return fault(None, str(error).rstrip("."), "Nothing runs without it.")
    return ok(None, f"the store is at revision {revision}" if revision else "there is no store yet; the first run makes it")


__all__ = ["Finding", "Level", "check"]
