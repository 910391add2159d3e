"""Decides whether and when a failed item is tried again, and reports faults of ours that one ticket triggers."""

from __future__ import annotations

import traceback
from datetime import timedelta
from pathlib import PurePath

import structlog

from itopsync.engine.settings import EngineSettings
from itopsync.errors import ItopsyncError, TicketFault, TooLarge
from itopsync.model import Link
from itopsync.reconcile import agree
from itopsync.reconcile.markers import digest
from itopsync.reconcile.plan import Item
from itopsync.reconcile.rules import Limits

log = structlog.get_logger(__name__)


def wait_after(error: ItopsyncError, link: Link, item: Item, settings: EngineSettings, limits: Limits) -> timedelta | None:
    """How long *item* of *link* waits after another failure; None if it has been tried often enough or is hopeless."""
    tries = agree.tries_of(link, item)
    hopeless = isinstance(error, TooLarge) or tries + 1 >= limits.tries
    return None if hopeless else back_off(settings, link.id, tries)


def back_off(settings: EngineSettings, link_id: int, tries: int) -> timedelta:
    """The wait after *tries* earlier failures: doubled each time, up to a maximum, minus up to a quarter.

    That deduction spreads the retries. It depends only on the link and the number of tries, so that runs are reproducible.
    """
    whole = min(settings.first_back_off * (1 << min(tries, 30)), settings.longest_back_off)
    share = int(digest(str(link_id), str(tries))[:4], 16) / 0xFFFF / 4
    return whole - whole * share


def report_fault(error: Exception, link: Link) -> TicketFault:
    """Log a fault of ours that one link's tickets triggered, with the traceback but nothing that the tickets contain.

    Return the fault, for an obstacle's reason.

    :raises ItopsyncError: *error* itself, if it is no fault of ours, such as a failing store
    """
    if isinstance(error, ItopsyncError):
        raise error
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {PurePath(place.filename).stem}, line {place.lineno}"
    fault = TicketFault(f"itopsync cannot work with what this ticket holds ({where}). Report it, with the lines of the log")
    log.error("ticket failed", link=link.id, ticket=str(link.external), reason=str(fault), exc_info=error)
    return fault
