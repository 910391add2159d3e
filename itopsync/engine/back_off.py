"""How long something waits for its next try: longer each time, bounded, and spread so that not everything comes at once."""

from __future__ import annotations

from datetime import timedelta

from itopsync.engine.settings import EngineSettings
from itopsync.reconcile.identity import digest


def back_off(settings: EngineSettings, link_id: int, tries: int) -> timedelta:
    """The wait after *tries* earlier failures: doubled each time, up to the longest, less a share of up to a quarter.

    The share depends on the link and the try alone, so that a run can be repeated.
    """
    whole = min(settings.first_back_off * (1 << min(tries, 30)), settings.longest_back_off)
    share = int(digest(str(link_id), str(tries))[:4], 16) / 0xFFFF / 4
    return whole - whole * share
