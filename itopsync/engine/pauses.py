"""Pauses: a paused side is neither read nor written; what changes on the other side meanwhile is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from itopsync.model import Side

if TYPE_CHECKING:
    from itopsync.store.store import Store  # not at run time: `itopsync --help` and the like load no database


@dataclass(frozen=True)
class Pause:
    """A person's instruction to leave one side or both alone."""

    sides: tuple[Side, ...]
    actor: str
    reason: str
    since: datetime
    until: datetime | None
    """When it ends by itself; None if somebody must end it."""

    def __str__(self) -> str:
        end = f"until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else "until somebody ends it"
        why = f": {self.reason}" if self.reason else ""
        which = f"{self.sides[0]} is" if len(self.sides) == 1 else "both sides are"
        return f"{which} paused by {self.actor} since {self.since:%Y-%m-%d %H:%M} UTC, {end}{why}"


REMEDY = "`itopsync unpause` ends it"


def pause(store: Store, paused: Pause) -> None:
    """Pause sides; this replaces their earlier pauses."""
    told = {
        "actor": paused.actor,
        "reason": paused.reason,
        "since": paused.since.isoformat(),
        "until": paused.until.isoformat() if paused.until else None,
    }
    for side in paused.sides:
        store.facts.put(_fact(side), json.dumps(told))


def unpause(store: Store, sides: Iterable[Side]) -> None:
    """End the pauses of *sides*."""
    for side in sides:
        store.facts.put(_fact(side), None)


def pauses(store: Store, now: datetime) -> tuple[Pause, ...]:
    """The pauses in force, one for the sides that were paused together."""
    known = store.facts.several(map(_fact, Side))
    sides: dict[str, tuple[Side, ...]] = {}
    for side in Side:
        if (text := known.get(_fact(side))) is not None:
            sides[text] = (*sides.get(text, ()), side)
    found = (_read(resting, text) for text, resting in sides.items())
    return tuple(each for each in found if each.until is None or each.until > now)


def _read(sides: tuple[Side, ...], text: str) -> Pause:
    told = json.loads(text)
    until = datetime.fromisoformat(told["until"]) if told["until"] else None
    return Pause(sides, told["actor"], told["reason"], datetime.fromisoformat(told["since"]), until)


def _fact(side: Side) -> str:
    return f"pause:{side}"
