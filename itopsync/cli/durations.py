"""Durations and times as option values, written as in ``sync.toml``."""

from __future__ import annotations

from datetime import datetime, timedelta

import typer

from itopsync.settings.quantities import read_duration, read_moment


def read(text: str | timedelta) -> timedelta:
    """Parse ``5m`` or ``1h 30m``. A default is returned unchanged.

    :raises typer.BadParameter: it is malformed
    """
    if isinstance(text, timedelta):
        return text
    try:
        return read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_time(text: str) -> datetime:
    """Parse ``2026-11-30T22:00``, in this host's timezone unless an offset is given.

    :raises typer.BadParameter: it is malformed
    """
    try:
        return read_moment(text).astimezone()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
