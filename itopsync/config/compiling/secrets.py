"""Passwords, read from where ``sync.toml`` says that they are. None of their text ever gets into a fault."""

from __future__ import annotations

import stat
from pathlib import Path

from itopsync.config.compiling.context import Context
from itopsync.config.shape.servers import PasswordSource
from itopsync.errors import clip
from itopsync.itop.settings import Secret

LONGEST = 4_096
"""Bytes. No password is that long; some other file is."""
FOR_ITSELF_ALONE = stat.S_IRWXG | stat.S_IRWXO
"""The rights that nobody but the owner may have."""
NOWHERE = Secret("")
_WAYS = ("password_file", "password_env", "password_credential")


def read_password(section: PasswordSource, place: str, context: Context, *, needed: bool = True) -> Secret:
    """Read the one password that *section* (at *place* in the file) names; empty where there is none, or a fault."""
    given = [way for way in _WAYS if getattr(section, way) is not None]
    faulty = [way for way in _WAYS if context.faults.known(f"{place}.{way}")]
    if len(given) > 1:
        what = f"{' and '.join(given)} both name a password" if len(given) == len(_WAYS) - 1 else "three keys name a password"
        context.faults.add(f"{place}.{given[-1]}", what, "Keep one of them")
        return NOWHERE
    if not given:
        if needed and not faulty and not context.faults.known(f"{place}.password"):
            context.missing(f"{place}.password_file", f"Name the password by {', '.join(_WAYS[:-1])} or {_WAYS[-1]}")
        return NOWHERE
    key = f"{place}.{given[0]}"
    if section.password_file is not None:
        return _from_file(context.folder / Path(section.password_file).expanduser(), key, context, private=True)
    if section.password_env is not None:
        return _from_environment(section.password_env, key, context)
    return _from_credential(section.password_credential or "", key, context)


def _from_environment(name: str, key: str, context: Context) -> Secret:
    if name not in context.environ:
        remedy = "Set it where itopsync is started, or use password_file"
        context.faults.add(key, f"the environment variable {clip(name, 60)} is not set", remedy)
        return NOWHERE
    return _checked(context.environ[name], f"the environment variable {clip(name, 60)}", key, context)


def _from_credential(name: str, key: str, context: Context) -> Secret:
    folder = context.environ.get("CREDENTIALS_DIRECTORY", "")
    if not name or "/" in name or name in (".", ".."):
        context.faults.add(key, f"{clip(repr(name), 60)} cannot be a credential's name", "Write the name alone, without a path")
    elif not folder:
        remedy = f"Start itopsync by systemd with LoadCredential={name}:FILE, or use password_file"
        context.faults.add(key, "systemd has given no credentials: CREDENTIALS_DIRECTORY is not set", remedy)
    else:
        return _from_file(Path(folder) / name, key, context, private=False)
    return NOWHERE


def _from_file(path: Path, key: str, context: Context, *, private: bool) -> Secret:
    """Read a password's file. *private*: only its owner may; systemd looks after that for its credentials itself."""
    shown = clip(str(path), 120)
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            contents = file.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "that is no path"
        context.faults.add(key, f"{shown} cannot be read: {reason}", "Check the path and who may read it")
        return NOWHERE
    if private and mode & FOR_ITSELF_ALONE:
        context.faults.add(key, f"others may read {shown} (mode {stat.S_IMODE(mode):o})", f"Run chmod 600 {shown}")
        return NOWHERE
    if len(contents) > LONGEST:
        context.faults.add(key, f"{shown} is longer than {LONGEST:,} bytes", "Check that it holds the password alone")
        return NOWHERE
    try:
        text = contents.decode()
    except UnicodeDecodeError:
        context.faults.add(key, f"{shown} is not UTF-8", "Check that it holds the password alone")
        return NOWHERE
    return _checked(text.removesuffix("\n").removesuffix("\r"), shown, key, context)


def _checked(text: str, where: str, key: str, context: Context) -> Secret:
    if not text:
        context.faults.add(key, f"{where} is empty", "Write the password into it")
    elif not text.isprintable():
        remedy = "Let it hold the password alone, on one line"
        context.faults.add(key, f"{where} holds more than one line, or characters that cannot be typed", remedy)
    else:
        return Secret(text)
    return NOWHERE
