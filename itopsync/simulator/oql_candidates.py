"""The rows that a query examines: by id or index if its condition allows, otherwise all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from itopsync.simulator import oql_syntax as syntax
from itopsync.simulator.oql_expressions import Context
from itopsync.simulator.oql_functions import number
from itopsync.simulator.schema import ItopClass
from itopsync.simulator.store import Row, Store

#: Indexed columns, and whether they hold numbers.
_ALONE = {"temp_id": False, "parent_request_id": True, "parent_incident_id": True}


def candidates(where: Any, itop_class: ItopClass, is_own: Callable[[syntax.Field], bool]) -> Callable[[Context], Iterable[Row]]:
    """The rows of a query's first class that may match; ``is_own`` returns whether a field belongs to that class."""
    class_name = itop_class.name
    known, low, high = _bounds(where, is_own)
    if "id" in known:
        keys = sorted(key for key in (number(item) for item in known["id"]) if isinstance(key, int))
        return lambda context: _by_ids(context.store, class_name, keys)
    if "item_id" in known and "item_class" in known:
        pairs = [(item_class, number(item)) for item_class in known["item_class"] for item in known["item_id"]]
        if all(pair[1] for pair in pairs):
            return lambda context: _by_index(context.store, class_name, ("item_class", "item_id"), pairs)
    for code, numeric in _ALONE.items():
        if code in known and code in itop_class.attributes and all(known[code]):
            values = [(number(item) if numeric else item,) for item in known[code]]
            return lambda context: _by_index(context.store, class_name, (code,), values)
    if low > 1 or high is not None:
        return lambda context: _by_range(context.store, class_name, low, high)
    return lambda context: context.store.rows(class_name)


def _bounds(where: Any, is_own: Callable[[syntax.Field], bool]) -> tuple[dict[str, frozenset[Any]], int, int | None]:
    """The condition's bounds: the possible values of attributes, the lowest id, and the first id above the highest."""
    known: dict[str, frozenset[Any]] = {}
    low, high = 1, None
    for term in _conjuncts(where):
        match term:
            case syntax.Binary(syntax.Field() as field, sign, right) if is_own(field):
                code = field.name.text
            case _:
                continue
        match sign, right:
            case "=", syntax.Scalar(content):
                known.setdefault(code, frozenset([content]))
            case "IN", syntax.List(items) if all(isinstance(item, syntax.Scalar) for item in items):
                known.setdefault(code, frozenset(item.value for item in items if isinstance(item, syntax.Scalar)))
            case ((">" | ">="), syntax.Scalar(int(bound))) if code == "id":
                low = max(low, bound + (sign == ">"))
            case (("<" | "<="), syntax.Scalar(int(bound))) if code == "id":
                end = bound + (sign == "<=")
                high = end if high is None else min(high, end)
    return known, low, high


def _conjuncts(where: Any) -> Iterator[Any]:
    if isinstance(where, syntax.Binary) and where.operator == "AND":
        yield from _conjuncts(where.left)
        yield from _conjuncts(where.right)
    elif where is not None:
        yield where


def _by_ids(store: Store, class_name: str, keys: Iterable[int]) -> Iterator[Row]:
    for key in keys:
        row = store.get(class_name, key)
        if row is not None:
            yield row


def _by_index(store: Store, class_name: str, columns: tuple[str, ...], values: list[Any]) -> Iterator[Row]:
    for wanted in values:
        yield from store.find(class_name, columns, wanted)


def _by_range(store: Store, class_name: str, low: int, high: int | None) -> Iterator[Row]:
    table = store.table(class_name)
    end = table.next_id if high is None else min(high, table.next_id)
    return _by_ids(store, class_name, range(low, end))
