"""The addresses of servers, checked and normalised for comparison, and the certificates to trust."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import ssl
import stat
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, ValidationInfo

from itopsync.errors import clip
from itopsync.settings.section import PATH, Text, Wrong

_API = "/webservices/rest.php"
_HIGHEST_PORT = 65_535
_PORTS = {"http": 80, "https": 443}
_IN_A_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


def read_address(text: str) -> str:
    """Return an address without a trailing slash. :raises Wrong: it is not an address"""
    what, remedy = _wrong(text) if text else ("", "")
    if what:
        raise Wrong(what, remedy)  # not quoted, since it may contain a password
    return text.rstrip("/")


def check_is_private(url: str, allowed: str | None) -> None:
    """Refuse an address to which the password would be sent unencrypted, unless its host is *allowed* by name.

    :raises Wrong: it would be, or another host is allowed
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if allowed is not None and allowed.lower() != host:
        remedy = f'Write allow_http = "{host}", or remove it' if parts.scheme == "http" else "Remove it: the address is https"
        raise Wrong("it is not the host in url", remedy, "allow_http", beside="url")
    if parts.scheme == "http" and not is_loopback(host) and allowed is None:
        remedy = f'Use https://, or allow it with allow_http = "{host}"'
        raise Wrong("over http:// the password is sent unencrypted", remedy, "url")


def identity(url: str) -> tuple[str, int | None, str]:
    """What all addresses of one server have in common: host, port and path."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/")


def is_host(parts: SplitResult) -> bool:
    """Whether an address names a host. :raises ValueError: it is malformed"""
    host = parts.hostname or ""
    if ":" in host:
        return bool(ipaddress.IPv6Address(host.partition("%")[0]))
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(re.fullmatch(r"[\w.-]+", host))


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_and_port(listen: str) -> tuple[str, int]:
    """The address and port in ``127.0.0.1:9464`` or ``[::1]:9464``; port 0 if *listen* is wrong."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= len(str(_HIGHEST_PORT)) else 0
    return host, number if _is_address(host) and number <= _HIGHEST_PORT else 0


def _is_address(host: str) -> bool:
    try:
        return bool(host) and is_host(urlsplit(f"//[{host}]" if ":" in host else f"//{host}"))
    except ValueError:
        return False


def read_listen(listen: str) -> str:
    """Return what to listen on, or an empty text. :raises Wrong: it is not an address with a port"""
    if listen and not host_and_port(listen)[1]:
        what = f"{clip(repr(listen), 60)} is not an address with a port"
        raise Wrong(what, 'Write it like "127.0.0.1:9464" or "[::1]:9464"')
    return listen


def located(folder: Path, name: str | Path) -> Path:
    """The path of a file that ``sync.toml`` in *folder* names."""
    return folder / os.path.expanduser(name)


def refuse_special(path: Path) -> None:
    """:raises OSError: it is not a regular file; opening a pipe could block for ever"""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder fails with a clear error
        raise OSError(errno.EINVAL, "it is no regular file")


def read_certificates(path: Path, info: ValidationInfo) -> Path:
    """Return the path of the file of certificates to trust. :raises Wrong: it contains none"""
    if info.context is None:
        return path
    found = located(info.context.folder, path)
    try:
        refuse_special(found)
        ssl.create_default_context(cafile=found)
    except ssl.SSLError:
        raise Wrong(f"{clip(str(found), 120)} contains no PEM certificate", "Name a PEM file of certificates") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a path"
        raise Wrong(f"{clip(str(found), 120)} cannot be read: {reason}", "Check the path and who may read it") from None
    return found


def _wrong(text: str) -> tuple[str, str]:
    """What is wrong with an address, and the remedy; both empty if nothing is."""
    complete = "Write it like https://desk.example.com/itop"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in _PORTS and is_host(parts) and parts.port != 0 and text.isprintable()
    except ValueError:
        usable = False
    if not usable:
        return "it is not the address of a web server", complete
    if parts.username is not None:
        return "it contains a user name", "Name the user in username and the password by password_file"
    if parts.query or parts.fragment or "?" in text or "#" in text or not _IN_A_PATH.fullmatch(parts.path):
        return "it has more than a host and a path", complete
    if parts.path.rstrip("/").endswith(".php"):
        return "it names a page", f"Remove {_API}: {text.partition(_API)[0]}" if _API in text else complete
    return "", ""


Address = Annotated[Text, AfterValidator(read_address)]
Certificates = Annotated[Path, AfterValidator(read_certificates), PATH]
