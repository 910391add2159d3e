"""Compiles a parsed OQL query to functions of rows, and runs it against the store."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from itopsync.simulator import oql_syntax as syntax
from itopsync.simulator.caselog import CaseLog
from itopsync.simulator.dates import INTERNAL
from itopsync.simulator.oql_candidates import candidates
from itopsync.simulator.oql_expressions import (
    COMPARISONS,
    Compiled,
    Context,
    Kind,
    Rows,
    Typed,
    both,
    comparable,
    compile_arithmetic,
    compile_comparison,
    compile_like,
    compile_pattern,
    either,
    truth,
)
from itopsync.simulator.oql_functions import FUNCTIONS, as_text, fold, shift_date
from itopsync.simulator.oql_joins import compile_join, is_nothing, joined
from itopsync.simulator.oql_scope import Scope
from itopsync.simulator.reading import friendly_name, value
from itopsync.simulator.refusals import Refusal, failed_query
from itopsync.simulator.schema import ItopClass, Schema
from itopsync.simulator.store import Row, Store

#: Arguments that iTop gives to every query.
KNOWN_ARGUMENT = re.compile(r"current_contact_id|(current_contact|current_user)->\w+")


class Query:
    """A query ready to run. Build it with :func:`compile_query`, which caches queries."""

    def __init__(self, text: str, schema: Schema) -> None:
        self.text = text
        selects = syntax.parse(text)
        self._parts = [_Select(select, Scope(schema, text)) for select in selects]
        ancestor = schema.common_ancestor([part.class_name for part in self._parts])
        if ancestor is None:
            issue = "Incompatible classes: could not find a common ancestor"
            raise Scope(schema, text).refused(issue, selects[-1].class_name)
        self.class_name = ancestor

    def run(self, context: Context) -> list[Row]:
        """Return the rows found, in the default order of the query's class."""
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
    """Sort rows as the class declares, else by friendly name; equal ones are ordered by id."""
    result = sorted(rows, key=operator.itemgetter("id"))
    if not itop_class.order:
        result.sort(key=lambda row: fold(friendly_name(row, store)))
    for code, ascending in reversed(itop_class.order):
        result.sort(key=lambda row: fold(as_text(row.get(code) or "")), reverse=not ascending)
    return result


class _Select:
    """One SELECT of a query."""

    def __init__(self, select: syntax.Select, scope: Scope) -> None:
        self._scope = scope
        scope.add(select.class_name, select.alias)
        self._joins = [compile_join(join, scope) for join in select.joins]
        for name in select.selected:
            if name.text not in scope.aliases:
                raise scope.refused("Unknown class [alias]", name, scope.aliases)
        self._selected = scope.aliases[select.selected[0].text]
        self.class_name = scope.classes[self._selected].name
        self._condition = truth(self.compile(select.where)) if select.where is not None else None
        self._candidates = candidates(select.where, scope.classes[0], scope.is_first)

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
            for rows in joined([row], lookups):
                chosen = rows[self._selected]
                if is_nothing(chosen) or chosen["id"] in seen:
                    continue
                if condition is None or condition(rows, context):
                    seen.add(chosen["id"])
                    yield chosen

    # -- expressions -------------------------------------------------------------------------------------------

    def compile(self, expression: Any) -> Typed:
        match expression:
            case syntax.Scalar(literal):
                kind: Kind = "int" if isinstance(literal, int) else "text"
                return Typed(lambda _rows, _context: literal, kind, literal=True, constant=literal)
            case syntax.Field():
                return self._compile_field(expression)
            case syntax.Variable(name):
                if not KNOWN_ARGUMENT.fullmatch(name):
                    raise Refusal(f"Missing query argument: expecting = {name}, available = {{}}")
                return Typed(lambda _rows, context: context.argument(name), "any")
            case syntax.Function():
                return self._compile_function(expression)
            case syntax.Binary(left, sign, right):
                return self._compile_binary(left, sign, right)
        raise TypeError(expression)

    def _compile_field(self, field: syntax.Field) -> Typed:
        place, attribute = self._scope.resolve(field)
        if attribute is None:
            return Typed(lambda rows, _context: rows[place]["id"], "int")
        code = attribute.code
        if attribute.type == "caselog":

            def log(rows: Rows, _context: Context) -> Any:
                content = rows[place].get(code)
                return content if isinstance(content, CaseLog) or is_nothing(rows[place]) else CaseLog()

            return Typed(log, "log")
        if attribute.stored:
            kind: Kind = "int" if attribute.integral else "date" if attribute.type == "datetime" else "text"
            return Typed(lambda rows, _context: rows[place].get(code), kind)

        def computed(rows: Rows, context: Context) -> Any:
            return None if is_nothing(rows[place]) else value(rows[place], attribute, context.store)

        return Typed(computed, "any")

    def _compile_binary(self, left: Any, sign: str, right: Any) -> Typed:
        if sign in ("IN", "NOT IN"):
            return self._compile_list(left, sign == "NOT IN", right)
        first, second = self.compile(left), self.compile(right)
        match sign:
            case "AND":
                run = both(truth(first), truth(second))
            case "OR":
                run = either(truth(first), truth(second))
            case "LIKE" | "NOT LIKE":
                run = compile_like(first, second, sign == "NOT LIKE")
            case "REGEXP":
                run = compile_pattern(first, second)
            case "MATCHES":
                raise failed_query(1191, "Can't find FULLTEXT index matching the column list")
            case _:
                run = (compile_comparison if sign in COMPARISONS else compile_arithmetic)(first, sign, second)
        return Typed(run, "int")

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
        outer = self._scope if len(nested.queries) == 1 else None  # inside a UNION, iTop does not look at the outer query
        scopes = [Scope(self._scope.schema, "", outer) for _ in nested.queries]
        selects = [_Select(select, scope) for select, scope in zip(nested.queries, scopes, strict=True)]
        # A sub-select does not depend on the outer query, so it runs once for each state of the data.
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
            then, otherwise = arguments[1:]
            condition = truth(self.compile(function.arguments[0]))
            return Typed(
                lambda rows, context: then(rows, context) if condition(rows, context) else otherwise(rows, context),
                "any",
            )
        if name not in FUNCTIONS:
            raise Refusal(f"Unknown function {name}")
        apply = FUNCTIONS[name]

        def call(rows: Rows, context: Context) -> Any:
            values = [argument(rows, context) for argument in arguments]
            return apply(*(item.text(context.timezone) if isinstance(item, CaseLog) else item for item in values))

        return Typed(call, "moment" if name in ("DATE", "FROM_DAYS") else "any")

    def _compile_shift(self, function: syntax.Function) -> Typed:
        start, interval = function.arguments
        if not isinstance(interval, syntax.Interval):
            raise failed_query(1064, "You have an error in your SQL syntax")
        first, amount, unit = self.compile(start).run, self.compile(interval.amount).run, interval.unit
        sign = 1 if function.name == "DATE_ADD" else -1
        return Typed(lambda rows, context: shift_date(first(rows, context), amount(rows, context), unit, sign), "moment")
