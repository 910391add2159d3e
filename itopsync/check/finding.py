"""The findings of a check: one line each, with its remedy."""

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
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    """It works, but perhaps not as intended."""
    FAULT = "fault"
    """Something will not be carried."""


@dataclass(frozen=True)
class Finding:
    """The result of checking one thing."""

    level: Level
    side: Side | None
    """None for the store."""
    what: str
    remedy: str = ""


def ok(side: Side | None, what: str) -> Finding:
    """Nothing is wrong."""
    return Finding(Level.OK, side, printable(what))


def warning(side: Side | None, what: str, remedy: str) -> Finding:
    """It works, but perhaps not as intended."""
    return Finding(Level.WARNING, side, printable(what), printable(remedy))


def fault(side: Side | None, what: str, remedy: str) -> Finding:
    """Something will not be carried because of it."""
    return Finding(Level.FAULT, side, printable(what), printable(remedy))


def refusal(error: RemoteError, about: str = "", remedy: str = "") -> Finding:
    """A fault from the error of a server or of the connection to it, which says what is wrong and then what to do."""
    what, its_remedy = message_and_remedy(error)
    return fault(error.side, f"{about}: {what}" if about else what, remedy or its_remedy)


def message_and_remedy(error: ItopsyncError) -> tuple[str, str]:
    """Split an error's message into what is wrong and what to do about it."""
    text = str(error).removeprefix(f"{error.side}: ") if isinstance(error, RemoteError) else str(error)
    what, _, remedy = text.partition(". ")
    return what.rstrip("."), f"{remedy.rstrip('.')}." if remedy else "Fix this, and check again."


class Findings:
    """Collects one server's findings, check by check. A failing check hides no other, unless the server becomes unavailable."""

    def __init__(self, server: Server) -> None:
        self.found: list[Finding] = []
        self.gone = False
        self._server = server

    def look(self, about: str, findings: Callable[[], Iterable[Finding]]) -> bool:
        """Add *findings* and return whether there was no fault. A server that became unavailable is not asked again."""
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
            what, _ = message_and_remedy(error)
            self.found.append(fault(error.side, f"it became unavailable during the check: it {what}", LEFT_OUT))
            self.gone = True


LOSES = "loses our markers"
"""How the finding about lost markers begins."""
LEFT_OUT = "The rest of this side was not checked."
