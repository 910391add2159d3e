"""The content for one side put into requests: as few calls as iTop allows, or each thing in a call of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from itopsync.model import ItemKey, ItemKind, Side
from itopsync.reconcile.part import Content, Stage, Value
from itopsync.reconcile.plan import Item, Note, Write
from itopsync.reconcile.room import weight


def together(side: Side, content: Content, room: int) -> list[Write]:
    """As few calls as iTop allows: the last note rides with the fields, and both ride with the first stimulus.

    *room*: how many bytes of texts go into one request.
    """
    rounds = _rounds(content, room)
    last = rounds.pop() if rounds else ()
    if not _fits(room, last, content.all_values):
        return one_by_one(side, content, room)
    writes = [_write(side, notes) for notes in rounds]
    if content.stages:
        writes.append(_write(side, last, content.values, content.stages[0]))
        writes += [_write(side, (), (), stage) for stage in content.stages[1:]]
    elif last or content.values:
        writes.append(_write(side, last, content.values))
    return writes


def one_by_one(side: Side, content: Content, room: int) -> list[Write]:
    """Each thing in a call of its own, so that a refusal tells which was at fault; what does not need the state goes first."""
    return [
        *(_write(side, (note,)) for notes in _rounds(content, room) for note in notes),
        *(_write(side, (), (value,)) for value in content.values),
        *(replace(_write(side, (), (), stage), items=(stage.item,)) for stage in content.stages),
    ]


def _rounds(content: Content, room: int) -> list[tuple[Note, ...]]:
    """The notes in their order, as many at once as iTop takes: one for each log."""
    rounds = [tuple(filter(None, notes)) for notes in itertools.zip_longest(*content.logs)]
    fit = ((notes,) if _fits(room, notes) else tuple((note,) for note in notes) for notes in rounds)
    return [notes for several in fit for notes in several]


def _fits(room: int, notes: Sequence[Note], values: Sequence[Value] = ()) -> bool:
    """Whether all that goes into one request."""
    return weight(*(note.html for note in notes), *(value.value for value in values)) <= room


def _write(side: Side, notes: tuple[Note, ...], values: Sequence[Value] = (), stage: Stage | None = None) -> Write:
    written = (*values, *(stage.companions if stage else ()))
    return Write(
        side,
        {**{value.rule.name(side): value.value for value in written}, **(stage.defaults if stage else {})},
        notes,
        (
            *((stage.item,) if stage else ()),
            *(value.item for value in written),
            *(Item(ItemKey.of(ItemKind.NOTE, marker), "") for note in notes for marker in note.markers),
        ),
        {value.rule.external: value.fingerprint for value in written},
        stage.step.stimulus if stage else None,
        stage.step.state if stage else None,
    )
