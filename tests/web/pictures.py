"""``python -m tests.web.pictures``: take the pictures of the console in ``docs/web`` from the real pages; ``make pictures`` does.

They are taken of the page to play on, and of three pairs: a busy one with 100,000 links, one that a limit stopped, and one
that is paused.
"""

from __future__ import annotations

import math
import struct
import sys
import tempfile
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from itopsync.demo import desks
from itopsync.demo.serve import open_pair
from itopsync.engine import stops
from itopsync.engine.pauses import Pause, pause
from itopsync.model import Side
from itopsync.store.records import CycleRecord, Holder
from tests.web import busy
from tests.web.browser import chromium, page, serving
from tests.web.desk import ACCOUNTS, NOW, Desk

FOLDER = Path(__file__).parents[2] / "docs" / "web"
MANY = 100_000
CREATIONS = frozenset(f"creations {number}" for number in range(1, 54))
STOP = stops.Stop("creations", "53 new tickets are more than limits.creations (50). Look at `itopsync plan`.", NOW, CREATIONS)
TICKET = 99_847
AN_HOUR = timedelta(hours=1)
WHO = "anna@example.com"
SIGNED = f"""
[proxy]
peers = ["127.0.0.1"]
[roles]
operators = ["{WHO}"]
"""
WIDE = {"width": 1080, "height": 720}
TALLEST = 900


@dataclass(frozen=True)
class Picture:
    """One picture: of what, and how it is looked at."""

    path: str
    look: Mapping[str, Any] = field(default_factory=lambda: {"viewport": WIDE})


DARK = {"viewport": WIDE, "color_scheme": "dark"}
PHONE = {"viewport": {"width": 360, "height": 720}}
PICTURES = {
    "overview": Picture("/"),
    "pair": Picture("/p/acme"),
    "attention": Picture("/p/acme/attention"),
    "stop": Picture("/p/globex/attention", DARK),
    "ticket": Picture(f"/p/acme/t/{TICKET}"),
    "activity": Picture("/p/acme/activity", DARK),
    "cycles": Picture("/p/acme/cycles"),
    "verify": Picture("/p/acme/verify"),
    "telephone": Picture("/p/acme", PHONE | {"locale": "id", "color_scheme": "dark"}),
    "sign-in": Picture("/sign-in", PHONE),
}


DESKS = "desks"
"""The page to play on."""
DESKTOP = {"width": 1280, "height": 860}


def take(folder: Path, browser: Browser, pictures: Mapping[str, Picture], links: int = MANY) -> None:
    """Take pictures into a folder, of a pair with so many links and two small ones."""
    with tempfile.TemporaryDirectory(prefix="itopsync-pictures-") as place:
        pairs = [_pair(Path(place), name, size) for name, size in (("acme", links), ("globex", 1_200), ("initech", 120))]
        stops.note(pairs[1].store, STOP)
        pairs[1].store.history.record(CycleRecord(None, "poll", NOW, NOW, "stopped", {}, STOP.reason))
        pause(pairs[2].store, Pause((Side.INTERNAL,), "web:anna", "upgrade to 3.2.1", NOW - AN_HOUR, NOW + AN_HOUR))
        for web, shown in ((SIGNED, True), (ACCOUNTS, False)):
            pairs[0].configure(web, *(pair.pair for pair in pairs[1:]))
            with serving(pairs[0]) as address:
                for name, picture in pictures.items():
                    if shown != (picture.path == "/sign-in"):
                        _take(browser, f"{address}{picture.path}", picture.look, folder / f"{name}.png")
        for pair in pairs:
            pair.close()


def take_desks(file: Path, browser: Browser) -> None:
    """Take the picture of the page to play on: a note, a state and an answer have just arrived."""
    with open_pair() as pair, desks.serving(pair) as address, page(browser, viewport=DESKTOP) as tab:
        tab.goto(address)
        tab.get_by_role("button", name="Start the bridge").click()
        tab.locator("#internal-log img").wait_for()
        tab.locator("#internal-list li:not(.fresh)", has_text="Printer broken").wait_for()
        pair.external.agent().note("UserRequest", 1, "<p>Now it smells of smoke, too.</p>")
        copy = pair.internal.tickets()[-2]["id"]
        pair.internal.agent().stimulus("UserRequest", copy, "ev_assign", team_id=39, agent_id=9)
        tab.locator("#internal-log .fresh", has_text="smoke").wait_for()
        tab.locator("#external-ticket .fresh", has_text="assigned").wait_for()
        file.write_bytes(small(browser, tab.screenshot(caret="initial")))


def _pair(place: Path, name: str, links: int) -> Desk:
    made = Desk(place / name, name=name)
    busy.fill(made.store, links, NOW)
    if links > TICKET:
        busy.rich(made.store, TICKET, NOW)
    if name != "initech":
        made.store.lease.acquire(Holder("bridge", "boot", 4711, "1", "token"), timedelta(minutes=1), NOW)
    return made


def _take(browser: Browser, address: str, look: Mapping[str, Any], file: Path) -> None:
    with page(browser, extra_http_headers={"X-Auth-Request-Email": WHO}, **look) as tab:
        tab.goto(address)
        high = min(TALLEST, tab.evaluate("document.documentElement.scrollHeight"))
        tab.set_viewport_size({"width": look["viewport"]["width"], "height": max(high, look["viewport"]["height"])})
        file.write_bytes(small(browser, tab.screenshot()))


def small(browser: Browser, picture: bytes) -> bytes:
    """The same PNG with a palette of its 256 most frequent colours, which is half as large; a rarer one becomes the nearest."""
    blank = browser.new_page()
    width, height, pixels = blank.evaluate(PIXELS, b64encode(picture).decode())
    blank.close()
    seen = [colour for (colour,) in struct.iter_unpack("4s", b64decode(pixels))]
    palette = [colour for colour, _ in Counter(seen).most_common(256)]
    place = {colour: number for number, colour in enumerate(palette)}
    for colour in set(seen) - place.keys():
        place[colour] = min(range(len(palette)), key=lambda number: math.dist(palette[number], colour))
    rows = (bytes(place[colour] for colour in seen[begin : begin + width]) for begin in range(0, len(seen), width))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0),
        b"PLTE": b"".join(colour[:3] for colour in palette),
        b"IDAT": zlib.compress(b"".join(b"\0" + row for row in rows), 9),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks.items())


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


PIXELS = """async (picture) => {
  const image = await createImageBitmap(await (await fetch("data:image/png;base64," + picture)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const bytes = canvas.getImageData(0, 0, image.width, image.height).data;
  let text = "";
  for (let begin = 0; begin < bytes.length; begin += 32768)
    text += String.fromCharCode(...bytes.subarray(begin, begin + 32768));
  return [image.width, image.height, btoa(text)];
}"""
"""What a PNG shows, as width, height, and four bytes for each dot."""


if __name__ == "__main__":
    with chromium() as opened:
        assert opened is not None, "there is no Chromium: install the package chromium"
        asked = sys.argv[1:] or [*PICTURES, DESKS]
        if DESKS in asked:
            take_desks(FOLDER / f"{DESKS}.png", opened)
        if named := {name: PICTURES[name] for name in asked if name != DESKS}:
            take(FOLDER, opened, named)
