"""Serves the page, and the console next to it, on local ports."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import jinja2
from starlette.requests import Request

from itopsync.demo.desks.bridge import Bridge
from itopsync.demo.desks.forms import LONGEST
from itopsync.demo.desks.page import Page
from itopsync.demo.desks.shown import Desk, Novelties
from itopsync.demo.serve import Pair
from itopsync.errors import ConfigurationError, Fault
from itopsync.model import Side
from itopsync.web import pairs, settings
from itopsync.web.access import Access, User
from itopsync.web.app import make
from itopsync.web.guard import Guard
from itopsync.web.pages import ENVIRONMENT, Pages
from itopsync.web.serve import server

LOOPBACK = "127.0.0.1"
TEMPLATES = ENVIRONMENT.overlay(
    loader=jinja2.ChoiceLoader([jinja2.PackageLoader("itopsync.demo.desks"), jinja2.PackageLoader("itopsync.web")])
)


class Player(Access):
    """Gives whoever uses this machine every permission in the console."""

    def user(self, _request: Request) -> User:
        return User("player", operates=True)


@contextmanager
def serving(pair: Pair, port: int = 0) -> Iterator[str]:
    """Serve the page inside the context; yields its address. The bridge does not run until a player starts it.

    :raises ConfigurationError: the port is taken
    """
    own = settings.of_one_pair(pair.configuration)
    (watched,) = pairs.load(own, os.environ).values()
    console = make(own, {watched.name: watched})
    access = Player(**vars(console.access))
    novelties, bridge = Novelties(), Bridge(pair.configuration)
    simulators = {Side.EXTERNAL: pair.external, Side.INTERNAL: pair.internal}
    desks = {side: Desk(side, watched.label(side), simulator, novelties) for side, simulator in simulators.items()}
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(port))
        stack.callback(watched.close)
        beside = stack.enter_context(_listening(0))
        stack.callback(bridge.end)
        address = stack.enter_context(_served(replace(console, access=access), beside))
        pages = Pages((watched.name,), lambda: datetime.now(UTC), TEMPLATES)
        page = Page(desks, bridge, watched, address, pages, novelties)
        for desk in desks.values():
            desk.rows()
        novelties.begin()
        yield stack.enter_context(_served(Guard(page.app(), access, "", LONGEST), listening))


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        reason = f"port {port} of {LOOPBACK} cannot be listened on: {error.strerror or error}"
        raise ConfigurationError([Fault("--port", reason, "Name another, or leave it out.")]) from None


@contextmanager
def _served(app: Guard, listening: socket.socket) -> Iterator[str]:
    serves = server(app)
    thread = threading.Thread(target=serves.run, args=([listening],), name="page", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{listening.getsockname()[1]}/"
    finally:
        serves.should_exit = True
        thread.join()
