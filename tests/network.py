"""What keeps tests on this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from urllib.parse import urlsplit

NAMES_OF_NOTHING = (".invalid", ".test", ".example")
"""Names that are reserved to belong to nobody (RFC 2606): they fail to resolve here as they do everywhere."""
CONTRACT_URL = "ITOPSYNC_CONTRACT_URL"
"""Names a real iTop for the contract suite, the one host elsewhere that may be reached."""


class NetworkForbidden(BaseException):
    """A test tried to reach another machine. No handler of connection errors takes it for one."""


def _is_this_machine(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def stay_here() -> None:
    """Let this process reach loopback only, from now on, and the server under contract where there is one."""
    contract = urlsplit(os.environ.get(CONTRACT_URL, "")).hostname
    allowed = {contract, *(found[4][0] for found in socket.getaddrinfo(contract, None))} if contract else set()

    def loopback_only(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:
            return
        if host in allowed or _is_this_machine(host):
            return
        if str(host).endswith(NAMES_OF_NOTHING):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        raise NetworkForbidden(f"a test tried to reach {host}: tests may use loopback only")

    sys.addaudithook(loopback_only)
