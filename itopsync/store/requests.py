"""What people ask the running process to do, and the outcome. Anybody with access to the store may ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from itopsync.errors import printable
from itopsync.store import codec
from itopsync.store.database import Database
from itopsync.store.records import RequestKind, RequestRecord, RequestState
from itopsync.store.rows import newest
from itopsync.store.tables import request

_OPEN = request.c.finished_at.is_(None)
"""The condition of their partial index."""
_KNOWN = (request.c.kind.in_(list(RequestKind)), request.c.state.in_(list(RequestState)))
"""Hides rows of other kinds that somebody else has added."""
_WAITING = (_OPEN, request.c.state == RequestState.WAITING, *_KNOWN)
_LOST = "the process that was carrying this out ended: check whether it was done, and ask again if not."
_INTERRUPTED = (
    update(request)
    .where(_OPEN, request.c.state == RequestState.TAKEN, request.c.id.not_in(bindparam("running", expanding=True)))
    .values(state=RequestState.INTERRUPTED.value, result=_LOST, finished_at=bindparam("now"))
)
"""Built once: building a statement takes longer than executing it."""


class Requests:
    """All requests. Each is taken once; the process that takes it carries it out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self,
        kind: RequestKind,
        actor: str,
        now: datetime,
        *,
        reason: str = "",
        link: int | None = None,
        fingerprint: str = "",
        arguments: Mapping[str, str] | None = None,
    ) -> int:
        """Add a request; return its id."""
        values = {
            "kind": kind.value,
            "actor": actor,
            "reason": reason,
            "at": now,
            "link_id": link,
            "fingerprint": fingerprint,
            "arguments": codec.arguments_to_json(arguments or {}),
            "state": RequestState.WAITING.value,
            "result": "",
        }
        with self._database.writing() as connection:
            asked: int = connection.execute(insert(request).values(values).returning(request.c.id)).scalar_one()
        return asked

    def together(self) -> AbstractContextManager[None]:
        """Put everything that this thread asks for inside the context into one transaction."""
        return self._database.transaction()

    def any_waiting(self) -> bool:
        """Whether a request waits to be taken. This runs every second, so it reads next to nothing."""
        with self._database.reading() as connection:
            return connection.execute(select(request.c.id).where(*_WAITING).limit(1)).first() is not None

    def waiting(self) -> tuple[RequestRecord, ...]:
        """Return the requests that wait to be taken, oldest first."""
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(select(request).where(*_WAITING).order_by(request.c.id)))

    def take(self, number: int, now: datetime) -> RequestRecord | None:
        """Take a request in order to carry it out; None if another process has taken it."""
        taken = update(request).where(request.c.id == number, *_WAITING).values(state=RequestState.TAKEN.value, taken_at=now)
        with self._database.writing() as connection:
            row = connection.execute(taken.returning(*request.c)).one_or_none()
        return None if row is None else _record(row)

    def finish(self, number: int, state: RequestState, result: str, now: datetime) -> None:
        """Store the outcome of a request. To be called in the transaction that carries it out, so that both or neither count.

        :raises KeyError: the request is not being carried out, or was given up as lost
        """
        ended = update(request).where(request.c.id == number, _OPEN, request.c.state == RequestState.TAKEN)
        with self._database.writing() as connection:
            if not connection.execute(ended.values(state=state.value, result=result, finished_at=now)).rowcount:
                raise KeyError(number)

    def recover(self, now: datetime, running: Collection[int] = ()) -> int:
        """Mark the requests that were taken and are not *running* as interrupted; return how many."""
        with self._database.writing() as connection:
            return connection.execute(_INTERRUPTED, {"running": running, "now": now}).rowcount

    def get(self, number: int) -> RequestRecord | None:
        """Return a request, or None."""
        with self._database.reading() as connection:
            row = connection.execute(select(request).where(request.c.id == number, *_KNOWN)).one_or_none()
        return None if row is None else _record(row)

    def latest(
        self,
        limit: int,
        *,
        kind: RequestKind | None = None,
        link: int | None = None,
        since: datetime | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> tuple[RequestRecord, ...]:
        """Return at most *limit* requests, newest first, optionally only those of one *kind*, narrowed as by ``newest``."""
        meant = _KNOWN if kind is None else (request.c.kind == kind, *_KNOWN)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(newest(request, limit, link, since, before).where(*meant)))

    def last_done(self, kind: RequestKind, before: datetime) -> RequestRecord | None:
        """Return the latest request of a kind that was carried out before a time."""
        meant = select(request).where(
            request.c.kind == kind, request.c.state == RequestState.DONE, request.c.finished_at < before
        )
        with self._database.reading() as connection:
            row = connection.execute(meant.order_by(request.c.finished_at.desc(), request.c.id.desc()).limit(1)).one_or_none()
        return None if row is None else _record(row)

    def prune(self, before: datetime) -> int:
        """Delete the finished requests made before a time; return how many."""
        with self._database.writing() as connection:
            return connection.execute(delete(request).where(request.c.at < before, ~_OPEN)).rowcount

    def count_old(self, before: datetime) -> int:
        """Count what :meth:`prune` would delete."""
        old = select(func.count()).select_from(request).where(request.c.at < before, ~_OPEN)
        with self._database.reading() as connection:
            return connection.scalar(old) or 0


def _record(row: Row[Any]) -> RequestRecord:
    return RequestRecord(
        id=row.id,
        kind=RequestKind(row.kind),
        actor=printable(row.actor),
        at=row.at,
        reason=printable(row.reason),
        link=row.link_id,
        fingerprint=row.fingerprint,
        arguments=codec.arguments_from_json(row.arguments),
        state=RequestState(row.state),
        taken_at=row.taken_at,
        finished_at=row.finished_at,
        result=row.result,
    )
