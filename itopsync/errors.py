"""What can go wrong, grouped by what recovers from it.

::

    ItopsyncError
    ├── ConfigurationError      a person mends sync.toml; every fault is listed at once
    ├── StoreError              a person mends the store
    │   ├── StoreOutdated           ``itopsync db upgrade``
    │   ├── StoreFromTheFuture      install the newer itopsync that made it
    │   ├── StoreGone               the store's file was moved or replaced: look at the one that is there
    │   └── StoreUnavailable        wait; the database does not answer
    ├── AnotherInstance         wait; somebody else holds the lease
    ├── SafetyStop              a person looks, and accepts the plan or not
    ├── TicketFault             a fault of ours that one ticket triggers: the ticket waits, is parked in the end, and is reported
    ├── Stopped                 nothing: we were told to end between two calls, and the next cycle continues
    └── RemoteError             one of the two servers
        ├── SideUnavailable     pause the whole side; no ticket's retries are used up
        │   ├── Unreachable         no connection, a time-out before anything was sent, a 5xx on a read
        │   │   └── TimedOut            a read was not answered in time
        │   ├── Maintenance         HTTP 503
        │   ├── LoginRefused        wrong user or password, no REST profile
        │   └── AccessRefused       a right that the account lacks
        │       └── ReadOnly            no write at all is taken: a server in read-only mode, which passes
        ├── Refused             this one write is at fault: try less, try later, park
        │   ├── StimulusRefused     the ticket is in another state than we thought
        │   ├── LogFull             the case log takes no further entry
        │   ├── TooLarge            more bytes than the server or our limits take
        │   │   └── RequestTooLarge     of one request: send less at once
        │   └── Missing             the object is not there (any more)
        ├── BadQuery            a query of ours or a scope of the operator's that iTop cannot run
        └── OutcomeUnknown      let it land, then look whether it did; never send it again blindly

Every message is one line that says what is wrong and what to do. Texts that come from a server are cut to
:data:`REMOTE_TEXT_LIMIT` characters on the way in, since iTop can quote a whole ticket in an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from itopsync.model import Side

REMOTE_TEXT_LIMIT = 200
"""How many characters of a server's own words are kept."""


def clip(text: str, limit: int = REMOTE_TEXT_LIMIT) -> str:
    """Return *text* on one line, at most *limit* characters long, and without anything that a terminal would obey."""
    line = " ".join(printable(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def printable(text: str) -> str:
    """Return *text* with a space for each character that a terminal could take for a command, or hide others with."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


class ItopsyncError(Exception):
    """Something went wrong."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a configuration, and how to mend it."""

    where: str
    """File and key, as in ``sync.toml: external.url``."""
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"


class ConfigurationError(ItopsyncError):
    """The configuration is not usable."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in faults))


class StoreError(ItopsyncError):
    """The store is not usable."""


class StoreOutdated(StoreError):
    """The store has an older schema. Stop the daemon and run `itopsync db upgrade`."""


class StoreFromTheFuture(StoreError):
    """The store was made by a newer itopsync. Install that version, or restore an older backup."""


class StoreUnavailable(StoreError):
    """The database does not answer."""


class StoreGone(StoreError):
    """The store is no longer the one that was opened: its file was moved, deleted or replaced."""


class AnotherInstance(ItopsyncError):
    """Another itopsync works on this store. Wait for it to end, or stop it."""


class SafetyStop(ItopsyncError):
    """A limit would be exceeded, or what is missing may only be out of sight: nothing more is begun in this cycle.

    *kind* is what ``accept`` takes to let such a plan through once. *counted*: the message says how many things exceed the limit,
    as far as they were looked at.
    """

    def __init__(self, kind: str, message: str, *, counted: bool = False) -> None:
        self.kind, self.counted = kind, counted
        super().__init__(message)


class TicketFault(ItopsyncError):
    """What one ticket holds brings out a fault of itopsync."""


class Stopped(ItopsyncError):
    """We were told to stop."""

    def __init__(self) -> None:
        super().__init__("Told to stop; nothing more was sent.")


class RemoteError(ItopsyncError):
    """A server did not do what it was asked."""

    quoted = ""
    """What the message ends with, if it is in words of the server's that nobody foresaw: they may name the ticket."""

    def __init__(self, side: Side, message: str) -> None:
        self.side = side
        super().__init__(f"{side}: {message}")

    def requote(self, quoted: str) -> None:
        """Put *quoted* in the place of what is quoted."""
        self.args = (f"{str(self).removesuffix(self.quoted)}{quoted}",)
        self.quoted = quoted


class SideUnavailable(RemoteError):
    """A whole side cannot be worked with for now."""


class Unreachable(SideUnavailable):
    """The server does not answer."""


class TimedOut(Unreachable):
    """The server did not answer a read in time."""


class Maintenance(SideUnavailable):
    """The server is in maintenance."""


class LoginRefused(SideUnavailable):
    """The server refuses our login."""


class AccessRefused(SideUnavailable):
    """The account lacks a right."""


class ReadOnly(AccessRefused):
    """The server takes no writes, as in read-only mode."""


class Refused(RemoteError):
    """The server refused one write."""


class StimulusRefused(Refused):
    """The ticket's state does not take this stimulus."""


class LogFull(Refused):
    """The case log takes no further entry.

    *log* is the name of its attribute, inferred from the database column that the server names.
    """

    def __init__(self, side: Side, message: str, *, log: str | None = None) -> None:
        self.log = log
        super().__init__(side, message)


class TooLarge(Refused):
    """More bytes than the server takes, or than our limits allow."""


class RequestTooLarge(TooLarge):
    """More bytes than the server takes in one request.

    *news* says that no smaller request was known to be too large: what can be cut is cut smaller from now on.
    """

    news = False


class Missing(Refused):
    """The object is not there."""


class BadQuery(RemoteError):
    """The server cannot run this query."""


class OutcomeUnknown(RemoteError):
    """A write was sent, and no answer says whether it was carried out."""
