"""The store: what both sides last agreed on, and what is still to be done. SQLite by default, PostgreSQL likewise.

It never holds a text of a ticket: ids, numbers, fingerprints, states, markers and reasons only.

``records``      what it keeps beside links, as plain values
``tables``       how that lies in the database
``codec``        bases, obstacles and marks as JSON
``connection``   how a database is reached, and what its failures are called
``migrate``      its schema's revisions: a new one, an upgrade, a backup
``links``        the links: what is due, written or in trouble
``polling``      what polls found: each side's state, and the tickets that are out of scope
``attachments``  the attachments that are known
``leases``       the right to be the one writer
``history``      the cycles that ran, and small facts
"""

from itopsync.store.leases import started_at
from itopsync.store.records import Compared, CycleRecord, DueCounts, FilesPart, Holder, LeaseRecord, SideState, TicketsPart
from itopsync.store.store import Store

__all__ = [
    "Compared",
    "CycleRecord",
    "DueCounts",
    "FilesPart",
    "Holder",
    "LeaseRecord",
    "SideState",
    "Store",
    "TicketsPart",
    "started_at",
]
