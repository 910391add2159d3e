"""What a check finds: one line each, with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from itopsync.errors import ItopsyncError, RemoteError, printable
from itopsync.model import Side

if TYPE_CHECKING:
    from itopsync.itop.server import Server


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Works, but perhaps not as it is meant."""
    FAULT = "fault"
    """Something will not get across."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    side: Side | None
    """None: it is about the store."""
    what: str
    remedy: str = ""


def ok(side: Side | None, what: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, side, printable(what))


def warning(side: Side | None, what: str, remedy: str) -> Finding:
    """It works, but perhaps not as it is meant."""
    return Finding(Level.WARNING, side, printable(what), printable(remedy))


def fault(side: Side | None, what: str, remedy: str) -> Finding:
    """Something will not get across for it."""
    return Finding(Level.FAULT, side, printable(what), printable(remedy))


def refusal(error: RemoteError, about: str = "", remedy: str = "") -> Finding:
    """A fault out of what a server, or the way to it, answered. The error says what is wrong, and behind that what to do."""
    what, told = said(error)
    return fault(error.side, f"{about}: {what}" if about else what, remedy or told)


def said(error: ItopsyncError) -> tuple[str, str]:
    """What an error says is wrong, and what it says to do about it."""
    text = str(error).removeprefix(f"{error.side}: ") if isinstance(error, RemoteError) else str(error)
    what, _, told = text.partition(". ")
    return what.rstrip("."), f"{told.rstrip('.')}." if told else "Mend this, and check again."


class Findings:
    """What is found on one server, one look after the other. A look that fails hides no other, unless the server is gone."""

    def __init__(self, server: Server) -> None:
        self.found: list[Finding] = []
        self.gone = False
        self._server = server

    def look(self, about: str, findings: Callable[[], Iterable[Finding]]) -> bool:
        """Take what *findings* find, and return whether there was no fault. Nothing is asked of a server that is gone."""
        if self.gone:
            return False
        before = len(self.found)
        try:
            for finding in findings():
                self.found.append(finding)
        except RemoteError as error:
            self.found.append(refusal(error, about))
            self._see_whether_it_is_there()
        return all(finding.level is not Level.FAULT for finding in self.found[before:])

    def _see_whether_it_is_there(self) -> None:
        try:
            self._server.check_login()
        except RemoteError as error:
            what, _ = said(error)
            self.found.append(fault(error.side, f"while it was looked at, it went away: it {what}", LEFT_OUT))
            self.gone = True


LOSES = "loses our markers"
"""How the finding begins that a side does."""
LEFT_OUT = "Nothing else of this side was looked at."
