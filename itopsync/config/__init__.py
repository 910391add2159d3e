"""``sync.toml``: found, read, checked, and compiled to plain values; all its faults are told at once.

========================  ==========================================================================
:mod:`~.shape`            every key, its type, its default and its meaning
:mod:`~.reading`          from a file to that shape
:mod:`~.catalogue`        iTop's own ticket classes, which the defaults come from
:mod:`~.compiling`        from the shape to :class:`Configuration`
:mod:`~.example`          ``sync.toml.example`` and the reference page, written from the shape
========================  ==========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from itopsync.config.compiling import compile_configuration
from itopsync.config.compiling.context import Context
from itopsync.config.configuration import Configuration, Schedule
from itopsync.config.example import example
from itopsync.config.faults import Faults
from itopsync.config.reading import check_shape, find, parse

__all__ = ["Configuration", "Schedule", "example", "find", "load"]


def load(path: Path, environ: Mapping[str, str] = os.environ, *, now: datetime | None = None) -> Configuration:
    """Load *path*, with the secrets that it names in files and in *environ*.

    :raises ConfigurationError: it is at fault; it holds every fault, with file, key and remedy
    """
    table = parse(path)
    faults = Faults(path)
    file = check_shape(table, faults)
    context = Context(path.absolute().parent, environ, now or datetime.now(UTC), faults)
    configuration = compile_configuration(file, path, context)
    faults.raise_if_any()
    return configuration
