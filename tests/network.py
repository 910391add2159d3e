"""What keeps tests on this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys

NAMES_OF_NOTHING = (".invalid", ".test", ".example")
"""Names that are reserved to belong to nobody (RFC 2606): they fail to resolve here as they do everywhere."""
ALLOWED = frozenset(filter(None, os.environ.get("ITOPSYNC_TEST_HOSTS", "").split(",")))
"""Hosts that may be reached all the same, such as real iTop servers that the contract suite is to be tried on."""


class NetworkForbidden(BaseException):
    """A test tried to reach another machine. No handler of connection errors takes it for one."""


def _is_this_machine(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if name == "localhost" or name in ALLOWED:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _loopback_only(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if _is_this_machine(host):
        return
    if str(host).endswith(NAMES_OF_NOTHING):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    raise NetworkForbidden(f"a test tried to reach {host}: tests may use loopback only")


def stay_here() -> None:
    """Let this process reach loopback only, from now on."""
    sys.addaudithook(_loopback_only)
