"""A span of time as an option's value, written as in ``sync.toml``."""

from __future__ import annotations

from datetime import timedelta

import typer

from itopsync.settings.quantities import read_duration


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
