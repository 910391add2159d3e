"""The commands that operators type. Start at :mod:`itopsync.cli.app`."""

from itopsync.cli.app import main

__all__ = ["main"]
