"""Local accounts: a file with a name and the argon2id hash of a password on each line, readable by its owner alone."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from itopsync.errors import ConfigurationError, Fault, ItopsyncError
from itopsync.settings.addresses import refuse_special
from itopsync.settings.secrets import FOR_ITSELF_ALONE

log = structlog.get_logger(__name__)

SHORTEST, LONGEST = 12, 200
"""The length limits of a password, in characters."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_LINE = re.compile(r"[^:]+:\$argon2\S+")
_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each hash takes 64 MB and a core: many tries at once must not bring the host down."""


class NoAccounts(ItopsyncError):
    """The accounts cannot be used. People who sign in are told nothing more; the log says why, and what to do."""


class Accounts:
    """The accounts in a file. Read on every access, so that changes take effect at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self, name: str, password: str) -> str | None:
        """The account's hash if the password matches it, or None; takes equally long if there is no such account.

        :raises NoAccounts: as from :meth:`known`
        """
        known = self.known().get(name)
        with _AT_ONCE, suppress(VerificationError, InvalidHashError):
            _HASHER.verify(known or _NOBODYS, password[: LONGEST + 1])
            return known
        return None

    def known(self) -> dict[str, str]:
        """Each name with its hash; there is at least one.

        :raises NoAccounts: there is none, or they cannot be read
        """
        try:
            found, reason = self.all(), ""
        except ConfigurationError as error:
            found, reason = {}, str(error)
        if not found:
            remedy = "Restore the file, or add accounts with `itopsync web-user`."
            log.error("accounts unusable", reason=reason or str(Fault(str(self._path), "there is no account in it", remedy)))
            raise NoAccounts("the accounts cannot be read: the console's log says why, and what to do")
        return found

    def all(self) -> dict[str, str]:
        """Each name with its hash; empty if there is no file.

        :raises ConfigurationError: the file cannot be read, is damaged, or others may read it
        """
        try:
            refuse_special(self._path)
            with self._path.open(encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                *lines, rest = file.read().split("\n")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            remedy = "Check accounts.file and who may read it."
            raise ConfigurationError([Fault(str(self._path), f"it cannot be read: {reason}", remedy)]) from None
        if mode & FOR_ITSELF_ALONE:
            what = f"others may read it (mode {stat.S_IMODE(mode):o})"
            raise ConfigurationError([Fault(str(self._path), what, "Run chmod 600 on it.")])
        if rest or not all(map(_LINE.fullmatch, lines)):
            remedy = "Restore it, or delete it and add the accounts with `itopsync web-user`."
            raise ConfigurationError([Fault(str(self._path), "it is cut off or damaged", remedy)])
        return dict(line.split(":", 1) for line in lines)

    def put(self, name: str, password: str | None) -> None:
        """Give an account a password, or remove it.

        :raises ConfigurationError: the file cannot be written
        """
        hashed = None if password is None else _HASHER.hash(password)
        try:
            with self._alone():
                others = {each: known for each, known in self.all().items() if each != name}
                self._write(others if hashed is None else {**others, name: hashed})
        except OSError as error:
            remedy = "Name a file that this account may write."
            raise ConfigurationError([Fault(str(self._path), f"it cannot be written: {error.strerror}", remedy)]) from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from changing the file. As the file itself is replaced, its folder is locked."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, accounts: Mapping[str, str]) -> None:
        with NamedTemporaryFile("w", encoding="utf-8", dir=self._path.parent, delete=False) as file:  # mode 600
            file.write("".join(f"{name}:{hashed}\n" for name, hashed in sorted(accounts.items())))
        if self._path.exists():
            kept = self._path.stat()
            os.chown(file.name, kept.st_uid, kept.st_gid)
        Path(file.name).replace(self._path)


_NOBODYS = _HASHER.hash(os.urandom(16).hex())
