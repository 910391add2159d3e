"""JOIN: extends the current rows by those of another class, along an external key or a tree of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from itopsync.simulator import oql_syntax as syntax
from itopsync.simulator.oql_expressions import Context, Rows
from itopsync.simulator.oql_scope import Scope
from itopsync.simulator.schema import Attribute
from itopsync.simulator.store import Row, Store

#: Finds the joined rows for the current rows.
Lookup = Callable[[Rows], Iterable[Row]]
Join = Callable[[Context], Lookup]


def compile_join(join: syntax.Join, scope: Scope) -> Join:
    """Add the joined class to the scope; return a function of the data that finds its rows for others."""
    new = scope.add(join.class_name, join.alias)
    (owner, key), (target, id_attribute) = scope.resolve(join.left), scope.resolve(join.right)
    if id_attribute is not None:
        issue = "Wrong format for Join clause (right hand), expecting an id"
        raise scope.refused(issue, join.right.name, ("id",))
    key = _checked(join, scope, owner, key, target)
    if new not in (owner, target):
        raise scope.refused("Unknown class in join condition (left expression)", join.left.name)
    class_name, code = scope.classes[new].name, key.code
    if join.operator != "=":
        related = _relation(join.operator, scope.classes[owner].name, code)
        return _along_tree(class_name, related, target if new == owner else owner, turned=new != owner)
    if new == owner:  # the joined class points to one that is in the query already

        def children(context: Context) -> Lookup:
            by_key: dict[int, list[Row]] = {}
            for row in context.store.rows(class_name):
                by_key.setdefault(row.get(code) or 0, []).append(row)
            return lambda rows: by_key.get(rows[target]["id"], ())

        return children

    def parents(context: Context) -> Lookup:
        store, nothing = context.store, {"id": None, "finalclass": class_name}

        def find(rows: Rows) -> Iterable[Row]:
            row = store.get(class_name, rows[owner].get(code) or 0)
            if row is not None:
                return (row,)
            # A key that may be empty is joined by LEFT JOIN, and so is whatever depends on it.
            return (nothing,) if key.null or is_nothing(rows[owner]) else ()

        return find

    return parents


def is_nothing(row: Row) -> bool:
    """Whether a row represents the target of an empty key, in which all columns are NULL."""
    return row["id"] is None


def joined(rows: Rows, lookups: list[Lookup], depth: int = 0) -> Iterator[Rows]:
    """Every combination of rows."""
    if depth == len(lookups):
        yield rows
        return
    for row in lookups[depth](rows):
        yield from joined([*rows, row], lookups, depth + 1)


def _checked(join: syntax.Join, scope: Scope, owner: int, key: Attribute | None, target: int) -> Attribute:
    attributes = scope.classes[owner].attributes.values()
    keys = [attribute.code for attribute in attributes if attribute.type in ("extkey", "objectkey")]
    if key is None or key.code not in keys:
        raise scope.refused("Unknown key in join condition (left expression)", join.left.name, keys)
    joined_class, pointed = scope.classes[target], scope.schema.get(key.target)
    if pointed is not None and pointed.name not in joined_class.lineage and joined_class.name not in pointed.lineage:
        issue = (
            f"The joined class ({joined_class.name}) is not compatible with the external key, which is pointing to {key.target}"
        )
        raise scope.refused(issue, join.left.name)
    if join.operator != "=" and not key.hierarchical:
        operator = join.operator.replace(" ", "_")
        raise scope.refused(f"The specified tree operator {operator} is not applicable to the key", join.left.name)
    return key


# -- trees -----------------------------------------------------------------------------------------------------

#: Whether two objects are related, given (an id and those above it, another id and those above that).
Relation = Callable[[Store, int, int], bool]


def _relation(operator: str, class_name: str, code: str) -> Relation:
    """The relation of a tree operator: for ``o.parent_id BELOW r.id``, whether o is r or below it."""

    def above(store: Store, key: int) -> list[int]:
        chain = [key]
        while (row := store.get(class_name, chain[-1])) is not None and row.get(code):
            chain.append(row[code])
        return chain

    def related(store: Store, left: int, right: int) -> bool:
        low, high = (right, left) if "ABOVE" in operator else (left, right)
        holds = high in above(store, low) and not ("STRICT" in operator and low == high)
        return holds is not operator.startswith("NOT")

    return related


def _along_tree(class_name: str, related: Relation, known: int, turned: bool) -> Join:
    """Finds the rows of the joined class that are related to the row of the alias ``known``; ``turned``: the reverse."""

    def prepare(context: Context) -> Lookup:
        store = context.store
        everything = list(store.rows(class_name))

        def find(rows: Rows) -> Iterable[Row]:
            key = rows[known]["id"]
            return [row for row in everything if related(store, *((key, row["id"]) if turned else (row["id"], key)))]

        return find

    return prepare
