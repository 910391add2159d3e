"""Puts the content for one side into requests, as few as iTop allows or one per item."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from itopsync.model import Side
from itopsync.reconcile.entries import note_item
from itopsync.reconcile.part import Content, StateWrite, Value
from itopsync.reconcile.plan import Note, Write
from itopsync.reconcile.room import weight


def together(side: Side, content: Content, room: int) -> list[Write]:
    """As few requests as iTop allows: the last note goes with the fields, and both go with the first stimulus.

    *room*: how many bytes of text fit into one request.
    """
    rounds = _rounds(content, room)
    last = rounds.pop() if rounds else ()
    if not _fits(room, last, content.all_values):
        return one_by_one(side, content, room)
    writes = [_write(side, notes) for notes in rounds]
    if content.state_writes:
        writes.append(_write(side, last, content.values, content.state_writes[0]))
        writes += [_write(side, (), (), each) for each in content.state_writes[1:]]
    elif last or content.values:
        writes.append(_write(side, last, content.values))
    return writes


def one_by_one(side: Side, content: Content, room: int) -> list[Write]:
    """One request per item, so that a refusal shows which is at fault; items that do not depend on the state come first."""
    return [
        *(_write(side, (note,)) for notes in _rounds(content, room) for note in notes),
        *(_write(side, (), (value,)) for value in content.values),
        *(replace(_write(side, (), (), each), items=(each.item,)) for each in content.state_writes),
    ]


def _rounds(content: Content, room: int) -> list[tuple[Note, ...]]:
    """The notes in order, as many per request as iTop accepts: one for each log."""
    rounds = [tuple(filter(None, notes)) for notes in itertools.zip_longest(*content.logs)]
    fit = ((notes,) if _fits(room, notes) else tuple((note,) for note in notes) for notes in rounds)
    return [notes for several in fit for notes in several]


def _fits(room: int, notes: Sequence[Note], values: Sequence[Value] = ()) -> bool:
    """Whether all these notes and values fit into one request."""
    return weight(*(note.html for note in notes), *(value.value for value in values)) <= room


def _write(side: Side, notes: tuple[Note, ...], values: Sequence[Value] = (), state: StateWrite | None = None) -> Write:
    written = (*values, *(state.companions if state else ()))
    return Write(
        side=side,
        fields={**{value.rule.of(side): value.value for value in written}, **(state.defaults.values if state else {})},
        notes=notes,
        items=(
            *((state.item,) if state else ()),
            *(value.item for value in written),
            *(note_item(marker) for note in notes for marker in note.markers),
        ),
        agrees={value.rule.external: value.fingerprint for value in written},
        stimulus=state.step.stimulus if state else None,
        leads_to=state.step.state if state else None,
        routes_taken=state.defaults.routes_taken if state else (),
    )
