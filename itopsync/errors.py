"""What can go wrong, grouped by how to recover from it.

::

    ItopsyncError
    ├── ConfigurationError      a person fixes sync.toml; every fault is listed at once
    ├── StoreError              a person fixes the store
    │   ├── StoreOutdated           ``itopsync db upgrade``
    │   ├── StoreFromTheFuture      install the newer itopsync that made it
    │   ├── StoreGone               the store's file was moved or replaced: look at the one that is there
    │   └── StoreUnavailable        wait; the database does not answer
    ├── AnotherInstance         wait; somebody else holds the lease
    ├── SafetyStop              a person examines the plan, and accepts it or not
    ├── TicketFault             a bug of ours that one ticket triggers: the ticket waits, is eventually parked, and is reported
    ├── Stopped                 nothing: we were told to stop between two calls, and the next cycle continues
    └── RemoteError             one of the two servers
        ├── SideUnavailable     pause the whole side; no ticket's retries are used up
        │   ├── Unreachable         no connection, a time-out before anything was sent, a 5xx on a read
        │   │   └── TimedOut            a read was not answered in time
        │   ├── Maintenance         HTTP 503
        │   ├── LoginRefused        wrong user or password, no REST profile
        │   └── AccessRefused       a right that the account lacks
        │       └── ReadOnly            no write at all is accepted: a server in read-only mode, which passes
        ├── Refused             this one write is at fault: try less, try later, park
        │   ├── StimulusRefused     the ticket is in another state than we thought
        │   ├── LogFull             the case log accepts no further entry
        │   ├── TooLarge            more bytes than the server or our limits allow
        │   │   └── RequestTooLarge     in one request: send less at once
        │   └── Missing             the object does not exist (any more)
        ├── BadQuery            iTop cannot run our query or the operator's scope
        └── OutcomeUnknown      let it land, then check whether it did; never resend it blindly

Every message is one line that says what is wrong and what to do. Texts that come from a server are cut to
:data:`REMOTE_TEXT_LIMIT` characters on the way in, since iTop can quote a whole ticket in an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from itopsync.model import Side

REMOTE_TEXT_LIMIT = 200
"""How many characters are kept of a server's own words."""


def clip(text: str, limit: int = REMOTE_TEXT_LIMIT) -> str:
    """Return *text* on one line, at most *limit* characters long, and without terminal control characters."""
    line = " ".join(printable(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def printable(text: str) -> str:
    """Return *text* with a space for each character that could command a terminal or hide other characters."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


class ItopsyncError(Exception):
    """Something went wrong."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a configuration, and how to fix it."""

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
    """Another itopsync is using this store. Wait for it to end, or stop it."""


class SafetyStop(ItopsyncError):
    """A limit would be exceeded, or what is missing may merely be hidden: this cycle begins nothing more.

    *kind* is the argument of ``accept`` that lets such a plan through once. *counted*: the message says how many of the things
    examined so far exceed the limit.
    """

    def __init__(self, kind: str, message: str, *, counted: bool = False) -> None:
        self.kind, self.counted = kind, counted
        super().__init__(message)


class TicketFault(ItopsyncError):
    """One ticket's contents trigger a bug in itopsync."""


class Stopped(ItopsyncError):
    """We were told to stop."""

    def __init__(self) -> None:
        super().__init__("Told to stop; nothing more was sent.")


class RemoteError(ItopsyncError):
    """A server did not do what it was asked."""

    quoted = ""
    """The end of the message, if it quotes the server in a form that we do not know: it may name the ticket."""

    def __init__(self, side: Side, message: str) -> None:
        self.side = side
        super().__init__(f"{side}: {message}")

    def requote(self, quoted: str) -> None:
        """Replace what is quoted with *quoted*."""
        self.args = (f"{str(self).removesuffix(self.quoted)}{quoted}",)
        self.quoted = quoted


class SideUnavailable(RemoteError):
    """A whole side is unavailable for now."""


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
    """The server accepts no writes, as in read-only mode."""


class Refused(RemoteError):
    """The server refused one write."""


class StimulusRefused(Refused):
    """The ticket's state does not allow this stimulus."""


class LogFull(Refused):
    """The case log accepts no further entry.

    *log* is the name of its attribute, inferred from the database column that the server names.
    """

    def __init__(self, side: Side, message: str, *, log: str | None = None) -> None:
        self.log = log
        super().__init__(side, message)


class TooLarge(Refused):
    """More bytes than the server accepts, or than our limits allow."""


class RequestTooLarge(TooLarge):
    """More bytes than the server accepts in one request.

    *news*: no smaller request was known to be too large, so what can be cut is cut smaller from now on.
    """

    news = False


class Missing(Refused):
    """The object does not exist."""


class BadQuery(RemoteError):
    """The server cannot run this query."""


class OutcomeUnknown(RemoteError):
    """A write was sent, and no answer says whether it was carried out."""
