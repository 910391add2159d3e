"""The exit codes, so that cron and monitoring can tell what happened."""

from __future__ import annotations

from enum import IntEnum

from itopsync.errors import (
    AnotherInstance,
    ConfigurationError,
    ItopsyncError,
    RemoteError,
    SafetyStop,
    StoreError,
)


class ExitCode(IntEnum):
    """How a command ended."""

    WELL = 0
    TROUBLED = 1
    """Some tickets failed, wait for another try, or differ."""
    USAGE = 2
    CONFIGURATION = 3
    """``sync.toml``, or something that it names, is faulty."""
    UNAVAILABLE = 4
    """A side was unavailable."""
    SAFETY_STOP = 5
    ANOTHER_INSTANCE = 6
    STORE = 7
    PAUSED = 8
    """A person has paused a side."""
    INTERNAL_ERROR = 70
    """A bug in itopsync."""


_MEANINGS = {
    ExitCode.WELL: "all went well",
    ExitCode.TROUBLED: "some tickets are in trouble",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.CONFIGURATION: "the configuration is at fault",
    ExitCode.UNAVAILABLE: "a side is unavailable",
    ExitCode.SAFETY_STOP: "a safety limit stopped it",
    ExitCode.ANOTHER_INSTANCE: "another itopsync uses the store",
    ExitCode.STORE: "the store is unusable",
    ExitCode.PAUSED: "a side is paused",
    ExitCode.INTERNAL_ERROR: "an internal error",
}

_BY_ERROR: tuple[tuple[type[ItopsyncError], ExitCode], ...] = (
    (ConfigurationError, ExitCode.CONFIGURATION),
    (StoreError, ExitCode.STORE),
    (AnotherInstance, ExitCode.ANOTHER_INSTANCE),
    (SafetyStop, ExitCode.SAFETY_STOP),
    (RemoteError, ExitCode.UNAVAILABLE),
)


def exit_code_of(error: ItopsyncError) -> ExitCode:
    """The exit code for *error*."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.INTERNAL_ERROR)


def told(code: int) -> str:
    """An exit code with its meaning, if it has one."""
    return f"exit code {code}" + (f": {_MEANINGS[ExitCode(code)]}" if code in _MEANINGS else "")
