"""Parses OQL, iTop's query language, to a tree, or refuses it in iTop's words.

The grammar is in ``oql.lark``; it is compiled once (LALR), and parsed queries are cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from lark import Lark, Token, Transformer, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError

#: The names that iTop's lexer gives to tokens, if they differ from the token's text.
_TOKEN_NAMES = {
    "_AS": "AS_ALIAS", "COMMA": "COMA", "LPAR": "PAR_OPEN", "RPAR": "PAR_CLOSE", "SLASH": "MATH_DIV",
    "STAR": "MATH_MULT", "PLUS": "MATH_PLUS", "MINUS": "MATH_MINUS", "AND": "LOG_AND", "OR": "LOG_OR",
    "EQUAL": "EQ", "MORETHAN": "GT", "LESSTHAN": "LT", "NULL": "NULL_VAL", "DOT": "DOT",
    "AMPERSAND": "BITWISE_AND", "VBAR": "BITWISE_OR", "CIRCUMFLEX": "BITWISE_XOR",
}  # fmt: skip
_SYMBOL_NAMES = {"!=": "NOT_EQ", ">=": "GE", "<=": "LE", "<<": "BITWISE_LEFT_SHIFT", ">>": "BITWISE_RIGHT_SHIFT"}
_FUNCTIONS = frozenset(
    {
        "IF", "ELT", "COALESCE", "ISNULL", "CONCAT", "SUBSTR", "TRIM", "DATE", "DATE_FORMAT", "CURRENT_DATE", "NOW",
        "TIME", "TO_DAYS", "FROM_DAYS", "YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "DATE_ADD", "DATE_SUB",
        "ROUND", "FLOOR", "INET_ATON", "INET_NTOA",
    }
)  # fmt: skip


class LexerError(Exception):
    """The query contains a character that OQL does not know."""

    kind = "Exception"


class OqlError(Exception):
    """OQL refuses a query: ``kind`` is the name of iTop's exception, which the response contains."""

    def __init__(self, kind: str, issue: str, found: str, position: int, query: str, *, expecting: tuple[str, ...] = ()) -> None:
        message = f"{issue} - found '{found}' at {position} in '{query}'"
        if expecting:
            message += f", expecting {{{', '.join(expecting)}}}, I would suggest to use '{closest(found, expecting)}'"
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Name:
    """A name and its position in the query."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A literal."""

    value: str | int | None


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute, optionally of a named alias."""

    name: Name
    alias: Name | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """``:name``, for which REST has no value."""

    name: str


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and an operator."""

    left: Expression
    operator: str
    right: Expression | List | Nested


@dataclass(frozen=True, slots=True)
class Function:
    """A call of one of the functions that OQL knows."""

    name: str
    arguments: tuple[Expression | Interval, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """``INTERVAL amount unit``, an argument of date arithmetic."""

    amount: Expression
    unit: str


@dataclass(frozen=True, slots=True)
class List:
    """The values of an ``IN``."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """The sub-select of an ``IN``."""

    queries: tuple[Select, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """One ``JOIN … ON left operator right``."""

    class_name: Name
    alias: Name
    left: Field
    operator: str
    right: Field


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT: the searched class and its alias, the joins, the condition, and the aliases to return."""

    class_name: Name
    alias: Name
    joins: tuple[Join, ...]
    where: Expression | None
    selected: tuple[Name, ...]


Expression = Scalar | Field | Variable | Binary | Function


class _ToTree(Transformer[Token, Any]):
    """Builds the tree from the bottom up."""

    def name(self, items: list[Token]) -> Name:
        return Name(items[0].strip("`"), items[0].start_pos or 0)

    def number(self, items: list[Token]) -> Scalar:
        return Scalar(int(items[0]))

    def negative(self, items: list[Token]) -> Scalar:
        return Scalar(-int(items[0]))

    def hexadecimal(self, items: list[Token]) -> Scalar:
        return Scalar(int(items[0], 16))

    def string(self, items: list[Token]) -> Scalar:
        return Scalar(_strip_slashes(items[0][1:-1]))

    def null(self, _: list[Token]) -> Scalar:
        return Scalar(None)

    def field(self, items: list[Name]) -> Field:
        return Field(items[0])

    def field_of(self, items: list[Name]) -> Field:
        return Field(items[1], items[0])

    def variable(self, items: list[Token]) -> Variable:
        return Variable(items[0][1:])

    def _operator(self, items: list[Token]) -> str:
        return str(items[0])

    join_operator = or_operator = and_operator = comparison_operator = _operator
    product_operator = list_operator = interval_unit = function_name = _operator

    def binary(self, items: list[Any]) -> Binary:
        return Binary(*items)

    def function(self, items: list[Any]) -> Function:
        return Function(items[0], tuple(items[1:]))

    def interval(self, items: list[Any]) -> Interval:
        return Interval(items[0], items[1])

    def items(self, items: list[Any]) -> List:
        return List(tuple(items))

    def nested(self, items: list[Any]) -> Nested:
        return Nested(items[0] if isinstance(items[0], tuple) else (items[0],))

    def join_condition(self, items: list[Any]) -> tuple[Field, str, Field]:
        return items[0], items[1], items[2]

    def join(self, items: list[Any]) -> Join:
        return Join(items[0], items[0], *items[1])

    def join_as(self, items: list[Any]) -> Join:
        return Join(items[0], items[1], *items[2])

    def where(self, items: list[Any]) -> tuple[str, Any]:
        return "where", items[0]

    def class_list(self, items: list[Name]) -> tuple[Name, ...]:
        return tuple(items)

    def _select(self, class_name: Name, alias: Name, selected: tuple[Name, ...], rest: list[Any]) -> Select:
        joins = tuple(item for item in rest if isinstance(item, Join))
        where = next((item[1] for item in rest if isinstance(item, tuple)), None)
        return Select(class_name, alias, joins, where, selected)

    def query(self, items: list[Any]) -> Select:
        return self._select(items[0], items[0], (items[0],), items[1:])

    def query_as(self, items: list[Any]) -> Select:
        return self._select(items[0], items[1], (items[1],), items[2:])

    def query_from(self, items: list[Any]) -> Select:
        return self._select(items[1], items[1], items[0], items[2:])

    def query_from_as(self, items: list[Any]) -> Select:
        return self._select(items[1], items[2], items[0], items[3:])

    def union(self, items: list[Any]) -> tuple[Select, ...]:
        return (items[0], *(items[1] if isinstance(items[1], tuple) else (items[1],)))

    def start(self, items: list[Any]) -> tuple[Select, ...]:
        return items[0] if isinstance(items[0], tuple) else (items[0],)


_PARSER = Lark(
    resources.files(__package__).joinpath("oql.lark").read_text("utf-8"),
    parser="lalr",
    lexer="basic",
    maybe_placeholders=False,
    propagate_positions=False,
    transformer=_ToTree(),
)


@lru_cache(maxsize=5_000)
def parse(query: str) -> tuple[Select, ...]:
    """The SELECTs of a query, several for a UNION. Raises :class:`OqlError`."""
    try:
        tree: Any = _PARSER.parse(query)
    except UnexpectedCharacters as error:
        raise LexerError(f"Unexpected input at line {error.line}: {error.char}") from None
    except UnexpectedToken as error:
        if error.token.type == "$END":
            issue, found, position = "Unexpected token End of Input", "0", 0
        else:
            issue = f"Unexpected token {_token_name(error.token)}"
            found, position = str(error.token), error.token.start_pos or 0
        raise OqlError("OQLParserSyntaxErrorException", issue, found, position, query) from None
    except VisitError as error:  # this module's fault, not the query's
        raise error.orig_exc from error
    if isinstance(tree, Tree):
        raise OqlError("OQLException", "Expecting an OQL query", _expression_class(tree.children[0]), 0, query)
    selects: tuple[Select, ...] = tree
    return selects


@lru_cache(1_000)
def closest(word: str, candidates: tuple[str, ...]) -> str:
    """The last of the candidates nearest to ``word``, at most three edits away; empty if there is none."""
    best, shortest = "", 4
    for candidate in candidates:
        distance = _edits(word, candidate)
        if distance == 0:
            return candidate
        if distance <= min(shortest, 3):
            best, shortest = candidate, distance
    return best


def _edits(first: str, other: str) -> int:
    """The Levenshtein distance."""
    previous = list(range(len(other) + 1))
    for row, left in enumerate(first, 1):
        current = [row]
        for column, right in enumerate(other, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (left != right)))
        previous = current
    return previous[-1]


def _token_name(token: Token) -> str:
    text = str(token)
    if text in _SYMBOL_NAMES:
        return _SYMBOL_NAMES[text]
    if text in _FUNCTIONS:
        return f"F_{text}"
    if token.type in _TOKEN_NAMES:
        return _TOKEN_NAMES[token.type]
    if " " in text and text.isupper():
        return text.replace(" ", "_")
    return token.type


def _expression_class(expression: Any) -> str:
    names = {Scalar: "ScalarOqlExpression", Field: "FieldOqlExpression", Variable: "VariableOqlExpression"}
    names |= {Binary: "BinaryOqlExpression", Function: "FunctionOqlExpression"}
    return names.get(type(expression), "OqlExpression")


def _strip_slashes(text: str) -> str:
    result: list[str] = []
    escaped = False
    for character in text:
        if character == "\\" and not escaped:
            escaped = True
            continue
        result.append(character)
        escaped = False
    return "".join(result)
