"""Insert or replace, for which each database has its own syntax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert *rows*, replacing those with the same keys."""
    if not rows:
        return
    connection.execute(_replacing(connection.dialect.name, table), rows)


def add(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert *row* unless its key exists; return whether it was inserted."""
    statement = _insert(connection.dialect.name, table).values(row)
    added = statement.on_conflict_do_nothing(index_elements=list(table.primary_key)).returning(*table.primary_key)
    return connection.execute(added).first() is not None


@cache
def _replacing(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Built once: building a statement takes longer than executing it."""
    statement = _insert(dialect, table)
    rest = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
