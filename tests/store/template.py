"""A fresh store in a file, made once for all tests: the migrations take longer than most of what is tested."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from itopsync.store.store import Store

_FOLDER = TemporaryDirectory(prefix="itopsync-")


def fresh(url: str) -> str:
    """Put a fresh store at *url* if that is a file in SQLite and not there yet; return *url*."""
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not path.exists():
        shutil.copy(_template(), path)
    return url


@cache
def _template() -> Path:
    path = Path(_FOLDER.name) / "store.sqlite"
    Store.open(f"sqlite:///{path}").close()
    return path
