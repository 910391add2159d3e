"""The notice that a person made or ended a link, written in internal before anything else.

It is one entry in the internal ticket's log; external gets nothing. It says *linked by hand*, with the markers of everything that
both tickets already had, so that none of it is carried even if the store is lost; or *unlinked by hand*.
"""

from __future__ import annotations

import html
from dataclasses import replace

from itopsync.model import TICKET, End, FileStatus, ItemKey, ItemKind, Link, LinkStatus, Side
from itopsync.reconcile.ends import ended
from itopsync.reconcile.entries import full_log
from itopsync.reconcile.markers import attachment_marker, here_marker, is_note, ticket_marker, unlinked_marker
from itopsync.reconcile.notes import head_line
from itopsync.reconcile.part import Part
from itopsync.reconcile.plan import TAKEN, Item, Kept, Note, Plan, Remark, Write
from itopsync.reconcile.situation import Situation
from itopsync.reconcile.ticket_markers import pair_that_linked_first

_WITHOUT = "What stood in both tickets before stays where it is."
_WITH_HISTORY = (
    "Of the log entries and files that stood there before, what the other ticket certainly lacks is carried; "
    "all else stays where it is."
)
_ITEM = Item(ItemKey.of(ItemKind.LINK_NOTICE), "")


def park_taken(situation: Situation) -> Plan | None:
    """Park a link by hand if another pair has linked its internal ticket: that would carry one customer's words to the other.

    It stays parked whatever that pair does later, since what it carried until then is not known as what stays where it is.
    """
    link, internal, rules = situation.link, situation.ticket(Side.INTERNAL), situation.rules
    if link.status is LinkStatus.UNLINKING or ticket_marker(rules.pair, link.external) not in link.base.notes:
        return None
    other = pair_that_linked_first(internal, rules.pair, link.external, rules.internal.accounts)
    if other is None:
        return None
    told = (
        f"{internal.ref} is linked by pair {other!r} already, by that pair's mark in it: run `itopsync unlink {link.id}`, and "
        "link another internal ticket; or this one again, once it is unlinked with the configuration of "
        f"{other!r} and a cycle of that pair has run"
    )
    taken = replace(link, status=LinkStatus.PARKED, obstacles=(TAKEN.parked(told),))
    return Plan(taken, remarks=(Remark(Kept.PARKED, TICKET, told),))


def plan_link_notice(situation: Situation) -> Plan | None:
    """The plan for a link whose notice is not written yet or says that the link has ended; None if all is as it should be."""
    link = situation.link
    is_copy, was_copy = (link.external in which for which in (situation.ticket_markers.standing, situation.ticket_markers.former))
    record = link.base.notes.get(ticket_marker(situation.rules.pair, link.external))
    if link.status is LinkStatus.UNLINKING:
        remedy = f"Nothing is carried any more; `itopsync unlink {link.id} --no-notice` ends the link without that entry"
        return _write(situation, _unlinking(situation), remedy) if is_copy else Plan(ended(link, End.UNLINKED))
    if was_copy and (record is None or (record.writes and not is_copy)):
        return Plan(ended(link, End.UNLINKED if link.external in situation.ticket_markers.unlinked else None))
    if record is None:
        return None
    waits = "Nothing is carried between the two before the link is marked there"
    another = f"{waits}: run `itopsync unlink {link.id}`, and link another internal ticket"
    if record.unmarked:
        return _write(situation, _anew(situation), another)
    if _stands(situation, is_copy=is_copy, written=record.writes > 0):
        return None
    vanishes = (
        f"it was written {record.writes} times and vanished each time under somebody's save. "
        f"{waits}: run `itopsync retry {link.id}` when nobody has an old form open"
    )
    return _write(situation, _linking(situation), another, vanishes if record.writes > situation.rules.limits.rewrites else None)


def kept_markers(pair: str, link: Link) -> tuple[str, ...]:
    """The markers of the entries and files that stay where they are."""
    notes = (marker for marker, record in link.base.notes.items() if record.carried_at is None and is_note(marker))
    files = (attachment_marker(pair, file.origin, file.original_id) for file in link.files if file.status is FileStatus.KEPT)
    return (*notes, *files)


def _stands(situation: Situation, *, is_copy: bool, written: bool) -> bool:
    """Whether the notice is there and names what stays. Before we have written it, an old one that names more does not count."""
    kept = frozenset(kept_markers(situation.rules.pair, situation.link))
    there = situation.ticket_markers.kept
    return is_copy and kept <= there and (written or bool(kept) or not there)


def _write(situation: Situation, note: Note, remedy: str, hopeless: str | None = None) -> Plan:
    """Plan the notice and nothing else. *remedy*: what to do if its log is full. *hopeless*: why it is not even tried."""
    link, ticket, part = situation.link, situation.ticket(Side.INTERNAL), Part()
    full = full_log(Side.INTERNAL, note.log)
    part.want(full, _ITEM)
    if situation.obstacle(full):
        hopeless = f"{note.log} of {ticket.ref} takes no further entry: its index is full. {remedy}"
    waits = situation.obstacle(_ITEM) is not None
    if hopeless and not waits:
        part.park(_ITEM, hopeless)
    actions = () if hopeless or waits else (Write(Side.INTERNAL, {}, (note,), (_ITEM,), {}),)
    others = (obstacle for obstacle in link.obstacles if obstacle.key not in (_ITEM.key, full.key))
    obstacles = part.obstacles(link)
    numbered = replace(link, external_number=situation.ticket(Side.EXTERNAL).number, internal_number=ticket.number)
    return Plan(replace(numbered, obstacles=(*others, *obstacles)), actions, tuple(situation.remarks_on(obstacles)))


def _linking(situation: Situation) -> Note:
    pair, link = situation.rules.pair, situation.link
    markers = (ticket_marker(pair, link.external), _here(situation), *kept_markers(pair, link))
    text = _WITH_HISTORY if link.base.with_history else _WITHOUT
    return _note(situation, markers, "Linked by hand with", text)


def _anew(situation: Situation) -> Note:
    pair, link = situation.rules.pair, situation.link
    markers = (ticket_marker(pair, link.external), _here(situation), *kept_markers(pair, link))
    return _note(situation, markers, "Copy of", "This server had dropped the mark of that.")


def _unlinking(situation: Situation) -> Note:
    markers = (unlinked_marker(situation.rules.pair, situation.link.external), _here(situation))
    return _note(situation, markers, "Unlinked by hand from", "Nothing is carried between the two any more.")


def _here(situation: Situation) -> str:
    return here_marker(situation.rules.pair, situation.ticket(Side.INTERNAL).ref)


def _note(situation: Situation, markers: tuple[str, ...], what: str, text: str) -> Note:
    external = f"{situation.rules.external.label} {situation.ticket(Side.EXTERNAL).number}"
    line = head_line(f"itopsync: {what} {external}")
    return Note(situation.cls.logs[0].internal, markers, situation.now, f"{line}<p>{html.escape(text)}</p>")
