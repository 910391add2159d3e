"""An HTTP server on loopback that passes requests to a handler."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from itopsync.simulator.messages import SimRequest, SimResponse

Handle = Callable[[SimRequest], SimResponse]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        headers = {name.lower(): content for name, content in self.headers.items()}
        response = self.server.answer(SimRequest(self.command, parts.path, parts.query, headers, body))
        if response.delay:
            time.sleep(response.delay)
        if response.fate == "timed out":
            self.server.closing.wait()  # no response until the client gives up
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

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the simulator has an audit trail."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, BrokenPipeError):
            self.close_connection = True  # the client has disconnected, which a real server ignores too


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Handle, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer
        self.closing = threading.Event()


@contextmanager
def serve(answer: Handle, port: int) -> Iterator[str]:
    """Serve on 127.0.0.1; 0 chooses a free port. Yields the address."""
    server = _Server(answer, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="simulator", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.closing.set()
        if thread.is_alive():  # otherwise shutdown would wait for ever
            server.shutdown()
        server.server_close()
        thread.join()
