"""Generates the manual page from the commands: ``python -m itopsync.cli.manual > itopsync.1``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from itopsync import __version__
from itopsync.cli.app import app
from itopsync.exits import ExitCode

_EXITS = {
    ExitCode.WELL: "success",
    ExitCode.TROUBLED: "something is parked or will be retried, the sides differ, a hook failed, or you answered no",
    ExitCode.USAGE: "the command line is wrong, or there was no terminal to ask on and no --yes",
    ExitCode.CONFIGURATION: "the configuration, or something that it names, is faulty",
    ExitCode.UNAVAILABLE: "a side is unavailable, or was not polled for too long",
    ExitCode.SAFETY_STOP: "a safety limit stopped the cycle",
    ExitCode.ANOTHER_INSTANCE: "another itopsync is using this store",
    ExitCode.STORE: "the store is unusable",
    ExitCode.PAUSED: "a side is paused",
    ExitCode.INTERNAL_ERROR: "internal error in itopsync",
}
_ENVIRONMENT = {
    "ITOPSYNC_CONFIG": "the configuration file, like --config",
    "ITOPSYNC_ACTOR": "who asks, for pause, accept and the like; default: the operating system's user, before any sudo",
    "NO_COLOR": "no colours",
}
_FILES = {
    "/etc/itopsync/sync.toml": "the configuration, if there is no --config, ITOPSYNC_CONFIG or ./sync.toml",
    "/etc/itopsync/credentials": "the passwords, each in a separate file with mode 600",
    "/var/lib/itopsync/itopsync.db": "the store",
}


def page() -> str:
    """The manual page ``itopsync(1)`` as troff."""
    command: Any = typer.main.get_command(app)
    return "\n".join(
        (
            f'.TH ITOPSYNC 1 "" "itopsync {__version__}" "User Commands"',
            ".SH NAME",
            r"itopsync \- keep two Combodo iTop servers in step",
            ".SH SYNOPSIS",
            r".B itopsync",
            r"[\-\-config FILE] [\-\-log\-level LEVEL] COMMAND [OPTIONS]",
            ".SH DESCRIPTION",
            _text(
                "itopsync polls two iTop servers, external and internal, over their REST API and writes to each what the rules "
                "allow: tickets, forms, private logs, attachments and states. REF is the number of a ticket on either side "
                "(R-000123), a ref (external:UserRequest:17) or a link's number."
            ),
            ".SH OPTIONS",
            *_options(command),
            ".SH COMMANDS",
            *_commands(command, ()),
            ".SH EXIT STATUS",
            *_list({str(int(code)): words for code, words in _EXITS.items()} | {"130": "stopped by Ctrl-C"}),
            ".SH ENVIRONMENT",
            *_list(_ENVIRONMENT),
            ".SH FILES",
            *_list(_FILES),
            "",
        )
    )


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
            continue
        arguments = [_argument(argument) for argument in command.params if argument.param_type_name == "argument"]
        yield from (".SS " + _text(" ".join((*path, name, *arguments))), _text(_plain(command.help)))
        yield from _options(command)


def _options(command: Any) -> Iterator[str]:
    for option in command.params:
        if option.param_type_name != "option" or option.hidden:
            continue
        value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
        yield from (".TP", rf"\fB{_text(', '.join(option.opts))}\fR{_text(value)}", _text(_plain(option.help)))


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _list(items: dict[str, str]) -> Iterator[str]:
    for name, words in items.items():
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(words))


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def _text(text: str) -> str:
    """*text* for troff, without escapes, and without requests at the start of a line."""
    safe = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return rf"\&{safe}" if safe.startswith((".", r"\(aq")) else safe


if __name__ == "__main__":
    print(page(), end="")
