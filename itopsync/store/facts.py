"""Facts: small values, each stored under a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, delete, select

from itopsync.store.database import Database
from itopsync.store.tables import fact
from itopsync.store.upsert import put

_GET = select(fact.c.value).where(fact.c.name == bindparam("wanted"))
_SEVERAL = select(fact.c.name, fact.c.value).where(fact.c.name.in_(bindparam("wanted", expanding=True)))
"""Built once: building a statement takes longer than executing it."""


class Facts:
    """All facts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """Return the value of *name*, or None."""
        with self._database.reading() as connection:
            return connection.scalar(_GET, {"wanted": name})

    def several(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return those of *names* that have a value, in one query."""
        with self._database.reading() as connection:
            found = connection.execute(_SEVERAL, {"wanted": tuple(names)})
            return {row.name: row.value for row in found}

    def put(self, name: str, value: str | None) -> None:
        """Set *name* to *value*; None deletes it."""
        with self._database.writing() as connection:
            if value is None:
                connection.execute(delete(fact).where(fact.c.name == name))
            else:
                put(connection, fact, [{"name": name, "value": value}])
