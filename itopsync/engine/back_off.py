"""Whether and when something is tried again: later each time, bounded, and spread so that not everything comes at once."""

from __future__ import annotations

from datetime import timedelta

from itopsync.engine.settings import EngineSettings
from itopsync.errors import ItopsyncError, TooLarge
from itopsync.model import Link
from itopsync.reconcile import agree
from itopsync.reconcile.identity import digest
from itopsync.reconcile.plan import Item
from itopsync.reconcile.rules import Limits


def wait_after(error: ItopsyncError, link: Link, item: Item, settings: EngineSettings, limits: Limits) -> timedelta | None:
    """How long *item* of *link* waits after it failed once more; None where it has been tried often enough, or is hopeless."""
    tries = agree.tries_of(link, item)
    hopeless = isinstance(error, TooLarge) or tries + 1 >= limits.tries
    return None if hopeless else back_off(settings, link.id, tries)


def back_off(settings: EngineSettings, link_id: int, tries: int) -> timedelta:
    """The wait after *tries* earlier failures: doubled each time, up to the longest, less a share of up to a quarter.

    The share depends on the link and the try alone, so that a run can be repeated.
    """
    whole = min(settings.first_back_off * (1 << min(tries, 30)), settings.longest_back_off)
    share = int(digest(str(link_id), str(tries))[:4], 16) / 0xFFFF / 4
    return whole - whole * share
