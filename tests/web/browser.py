"""A console that is served, and Chromium before it."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from itopsync.web import serve
from tests.web.desk import Desk

QUIET = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update "
    "disable-sync"
)


@contextmanager
def chromium() -> Iterator[Browser | None]:
    """Chromium; None where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        yield None
        return
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=[f"--{flag}" for flag in QUIET.split()])
        yield opened
        opened.close()


@contextmanager
def serving(desk: Desk) -> Iterator[str]:
    """The console on a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://localhost:{listening.getsockname()[1]}"
        server = serve.server(desk.app)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield address
        server.should_exit = True
        thread.join(10)


@contextmanager
def page(browser: Browser, **more: Any) -> Iterator[Page]:
    """A tab of its own, in which nothing may go wrong that only the browser tells."""
    context = browser.new_context(**more)
    context.set_default_timeout(15_000)
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    assert [
        text for text in said if not text.startswith("Failed to load resource: the server responded with a status of 40")
    ] == []
