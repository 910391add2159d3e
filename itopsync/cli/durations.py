"""Spans of time and moments as values of options, written as in ``sync.toml``."""

from __future__ import annotations

from datetime import datetime, timedelta

import typer

from itopsync.settings.quantities import read_duration, read_moment


def read(text: str | timedelta) -> timedelta:
    """Read ``5m`` or ``1h 30m``. A default is taken as it is.

    :raises typer.BadParameter: it is written otherwise
    """
    if isinstance(text, timedelta):
        return text
    try:
        return read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_time(text: str) -> datetime:
    """Read ``2026-11-30T22:00``: by this host's clock, unless an offset is given.

    :raises typer.BadParameter: it is written otherwise
    """
    try:
        return read_moment(text).astimezone()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
