"""How Alembic runs the migrations: on the connection that itopsync gives it, or with ``alembic -x url=…`` on one of its own."""

from __future__ import annotations

from typing import Literal

from alembic import context
from sqlalchemy import Connection, text

from itopsync.store import connection as connecting
from itopsync.store.connection import Address, engine_for, writer
from itopsync.store.partial import metadata
from itopsync.store.tables import UtcDateTime

STATEMENT_TIMEOUT = "10min"


def migrate(connection: Connection) -> None:
    """Run what is asked for within the connection's transaction: whole or not at all, on SQLite too."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{int(connecting.LOCK_TIMEOUT * 1_000)}ms'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({connecting.MIGRATING})"))
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()
    if connection.dialect.name == "sqlite" and (broken := connection.execute(text("PRAGMA foreign_key_check")).first()):
        raise RuntimeError(f"a migration left rows of {broken[0]} that refer to nothing")


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our own type into a new migration as what it is in the database."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def main() -> None:
    """Take the given connection, or make one."""
    if context.is_offline_mode():
        raise SystemExit("The migrations look at the database: run them without --sql.")
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if url is None:
        raise SystemExit("Name the store: alembic -x url=sqlite:///FILE …")
    with writer(engine_for(Address.parse(url), foreign_keys=False)).begin() as connection:
        migrate(connection)


main()
