"""The addresses of servers: checked, and brought to the one form that they are compared in."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from itopsync.config.compiling.context import Context
from itopsync.errors import clip

_API = "/webservices/rest.php"
_PORTS = {"http": 80, "https": 443}
_IN_A_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


def read_address(text: str, key: str, context: Context) -> str:
    """Return an address without a trailing slash, empty if it is none."""
    what, remedy = _wrong(text)
    if what:
        shown = re.sub(r"//[^/]*@", "//…@", text)  # what stands there may be a password
        context.faults.add(key, f"{clip(repr(shown), 80)} {what}", remedy)
        return ""
    return text.rstrip("/")


def check_is_private(url: str, allowed: str | None, place: str, context: Context) -> None:
    """Refuse an address that sends the password in clear over a network, unless its host is *allowed* by name."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if allowed is not None and allowed.lower() != host:
        remedy = f'Write allow_http = "{host}", or remove it' if parts.scheme == "http" else "Remove it: the address is https"
        context.faults.add(f"{place}.allow_http", f"'{clip(allowed, 60)}' is not the host in url", remedy)
    elif parts.scheme == "http" and not is_loopback(host) and allowed is None:
        remedy = f'Use https://, or allow it with allow_http = "{host}"'
        context.faults.add(f"{place}.url", "over http:// the password travels in clear", remedy)


def identity(url: str) -> tuple[str, int | None, str]:
    """What two addresses of one server have in common: host, port and path."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/")


def _wrong(text: str) -> tuple[str, str]:
    """What is wrong with an address, and the remedy; two empty texts if nothing is."""
    complete = "Write it like https://desk.example.com/itop"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in _PORTS and is_host(parts) and parts.port != 0 and text.isprintable()
    except ValueError:
        usable = False
    if not usable:
        return "is no address of a web server", complete
    if parts.username is not None:
        return "holds a user", "Name the user in username and the password by password_file"
    if parts.query or parts.fragment or "?" in text or "#" in text or not _IN_A_PATH.fullmatch(parts.path):
        return "has more than a host and a path", complete
    if parts.path.rstrip("/").endswith(".php"):
        return "names a page", f"Leave {_API} away: {text.partition(_API)[0]}" if _API in text else complete
    return "", ""


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
    """Whether *host* is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
