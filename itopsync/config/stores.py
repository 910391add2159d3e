"""The address of the store, including its password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit

from itopsync.config.faults import Faults
from itopsync.config.schema import StoreSection
from itopsync.errors import StoreUnavailable
from itopsync.store.connection import Address

_KEY = "store.url"
_SECRETS = frozenset({"sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})
"""PostgreSQL's connection parameters that are secret, besides ``password``."""


def store_url(section: StoreSection, folder: Path, faults: Faults) -> str:
    """Return the store's URL in SQLAlchemy's form, including the password; a relative path starts at *folder*."""
    try:
        address = Address.parse(section.url)
    except StoreUnavailable:
        remedy = "Write sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        faults.add(_KEY, "it is not the address of a store", remedy)  # not quoted, since it may contain a password
        return ""
    password = section.secret.reveal()
    if not address.is_sqlite:
        if address.url.password is not None or "password" in address.url.query:
            remedy = "Put it into a file with mode 600 and name that file in store.password_file"
            faults.add(_KEY, "a password does not belong in this file", remedy)
        elif secret := sorted(_SECRETS.intersection(address.url.query)):
            remedy = "Put it into libpq's service file, with mode 600, and name its section by service=NAME"
            faults.add(_KEY, f"{secret[0]} does not belong in this file", remedy)
        return _postgresql(section.url, password, faults)
    if password:
        faults.add("store.password_file", "SQLite takes no password", "Remove it")
    if address.path is None:
        faults.add(_KEY, "a store in memory forgets every link when the process ends", "Name a file: sqlite:///FILE")
        return ""
    query = section.url.partition("?")[2]
    return f"sqlite:///{folder.absolute() / address.path}" + (f"?{query}" if query else "")


def _postgresql(url: str, password: str, faults: Faults) -> str:
    parts = urlsplit(url)
    if not parts.path.strip("/"):
        faults.add(_KEY, "it names no database", "Write postgresql://USER@HOST/DATABASE")
    elif password and parts.username is None:
        faults.add(_KEY, "there is a password but no user", "Write postgresql://USER@HOST/DATABASE")
    elif password:
        user, _, host = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()
    return url
