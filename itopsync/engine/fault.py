"""A fault of ours that one ticket brings out: it is that ticket's trouble, and told without a word of what the ticket holds."""

from __future__ import annotations

import traceback
from pathlib import PurePath

import structlog

from itopsync.errors import ItopsyncError, TicketFault
from itopsync.model import Link

log = structlog.get_logger(__name__)


def fault_of(error: Exception, link: Link) -> TicketFault:
    """Tell of what came of one link's tickets, with the lines of code that led to it; return it as an obstacle's reason.

    :raises ItopsyncError: it is one that has a meaning of its own, such as a store that fails
    """
    if isinstance(error, ItopsyncError):
        raise error
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {PurePath(place.filename).stem}, line {place.lineno}"
    fault = TicketFault(f"itopsync cannot work with what this ticket holds ({where}). Report it, with the lines of the log")
    log.error("ticket failed", link=link.id, ticket=str(link.external), reason=str(fault), exc_info=error)
    return fault
