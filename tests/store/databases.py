"""Databases seen from outside of a store, and a migration that may come."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from itopsync.model import Link, Side
from itopsync.store.connection import Address, engine_for, writer
from itopsync.store.store import Store
from tests.store.making import add_linked, carried, external, internal, obstacle

TOMORROW = """
import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

def upgrade():
    with op.batch_alter_table("link") as batch:
        batch.add_column(sa.Column("mood", sa.Text, nullable=False, server_default="calm"))
        batch.alter_column("external_version", new_column_name="external_seen")
    {trouble}

def downgrade():
    with op.batch_alter_table("link") as batch:
        batch.alter_column("external_seen", new_column_name="external_version")
        batch.drop_column("mood")
"""
"""A migration that may come: on SQLite it rebuilds the table that others refer to."""


def filled(url: str) -> tuple[Link, ...]:
    """Make a store with something in it."""
    store = Store.open(url)
    files = (carried(Side.EXTERNAL, 1, 11), carried(Side.INTERNAL, 2, 12))
    links = (
        add_linked(store, external(1), internal(1), files=files),
        add_linked(store, external(2), internal(2), obstacles=(obstacle(),), in_doubt=True),
    )
    store.close()
    return links


def links_of(url: str) -> tuple[Link, ...]:
    store = Store.open(url)
    links = store.links.get(range(1, 9))
    store.close()
    return links


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = engine_for(Address.parse(url))
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return found


def backups(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.backup"))


def run(url: str, *statements: str) -> None:
    """Run statements on a database, as somebody else might."""
    engine = engine_for(Address.parse(url))
    with writer(engine).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
