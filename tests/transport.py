"""A way to a simulator within the process, for ``httpx.Client``."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from itopsync.simulator import SimRequest, Simulator


class SimulatorTransport(httpx.BaseTransport):
    """Runs each request in the caller's thread.

    A broken connection is an ``httpx.RemoteProtocolError``, an answer in vain (or later than the client's read
    timeout) an ``httpx.ReadTimeout``.
    """

    def __init__(self, simulator: Simulator, sleep: Callable[[float], None] | None = None) -> None:
        """*sleep* is called with delays in seconds; None: they only count against the client's read timeout."""
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
