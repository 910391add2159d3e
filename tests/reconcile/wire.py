"""What may happen to a write between us and a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

from itopsync.errors import OutcomeUnknown, Refused, RemoteError, Unreachable
from itopsync.model import Ref, Side
from tests.reconcile.server import Server

_Answer = TypeVar("_Answer")


class Trouble(Enum):
    """What may happen to one write."""

    REFUSED = auto()
    LOST = auto()
    """No answer comes; it was not carried out."""
    LANDED = auto()
    """No answer comes; it was carried out."""
    LATE = auto()
    """No answer comes; it is carried out a little later."""
    DIED_BEFORE = auto()
    DIED_AFTER = auto()
    DOWN = auto()
    WIPED = auto()
    """It is answered; then an agent's save loses the entries that it brought."""


class Died(Exception):
    """The process is no more."""


class Wire:
    """Carries writes to a server, or not."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.troubles: list[Trouble | None] = []
        """What happens to the writes to come, one after the other; nothing once it is empty."""
        self._under_way: list[tuple[datetime, Callable[[], object]]] = []

    def send(self, side: Side, do: Callable[[], _Answer], entries: Iterable[tuple[Server, Ref, str]] = ()) -> _Answer:
        """Let *side* do it; *entries*: server, ticket and log of what the write appends."""
        match self.troubles.pop(0) if self.troubles else None:
            case Trouble.REFUSED:
                raise Refused(side, "not today")
            case Trouble.LOST:
                raise OutcomeUnknown(side, "no answer")
            case Trouble.LANDED:
                do()
                raise OutcomeUnknown(side, "no answer")
            case Trouble.LATE:
                self._under_way.append((self.clock() + timedelta(seconds=100), do))
                raise OutcomeUnknown(side, "no answer")
            case Trouble.DIED_BEFORE:
                raise Died
            case Trouble.DIED_AFTER:
                do()
                raise Died
            case Trouble.DOWN:
                raise Unreachable(side, "no connection")
            case Trouble.WIPED:
                answer = do()
                for server, ref, log in entries:
                    server.wipe(ref, log)
                return answer
            case None:
                return do()

    def land(self) -> None:
        """Carry out what was long under way; nobody hears of it if that is refused."""
        arrived = [do for at, do in self._under_way if at <= self.clock()]
        self._under_way = [sent for sent in self._under_way if sent[0] > self.clock()]
        for do in arrived:
            try:
                do()
            except RemoteError:
                continue
