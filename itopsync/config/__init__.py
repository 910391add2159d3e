"""``sync.toml``: found, read, checked and compiled. All faults are reported together.

``schema``         the whole file
``loader``         from a file to that schema
``faults``         what is wrong with a file
``configuration``  the compiled configuration, and checks across tables
``catalogue``      iTop's own ticket classes, the source of defaults
``classes``        compiles a ticket class
``attributes``     compiles its form and the companions of its states
``states``         compiles its states
``defaults``       the values that tickets get on a side
``routes``         how they depend on the ticket
``routes_file``    routes from a CSV file
``csv_rows``       the rows of such a file
``stores``         the address of the store
``docs``           the reference page, and the schema for editors
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from itopsync.config.configuration import Configuration, compile_configuration
from itopsync.config.faults import Faults
from itopsync.config.loader import check, find, parse
from itopsync.config.schema import SyncFile
from itopsync.engine.settings import Schedule
from itopsync.model import Side
from itopsync.settings.secrets import WAYS
from itopsync.settings.section import Surroundings

_DIGITS = 16
_PASSWORDS = frozenset(f"{side}.{way}" for side in Side for way in WAYS)

__all__ = ["Configuration", "Schedule", "example", "find", "load"]


def load(
    path: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    now: datetime | None = None,
    secrets: bool = True,
    servers: bool = True,
) -> Configuration:
    """Load *path*, with the secrets that it refers to in files and in *environ*; without *secrets*, no server can be asked.

    Unless the *servers* will be asked, faults in their passwords alone are no error.

    :raises ConfigurationError: with every fault in the file, each with file, key and remedy
    """
    table, faults = parse(path), Faults(path)
    fingerprint = sha256(json.dumps(table, sort_keys=True, default=str).encode()).hexdigest()[:_DIGITS]
    surroundings = Surroundings(path.absolute().parent, environ, now or datetime.now(UTC))
    file = check(SyncFile, table, surroundings, faults, look_outside=secrets)
    configuration = compile_configuration(file, path, surroundings, faults)
    return replace(configuration, fingerprint=fingerprint, unread=faults.raise_if_any(but=() if servers else _PASSWORDS))


def example() -> str:
    """Return the text of ``sync.toml.example``, a template to fill in."""
    return files("itopsync.config").joinpath("sync.toml.example").read_text(encoding="utf-8")
