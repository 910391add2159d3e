"""The address of the store, with its password put in."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit

from itopsync.config.compiling.context import Context
from itopsync.config.compiling.secrets import read_password
from itopsync.config.shape import StoreSection
from itopsync.errors import StoreUnavailable, clip

_KEY = "store.url"


def compile_store_url(section: StoreSection, context: Context) -> str:
    """Return the store's URL as SQLAlchemy takes it, password included."""
    from itopsync.store.connection import Address  # noqa: PLC0415 - what only shows its help does without a database

    try:
        address = Address.parse(section.url)
    except StoreUnavailable:
        remedy = "Write sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        context.faults.add(_KEY, f"{clip(repr(_without_password(section.url)), 80)} is no address of a store", remedy)
        return ""
    password = read_password(section, "store", context, needed=False).reveal()
    if address.is_sqlite:
        return _sqlite(section.url, address.path, password, context)
    return _postgresql(section.url, password, context)


def _sqlite(url: str, path: Path | None, password: str, context: Context) -> str:
    if password:
        context.faults.add("store.password_file", "SQLite takes no password", "Remove it")
    if path is None:
        context.faults.add(_KEY, "a store in memory forgets every link when the process ends", "Name a file: sqlite:///FILE")
        return ""
    file, query = context.folder.absolute() / path, url.partition("?")[2]
    return f"sqlite:///{file}" + (f"?{query}" if query else "")


def _postgresql(url: str, password: str, context: Context) -> str:
    parts = urlsplit(url)
    if parts.password is not None:
        remedy = "Put it into a file of mode 600 and name that as store.password_file"
        context.faults.add(_KEY, "a password does not belong in this file", remedy)
        return ""
    if not parts.path.strip("/"):
        context.faults.add(_KEY, "it names no database", "Write postgresql://USER@HOST/DATABASE")
        return ""
    if not password:
        return url
    if parts.username is None:
        context.faults.add(_KEY, "there is a password, and no user", "Write postgresql://USER@HOST/DATABASE")
        return ""
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"…@{tail}" if at and ":" in head else url
