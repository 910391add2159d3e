"""Compiles OQL expressions to functions of the current rows.

As in SQL, logic has three values: None is unknown, and only rows for which a condition is true are found.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from itopsync.simulator.caselog import CaseLog
from itopsync.simulator.oql_functions import as_text, complete_date, fold, like, number
from itopsync.simulator.refusals import failed_query
from itopsync.simulator.store import Row, Store


@dataclass(slots=True)
class Context:
    """The context of a running query: the data, the database's clock, the server's timezone (in which logs show their dates),
    the rows that the account may see, and the values of the arguments that iTop gives to every query."""

    store: Store
    database_now: Callable[[], datetime]
    timezone: ZoneInfo
    visible: Callable[[Row], bool] | None = None
    argument: Callable[[str], Any] = lambda _name: None


#: The current rows, one for each alias of the query.
Rows = list[Row]
Compiled = Callable[[Rows, Context], Any]
Kind = Literal["int", "text", "date", "moment", "log", "any"]


@dataclass(frozen=True, slots=True)
class Typed:
    """A compiled expression and the kind of its value; ``constant`` is a literal's value.

    A *date* is in the stored form, with its time; a *moment*, the result of a function, may have none.
    """

    run: Compiled
    kind: Kind
    literal: bool = False
    constant: Any = None


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
MIRRORED = {"=": "=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}
ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "<<": lambda a, b: int(a) << int(b),
    ">>": lambda a, b: int(a) >> int(b), "&": lambda a, b: int(a) & int(b), "|": lambda a, b: int(a) | int(b),
    "^": lambda a, b: int(a) ^ int(b), "/": lambda a, b: a / b if b else None,
}  # fmt: skip


def comparable(item: Any, kind: str) -> Any:
    """A value in the form in which list members are compared."""
    if kind == "int":
        return number(item)
    return fold(as_text(item)) if item is not None else None


def truth(expression: Typed) -> Compiled:
    """An expression as a condition: a text counts as the number that it begins with."""
    run = expression.run
    if expression.kind == "int":
        return run

    def test(rows: Rows, context: Context) -> Any:
        content = run(rows, context)
        return number(content) if isinstance(content, str) else content

    return test


def both(left: Compiled, right: Compiled) -> Compiled:
    """AND."""

    def run(rows: Rows, context: Context) -> bool | None:
        first = left(rows, context)
        if first is not None and not first:
            return False
        second = right(rows, context)
        if second is not None and not second:
            return False
        return None if first is None or second is None else True

    return run


def either(left: Compiled, right: Compiled) -> Compiled:
    """OR."""

    def run(rows: Rows, context: Context) -> bool | None:
        first = left(rows, context)
        if first:
            return True
        second = right(rows, context)
        if second:
            return True
        return None if first is None or second is None else False

    return run


def compile_like(left: Typed, right: Typed, negated: bool) -> Compiled:
    """LIKE and NOT LIKE; for a log, they compare the whole column."""

    def run(rows: Rows, context: Context) -> bool | None:
        content, pattern = left.run(rows, context), right.run(rows, context)
        if content is None or pattern is None:
            return None
        text = content.folded(context.timezone, fold) if isinstance(content, CaseLog) else fold(as_text(content))
        return like(as_text(pattern))(text) is not negated

    return run


def compile_pattern(left: Typed, right: Typed) -> Compiled:
    """REGEXP, ignoring case."""

    def run(rows: Rows, context: Context) -> bool | None:
        content, pattern = left.run(rows, context), right.run(rows, context)
        if content is None or pattern is None:
            return None
        text = content.text(context.timezone) if isinstance(content, CaseLog) else as_text(content)
        try:
            return re.search(as_text(pattern), text, re.IGNORECASE) is not None
        except re.error as error:
            raise failed_query(1139, f"Regex error '{error.msg}'") from None

    return run


def compile_arithmetic(left: Typed, sign: str, right: Typed) -> Compiled:
    """Operators that yield a number."""
    combine = ARITHMETIC[sign]

    def run(rows: Rows, context: Context) -> Any:
        first, second = number(left.run(rows, context)), number(right.run(rows, context))
        return None if first is None or second is None else combine(first, second)

    return run


def compile_comparison(left: Typed, sign: str, right: Typed) -> Compiled:
    """Comparison as in MySQL: numbers by value, dates by time, text ignoring case and accents."""
    compare = COMPARISONS[sign]
    run_left, run_right = left.run, right.run
    dated = not {"date", "moment"}.isdisjoint((left.kind, right.kind))
    if left.literal and not right.literal and sign in MIRRORED:
        return compile_comparison(right, MIRRORED[sign], left)
    if right.literal and left.kind in ("int", "date"):
        literal: Any = right.constant
        literal = number(literal) if left.kind == "int" else literal if literal is None else complete_date(str(literal))

        def with_literal(rows: Rows, context: Context) -> bool | None:
            content = run_left(rows, context)
            return None if content is None or literal is None else compare(content, literal)

        return with_literal

    def run(rows: Rows, context: Context) -> bool | None:
        first, second = run_left(rows, context), run_right(rows, context)
        if first is None or second is None:
            return None
        if isinstance(first, CaseLog):
            first = first.text(context.timezone)
        if isinstance(first, str) and isinstance(second, str):
            if dated:
                first, second = complete_date(first), complete_date(second)
                return None if first is None or second is None else compare(first, second)
            return compare(fold(first), fold(second))
        return compare(number(first), number(second))

    return run
