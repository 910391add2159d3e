"""Every message that the program can end with, or find, as it stands in the source: for the test that holds the table to it.

A message is what is handed to an error's class or to one of the functions in :data:`SAYERS`. What is put into it at run time
is told as ``…``, and what follows its first full stop, which is the remedy, is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from itopsync import errors

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "itopsync"
APART = ("simulator", "demo")
"""Packages that speak to nobody in production."""

SAYERS: dict[str, int] = {
    "Fault": 1,
    "add": 1,  # of Faults
    "Wrong": 0,
    "_unreadable": 1,
    "_malformed": 3,
    "fault": 1,
    "warning": 1,
    "park": 1,
    "put_off": 1,
    "parked": 0,
    "_no_answer": 1,
    "ValueError": 0,  # of settings: why pydantic refuses a value
    "BadParameter": 0,
    "Refusal": 0,
    "NotDelivered": 0,
    "Obstacle": 2,
}
"""Functions that take a message, and as which argument."""
_PLACES = {
    "ValueError": ("config/", "settings/", "itop/dates.py"),
    "add": ("config/", "cli/"),
    "fault": ("check/",),
    "warning": ("check/",),
    "park": ("reconcile/",),
    "put_off": ("reconcile/",),
    "parked": ("reconcile/",),
}
"""Where a name is a sayer only in some places."""
RETURNERS = ("_no_way", "mismatch", "given_away", "overwritten", "why_not_carried", "_wrong", "no_answer_yet")
"""Functions that return one."""
TABLES = ("_EXPLAINED", "_EXPECTED", "_REASONS", "_NEVER_CARRIED", "_PASSWORD", "_ADDRESS")
"""Constants that hold messages."""


@dataclass(frozen=True, order=True)
class Message:
    """One message, and where it stands."""

    text: str
    place: str


@cache
def messages(package: Path = PACKAGE) -> frozenset[Message]:
    """All of them. One without words of its own, because it is made elsewhere, is told as ``…``."""
    found: set[Message] = set()
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if relative.parts[0] not in APART:
            found |= set(_in_module(ast.parse(path.read_text()), relative))
    return frozenset(found)


def kinds() -> set[str]:
    """The names of all classes of errors, and of those that hang below them elsewhere."""
    return {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.ItopsyncError)} | {
        "OddRow",
        "ServerFailed",
        "DateFormatWrong",
    }


def _in_module(tree: ast.Module, path: Path) -> Iterator[Message]:
    names = kinds()
    yield from _raised_bare(tree, path, names)
    yield from _handed_over(tree, path, names)
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and target.id in TABLES:
                yield from (_message(text, path, node) for text in _values(node.value))
        elif isinstance(node, ast.FunctionDef) and node.name in RETURNERS:
            yield from _returned(node, path)


def _raised_bare(tree: ast.Module, path: Path, names: set[str]) -> Iterator[Message]:
    """An error that is raised as a class has its docstring for a message, which no row tells."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id in names:
            yield _message("…", path, tree)


def _handed_over(tree: ast.Module, path: Path, names: set[str]) -> Iterator[Message]:
    for scope, call in _calls(tree, tree):
        name = _name(call.func)
        if name in SAYERS and path.as_posix().startswith(_PLACES.get(name, "")):
            said = call.args[SAYERS[name] : SAYERS[name] + 1]
        elif name in names and name != "ConfigurationError":
            said = call.args[-1:] or [ast.Constant("…")]
        else:
            continue
        for argument in said:
            yield from (_message(text, path, scope) for text in _texts(argument, scope))


def _returned(function: ast.FunctionDef, path: Path) -> Iterator[Message]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
            yield from (_message(text, path, function) for text in _texts(node.value, function) if text)


def _message(text: str, path: Path, scope: ast.AST) -> Message:
    first = re.split(r"\. |\.$", re.sub(r"…(?:[\s.…]|::)*…", "…", text.replace("`", "'")))[0].strip()
    told = first if re.search(r"[A-Za-z]{2}", first) else "…"
    return Message(told, f"{path.as_posix()}: {getattr(scope, 'name', '')}")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _calls(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        inner = child if isinstance(child, ast.FunctionDef) else scope
        if isinstance(child, ast.Call):
            yield inner, child
        yield from _calls(child, inner)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _texts(node: ast.expr, scope: ast.AST) -> list[str]:
    """What an expression can be, with … for what is known at run time only."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            texts = [""]
            for part in parts:
                inner = _texts(part.value, scope) if isinstance(part, ast.FormattedValue) else _texts(part, scope)
                if isinstance(part, ast.FormattedValue) and not isinstance(part.value, ast.Constant | ast.JoinedStr):
                    inner = ["…"]
                texts = [before + after for before in texts for after in inner]
            return texts
        case ast.Tuple(elts=[first, *_]):
            return _texts(first, scope)
        case ast.IfExp(body=body, orelse=other):
            return [*_texts(body, scope), *_texts(other, scope)]
        case ast.Name(id=name):
            given = [
                statement.value
                for statement in ast.walk(scope)
                if isinstance(statement, ast.Assign)
                and any(isinstance(target, ast.Name) and target.id == name for target in statement.targets)
            ]
            return [text for value in given for text in _texts(value, scope)] or ["…"]
    return ["…"]


def _values(node: ast.expr) -> Iterator[str]:
    """The messages in a table: a dict's values, and the first of a pair, whose second is the remedy."""
    match node:
        case ast.Dict(values=values):
            for value in values:
                yield from _values(value)
        case ast.Tuple(elts=[first, *_]):
            yield from _values(first)
        case ast.Constant(value=str(text)):
            yield re.sub(r"\{\w+\}", "…", text)
