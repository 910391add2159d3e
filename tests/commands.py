"""The command line as it is, for the tests that hold documents to it."""

from __future__ import annotations

from collections.abc import Iterator

import typer


def commands(app: typer.Typer) -> dict[str, frozenset[str]]:
    """Each command by what is typed, and its options. The program itself is ``""``."""
    return dict(_walk(typer.main.get_command(app), ()))


def command_names(app: typer.Typer) -> frozenset[str]:
    """Each command by what is typed."""
    return frozenset(name for name in commands(app) if name)


def _walk(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, frozenset[str]]]:
    children = getattr(command, "commands", {})
    options = (option for parameter in getattr(command, "params", ()) for option in parameter.opts if option.startswith("-"))
    if not children or not path:
        yield " ".join(path), frozenset(options)
    for name, child in children.items():
        yield from _walk(child, (*path, name))
