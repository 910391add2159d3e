"""Passwords, read from where ``sync.toml`` says they are. No fault ever contains any of their text.

Nor does a fault quote a key that names no existing source: its value may be the password itself.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from itopsync.errors import clip
from itopsync.settings.addresses import located, refuse_special
from itopsync.settings.section import Section, Text, Wrong

LONGEST = 4_096
"""Bytes. A longer file is not a password."""
FOR_ITSELF_ALONE = stat.S_IRWXG | stat.S_IRWXO
"""The permissions that group and others must not have."""
WAYS = ("password_file", "password_env", "password_credential")


class Secret:
    """A text that must not be shown: not by ``repr``, ``str`` or ``asdict``, nor in a pickle or a traceback's locals."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        return self._text

    def encode(self) -> bytes:
        """Return the bytes to send: UTF-8; bytes from the environment that are not UTF-8 are unchanged."""
        return self._text.encode("utf-8", "surrogateescape")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a secret does not change")

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


NOWHERE = Secret("")


class PasswordSource(Section):
    """A table that names the source of a password by exactly one of three keys."""

    password_file: Text | None = Field(default=None, examples=["/etc/itopsync/password"])
    """File that contains the password (or token) and nothing else. Only its owner may read it: mode 600. A relative path
    starts at the folder of `sync.toml`."""
    password_env: Text | None = Field(default=None, examples=["ITOPSYNC_PASSWORD"])
    """Environment variable that contains the password."""
    password_credential: Text | None = Field(default=None, examples=["external"])
    """Name of a systemd credential (`LoadCredential=`): a file of that name in `$CREDENTIALS_DIRECTORY`."""

    _secret: Secret = PrivateAttr(default=NOWHERE)

    @model_validator(mode="after")
    def _read_password(self, info: ValidationInfo) -> Self:
        given = [way for way in WAYS if getattr(self, way) is not None]
        if len(given) > 1:
            both = f"{' and '.join(given)} both name a password"
            raise Wrong(both if len(given) < len(WAYS) else "three keys name a password", "Keep one of them", given[-1])
        if given and info.context is not None:
            try:
                self._secret = _read(given[0], getattr(self, given[0]), info.context.folder, info.context.environ)
            except Wrong as wrong:
                raise Wrong(wrong.what, wrong.remedy, given[0]) from None
        return self

    @property
    def secret(self) -> Secret:
        """The password; empty if none is named."""
        return self._secret


def no_password() -> tuple[tuple[str, ...], str]:
    """What to report if no password is named, as from :meth:`Section.lacking`."""
    return (*WAYS, "password"), f"Name the password by {', '.join(WAYS[:-1])} or {WAYS[-1]}"


def _read(way: str, name: str, folder: Path, environ: Mapping[str, str]) -> Secret:
    if way == "password_file":
        return read_password_file(located(folder, name))
    if way == "password_env":
        if name not in environ:
            remedy = "Set it where itopsync is started, or use password_file"
            raise Wrong("the environment variable that it names is not set", remedy)
        return _checked(environ[name], f"the environment variable {clip(name, 60)}")
    if not name or "/" in name or name in (".", ".."):
        raise Wrong("it cannot be a credential's name", "Write only the name, without a path")
    if not environ.get("CREDENTIALS_DIRECTORY"):
        remedy = "Start itopsync with systemd and LoadCredential=NAME:FILE, or use password_file"
        raise Wrong("there are no credentials from systemd: CREDENTIALS_DIRECTORY is not set", remedy)
    return _from_file(Path(environ["CREDENTIALS_DIRECTORY"]) / name, private=False)


def read_password_file(path: Path) -> Secret:
    """Read a file that must be its owner's alone. :raises Wrong: it is not, or contains no password"""
    return _from_file(path, private=True)


def _from_file(path: Path, *, private: bool) -> Secret:
    """Read a password file. *private*: refuse one that others may read; systemd protects its credentials itself."""
    shown = clip(str(path), 120)
    try:
        refuse_special(path)
        with path.open("rb") as file:
            mode = path.stat().st_mode
            contents = file.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a path"
        raise Wrong(f"the file that it names cannot be read: {reason}", "Check the path and who may read it") from None
    if private and mode & FOR_ITSELF_ALONE:
        raise Wrong(f"others may read {shown} (mode {stat.S_IMODE(mode):o})", f"Run chmod 600 {shown}")
    if len(contents) > LONGEST:
        raise Wrong(f"{shown} is longer than {LONGEST:,} bytes", "Check that it contains only the password")
    try:
        text = contents.decode()
    except UnicodeDecodeError:
        raise Wrong(f"{shown} is not UTF-8", "Check that it contains only the password") from None
    return _checked(text.removesuffix("\n").removesuffix("\r"), shown)


def _checked(text: str, where: str) -> Secret:
    if not text:
        raise Wrong(f"{where} is empty", "Write the password into it")
    if not text.isprintable():
        remedy = "Put only the password into it, on one line"
        raise Wrong(f"{where} contains more than one line, or characters that cannot be typed", remedy)
    return Secret(text)
