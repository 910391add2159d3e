"""Partial indexes. Code that creates or compares the whole schema imports ``metadata`` from here.

Queries import :mod:`~itopsync.store.tables` instead: for these indexes SQLAlchemy loads the dialects of both databases, which
would slow down the start of every command.
"""

from __future__ import annotations

from sqlalchemy import Index, text

from itopsync.store.tables import link, metadata, request

__all__ = ["metadata"]

_NOT_A_TOMBSTONE, _BEING_WRITTEN = text("status != 'tombstone'"), text("writing_since IS NOT NULL")
_OPEN = text("finished_at IS NULL")

Index(
    "uq_link_internal",
    link.c.internal_class,
    link.c.internal_id,
    unique=True,
    sqlite_where=_NOT_A_TOMBSTONE,
    postgresql_where=_NOT_A_TOMBSTONE,
)
Index("ix_link_writing", link.c.writing_since, sqlite_where=_BEING_WRITTEN, postgresql_where=_BEING_WRITTEN)
Index("ix_request_open", request.c.id, sqlite_where=_OPEN, postgresql_where=_OPEN)
