"""An HTTP endpoint for monitoring: ``/metrics`` for Prometheus, and ``/healthz`` for health checks."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import ClassVar

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

PATIENCE = 10
"""Seconds that a client may take to send its request."""
AT_ONCE = 16
"""How many requests are served at the same time; more are rejected."""


_Answer = tuple[HTTPStatus, str, bytes]
_Answering = Callable[[str], _Answer]


class Health:
    """Measures the time since the last good cycle or, before the first one, since the start."""

    def __init__(self, max_age: timedelta, clock: Callable[[], float] = monotonic) -> None:
        self._max_age, self._clock = max_age.total_seconds(), clock
        self._began = clock()
        self._last_good: float | None = None

    def good(self) -> None:
        """Record the end of a good cycle."""
        self._last_good = self._clock()

    def verdict(self) -> tuple[bool, dict[str, object]]:
        """Whether all is well, and the response to send."""
        age = None if self._last_good is None else round(self._clock() - self._last_good, 1)
        well = (self._clock() - self._began if age is None else age) <= self._max_age
        status = "ok" if well else "no good cycle for too long: see itopsync status"
        return well, {"status": status, "seconds_since_last_good_cycle": age, "max_age_seconds": self._max_age}


@contextmanager
def serve(host: str, port: int, registry: CollectorRegistry, health: Health) -> Iterator[int]:
    """Serve the endpoint inside the context, which yields the port.

    :raises OSError: it cannot listen on the address
    """

    class Bound(_Handler):
        answers: ClassVar[dict[str, _Answering]] = {"/metrics": _metrics(registry), "/healthz": _health(health)}

    server = _Server((host, port), Bound, ipv6=":" in host)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


_Request = socket.socket | tuple[bytes, socket.socket]
"""``socketserver``'s type of a request."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], *, ipv6: bool) -> None:
        self.address_family = socket.AF_INET6 if ipv6 else socket.AF_INET
        self._room = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: _Request, client_address: object) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: _Request, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: _Request, client_address: object) -> None:
        """Ignore clients that disconnect in the middle of a response."""


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version, sys_version = "itopsync", ""
    answers: ClassVar[dict[str, _Answering]] = {}

    def do_GET(self) -> None:
        answer = self.answers.get(self.path.partition("?")[0])
        if answer is None:
            status, kind, body = HTTPStatus.NOT_FOUND, "text/plain", b"There are /metrics and /healthz.\n"
        else:
            status, kind, body = answer(self.headers.get("Accept") or "")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log no requests: there is one every few seconds."""


def _metrics(registry: CollectorRegistry) -> _Answering:
    def answer(accept: str) -> _Answer:
        encode, kind = choose_encoder(accept)
        return HTTPStatus.OK, kind, encode(registry)

    return answer


def _health(health: Health) -> _Answering:
    def answer(_accept: str) -> _Answer:
        well, response = health.verdict()
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", json.dumps(response).encode() + b"\n"

    return answer
