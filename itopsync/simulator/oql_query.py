"""OQL against the store: a parsed query becomes functions of rows, and runs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from itopsync.simulator import oql_syntax as syntax
from itopsync.simulator.caselog import CaseLog
from itopsync.simulator.dates import INTERNAL
from itopsync.simulator.oql_candidates import candidates
from itopsync.simulator.oql_expressions import (
    ARITHMETIC,
    COMPARISONS,
    Compiled,
    Context,
    Kind,
    Rows,
    Typed,
    both,
    comparable,
    compile_comparison,
    compile_like,
    either,
)
from itopsync.simulator.oql_functions import FUNCTIONS, as_text, fold, number, shift_date
from itopsync.simulator.oql_syntax import OqlError
from itopsync.simulator.reading import friendly_name, value
from itopsync.simulator.schema import Attribute, ItopClass, Schema
from itopsync.simulator.store import Row, Store


class Query:
    """A query ready to run. Build it with :func:`compile_query`, which keeps what it has built."""

    def __init__(self, text: str, schema: Schema) -> None:
        self.text = text
        selects = syntax.parse(text)
        self._parts = [_Select(select, schema, text) for select in selects]
        names = [part.class_name for part in self._parts]
        ancestor = schema.common_ancestor(names)
        if ancestor is None:
            raise _refused("Incompatible classes: could not find a common ancestor", selects[-1].class_name, text)
        self.class_name = ancestor

    def run(self, context: Context) -> list[Row]:
        """The rows found, in the default order of the query's class."""
        found: dict[int, Row] = {}
        for part in self._parts:
            for row in part.find(context):
                found[row["id"]] = row
        rows: Iterable[Row] = found.values()
        if context.visible is not None:
            rows = filter(context.visible, rows)
        return in_default_order(rows, context.store.schema[self.class_name], context.store)


@lru_cache(maxsize=5_000)
def compile_query(text: str, schema: Schema) -> Query:
    """Raises :class:`~itopsync.simulator.oql_syntax.OqlError`."""
    return Query(text, schema)


def in_default_order(rows: Iterable[Row], itop_class: ItopClass, store: Store) -> list[Row]:
    """Sorted as the class declares, else by friendly name; what is alike stays in order of id."""
    result = sorted(rows, key=operator.itemgetter("id"))
    if not itop_class.order:
        result.sort(key=lambda row: fold(friendly_name(row, store)))
    for code, ascending in reversed(itop_class.order):
        result.sort(key=lambda row: fold(as_text(row.get(code) or "")), reverse=not ascending)
    return result


def _refused(issue: str, name: syntax.Name, query: str, expecting: Iterable[str] = ()) -> OqlError:
    return OqlError("OqlNormalizeException", issue, name.text, name.position, query, expecting=tuple(expecting))


class _Select:
    """One SELECT of a query."""

    def __init__(self, select: syntax.Select, schema: Schema, text: str) -> None:
        self._schema = schema
        self._text = text
        self.aliases: dict[str, int] = {}
        self.classes: list[ItopClass] = []
        self._add_alias(select.class_name, select.alias)
        self._joins = [self._compile_join(join) for join in select.joins]
        for name in select.selected:
            if name.text not in self.aliases:
                raise _refused("Unknown class [alias]", name, text, self.aliases)
        self._selected = self.aliases[select.selected[0].text]
        self.class_name = self.classes[self._selected].name
        self._condition = self.compile(select.where).run if select.where is not None else None
        self._candidates = candidates(select.where, self.classes[0], self._is_first)

    def find(self, context: Context) -> Iterator[Row]:
        condition = self._condition
        if not self._joins:
            for row in self._candidates(context):
                if condition is None or condition([row], context):
                    yield row
            return
        lookups = [prepare(context) for prepare in self._joins]
        seen: set[int] = set()
        for row in self._candidates(context):
            for rows in _joined([row], lookups, 0):
                chosen = rows[self._selected]
                if chosen["id"] not in seen and (condition is None or condition(rows, context)):
                    seen.add(chosen["id"])
                    yield chosen

    # -- classes and joins -------------------------------------------------------------------------------------

    def _add_alias(self, class_name: syntax.Name, alias: syntax.Name) -> int:
        if class_name.text not in self._schema:
            expecting = tuple(self._schema)
            raise OqlError(
                "UnknownClassOqlException", "Unknown class", class_name.text, class_name.position, self._text, expecting=expecting
            )
        if alias.text in self.aliases:
            raise _refused("Duplicate class alias", alias, self._text)
        self.aliases[alias.text] = len(self.classes)
        self.classes.append(self._schema[class_name.text])
        return len(self.classes) - 1

    def _compile_join(self, join: syntax.Join) -> Callable[[Context], Callable[[Rows], Iterable[Row]]]:
        new = self._add_alias(join.class_name, join.alias)
        left, right = (self._join_side(side) for side in (join.left, join.right))
        if right[1] != "id":
            issue = "Wrong format for Join clause (right hand), expecting an id"
            raise _refused(issue, join.right.name, self._text, ("id",))
        if new not in (left[0], right[0]):
            raise _refused("Unknown class in join condition (left expression)", join.left.name, self._text)
        class_name = self.classes[new].name
        tree = None if join.operator == "=" else join.operator
        key = left[1]
        if new == left[0]:  # the joined class points at a class that is there already
            other = right[0]

            def children(context: Context) -> Callable[[Rows], Iterable[Row]]:
                by_key: dict[int, list[Row]] = {}
                for row in context.store.rows(class_name):
                    for target in _tree_targets(context.store, row.get(key) or 0, tree):
                        by_key.setdefault(target, []).append(row)
                return lambda rows: by_key.get(rows[other]["id"], ())

            return children
        owner = left[0]

        def parents(context: Context) -> Callable[[Rows], Iterable[Row]]:
            store = context.store

            def find(rows: Rows) -> Iterable[Row]:
                targets = _tree_targets(store, rows[owner].get(key) or 0, tree)
                return [row for row in (store.get(class_name, target) for target in targets) if row is not None]

            return find

        return parents

    def _join_side(self, field: syntax.Field) -> tuple[int, str]:
        place, attribute = self._resolve(field)
        return place, "id" if attribute is None else attribute.code

    def _resolve(self, field: syntax.Field) -> tuple[int, Attribute | None]:
        """The alias and attribute that a field means; the attribute is None for ``id``."""
        code = field.name.text
        if field.alias is not None:
            if field.alias.text not in self.aliases:
                raise _refused("Unknown class [alias]", field.alias, self._text, self.aliases)
            place = self.aliases[field.alias.text]
            if code == "id":
                return place, None
            if code not in self.classes[place].attributes:
                raise _refused("Unknown filter code", field.name, self._text, self._filters(place))
            return place, self.classes[place].attributes[code]
        places = [place for place, known in enumerate(self.classes) if code == "id" or code in known.attributes]
        if not places:
            raise _refused("Unknown filter code", field.name, self._text, self._filters(0))
        if len(places) > 1:
            raise _refused("Ambiguous filter code", field.name, self._text)
        return places[0], None if code == "id" else self.classes[places[0]].attributes[code]

    def _is_first(self, field: syntax.Field) -> bool:
        return self._resolve(field)[0] == 0

    def _filters(self, place: int) -> tuple[str, ...]:
        return ("id", *(code for code, known in self.classes[place].attributes.items() if known.type != "linkset"))

    # -- expressions -------------------------------------------------------------------------------------------

    def compile(self, expression: Any) -> Typed:
        match expression:
            case syntax.Scalar(literal):
                kind: Kind = "int" if isinstance(literal, int) else "text"
                return Typed(lambda _rows, _context: literal, kind, literal=True, constant=literal)
            case syntax.Field():
                return self._compile_field(expression)
            case syntax.Variable(name):
                raise OqlError("MissingQueryArgument", f"Missing query argument {name}", name, 0, self._text)
            case syntax.Function():
                return self._compile_function(expression)
            case syntax.Binary(left, sign, right):
                return self._compile_binary(left, sign, right)
        raise TypeError(expression)

    def _compile_field(self, field: syntax.Field) -> Typed:
        place, attribute = self._resolve(field)
        if attribute is None:
            return Typed(lambda rows, _context: rows[place]["id"], "int")
        code = attribute.code
        if attribute.type == "caselog":

            def log(rows: Rows, _context: Context) -> Any:
                content = rows[place].get(code)
                return content if isinstance(content, CaseLog) else CaseLog()

            return Typed(log, "log")
        if attribute.stored:
            kind: Kind = "int" if attribute.integral else "date" if attribute.type == "datetime" else "text"
            return Typed(lambda rows, _context: rows[place].get(code), kind)
        return Typed(lambda rows, context: value(rows[place], attribute, context.store), "any")

    def _compile_binary(self, left: Any, sign: str, right: Any) -> Typed:
        if sign in ("IN", "NOT IN"):
            return self._compile_list(left, sign == "NOT IN", right)
        one, other = self.compile(left), self.compile(right)
        if sign == "AND":
            return Typed(both(one.run, other.run), "int")
        if sign == "OR":
            return Typed(either(one.run, other.run), "int")
        if sign in ("LIKE", "NOT LIKE"):
            return Typed(compile_like(one, other, sign == "NOT LIKE"), "int")
        if sign in COMPARISONS:
            return Typed(compile_comparison(one, sign, other), "int")
        if sign in ARITHMETIC:
            combine = ARITHMETIC[sign]

            def arithmetic(rows: Rows, context: Context) -> Any:
                first, second = number(one.run(rows, context)), number(other.run(rows, context))
                return None if first is None or second is None else combine(first, second)

            return Typed(arithmetic, "int")
        issue = 'Only "field MATCHES string" syntax is allowed'
        raise _refused(issue, syntax.Name(sign, 0), self._text)

    def _compile_list(self, left: Any, negated: bool, right: syntax.List | syntax.Nested) -> Typed:
        needle = self.compile(left)
        if isinstance(right, syntax.Nested):
            members = self._compile_nested(right)
        else:
            items = [self.compile(item) for item in right.items]
            if all(item.literal for item in items):
                known = frozenset(comparable(item.constant, needle.kind) for item in items)

                def members(_rows: Rows, _context: Context) -> frozenset[Any]:
                    return known
            else:

                def members(rows: Rows, context: Context) -> frozenset[Any]:
                    return frozenset(comparable(item.run(rows, context), needle.kind) for item in items)

        def contains(rows: Rows, context: Context) -> bool | None:
            content = needle.run(rows, context)
            if content is None:
                return None
            return (comparable(content, needle.kind) in members(rows, context)) is not negated

        return Typed(contains, "int")

    def _compile_nested(self, nested: syntax.Nested) -> Compiled:
        selects = [_Select(select, self._schema, self._text) for select in nested.queries]
        # A sub-select names nothing of the outer query in OQL, so that it is run once for each state of the data.
        latest: tuple[Store | None, int, frozenset[Any]] = (None, -1, frozenset())

        def ids(_rows: Rows, context: Context) -> frozenset[Any]:
            nonlocal latest
            store, version, found = latest
            if store is not context.store or version != store.version:
                found = frozenset(row["id"] for select in selects for row in select.find(context))
                latest = (context.store, context.store.version, found)
            return found

        return ids

    def _compile_function(self, function: syntax.Function) -> Typed:
        name = function.name
        if name == "NOW":
            return Typed(lambda _rows, context: context.database_now().strftime(INTERNAL), "moment")
        if name == "CURRENT_DATE":
            return Typed(lambda _rows, context: context.database_now().strftime("%Y-%m-%d"), "moment")
        if name in ("DATE_ADD", "DATE_SUB"):
            return self._compile_shift(function)
        arguments = [self.compile(argument).run for argument in function.arguments]
        if name == "IF":
            condition, then, otherwise = arguments
            return Typed(
                lambda rows, context: then(rows, context) if condition(rows, context) else otherwise(rows, context),
                "any",
            )
        if name not in FUNCTIONS:
            raise OqlError("OQLException", f"Unknown function {name}", name, 0, self._text)
        apply = FUNCTIONS[name]

        def call(rows: Rows, context: Context) -> Any:
            values = [argument(rows, context) for argument in arguments]
            return apply(*(item.text(context.timezone) if isinstance(item, CaseLog) else item for item in values))

        return Typed(call, "moment" if name in ("DATE", "FROM_DAYS") else "any")

    def _compile_shift(self, function: syntax.Function) -> Typed:
        start, interval = function.arguments
        if not isinstance(interval, syntax.Interval):
            raise OqlError("OQLException", f"Wrong arguments of {function.name}", function.name, 0, self._text)
        first, amount, unit = self.compile(start).run, self.compile(interval.amount).run, interval.unit
        sign = 1 if function.name == "DATE_ADD" else -1
        return Typed(lambda rows, context: shift_date(first(rows, context), amount(rows, context), unit, sign), "moment")


def _joined(rows: Rows, lookups: list[Callable[[Rows], Iterable[Row]]], depth: int) -> Iterator[Rows]:
    if depth == len(lookups):
        yield rows
        return
    for row in lookups[depth](rows):
        yield from _joined([*rows, row], lookups, depth + 1)


def _tree_targets(store: Store, key: int, tree: str | None) -> list[int]:
    """The ids that an organisation's id stands for under ``BELOW`` (itself and its parents) and its relatives."""
    if tree is None:
        return [key]
    ancestors = [key]
    while (row := store.get("Organization", ancestors[-1])) is not None and row.get("parent_id"):
        ancestors.append(row["parent_id"])
    everything = [row["id"] for row in store.rows("Organization")]
    below = ancestors[1:] if "STRICT" in tree else ancestors
    if "ABOVE" in tree:
        descendants = [other for other in everything if key in _tree_targets(store, other, "BELOW")]
        below = [other for other in descendants if other != key] if "STRICT" in tree else descendants
    return [other for other in everything if other not in below] if tree.startswith("NOT") else below
