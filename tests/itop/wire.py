"""A server on loopback that behaves badly, for what only a real connection shows."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

TLS = Path(__file__).parent / "tls"
AUTHORITY = TLS / "authority.pem"
"""Signed ``server.pem``, which is for localhost. Made for these tests alone; the authority's key is thrown away."""

Behaviour = Callable[[socket.socket], None]


@contextmanager
def listening(
    behaviour: Behaviour,
    *,
    tls: bool = False,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    certificate: Path = TLS / "server.pem",
) -> Iterator[tuple[str, list[bytes]]]:
    """Serve each connection by *behaviour*, one after the other; give the address, and what begins each request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.warns(DeprecationWarning, match="TLSv1") if newest < ssl.TLSVersion.TLSv1_2 else nullcontext():
        context.minimum_version, context.maximum_version = min(newest, ssl.TLSVersion.TLSv1_2), newest
    if newest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(certificate)
    begun: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # closed: the test is over
                    return
                # A client that gives up is what is tried here.
                with suppress(OSError), closing(connection):
                    connection.settimeout(5)
                    with closing(context.wrap_socket(connection, server_side=True) if tls else connection) as spoken:
                        begun.append(spoken.recv(65_536))
                        behaviour(spoken)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"{'https://localhost' if tls else 'http://127.0.0.1'}:{listener.getsockname()[1]}", begun
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(timeout=10)
            assert not thread.is_alive()


def saying(answer: bytes) -> Behaviour:
    """Answer, after having heard all of the request."""

    def behave(connection: socket.socket) -> None:
        with suppress(TimeoutError):
            connection.settimeout(0.2)
            while connection.recv(65_536):
                pass
        connection.settimeout(5)
        connection.sendall(answer)

    return behave


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An answer in HTTP/1.1."""
    lines = [
        f"HTTP/1.1 {status}",
        "Date: Tue, 24 Nov 2026 03:13:00 GMT",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
