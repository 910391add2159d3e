"""What an operator may do to a link: try again, let it rest, take it up again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from itopsync.model import Link, LinkStatus, Obstacle


def retried(link: Link, now: datetime) -> Link:
    """The link with all that stood in its way forgotten, to be looked at *now*; a write that settles goes on settling."""
    if link.status not in (LinkStatus.WAITING, LinkStatus.LINKED):
        return link
    return replace(link, obstacles=(), tries=0, due_at=link.due_at if link.unsettled else now)


def parked(link: Link) -> Link:
    """The link as a whole at rest."""
    if link.status is LinkStatus.TOMBSTONE:
        return link
    obstacle = Obstacle(
        "ticket", "", "parked by hand; `itopsync resume` takes it up again", tries=0, parked=True, not_before=None
    )
    return replace(link, status=LinkStatus.PARKED, obstacles=(obstacle,))


def resumed(link: Link, now: datetime) -> Link:
    """A parked link taken up again, with the external ticket as it is now taken for the one that was linked."""
    if link.status is not LinkStatus.PARKED:
        return link
    status = LinkStatus.LINKED if link.internal else LinkStatus.WAITING
    return retried(replace(link, status=status, base=replace(link.base, born="")), now)
