"""What lets all stores of a test run share compiled statements: compiling them takes longer than most of what is tested."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache


def share_compiled() -> None:
    """Compile each statement once for all of SQLite's engines, from now on.

    SQLAlchemy keeps what it has compiled with the engine, under the engine's own dialect; each test opens a store, and each kill
    opens it anew. All that is asked of a dialect here is the same in each.
    """
    compiled: LRUCache[Any, Any] = LRUCache(1_000)
    create = Engine.__init__

    def create_sharing(engine: Engine, *arguments: Any, **options: Any) -> None:
        create(engine, *arguments, **options)
        if type(engine.dialect) is SQLiteDialect_pysqlite:
            engine._compiled_cache = compiled

    engines: Any = Engine
    engines.__init__ = create_sharing
    dialect: Any = SQLiteDialect_pysqlite
    dialect.__eq__ = lambda self, other: type(self) is type(other)
    dialect.__hash__ = lambda self: hash(type(self))
