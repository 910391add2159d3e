"""The right to be the only writer: a single row, taken over by a conditional update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, func, select, update

from itopsync.errors import AnotherInstance
from itopsync.store.database import Database, no_fence, store_gone
from itopsync.store.records import Holder, LeaseRecord
from itopsync.store.tables import lease
from itopsync.store.upsert import add

_ROW = 1
_LONGEST = timedelta(hours=1)
"""The longest time that any sensible configuration lets a lease run."""


def started_at(pid: int) -> str:
    """When a process of this host started, in the kernel's clock ticks; empty if it does not exist or cannot be examined."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


class Leases:
    """The one lease on a store.

    Times are read from the database's clock, so that hosts whose clocks differ agree on the holder; a *now* that is passed in
    overrides it. *probe* returns when the process with a given id started, as :attr:`Holder.started` has it, or an empty
    string if there is no such process.
    """

    def __init__(self, database: Database, probe: Callable[[int], str]) -> None:
        self._database, self._probe = database, probe

    def acquire(self, holder: Holder, ttl: timedelta, now: datetime | None = None) -> bool:
        """Take the lease for *ttl* if it is free or expired, or its holder is dead; return whether it is ours."""
        with self._database.writing_unfenced() as connection:
            now = now or _now(connection)
            values = asdict(holder) | {"until": now + ttl}
            held = _held(connection)
            if held is None:
                return add(connection, lease, values | {"id": _ROW})
            unchanged = (lease.c.id == _ROW, lease.c.token == held.holder.token, lease.c.until == held.until)
            if held.holder.token != holder.token and held.until > now and not self._is_dead(held.holder, holder):
                latest = now + max(ttl, _LONGEST)
                if held.until > latest:  # set by a clock that has been set back since; a living holder renews it
                    connection.execute(update(lease).where(*unchanged).values(until=latest))
                return False
            return bool(connection.execute(update(lease).where(*unchanged).values(values)).rowcount)

    def renew(self, holder: Holder, ttl: timedelta, now: datetime | None = None) -> bool:
        """Extend the lease to *ttl* from *now*; False if another process has taken it.

        :raises StoreGone: the store's file was moved, deleted or replaced
        """
        self._database.refuse_moved()
        with self._database.writing_unfenced() as connection:
            until = (now or _now(connection)) + ttl
            ours = update(lease).where(lease.c.token == holder.token).values(until=until)
            return bool(connection.execute(ours).rowcount)

    def is_held_by(self, holder: Holder, now: datetime | None = None) -> bool:
        """Whether *holder* has the lease and it has not expired.

        :raises StoreGone: the store's file was moved, deleted or replaced
        """
        self._database.refuse_moved()
        here = datetime.now(UTC) if self._database.address.is_sqlite else None
        ours = lease.c.token == holder.token, lease.c.until > (now or here or func.clock_timestamp())
        with self._database.reading() as connection:
            return connection.execute(select(lease.c.id).where(*ours)).first() is not None

    def fence(self, holder: Holder | None) -> None:
        """From now on, make every writing transaction fail once *holder* has lost the lease. None lifts the fence."""
        if holder is None:
            self._database.fence = no_fence
            return
        ours = select(lease.c.id).where(lease.c.token == holder.token).with_for_update(read=True)

        def refuse(connection: Connection) -> None:
            self._database.refuse_moved()
            # The row stays locked until the transaction ends, so nobody can take the lease in between.
            if connection.execute(ours).first() is None:
                if _held(connection) is None:
                    raise store_gone()
                raise AnotherInstance("the lease on the store was taken by another itopsync; nothing more is written.")

        self._database.fence = refuse

    def release(self, holder: Holder) -> None:
        """Give up the lease if *holder* still has it."""
        with self._database.writing_unfenced() as connection:
            connection.execute(delete(lease).where(lease.c.token == holder.token))

    def current(self) -> LeaseRecord | None:
        """Return who holds the lease, or last held it without giving it up."""
        with self._database.reading() as connection:
            return _held(connection)

    def _is_dead(self, held: Holder, asking: Holder) -> bool:
        """Whether a holder is certainly dead; only a process of this host and boot can be checked."""
        same_host = held.host == asking.host and held.boot_id == asking.boot_id and held.boot_id != ""
        return same_host and held.started != "" and self._probe(held.pid) != held.started


def _now(connection: Connection) -> datetime:
    """The time by the database's clock; with SQLite, by this host's."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now


def _held(connection: Connection) -> LeaseRecord | None:
    row = connection.execute(select(lease).where(lease.c.id == _ROW)).one_or_none()
    if row is None:
        return None
    return LeaseRecord(Holder(row.host, row.boot_id, row.pid, row.started, row.token), row.until)
