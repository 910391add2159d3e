"""The two ways to reach a simulator: a transport within the process, and an HTTP server on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from itopsync.simulator.messages import SimRequest

if TYPE_CHECKING:
    from itopsync.simulator.simulator import Simulator


class SimulatorTransport(httpx.BaseTransport):
    """Runs each request in the caller's thread.

    A broken connection is an ``httpx.RemoteProtocolError``, an answer in vain (or later than the client's read
    timeout) an ``httpx.ReadTimeout``.
    """

    def __init__(self, simulator: Simulator, sleep: Callable[[float], None] | None) -> None:
        self._simulator = simulator
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raw = request.url.raw_path.decode("ascii")
        path, _, query = raw.partition("?")
        headers = {name.lower(): content for name, content in request.headers.items()}
        response = self._simulator.handle(SimRequest(request.method, path, query, headers, request.read()))
        limit = (request.extensions.get("timeout") or {}).get("read")
        if response.fate == "timed out" or (limit is not None and response.delay >= limit):
            if self._sleep is not None and limit is not None:
                self._sleep(limit)
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        if response.delay and self._sleep is not None:
            self._sleep(response.delay)
        if response.fate == "broken":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        return httpx.Response(response.status, headers=response.headers, content=response.body, request=request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        headers = {name.lower(): content for name, content in self.headers.items()}
        response = self.server.simulator.handle(SimRequest(self.command, parts.path, parts.query, headers, body))
        if response.delay:
            time.sleep(response.delay)
        if response.fate == "timed out":
            self.server.closing.wait()  # no answer for as long as the client has patience
        if response.fate != "answered":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response_only(response.status)
        for name, content in response.headers.items():
            self.send_header(name.title(), content)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = _serve  # noqa: N815 - the base class asks for these names

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: a simulator logs in its audit trail."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, BrokenPipeError):
            self.close_connection = True  # the client has gone; a real server takes no notice either


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, simulator: Simulator, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.simulator = simulator
        self.closing = threading.Event()


@contextmanager
def serve(simulator: Simulator, port: int) -> Iterator[str]:
    """Serve ``simulator`` on 127.0.0.1; 0 chooses a free port."""
    server = _Server(simulator, port)
    simulator.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="simulator", daemon=True)
    thread.start()
    try:
        yield simulator.url
    finally:
        server.closing.set()
        if thread.is_alive():  # else nobody would answer that it is shut down
            server.shutdown()
        server.server_close()
        thread.join()
