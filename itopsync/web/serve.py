"""The console's process: listens where ``web.toml`` says, until stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from itopsync.errors import ConfigurationError, Fault
from itopsync.web import pairs as of_pairs
from itopsync.web.access import Access
from itopsync.web.app import make
from itopsync.web.guard import Guard
from itopsync.web.settings import WebFile, WebSettings

log = structlog.get_logger(__name__)

FOR_THE_GROUP = 0o117
"""The umask of the socket, which is for its owner and for its group, to which the proxy in front belongs."""
MOST_AT_ONCE = 64
PATIENCE = 20.0
"""Seconds that a connection gets to send a request, and to accept the response."""


class Connection(H11Protocol):
    """A connection that ends if its peer keeps us waiting: otherwise, a few silent peers would keep everybody out."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._late is not None:
            self._late.cancel()

    def _watch(self) -> None:
        """Time the peer from the moment we begin to wait for it."""
        request = self.cycle
        waiting = request is None or request.response_complete or request.more_body or self.flow.write_paused
        if waiting and self._late is None:
            self._late = self.loop.call_later(PATIENCE, self.transport.abort)
        elif not waiting and self._late is not None:
            self._late.cancel()
            self._late = None


def serve(load: Callable[[], WebSettings], environ: Mapping[str, str] = os.environ) -> None:
    """Serve the pairs until SIGINT or SIGTERM; on SIGHUP, reload the roles.

    :raises ConfigurationError: a configuration is faulty, or the address cannot be listened on
    """
    settings = load()
    pairs = of_pairs.load(settings, environ)
    app = make(settings, pairs)
    # in its own thread: what the signal interrupts may hold the log's lock
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload, args=(app.access, settings, load)).start())
    with _listening(settings) as listening:
        log.info("console", listen=settings.file.listen, pairs=", ".join(pairs))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # before it returns, uvicorn raises again the signal that ended it
        try:
            server(app).run([listening])
        finally:
            for pair in pairs.values():
                pair.close()
            if settings.file.socket is not None:
                settings.file.socket.unlink(missing_ok=True)


def reload(access: Access, old: WebSettings, load: Callable[[], WebSettings]) -> None:
    """Adopt the roles; for everything else, *old* applies until a restart. A faulty file changes nothing."""
    try:
        new = load()
    except ConfigurationError as error:
        for fault in error.faults:
            log.error("configuration refused", fault=str(fault))
        log.error("the old configuration goes on", faults=len(error.faults))
        return
    for key in sorted(WebFile.model_fields.keys() - {"roles"}):
        if getattr(new.file, key) != getattr(old.file, key):
            log.warning("needs a restart", key=key, until_then="the old one is used")
    access.roles = new.file.roles
    log.info("configuration taken over", path=str(new.folder))


def server(app: Guard) -> uvicorn.Server:
    """The server of the pages, on the sockets that its ``run`` is given."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            lifespan="off",
            ws="none",
            proxy_headers=False,  # a request's peer is the real one, whatever its headers say
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="warning",
            limit_concurrency=MOST_AT_ONCE,
            timeout_graceful_shutdown=5,
        )
    )


def _listening(settings: WebSettings) -> socket.socket:
    path, port = settings.file.socket, settings.file.port
    try:
        if path is not None:
            return _on_socket(path)
        made = socket.create_server((settings.file.host, port), family=_family(settings.file.host), backlog=128)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(
            [Fault("listen", f"{settings.file.listen} cannot be listened on: {reason}", "Name another, or end who has it.")]
        ) from None
    return made


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _on_socket(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with suppress(FileNotFoundError):
        path.unlink()  # left by a process that was killed
    before = os.umask(FOR_THE_GROUP)
    try:
        made.bind(str(path))
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    made.listen(128)
    return made
