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
    """``sync.toml`` or what it names is at fault."""
    UNAVAILABLE = 4
    """A side could not be worked with."""
    SAFETY_STOP = 5
    ANOTHER_INSTANCE = 6
    STORE = 7
    PAUSED = 8
    """A person wants a side left alone."""
    INTERNAL_ERROR = 70
    """A fault of itopsync's own."""


_BY_ERROR: tuple[tuple[type[ItopsyncError], ExitCode], ...] = (
    (ConfigurationError, ExitCode.CONFIGURATION),
    (StoreError, ExitCode.STORE),
    (AnotherInstance, ExitCode.ANOTHER_INSTANCE),
    (SafetyStop, ExitCode.SAFETY_STOP),
    (RemoteError, ExitCode.UNAVAILABLE),
)


def exit_code_of(error: ItopsyncError) -> ExitCode:
    """The exit code that tells *error*."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.INTERNAL_ERROR)
