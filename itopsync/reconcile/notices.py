"""Reports parked items on the internal ticket, once each, in an entry of our own."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from itopsync.model import ItemKey, ItemKind, Obstacle, Side
from itopsync.reconcile.entries import notice_of
from itopsync.reconcile.notes import head_line, log_room, read_log
from itopsync.reconcile.part import Part
from itopsync.reconcile.plan import Item, Note, Write
from itopsync.reconcile.richtext import plain
from itopsync.reconcile.situation import Situation


def plan_notice(situation: Situation, part: Part, obstacles: Sequence[Obstacle]) -> list[Write]:
    """The entry about those *obstacles* that need a person and are not reported yet."""
    if not situation.rules.tell_parked:
        return []
    parked = {
        Item(obstacle.key, obstacle.fingerprint): f"Not carried: {_in_words(obstacle.key)} ({obstacle.reason})"
        for obstacle in obstacles
        if obstacle.parked and not obstacle.key.concerns_us
    }
    note = _notice(situation, part, parked)
    if note is None:
        return []
    item = Item(ItemKey.of(ItemKind.NOTICE), note.markers[0])
    part.want(item)
    return [] if situation.obstacle(item) else [Write(Side.INTERNAL, {}, (note,), (item,), {})]


def _notice(situation: Situation, part: Part, texts: Mapping[Item, str]) -> Note | None:
    """An entry with the *texts* that are not there yet, if there is room."""
    log = situation.cls.logs[0]
    reading = read_log(situation, Side.INTERNAL, log)
    new: dict[str, str] = {}
    for about, text in texts.items():
        marker = notice_of(situation.rules.pair, situation.link.external, about)
        if marker not in reading.borne and not any(text in plain(entry.html) for entry in reading.unmarked):
            new[marker] = text
    if not new or log_room(situation, part, Side.INTERNAL, log, reading) <= 0:
        return None
    lines = "".join(f"<p>{html.escape(text)}</p>" for text in new.values())
    return Note(log.internal, tuple(new), situation.now, head_line("itopsync") + lines)


def _in_words(key: ItemKey) -> str:
    """An item in everyday words."""
    match key.kind:
        case ItemKind.FILE:
            side, number = key.file
            return f"attachment {number} of {side}"
        case ItemKind.FIELD:
            return key.which
        case ItemKind.PICTURE | ItemKind.NOTE | ItemKind.WHOLE as kind:
            return {ItemKind.PICTURE: "a picture", ItemKind.NOTE: "a note", ItemKind.WHOLE: "a whole text"}[kind]
        case ItemKind.TICKET:
            return "the ticket"
        case ItemKind.DELETIONS:
            return "the deletion of files"
        case kind:
            return str(kind)
