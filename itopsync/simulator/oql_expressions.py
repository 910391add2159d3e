"""The pieces of a compiled OQL expression: functions of the rows at hand.

Truth has three values as in SQL: None is unknown, and only what is true is found.
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
    """What a running query needs: the data, the database's own clock, the server's timezone (in which logs show
    their dates), which rows the account may see, and what the arguments that iTop gives to every query stand for."""

    store: Store
    database_now: Callable[[], datetime]
    timezone: ZoneInfo
    visible: Callable[[Row], bool] | None = None
    argument: Callable[[str], Any] = lambda _name: None


#: The rows at hand, one for each alias of the query.
Rows = list[Row]
Compiled = Callable[[Rows, Context], Any]
Kind = Literal["int", "text", "date", "moment", "log", "any"]


@dataclass(frozen=True, slots=True)
class Typed:
    """A compiled expression and what it yields; ``constant`` is a literal's value.

    A *date* is in the stored form, with its time; a *moment*, which a function made, may lack it.
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
    """A value in the form in which members of a list are compared."""
    if kind == "int":
        return number(item)
    return fold(as_text(item)) if item is not None else None


def truth(expression: Typed) -> Compiled:
    """An expression as a condition: text counts as the number that it begins with."""
    run = expression.run
    if expression.kind == "int":
        return run

    def test(rows: Rows, context: Context) -> Any:
        content = run(rows, context)
        return number(content) if isinstance(content, str) else content

    return test


def both(one: Compiled, other: Compiled) -> Compiled:
    """AND."""

    def run(rows: Rows, context: Context) -> bool | None:
        first = one(rows, context)
        if first is not None and not first:
            return False
        second = other(rows, context)
        if second is not None and not second:
            return False
        return None if first is None or second is None else True

    return run


def either(one: Compiled, other: Compiled) -> Compiled:
    """OR."""

    def run(rows: Rows, context: Context) -> bool | None:
        first = one(rows, context)
        if first:
            return True
        second = other(rows, context)
        if second:
            return True
        return None if first is None or second is None else False

    return run


def compile_like(one: Typed, other: Typed, negated: bool) -> Compiled:
    """LIKE and NOT LIKE; of a log they ask the whole column."""

    def run(rows: Rows, context: Context) -> bool | None:
        content, pattern = one.run(rows, context), other.run(rows, context)
        if content is None or pattern is None:
            return None
        text = content.folded(context.timezone, fold) if isinstance(content, CaseLog) else fold(as_text(content))
        return like(as_text(pattern))(text) is not negated

    return run


def compile_pattern(one: Typed, other: Typed) -> Compiled:
    """REGEXP, without regard to case."""

    def run(rows: Rows, context: Context) -> bool | None:
        content, pattern = one.run(rows, context), other.run(rows, context)
        if content is None or pattern is None:
            return None
        text = content.text(context.timezone) if isinstance(content, CaseLog) else as_text(content)
        try:
            return re.search(as_text(pattern), text, re.IGNORECASE) is not None
        except re.error as error:
            raise failed_query(1139, f"Regex error '{error.msg}'") from None

    return run


def compile_arithmetic(one: Typed, sign: str, other: Typed) -> Compiled:
    """Operators that yield a number."""
    combine = ARITHMETIC[sign]

    def run(rows: Rows, context: Context) -> Any:
        first, second = number(one.run(rows, context)), number(other.run(rows, context))
        return None if first is None or second is None else combine(first, second)

    return run


def compile_comparison(one: Typed, sign: str, other: Typed) -> Compiled:
    """Comparison as MySQL does it: numbers by value, dates by time, text without case and accents."""
    compare = COMPARISONS[sign]
    left, right = one.run, other.run
    dated = not {"date", "moment"}.isdisjoint((one.kind, other.kind))
    if one.literal and not other.literal and sign in MIRRORED:
        return compile_comparison(other, MIRRORED[sign], one)
    if other.literal and one.kind in ("int", "date"):
        literal: Any = other.constant
        literal = number(literal) if one.kind == "int" else literal if literal is None else complete_date(str(literal))

        def with_literal(rows: Rows, context: Context) -> bool | None:
            content = left(rows, context)
            return None if content is None or literal is None else compare(content, literal)

        return with_literal

    def run(rows: Rows, context: Context) -> bool | None:
        first, second = left(rows, context), right(rows, context)
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
