"""The database of a simulated server: rows by class and id, and a few indexes for speed.

A row is a dictionary that is never changed in place: a write replaces it. So a snapshot copies the tables but not their rows,
and a reader can keep a row while others write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from itopsync.simulator.schema import Schema

#: A stored value: text, an integer, a date as text, None for NULL, a CaseLog or a Document.
Row = dict[str, Any]
#: Indexed columns, by root class.
INDEXED: dict[str, tuple[tuple[str, ...], ...]] = {
    "Attachment": (("item_class", "item_id"), ("temp_id",)),
    "InlineImage": (("item_class", "item_id"), ("temp_id",)),
    "Ticket": (("parent_request_id",), ("parent_incident_id",)),
}


@dataclass(frozen=True, slots=True)
class Document:
    """The contents of an attachment or image."""

    data: bytes
    mimetype: str
    filename: str


@dataclass(slots=True)
class Table:
    """The rows of one family of classes, by id."""

    rows: dict[int, Row] = field(default_factory=dict)
    next_id: int = 1
    #: (columns) -> (values) -> ids in ascending order of insertion
    indexes: dict[tuple[str, ...], dict[tuple[Any, ...], tuple[int, ...]]] = field(default_factory=dict)

    def copy(self) -> Table:
        return Table(dict(self.rows), self.next_id, {columns: dict(index) for columns, index in self.indexes.items()})


class Store:
    """All tables, keyed by the root of a class's family, and the counter behind ticket references."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.tables: dict[str, Table] = {root: Table() for root in schema.roots()}
        for root, indexes in INDEXED.items():
            if root in self.tables:
                self.tables[root].indexes = {columns: {} for columns in indexes}
        self.next_ref = 1
        #: Incremented by every change, so that data derived from rows can be validated.
        self.version = 0

    def copy(self) -> Store:
        result = Store.__new__(Store)
        result.schema = self.schema
        result.tables = {root: table.copy() for root, table in self.tables.items()}
        result.next_ref = self.next_ref
        result.version = self.version
        return result

    def table(self, class_name: str) -> Table:
        return self.tables[self.schema[class_name].root]

    def allocate(self, class_name: str) -> int:
        """Return the next id, which is used up even if no row is stored."""
        table = self.table(class_name)
        table.next_id += 1
        return table.next_id - 1

    def get(self, class_name: str, key: int) -> Row | None:
        """The row of that class or a subclass, or None."""
        row = self.table(class_name).rows.get(key)
        if row is None or row["finalclass"] not in self.schema[class_name].family:
            return None
        return row

    def put(self, row: Row) -> None:
        table = self.table(row["finalclass"])
        key = row["id"]
        self.version += 1
        old = table.rows.get(key)
        table.rows[key] = row
        table.next_id = max(table.next_id, key + 1)
        for columns, index in table.indexes.items():
            self._reindex(columns, index, key, old, row)

    def remove(self, class_name: str, key: int) -> bool:
        table = self.table(class_name)
        row = table.rows.pop(key, None)
        if row is None:
            return False
        self.version += 1
        for columns, index in table.indexes.items():
            self._reindex(columns, index, key, row, None)
        return True

    def rows(self, class_name: str) -> Iterator[Row]:
        """All rows of the class and its subclasses, in the order in which they were stored."""
        itop_class = self.schema[class_name]
        rows = self.tables[itop_class.root].rows.values()
        if itop_class.name == itop_class.root:
            return iter(rows)
        family = itop_class.family
        return (row for row in rows if row["finalclass"] in family)

    def find(self, class_name: str, columns: tuple[str, ...], values: tuple[Any, ...]) -> list[Row]:
        """Find rows by an index in :data:`INDEXED`."""
        table = self.table(class_name)
        family = self.schema[class_name].family
        found = (table.rows[key] for key in table.indexes[columns].get(values, ()))
        return [row for row in found if row["finalclass"] in family]

    @staticmethod
    def _reindex(
        columns: tuple[str, ...],
        index: dict[tuple[Any, ...], tuple[int, ...]],
        key: int,
        old: Row | None,
        new: Row | None,
    ) -> None:
        before = tuple(old.get(column) for column in columns) if old is not None else None
        after = tuple(new.get(column) for column in columns) if new is not None else None
        if before == after:
            return
        # Most rows have no parent and no marker, so empty values are not indexed.
        if before is not None and before[-1] not in (0, "", None):
            remaining = tuple(other for other in index.get(before, ()) if other != key)
            if remaining:
                index[before] = remaining
            else:
                index.pop(before, None)
        if after is not None and after[-1] not in (0, "", None):
            index[after] = (*index.get(after, ()), key)
