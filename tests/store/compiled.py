"""Every store in SQLite of a test run shares what SQLAlchemy has compiled: a few thousand stores would compile the same anew."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as Dialect
from sqlalchemy.util import LRUCache


def share() -> None:
    """From now on, a dialect is as good as another, and their engines have one cache."""
    compiled: LRUCache[Any, Any] = LRUCache(1_000)
    make = Engine.__init__

    def made(self: Engine, *arguments: Any, **more: Any) -> None:
        make(self, *arguments, **more)
        if isinstance(self.dialect, Dialect):
            self._compiled_cache = compiled

    setattr(Dialect, "__eq__", lambda self, other: isinstance(other, Dialect))  # noqa: B010
    setattr(Dialect, "__hash__", lambda self: hash(Dialect))  # noqa: B010
    setattr(Engine, "__init__", made)  # noqa: B010
