"""How and why a link ends, and what becomes of it if a ticket that was gone is seen again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from itopsync.model import Base, End, FilePair, FileStatus, Link, LinkStatus, Side, Ticket
from itopsync.reconcile.identity import given_again, needing_a_person
from itopsync.reconcile.rules import ClassRules, Rules
from itopsync.reconcile.ticket_markers import is_copy


def ended(link: Link, why: End | None) -> Link:
    """The link as a tombstone, with the reason, which could not be found out later from what both sides show; None if unknown."""
    base = replace(link.base, ended=why)
    return replace(link, status=LinkStatus.TOMBSTONE, base=base, obstacles=(), due_at=None, in_doubt=False)


def why(link: Link) -> str:
    """Why an ended link ended, in words."""
    end = link.base.ended
    if end is None:
        return "why was not noted when it ended: one of the two tickets was gone, or they were unlinked by hand"
    if end.gone:
        return f"{_named(link, end.gone)} gone, or out of our account's sight"
    return {
        End.UNLINKED: "unlinked by hand",
        End.COPY: "it is itself a copy of what came from internal, or through this pair before, and no copy goes back",
        End.PROBE: "it is the ticket of `itopsync check --probe-external`",
    }[end]


def seen_again(link: Link, ticket: Ticket, cls: ClassRules, rules: Rules) -> Link | None:
    """Park an ended *link* if *ticket*, which was gone, is back; a person decides.

    None if *ticket* was not gone, or is another one with the same id. If the other ticket is gone too, the link stays ended.
    """
    side, end = ticket.ref.side, link.base.ended
    if link.status is not LinkStatus.TOMBSTONE or end is None or side not in end.gone:
        return None
    if side is Side.EXTERNAL and given_again(link, ticket, cls) is not None:
        return None
    if side is Side.INTERNAL and not is_copy(ticket, cls.internal_logs, rules.pair, link.external, rules.internal.accounts):
        return None
    if still := end.gone - {side}:
        return ended(link, End.of_gone(still))
    reason = (
        f"{_named(link, end.gone)} gone, or out of our account's sight, so the link had ended; what was gone is back. "
        f"`itopsync resume {link.id}` takes the two up again and carries what was written meanwhile; to leave them, "
        f"`itopsync unlink {link.id}`"
    )
    return needing_a_person(replace(link, base=replace(link.base, ended=None), files=_decided(link)), reason)


def _decided(link: Link) -> tuple[FilePair, ...]:
    """The files that a person has decided on. The others are found again by their markers: a backup may lack some of them."""
    return tuple(pair for pair in link.files if pair.status in (FileStatus.KEPT, FileStatus.COPY_DELETED, FileStatus.LEFT))


def bereft_of_copy(link: Link, holder: Link) -> Link:
    """Park *link*, whose ticket is back, because its copy now belongs to *holder*."""
    reason = (
        f"{link.external} was gone, or out of our account's sight, so the link had ended; it is back, and its copy "
        f"{link.internal} is linked with {holder.external_number} by now. Run `itopsync link {link.external} TICKET --history` "
        f"with another ticket of internal; to leave it, `itopsync unlink {link.id}`"
    )
    return needing_a_person(
        replace(link, internal=None, internal_number="", base=Base(last_change=link.base.last_change), files=()), reason
    )


def _named(link: Link, sides: Collection[Side]) -> str:
    names = [str(link.ref(side)) for side in Side if side in sides]
    return f"{' and '.join(names)} {'was' if len(names) == 1 else 'were'}"
